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

const struct limit_row limit_rows[NLIMITS] = {
	[LIM_WALL] = { 't', "time", "limits.wall_ms", "wall time", UNIT_TIME,
	    1, YEAR_MS },
	[LIM_CPU] = { 'c', "cpu", "limits.cpu_ms", "CPU time", UNIT_TIME,
	    1, YEAR_MS },
	[LIM_MEM] = { 'm', "mem", "limits.mem_bytes", "memory", UNIT_BYTES,
	    1 << 20, EXA },
	[LIM_FDS] = { 'f', "fds", "limits.fds", "descriptors", UNIT_COUNT,
	    0, 1 << 20 },
	[LIM_PROCS] = { 'u', "procs", "limits.procs", "processes", UNIT_COUNT,
	    1, 1 << 22 },
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

	if (parse[row->unit](arg, &v) == -1 && errno != ERANGE)
		refuse("--%s %s: not %s", row->name, arg, examples[row->unit]);
	else if (errno == ERANGE || v < row->min || v > row->max)
		refuse("--%s %s: not in the range from %s to %s", row->name, arg,
		    limits_text(l, row->min, lo), limits_text(l, row->max, hi));
	p->limit[l] = v;
	p->by_flag[l] = true;
}

void
limits_policy(struct plan *p)
{
	if (p->chain.form == NULL)
		return;
	for (int l = 0; l < NLIMITS; l++) {
		int64_t v = form_int(p->chain.form, limit_rows[l].key, -1);

		/* The policy always has these keys; without them it is none. */
		if (v == -1)
			refuse("the policy does not say %s", limit_rows[l].key);
		if (p->limit[l] == -1 || v < p->limit[l]) {
			p->limit[l] = v;
			p->by_flag[l] = false;
		}
	}
	if (!form_bool(p->chain.form, "limits.core_dumps", false))
		p->core = false;
}

char *
limits_text(enum limit l, int64_t v, char buf[32])
{
	static const struct {
		int64_t		factor;
		const char	*name;
	} sizes[] = {
		{ INT64_C(1) << 40, "T" }, { INT64_C(1) << 30, "G" },
		{ INT64_C(1) << 20, "M" }, { INT64_C(1) << 10, "K" }, { 1, "" },
	};
	size_t i = 0;

	switch (limit_rows[l].unit) {
	case UNIT_TIME:
		if (v % 1000 != 0 || v == 0)
			snprintf(buf, 32, "%" PRId64 "ms", v);
		else
			snprintf(buf, 32, "%" PRId64 "s", v / 1000);
		break;
	case UNIT_BYTES:
		while (v % sizes[i].factor != 0)
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
int64_t
limits_chain_tasks(char *const argv[])
{
	static const struct {
		const char	*gate;
		int64_t		 tasks;
	} own[] = {
		{ "x07-limit", 3 }, { "x07-netgate", 3 }, { "x07-fsgate", 3 },
		{ "x07-execgate", 2 },
	};
	int64_t n = 0;

	for (; *argv != NULL; argv++) {
		const char *base = strrchr(*argv, '/');

		base = base != NULL ? base + 1 : *argv;
		for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
			if (strcmp(base, own[i].gate) == 0)
				n += own[i].tasks;
	}
	return n;
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
