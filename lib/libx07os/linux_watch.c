/*
 * The watcher: a process outside, told by the kernel what the program is
 * about to do. Beside the static layers it only reports: its answer lets
 * them decide, so what it reads from memory that another thread may change
 * spoils a line in a log and nothing else. Where a call is denied whatever its
 * arguments, it answers with an error. Without it these calls fail with ENOSYS.
 * seccomp_unotify(2).
 */
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "linux.h"
#include "linux_compat.h"
#include "os.h"

/* ---- start ---- */

/*
 * Out of sight and reach: no terminal, nobody's child, not to be traced. In
 * the session of the program, Ctrl-C would end it and with it every exec.
 */
static int
become_watcher(const struct os_watch *w, const int *keep, size_t nkeep)
{
	int fds[4], null;

	fds[0] = w->sock;
	for (size_t i = 0; i < nkeep && i < 3; i++)
		fds[i + 1] = keep[i];
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null == -1 || dup2(null, STDIN_FILENO) == -1 ||
	    dup2(null, STDOUT_FILENO) == -1)
		return -1;
	return os_close_fds(fds, nkeep + 1);
}

int
os_watch_start(struct os_watch *w, const int *keep, size_t nkeep)
{
	int pair[2], err, status;
	pid_t middle, self = getpid();

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
		return -1;
	middle = fork();
	if (middle == 0) {
		close(pair[0]);
		if (setsid() == -1)
			_exit(1);
		switch (fork()) {
		case -1:
			_exit(1);
		case 0:
			*w = (struct os_watch){ .sock = pair[1], .program = self };
			if (os_hide() == -1 ||
			    become_watcher(w, keep, nkeep) == -1)
				_exit(1);
			return 1;
		default:
			_exit(0);
		}
	}
	err = errno;
	close(pair[1]);
	if (middle != -1) {
		while (waitpid(middle, &status, 0) == -1 && errno == EINTR)
			continue;
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
			*w = (struct os_watch){ .sock = pair[0] };
			return 0;
		}
		err = EAGAIN;
	}
	close(pair[0]);
	errno = err;
	return -1;
}

/* ---- handing over: the plan and the listener ---- */

struct wire_head {
	size_t	n;
	bool	once;
	bool	dry;
	bool	trace;
	bool	has_fd;
};

struct wire_item {
	enum os_exec_kind kind;
	dev_t	dev;
	ino_t	ino;
	size_t	len;
};

static int
send_all(int sock, const void *buf, size_t len)
{
	const char *p = buf;

	while (len > 0) {
		ssize_t n = send(sock, p, len, MSG_NOSIGNAL);

		if (n == -1)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* The head, with the listener beside it. */
static int
send_head(int sock, const struct wire_head *head, int fd)
{
	union {
		struct cmsghdr	align;
		char		buf[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { (void *)(uintptr_t)head, sizeof(*head) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;

	if (fd >= 0) {
		memset(&control, 0, sizeof(control));
		msg.msg_control = control.buf;
		msg.msg_controllen = sizeof(control.buf);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	return sendmsg(sock, &msg, MSG_NOSIGNAL) == (ssize_t)sizeof(*head) ? 0 : -1;
}

int
watch_hand_over(const struct os_exec_plan *plan, int listener)
{
	struct wire_head head = { plan->n, plan->once, plan->dry, plan->trace,
	    listener >= 0 };
	int sock = plan->watch->sock, err;

	/* The watcher reads this process until the exec. */
	if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == -1 ||
	    send_head(sock, &head, listener) == -1)
		return -1;
	for (size_t i = 0; i < plan->n; i++) {
		const struct os_exec_item *it = &plan->items[i];
		struct wire_item item = { it->kind, it->dev, it->ino,
		    strlen(it->path) };

		if (send_all(sock, &item, sizeof(item)) == -1 ||
		    send_all(sock, it->path, item.len) == -1)
			return -1;
	}
	if (listener >= 0)
		close(listener);
	if (recv(sock, &err, sizeof(err), MSG_WAITALL) != sizeof(err))
		err = ECHILD;
	close(sock);
	errno = err;
	return err == 0 ? 0 : -1;
}

static int
take_all(int sock, void *buf, size_t len)
{
	return recv(sock, buf, len, MSG_WAITALL) == (ssize_t)len ? 0 : -1;
}

static int
take_head(int sock, struct wire_head *head, int *fd)
{
	union {
		struct cmsghdr	align;
		char		buf[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { head, sizeof(*head) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	struct cmsghdr *c;

	*fd = -1;
	if (recvmsg(sock, &msg, MSG_CMSG_CLOEXEC | MSG_WAITALL) !=
	    (ssize_t)sizeof(*head))
		return -1;
	c = CMSG_FIRSTHDR(&msg);
	if (c != NULL && c->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(c), sizeof(*fd));
	return head->has_fd == (*fd >= 0) ? 0 : -1;
}

static int
take_items(int sock, struct os_exec_plan *plan)
{
	struct wire_item item;

	plan->items = calloc(plan->n + 1, sizeof(*plan->items));
	if (plan->items == NULL)
		return -1;
	for (size_t i = 0; i < plan->n; i++) {
		struct os_exec_item *it = &plan->items[i];

		if (take_all(sock, &item, sizeof(item)) == -1)
			return -1;
		*it = (struct os_exec_item){ .kind = item.kind, .dev = item.dev,
		    .ino = item.ino };
		it->path = calloc(1, item.len + 1);
		if (it->path == NULL || take_all(sock, it->path, item.len) == -1)
			return -1;
	}
	return 0;
}

/* ---- what the program names ---- */

/* A string of the program's memory, page by page: it may end before a hole. */
static ssize_t
read_string(pid_t pid, uint64_t at, char *buf, size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), n = 0;

	while (n < len) {
		size_t step = page - (at + n) % page;
		struct iovec local = { buf + n, step < len - n ? step : len - n };
		struct iovec remote = { (void *)(uintptr_t)(at + n),
		    local.iov_len };
		ssize_t got = process_vm_readv(pid, &local, 1, &remote, 1, 0);
		char *end;

		if (got <= 0)
			return -1;
		end = memchr(buf + n, '\0', (size_t)got);
		if (end != NULL)
			return end - buf;
		n += (size_t)got;
	}
	errno = ENAMETOOLONG;
	return -1;
}

/*
 * Opens what the program means by path. It cannot change its root or mount
 * anything, so names mean the same files here, but for its own /proc/self.
 */
static int
open_as(pid_t pid, const char *path)
{
	char name[OS_PATH_BYTES + 16];

	if (strncmp(path, "/proc/self/", 11) == 0) {
		snprintf(name, sizeof(name), "/proc/%ld/%s", (long)pid, path + 11);
		path = name;
	}
	return open(path, O_PATH | O_CLOEXEC);
}

/* path relative to the working directory, or to descriptor dir, made whole. */
static void
make_whole(pid_t pid, int dir, char path[OS_PATH_BYTES])
{
	char link[64], base[OS_PATH_BYTES], whole[OS_PATH_BYTES];
	ssize_t n;

	if (path[0] == '/')
		return;
	if (dir == AT_FDCWD)
		snprintf(link, sizeof(link), "/proc/%ld/cwd", (long)pid);
	else
		snprintf(link, sizeof(link), "/proc/%ld/fd/%d", (long)pid, dir);
	n = readlink(link, base, sizeof(base) - 1);
	if (n <= 0)
		return;
	base[n] = '\0';
	if (snprintf(whole, sizeof(whole), "%s/%s", base, path) <
	    (int)sizeof(whole))
		memcpy(path, whole, strlen(whole) + 1);
}

/* ---- the listener ---- */

struct watcher {
	struct os_watch		*w;
	struct os_exec_plan	*plan;
	os_judge		*judge;
	void			*arg;
};

static int
judge_exec(const struct watcher *me, pid_t pid, int dir, uint64_t at)
{
	char path[OS_PATH_BYTES];
	struct os_exec_item object;
	struct os_event ev = { .kind = OS_EVENT_EXEC, .pid = pid, .path = path };
	int fd, ret;

	if (me->plan->trace && (ret = trace_asks(pid, &ev.spawn)) != 0)
		return ret;
	if (read_string(pid, at, path, sizeof(path)) == -1)
		return EFAULT;	/* execve(2) would not get further */
	make_whole(pid, dir, path);
	fd = open_as(pid, path);
	ev.error = errno;
	if (fd == -1 || exec_item(&object, fd) == -1) {
		if (fd != -1)
			close(fd);
		return me->judge(&ev, me->arg);
	}
	ev.object = &object;
	ret = me->judge(&ev, me->arg);
	close(fd);
	free(object.path);
	return ret;
}

static int
judge_call(const struct watcher *me, pid_t pid, long nr, const uint64_t args[6])
{
	struct os_event spawn = { .kind = OS_EVENT_SPAWN, .pid = pid };

	if (nr == SYS_execve)
		return judge_exec(me, pid, AT_FDCWD, args[0]);
	if (nr == SYS_execveat)
		return judge_exec(me, pid, (int)args[0], args[1]);
	return me->judge(&spawn, me->arg);
}

static void
answer(const struct watcher *me, int listener)
{
	struct seccomp_notif req;
	struct seccomp_notif_resp resp;
	uint64_t args[6];
	int err;

	memset(&req, 0, sizeof(req));
	if (compat_ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &req) == -1)
		return;		/* the task is gone */
	for (int i = 0; i < 6; i++)
		args[i] = req.data.args[i];
	err = judge_call(me, (pid_t)req.pid, req.data.nr, args);
	/* Nothing that asks may go on when nothing may be started at all. */
	if (me->plan->once && !me->plan->dry && err == 0)
		err = EACCES;
	/* What goes on while there are rules is followed to where they are judged. */
	if (me->plan->trace && err == 0 && trace_attach((pid_t)req.pid) == -1)
		err = EACCES;
	resp = (struct seccomp_notif_resp){
		.id = req.id,
		.error = -err,
		.flags = err == 0 ? SECCOMP_USER_NOTIF_FLAG_CONTINUE : 0,
	};
	if (compat_ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &resp) == -1 &&
	    errno == ENOENT && me->plan->trace)
		trace_let_be((pid_t)req.pid);
}

/*
 * The program is over; what it left behind is still answered. Who reads our
 * standard error waits for its end before asking how the program ended, so let go.
 */
static void
let_go(void)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (null != -1) {
		dup2(null, STDERR_FILENO);
		close(null);
	}
}

static void
listen_for(const struct watcher *me, int listener, int pidfd, int sigfd)
{
	struct pollfd pfd[3] = {
		{ .fd = sigfd, .events = POLLIN },
		{ .fd = listener, .events = POLLIN },
		{ .fd = pidfd, .events = POLLIN },
	};
	struct signalfd_siginfo si;

	for (;;) {
		if (poll(pfd, 3, -1) == -1)
			continue;
		if (pfd[0].revents != 0) {
			if (read(sigfd, &si, sizeof(si)) == sizeof(si))
				trace_drain(me->judge, me->arg);
		}
		if ((pfd[1].revents & POLLIN) != 0)
			answer(me, listener);
		else if (pfd[1].revents != 0)
			return;		/* nobody is left under the filter */
		if (pfd[2].revents != 0) {
			let_go();
			pfd[2].fd = -1;
		}
	}
}

/*
 * What is left to a watcher that is tricked into running foreign code: it
 * may read, and write to the descriptors it has.
 */
static int
confine_watcher(void)
{
	static const struct filter_row rows[] = {
		{ SYS_execve, FILTER_ANY, EPERM },
		{ SYS_execveat, FILTER_ANY, EPERM },
		{ SYS_process_vm_writev, FILTER_ANY, EPERM },
		{ SYS_pidfd_getfd, FILTER_ANY, EPERM },
		{ SYS_socket, FILTER_ANY, EPERM },
		{ SYS_connect, FILTER_ANY, EPERM },
	};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 || caps_limit(0) == -1)
		return -1;
	return filter_deny(OS_DENY_DEFAULT | OS_DENY_USERNS | OS_DENY_MEMEXEC |
	    OS_DENY_FORK | OS_DENY_RENAME | OS_DENY_MOUNT | OS_DENY_SYMLINK |
	    OS_DENY_REMOVE | OS_DENY_MKDIR, rows, sizeof(rows) / sizeof(rows[0]));
}

static int
child_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &set, NULL) == -1)
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

void
os_watch_serve(struct os_watch *w, struct os_exec_plan *plan, os_judge *judge,
    void *arg)
{
	struct watcher me = { w, plan, judge, arg };
	struct wire_head head;
	int listener, err = 0, pidfd, sigfd = -1;

	if (take_head(w->sock, &head, &listener) == -1)
		_exit(0);	/* the gate refused */
	*plan = (struct os_exec_plan){ .n = head.n, .once = head.once,
	    .dry = head.dry, .trace = head.trace };
	if (take_items(w->sock, plan) == -1)
		_exit(0);
	pidfd = (int)syscall(SYS_pidfd_open, w->program, 0);
	if (pidfd == -1 || (plan->trace && (sigfd = child_signals()) == -1) ||
	    confine_watcher() == -1 ||
	    (plan->trace && trace_begin(w->program) == -1))
		err = errno;
	if (send_all(w->sock, &err, sizeof(err)) == -1 || err != 0)
		_exit(0);
	close(w->sock);
	/* Asked and answered in turns: stay on the program's processor. */
	ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS,
	    SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
	listen_for(&me, listener, pidfd, sigfd);
	_exit(0);
}
