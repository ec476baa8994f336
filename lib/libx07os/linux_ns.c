/* User namespaces and the others they own: user_namespaces(7). */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "linux.h"
#include "os.h"

/* The number of the first user namespace, where every id has its own: linux/nsfs.h */
#define FIRST_USERNS	0xEFFFFFFDU
#define MAP_MAX		4096	/* the kernel takes one page of map text */
#define MAP_TEXT	12288	/* and shows 340 lines of 33 bytes at most */

struct idmaps {
	char	uid[MAP_MAX];
	char	gid[MAP_MAX];
	bool	all;		/* more than our own ids: needs a writer outside */
};

/* May we map ids that are not ours? */
static bool
may_map(void)
{
	const uint32_t both = 1U << CAP_SETUID | 1U << CAP_SETGID;
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];

	return syscall(SYS_capget, &head, data) == 0 &&
	    (data[0].effective & both) == both;
}

static int
read_map(const char *path, char text[MAP_TEXT])
{
	size_t len = 0;
	ssize_t n = -1;
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;

	if (fd == -1)
		return -1;
	while (len < MAP_TEXT - 1 &&
	    (n = read(fd, text + len, MAP_TEXT - 1 - len)) > 0)
		len += (size_t)n;
	err = errno;
	close(fd);
	errno = err;
	text[len] = '\0';
	return n == -1 ? -1 : 0;
}

/*
 * The map that gives every id we can see its own number: our first column
 * is what the ids are called here, so it is both columns of the child's.
 */
static int
identity_map(const char *path, char map[MAP_MAX])
{
	char text[MAP_TEXT], *line = text, *end;
	size_t n = 0;

	if (read_map(path, text) == -1)
		return -1;
	/* Lines of first id, id outside, count: only whole ones. */
	for (; (end = strchr(line, '\n')) != NULL; line = end + 1) {
		unsigned long first = strtoul(line, &line, 10), count;
		int w;

		(void)strtoul(line, &line, 10);
		count = strtoul(line, NULL, 10);
		w = snprintf(map + n, MAP_MAX - n, "%lu %lu %lu\n", first,
		    first, count);
		if (w < 0 || (size_t)w >= MAP_MAX - n)
			break;
		n += (size_t)w;
	}
	map[n] = '\0';
	if (n == 0) {
		errno = EPERM;	/* ids not mapped at all: nothing to pass on */
		return -1;
	}
	return 0;
}

static int
make_maps(struct idmaps *m)
{
	struct stat st;

	m->all = may_map();
	if (m->all && stat("/proc/self/ns/user", &st) == 0 &&
	    st.st_ino == FIRST_USERNS) {
		snprintf(m->uid, sizeof(m->uid), "0 0 4294967295\n");
		memcpy(m->gid, m->uid, sizeof("0 0 4294967295\n"));
		return 0;
	}
	if (m->all)
		return identity_map("/proc/self/uid_map", m->uid) == -1 ||
		    identity_map("/proc/self/gid_map", m->gid) == -1 ? -1 : 0;
	snprintf(m->uid, sizeof(m->uid), "%u %u 1\n", geteuid(), geteuid());
	snprintf(m->gid, sizeof(m->gid), "%u %u 1\n", getegid(), getegid());
	return 0;
}

static int
write_file(pid_t pid, const char *name, const char *text)
{
	char path[64];
	ssize_t n;
	int fd, err;

	if (pid == 0)
		snprintf(path, sizeof(path), "/proc/self/%s", name);
	else
		snprintf(path, sizeof(path), "/proc/%ld/%s", (long)pid, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd == -1)
		return -1;
	n = write(fd, text, strlen(text));
	err = errno;
	close(fd);
	errno = err;
	return n == (ssize_t)strlen(text) ? 0 : -1;
}

/* pid 0 is this process. */
static int
write_maps(pid_t pid, const struct idmaps *m)
{
	/* Without privilege the kernel wants setgroups(2) given up first. */
	if (!m->all && write_file(pid, "setgroups", "deny") == -1 &&
	    errno != ENOENT)
		return -1;
	if (write_file(pid, "uid_map", m->uid) == -1 ||
	    write_file(pid, "gid_map", m->gid) == -1)
		return -1;
	return 0;
}

/* Writes our maps from outside when told that we are in; never returns. */
static _Noreturn void
map_writer(pid_t target, const struct idmaps *m, int sock)
{
	int err = 0;
	char go;

	if (read(sock, &go, 1) != 1)
		_exit(0);
	if (write_maps(target, m) == -1)
		err = errno;
	if (write(sock, &err, sizeof(err)) != sizeof(err))
		_exit(1);
	_exit(0);
}

static int
unshare_with_writer(int flags, const struct idmaps *m)
{
	int pair[2], err = 0;
	pid_t self = getpid(), writer;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
		return -1;
	writer = fork();
	if (writer == -1)
		goto fail;
	if (writer == 0) {
		close(pair[0]);
		map_writer(self, m, pair[1]);
	}
	close(pair[1]);
	pair[1] = -1;
	if (unshare(flags) == -1) {
		err = errno;
	} else if (write(pair[0], "", 1) != 1 ||
	    read(pair[0], &err, sizeof(err)) != sizeof(err)) {
		err = EPERM;
	}
	close(pair[0]);
	while (waitpid(writer, NULL, 0) == -1 && errno == EINTR)
		continue;
	errno = err;
	return err == 0 ? 0 : -1;
fail:
	err = errno;
	close(pair[0]);
	close(pair[1]);
	errno = err;
	return -1;
}

int
ns_unshare(int flags)
{
	struct idmaps m;

	if (make_maps(&m) == -1)
		return -1;
	flags |= CLONE_NEWUSER;
	if (m.all)
		return unshare_with_writer(flags, &m);
	if (unshare(flags) == -1)
		return -1;
	return write_maps(0, &m);
}

pid_t
ns_fork(int flags, int *gate)
{
	struct idmaps m;
	int pair[2], err = 0;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
		return -1;
	if ((flags & CSIGNAL) == 0)
		flags |= SIGCHLD;
	pid = (pid_t)syscall(SYS_clone, (unsigned long)(flags | CLONE_NEWUSER), 0,
	    0, 0, 0);
	if (pid == 0) {
		close(pair[0]);
		*gate = pair[1];
		return 0;
	}
	/* A child that is gone already has its own word to say of that. */
	if (pid == -1 || make_maps(&m) == -1 || write_maps(pid, &m) == -1 ||
	    (send(pair[0], "", 1, MSG_NOSIGNAL) != 1 && errno != EPIPE))
		err = errno;
	close(pair[0]);
	close(pair[1]);
	if (err != 0 && pid > 0)
		while (waitpid(pid, NULL, __WALL) == -1 && errno == EINTR)
			continue;
	errno = err;
	return err == 0 ? pid : -1;
}

void
ns_mapped(int gate)
{
	char go;

	if (read(gate, &go, 1) != 1)
		_exit(EXIT_FAILURE);
	close(gate);
}

static int
read_setting(const char *path)
{
	char c = '?';
	int err = errno;	/* callers have it in the same line */
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd != -1) {
		if (read(fd, &c, 1) != 1)
			c = '?';
		close(fd);
	}
	errno = err;
	return c;
}

const char *
os_namespace_hint(int err)
{
	/* What has nothing to do with namespaces. */
	if (err == EMFILE || err == ENFILE)
		return "too few descriptors may be open; raise ulimit -n";
	if (err == EAGAIN)
		return "too many processes of this user; raise ulimit -u";
	if (err == ENOMEM)
		return "too little memory";
	if (read_setting("/proc/sys/kernel/unprivileged_userns_clone") == '0')
		return "user namespaces are switched off here; as root: "
		    "sysctl kernel.unprivileged_userns_clone=1";
	if (read_setting("/proc/sys/user/max_user_namespaces") == '0')
		return "user namespaces are switched off here; as root: "
		    "sysctl user.max_user_namespaces=15000";
	if (read_setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
	    == '1')
		return "AppArmor restricts user namespaces here; as root: give "
		    "the tool a profile with 'userns,', or sysctl "
		    "kernel.apparmor_restrict_unprivileged_userns=0";
	if (err == ENOSPC || err == EUSERS)
		return "too many namespaces: nested too deep, or more in use "
		    "than user.max_user_namespaces allows";
	return "the kernel, an outer x07-fsgate or x07-execgate, or a container's "
	    "filter forbids new user namespaces here; in a container allow "
	    "unshare(2) and mount(2) (docker: --security-opt seccomp=... "
	    "apparmor=unconfined)";
}
