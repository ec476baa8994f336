/*
 * vm-ctr.h - the drivers of container runtimes: one source, a table for each.
 *
 * A runtime is a struct runtime: command lines written down as parts, in the order in
 * which the runtime wants them. To add one is to write another such table.
 */
#ifndef VM_CTR_H
#define VM_CTR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vm.h"

/* ---- tables ---- */

enum part_kind {
	PART_END,
	PART_WORD,		/* word, as it is */
	/* word (unless NULL), and behind it ... */
	PART_SETTING,		/* the variable's value, else the default */
	PART_NAME,		/* the container's name */
	PART_ID,		/* the run id */
	PART_DIR,		/* the job's directory */
	PART_IMAGE,		/* the image's pinned reference */
	PART_DIGEST_OF,		/* a reference that an inspection is about */
	PART_FILTER,		/* name==REFERENCE */
	PART_MEMORY_MIB,	/* the limit in MiB, rounded up, "64m" */
	PART_MEMORY_BYTES,
	PART_CPUS,
	PART_GRACE,		/* seconds before SIGKILL, rounded up */
	PART_GRACE_MS,
	PART_SECONDS,		/* until the deadline */
	PART_WALL_MS,		/* the program's time, else until the deadline */
	PART_USER,		/* UID:GID */
	PART_STARTED,		/* a file in the job's directory, made at the start */
	/* word alone, if ... */
	PART_TTY,		/* there is a terminal */
	PART_IF_ROOT,		/* the program is uid 0 */
	PART_IF_USER,		/* it is not */
	PART_IF_NET,		/* the policy lists hosts */
	/* once for each */
	PART_LABELS,		/* word KEY=VALUE */
	PART_LABELS_TWICE,	/* the same, and again with --annotation */
	PART_MOUNTS,		/* word type=bind,source=,target=[,readonly] */
	PART_MOUNTS_SHORT,	/* word type=bind,src=,dst=,options=rbind:ro */
	PART_SHARES,		/* word TAG SOURCE ro|rw, see share_tag() */
};

struct part {
	enum part_kind	kind;
	const char	*word;
	const char	*variable, *dflt;	/* PART_SETTING */
	const char	*controller;		/* left out when the runtime has none such */
};

/* How tables are written. */
#define WORD(w)			{ PART_WORD, w, NULL, NULL, NULL }
#define PART(kind, w)		{ kind, w, NULL, NULL, NULL }
#define LIMIT(kind, w, c)	{ kind, w, NULL, NULL, c }
#define SETTING(w, v, d)	{ PART_SETTING, w, v, d, NULL }
#define END			{ PART_END, NULL, NULL, NULL, NULL }

#define REMOVES		2

struct job;

struct runtime {
	const char	*name;			/* "podman": vm-podman */
	const char	*what;			/* it is, for people */
	const struct part *base;		/* the program and what every command has first */
	const struct part *probe;		/* succeeds where it can be used */
	const struct part *controllers;		/* prints those it has; NULL: all */
	const struct part *run;
	/* Instead of image_pin(); and what is made for each job. NULL: nothing. */
	char		*(*pin)(struct job *, const char *ref, const char *digest);
	void		(*prepare)(struct job *);
	const char	*image;			/* what it takes; NULL: "oci" */
	const struct part *inspect;		/* prints digests of an image */
	const struct part *tag;			/* gives IMAGE's new name; NULL: not needed */
	/* The byte channel: a socket that is mounted, or the streams of a second program. */
	bool		socket;
	const struct part *exec;		/* starts it; NULL: none */
	const struct part *unexec;		/* ends that program; NULL: nothing does */
	const struct part *soft;		/* ask it to end */
	bool		soft_waits;		/* that waits for the grace itself */
	const struct part *hard;		/* NULL: it dies with the driver, all of it */
	bool		hard_tells;		/* that fails when nothing runs any more */
	const struct part *removes[REMOVES];	/* of what is left; NULL: none */
	const struct part *list;		/* "NAME DEADLINE" lines, or names alone */
	const struct part *info;		/* of one name: text with its labels; NULL */
	const char	*pull;			/* how to get an image, for a message */
	bool		names_digest;		/* an inspection prints NAME@DIGEST */
	bool		late_eof;		/* must not see the end of input before its start */
	/* The variable of the OCI runtime, and its value with which there is a kernel between. */
	const char	*vm_variable, *vm_value;
	bool		is_vm;			/* always */
	const char	*device;		/* of which a VM is made, must open; or NULL */
};

/* docker.c: the parts of docker's table that podman has too */
extern const struct part docker_inspect[], docker_soft[], docker_hard[],
	    docker_removal[];

/* The whole of a driver. */
int	vm_ctr_main(const struct runtime *, int argc, char *argv[]);

/* True when a kernel of its own is between the program and this machine. */
bool	is_vm(const struct runtime *);

/* ---- words.c: a table becomes a command line ---- */

struct job {
	const struct runtime	*rt;
	const struct vm_run	*run;		/* NULL outside of run */
	const char		*name;		/* of the container */
	const char		*image, *about;
	int64_t			grace_ms;
	const struct vm_mount	*mounts;
	size_t			nmounts;
	const char		*started;
	const char		*controllers;	/* NULL: all */
};

/* argv of the base and of the parts, in malloced memory. */
char	**words(const struct job *, const struct part *);
/* The tag of the mount number i, in malloced memory. */
const char	*share_tag(const struct job *, size_t i);
/* "x07-ID", in malloced memory. */
char	*container_name(const char *id);

/* ---- control.c: short commands ---- */

#define CONTROL_MS	2000	/* every one of them is given that long */

struct said {
	char	out[262144];		/* a NUL behind */
	char	err[4096];
	int	status;			/* of its exit; -1: killed or too slow */
	bool	slow;			/* it was too slow */
};

/* Runs it without input, for at most limit_ms; what it says is kept. */
void	control(char *const argv[], int64_t limit_ms, struct said *);
/* What went wrong, in one line: its last words, or that it was too slow. */
const char	*control_why(const struct said *);
/* The runtime says that there is no such thing. */
bool	control_gone(const struct said *);

/* ---- carry.c ---- */

/* Carries the byte channel into the container, if the runtime's exec does that. */
void	carry_start(const struct job *);
/*
 * Looks whether it still does, and tells when it is cut. False when the program must
 * not go on: there was no channel, or it would wait for its answers for ever.
 */
bool	carry_goes_on(const struct job *);
void	carry_end(void);

/* ---- image.c ---- */

/*
 * The reference by which exactly the image is run that has the digest (NULL: that
 * the name means now). Refuses.
 */
char	*image_pin(struct job *, const char *ref, const char *digest);

/* ---- client.c ---- */

/*
 * This process becomes one of the runtime's programs of the job in DIR, if parent is
 * still there. Returns a descriptor that it must keep.
 */
int	client_enter(const char *dir, pid_t parent);
/* One of those that are still there; 0: none. */
pid_t	client_of(const char *dir);

/* ---- room.c ---- */

/*
 * False, with one line, when the container has put more into the job's directories
 * than it may.
 */
bool	room_left(const struct vm_run *);

/* ---- end.c ---- */

/*
 * The verbs. job_end: when nothing is left of the job in DIR 1 if its program still ran,
 * else 0; -1 when something is.
 */
int	job_end(const struct runtime *, const char *name, const char *dir,
	    int64_t grace_ms);
/* The same, when a daemon may be making the container only now. */
int	job_end_late(const struct runtime *, const char *name, const char *dir);
int	sweep_all(const struct runtime *);

/* ---- run.c ---- */

int	run_job(const struct runtime *, const struct vm_run *);

#endif
