/*
 * Files that are replaced as a whole.
 *
 * A kill leaves nothing beside one but in one moment: the new file has a name of its
 * own only from when all of its text is known until it is written.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "io.h"
#include "outfile.h"
#include "x07.h"

#define TEMP_MAX	64

/* Names of descriptors, which are not to be opened once more: fd:N. */
static const char *
as_descriptor(const char *spec, char text[32])
{
	static const struct {
		const char	*name, *text;
	} names[] = {
		{ "/dev/stdout", "fd:1" }, { "/dev/stderr", "fd:2" },
		{ "/dev/fd/", "fd:" }, { "/proc/self/fd/", "fd:" }, { "fd:", "fd:" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t len = strlen(names[i].name);

		if (strncmp(spec, names[i].name, len) != 0 ||
		    (i < 2 && spec[len] != '\0'))
			continue;
		snprintf(text, 32, "%s%s", names[i].text, spec + len);
		return text;
	}
	return NULL;
}

static int
make_new(const struct outfile *o, char temp[TEMP_MAX])
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(temp, TEMP_MAX, ".x07-%ld-%lx.tmp", (long)getpid(), now.tv_nsec);
	return openat(o->dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
	    O_CLOEXEC, o->mode);
}

static void
close_fd(int *fd)
{
	int err = errno;

	if (*fd != -1)
		close(*fd);
	*fd = -1;
	errno = err;
}

/* Can a file be made there? Where that goes it never has a name, or a kill would leave it. */
static int
try_place(const struct outfile *o)
{
	char temp[TEMP_MAX];
	int fd = -1;

#ifdef O_TMPFILE
	fd = openat(o->dir, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, o->mode);
	if (fd != -1)
		return close(fd);
#endif
	fd = make_new(o, temp);
	if (fd == -1)
		return -1;
	close(fd);
	return unlinkat(o->dir, temp, 0);
}

/* Finds out whether a file can be made beside that path; -1 with errno: not. */
static int
open_place(struct outfile *o, const char *path)
{
	char copy[PATH_MAX];

	if (strlen(path) >= sizeof(copy)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strlcpy(copy, path, sizeof(copy));
	if (strlcpy(o->name, basename(copy), sizeof(o->name)) >= sizeof(o->name)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strlcpy(copy, path, sizeof(copy));
	o->dir = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (o->dir == -1)
		return -1;
	if (try_place(o) == -1) {
		close_fd(&o->dir);
		return -1;
	}
	return 0;
}

/* What is there already, where a link leads to unless that is replaced itself. */
static int
open_old(struct outfile *o, const char *path)
{
	char *real = NULL;
	int ret;

	if ((o->how & OUTFILE_NOFOLLOW) == 0 &&
	    (real = realpath(path, NULL)) == NULL)
		return -1;
	ret = open_place(o, real != NULL ? real : path);
	free(real);
	return ret;
}

/* What must be written in place, or may be when that is all that can be done. */
static int
open_file(struct outfile *o, const char *path, const struct stat *st)
{
	o->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	if (o->fd == -1)
		return -1;
	o->opened = true;
	o->is_file = S_ISREG(st->st_mode);
	if (o->is_file && st->st_uid == geteuid())
		(void)open_old(o, path);
	return 0;
}

int
outfile_open(struct outfile *o, const char *path, mode_t mode, unsigned how)
{
	size_t len = strlen(path);
	struct stat st;
	int found;

	*o = (struct outfile){ .fd = -1, .dir = -1, .mode = mode, .how = how };
	found = (how & OUTFILE_NOFOLLOW) != 0 ? lstat(path, &st) : stat(path, &st);
	if (found == -1 && (errno != ENOENT || len == 0 || path[len - 1] == '/'))
		return -1;
	/* A link to nothing is replaced itself. */
	if (found == -1 || S_ISLNK(st.st_mode))
		return open_place(o, path);
	if (S_ISDIR(st.st_mode)) {
		errno = EISDIR;
		return -1;
	}
	o->old = true;
	o->mode = st.st_mode & 0777;
	o->uid = st.st_uid;
	o->gid = st.st_gid;
	return S_ISREG(st.st_mode) && (how & OUTFILE_WHOLE) != 0 ?
	    open_old(o, path) : open_file(o, path, &st);
}

void
outfile_option(struct outfile *o, const char *flag, const char *spec, mode_t mode)
{
	char text[32];

	*o = (struct outfile)OUTFILE_NONE;
	if (as_descriptor(spec, text) != NULL)
		o->fd = audit_open(flag, text);
	else if (outfile_open(o, spec, mode, 0) == -1)
		refuse_errno("%s %s", flag, spec);
}

bool
outfile_wanted(const struct outfile *o)
{
	return o->fd != -1 || o->dir != -1;
}

size_t
outfile_fds(const struct outfile *o, int fds[2])
{
	size_t n = 0;

	if (o->fd >= 3)
		fds[n++] = o->fd;
	if (o->dir != -1)
		fds[n++] = o->dir;
	return n;
}

/* Only root can keep a foreign owner. */
static int
keep_owner(const struct outfile *o, int fd)
{
	if (!o->old)
		return 0;
	if ((o->how & OUTFILE_WHOLE) != 0 &&
	    fchown(fd, o->uid, o->gid) == -1 && errno != EPERM)
		return -1;
	return fchmod(fd, o->mode);
}

static int
replace(const struct outfile *o, int fd, const char *temp, const void *text,
    size_t len)
{
	bool sync = (o->how & OUTFILE_WHOLE) != 0;
	int err;

	if (keep_owner(o, fd) == 0 && write_all(fd, text, len) == 0 &&
	    (!sync || fsync(fd) == 0)) {
		/* Some file systems say only now that there is no room. */
		if (close(fd) == 0 &&
		    renameat(o->dir, temp, o->dir, o->name) == 0) {
			if (sync)
				(void)fsync(o->dir);
			return 0;
		}
		fd = -1;
	}
	err = errno;
	if (fd != -1)
		close(fd);
	unlinkat(o->dir, temp, 0);
	errno = err;
	return -1;
}

static int
write_in_place(const struct outfile *o, const void *text, size_t len)
{
	if (o->is_file && ftruncate(o->fd, 0) == -1)
		return -1;
	return write_all(o->fd, text, len);
}

int
outfile_write(struct outfile *o, const void *text, size_t len)
{
	char temp[TEMP_MAX];
	int fd = o->dir != -1 ? make_new(o, temp) : -1, ret = -1;

	if (fd != -1)
		ret = replace(o, fd, temp, text, len);
	/* No room for another one is no reason to destroy the old one. */
	else if (o->fd != -1 && (o->dir == -1 || (errno != ENOSPC &&
	    errno != EDQUOT)))
		ret = write_in_place(o, text, len);
	if (o->opened)
		close_fd(&o->fd);
	close_fd(&o->dir);
	return ret;
}
