/* A private directory for the parts that must have a path. */
#include <sys/stat.h>

#include <errno.h>
#include <fts.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
	struct stat st;

	if (realpath(dir, path) == NULL || strpbrk(path, ":\\") != NULL)
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

const char *
place_make(void)
{
	if (!try(getenv("XDG_RUNTIME_DIR")) && !try(getenv("TMPDIR")) &&
	    !try("/tmp") && !try("/var/tmp") && !try("/dev/shm"))
		refuse("no directory for the parts: XDG_RUNTIME_DIR, TMPDIR, "
		    "/tmp, /var/tmp and /dev/shm are missing, full, read-only, or "
		    "others could rename what is in them; set TMPDIR to a "
		    "directory of yours");
	return place;
}

void
place_remove(void)
{
	char *paths[] = { place, NULL };
	FTS *fts;
	FTSENT *e;

	if (*place == '\0')
		return;
	fts = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
	while (fts != NULL && (e = fts_read(fts)) != NULL)
		if (e->fts_info == FTS_DP)
			rmdir(e->fts_accpath);
		else if (e->fts_info != FTS_D)
			unlink(e->fts_accpath);
	if (fts != NULL)
		fts_close(fts);
	*place = '\0';
}
