/* New directories, which nobody sees half written. */
#include <sys/stat.h>

#include <errno.h>

#include "x07-bundle.h"

void
refuse_old(const char *what, const char *path)
{
	struct stat st;

	if (lstat(path, &st) == -1)
		return;
	errno = EEXIST;
	die_errno(EXIT_USAGE, "%s%s", what, path);
}

void
begin_dir(struct unfinished *u, const char *what, const char *path)
{
	refuse_old(what, path);
	if (unfinished_dir(u, path) == -1)
		die_errno(EXIT_USAGE, "%s%s", what, path);
}

void
place_dir(struct unfinished *u, const char *what, const char *path)
{
	mode_t mask = umask(0);

	umask(mask);
	if (chmod(u->path, 0777 & ~mask) == -1 || unfinished_place(u, path) == -1)
		die_errno(EXIT_USAGE, "%s%s", what, path);
}
