/*
 * What is found by looking at the processes of the tree: the sums that no
 * control group holds, and the age of children.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "limits.h"

/* This look and the one before it. */
static struct look {
	struct os_proc	*list;
	size_t		 n, room;
} looks[2], *now = &looks[0], *last = &looks[1];

static int64_t cpu_us;

/*
 * Something that is no gate's has run. Before that, what bears a gate's name beside those
 * that last may be a helper of its start.
 */
static bool begun;

static int
by_pid(const void *a, const void *b)
{
	const struct os_proc *x = a, *y = b;

	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	return (x->born > y->born) - (x->born < y->born);
}

static int
by_age(const void *a, const void *b)
{
	const struct os_proc *x = a, *y = b;

	if (x->born != y->born)
		return x->born < y->born ? -1 : 1;
	return (x->pid > y->pid) - (x->pid < y->pid);
}

/*
 * CPU time of the tree since the last look. What a process that is gone had
 * used is found again in its parent, unless the parent ignores SIGCHLD: then it
 * is found nowhere, and must not be taken off. So the gone are only set
 * against what parents took over. Both looks are sorted by pid.
 */
static void
add_cpu(void)
{
	int64_t used = 0, taken_over = 0, gone = 0;
	size_t i = 0, k = 0;

	while (i < now->n || k < last->n) {
		const struct os_proc *a = &now->list[i], *b = &last->list[k];
		int c = i == now->n ? 1 : k == last->n ? -1 : by_pid(a, b);

		if (c < 0) {
			used += a->cpu_us + a->waited_us;
			i++;
		} else if (c > 0) {
			gone += b->cpu_us + b->waited_us;
			k++;
		} else {
			used += a->cpu_us - b->cpu_us;
			taken_over += a->waited_us - b->waited_us;
			i++;
			k++;
		}
	}
	cpu_us += used + (taken_over > gone ? taken_over - gone : 0);
}

/*
 * The first processes, by age: init, those of gates, the program. They are there
 * before any that the program starts.
 */
static size_t
program_at(const struct plan *p)
{
	return 1 + (size_t)limits_chain_tasks(p->argv, true);
}

/* No more of them than there can be: names are the processes' own. */
static size_t
helpers(const struct plan *p)
{
	return begun ? 0 : (size_t)(p->chain_tasks -
	    limits_chain_tasks(p->argv, true));
}

static void
see_program(void)
{
	for (size_t i = 0; i < now->n && !begun; i++)
		begun = !now->list[i].zombie && !limits_is_gate(now->list[i].name);
}

static void
add_memory(const struct plan *p, struct sums *s)
{
	int64_t sum = 0, n;

	for (size_t i = 0; i < now->n; i++)
		s->memory += now->list[i].rss;
	if (p->limit[LIM_MEM] < 0 || s->memory <= p->limit[LIM_MEM])
		return;
	/* Too much, if nothing were shared: now exactly, which costs more. */
	for (size_t i = 0; i < now->n; i++)
		if ((n = os_proc_memory(&now->list[i])) > 0)
			sum += n;
	s->memory = sum;
}

static void
add_tasks(const struct plan *p, struct sums *s)
{
	size_t spare = helpers(p);

	qsort(now->list, now->n, sizeof(*now->list), by_age);
	for (size_t i = program_at(p); i < now->n; i++) {
		if (now->list[i].zombie)
			continue;
		if (spare > 0 && limits_is_gate(now->list[i].name)) {
			spare--;
			continue;
		}
		s->procs++;
		s->threads += now->list[i].threads - 1;
	}
}

/*
 * So many alive are too many, however many more there are: counting a fork bomb to its
 * end would only give it time. 0: all have to be seen.
 */
static size_t
enough(const struct plan *p)
{
	if ((p->watched & OS_SUM_TASKS) == 0 || p->limit[LIM_PROCS] < 0 ||
	    p->chain.dry_run)
		return 0;
	return program_at(p) + helpers(p) + (size_t)p->limit[LIM_PROCS] + 1;
}

int
sums_look(const struct plan *p, const struct os_tree *t, struct sums *s)
{
	struct look *l = now;
	ssize_t n;

	now = last;
	last = l;
	n = os_tree_list(t, &now->list, &now->room, enough(p));
	if (n == -1)
		return -1;
	now->n = (size_t)n;
	see_program();
	*s = (struct sums){ 0 };
	if ((p->watched & OS_SUM_TASKS) != 0)
		add_tasks(p, s);
	qsort(now->list, now->n, sizeof(*now->list), by_pid);
	add_cpu();
	s->cpu_us = cpu_us;
	if ((p->watched & OS_SUM_MEM) != 0)
		add_memory(p, s);
	return 0;
}

/*
 * No process is older than the one that started it. A look takes its time: where one
 * had ended meanwhile, the number that is called the parent may be another's by now.
 */
static bool
is_child(const struct os_proc *p, const struct os_proc *of)
{
	return p->parent == of->pid && p->born >= of->born && p != of;
}

/*
 * A process, and what it has started since. Itself first, or it would see its children
 * die and could go on for a moment. Each is taken once, even if numbers that were used
 * again make two processes each other's parent.
 */
static void
end_process(size_t victim)
{
	size_t *queue = calloc(now->n, sizeof(*queue)), n = 0;

	if (queue == NULL) {
		os_proc_signal(&now->list[victim], SIGKILL);
		return;
	}
	queue[n++] = victim;
	now->list[victim].parent = 0;
	for (size_t k = 0; k < n; k++) {
		os_proc_signal(&now->list[queue[k]], SIGKILL);
		for (size_t i = 0; i < now->n; i++)
			if (is_child(&now->list[i], &now->list[queue[k]])) {
				now->list[i].parent = 0;
				queue[n++] = i;
			}
	}
	free(queue);
}

int64_t
sums_end_children(const struct plan *p, void (*tell)(void *, const char *),
    void *arg)
{
	int64_t limit = p->limit[LIM_CHILD], oldest = -1;
	size_t spare = helpers(p);

	qsort(now->list, now->n, sizeof(*now->list), by_age);
	for (size_t i = program_at(p) + 1; i < now->n; i++) {
		const struct os_proc *child = &now->list[i];

		if (child->zombie)
			continue;
		if (spare > 0 && limits_is_gate(child->name)) {
			spare--;
			continue;
		}
		if (child->age_ms < limit) {
			if (child->age_ms > oldest)
				oldest = child->age_ms;
			continue;
		}
		tell(arg, child->name);
		if (!p->chain.dry_run)
			end_process(i);
	}
	/* The next look compares this one by pid. */
	qsort(now->list, now->n, sizeof(*now->list), by_pid);
	return oldest == -1 ? limit : limit - oldest;
}
