/*
 * fs.deny_hidden: what starts with a dot and is there now gets a cover. So do, as we
 * pass, the sockets of read roots, which a read-only mount lets be written to.
 */
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fsgate.h"

/* Beyond these the start would take seconds; then it is refused instead. */
#define ENTRIES_MAX	2000000	/* looked at */
#define COVERS_MAX	16384	/* made; each is a mount */
#define DEPTH_MAX	256

struct walk {
	struct view	*view;
	const char	*root;
	bool		write;
	size_t		entries, covers;
};

static bool
is_root(const struct view *v, const char *path)
{
	const struct entry *e = view_cover(v, path);

	return e != NULL && e->rank >= RANK_FIXED &&
	    strcmp(e->item.path, path) == 0;
}

/* DT_DIR, DT_SOCK or something else. */
static int
type_of(int dir, const struct dirent *de)
{
	struct stat st;

	if (de->d_type != DT_UNKNOWN)
		return de->d_type;
	if (fstatat(dir, de->d_name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return DT_UNKNOWN;
	return S_ISDIR(st.st_mode) ? DT_DIR : S_ISSOCK(st.st_mode) ? DT_SOCK :
	    DT_REG;
}

static void
hide(struct walk *w, const char *path)
{
	view_add(w->view, RANK_HIDDEN, OS_VIEW_HIDE, path, NULL, -1);
	w->covers++;
}

static void	walk_below(struct walk *, int fd, const char *path, int depth);

static void
visit(struct walk *w, int dir, const struct dirent *de, const char *path,
    int depth)
{
	int fd, type;

	if (++w->entries > ENTRIES_MAX || w->covers > COVERS_MAX ||
	    depth > DEPTH_MAX)
		refuse("fs.deny_hidden: %s holds too much to be searched for "
		    "hidden entries; name narrower roots, or set "
		    "fs.deny_hidden to false", w->root);
	if (is_root(w->view, path))
		return;		/* has a search of its own, or needs none */
	type = type_of(dir, de);
	if (de->d_name[0] == '.' || (type == DT_SOCK && !w->write)) {
		hide(w, path);
		return;
	}
	if (type != DT_DIR)
		return;
	fd = openat(dir, de->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC | O_NONBLOCK);
	if (fd == -1 && errno == ENOENT)
		return;
	/* What it holds can be opened by whoever knows the name, without a list. */
	if (fd == -1 && errno == EACCES) {
		if (faccessat(dir, de->d_name, X_OK, AT_EACCESS) == 0)
			hide(w, path);
		return;
	}
	if (fd == -1)
		refuse_errno("fs.deny_hidden: %s", path);
	walk_below(w, fd, path, depth);
}

/* Takes fd over. */
static void
walk_below(struct walk *w, int fd, const char *path, int depth)
{
	DIR *d = fdopendir(fd);
	struct dirent *de;
	char *name;

	if (d == NULL)
		refuse_errno("fs.deny_hidden: %s", path);
	while ((errno = 0, de = readdir(d)) != NULL) {
		if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0)
			continue;
		if (asprintf(&name, "%s/%s", path[1] != '\0' ? path : "",
		    de->d_name) == -1)
			refuse_errno("memory");
		visit(w, dirfd(d), de, name, depth + 1);
		free(name);
	}
	if (errno != 0)
		refuse_errno("fs.deny_hidden: %s", path);
	closedir(d);
}

void
hidden_cover(struct view *v, int fd, const char *path, bool write)
{
	struct walk w = { .view = v, .root = path, .write = write };
	int dir = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir == -1 && errno == ENOTDIR)
		return;
	if (dir == -1 && errno == EACCES && faccessat(fd, ".", X_OK, AT_EACCESS) == -1)
		return;		/* closed to the program as well */
	if (dir == -1)
		refuse("fs.deny_hidden: %s cannot be searched for hidden entries "
		    "(%s); name what is in it, or set fs.deny_hidden to false",
		    path, strerror(errno));
	walk_below(&w, dir, path, 0);
}
