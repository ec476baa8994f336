/*
 * The end of a tree that is in no pid namespace. The kernel hands us whoever is
 * left without a parent, so nobody gets out from below us, and when we have
 * no child any more nobody is left: that, and no list of /proc, is the proof.
 */
#include <sys/prctl.h>
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "linux.h"
#include "linux_compat.h"

/* All that our signals reach is below us, and we are in a domain that says so. */
static bool	alone_here;

int
sweep_prepare(void)
{
	int ruleset, ret, err;

	if (landlock_scopes() == 0)
		return 0;
	ruleset = landlock_ruleset(0, 0, LANDLOCK_SCOPE_SIGNAL);
	if (ruleset == -1 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return -1;
	ret = landlock_enter(ruleset);
	err = errno;
	close(ruleset);
	errno = err;
	alone_here = ret == 0;
	return ret;
}

void
sweep_below(const struct os_group *g)
{
	pid_t pid;

	if (g != NULL)
		group_end(g);
	for (;;) {
		/*
		 * The kernel gives it to all at one moment, between two forks: no fork
		 * bomb is faster. kill(2): ourselves it leaves out.
		 */
		if (alone_here)
			kill(-1, SIGKILL);
		/* First they stop, so that none makes up for those that are killed. */
		proc_signal_below(SIGSTOP);
		proc_signal_below(SIGKILL);
		if (g != NULL)
			group_thaw(g);
		/*
		 * Who was missed is, or becomes, the child of one who dies now: each
		 * death is a reason to look again, and before it there is none.
		 */
		do {
			pid = waitpid(-1, NULL, __WALL);
		} while (pid == -1 && errno == EINTR);
		while (pid > 0)
			pid = waitpid(-1, NULL, __WALL | WNOHANG);
		if (pid == -1 && errno == ECHILD)
			return;
	}
}
