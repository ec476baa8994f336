/* The table of limits, and where their values come from. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "limits.h"

#define DAYS(n)		((n) * INT64_C(86400000))	/* ms */
#define YEAR_MS		DAYS(366)
#define EXA		(INT64_C(1) << 60)
#define DEFAULT_WORKERS	32

const struct limit_row limit_rows[NLIMITS] = {
	[LIM_WALL] = { 't', "time", "limits.wall_ms", "wall time", UNIT_TIME,
	    1, YEAR_MS, false },
	[LIM_CPU] = { 'c', "cpu", "limits.cpu_ms", "CPU time", UNIT_TIME,
	    1, YEAR_MS, false },
	[LIM_MEM] = { 'm', "mem", "limits.mem_bytes", "memory", UNIT_BYTES,
	    1 << 20, EXA, false },
	[LIM_FDS] = { 'f', "fds", "limits.fds", "descriptors", UNIT_COUNT,
	    0, 1 << 20, false },
	[LIM_PROCS] = { 'u', "procs", "limits.procs", "processes", UNIT_COUNT,
	    1, 1 << 22, false },
	[LIM_THREADS] = { 'T', "threads", "threads.max_workers", "threads",
	    UNIT_COUNT, 0, 1 << 22, false },
	[LIM_FSIZE] = { 'F', "fsize", NULL, "file size", UNIT_BYTES,
	    0, EXA, false },
	[LIM_STDOUT] = { 'o', "stdout", "process.max_stdout_bytes",
	    "standard output", UNIT_BYTES, 0, EXA, true },
	[LIM_STDERR] = { 'e', "stderr", "process.max_stderr_bytes",
	    "standard error", UNIT_BYTES, 0, EXA, true },
	[LIM_TOTAL] = { 'b', "total", "process.max_total_bytes", "output",
	    UNIT_BYTES, 0, EXA, true },
	[LIM_STDIN] = { 'I', "stdin", "process.max_stdin_bytes",
	    "standard input", UNIT_BYTES, 0, EXA, true },
	[LIM_CHILD] = { 'x', "child-time", "process.max_runtime_ms",
	    "child", UNIT_TIME, 1, YEAR_MS, true },
};

static int
parse_count(const char *arg, int64_t *n)
{
	char *end;
	long long v;

	errno = 0;
	v = strtoll(arg, &end, 10);
	if (errno == ERANGE)
		return -1;
	if (*arg < '0' || *arg > '9' || *end != '\0') {
		errno = EINVAL;
		return -1;
	}
	*n = v;
	return 0;
}

/* How a value of that unit is written, for people who did not know. */
static const char *const examples[] = {
	[UNIT_TIME] = "a duration such as 500ms, 10s, 1m30s",
	[UNIT_BYTES] = "a size such as 4096, 64K, 512M, 2G",
	[UNIT_COUNT] = "a plain number",
};

void
limits_flag(struct plan *p, enum limit l, const char *arg)
{
	static int (*const parse[])(const char *, int64_t *) = {
		[UNIT_TIME] = parse_duration,
		[UNIT_BYTES] = parse_size,
		[UNIT_COUNT] = parse_count,
	};
	const struct limit_row *row = &limit_rows[l];
	char lo[32], hi[32];
	int64_t v = 0;
	bool parsed = parse[row->unit](arg, &v) == 0;

	if (!parsed && errno != ERANGE)
		refuse("--%s %s: not %s", row->name, arg, examples[row->unit]);
	if (!parsed || v < row->min || v > row->max)
		refuse("--%s %s: not in the range from %s to %s", row->name, arg,
		    limits_text(row->unit, row->min, lo), limits_text(row->unit, row->max, hi));
	p->limit[l] = v;
	p->flag[l] = p->by_flag[l] = true;
}

static void
narrow(struct plan *p, enum limit l, int64_t v)
{
	if (p->limit[l] != -1 && p->limit[l] <= v)
		return;
	p->limit[l] = v;
	p->by_flag[l] = false;
}

/*
 * Threads beside the first of each process. Workers that the policy leaves to
 * the runner are as many as common runtimes start by themselves.
 */
static int64_t
policy_threads(const struct form *f)
{
	int64_t workers = form_int(f, "threads.max_workers", 0);

	if (!form_bool(f, "threads.enabled", true))
		return 0;
	return (workers == 0 ? DEFAULT_WORKERS : workers) +
	    form_int(f, "threads.max_blocking", 4);
}

void
limits_policy(struct plan *p)
{
	const struct form *f = p->chain.form;

	if (f == NULL)
		return;
	for (int l = 0; l < NLIMITS; l++) {
		const struct limit_row *row = &limit_rows[l];
		int64_t v;

		if (row->key == NULL || l == LIM_THREADS)
			continue;
		v = form_int(f, row->key, -1);
		/* The form always has these keys; one without them is none. */
		if (v == -1)
			refuse("the policy does not say %s", row->key);
		if (v != 0 || !row->zero_is_none)
			narrow(p, (enum limit)l, v);
	}
	narrow(p, LIM_THREADS, policy_threads(f));
	if (!form_bool(f, "limits.core_dumps", false))
		p->core = false;
}

char *
limits_text(enum unit unit, int64_t v, char buf[32])
{
	static const struct {
		int64_t		factor;
		const char	*name;
	} sizes[] = {
		{ INT64_C(1) << 40, "T" }, { INT64_C(1) << 30, "G" },
		{ INT64_C(1) << 20, "M" }, { INT64_C(1) << 10, "K" }, { 1, "" },
	};
	size_t i = 0;

	switch (unit) {
	case UNIT_TIME:
		if (v % 1000 != 0 || v == 0)
			snprintf(buf, 32, "%" PRId64 "ms", v);
		else
			snprintf(buf, 32, "%" PRId64 "s", v / 1000);
		break;
	case UNIT_BYTES:
		while (sizes[i].factor > 1 &&
		    (v < sizes[i].factor || v % sizes[i].factor != 0))
			i++;
		snprintf(buf, 32, "%" PRId64 "%s", v / sizes[i].factor,
		    sizes[i].name);
		break;
	case UNIT_COUNT:
		snprintf(buf, 32, "%" PRId64, v);
		break;
	}
	return buf;
}

/*
 * The gates run under our limits too. What they need beside the program is
 * added, so that a policy's number is the program's: their supervisors, inits,
 * relays and watchers, and the helpers of their start. The arguments are the
 * caller's, never the program's, so a name found there can be believed.
 */
static const struct gate {
	const char	*name;
	int64_t		 tasks, lasting;
} gates[] = {
	{ "x07-limit", 3, 2 }, { "x07-netgate", 3, 1 },
	{ "x07-fsgate", 3, 2 }, { "x07-execgate", 2, 1 },
};

/* The gate that word names, NULL: none. */
static const struct gate *
gate_of(const char *word)
{
	const char *base = strrchr(word, '/');

	base = base != NULL ? base + 1 : word;
	for (size_t i = 0; i < sizeof(gates) / sizeof(gates[0]); i++)
		if (strcmp(base, gates[i].name) == 0)
			return &gates[i];
	return NULL;
}

bool
limits_is_gate(const char *name)
{
	return gate_of(name) != NULL || strcmp(name, "x07-tree") == 0;
}

int64_t
limits_chain_tasks(char *const argv[], bool lasting)
{
	const struct gate *g;
	int64_t sum = 0;

	/* Behind a program they are only words. */
	if (gate_of(argv[0]) == NULL)
		return 0;
	for (char *const *arg = argv; *arg != NULL; arg++)
		if ((g = gate_of(*arg)) != NULL)
			sum += lasting ? g->lasting : g->tasks;
	return sum;
}

const char *
limits_program(char *const argv[])
{
	char *const *arg;

	while (gate_of(argv[0]) != NULL) {
		for (arg = argv + 1; *arg != NULL && strcmp(*arg, "--") != 0; arg++)
			continue;
		/* Where its options end only the gate itself could tell. */
		if (*arg == NULL || arg[1] == NULL)
			break;
		argv = arg + 1;
	}
	return argv[0];
}

int64_t
limits_tasks(const struct plan *p)
{
	int64_t n = p->limit[LIM_PROCS];

	if (n < 0)
		return -1;
	/* One task is the program itself. */
	if (n < 1)
		n = 1;
	/* So few that neither number can be passed, or as many as both allow. */
	if (p->limit[LIM_THREADS] > 0 && p->strict)
		n = n < p->limit[LIM_THREADS] + 1 ? n : p->limit[LIM_THREADS] + 1;
	else if (p->limit[LIM_THREADS] > 0)
		n += p->limit[LIM_THREADS];
	return n + p->chain_tasks;
}

int64_t
limits_grace(const struct plan *p)
{
	int64_t wall = p->limit[LIM_WALL], grace;

	if (p->grace_ms >= 0)
		return p->grace_ms;
	if (wall < 0)
		return 1000;
	grace = wall / 10 > 1 ? wall / 10 : 1;
	return grace < 1000 ? grace : 1000;
}
