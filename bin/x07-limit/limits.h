/*
 * limits.h - the limits that x07-limit knows, and what it was told to do.
 */
#ifndef LIMITS_H
#define LIMITS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "os.h"
#include "x07.h"

enum limit {
	LIM_WALL, LIM_CPU, LIM_MEM, LIM_FDS, LIM_PROCS, LIM_THREADS, LIM_FSIZE,
	LIM_STDOUT, LIM_STDERR, LIM_TOTAL, LIM_STDIN, LIM_CHILD,
	NLIMITS,
	LIM_NONE = -1,
};

enum unit { UNIT_TIME, UNIT_BYTES, UNIT_COUNT };

/* One row per limit: its flag, its policy key, its unit. */
struct limit_row {
	int		 opt;		/* short option, or CHAIN_OPT_OWN and up */
	const char	*name;		/* long option */
	const char	*key;		/* in the policy; NULL: no such key */
	const char	*what;		/* in the line that says it struck */
	enum unit	 unit;
	int64_t		 min, max;	/* of the flag; the policy has its own range */
	bool		 zero_is_none;	/* in the policy */
};

extern const struct limit_row	limit_rows[NLIMITS];

/* What the tree lives in, and what ends it: the best that can be had. */
enum way {
	WAY_NAMESPACES,		/* of processes, owned by a user namespace */
	WAY_SAME_USER,		/* of processes: root, where there are no user namespaces */
	WAY_SWEPT,		/* no namespace: everything is looked for and killed */
	NWAYS,
};

/* What to do with bytes beyond a cap. */
enum on_cap { CAP_KILL, CAP_STOP, CAP_DROP };

struct plan {
	struct chain	 chain;
	int64_t		 limit[NLIMITS];	/* -1: none; ms, bytes, a number */
	bool		 flag[NLIMITS];		/* there was a flag for it */
	bool		 by_flag[NLIMITS];	/* and not the policy set it in the end */
	const char	*how[NLIMITS];		/* what holds it, for -v and -r */
	bool		 core;			/* core dumps allowed */
	int64_t		 grace_ms;		/* between signal and SIGKILL; -1: of the spec */
	int		 soft;			/* the signal at the end of wall time */
	int		 nice;			/* -1: as we are */
	enum on_cap	 on_cap;
	bool		 strict;
	bool		 info;			/* a line about usage at the end */
	char *const	*argv;			/* the program */
	int64_t		 chain_tasks;		/* tasks of gates between us and the program */
	enum way	 way;
	struct os_group	*group;
	unsigned	 held;			/* OS_SUM bits that the group holds */
	unsigned	 watched;		/* OS_SUM bits that we sample ourselves */
	int64_t		 ids;			/* process ids that are enough; 0: not known */
};

/* What was used, for the report. */
struct used {
	int64_t		 wall_ms;
	struct os_usage	 sum;
	struct os_tree_end end;
	int64_t		 bytes[3];	/* stdin, stdout, stderr; -1: not counted */
	enum limit	 struck;
	int		 status;	/* of the chain */
};

/* ---- limits.c ---- */

/* Takes the argument of a limit's option. Refuses nonsense. */
void	limits_flag(struct plan *, enum limit, const char *arg);
/* Narrows the limits to those of the policy. */
void	limits_policy(struct plan *);
/* A value with its unit, as people write it. Returns buf. */
char	*limits_text(enum unit, int64_t value, char buf[32]);
/*
 * The tasks that the gates named in argv add to the program's own: all of
 * them, or only those that are there as long as the program.
 */
int64_t	limits_chain_tasks(char *const argv[], bool lasting);
/* Does a process of a gate bear that name? Any other may call itself so. */
bool	limits_is_gate(const char *name);
/* The name of the program in argv, behind the gates that precede it. Not owned. */
const char *limits_program(char *const argv[]);
/* The grace of a plan in ms: as told, else spec/run-vm-bundle.md 6.2. */
int64_t	limits_grace(const struct plan *);
/* The cap on tasks of the whole tree, -1: none. */
int64_t	limits_tasks(const struct plan *);

/* ---- hold.c ---- */

/*
 * Decides what holds each limit on the plan's way, makes the tree's control group, and
 * refuses with --strict what is weaker than it could be.
 */
void	hold_choose(struct plan *);
/* The tree has started: adds what shows only now. */
void	hold_started(struct plan *, const struct os_tree *);
/* Says it, with -v. */
void	hold_say(const struct plan *);
/* How to have a control group of one's own: constant. */
const char *hold_delegated(void);
/*
 * True when the program may start no process at all and nothing else has to,
 * so that a filter can say so. Threads have a number of their own.
 */
bool	hold_alone(const struct plan *);

/* ---- pump.c: byte caps ---- */

/* Makes the pipes; before the tree is started. Does nothing without caps. */
void	pump_open(const struct plan *);
/* Inside: the program's standard descriptors become the pipes' ends. */
void	pump_inside(void);
/* The supervisor's descriptors. Returns their number. */
size_t	pump_fds(int fds[8]);
/*
 * Starts moving bytes. Returns a descriptor that is readable when there is news,
 * -1 without caps, -2 with errno when it cannot.
 */
int	pump_start(void);
/*
 * Waits at most ms (-1: for ever) and returns the cap that was reached; LIM_NONE
 * when time is up, no more will come, or a signal came that the mask lets
 * through while it waits (NULL: as it is).
 */
enum limit	pump_news(int64_t ms, const sigset_t *mask);
/* True while output of the program may still be on its way. */
bool	pump_busy(void);
/* The tree has ended: what is left in the pipes is all there will be. */
void	pump_ended(void);
/*
 * True when something that the program wrote could not be written out, a full disk
 * for example. The program may have ended well before that showed.
 */
bool	pump_lost(void);
/* The bytes that went through: stdin, stdout, stderr; -1: not counted. */
void	pump_bytes(int64_t bytes[3]);

/* ---- sums.c: what is found by looking at the processes ---- */

struct sums {
	int64_t	cpu_us;
	int64_t	procs, threads;		/* of the program: without init and gates */
	int64_t	memory;			/* resident, shared pages counted once */
};

/* Looks; -1 with errno when the tree cannot be seen. */
int	sums_look(const struct plan *, const struct os_tree *, struct sums *);
/*
 * Kills the children of the last look that ran longer than their limit, and
 * what they started; tell is called for each. Returns the ms until the next one's
 * time can be up.
 */
int64_t	sums_end_children(const struct plan *,
	    void (*tell)(void *, const char *name), void *arg);

/* ---- program.c ---- */

/* Binds this process to its limits and becomes the program. */
_Noreturn void	program_run(const struct plan *, const struct os_tree *);

/* ---- watch.c ---- */

/* Holds the limits from outside; returns the exit status. */
int	watch_tree(struct plan *, struct os_tree *);

/* ---- report.c ---- */

/* Finds out that the report of -r can be written: FILE or fd:N. Refuses. */
void	report_open(const char *spec);
/* True when files are to be made at the end. */
bool	report_replaces(void);
/* The descriptors that it needs. Returns their number. */
size_t	report_fds(int fds[2]);
/* Writes the report as JSON, and the line of -i. */
void	report_write(const struct plan *, const struct used *);

#endif
