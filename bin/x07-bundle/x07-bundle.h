/*
 * x07-bundle.h - the parts of x07-bundle.
 */
#ifndef X07_BUNDLE_H
#define X07_BUNDLE_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "bundle.h"
#include "unfinished.h"
#include "x07.h"

enum {
	EXIT_COMPILE = 1,	/* what was to be bundled cannot be, spec 7 */
	EXIT_USAGE = 2,		/* usage, policy, files */
	EXIT_SCHEMA = 3,	/* the policy is not valid */
};

/* What is asked for. */
struct order {
	const char	*out;
	const char	*profile;	/* as the caller calls it, NULL: none */
	const char	*policy;	/* file; NULL: run-os */
	const char	*base;		/* policy before overrides */
	const char	*root;		/* of the project, absolute */
	const char	*manifest;	/* x07.json, NULL: none */
	const char	*emit_dir;
	const char	*oci;		/* directory for an image layout, NULL: none */
	const char	*program;	/* absolute */
	const char	*arch;		/* of this machine, as uname(3) calls it */
	bool		 vm;
	const char	*vm_backend;	/* "qemu" */
	const char	*vm_image;	/* OCI reference; NULL: this machine's guest */
	const char	*vm_digest;	/* of that reference */
};

/* Says "x07-bundle: message" and exits. */
_Noreturn void	die(int status, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* The same with ": strerror(errno)" behind it. */
_Noreturn void	die_errno(int status, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- newdir.c: directories that appear when they are whole ---- */

/*
 * Exits when path is there: what is might lead elsewhere, or be of something else. what
 * is put before path in messages: an option and a blank, or nothing.
 */
void	refuse_old(const char *what, const char *path);
/* Makes one beside path, which must not be there. Exits when it cannot. */
void	begin_dir(struct unfinished *, const char *what, const char *path);
/* Gives it its name. Exits when it cannot. */
void	place_dir(struct unfinished *, const char *what, const char *path);

/* ---- run.c: other tools of the suite ---- */

struct bytes {
	char	*data;		/* malloced, a NUL behind it */
	size_t	 len;
};

/*
 * Runs argv and returns what it writes to standard output; its exit status, as
 * chain tools give it, in *status. Exits when it cannot be started.
 */
struct bytes	run_tool(char *const argv[], int *status);

/* The whole file. Exits when it cannot be read. */
struct bytes	read_file(const char *path);

/* ---- libs.c: what a dynamic program needs ---- */

/* A file of the closure, or another path of one. */
struct lib {
	char	*path;
	char	*of;		/* alias: the path of the file; else NULL */
};

/*
 * The loader, libraries and script interpreters of the program, sorted, as
 * x07-fsgate finds them. Exits with the name of the library when one is missing.
 */
struct lib	*libs_of(const char *program, size_t *n);

/* ---- make.c ---- */

/* "a" and "b" as one, in malloced memory. */
char	*join(const char *a, const char *b);
/* Makes the bundle; prints the report. Exits when it cannot. */
void	make_bundle(const struct order *);

/* ---- sidecar.c: OUT.vm ---- */

/*
 * Makes it, under another name. Returns the part that ties it to the bundle, in
 * malloced memory, and the digest of the guest in *digest. Exits when it cannot.
 */
char	*sidecar_make(const struct order *, const struct bytes *policy,
	    char **digest);
/* Gives it its name, in place of one that is there. */
void	 sidecar_place(const struct order *, mode_t mode);

/* ---- oci.c ---- */

/* Writes what was made as an OCI image layout. Exits when it cannot. */
void	oci_write(const struct order *);

/* Exits when that cannot be: the directory is there, SOURCE_DATE_EPOCH is no date. */
void	oci_check(const struct order *);

/* ---- inspect.c ---- */

int	cmd_inspect(int argc, char *argv[]);
int	cmd_verify(int argc, char *argv[]);
int	cmd_extract(int argc, char *argv[]);

#endif
