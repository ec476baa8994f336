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

/*
 * Beyond the limit that is held by looking: so many a fork bomb gets before somebody
 * looks, and what else its user starts meanwhile is not in its way.
 */
#define SPARE_TASKS	500

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
	if (lim[LIM_MEM] >= 0 && (p->held & OS_SUM_MEM) == 0)
		LOWER(AS, lim[LIM_MEM], lim[LIM_MEM]);
	/* The tree's init counts in our user namespace too. A group tells more. */
	if (lim[LIM_PROCS] >= 0 && p->way == WAY_NAMESPACES &&
	    (p->held & OS_SUM_TASKS) == 0) {
		n = limits_tasks(p) + 1;
		LOWER(NPROC, n, n);
	}
	if (lim[LIM_PROCS] >= 0 && p->way == WAY_SWEPT &&
	    (p->held & OS_SUM_TASKS) == 0) {
		/* The count is of all that the user runs, who may start more. */
		n = os_user_tasks();
		if (n == -1)
			refuse_errno("/proc");
		n += limits_tasks(p) + SPARE_TASKS;
		LOWER(NPROC, n, n);
	}
	if (lim[LIM_FSIZE] >= 0)
		LOWER(FSIZE, lim[LIM_FSIZE], lim[LIM_FSIZE]);
	if (lim[LIM_FDS] >= 0)
		LOWER(NOFILE, lim[LIM_FDS], lim[LIM_FDS]);
}

/*
 * No Landlock domain: it would deny renaming between directories, or else
 * mounts. The pid namespace keeps the program off the supervisor; the
 * process group, where it is shared, is the one way left. Without a pid
 * namespace the domain is what keeps signals in, and nothing that it denies can be
 * had there anyway.
 */
static unsigned
denied(const struct plan *p, const struct os_tree *t)
{
	unsigned deny = OS_DENY_DEFAULT | OS_MAY_NEST;

	if (p->way != WAY_SWEPT)
		deny |= OS_SCOPED_ELSEWHERE;
	if (t->shares_group)
		deny |= OS_DENY_GROUP;
	if (p->chain.dry_run)
		return deny;
	if (p->group != NULL)
		deny |= OS_DENY_CLONE3;
	if (p->limit[LIM_THREADS] == 0)
		deny |= OS_DENY_THREADS;
	if (p->limit[LIM_FSIZE] >= 0)
		deny |= OS_DENY_RESERVE;
	if (hold_alone(p))
		deny |= OS_DENY_FORK;
	return deny;
}

void
program_run(const struct plan *p, const struct os_tree *t)
{
	int keep[2];
	size_t n = chain_keep_fds(&p->chain, keep);

	if (p->chain.verbose)
		hold_say(p);
	pump_inside();
	if (p->nice >= 0 && setpriority(PRIO_PROCESS, 0, p->nice) == -1)
		refuse_errno("--nice %d", p->nice);
	/* Descriptors and memory are still ours to use until the limits are set. */
	if (os_keep_fds(keep, n) == -1)
		refuse_errno("closing descriptors");
	if ((p->way == WAY_SWEPT ? os_tree_confine(t, denied(p, t)) :
	    os_confine(denied(p, t))) == -1)
		refuse_errno("confining the program");
	if (!p->chain.dry_run)
		set_limits(p);
	execvp(p->argv[0], p->argv);
	chain_exec_failed(p->argv[0]);
}
