/*
 * stub.h - the parts of bundle-stub.
 */
#ifndef STUB_H
#define STUB_H

/* ---- place.c: a private directory ---- */

/*
 * Makes a directory that only this user can enter and that nobody else can
 * replace. Refuses when there is no place for one. Returns its path, constant.
 */
const char	*place_make(void);
/* Removes it with all that is in it, when there is one. */
void		 place_remove(void);

#endif
