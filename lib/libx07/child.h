/*
 * child.h - a program that we wait for, as if we were not in between: signals
 * sent to us reach it, when it stops we stop, and we can end as it ended.
 */
#ifndef CHILD_H
#define CHILD_H

#include <sys/types.h>

#include <stdbool.h>

struct child {
	pid_t	pid;
	int	events;		/* readable: call child_event() */
	/* What happens to a signal that was sent to us; child_start: kill(2). */
	void	(*pass)(const struct child *, int sig);
};

/*
 * Starts argv[0] (found as execvp(3) does) in our process group; setup, unless
 * NULL, runs in it first. What the terminal sends to the group reaches it
 * directly, what is sent to this process alone is passed on. One child at a
 * time. Returns -1 with errno; when only the exec fails, the child says so and
 * exits 127 or 126.
 */
int	child_start(struct child *, char *const argv[],
	    void (*setup)(void *), void *arg);

/*
 * Deals with what happened to us or to the child. Returns true when the
 * child has ended, with *wstatus as from waitpid(2); afterwards signals do again
 * what they did before.
 */
bool	child_event(struct child *, int *wstatus);

/* Waits for the end without looking at anything else. */
int	child_wait(struct child *);

/* The exit status that chain tools give to it: its own, or 128+n. */
int	child_status(int wstatus);

/* Ends this process as the child ended: the same status, or the same signal. */
_Noreturn void	child_imitate(int wstatus);

#endif
