/* Virtual machines: boxing an emulator. */
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <sched.h>
#include <unistd.h>

#include "linux.h"
#include "linux_compat.h"
#include "os.h"

int
os_vm_enclose(void)
{
	return unshare(CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS);
}

/* What the server takes up, and what it needs to get into its tree. */
static const int server_caps[] = { CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER,
    CAP_FSETID, CAP_MKNOD, CAP_SETFCAP, CAP_SETGID, CAP_SETPCAP, CAP_SETUID,
    CAP_SYS_CHROOT };

static int
keep_caps(void)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data) == -1)
		return -1;
	for (size_t i = 0; i < sizeof(server_caps) / sizeof(server_caps[0]); i++)
		data[server_caps[i] / 32].inheritable |=
		    1U << (server_caps[i] % 32);
	if (syscall(SYS_capset, &head, data) == -1)
		return -1;
	for (size_t i = 0; i < sizeof(server_caps) / sizeof(server_caps[0]); i++)
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, server_caps[i], 0,
		    0) == -1)
			return -1;
	return 0;
}

int
os_vm_serve(unsigned deny)
{
	static const struct filter_row rows[] = {
		{ SYS_setgroups, FILTER_ANY, FILTER_NOTHING },
	};
	bool root = geteuid() == 0;

	if (!root && keep_caps() == -1)
		return -1;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return -1;
	return filter_deny(deny | OS_DENY_SETID, rows,
	    root ? 0 : sizeof(rows) / sizeof(rows[0]));
}

#define FS(right)	((uint64_t)LANDLOCK_ACCESS_FS_##right)
#define FS_READ		(FS(EXECUTE) | FS(READ_FILE) | FS(READ_DIR))
#define FS_ALL		(FS_READ | FS(WRITE_FILE) | FS(REMOVE_DIR) | \
			FS(REMOVE_FILE) | FS(MAKE_CHAR) | FS(MAKE_DIR) | \
			FS(MAKE_REG) | FS(MAKE_SOCK) | FS(MAKE_FIFO) | \
			FS(MAKE_BLOCK) | FS(MAKE_SYM))

static int
allow(int ruleset, const char *path, uint64_t rights)
{
	struct stat st;
	int fd = open(path, O_PATH | O_CLOEXEC), ret, err;

	if (fd == -1)
		return errno == ENOENT ? 0 : -1;
	ret = fstat(fd, &st);
	if (ret == 0 && !S_ISDIR(st.st_mode))
		rights &= ~FS(READ_DIR);
	if (ret == 0)
		ret = landlock_allow_path(ruleset, fd, rights);
	err = errno;
	close(fd);
	errno = err;
	return ret;
}

int
os_vm_confine(const char *const *reads, const char *const *writes,
    const char *serves, unsigned deny)
{
	uint64_t truncate = landlock_abi() >= 3 ? FS(TRUNCATE) : 0;
	uint64_t all = FS_ALL | (landlock_abi() >= 2 ? FS(REFER) : 0) | truncate;
	int ruleset, ret = -1, err;

	if (landlock_abi() == 0) {
		errno = ENOTSUP;
		return -1;
	}
	ruleset = landlock_ruleset(all, 0, landlock_scopes());
	if (ruleset == -1)
		return -1;
	for (; *reads != NULL; reads++)
		if (allow(ruleset, *reads, FS_READ) == -1)
			goto out;
	for (; *writes != NULL; writes++)
		if (allow(ruleset, *writes, FS(READ_FILE) | FS(WRITE_FILE) |
		    truncate) == -1)
			goto out;
	if (serves != NULL && allow(ruleset, serves, all) == -1)
		goto out;
	if (os_confine(OS_DENY_DEFAULT | OS_DENY_FAMILIES | OS_DENY_USERNS |
	    OS_DENY_MOUNT | OS_DENY_PTRACE | OS_SCOPED_ELSEWHERE | deny |
	    (serves != NULL ? OS_DENY_SETID : 0)) == 0 &&
	    /* The first version lets nothing move from one directory to another. */
	    (landlock_abi() == 1 && serves != NULL ? 0 :
	    landlock_enter(ruleset)) == 0)
		ret = serves != NULL ? 0 : os_drop_caps();
out:
	err = errno;
	close(ruleset);
	errno = err;
	return ret;
}
