/*
 * Directories and all that is in them.
 *
 * By descriptors, not by paths, which end at PATH_MAX bytes; what lies too deep to
 * keep so many descriptors is moved up first.
 */
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "remove.h"

#define DEPTH_MAX	32

struct walk {
	int		top;
	dev_t		device;
	unsigned	moved;		/* names given at the top */
};

static int	empty(struct walk *, int dir, int depth);

/* Its owner may have taken every right away. */
static int
open_dir(int parent, const char *name)
{
	const int how = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(parent, name, how);

	if (fd == -1 && errno == EACCES && fchmodat(parent, name, 0700, 0) == 0)
		fd = openat(parent, name, how);
	if (fd != -1)
		(void)fchmod(fd, 0700);
	return fd;
}

/* Another one who removes may have been faster. */
static int
gone(int ret)
{
	return ret == -1 && errno == ENOENT ? 0 : ret;
}

static int
move_up(struct walk *w, int parent, const char *name)
{
	char to[32];
	int ret;

	/* It is written to: its ".." becomes another one. */
	if (fchmodat(parent, name, 0700, 0) == -1)
		return -1;
	do {
		snprintf(to, sizeof(to), ".x07-deep-%u", w->moved++);
		ret = renameat(parent, name, w->top, to);
	} while (ret == -1 && (errno == ENOTEMPTY || errno == EEXIST ||
	    errno == ENOTDIR));
	return ret;
}

static int
remove_dir(struct walk *w, int parent, const char *name, int depth)
{
	int fd;

	if (depth == DEPTH_MAX)
		return move_up(w, parent, name);
	fd = open_dir(parent, name);
	if (fd == -1)
		return gone(-1);
	if (empty(w, fd, depth) == -1)
		return -1;
	return gone(unlinkat(parent, name, AT_REMOVEDIR));
}

static int
remove_entry(struct walk *w, int parent, const char *name, int depth)
{
	struct stat st;

	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return gone(-1);
	if (S_ISDIR(st.st_mode))
		return remove_dir(w, parent, name, depth + 1);
	return gone(unlinkat(parent, name, 0));
}

/* Once through all that is in it. Returns how many went away; *err is of the others. */
static size_t
pass(struct walk *w, DIR *d, int depth, int *err)
{
	struct dirent *de;
	size_t n = 0;

	*err = 0;
	rewinddir(d);
	while ((de = readdir(d)) != NULL) {
		if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0)
			continue;
		if (remove_entry(w, dirfd(d), de->d_name, depth) == 0)
			n++;
		else
			*err = errno;
	}
	return n;
}

/* Closes it, too. */
static int
empty(struct walk *w, int dir, int depth)
{
	struct stat st;
	int err = EBUSY;
	DIR *d = NULL;

	if (fstat(dir, &st) == 0 && st.st_dev == w->device)
		d = fdopendir(dir);
	if (d == NULL) {
		close(dir);
		errno = err;
		return -1;
	}
	/* Some systems pass over names when others go away meanwhile. */
	while (pass(w, d, depth, &err) > 0)
		continue;
	closedir(d);
	errno = err;
	return err == 0 ? 0 : -1;
}

int
remove_tree(const char *dir)
{
	struct walk w = { .top = open_dir(AT_FDCWD, dir) };
	struct stat st;
	int fd, ret = -1;

	if (w.top == -1 && errno == ENOENT)
		return 0;
	if (w.top == -1)
		return unlink(dir);
	fd = fcntl(w.top, F_DUPFD_CLOEXEC, 0);
	if (fd != -1 && fstat(w.top, &st) == 0) {
		w.device = st.st_dev;
		ret = empty(&w, fd, 0);
	}
	close(w.top);
	return ret == 0 ? gone(rmdir(dir)) : -1;
}
