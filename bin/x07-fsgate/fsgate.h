/*
 * fsgate.h - the parts of x07-fsgate.
 */
#ifndef FSGATE_H
#define FSGATE_H

#include <limits.h>

#include "os.h"
#include "x07.h"

/* ---- view.c: the list of what the program will see ---- */

/* Of two entries with one path the one of higher rank stays. */
enum rank {
	RANK_HIDDEN,	/* covers of fs.deny_hidden */
	RANK_CLOSURE,	/* what the program needs to start */
	RANK_FIXED,	/* /proc, /dev, /tmp */
	RANK_READ,	/* roots */
	RANK_WRITE,
};

struct entry {
	struct os_view_item	item;
	enum rank		rank;
	bool			mapped;	/* seen under another path than its own */
};

struct view {
	struct entry	*entries;
	size_t		n, space;
};

/* Adds an entry; path and text are copied. */
void	view_add(struct view *, enum rank, enum os_view_kind, const char *path,
	    const char *text, int fd);

/* The entry that decides what path is: the deepest at or above it, or NULL. */
const struct entry	*view_cover(const struct view *, const char *path);

/* True when what is seen at path comes from a bound file or tree. */
bool	view_is_bound(const struct view *, const char *path);

/*
 * Sorts, keeps one entry per path, drops links and texts below bound trees, and makes a
 * covered directory that holds other entries an empty one. Returns the items for
 * os_view_enter.
 */
struct os_view_item	*view_finish(struct view *, size_t *n);

/*
 * Writes the items in the form of x07-vm-driver(8), THE VIEW; without those that a
 * guest's kernel makes itself. Refuses when they cannot be written.
 */
void	view_write(const struct os_view_item *, size_t n, FILE *);

/* ---- roots.c: -r, -w, fs.read_roots, fs.write_roots ---- */

struct root {
	const char	*src;		/* as given */
	const char	*dst;		/* where it is to be seen, NULL: where it is */
	const char	*base;		/* absolute directory src is relative to */
	const char	*label;		/* "-r" or "fs.read_roots", for messages */
	bool		write;
};

struct roots {
	struct root	*list;
	size_t		n, space;
};

/* Adds SRC[:DST] (flag) or SRC (policy key). */
void	roots_add_flag(struct roots *, const char *arg, bool write);
void	roots_add_policy(struct roots *, const struct form *, const char *project);

/*
 * Resolves every root once and puts it into the view; makes missing write roots below
 * their base. Refuses with one line otherwise. base is for flags: the current
 * directory, NULL when there is none.
 */
void	roots_resolve(const struct roots *, const char *base, struct view *,
	    const struct chain *);

/*
 * Covers what of the kernel (proc, sysfs, cgroups ...) is mounted below what is shown;
 * not below a root that lies in such a mount itself; with found (CLOSURE_ROOT) what the
 * closure shows of one. When all is in the view.
 */
void	roots_cover_kernel(struct view *, bool found);

/*
 * A handle of path. Below base (NULL: none) it is reached without leaving base through
 * a symbolic link; -1 with errno as os_path_open.
 */
int	roots_open(const char *base, const char *path);
/* Where the kernel says that the handle is; false when that is nowhere. */
bool	real_path(int fd, char path[PATH_MAX]);

/* ---- hidden.c: fs.deny_hidden ---- */

/*
 * Covers every entry that starts with a dot in the tree that fd names and that is
 * seen at path, and without write every socket; not in or above other roots.
 */
void	hidden_cover(struct view *, int fd, const char *path, bool write);

/* ---- closure.c: what a program needs to start ---- */

enum closure { CLOSURE_MINIMAL, CLOSURE_SYSTEM, CLOSURE_ROOT, CLOSURE_NONE };

/* What a file must be to be shown, judged by the handle that is shown. */
enum check {
	CHECK_NONE,
	CHECK_PROGRAM,		/* a regular file with a bit of execute permission */
	CHECK_INTERPRETER,	/* the same, and in no system directory only ELF */
	CHECK_LIBRARY,		/* ELF that can be loaded: no core dump */
};

/*
 * The system's own programs and libraries (CLOSURE_SYSTEM), the data every
 * program may ask for, and of /etc what they read.
 */
void	closure_system(struct view *, enum closure);
/* All that the root directory has, but for what is the kernel's (CLOSURE_ROOT). */
void	closure_root(struct view *);
/* /etc/passwd and /etc/group with as little as programs need. */
void	closure_identity(struct view *);
/*
 * Makes one existing file or directory visible at its own path, read-only, with the
 * symbolic links on the way. False when there is none or it fails the check.
 */
bool	closure_expose(struct view *, const char *path, enum check);
/* A program at an absolute path, with its script interpreters and libraries. */
void	closure_program(struct view *, const char *path, enum closure);
/* The programs that process.allow_execs and allow_exec_prefixes let it start. */
void	closure_execs(struct view *, const struct form *, const char *project,
	    enum closure);

/* ---- libs.c: shared libraries ---- */

/* Shows the loader and the libraries of an ELF program. */
void	libs_expose(struct view *, const char *path);

#endif
