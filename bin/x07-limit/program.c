/* The inside: binding this process, and what it becomes, to its limits. */
#include <sys/resource.h>

#include <errno.h>
#include <unistd.h>

#include "limits.h"

/* Both limits of a resource, never above what the caller already holds us to. */
static void
lower(int resource, const char *name, int64_t soft, int64_t hard)
{
	struct rlimit now, rl = { (rlim_t)soft, (rlim_t)hard };

	if (getrlimit(resource, &now) == -1)
		refuse_errno("getrlimit %s", name);
	if (rl.rlim_max > now.rlim_max)
		rl.rlim_max = now.rlim_max;
	if (rl.rlim_cur > now.rlim_cur)
		rl.rlim_cur = now.rlim_cur;
	if (rl.rlim_cur > rl.rlim_max)
		rl.rlim_cur = rl.rlim_max;
	if (setrlimit(resource, &rl) == -1)
		refuse_errno("setrlimit %s", name);
}

static void
set_limits(const struct plan *p)
{
	const int64_t *lim = p->limit;
	int64_t n;

	if (!p->core)
		lower(RLIMIT_CORE, "CORE", 0, 0);
	/*
	 * Behind the sum over the tree, which the supervisor holds: whole seconds,
	 * and only for each process by itself.
	 */
	if (lim[LIM_CPU] >= 0) {
		n = (lim[LIM_CPU] + 999) / 1000 + 1;
		lower(RLIMIT_CPU, "CPU", n, n + limits_grace(p) / 1000 + 1);
	}
	if (lim[LIM_MEM] >= 0 && (os_group_holds(p->group) & OS_SUM_MEM) == 0)
		lower(RLIMIT_AS, "AS", lim[LIM_MEM], lim[LIM_MEM]);
	/* The tree's init counts in our user namespace too. */
	if (lim[LIM_PROCS] >= 0) {
		n = (lim[LIM_PROCS] > 1 ? lim[LIM_PROCS] : 1) + p->chain_tasks + 1;
		lower(RLIMIT_NPROC, "NPROC", n, n);
	}
	if (lim[LIM_FDS] >= 0)
		lower(RLIMIT_NOFILE, "NOFILE", lim[LIM_FDS], lim[LIM_FDS]);
}

void
program_run(const struct plan *p, const struct os_tree *t)
{
	int keep[2];
	size_t n = chain_keep_fds(&p->chain, keep);

	/* Descriptors and memory are still ours to use until the limits are set. */
	if (os_keep_fds(keep, n) == -1)
		refuse_errno("closing descriptors");
	/*
	 * No Landlock domain: it would deny renaming between directories, or else
	 * mounts. The pid namespace keeps the program off the supervisor; the
	 * process group, where it is shared, is the one way left.
	 */
	if (os_confine(OS_DENY_DEFAULT | OS_SCOPED_ELSEWHERE |
	    (p->chain.next_is_gate ? OS_GATE_FOLLOWS : 0) |
	    (t->shares_group ? OS_DENY_GROUP : 0)) == -1)
		refuse_errno("confining the program");
	if (!p->chain.dry_run)
		set_limits(p);
	execvp(p->argv[0], p->argv);
	chain_exec_failed(p->argv[0]);
}
