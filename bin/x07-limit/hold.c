/* Which mechanism holds which limit, on this machine, for this user. */
#include <sys/resource.h>
#include <sys/wait.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "limits.h"

/* For those of the dead: that nobody waited for, or that name a group or session. */
#define SPARE_IDS	200

/*
 * Does RLIMIT_NPROC bind us? Not uid 0 of the initial user namespace, which
 * only a try can tell from uid 0 of another.
 */
static bool
nproc_binds(void)
{
	static const struct rlimit none = { 0, 0 };
	int wstatus = 0;
	pid_t pid;

	if (geteuid() != 0)
		return true;
	pid = fork();
	if (pid == -1)
		return false;
	if (pid == 0) {
		if (setrlimit(RLIMIT_NPROC, &none) == -1)
			_exit(1);
		pid = fork();
		_exit(pid == -1 && errno == EAGAIN ? 0 : 1);
	}
	while (waitpid(pid, &wstatus, 0) == -1 && errno == EINTR)
		continue;
	return wstatus == 0;
}

const char *
hold_delegated(void)
{
	return geteuid() == 0 ? "start under systemd-run --scope -p Delegate=yes" :
	    "start under systemd-run --user --scope -p Delegate=yes";
}

static const char *
use_group(void)
{
	static char text[128];

	snprintf(text, sizeof(text), "a control group would hold it: %s%s",
	    geteuid() == 0 ? "" : "be root, or ", hold_delegated());
	return text;
}

static const char *const ways[NWAYS] = {
	[WAY_NAMESPACES] = "SIGKILL of a pid namespace",
	[WAY_SAME_USER] = "SIGKILL of a pid namespace",
	[WAY_SWEPT] = "SIGKILL of all that is found below a subreaper",
};

/* A limit that the kernel does not hold for the tree as a whole. */
static void
weaker(struct plan *p, enum limit l, const char *how, const char *fix)
{
	p->how[l] = how;
	if (p->strict)
		refuse("--strict: %s: %s; %s", limit_rows[l].what, how, fix);
}

/*
 * How the group holds it. Where there is no mount namespace in which the groups
 * cannot be written, the program may leave its own.
 */
static const char *
by_group(const struct plan *p, unsigned bit)
{
	return p->way == WAY_SWEPT ? "a control group, which the program may leave" :
	    os_group_how(p->group, bit);
}

static void
choose_memory(struct plan *p)
{
	if ((p->held & OS_SUM_MEM) != 0) {
		p->how[LIM_MEM] = by_group(p, OS_SUM_MEM);
		return;
	}
	p->watched |= OS_SUM_MEM;
	weaker(p, LIM_MEM, "of each process by itself (RLIMIT_AS), and their "
	    "sum by looking at them", use_group());
}

bool
hold_alone(const struct plan *p)
{
	return p->limit[LIM_PROCS] >= 0 && p->limit[LIM_PROCS] <= 1 &&
	    p->limit[LIM_THREADS] >= 0 && p->chain_tasks == 0;
}

/*
 * Is RLIMIT_NPROC what holds the number of tasks? It counts the tree alone, and binds it.
 */
static bool
by_rlimit(const struct plan *p)
{
	return (p->held & OS_SUM_TASKS) == 0 && p->way == WAY_NAMESPACES &&
	    nproc_binds();
}

/* What of the kernel's caps processes and threads, as one number; NULL: nothing. */
static const char *
tasks_cap(const struct plan *p)
{
	if (p->limit[LIM_PROCS] < 0)
		return NULL;
	if ((p->held & OS_SUM_TASKS) != 0)
		return by_group(p, OS_SUM_TASKS);
	return by_rlimit(p) ? "RLIMIT_NPROC in a user namespace" : NULL;
}

static void
choose_tasks(struct plan *p, const char *cap)
{
	static const char looking[] = "by looking at the processes";
	static char both[128];
	bool procs = p->limit[LIM_PROCS] >= 0, alone = hold_alone(p);
	bool threads = p->limit[LIM_THREADS] > 0;

	p->how[LIM_PROCS] = alone ? "a system call filter" : cap;
	p->how[LIM_THREADS] = threads ? cap : "a system call filter";
	if (procs && threads && cap != NULL && !alone && !p->strict) {
		/* The kernel caps both together; which are which we look. */
		snprintf(both, sizeof(both), "%s for processes and threads "
		    "together, and %s", cap, looking);
		p->how[LIM_PROCS] = p->how[LIM_THREADS] = both;
		p->watched |= OS_SUM_TASKS;
	}
	if (procs && p->how[LIM_PROCS] == NULL) {
		p->watched |= OS_SUM_TASKS;
		p->ids = p->chain.dry_run ? 0 : limits_tasks(p) + SPARE_IDS;
		weaker(p, LIM_PROCS, looking, use_group());
	}
	if (threads && p->how[LIM_THREADS] == NULL) {
		p->watched |= OS_SUM_TASKS;
		weaker(p, LIM_THREADS, looking, procs ? use_group() :
		    "a limit of processes would hold it too: add -u");
	}
}

void
hold_started(struct plan *p, const struct os_tree *t)
{
	static char how[192];

	if (p->ids == 0 || t->ids == 0)
		return;
	snprintf(how, sizeof(how), "%s, and the kernel has no numbers for more than "
	    "%lld (pid_max of a pid namespace, which root inside can raise)",
	    p->how[LIM_PROCS], (long long)t->ids);
	p->how[LIM_PROCS] = how;
}

void
hold_say(const struct plan *p)
{
	char value[32];

	note("the tree: %s", ways[p->way]);
	for (int l = 0; l < NLIMITS; l++)
		if (p->limit[l] >= 0)
			note("%s: %s, %s", limit_rows[l].what,
			    limits_text(limit_rows[l].unit, p->limit[l], value),
			    p->how[l]);
}

void
hold_choose(struct plan *p)
{
	static const struct {
		enum limit	 limit;
		unsigned	 bit;
	} sums[] = {
		{ LIM_CPU, OS_SUM_CPU }, { LIM_MEM, OS_SUM_MEM },
		{ LIM_PROCS, OS_SUM_TASKS },
	};
	static const char *const fixed[NLIMITS] = {
		[LIM_FDS] = "RLIMIT_NOFILE of each process",
		[LIM_FSIZE] = "RLIMIT_FSIZE of each file",
		[LIM_STDOUT] = "a pipe", [LIM_STDERR] = "a pipe",
		[LIM_TOTAL] = "a pipe", [LIM_STDIN] = "a pipe",
		[LIM_CHILD] = "a clock and looking at the processes",
	};
	static char wall[96];
	unsigned want = p->way == WAY_SWEPT ? OS_SUM_KILL : 0;

	memcpy(p->how, fixed, sizeof(fixed));
	snprintf(wall, sizeof(wall), "a clock and %s", ways[p->way]);
	p->how[LIM_WALL] = wall;
	for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++)
		if (p->limit[sums[i].limit] >= 0)
			want |= sums[i].bit;
	if (p->group != NULL)
		os_group_remove(p->group);
	p->group = NULL;
	p->watched = 0;
	p->ids = 0;
	if (want != 0 && !p->chain.dry_run)
		p->group = os_group_make(want, p->limit[LIM_MEM],
		    limits_tasks(p));
	p->held = os_group_holds(p->group);
	p->how[LIM_CPU] = by_group(p, OS_SUM_CPU);
	if ((want & ~p->held & OS_SUM_CPU) != 0) {
		p->watched |= OS_SUM_CPU;
		weaker(p, LIM_CPU, "by looking at the processes", use_group());
	}
	if ((want & OS_SUM_MEM) != 0)
		choose_memory(p);
	if (p->limit[LIM_PROCS] >= 0 || p->limit[LIM_THREADS] >= 0)
		choose_tasks(p, tasks_cap(p));
}
