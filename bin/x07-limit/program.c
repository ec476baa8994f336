/* The inside: binding this process, and what it becomes, to its limits. */
#include <sys/resource.h>

#include <errno.h>
#include <fcntl.h>
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
	if (p->limit[LIM_MEM] >= 0)
		deny |= OS_DENY_RINGS;
	if (p->limit[LIM_THREADS] == 0)
		deny |= OS_DENY_THREADS;
	if (p->limit[LIM_FSIZE] >= 0)
		deny |= OS_DENY_RESERVE;
	if (hold_alone(p))
		deny |= OS_DENY_FORK;
	return deny;
}

static bool
caps_streams(const struct plan *p)
{
	return p->limit[LIM_STDIN] >= 0 || p->limit[LIM_STDOUT] >= 0 ||
	    p->limit[LIM_STDERR] >= 0 || p->limit[LIM_TOTAL] >= 0;
}

/*
 * What else the caller has open is the program's, as it would be without us: a
 * shell's <(command), a jobserver. Not what we write to, and nothing where it could be a
 * way around a policy or a cap on a stream.
 */
static int
pass_fds(const struct plan *p)
{
	int keep[2], own[3];
	size_t nkeep = chain_keep_fds(&p->chain, keep), nown = report_fds(own);

	if (p->chain.form != NULL || caps_streams(p))
		return os_keep_fds(keep, nkeep);
	if (p->chain.audit_fd >= 3)
		own[nown++] = p->chain.audit_fd;
	for (size_t i = 0; i < nown; i++)
		if (fcntl(own[i], F_SETFD, FD_CLOEXEC) == -1)
			return -1;
	for (size_t i = 0; i < nkeep; i++)
		if (fcntl(keep[i], F_SETFD, 0) == -1)
			return -1;
	return 0;
}

/* Nicer than that already, as the caller may be, is nice enough. */
static int
be_nice(int nice)
{
	int now;

	errno = 0;
	now = getpriority(PRIO_PROCESS, 0);
	if (now == -1 && errno != 0)
		return -1;
	return now >= nice ? 0 : setpriority(PRIO_PROCESS, 0, nice);
}

void
program_run(const struct plan *p, const struct os_tree *t)
{
	if (p->chain.verbose)
		hold_say(p);
	pump_inside();
	if (p->nice >= 0 && be_nice(p->nice) == -1)
		refuse_errno("--nice %d", p->nice);
	/* Descriptors and memory are still ours to use until the limits are set. */
	if (pass_fds(p) == -1)
		refuse_errno("closing descriptors");
	if ((p->way == WAY_SWEPT ? os_tree_confine(t, denied(p, t)) :
	    os_confine(denied(p, t))) == -1)
		refuse_errno("confining the program");
	if (!p->chain.dry_run)
		set_limits(p);
	chain_exec(p->argv);
}
