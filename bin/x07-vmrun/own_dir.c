/* Directories of the user's own, where images and jobs lie. */
#include <sys/stat.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmrun.h"

/*
 * True when nobody but us and root can put another directory in the place of this one, or
 * of one above it. Whom / belongs to is root, also where users have other numbers. The
 * path is a real one; where says which directory it is not true of.
 */
static bool
is_firm(const char *real, char where[PATH_MAX])
{
	struct stat st, root;

	if (lstat("/", &root) == -1)
		return false;
	for (size_t len = 1;; len += strcspn(real + len, "/")) {
		snprintf(where, PATH_MAX, "%.*s", (int)len, real);
		if (lstat(where, &st) == -1 || !S_ISDIR(st.st_mode) ||
		    (st.st_uid != geteuid() && st.st_uid != 0 &&
		    st.st_uid != root.st_uid) ||
		    ((st.st_mode & 022) != 0 && (st.st_mode & S_ISVTX) == 0))
			return false;
		if (real[len] == '\0')
			return true;
		len += real[len] == '/';
	}
}

/* The path without links, in malloced memory. Refuses one that others can exchange. */
static char *
firm_path(const char *dir, const char *variable)
{
	char *real = realpath(dir, NULL), where[PATH_MAX];

	if (real == NULL)
		refuse_errno("%s", dir);
	if (!is_firm(real, where))
		refuse("%s must be a directory of yours or root's that nobody else "
		    "can write to: %s is below it (%s names another)", where, dir,
		    variable);
	return real;
}

/* Nothing is made where others could have led us. */
static void
make_dirs(char *path, const char *variable)
{
	struct stat st;
	size_t up;

	for (char *p = path + 1;; p++) {
		char saved = *p, *above;

		if (saved != '/' && saved != '\0')
			continue;
		*p = '\0';
		if (lstat(path, &st) == -1 && errno == ENOENT) {
			up = (size_t)(strrchr(path, '/') - path);
			above = strndup(path, up > 0 ? up : 1);
			if (above == NULL)
				refuse_errno("memory");
			free(firm_path(above, variable));
			free(above);
			if (mkdir(path, 0700) == -1 && errno != EEXIST)
				refuse_errno("%s", path);
		}
		*p = saved;
		if (saved == '\0')
			return;
	}
}

void
own_dir_check(const char *dir, const char *variable)
{
	struct stat st;

	if (lstat(dir, &st) == -1)
		refuse_errno("%s", dir);
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() ||
	    (st.st_mode & 022) != 0)
		refuse("%s must be a directory of yours that nobody else can "
		    "write to (%s names another)", dir, variable);
}

/* Anybody could have made it, and then may put other things in the place of ours. */
static const char *
in_tmp(const char *variable)
{
	static char top[32];

	snprintf(top, sizeof(top), "/tmp/x07-%u", (unsigned)getuid());
	make_dirs(top, variable);
	own_dir_check(top, variable);
	return top;
}

/* A home of another user's, which root may have been left with, is none of ours. */
static bool
is_home(const char *home)
{
	char *real = realpath(home, NULL), where[PATH_MAX];
	bool good = real != NULL && access(real, W_OK) == 0 && is_firm(real, where);

	free(real);
	return good;
}

char *
own_dir(const struct own_dir *d)
{
	const char *given = getenv(d->variable), *home = getenv("HOME");
	const char *xdg = d->xdg != NULL ? getenv(d->xdg) : NULL;
	char *dir, *real;
	int n;

	if (given != NULL && *given != '\0' && *given != '/')
		refuse("%s=%s: must be absolute", d->variable, given);
	if (given != NULL && *given != '\0')
		n = asprintf(&dir, "%s", given);
	else if (xdg != NULL && *xdg == '/')
		n = asprintf(&dir, "%s%s", xdg, d->in_xdg);
	else if (home != NULL && *home == '/' && is_home(home))
		n = asprintf(&dir, "%s%s", home, d->in_home);
	else
		n = asprintf(&dir, "%s%s", in_tmp(d->variable), d->in_tmp);
	if (n == -1)
		refuse_errno("memory");
	make_dirs(dir, d->variable);
	own_dir_check(dir, d->variable);
	real = firm_path(dir, d->variable);
	free(dir);
	return real;
}
