/*
 * The end of a tree that is in no pid namespace. The kernel hands us whoever is
 * left without a parent, so nobody gets out from below us, and when we have
 * no child any more nobody is left: that, and no list of /proc, is the proof.
 */
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>

#include "linux.h"

void
sweep_below(const struct os_group *g)
{
	pid_t pid;

	if (g != NULL)
		group_end(g);
	for (;;) {
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
