/*
 * outfile.h - a file that is written once, at the end: all of it, or the one that was
 * there stays.
 */
#ifndef OUTFILE_H
#define OUTFILE_H

#include <sys/types.h>

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

struct outfile {
	int	fd;			/* written in place, -1 */
	bool	opened, is_file;	/* by us; and is truncated first */
	int	dir;			/* of the file that is replaced, -1 */
	char	name[NAME_MAX + 1];	/* there */
	bool	old;			/* one is there, whose mode is kept */
	mode_t	mode;
	uid_t	uid;
	gid_t	gid;
	unsigned how;
};

#define OUTFILE_NONE	{ .fd = -1, .dir = -1 }

enum {
	/*
	 * A file is never written in place, keeps its owner where that is allowed, and
	 * survives a power cut.
	 */
	OUTFILE_WHOLE = 1 << 0,
	OUTFILE_NOFOLLOW = 1 << 1,	/* a symbolic link is replaced itself */
};

/*
 * Finds out that path can be written, without changing it. A new file gets that
 * mode. What is no ordinary file, belongs to somebody else, or lies where no other can
 * be made is written in place; the rest is replaced. -1 with errno.
 */
int	outfile_open(struct outfile *, const char *path, mode_t mode, unsigned how);

/*
 * The same for the value of an option, FILE or fd:N; names of descriptors such as
 * /dev/stdout are not opened once more. Refuses.
 */
void	outfile_option(struct outfile *, const char *flag, const char *spec,
	    mode_t mode);

bool	outfile_wanted(const struct outfile *);
/* The descriptors that it needs. Returns their number. */
size_t	outfile_fds(const struct outfile *, int fds[2]);

/*
 * Puts the text in place of what is there, and closes what outfile_open opened. -1 with
 * errno: then a file that is replaced is what it was.
 */
int	outfile_write(struct outfile *, const void *text, size_t len);

#endif
