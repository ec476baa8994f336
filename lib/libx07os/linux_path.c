/*
 * Resolving a path by the rules of openat2(2), also where it cannot be called:
 * under our own filter, which has to refuse it (see deny_setid in linux_filter.c).
 */
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <string.h>
#include <unistd.h>

#include "linux.h"

#define LINKS_MAX	40	/* path_resolution(7) */
#define DEPTH_MAX	256	/* directories held open at once */

/*
 * The directories from the base down to where we are. ".." goes back to the one
 * before, not to what the kernel calls the parent by then, so nobody who moves
 * directories about leads us out.
 */
struct walk {
	int		 dir[DEPTH_MAX];
	size_t		 n;
	uint64_t	 how;
	int		 links;
	char		 rest[PATH_MAX];	/* still to be walked */
};

static int
fail(int err)
{
	errno = err;
	return -1;
}

/* Closes all but the first n. */
static void
keep(struct walk *w, size_t n)
{
	int err = errno;

	while (w->n > n)
		close(w->dir[--w->n]);
	errno = err;
}

/* To the root, or to the parent of the base: nothing of the way is left. */
static int
leave(struct walk *w, int at, const char *path)
{
	int fd;

	if ((w->how & RESOLVE_BENEATH) != 0)
		return fail(EXDEV);
	fd = openat(at, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		return -1;
	keep(w, 0);
	w->dir[w->n++] = fd;
	return 0;
}

/*
 * The file system that the link is in. QEMU's server of 9p cannot tell by a link, but
 * by the directory that it is in.
 */
static int
where(int link, int dir, struct statfs *fs)
{
	struct stat a, b;

	if (fstatfs(link, fs) == 0)
		return 0;
	if (fstat(link, &a) == -1 || fstat(dir, &b) == -1 || a.st_dev != b.st_dev)
		return -1;
	return fstatfs(dir, fs);
}

/* Links of /proc that lead where their text does not: to what a process has open. */
static bool
is_magic(int link, int dir, const char *text)
{
	struct statfs fs;

	return where(link, dir, &fs) == -1 || (fs.f_type == PROC_SUPER_MAGIC &&
	    (*text == '/' || strchr(text, ':') != NULL));
}

/* What the link says comes before the rest. */
static int
follow(struct walk *w, int link)
{
	char text[PATH_MAX];
	size_t rest = strlen(w->rest);
	ssize_t n;

	if ((w->how & RESOLVE_NO_SYMLINKS) != 0 || ++w->links > LINKS_MAX)
		return fail(ELOOP);
	n = readlinkat(link, "", text, sizeof(text) - 1);
	if (n == -1)
		return -1;
	text[n] = '\0';
	if (n == 0)
		return fail(ENOENT);
	if (is_magic(link, w->dir[w->n - 1], text))
		return fail(ELOOP);
	if ((size_t)n + rest >= sizeof(text))
		return fail(ENAMETOOLONG);
	memcpy(text + n, w->rest, rest + 1);
	memcpy(w->rest, text, (size_t)n + rest + 1);
	return *text == '/' ? leave(w, AT_FDCWD, "/") : 0;
}

/* A component that is neither "." nor "..". */
static int
enter(struct walk *w, const char *name, bool nofollow)
{
	int fd = openat(w->dir[w->n - 1], name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int ret, err;

	if (fd == -1)
		return -1;
	ret = fstat(fd, &st);
	if (ret == 0 && S_ISLNK(st.st_mode) && (*w->rest != '\0' || !nofollow))
		ret = follow(w, fd);
	else if (ret == 0 && *w->rest != '\0' && !S_ISDIR(st.st_mode))
		ret = fail(ENOTDIR);
	else if (ret == 0 && w->n == DEPTH_MAX)
		ret = fail(ENAMETOOLONG);
	else if (ret == 0) {
		w->dir[w->n++] = fd;
		return 0;
	}
	err = errno;
	close(fd);
	errno = err;
	return ret;
}

/* Takes the next component; the slashes behind it stay with the rest. */
static int
step(struct walk *w, bool nofollow)
{
	char name[NAME_MAX + 1];
	char *s = w->rest + strspn(w->rest, "/");
	size_t n = strcspn(s, "/");

	if (n > NAME_MAX)
		return fail(ENAMETOOLONG);
	memcpy(name, s, n);
	name[n] = '\0';
	memmove(w->rest, s + n, strlen(s + n) + 1);
	if (n == 0 || strcmp(name, ".") == 0)
		return 0;
	if (strcmp(name, "..") != 0)
		return enter(w, name, nofollow);
	if (w->n == 1)
		return leave(w, w->dir[0], "..");
	keep(w, w->n - 1);
	return 0;
}

static int
walk(int base, const char *path, bool nofollow, uint64_t how)
{
	struct walk w = { .n = 0, .how = how };
	int ret = 0, fd = -1;

	if (*path == '\0')
		return fail(ENOENT);
	if (strlcpy(w.rest, path, sizeof(w.rest)) >= sizeof(w.rest))
		return fail(ENAMETOOLONG);
	if (*path == '/' && (how & RESOLVE_BENEATH) != 0)
		return fail(EXDEV);
	w.dir[0] = *path == '/' ? open("/", O_PATH | O_DIRECTORY | O_CLOEXEC) :
	    openat(base, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (w.dir[0] == -1)
		return -1;
	w.n = 1;
	while (ret == 0 && *w.rest != '\0')
		ret = step(&w, nofollow);
	if (ret == 0)
		fd = w.dir[--w.n];
	keep(&w, 0);
	return fd;
}

int
path_resolve(int base, const char *path, bool nofollow, uint64_t how)
{
	struct open_how oh = {
		.flags = O_PATH | O_CLOEXEC | (nofollow ? O_NOFOLLOW : 0),
		.resolve = how | RESOLVE_NO_MAGICLINKS,
	};
	int fd = (int)syscall(SYS_openat2, base, path, &oh, sizeof(oh));

	return fd == -1 && errno == ENOSYS ?
	    walk(base, path, nofollow, how) : fd;
}
