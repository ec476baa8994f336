/*
 * What x07-limit -x ends, when the look that it goes by has numbers in it that were used
 * again: prints the numbers in the order in which they are killed. Built with
 * bin/x07-limit/sums.c, and in place of the rest of it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "limits.h"

/* By age: init, the program, a process that is due, and the rest. */
static const struct os_proc seen[] = {
	{ .pid = 1, .parent = 0, .born = 1, .age_ms = 900, .name = "init" },
	{ .pid = 2, .parent = 1, .born = 2, .age_ms = 900, .name = "program" },
	{ .pid = 30, .parent = 20, .born = 3, .age_ms = 900, .name = "due" },
	{ .pid = 10, .parent = 30, .born = 4, .age_ms = 100, .name = "child" },
	/* Each other's parent, as no two processes are. */
	{ .pid = 20, .parent = 10, .born = 4, .age_ms = 100, .name = "again" },
	{ .pid = 40, .parent = 20, .born = 5, .age_ms = 100, .name = "grandchild" },
	{ .pid = 50, .parent = 2, .born = 5, .age_ms = 100, .name = "other" },
	{ .pid = 60, .parent = 60, .born = 6, .age_ms = 900, .name = "itself" },
	/* Its parent was another 80, which was older. */
	{ .pid = 70, .parent = 80, .born = 7, .age_ms = 100, .name = "older" },
	{ .pid = 80, .parent = 2, .born = 8, .age_ms = 900, .name = "younger" },
};
#define NSEEN	(sizeof(seen) / sizeof(seen[0]))

static int killed;

ssize_t
os_tree_list(const struct os_tree *t, struct os_proc **list, size_t *n, size_t most)
{
	(void)t;
	(void)most;
	*list = malloc(sizeof(seen));
	if (*list == NULL)
		return -1;
	memcpy(*list, seen, sizeof(seen));
	return (ssize_t)(*n = NSEEN);
}

int
os_proc_signal(const struct os_proc *p, int sig)
{
	(void)sig;
	if (++killed > (int)NSEEN)
		exit(1);
	printf("%ld\n", (long)p->pid);
	return 0;
}

int64_t
os_proc_memory(const struct os_proc *p)
{
	return p->rss;
}

bool
limits_is_gate(const char *name)
{
	(void)name;
	return false;
}

int64_t
limits_chain_tasks(char *const argv[], bool lasting)
{
	(void)argv;
	(void)lasting;
	return 0;
}

static void
tell(void *arg, const char *name)
{
	(void)arg;
	(void)name;
}

int
main(void)
{
	struct plan p = { .watched = 0 };
	struct sums s;

	setvbuf(stdout, NULL, _IOLBF, 0);
	p.limit[LIM_CHILD] = 500;
	if (sums_look(&p, NULL, &s) == -1)
		return 1;
	sums_end_children(&p, tell, NULL);
	return 0;
}
