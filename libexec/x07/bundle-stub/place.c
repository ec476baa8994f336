/* A private directory for the parts that must have a path. */
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os.h"
#include "remove.h"
#include "stub.h"
#include "x07.h"

static char	place[PATH_MAX];

/*
 * Can another user rename what we make in dir, or in one of its parents? Not
 * when each belongs to us or root and either nobody else writes there or it is
 * sticky.
 */
static bool
safe(const char *dir)
{
	char path[PATH_MAX], *slash;
	struct statvfs fs;
	struct stat st;

	/* Programs of ours are to be run there. */
	if (realpath(dir, path) == NULL || strpbrk(path, ":\\") != NULL ||
	    statvfs(path, &fs) == -1 || (fs.f_flag & ST_NOEXEC) != 0)
		return false;
	for (;;) {
		if (stat(path, &st) == -1 || !S_ISDIR(st.st_mode) ||
		    (st.st_uid != 0 && st.st_uid != geteuid()) ||
		    ((st.st_mode & 022) != 0 && (st.st_mode & S_ISVTX) == 0))
			return false;
		slash = strrchr(path, '/');
		if (slash == path && slash[1] == '\0')
			return true;
		slash[slash == path] = '\0';
	}
}

static bool
try(const char *dir)
{
	char path[PATH_MAX];

	if (dir == NULL || *dir != '/' || !safe(dir) ||
	    realpath(dir, path) == NULL)
		return false;
	if (snprintf(place, sizeof(place), "%s/x07-bundle.XXXXXX",
	    strcmp(path, "/") == 0 ? "" : path) < (int)sizeof(place) &&
	    mkdtemp(place) != NULL)
		return true;
	*place = '\0';
	return false;
}

/*
 * A process that removes the directory when this one is gone, however it went.
 * The pipe tells: we alone hold its other end.
 */
static void
leave_cleaner(void)
{
	int fds[2];
	char c;

	if (pipe2(fds, O_CLOEXEC) == -1)
		refuse_errno("pipe");
	switch (fork()) {
	case -1:
		place_remove();
		refuse_errno("fork");
	case 0:
		/* What ends the others must not end it, nor does it hold their files. */
		setsid();
		os_close_fds(fds, 1);
		for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
			close(fd);
		while (read(fds[0], &c, 1) == -1 && errno == EINTR)
			continue;
		place_remove();
		_exit(0);
	default:
		close(fds[0]);
	}
}

const char *
place_make(void)
{
	if (!try(getenv("XDG_RUNTIME_DIR")) && !try(getenv("TMPDIR")) &&
	    !try("/tmp") && !try("/var/tmp") && !try("/dev/shm"))
		refuse("no directory for the parts: XDG_RUNTIME_DIR, TMPDIR, "
		    "/tmp, /var/tmp and /dev/shm are missing, full, read-only, "
		    "mounted noexec, or others could rename what is in them; set "
		    "TMPDIR to a directory of yours");
	leave_cleaner();
	return place;
}

void
place_remove(void)
{
	if (*place != '\0')
		(void)remove_tree(place);
	*place = '\0';
}
