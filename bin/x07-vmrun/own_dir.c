/* Directories of the user's own, where images and jobs lie. */
#include <sys/stat.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "vmrun.h"

static void
make_dirs(char *path)
{
	for (char *p = path + 1;; p++) {
		char saved = *p;

		if (saved != '/' && saved != '\0')
			continue;
		*p = '\0';
		if (mkdir(path, 0700) == -1 && errno != EEXIST)
			refuse_errno("%s", path);
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
	make_dirs(top);
	own_dir_check(top, variable);
	return top;
}

char *
own_dir(const struct own_dir *d)
{
	const char *given = getenv(d->variable), *home = getenv("HOME");
	const char *xdg = d->xdg != NULL ? getenv(d->xdg) : NULL;
	char *dir;
	int n;

	if (given != NULL && *given != '\0' && *given != '/')
		refuse("%s=%s: must be absolute", d->variable, given);
	if (given != NULL && *given != '\0')
		n = asprintf(&dir, "%s", given);
	else if (xdg != NULL && *xdg == '/')
		n = asprintf(&dir, "%s%s", xdg, d->in_xdg);
	else if (home != NULL && *home == '/' && access(home, W_OK) == 0)
		n = asprintf(&dir, "%s%s", home, d->in_home);
	else
		n = asprintf(&dir, "%s%s", in_tmp(d->variable), d->in_tmp);
	if (n == -1)
		refuse_errno("memory");
	make_dirs(dir);
	own_dir_check(dir, d->variable);
	return dir;
}
