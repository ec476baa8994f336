/*
 * bundle.h - the file of a bundle: an ELF stub, parts one after the other, a
 * table of them, a footer. The footer has the digest of the table, the table the
 * length and the digest of every part, the stub first, so that the whole file
 * follows from the footer: nothing can be taken away, put in or moved.
 */
#ifndef BUNDLE_H
#define BUNDLE_H

#include <sys/types.h>

#include <stddef.h>
#include <stdint.h>

#include "digest.h"

#define BUNDLE_PARTS_MAX	4096

/* Names of parts. "program/", "gate/" and "lib/" are followed by a name each. */
#define BUNDLE_STUB		"stub"
#define BUNDLE_ABOUT		"bundle.json"	/* for people and inspect */
#define BUNDLE_FORM		"policy"	/* normal form; none: no gates */
#define BUNDLE_POLICY		"policy.json"
#define BUNDLE_PROGRAM		"program/"
#define BUNDLE_GATE		"gate/"
#define BUNDLE_LIB		"lib"		/* and the path that the file has */
#define BUNDLE_LINKS		"links"		/* "PATH FILE" lines: more paths of libs */
#define BUNDLE_VM		"vm"		/* digest of the sidecar's manifest */

/*
 * Where a sandboxed program finds itself: in a directory that every view has for
 * itself, even when the policy's root is /; and in a machine of its own.
 */
#define BUNDLE_PLACE		"/dev/x07-bundle/"
#define BUNDLE_PLACE_VM		"/opt/x07/bundle/"

struct bundle_part {
	char		*name;		/* relative, without "." and ".." */
	unsigned	 mode;		/* permission bits */
	uint64_t	 at, len;	/* in the file */
	unsigned char	 digest[DIGEST_LEN];
};

struct bundle {
	int			 fd;
	struct bundle_part	*parts;	/* in the order of the file */
	size_t			 n;
	unsigned char		 digest[DIGEST_LEN];	/* of the table */
};

/*
 * Reads the table of the bundle fd is open on, and checks that its parts are the
 * file without a gap. Returns 0, or -1 with a sentence in err.
 */
int	bundle_open(struct bundle *, int fd, char *err, size_t errsz);

/* The part of that name, or the first of names that start with it when it ends in "/". */
const struct bundle_part	*bundle_find(const struct bundle *, const char *name);

/*
 * Copies a part to the descriptor to (-1: nowhere) and checks that what it copied
 * is what the table says: use the copy, not the file. Returns 0, or -1 with errno
 * (EBADMSG: it is not).
 */
int	bundle_copy(const struct bundle *, const struct bundle_part *, int to);

/* The same into malloced memory with a NUL behind it; NULL with errno. */
char	*bundle_load(const struct bundle *, const struct bundle_part *);

/* ---- making one: bundle_write.c ---- */

/*
 * Appends the next len bytes of from as a part; the first one is the stub. fd is
 * open for writing, at the end of what was written. Return 0, or -1 with errno.
 */
int	bundle_add_fd(struct bundle *, const char *name, unsigned mode, int from);
int	bundle_add(struct bundle *, const char *name, unsigned mode, const void *data,
	    size_t len);
/* Writes the table and the footer. */
int	bundle_finish(struct bundle *);

#endif
