/*
 * The outside: waits for the tree, and ends it when a limit on all of it is
 * reached that the kernel does not hold by itself.
 */
#include <sys/mman.h>
#include <sys/wait.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "limits.h"

#define SAMPLE_MIN_MS	10	/* between two looks at the sums */
#define SAMPLE_MAX_MS	1000
#define SAMPLE_TASKS_MS	20	/* while tasks or memory are found by looking */
#define CHILD_MAX_MS	500	/* that a child may run too long */
#define DRAIN_MS	1000	/* for output that nobody reads, after the end of time */
#define CUT_MS		100	/* the same, after a signal */

struct watch {
	struct plan	*plan;
	struct os_tree	*tree;
	int		 news;		/* of the pumps, -1 */
	int64_t		 begin;		/* ms, monotonic */
	int64_t		 kill_at;	/* 0: not yet */
	int64_t		 sample_at;
	enum limit	 struck;	/* the first to strike */
	int		 cut;		/* signal that ended the wait for a reader */
	bool		 told[NLIMITS];
	struct used	 used;
};

static int64_t
now_ms(void)
{
	/* Time during which the machine is suspended does not count. */
	return clock_ms(CLOCK_MONOTONIC);
}

/* ---- saying and striking ---- */

static void
deny(const struct watch *w, enum limit l, const char *object)
{
	const struct plan *p = w->plan;
	const struct limit_row *row = &limit_rows[l];
	bool by_flag = p->by_flag[l] || row->key == NULL;
	char value[32], why[128], hint[64];
	struct verdict v = {
		.verb = row->what, .object = object, .why = why,
		.key = row->key, .hint = hint,
	};

	snprintf(why, sizeof(why), "%s%s of %s reached",
	    row->key != NULL ? "" : "--", row->key != NULL ? row->key : row->name,
	    limits_text(row->unit, p->limit[l], value));
	if (by_flag)
		snprintf(hint, sizeof(hint), "a larger -%c", row->opt);
	else
		snprintf(hint, sizeof(hint), "a larger %s in the policy",
		    row->key);
	audit_verdict(p->chain.audit_fd, &v, p->chain.quiet, p->chain.dry_run,
	    NULL);
}

/* Says that a limit struck: once each. */
static void
tell(struct watch *w, enum limit l)
{
	if (!w->told[l])
		deny(w, l, limits_program(w->plan->argv));
	w->told[l] = true;
}

/* Ends the tree for a limit: softly first, unless sig is SIGKILL. */
static void
strike(struct watch *w, enum limit l, int sig)
{
	tell(w, l);
	if (w->plan->chain.dry_run || w->struck != LIM_NONE)
		return;
	w->struck = l;
	w->kill_at = now_ms();
	if (sig == SIGKILL)
		return;
	w->kill_at += limits_grace(w->plan);
	os_tree_signal(w->tree, sig);
	/* A stopped program hears nothing else. */
	os_tree_signal(w->tree, SIGCONT);
}

/* ---- sums ---- */

static void
child_told(void *arg, const char *name)
{
	struct watch *w = arg;

	deny(w, LIM_CHILD, name);
	w->told[LIM_CHILD] = true;
}

/* Larger of two, as a peak. */
static void
raise_to(int64_t *value, int64_t to)
{
	if (to > *value)
		*value = to;
}

/* Blind: what cannot be seen cannot be held. */
static void
blind(struct watch *w)
{
	note("cannot see the tree any more: %s", strerror(errno));
	os_tree_kill(w->tree);
}

/* Its caps are gone: who owns the groups around it took them. */
static void
lost(void)
{
	note("the control group has lost its limits: %s", hold_delegated());
}

/* True when all tasks together are too few to pass any cap on some of them. */
static bool
few_tasks(const struct watch *w)
{
	const int64_t *lim = w->plan->limit;

	return (w->plan->held & OS_SUM_TASKS) != 0 &&
	    w->used.sum.tasks <= lim[LIM_PROCS] &&
	    w->used.sum.tasks <= lim[LIM_THREADS] + 1;
}

/* By the group what it holds, by looking what it does not. */
static void
look(struct watch *w, struct sums *s)
{
	struct os_usage *u = &w->used.sum;
	const struct plan *p = w->plan;
	bool group_tasks = (p->held & OS_SUM_TASKS) != 0;

	if (p->group != NULL && os_group_usage(p->group, u) == -1) {
		lost();
		os_tree_kill(w->tree);
		return;
	}
	if (p->limit[LIM_CHILD] < 0 && (p->watched == 0 ||
	    (p->watched == OS_SUM_TASKS && few_tasks(w))))
		return;
	if (sums_look(p, w->tree, s) == -1) {
		blind(w);
		return;
	}
	if ((p->watched & OS_SUM_CPU) != 0)
		u->cpu_us = s->cpu_us;
	if ((p->watched & OS_SUM_MEM) != 0)
		raise_to(&u->mem_peak, s->memory);
	if (!group_tasks)
		raise_to(&u->tasks_peak, s->procs + s->threads);
}

static int64_t
earlier(int64_t a, int64_t b)
{
	if (a == 0 || b == 0)
		return a + b;
	return a < b ? a : b;
}

/* When the CPU limit can be reached at the earliest, in ms from now. */
static int64_t
cpu_left(struct watch *w)
{
	static long cpus;
	int64_t left = w->plan->limit[LIM_CPU] - w->used.sum.cpu_us / 1000;

	if (left <= 0)
		strike(w, LIM_CPU, SIGXCPU);
	if (cpus == 0 && (cpus = sysconf(_SC_NPROCESSORS_ONLN)) < 1)
		cpus = 1;
	left /= cpus;
	if ((w->plan->watched & OS_SUM_CPU) != 0 && left > SAMPLE_MAX_MS)
		left = SAMPLE_MAX_MS;
	return left < SAMPLE_MIN_MS ? SAMPLE_MIN_MS : left;
}

/* Looks at the sums; returns when to look again, 0: never. */
static int64_t
sample(struct watch *w)
{
	const struct plan *p = w->plan;
	const int64_t *lim = p->limit;
	int64_t next = 0, left;
	bool caps = (p->held & (OS_SUM_MEM | OS_SUM_TASKS)) != 0;
	struct sums s = { 0 };

	if (lim[LIM_CPU] < 0 && lim[LIM_CHILD] < 0 && p->watched == 0 && !caps)
		return 0;
	look(w, &s);
	if (lim[LIM_CPU] >= 0)
		next = cpu_left(w);
	if ((p->watched & OS_SUM_MEM) != 0 && s.memory > lim[LIM_MEM])
		strike(w, LIM_MEM, SIGKILL);
	if ((p->watched & OS_SUM_TASKS) != 0) {
		if (lim[LIM_PROCS] >= 0 && s.procs > lim[LIM_PROCS] &&
		    s.procs > 1)
			strike(w, LIM_PROCS, SIGKILL);
		if (lim[LIM_THREADS] >= 0 && s.threads > lim[LIM_THREADS])
			strike(w, LIM_THREADS, SIGKILL);
	}
	if ((p->watched & (OS_SUM_MEM | OS_SUM_TASKS)) != 0)
		next = earlier(next, SAMPLE_TASKS_MS);
	/* The kernel holds those, but somebody may take them away. */
	if (caps)
		next = earlier(next, SAMPLE_MAX_MS);
	if (lim[LIM_CHILD] >= 0) {
		left = sums_end_children(p, child_told, w);
		if (left > lim[LIM_CHILD] / 10)
			left = lim[LIM_CHILD] / 10;
		if (left > CHILD_MAX_MS)
			left = CHILD_MAX_MS;
		next = earlier(next, left < SAMPLE_MIN_MS ? SAMPLE_MIN_MS : left);
	}
	return now_ms() + next;
}

/* ---- waiting ---- */

/* Does what is due; returns the time of the next thing, 0: none. */
static int64_t
tick(struct watch *w)
{
	int64_t now = now_ms(), wall = w->plan->limit[LIM_WALL], due = 0;

	if (w->sample_at != 0 && now >= w->sample_at)
		w->sample_at = sample(w);
	if (wall >= 0 && !w->told[LIM_WALL]) {
		due = w->begin + wall;
		if (now >= due) {
			strike(w, LIM_WALL, w->plan->soft);
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

/* A byte cap was reached. */
static void
cap_reached(struct watch *w, enum limit l)
{
	if (w->plan->on_cap == CAP_DROP)
		tell(w, l);
	else
		strike(w, l, w->plan->on_cap == CAP_KILL ? SIGKILL :
		    w->plan->soft);
}

static void	stop(struct watch *w);

static void
run(struct watch *w)
{
	struct pollfd news = { .fd = w->news, .events = POLLIN };
	enum limit l;

	for (;;) {
		int64_t at = tick(w), left = -1;

		if (at != 0 && (left = at - now_ms()) < 0)
			left = 0;
		switch (os_tree_poll(w->tree, &news, w->news >= 0 ? 1 : 0, left)) {
		case OS_TREE_ENDED:
			return;
		case OS_TREE_STOP:
			stop(w);
			break;
		case OS_TREE_READY:
			while ((l = pump_news(0, NULL)) != LIM_NONE)
				cap_reached(w, l);
			break;
		case OS_TREE_TIMEOUT:
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
	pid_t self = getpid(), standin = -1;
	/* It goes on where we stop, and we where it was then. */
	struct watch *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (shared != MAP_FAILED) {
		*shared = *w;
		standin = fork();
	}
	if (standin == 0) {
		if (os_die_with_parent(self) == -1 || setpgid(0, 0) == -1)
			_exit(1);
		shared->news = -1;
		run(shared);
		_exit(0);
	}
	/* Nobody to hold the limits: then we do not stop. */
	if (standin == -1) {
		note("cannot stop: %s", strerror(errno));
	} else {
		os_tree_stop(w->tree);
		kill(standin, SIGKILL);
		while (waitpid(standin, NULL, 0) == -1 && errno == EINTR)
			continue;
		shared->news = w->news;
		*w = *shared;
	}
	if (shared != MAP_FAILED)
		munmap(shared, sizeof(*shared));
}

/* ---- the end ---- */

static volatile sig_atomic_t	interruption;

static void
interrupted(int sig)
{
	interruption = sig;	/* and ends a wait */
}

/*
 * From here on nobody is left to pass signals to: they are for us. They stay
 * blocked but in the wait that they end, or one that is early would be for nobody.
 */
static void
take_signals(sigset_t *waiting)
{
	static const int ends[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
	struct sigaction sa = { .sa_handler = interrupted };

	sigprocmask(SIG_BLOCK, NULL, waiting);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		sigaction(ends[i], &sa, NULL);
		sigdelset(waiting, ends[i]);
	}
}

/*
 * Output that is still in the pipes is delivered, as long as its reader takes it
 * and there is time, and nobody tells us to end. What is not must not look as if it
 * were.
 */
static void
drain(struct watch *w)
{
	int64_t wall = w->plan->limit[LIM_WALL], end = 0, left;
	sigset_t waiting;
	enum limit l;

	if (w->news < 0)
		return;
	take_signals(&waiting);
	pump_ended();
	if (w->struck != LIM_NONE)
		end = now_ms() + DRAIN_MS;
	else if (wall >= 0 && !w->plan->chain.dry_run)
		end = w->begin + wall + limits_grace(w->plan);
	for (;;) {
		left = end == 0 ? -1 : end > now_ms() ? end - now_ms() : 0;
		if ((l = pump_news(left, &waiting)) != LIM_NONE) {
			cap_reached(w, l);
			continue;
		}
		if (pump_busy() && w->cut == 0 && interruption != 0) {
			w->cut = interruption;
			end = now_ms() + CUT_MS;
			continue;
		}
		break;
	}
	if (!pump_busy())
		w->cut = 0;
	else if (w->cut == 0 && w->struck == LIM_NONE)
		strike(w, LIM_WALL, SIGKILL);
}

/* What only shows at the end: the kernel's own refusals. */
static void
tell_kernel_caps(struct watch *w)
{
	const struct plan *p = w->plan;
	int ws = w->used.end.wstatus;

	/* Where the tree ended by itself nobody else has removed the group. */
	if (p->group != NULL && os_group_usage(p->group, &w->used.sum) == -1 &&
	    WIFEXITED(ws))
		lost();
	if (w->used.sum.oom_kills > 0)
		tell(w, LIM_MEM);
	if (w->used.sum.forks_refused > 0)
		tell(w, LIM_PROCS);
	if (p->limit[LIM_FSIZE] >= 0 && WIFSIGNALED(ws) &&
	    WTERMSIG(ws) == SIGXFSZ)
		tell(w, LIM_FSIZE);
}

static int
exit_status(const struct watch *w)
{
	int own = os_tree_exit_status(w->used.end.wstatus);

	switch (w->struck) {
	case LIM_NONE:
		if (w->cut != 0)
			return EXIT_SIGNAL + w->cut;
		/* A program that the pipe told of no error cannot tell of one. */
		return own == 0 && pump_lost() ? EXIT_REFUSED : own;
	case LIM_WALL:
		return EXIT_TIMELIMIT;
	case LIM_CPU:
		return EXIT_SIGNAL + SIGXCPU;
	case LIM_STDOUT:
	case LIM_STDERR:
	case LIM_TOTAL:
	case LIM_STDIN:
		if (w->plan->on_cap == CAP_STOP)
			return EXIT_SIGNAL + w->plan->soft;
		/* FALLTHROUGH */
	default:
		return EXIT_SIGNAL + SIGKILL;
	}
}

/* The limit to report: what ended the tree, else the first that denied something. */
static enum limit
struck(const struct watch *w)
{
	if (w->struck != LIM_NONE || w->plan->chain.dry_run)
		return w->struck;
	for (int l = 0; l < NLIMITS; l++)
		if (w->told[l])
			return (enum limit)l;
	return LIM_NONE;
}

/* Where we were stopped, or had no processor, init has ended the tree for us. */
static void
late(struct watch *w)
{
	int64_t wall = w->plan->limit[LIM_WALL];

	if (w->used.end.unreported && wall >= 0 && w->used.wall_ms >= wall)
		strike(w, LIM_WALL, SIGKILL);
}

/* Takes the end of the tree; what is used is known from here on. */
static void
finish(struct watch *w)
{
	struct used *u = &w->used;

	os_tree_reap(w->tree, &u->end);
	u->wall_ms = now_ms() - w->begin;
	late(w);
	drain(w);
	tell_kernel_caps(w);
	/* The kernel's sum of what was waited for may know more than a look. */
	raise_to(&u->sum.cpu_us, u->end.user_us + u->end.sys_us);
	pump_bytes(u->bytes);
	u->struck = struck(w);
	u->status = exit_status(w);
	if (w->plan->group != NULL && os_group_remove(w->plan->group) == -1)
		note("cannot remove the control group: %s", strerror(errno));
}

int
watch_tree(struct plan *p, struct os_tree *t)
{
	struct watch w = { .plan = p, .tree = t, .news = pump_start(),
	    .struck = LIM_NONE };

	if (w.news == -2) {
		os_tree_kill(t);
		refuse_errno("starting to watch");
	}
	w.begin = w.sample_at = now_ms();
	run(&w);
	finish(&w);
	report_write(p, &w.used);
	return w.used.status;
}
