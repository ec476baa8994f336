/*
 * The outside: waits for the tree, and ends it when a sum over all of it is
 * reached: time, CPU, processes where no kernel cap holds.
 */
#include <sys/mman.h>
#include <sys/wait.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "limits.h"

#define SAMPLE_MIN_MS	10	/* between two looks at the sums */
#define SAMPLE_MAX_MS	1000
#define SAMPLE_PROCS_MS	20	/* while the number of processes is watched */

/* Shared with the stand-in. */
struct watch {
	struct plan	*plan;
	struct os_tree	*tree;
	int64_t		 begin;		/* ms, monotonic */
	int64_t		 kill_at;	/* 0: not yet */
	int64_t		 sample_at;
	enum limit	 struck;	/* the first to strike */
	bool		 told[NLIMITS];
};

/* Where CPU time is summed by ourselves. */
static struct {
	struct os_proc	*list, *last;
	size_t		 room, last_room;
	size_t		 nlast;
	int64_t		 cpu_us;
} sums;

static int64_t
now_ms(void)
{
	struct timespec ts;

	/* Time during which the machine is suspended does not count. */
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int
proc_cmp(const void *a, const void *b)
{
	const struct os_proc *x = a, *y = b;

	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	return x->start < y->start ? -1 : x->start > y->start;
}

/*
 * CPU time of the tree since the last look. What a process that is gone had
 * used is found again in its parent, unless the parent ignores SIGCHLD: then it
 * is found nowhere, and must not be taken off. So the gone are only set
 * against what parents took over.
 */
static void
add_cpu(size_t n)
{
	int64_t used = 0, taken_over = 0, gone = 0;
	size_t i = 0, k = 0;

	while (i < n || k < sums.nlast) {
		int c = i == n ? 1 : k == sums.nlast ? -1 :
		    proc_cmp(&sums.list[i], &sums.last[k]);

		if (c < 0) {
			used += sums.list[i].cpu_us + sums.list[i].waited_us;
			i++;
		} else if (c > 0) {
			gone += sums.last[k].cpu_us + sums.last[k].waited_us;
			k++;
		} else {
			used += sums.list[i].cpu_us - sums.last[k].cpu_us;
			taken_over += sums.list[i].waited_us -
			    sums.last[k].waited_us;
			i++;
			k++;
		}
	}
	sums.cpu_us += used + (taken_over > gone ? taken_over - gone : 0);
}

/* Looks at the tree through its list of processes. */
static void
look(struct watch *w, struct os_usage *u)
{
	struct os_proc *list;
	size_t room;
	ssize_t n = os_tree_list(w->tree, &sums.list, &sums.room);

	if (n == -1)
		return;
	qsort(sums.list, (size_t)n, sizeof(*sums.list), proc_cmp);
	add_cpu((size_t)n);
	if ((w->plan->watched & OS_SUM_CPU) != 0)
		u->cpu_us = sums.cpu_us;
	/* Without init. */
	u->tasks_peak = -1;
	for (ssize_t i = 0; i < n; i++)
		u->tasks_peak += sums.list[i].threads;
	list = sums.last;
	room = sums.last_room;
	sums.last = sums.list;
	sums.last_room = sums.room;
	sums.nlast = (size_t)n;
	sums.list = list;
	sums.room = room;
}

/* Says that a limit struck: once each. */
static void
tell(struct watch *w, enum limit l)
{
	const struct plan *p = w->plan;
	const struct limit_row *row = &limit_rows[l];
	char value[32], why[128], hint[64];
	struct verdict v = {
		.verb = row->verb,
		.object = p->argv[0],
		.why = why,
		.key = row->key,
		.hint = hint,
	};

	if (w->told[l])
		return;
	w->told[l] = true;
	snprintf(why, sizeof(why), "%s of %s reached", row->key,
	    limits_text(l, p->limit[l], value));
	if (p->by_flag[l] && row->opt < CHAIN_OPT_OWN)
		snprintf(hint, sizeof(hint), "a larger -%c", row->opt);
	else if (p->by_flag[l])
		snprintf(hint, sizeof(hint), "a larger --%s", row->name);
	else
		snprintf(hint, sizeof(hint), "a larger %s in the policy",
		    row->key);
	audit_verdict(p->chain.audit_fd, &v, p->chain.quiet, p->chain.dry_run,
	    NULL);
}

/* Ends the tree for a limit: softly first, unless sig is SIGKILL. */
static void
strike(struct watch *w, enum limit l, int sig, int64_t now)
{
	tell(w, l);
	if (w->plan->chain.dry_run || w->struck != LIM_NONE)
		return;
	w->struck = l;
	if (sig == SIGKILL) {
		w->kill_at = now;
		return;
	}
	w->kill_at = now + limits_grace(w->plan);
	os_tree_signal(w->tree, sig);
	/* A stopped program hears nothing else. */
	os_tree_signal(w->tree, SIGCONT);
}

static void
take_usage(struct watch *w, struct os_usage *u)
{
	memset(u, 0, sizeof(*u));
	if (w->plan->group != NULL && os_group_usage(w->plan->group, u) == -1) {
		/* Blind: what cannot be seen cannot be held. */
		note("cannot read the usage of the tree: %s", strerror(errno));
		os_tree_kill(w->tree);
	}
	if (w->plan->watched != 0)
		look(w, u);
}

/* Looks at the sums; returns when to look again, 0: never. */
static int64_t
sample(struct watch *w, int64_t now)
{
	const int64_t *lim = w->plan->limit;
	static long cpus;
	struct os_usage u;
	int64_t left, next = 0;

	if (lim[LIM_CPU] < 0 && w->plan->watched == 0)
		return 0;
	take_usage(w, &u);
	if (lim[LIM_CPU] >= 0) {
		left = lim[LIM_CPU] - u.cpu_us / 1000;
		if (left <= 0)
			strike(w, LIM_CPU, SIGXCPU, now);
		/* All processors busy cannot use up what is left sooner. */
		if (cpus == 0 && (cpus = sysconf(_SC_NPROCESSORS_ONLN)) < 1)
			cpus = 1;
		next = left / cpus;
		if (next < SAMPLE_MIN_MS)
			next = SAMPLE_MIN_MS;
		if ((w->plan->watched & OS_SUM_CPU) != 0 && next > SAMPLE_MAX_MS)
			next = SAMPLE_MAX_MS;
	}
	if ((w->plan->watched & OS_SUM_TASKS) != 0) {
		if (u.tasks_peak > lim[LIM_PROCS] + w->plan->chain_tasks)
			strike(w, LIM_PROCS, SIGKILL, now);
		next = SAMPLE_PROCS_MS;
	}
	return now + next;
}

static int64_t
earlier(int64_t a, int64_t b)
{
	if (a == 0 || b == 0)
		return a + b;
	return a < b ? a : b;
}

/* Does what is due; returns the time of the next thing, 0: none. */
static int64_t
tick(struct watch *w)
{
	int64_t now = now_ms(), wall = w->plan->limit[LIM_WALL], due = 0;

	if (w->sample_at != 0 && now >= w->sample_at)
		w->sample_at = sample(w, now);
	if (wall >= 0 && !w->told[LIM_WALL]) {
		due = w->begin + wall;
		if (now >= due) {
			strike(w, LIM_WALL, w->plan->soft, now);
			due = 0;
		}
	}
	if (w->kill_at != 0 && now >= w->kill_at) {
		os_tree_kill(w->tree);
		w->kill_at = 0;
		w->sample_at = 0;
	}
	return earlier(earlier(due, w->kill_at), w->sample_at);
}

static void
stop(struct watch *w);

static void
run(struct watch *w)
{
	for (;;) {
		int64_t at = tick(w), left = -1;

		if (at != 0 && (left = at - now_ms()) < 0)
			left = 0;
		switch (os_tree_poll(w->tree, NULL, 0, left)) {
		case OS_TREE_ENDED:
			return;
		case OS_TREE_STOP:
			stop(w);
			break;
		default:
			break;
		}
	}
}

/*
 * Stops as the terminal or a shell wants us to. The program may have
 * children that did not stop, so a stand-in goes on watching.
 */
static void
stop(struct watch *w)
{
	pid_t self = getpid(), standin = fork();

	if (standin == 0) {
		if (os_die_with_parent(self) == -1 || setpgid(0, 0) == -1)
			_exit(1);
		run(w);
		_exit(0);
	}
	/* Nobody to hold the limits: then we do not stop. */
	if (standin == -1) {
		note("cannot stop: %s", strerror(errno));
		return;
	}
	os_tree_stop(w->tree);
	kill(standin, SIGKILL);
	while (waitpid(standin, NULL, 0) == -1 && errno == EINTR)
		continue;
}

/* What only shows at the end: the kernel's own refusals. */
static void
tell_kernel_caps(struct watch *w)
{
	struct os_usage u;

	if (w->plan->group == NULL)
		return;
	memset(&u, 0, sizeof(u));
	if (os_group_usage(w->plan->group, &u) == -1)
		return;
	if (u.oom_kills > 0)
		tell(w, LIM_MEM);
	if (u.forks_refused > 0)
		tell(w, LIM_PROCS);
}

static int
exit_status(const struct watch *w, const struct os_tree_end *end)
{
	switch (w->struck) {
	case LIM_NONE:
		return os_tree_exit_status(end->wstatus);
	case LIM_WALL:
		return EXIT_TIMELIMIT;
	case LIM_CPU:
		return EXIT_SIGNAL + SIGXCPU;
	default:
		return EXIT_SIGNAL + SIGKILL;
	}
}

int
watch_tree(struct plan *p, struct os_tree *t)
{
	struct os_tree_end end;
	struct watch *w;

	w = mmap(NULL, sizeof(*w), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (w == MAP_FAILED) {
		os_tree_kill(t);
		refuse_errno("mmap");
	}
	w->plan = p;
	w->tree = t;
	w->begin = now_ms();
	w->struck = LIM_NONE;
	w->sample_at = w->begin;
	run(w);
	os_tree_reap(t, &end);
	tell_kernel_caps(w);
	if (p->group != NULL && os_group_remove(p->group) == -1)
		note("cannot remove the control group: %s", strerror(errno));
	return exit_status(w, &end);
}
