/* The directories and files that the policy lets the program read or write. */
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fsgate.h"

static void
add(struct roots *r, struct root root)
{
	if (r->n == r->space) {
		r->space = r->space * 2 + 16;
		r->list = reallocarray(r->list, r->space, sizeof(*r->list));
		if (r->list == NULL)
			refuse_errno("memory");
	}
	r->list[r->n++] = root;
}

/* Cuts SRC[:DST] at the first bare colon; "\:" is a colon, "\\" a backslash. */
static char *
cut(char *arg)
{
	char *to = arg, *rest = NULL;

	for (char *from = arg; *from != '\0'; from++) {
		if (*from == '\\' && (from[1] == ':' || from[1] == '\\')) {
			*to++ = *++from;
		} else if (*from == ':' && rest == NULL) {
			*to++ = '\0';
			rest = to;
		} else {
			*to++ = *from;
		}
	}
	*to = '\0';
	return rest;
}

void
roots_add_flag(struct roots *r, const char *arg, bool write)
{
	struct root root = { .label = write ? "-w" : "-r", .write = write };
	char *src = strdup(arg);

	if (src == NULL)
		refuse_errno("memory");
	root.dst = cut(src);
	root.src = src;
	if (*src == '\0')
		refuse("%s %s: no path; write SRC or SRC:DST", root.label, arg);
	if (root.dst != NULL && *root.dst != '/')
		refuse("%s %s: what follows the colon must be an absolute path; "
		    "a colon in a name is written \\:", root.label, arg);
	add(r, root);
}

static void
add_list(struct roots *r, const struct form *form, const char *key,
    const char *project, bool write)
{
	const char *const *items;
	size_t n = form_list(form, key, &items);

	for (size_t i = 0; i < n; i++)
		add(r, (struct root){ .src = items[i], .base = project,
		    .label = key, .write = write });
}

void
roots_add_policy(struct roots *r, const struct form *form, const char *project)
{
	if (!form_bool(form, "fs.enabled", false))
		return;
	add_list(r, form, "fs.read_roots", project, false);
	add_list(r, form, "fs.write_roots", project, true);
}

/* Says in the audit log what became of a root; refuses when it is denied. */
static void
decide(const struct chain *c, const struct root *root, const char *path,
    const char *why, const char *hint)
{
	struct verdict v = {
		.verb = root->write ? "write root" : "read root",
		.object = path, .why = why, .hint = hint,
		.key = root->write ? "fs.write_roots" : "fs.read_roots",
		.allowed = why == NULL,
	};

	if (why == NULL) {
		v.why = "listed";
		if (c->audit_fd >= 0)
			audit_verdict(c->audit_fd, &v, true, c->dry_run, NULL);
		return;
	}
	audit_verdict(c->audit_fd, &v, true, c->dry_run, NULL);
	if (!c->dry_run)
		refuse("%s %s: %s; %s", root->label, path, why, hint);
	note("would refuse %s %s: %s; %s", root->label, path, why, hint);
}

/* Makes the directories of rel that are missing, never through a link out. */
static int
make_below(int base, const char *rel)
{
	char *path = strdup(rel), *slash = path;
	int parent = base, fd = -1;

	if (path == NULL)
		return -1;
	for (;;) {
		slash = strchr(slash, '/');
		if (slash != NULL)
			*slash = '\0';
		fd = os_path_open(base, path, OS_PATH_BENEATH);
		if (fd == -1 && errno == ENOENT) {
			const char *leaf = strrchr(path, '/');

			if (mkdirat(parent, leaf != NULL ? leaf + 1 : path,
			    0755) == 0 || errno == EEXIST)
				fd = os_path_open(base, path, OS_PATH_BENEATH);
		}
		if (fd == -1 || slash == NULL)
			break;
		*slash++ = '/';
		if (parent != base)
			close(parent);
		parent = fd;
	}
	free(path);
	return fd;
}

/* base_name is the name to open base by. */
static int
open_below(const char *base_name, const char *base, const char *path, bool make)
{
	const char *rel = path + strlen(base);
	int dir = open(base_name, O_PATH | O_DIRECTORY | O_CLOEXEC), fd, err;

	if (dir == -1)
		return -1;
	rel += *rel == '/';
	fd = os_path_open(dir, *rel != '\0' ? rel : ".", OS_PATH_BENEATH);
	if (fd == -1 && errno == ENOENT && make)
		fd = make_below(dir, rel);
	err = errno;
	close(dir);
	errno = err;
	return fd;
}

int
roots_open(const char *base, const char *path)
{
	if (base == NULL || !path_within(path, base))
		return os_path_open(AT_FDCWD, path, 0);
	return open_below(base, base, path, false);
}

static int
open_root(const struct root *root, const char *base, const char *path,
    bool make)
{
	if (base == NULL || !path_within(path, base))
		return os_path_open(AT_FDCWD, path, 0);
	/* The current directory is reached even where its path is closed to us. */
	return open_below(root->base != NULL ? base : ".", base, path,
	    root->write && make);
}

static const char *
why_not(const char *path, int err, const struct root *root, const char **hint)
{
	static char text[PATH_MAX + 64];
	char target[PATH_MAX];
	ssize_t n;

	switch (err) {
	case ENOENT:
		*hint = root->write ? "make it first (only below the project or "
		    "the current directory is it made for you)" :
		    "make it, or take it out of the list";
		return "does not exist";
	case EXDEV:
		*hint = "name the directory it leads to";
		return "leads out of the project through a symbolic link";
	case ELOOP:
		n = readlink(path, target, sizeof(target) - 1);
		*hint = "name what it points to";
		if (n == -1)
			return "is reached through too many symbolic links";
		target[n] = '\0';
		snprintf(text, sizeof(text), "is a symbolic link to %s", target);
		return text;
	default:
		*hint = "see that you can reach it yourself";
		return strerror(err);
	}
}

bool
real_path(int fd, char path[PATH_MAX])
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, PATH_MAX - 1);
	path[n > 0 ? n : 0] = '\0';
	return n > 0 && path[0] == '/';
}

static void
put(struct view *v, const struct root *root, const char *path, int fd,
    bool mapped)
{
	view_add(v, root->write ? RANK_WRITE : RANK_READ,
	    root->write ? OS_VIEW_WRITE : OS_VIEW_READ, path, NULL, fd);
	v->entries[v->n - 1].mapped = mapped;
}

/*
 * A device is opened through no root, and gates and programs need those of the private
 * /dev. What else lies there, memory files for instance, may be shown; so may a file at
 * a name that is no device's, as x07-bundle has it.
 */
static const char *
is_devices(const char *seen, int fd)
{
	struct stat st, there;

	if (fstat(fd, &st) == -1)
		refuse_errno("%s", seen);
	if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
		return "is a device, and the program gets a /dev of its own";
	if (strcmp(seen, "/dev") == 0 || (path_within(seen, "/dev") &&
	    !path_within(seen, "/dev/shm") && !S_ISDIR(st.st_mode) &&
	    (!S_ISREG(st.st_mode) || (lstat(seen, &there) == 0 &&
	    !S_ISREG(there.st_mode)))))
		return "the program gets a /dev of its own";
	return NULL;
}

static void
resolve(const struct root *root, const char *base, struct view *v,
    const struct chain *c)
{
	char real[PATH_MAX], *path, *dst = NULL;
	const char *why, *hint;
	int fd;

	if (root->base != NULL)
		base = root->base;
	if (base == NULL && *root->src != '/')
		refuse("%s %s: the current directory has no path, perhaps it was "
		    "removed; name it by an absolute path", root->label,
		    root->src);
	path = path_normalise(base != NULL ? base : "/", root->src);
	if (path == NULL || (root->dst != NULL &&
	    (dst = path_normalise("/", root->dst)) == NULL))
		refuse_errno("%s %s", root->label, root->src);
	fd = open_root(root, base, path, !c->dry_run);
	if (fd == -1 && errno == ENOENT && c->dry_run && root->write &&
	    base != NULL && path_within(path, base)) {
		/* It would be made; a dry run makes nothing. */
		decide(c, root, path, NULL, NULL);
		return;
	}
	if (fd == -1) {
		why = why_not(path, errno, root, &hint);
		decide(c, root, path, why, hint);
		return;
	}
	if (!real_path(fd, real))
		refuse_errno("%s %s", root->label, path);
	if (path_within(real, "/proc") ||
	    path_within(dst != NULL ? dst : path, "/proc")) {
		decide(c, root, path, "the program gets a /proc of its own",
		    "leave it out");
		return;
	}
	if ((why = is_devices(dst != NULL ? dst : path, fd)) != NULL) {
		decide(c, root, path, why, "leave it out: null, zero, full, random, "
		    "urandom and tty are there");
		return;
	}
	decide(c, root, path, NULL, NULL);
	put(v, root, dst != NULL ? dst : path, fd,
	    dst != NULL && strcmp(dst, path) != 0);
	/* Reached through a link on the way: getcwd(3) says the real path. */
	if (dst == NULL && strcmp(real, path) != 0)
		put(v, root, real, fd, false);
}

void
roots_resolve(const struct roots *r, const char *base, struct view *v,
    const struct chain *c)
{
	for (size_t i = 0; i < r->n; i++)
		resolve(&r->list[i], base, v, c);
}

/* ---- what is mounted in them and is no files ---- */

struct points {
	char	**list;
	size_t	n, space;
};

static int
collect(const char *point, void *arg)
{
	struct points *p = arg;

	if (p->n == p->space) {
		p->space = p->space * 2 + 32;
		p->list = reallocarray(p->list, p->space, sizeof(*p->list));
		if (p->list == NULL)
			return -1;
	}
	p->list[p->n] = strdup(point);
	return p->list[p->n++] == NULL ? -1 : 0;
}

/* Does the tree itself lie in such a mount? Then it was asked for. */
static bool
lies_in(const char *tree, const struct points *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (path_within(tree, p->list[i]))
			return true;
	return false;
}

/* Entry i shows the tree at source. What another entry shows is that one's matter. */
static void
cover(struct view *v, size_t i, const char *source, const char *point)
{
	const char *path = v->entries[i].item.path;
	char *seen;

	if (!path_within(point, source))
		return;
	if (asprintf(&seen, "%s%s", path[1] != '\0' ? path : "",
	    point + (source[1] != '\0' ? strlen(source) : 0)) == -1)
		refuse_errno("memory");
	if (view_cover(v, seen) == &v->entries[i])
		view_add(v, RANK_HIDDEN, OS_VIEW_HIDE, seen, NULL, -1);
	free(seen);
}

void
roots_cover_kernel(struct view *v, bool found)
{
	struct points p = { NULL, 0, 0 };
	char source[PATH_MAX];
	size_t n = v->n;

	if (os_kernel_mounts(collect, &p) == -1)
		refuse_errno("/proc/self/mounts");
	for (size_t i = 0; i < n; i++) {
		const struct os_view_item *it = &v->entries[i].item;

		if (it->kind != OS_VIEW_READ && it->kind != OS_VIEW_WRITE)
			continue;
		if (it->fd == -1)
			strlcpy(source, it->path, sizeof(source));
		else if (!real_path(it->fd, source))
			refuse_errno("%s", it->path);
		if (lies_in(source, &p)) {
			/* Nobody asked for what a closure has found there. */
			if (found && v->entries[i].rank == RANK_CLOSURE)
				v->entries[i].item.kind = OS_VIEW_HIDE;
			continue;
		}
		for (size_t k = 0; k < p.n; k++)
			cover(v, i, source, p.list[k]);
	}
	while (p.n > 0)
		free(p.list[--p.n]);
	free(p.list);
}
