/*
 * limits.h - the limits that x07-limit knows, and what it was told to do.
 */
#ifndef LIMITS_H
#define LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "os.h"
#include "x07.h"

enum limit {
	LIM_WALL, LIM_CPU, LIM_MEM, LIM_FDS, LIM_PROCS,
	NLIMITS,
	LIM_NONE = -1,
};

enum unit { UNIT_TIME, UNIT_BYTES, UNIT_COUNT };

/* One row per limit: its flag, its policy key, its unit. */
struct limit_row {
	int		 opt;		/* short option, or CHAIN_OPT_OWN and up */
	const char	*name;		/* long option */
	const char	*key;		/* in the policy */
	const char	*verb;		/* in the line that says it struck */
	enum unit	 unit;
	int64_t		 min, max;	/* of the flag; the policy has its own range */
};

extern const struct limit_row	limit_rows[NLIMITS];

struct plan {
	struct chain	 chain;
	int64_t		 limit[NLIMITS];	/* -1: none; ms, bytes, a number */
	bool		 by_flag[NLIMITS];	/* the flag, not the policy, set it */
	bool		 core;			/* core dumps allowed */
	int64_t		 grace_ms;		/* between signal and SIGKILL; -1: of the spec */
	int		 soft;			/* the signal at the end of wall time */
	char *const	*argv;			/* the program */
	int64_t		 chain_tasks;		/* tasks of gates between us and the program */
	struct os_group	*group;
	unsigned	 watched;		/* OS_SUM bits that we sample ourselves */
};

/* Takes the argument of a limit's option. Refuses nonsense. */
void	limits_flag(struct plan *, enum limit, const char *arg);
/* Narrows the limits to those of the policy. */
void	limits_policy(struct plan *);
/* A value with its unit, as people write it. Returns buf. */
char	*limits_text(enum limit, int64_t value, char buf[32]);
/* The processes that the gates named in argv add to the program's own. */
int64_t	limits_chain_tasks(char *const argv[]);
/* The grace of a plan in ms: as told, else spec/run-vm-bundle.md 6.2. */
int64_t	limits_grace(const struct plan *);

/* program.c: binds this process to its limits and becomes the program. */
_Noreturn void	program_run(const struct plan *, const struct os_tree *);

/* watch.c: holds the limits from outside; returns the exit status. */
int	watch_tree(struct plan *, struct os_tree *);

#endif
