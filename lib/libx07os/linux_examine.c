/*
 * What of this kernel the gates can use, looked at or tried in a child, with the
 * command that would change what is missing.
 */
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "linux.h"
#include "os.h"

#define TEXT	256
#define KERNEL_NEEDED	5013	/* Landlock, mount_setattr(2), close_range(2) */
#define ABI_SCOPES	6	/* Landlock that keeps signals and abstract sockets in */

struct examiner {
	void		(*tell)(void *, const struct os_finding *);
	void		*arg;
	const char	*sudo;
};

static void
say(const struct examiner *e, const char *name, enum os_state state,
    const char *detail, const char *fix)
{
	struct os_finding f = { name, state, detail, fix };

	e->tell(e->arg, &f);
}

/* The first line of a setting, "" when the kernel has none of that name. */
static const char *
setting(const char *path, char buf[TEXT])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd != -1 ? read(fd, buf, TEXT - 1) : 0;

	if (fd != -1)
		close(fd);
	buf[n > 0 ? n : 0] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	return buf;
}

/* Runs attempt in a child: 0, or the errno of what failed. */
static int
try_in_child(int (*attempt)(void))
{
	int wstatus;
	pid_t pid = fork();

	if (pid == -1)
		return errno;
	if (pid == 0)
		_exit(attempt() == -1 ? errno : 0);
	while (waitpid(pid, &wstatus, 0) == -1)
		if (errno != EINTR)
			return errno;
	return WIFEXITED(wstatus) ? WEXITSTATUS(wstatus) : EIO;
}

/* ---- the kernel ---- */

static void
examine_kernel(const struct examiner *e)
{
	char text[TEXT];
	struct utsname u;
	char *end;
	long major, minor;

	if (uname(&u) == -1)
		return;
	major = strtol(u.release, &end, 10);
	minor = *end == '.' ? strtol(end + 1, NULL, 10) : 0;
	snprintf(text, sizeof(text), "Linux %s", u.release);
	say(e, "kernel", major * 1000 + minor >= KERNEL_NEEDED ? OS_STATE_OK :
	    OS_STATE_MISSING, text, major * 1000 + minor >= KERNEL_NEEDED ? NULL :
	    "install Linux 5.13 or later");
}

static void
examine_landlock(const struct examiner *e)
{
	int abi = landlock_abi();
	char text[TEXT];

	if (abi == 0) {
		say(e, "Landlock", OS_STATE_MISSING, strerror(errno),
		    errno == EOPNOTSUPP ? "add landlock to the lsm= list of the "
		    "kernel's command line" : "install a kernel with "
		    "CONFIG_SECURITY_LANDLOCK");
		return;
	}
	snprintf(text, sizeof(text), "ABI %d%s", abi, abi >= ABI_SCOPES ? "" :
	    "; below 6, signals and abstract sockets are kept in by other means, and "
	    "ptrace is denied altogether");
	say(e, "Landlock", abi >= ABI_SCOPES ? OS_STATE_OK : OS_STATE_WEAKER, text,
	    abi >= ABI_SCOPES ? NULL : "install Linux 6.12 or later");
}

static void
examine_seccomp(const struct examiner *e)
{
	unsigned action = SECCOMP_RET_KILL_PROCESS;
	bool ok = syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;

	say(e, "seccomp", ok ? OS_STATE_OK : OS_STATE_MISSING,
	    ok ? "filters can be installed" : strerror(errno),
	    ok ? NULL : "install a kernel with CONFIG_SECCOMP_FILTER");
}

/* ---- namespaces ---- */

/* All that the gates make; AppArmor may let them be made and forbid the mount. */
static int
try_namespaces(void)
{
	if (ns_unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET) == -1)
		return -1;
	return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

static int
try_proc(void)
{
	int wstatus;
	pid_t pid;

	if (try_namespaces() == -1 || (pid = fork()) == -1)
		return -1;
	if (pid == 0)
		_exit(mount("proc", "/proc", "proc",
		    MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == -1 ? errno : 0);
	if (waitpid(pid, &wstatus, 0) == -1)
		return -1;
	errno = WIFEXITED(wstatus) ? WEXITSTATUS(wstatus) : EIO;
	return errno == 0 ? 0 : -1;
}

/* The switch that is off, as a command; NULL when it is none we know. */
static const char *
namespace_fix(const struct examiner *e, char fix[TEXT])
{
	static const struct {
		const char	*path, *bad, *name, *good;
	} switches[] = {
		{ "/proc/sys/kernel/unprivileged_userns_clone", "0",
		    "kernel.unprivileged_userns_clone", "1" },
		{ "/proc/sys/user/max_user_namespaces", "0",
		    "user.max_user_namespaces", "15000" },
		{ "/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1",
		    "kernel.apparmor_restrict_unprivileged_userns", "0" },
	};
	char value[TEXT];

	for (size_t i = 0; i < sizeof(switches) / sizeof(switches[0]); i++)
		if (strcmp(setting(switches[i].path, value), switches[i].bad) == 0) {
			snprintf(fix, TEXT, "%ssysctl -w %s=%s", e->sudo,
			    switches[i].name, switches[i].good);
			return fix;
		}
	if (access("/.dockerenv", F_OK) == 0)
		return "start the container with --security-opt seccomp=unconfined "
		    "--security-opt apparmor=unconfined";
	return NULL;
}

static void
examine_namespaces(const struct examiner *e)
{
	char text[TEXT * 2], fix[TEXT], max[TEXT], apparmor[TEXT];
	int err = try_in_child(try_namespaces);

	if (err != 0) {
		snprintf(text, sizeof(text), "%s: %s", strerror(err),
		    os_namespace_hint(err));
		say(e, "user namespaces", OS_STATE_MISSING, text,
		    namespace_fix(e, fix));
		return;
	}
	setting("/proc/sys/user/max_user_namespaces", max);
	setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", apparmor);
	snprintf(text, sizeof(text), "usable, %s at a time%s", max,
	    strcmp(apparmor, "1") == 0 ? "; AppArmor restricts them for others" : "");
	say(e, "user namespaces", OS_STATE_OK, text, NULL);

	err = try_in_child(try_proc);
	say(e, "own /proc", err == 0 ? OS_STATE_OK : OS_STATE_MISSING,
	    err == 0 ? "can be mounted" :
	    "cannot be mounted, because part of the outer one is masked",
	    err == 0 ? NULL :
	    "start the container with --security-opt systempaths=unconfined");
}

/* ---- sums over a tree ---- */

static void
examine_groups(const struct examiner *e)
{
	static const struct {
		unsigned	 bit;
		const char	*what;
	} sums[] = {
		{ OS_SUM_CPU, "CPU" }, { OS_SUM_MEM, "memory" },
		{ OS_SUM_TASKS, "processes" },
	};
	const unsigned want = OS_SUM_CPU | OS_SUM_MEM | OS_SUM_TASKS;
	struct os_group *g = os_group_make(want, INT64_C(1) << 30, 64);
	unsigned held = os_group_holds(g);
	struct stat st;
	char text[TEXT] = "";
	const char *sep = "";

	for (size_t i = 0; i < 3; i++) {
		size_t n = strlen(text);

		snprintf(text + n, sizeof(text) - n, "%s%s: %s", sep, sums[i].what,
		    (held & sums[i].bit) != 0 ? os_group_how(g, sums[i].bit) :
		    sums[i].bit == OS_SUM_MEM ? "of each process only" :
		    "by looking at the processes");
		sep = "; ";
	}
	if (g != NULL)
		os_group_remove(g);
	say(e, "control groups", held == want ? OS_STATE_OK : OS_STATE_WEAKER, text,
	    held == want || stat("/run/systemd/system", &st) == -1 ? NULL :
	    geteuid() == 0 ? "systemd-run --scope -p Delegate=yes x07 run ..." :
	    "systemd-run --user --scope -p Delegate=yes x07 run ...");
}

/* ---- virtual machines ---- */

static bool
processor_can(void)
{
	char line[8192];
	bool found = false;
	FILE *f = fopen("/proc/cpuinfo", "re");

	while (f != NULL && !found && fgets(line, sizeof(line), f) != NULL)
		found = strstr(line, " vmx") != NULL || strstr(line, " svm") != NULL;
	if (f != NULL)
		fclose(f);
	return found;
}

static void
examine_kvm(const struct examiner *e)
{
	char text[TEXT], fix[TEXT];
	int err = os_vm_accel() == -1 ? errno : 0;

	if (err == 0) {
		say(e, "KVM", OS_STATE_OK, "runs guest code", NULL);
		return;
	}
	snprintf(text, sizeof(text), "%s; QEMU translates the guest's code instead, "
	    "which is slower", err == ETIME ? "emulated by the machine outside" :
	    err == EIO ? "starts, but runs no guest code" : strerror(err));
	fix[0] = '\0';
	if (err == EACCES)
		snprintf(fix, sizeof(fix), "%susermod -aG kvm \"$USER\", and log in "
		    "again", e->sudo);
	else if (err == ENOENT && processor_can())
		snprintf(fix, sizeof(fix), "%smodprobe -a kvm_intel kvm_amd",
		    e->sudo);
	else if (err == ENOENT || err == ENODEV)
		snprintf(fix, sizeof(fix), "switch virtualization on in the firmware, "
		    "or nested virtualization in the host");
	say(e, "KVM", OS_STATE_WEAKER, text, fix[0] != '\0' ? fix : NULL);
}

void
os_examine(void (*tell)(void *, const struct os_finding *), void *arg, bool root)
{
	const struct examiner e = { tell, arg, root ? "" : "sudo " };

	examine_kernel(&e);
	examine_namespaces(&e);
	examine_landlock(&e);
	examine_seccomp(&e);
	examine_groups(&e);
	examine_kvm(&e);
}
