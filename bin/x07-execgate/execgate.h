/*
 * execgate.h - between the files of x07-execgate.
 */
#ifndef EXECGATE_H
#define EXECGATE_H

#include <stdbool.h>
#include <stddef.h>

#include "os.h"
#include "x07.h"

extern struct chain		chain;
extern struct os_exec_plan	plan;

/* ---- image.c ---- */

#define IMAGE_WORD	256	/* the kernel looks at no more of a "#!" line */

/* What the kernel needs, beside the file, to start it. */
struct image {
	enum {
		IMAGE_STATIC,		/* ELF without a loader */
		IMAGE_DYNAMIC,		/* ELF with the loader interp */
		IMAGE_SCRIPT,		/* "#!" with the interpreter interp */
		IMAGE_FOREIGN,		/* ELF of another machine or word size */
		IMAGE_OTHER,		/* execve(2) would say ENOEXEC */
		IMAGE_UNREADABLE,	/* may be any of these */
	} kind;
	char	interp[4096];
	char	arg[IMAGE_WORD];	/* of a script: the rest of the line, may be "" */
};

/* Looks at the file at path, which is resolved already. */
void	image_read(struct image *, const char *path);

/* ---- list.c ---- */

/* Where an entry came from decides what happens when it cannot hold. */
enum origin {
	FROM_FLAG,	/* refuse */
	FROM_POLICY,	/* leave it out: what is not there cannot be executed */
	FROM_PROGRAM,	/* the program itself and what it needs to start */
	FROM_SYSTEM,	/* leave it out silently */
};

/* Notes that path is wanted; opened by add_wants. */
void	want(enum os_exec_kind, enum origin, const char *path);
/* Notes what the policy lists. Refuses flags that would widen it. */
void	take_policy(void);

/* These fill plan.items, in this order. They refuse what cannot hold. */
void	add_libraries(void);
void	add_program(const char *path);
void	add_wants(void);
/* A loader that may be executed by name may execute anything. */
void	check_loaders(void);
/* What a write root covers stays writable, as the policy says. */
void	keep_write_roots(void);

/* The item of that kind for the same file, or NULL. */
struct os_exec_item	*find_item(const struct os_exec_item *, enum os_exec_kind);
/* True when the kernel lets this file be executed. */
bool	is_listed(const struct os_exec_item *);
/* True when it is in a tree that the program may write. */
bool	is_writable(const struct os_exec_item *);

/* A path of the policy: relative ones start at its project root. */
const char	*from_root(const char *path);

/* ---- rules.c ---- */

/* Takes the rules for what is spawned from the policy. */
void	take_rules(void);
/* These fill the verdict; they return 0 or the errno for the program. */
int	rules_spawn(struct verdict *);
int	rules_started(const struct os_event *, struct verdict *);

/* ---- pattern.c ---- */

/* True when the whole of s matches the pattern (regex-lite). */
bool	pattern_match(const char *pattern, const char *s);

/* ---- watch.c ---- */

/* The os_judge of the watcher: says what is denied and what would allow it. */
int	watch_judge(const struct os_event *, void *);

#endif
