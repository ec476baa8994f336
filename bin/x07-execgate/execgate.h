/*
 * execgate.h - between the files of x07-execgate.
 */
#ifndef EXECGATE_H
#define EXECGATE_H

#include <stddef.h>

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

#endif
