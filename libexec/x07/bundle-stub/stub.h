/*
 * stub.h - the parts of bundle-stub.
 */
#ifndef STUB_H
#define STUB_H

#include "bundle.h"

/* ---- bundle-stub.c ---- */

/* "a", "b" and "c" as one, in malloced memory. */
char	*join(const char *a, const char *b, const char *c);

/* ---- machine.c: the directory beside a bundle for a machine ---- */

struct machine {
	char	*dir;			/* the sidecar */
	char	*backend, *image, *digest;
};

/*
 * Reads what the part says of the sidecar, finds it beside the bundle, checks each file
 * in it, and copies the payload to the path program. Refuses, after place_remove().
 */
void	machine_open(struct machine *, char *part, const char *program);

/* ---- place.c: a private directory ---- */

/*
 * Makes a directory that only this user can enter and that nobody else can
 * replace. Refuses when there is no place for one. Returns its path, constant.
 */
const char	*place_make(void);
/* Removes it with all that is in it, when there is one. */
void		 place_remove(void);

#endif
