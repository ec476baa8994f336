/* The inside: binding this process, and what it becomes, to its limits. */
#include <sys/resource.h>

#include <errno.h>
#include <unistd.h>

#include "limits.h"

/* Lowers both limits of a resource, never above what the caller holds us to. */
static void
lower(struct rlimit *now, int64_t soft, int64_t hard)
{
	if (now->rlim_max > (rlim_t)hard)
		now->rlim_max = (rlim_t)hard;
	if (now->rlim_cur > (rlim_t)soft)
		now->rlim_cur = (rlim_t)soft;
	if (now->rlim_cur > now->rlim_max)
		now->rlim_cur = now->rlim_max;
}

/* A macro, because the type of a resource is another one in each C library. */
#define LOWER(name, soft, hard) do {					\
	struct rlimit now_;						\
									\
	if (getrlimit(RLIMIT_##name, &now_) == -1)			\
		refuse_errno("getrlimit %s", #name);			\
	lower(&now_, (soft), (hard));					\
	if (setrlimit(RLIMIT_##name, &now_) == -1)			\
		refuse_errno("setrlimit %s", #name);			\
} while (0)

static void
set_limits(const struct plan *p)
{
	const int64_t *lim = p->limit;
	int64_t n;

	if (!p->core)
		LOWER(CORE, 0, 0);
	/*
	 * Behind the sum over the tree, which the supervisor holds: whole seconds,
	 * and only for each process by itself.
	 */
	if (lim[LIM_CPU] >= 0) {
		n = (lim[LIM_CPU] + 999) / 1000 + 1;
		LOWER(CPU, n, n + limits_grace(p) / 1000 + 1);
	}
	if (lim[LIM_MEM] >= 0 && (os_group_holds(p->group) & OS_SUM_MEM) == 0)
		LOWER(AS, lim[LIM_MEM], lim[LIM_MEM]);
	/* The tree's init counts in our user namespace too. */
	if (lim[LIM_PROCS] >= 0) {
		n = (lim[LIM_PROCS] > 1 ? lim[LIM_PROCS] : 1) + p->chain_tasks + 1;
		LOWER(NPROC, n, n);
	}
	if (lim[LIM_FDS] >= 0)
		LOWER(NOFILE, lim[LIM_FDS], lim[LIM_FDS]);
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
