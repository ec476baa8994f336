/*
 * A process tree that dies as one: a pid namespace whose init we are the
 * parent of. pid_namespaces(7): when init dies, the kernel kills the rest,
 * whatever session or process group it hides in.
 */
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "linux.h"
#include "os.h"

/* Signals that people send to a supervisor and mean for the program. */
static const int passed_on[] = {
	SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT,
};
#define NPASSED	(sizeof(passed_on) / sizeof(passed_on[0]))

static void
passed_set(sigset_t *set)
{
	sigemptyset(set);
	for (size_t i = 0; i < NPASSED; i++)
		sigaddset(set, passed_on[i]);
}

/*
 * A signal of the terminal (SI_KERNEL) reached the program by itself, as a
 * member of the foreground process group; one from kill(2) reached only us.
 */
static int
from_terminal(int code)
{
	return code == SI_KERNEL;
}

static int64_t
microseconds(const struct timeval *tv)
{
	return (int64_t)tv->tv_sec * 1000000 + tv->tv_usec;
}

/* Tells the supervisor how it ended. What it cannot hear it need not know. */
static void
report(int fd, int wstatus)
{
	struct os_tree_end end = { .wstatus = wstatus };
	struct rusage ru;

	if (getrusage(RUSAGE_CHILDREN, &ru) == 0) {
		end.user_us = microseconds(&ru.ru_utime);
		end.sys_us = microseconds(&ru.ru_stime);
		end.maxrss = (int64_t)ru.ru_maxrss * 1024;
	}
	if (write(fd, &end, sizeof(end)) != sizeof(end))
		_exit(0);
}

/*
 * The tree's init: reaps, passes signals on to the program, reports its end,
 * and exits, which ends everything that is left.
 */
static _Noreturn void
be_init(pid_t program, int status_fd)
{
	int keep[1] = { status_fd }, wstatus;
	sigset_t set;
	siginfo_t si;
	pid_t pid;

	os_close_fds(keep, 1);
	close(STDIN_FILENO);
	close(STDOUT_FILENO);
	close(STDERR_FILENO);
	os_hide();
	passed_set(&set);
	sigaddset(&set, SIGCHLD);
	for (;;) {
		if (sigwaitinfo(&set, &si) == -1)
			continue;
		if (si.si_signo != SIGCHLD) {
			if (!from_terminal(si.si_code))
				kill(program, si.si_signo);
			continue;
		}
		while ((pid = waitpid(-1, &wstatus, WNOHANG)) > 0) {
			if (pid != program)
				continue;
			report(status_fd, wstatus);
			_exit(0);
		}
	}
}

/* In the new namespaces, before anything of the program exists. */
static int
prepare(unsigned flags)
{
	if ((flags & OS_TREE_MOUNT) != 0 &&
	    mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) == -1)
		return -1;
	/*
	 * Where parts of the outer /proc are masked (containers) the kernel does
	 * not let us mount a whole one (EPERM); the old one then stays.
	 */
	if ((flags & OS_TREE_PROC) != 0 && mount("proc", "/proc", "proc",
	    MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == -1 && errno != EPERM)
		return -1;
	return 0;
}

/* init's half of the start: returns only in the program to be. */
static int
start_inside(unsigned flags, int status_fd, int error_fd, const sigset_t *old)
{
	sigset_t set;
	pid_t program = -1;
	int err = 0;

	passed_set(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	/* The parent is outside the pid namespace: getppid(2) says 0. */
	if (os_die_with_parent(0) == -1 || prepare(flags) == -1 ||
	    (program = fork()) == -1)
		err = errno;
	if (program == 0) {
		close(error_fd);
		close(status_fd);
		sigprocmask(SIG_SETMASK, old, NULL);
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		return 0;
	}
	if (err != 0) {
		if (write(error_fd, &err, sizeof(err)) != sizeof(err))
			_exit(1);
		_exit(1);
	}
	close(error_fd);
	be_init(program, status_fd);
}

static void
forget(int pipes[4])
{
	for (int i = 0; i < 4; i++)
		if (pipes[i] >= 0)
			close(pipes[i]);
}

int
os_tree_spawn(struct os_tree *t, unsigned flags)
{
	int p[4] = { -1, -1, -1, -1 }, err = 0;
	int ns = CLONE_NEWPID | ((flags & OS_TREE_MOUNT) != 0 ? CLONE_NEWNS : 0);
	sigset_t set, old;

	if (pipe2(p, O_CLOEXEC) == -1 || pipe2(p + 2, O_CLOEXEC) == -1)
		goto fail;
	/* Blocked from here on, so that no signal falls between start and wait. */
	passed_set(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &old);
	t->init = ns_fork(ns);
	if (t->init == -1)
		goto fail_mask;
	if (t->init == 0) {
		close(p[0]);
		close(p[2]);
		return start_inside(flags, p[1], p[3], &old);
	}
	close(p[1]);
	close(p[3]);
	p[1] = p[3] = -1;
	t->status = p[0];
	t->pidfd = (int)syscall(SYS_pidfd_open, t->init, 0);
	if (t->pidfd == -1)
		err = errno;
	/* End of file: the program to be is on its way. */
	else if (read(p[2], &err, sizeof(err)) != (ssize_t)sizeof(err))
		err = 0;
	close(p[2]);
	p[2] = -1;
	if (err == 0)
		return 1;
	kill(t->init, SIGKILL);
	while (waitpid(t->init, NULL, 0) == -1 && errno == EINTR)
		continue;
	errno = err;
fail_mask:
	err = errno;
	sigprocmask(SIG_SETMASK, &old, NULL);
	errno = err;
fail:
	err = errno;
	forget(p);
	errno = err;
	return -1;
}

int
os_tree_signal(const struct os_tree *t, int sig)
{
	return kill(t->init, sig);
}

int
os_tree_kill(const struct os_tree *t)
{
	if (kill(t->init, SIGKILL) == -1 && errno != ESRCH)
		return -1;
	while (waitpid(t->init, NULL, 0) == -1)
		if (errno != EINTR)
			return errno == ECHILD ? 0 : -1;
	return 0;
}

int
os_tree_exit_status(int wstatus)
{
	if (WIFEXITED(wstatus))
		return WEXITSTATUS(wstatus);
	return 128 + WTERMSIG(wstatus);
}

int
os_tree_wait(const struct os_tree *t)
{
	struct os_tree_end end = { .wstatus = SIGKILL };
	struct pollfd pfd[2];
	struct signalfd_siginfo si;
	sigset_t set;
	int sfd;

	passed_set(&set);
	sfd = signalfd(-1, &set, SFD_CLOEXEC);
	if (sfd == -1)
		return -1;
	pfd[0] = (struct pollfd){ .fd = t->pidfd, .events = POLLIN };
	pfd[1] = (struct pollfd){ .fd = sfd, .events = POLLIN };
	while ((pfd[0].revents & POLLIN) == 0) {
		if (poll(pfd, 2, -1) == -1)
			continue;
		if ((pfd[1].revents & POLLIN) != 0 &&
		    read(sfd, &si, sizeof(si)) == sizeof(si) &&
		    !from_terminal(si.ssi_code))
			os_tree_signal(t, (int)si.ssi_signo);
	}
	close(sfd);
	while (waitpid(t->init, NULL, 0) == -1 && errno == EINTR)
		continue;
	/* init killed from outside leaves no report: the program died by SIGKILL. */
	if (read(t->status, &end, sizeof(end)) != (ssize_t)sizeof(end))
		end.wstatus = SIGKILL;
	return os_tree_exit_status(end.wstatus);
}
