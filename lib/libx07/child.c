/* A program that we wait for, as if we were not in between. */
#include <sys/resource.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "child.h"
#include "x07.h"

/* What people send to a supervisor and mean for the program. */
static const int passed_on[] = {
	SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGCONT,
};
#define NPASSED	(sizeof(passed_on) / sizeof(passed_on[0]))

static struct sigaction	before[NPASSED], before_chld;
static int		wake[2] = { -1, -1 };

/*
 * What the terminal sent has reached the child as well, since it is in our process group.
 * But that the terminal is gone only the leader of its session is told.
 */
static bool
is_ours_alone(int sig, const siginfo_t *info)
{
	return info->si_code == SI_USER || info->si_code == SI_QUEUE ||
	    (sig == SIGHUP && getsid(0) == getpid());
}

/* Writes the signal's number for child_event, or nothing. */
static void
on_signal(int sig, siginfo_t *info, void *context)
{
	int saved = errno;
	char c = (char)(sig != SIGCHLD && is_ours_alone(sig, info) ? sig : 0);

	(void)context;
	if (write(wake[1], &c, 1) == -1) {
		/* The pipe is full of other wake-ups: one more changes nothing. */
	}
	errno = saved;
}

static void
catch_signals(void)
{
	struct sigaction sa = { .sa_sigaction = on_signal,
	    .sa_flags = SA_SIGINFO | SA_RESTART };

	sigfillset(&sa.sa_mask);
	for (size_t i = 0; i < NPASSED; i++) {
		sigaction(passed_on[i], NULL, &before[i]);
		/* nohup(1): what we were told to ignore the child ignores too. */
		if (before[i].sa_handler != SIG_IGN)
			sigaction(passed_on[i], &sa, NULL);
	}
	sigaction(SIGCHLD, &sa, &before_chld);
}

static void
release_signals(void)
{
	for (size_t i = 0; i < NPASSED; i++)
		sigaction(passed_on[i], &before[i], NULL);
	sigaction(SIGCHLD, &before_chld, NULL);
}

static void
pass(const struct child *c, int sig)
{
	kill(c->pid, sig);
}

int
child_start(struct child *c, char *const argv[], void (*setup)(void *),
    void *arg)
{
	sigset_t all, old;
	int err;

	if (pipe2(wake, O_CLOEXEC | O_NONBLOCK) == -1)
		return -1;
	/* No signal may be lost between fork and the child's own dispositions. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	catch_signals();
	c->events = wake[0];
	c->pass = pass;
	c->pid = fork();
	if (c->pid == 0) {
		release_signals();
		sigprocmask(SIG_SETMASK, &old, NULL);
		if (setup != NULL)
			setup(arg);
		execvp(argv[0], argv);
		chain_exec_failed(argv[0]);
	}
	err = errno;
	if (c->pid == -1)
		release_signals();
	sigprocmask(SIG_SETMASK, &old, NULL);
	errno = err;
	return c->pid == -1 ? -1 : 0;
}

bool
child_event(struct child *c, int *wstatus)
{
	char sigs[64];
	ssize_t n;

	while ((n = read(wake[0], sigs, sizeof(sigs))) > 0)
		for (ssize_t i = 0; i < n; i++)
			if (sigs[i] != 0)
				c->pass(c, sigs[i]);
	while (waitpid(c->pid, wstatus, WNOHANG | WUNTRACED) == c->pid) {
		if (!WIFSTOPPED(*wstatus)) {
			release_signals();
			close(wake[0]);
			close(wake[1]);
			return true;
		}
		/* A job control shell watches us, not the child. */
		raise(SIGSTOP);
		kill(c->pid, SIGCONT);
	}
	return false;
}

int
child_wait(struct child *c)
{
	struct pollfd p = { .fd = c->events, .events = POLLIN };
	int wstatus;

	do
		poll(&p, 1, -1);
	while (!child_event(c, &wstatus));
	return wstatus;
}

int
child_status(int wstatus)
{
	return WIFSIGNALED(wstatus) ? EXIT_SIGNAL + WTERMSIG(wstatus) :
	    WEXITSTATUS(wstatus);
}

void
child_imitate(int wstatus)
{
	static const struct rlimit none = { 0, 0 };
	sigset_t set;

	if (WIFSIGNALED(wstatus)) {
		int sig = WTERMSIG(wstatus);

		/* The core, if any, is the child's. */
		setrlimit(RLIMIT_CORE, &none);
		signal(sig, SIG_DFL);
		sigemptyset(&set);
		sigaddset(&set, sig);
		sigprocmask(SIG_UNBLOCK, &set, NULL);
		raise(sig);
	}
	exit(child_status(wstatus));
}
