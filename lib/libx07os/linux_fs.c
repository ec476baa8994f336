/*
 * The files a program sees: a new root put together from handles.
 * mount_namespaces(7), open_tree(2). The rights behind it are in linux_rights.c.
 *
 * The new root is attached over /proc of our private mount namespace, because
 * that directory is on every machine; then it becomes the root and the old one is
 * dropped. Nothing is ever made in a directory that is not ours: a mount
 * point below a bound directory must be there already.
 */
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "linux.h"
#include "linux_compat.h"
#include "os.h"
#include "x07.h"

#define OWN_MAX		320	/* file systems of our own: one for each root and some */
#define SCRATCH_INODES	"nr_inodes=65536"	/* an inode costs memory too */
#define SMALL_SIZE	"size=1m"	/* those that hold names only */

#define ATTR_BASE	(MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)
#define ATTR_READ	(ATTR_BASE | MOUNT_ATTR_RDONLY)

struct build {
	const struct os_view	*view;
	int			root;		/* top of the new tree */
	int			stock;		/* holds the covers, -1 until needed */
	int			late[OWN_MAX];	/* ours, read-only when all is placed */
	size_t			nlate;
	dev_t			own[OWN_MAX];	/* where names may be made */
	size_t			nown;
	bool			root_mapped;	/* uid 0 of the machine is one of ours */
	const struct os_view_item *pinned;	/* whose directories are held, */
	int			pins;		/* in this copy of its tree */
	const char		*under;		/* where those lie; NULL: below our /dev */
	const char		*what;
};

/* ---- the system calls, most of which libc has no name for everywhere ---- */

static int
clone_tree(int fd, const char *path, unsigned flags)
{
	return (int)syscall(SYS_open_tree, fd, path, OPEN_TREE_CLONE |
	    OPEN_TREE_CLOEXEC | flags);
}

static int
set_attr(int fd, uint64_t attr, unsigned flags)
{
	struct mount_attr a = { .attr_set = attr, .propagation = 0 };

	return (int)syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH | flags,
	    &a, sizeof(a));
}

/* Also cuts the tree off from what is mounted in the original later. */
static int
set_attr_private(int fd, uint64_t attr)
{
	struct mount_attr a = { .attr_set = attr,
	    .propagation = 1 << 18 /* MS_PRIVATE */ };

	return (int)syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH |
	    AT_RECURSIVE, &a, sizeof(a));
}

static int
move_to(int fd, int at, const char *path)
{
	return (int)syscall(SYS_move_mount, fd, "", at, path,
	    MOVE_MOUNT_F_EMPTY_PATH | (*path == '\0' ? MOVE_MOUNT_T_EMPTY_PATH : 0));
}

int
os_path_open(int base, const char *path, unsigned flags)
{
	struct stat st;
	int fd = path_resolve(base, path, true,
	    ((flags & OS_PATH_BENEATH) != 0 ? RESOLVE_BENEATH : 0) |
	    ((flags & OS_PATH_NOLINKS) != 0 ? RESOLVE_NO_SYMLINKS : 0));

	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == 0 && !S_ISLNK(st.st_mode))
		return fd;
	close(fd);
	errno = ELOOP;
	return -1;
}

/* A new file system of a type with options ("name=value" or a bare name). */
static int
new_fs(const char *type, const char *const *opt, uint64_t attr)
{
	int fs = (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC), fd = -1, err;
	char name[64];

	if (fs == -1)
		return -1;
	for (; opt != NULL && *opt != NULL; opt++) {
		const char *eq = strchr(*opt, '=');

		snprintf(name, sizeof(name), "%.*s", eq != NULL ?
		    (int)(eq - *opt) : (int)strlen(*opt), *opt);
		if (syscall(SYS_fsconfig, fs, eq != NULL ? FSCONFIG_SET_STRING :
		    FSCONFIG_SET_FLAG, name, eq != NULL ? eq + 1 : NULL, 0) == -1)
			goto out;
	}
	if (syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		fd = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, attr);
out:
	err = errno;
	close(fs);
	errno = err;
	return fd;
}

/* ---- names in the new tree ---- */

static int
remember_own(struct build *b, int fd)
{
	struct stat st;

	if (b->nown == OWN_MAX) {
		errno = E2BIG;
		return -1;
	}
	if (fstat(fd, &st) == -1)
		return -1;
	b->own[b->nown++] = st.st_dev;
	return 0;
}

static bool
is_own(const struct build *b, int fd)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return false;
	for (size_t i = 0; i < b->nown; i++)
		if (b->own[i] == st.st_dev)
			return true;
	return false;
}

/* A tmpfs of ours. Its descriptor also is one of late when read_only. */
static int
own_fs(struct build *b, const char *const *opt, bool read_only)
{
	int fd = new_fs("tmpfs", opt, ATTR_BASE);

	if (fd == -1)
		return -1;
	/* There are no more of late than of own. */
	if (remember_own(b, fd) == -1) {
		close(fd);
		return -1;
	}
	if (read_only)
		b->late[b->nlate++] = fd;
	return fd;
}

static int
in_root(const struct build *b, const char *path)
{
	return path_resolve(b->root, path[1] != '\0' ? path + 1 : ".", true,
	    RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}

/* Opens the directory path, made where its parent is ours. path is restored. */
static int
make_dirs(struct build *b, char *path)
{
	int fd = in_root(b, path), parent, err;
	char *slash = strrchr(path, '/');

	if (fd != -1 || errno != ENOENT || path[1] == '\0')
		return fd;
	if (slash == path) {
		parent = in_root(b, "/");
	} else {
		*slash = '\0';
		parent = make_dirs(b, path);
		*slash = '/';
	}
	if (parent == -1)
		return -1;
	errno = ENOENT;		/* not ours: a mount point has to be there */
	if (is_own(b, parent) && mkdirat(parent, slash + 1, 0755) == 0)
		fd = openat(parent, slash + 1, O_PATH | O_NOFOLLOW |
		    O_DIRECTORY | O_CLOEXEC);
	err = errno;
	close(parent);
	errno = err;
	return fd;
}

/* The directory that holds path; sets *leaf. Fails where it is not ours. */
static int
own_parent(struct build *b, const char *path, const char **leaf)
{
	char *copy = strdup(path), *slash;
	int fd;

	if (copy == NULL)
		return -1;
	slash = strrchr(copy, '/');
	*leaf = path + (slash - copy) + 1;
	slash[slash == copy] = '\0';
	fd = make_dirs(b, copy);
	free(copy);
	if (fd != -1 && !is_own(b, fd)) {
		close(fd);
		fd = -1;
		errno = ENOENT;
	}
	return fd;
}

/* Opens path as mount point for a directory or a file, made where it is ours. */
static int
mountpoint(struct build *b, const char *path, bool dir)
{
	const char *leaf;
	struct stat st;
	int fd = in_root(b, path), parent, err;

	if (fd == -1 && errno == ENOENT) {
		parent = own_parent(b, path, &leaf);
		if (parent == -1)
			return -1;
		if (dir && mkdirat(parent, leaf, 0755) == 0)
			fd = openat(parent, leaf, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		else if (!dir)
			fd = openat(parent, leaf, O_CREAT | O_EXCL | O_NOFOLLOW |
			    O_CLOEXEC, 0444);
		err = errno;
		close(parent);
		errno = err;
	}
	if (fd == -1 || fstat(fd, &st) == -1)
		return -1;
	if (S_ISDIR(st.st_mode) != dir) {
		close(fd);
		errno = dir ? ENOTDIR : EISDIR;
		return -1;
	}
	return fd;
}

/* Mounts what fd holds at path. */
static int
attach(struct build *b, int fd, const char *path, bool dir)
{
	int at = mountpoint(b, path, dir), ret, err;

	if (at == -1)
		return -1;
	ret = move_to(fd, at, "");
	err = errno;
	close(at);
	errno = err;
	return ret;
}

/* ---- one function per kind of item ---- */

static int
clone_item(const struct os_view_item *it)
{
	int fd, tree, err;

	if (it->fd != -1)
		return clone_tree(it->fd, "", AT_EMPTY_PATH | AT_RECURSIVE);
	fd = os_path_open(AT_FDCWD, it->path, OS_PATH_NOLINKS);
	if (fd == -1)
		return -1;
	tree = clone_tree(fd, "", AT_EMPTY_PATH | AT_RECURSIVE);
	err = errno;
	close(fd);
	errno = err;
	return tree;
}

static int
place_tree(struct build *b, const struct os_view_item *it)
{
	struct stat st;
	int fd = clone_item(it), ret = -1;

	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == 0 && set_attr_private(fd,
	    it->kind == OS_VIEW_READ ? ATTR_READ : ATTR_BASE) == 0)
		ret = attach(b, fd, it->path, S_ISDIR(st.st_mode));
	close(fd);
	return ret;
}

static int
place_link(struct build *b, const struct os_view_item *it)
{
	const char *leaf;
	int parent = own_parent(b, it->path, &leaf), ret;

	if (parent == -1)
		return -1;
	ret = symlinkat(it->text, parent, leaf);
	close(parent);
	return ret;
}

static int
place_text(struct build *b, const struct os_view_item *it)
{
	size_t len = strlen(it->text);
	const char *leaf;
	int parent = own_parent(b, it->path, &leaf), fd;
	ssize_t n = -1;

	if (parent == -1)
		return -1;
	fd = openat(parent, leaf, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
	    O_CLOEXEC, 0444);
	close(parent);
	if (fd == -1)
		return -1;
	n = write(fd, it->text, len);
	close(fd);
	return n == (ssize_t)len ? 0 : -1;
}

static int
place_empty(struct build *b, const struct os_view_item *it)
{
	static const char *const opt[] = { "mode=0755", SMALL_SIZE, NULL };
	int fd = own_fs(b, opt, true);

	return fd == -1 ? -1 : attach(b, fd, it->path, true);
}

/*
 * A file and a directory without rights, to be cloned over what is to be hidden. They
 * lie on the old side, so no name of them is seen.
 */
static int
make_stock(struct build *b)
{
	static const char *const opt[] = { "mode=0700", SMALL_SIZE, NULL };
	int fd;

	if (b->stock != -1)
		return 0;
	b->stock = new_fs("tmpfs", opt, ATTR_BASE);
	if (b->stock == -1 || move_to(b->stock, AT_FDCWD, "/proc") == -1)
		return -1;
	fd = openat(b->stock, "file", O_CREAT | O_EXCL | O_CLOEXEC, 0);
	if (fd == -1 || close(fd) == -1)
		return -1;
	return mkdirat(b->stock, "dir", 0);
}

static int
place_hide(struct build *b, const struct os_view_item *it)
{
	struct stat st;
	int at = in_root(b, it->path), fd, ret = -1;

	if (at == -1)
		return errno == ENOENT ? 0 : -1;
	if (fstat(at, &st) == -1)
		return -1;
	fd = clone_tree(b->stock, S_ISDIR(st.st_mode) ? "dir" : "file", 0);
	if (fd != -1 && set_attr_private(fd, ATTR_READ | MOUNT_ATTR_NOEXEC) == 0)
		ret = move_to(fd, at, "");
	close(at);
	if (fd != -1)
		close(fd);
	return ret;
}

static int
scratch_fs(struct build *b)
{
	char size[32];
	const char *const opt[] = { "mode=1777", SCRATCH_INODES, size, NULL };

	snprintf(size, sizeof(size), "size=%lld",
	    (long long)b->view->scratch_bytes);
	return own_fs(b, opt, false);
}

static int
place_scratch(struct build *b, const struct os_view_item *it)
{
	int fd = scratch_fs(b), ret;

	if (fd == -1)
		return -1;
	ret = attach(b, fd, it->path, true);
	close(fd);
	return ret;
}

/* Device nodes cannot be made in a user namespace; the machine's are bound. */
static const struct {
	const char	*name;
	const char	*path;
	unsigned	major, minor;
} devices[] = {
	{ "null",	"/dev/null",	1, 3 },
	{ "zero",	"/dev/zero",	1, 5 },
	{ "full",	"/dev/full",	1, 7 },
	{ "random",	"/dev/random",	1, 8 },
	{ "urandom",	"/dev/urandom",	1, 9 },
	{ "tty",	"/dev/tty",	5, 0 },
};

static const struct {
	const char	*name;
	const char	*target;
} dev_links[] = {
	{ "fd",		"/proc/self/fd" },
	{ "stdin",	"/proc/self/fd/0" },
	{ "stdout",	"/proc/self/fd/1" },
	{ "stderr",	"/proc/self/fd/2" },
	{ "ptmx",	"pts/ptmx" },
};

#define LEN(a)	(sizeof(a) / sizeof((a)[0]))

/* Read-only does not stop writing to a device; it stops chmod(2) and chown(2). */
static int
bind_device(int dir, size_t i)
{
	struct stat st;
	int fd = clone_tree(AT_FDCWD, devices[i].path, AT_SYMLINK_NOFOLLOW);
	int at = -1, ret = -1;

	if (fd == -1)
		return errno == ENOENT ? 0 : -1;
	if (fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) &&
	    st.st_rdev == makedev(devices[i].major, devices[i].minor) &&
	    set_attr(fd, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC |
	    MOUNT_ATTR_RDONLY, 0) == 0 &&
	    (at = openat(dir, devices[i].name, O_CREAT | O_EXCL | O_CLOEXEC,
	    0444)) != -1)
		ret = move_to(fd, at, "");
	close(fd);
	if (at != -1)
		close(at);
	return ret;
}

static int
mount_in(int dir, const char *name, int fd)
{
	int ret = -1;

	if (fd == -1)
		return -1;
	if (mkdirat(dir, name, 0755) == 0)
		ret = move_to(fd, dir, name);
	close(fd);
	return ret;
}

static int
place_dev(struct build *b, const struct os_view_item *it)
{
	static const char *const opt[] = { "mode=0755", SMALL_SIZE, NULL };
	static const char *const pts[] = { "ptmxmode=0666", "mode=0620", NULL };
	int dir = own_fs(b, opt, true);

	if (dir == -1 || attach(b, dir, it->path, true) == -1)
		return -1;
	for (size_t i = 0; i < LEN(devices); i++)
		if (bind_device(dir, i) == -1)
			return -1;
	for (size_t i = 0; i < LEN(dev_links); i++)
		if (symlinkat(dev_links[i].target, dir, dev_links[i].name) == -1)
			return -1;
	if (mount_in(dir, "pts", new_fs("devpts", pts, MOUNT_ATTR_NOSUID |
	    MOUNT_ATTR_NOEXEC)) == -1)
		return -1;
	return mount_in(dir, "shm", scratch_fs(b));
}

/*
 * What of /proc is not about processes and would tell or change more than it
 * should. Only the machine's uid 0 may read or write most of it.
 */
static const struct {
	const char	*name;
	bool		hide;		/* else just not writable */
	bool		anybody;	/* readable for ordinary users too */
} proc_masks[] = {
	{ "acpi",		true,	false },
	{ "asound",		true,	false },
	{ "bus",		false,	false },
	{ "driver",		false,	false },
	{ "dynamic_debug",	true,	false },
	{ "fs",			false,	false },
	{ "irq",		false,	false },
	{ "kallsyms",		true,	true },
	{ "kcore",		true,	false },
	{ "key-users",		true,	true },
	{ "keys",		true,	true },
	{ "kmsg",		true,	false },
	{ "kpagecgroup",	true,	false },
	{ "kpagecount",		true,	false },
	{ "kpageflags",		true,	false },
	{ "latency_stats",	true,	true },
	{ "mtrr",		true,	false },
	{ "sched_debug",	true,	true },
	{ "scsi",		true,	false },
	{ "slabinfo",		true,	false },
	{ "sys",		false,	false },
	{ "sysrq-trigger",	true,	false },
	{ "timer_list",		true,	true },
	{ "timer_stats",	true,	true },
	{ "vmallocinfo",	true,	false },
};

static int
mask_proc(struct build *b, int proc, size_t i)
{
	struct stat st;
	int at = path_resolve(proc, proc_masks[i].name, true,
	    RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS), fd, ret = -1;

	if (at == -1)
		return errno == ENOENT ? 0 : -1;
	if (fstat(at, &st) == -1)
		return -1;
	fd = proc_masks[i].hide ?
	    clone_tree(b->stock, S_ISDIR(st.st_mode) ? "dir" : "file", 0) :
	    clone_tree(at, "", AT_EMPTY_PATH);
	if (fd != -1 && set_attr(fd, ATTR_READ | MOUNT_ATTR_NOEXEC, 0) == 0)
		ret = move_to(fd, at, "");
	close(at);
	if (fd != -1)
		close(fd);
	return ret;
}

/*
 * Read-only as a whole when the program is next: nobody needs to write its
 * uid_map, oom_score_adj or mem. A gate has to, for its own namespaces, and a
 * helper of it must find a process that is in another user namespace already.
 */
static int
place_proc(struct build *b, const struct os_view_item *it)
{
	static const char *const hide[] = { "hidepid=2", NULL };
	const char *const *opt = b->view->next_gate ? NULL : hide;
	uint64_t attr = ATTR_BASE | MOUNT_ATTR_NOEXEC |
	    (b->view->next_gate ? 0 : MOUNT_ATTR_RDONLY);
	struct stat st;
	int fd = new_fs("proc", opt, attr);

	if (fd == -1 || attach(b, fd, it->path, true) == -1 ||
	    fstat(fd, &st) == -1)
		return -1;
	b->root_mapped = st.st_uid == 0;
	for (size_t i = 0; i < LEN(proc_masks); i++) {
		if (!b->root_mapped && !proc_masks[i].anybody)
			continue;	/* the file's own mode says no */
		if (mask_proc(b, fd, i) == -1)
			return -1;
	}
	close(fd);
	return 0;
}

static int (*const place[])(struct build *, const struct os_view_item *) = {
	[OS_VIEW_READ] = place_tree,
	[OS_VIEW_WRITE] = place_tree,
	[OS_VIEW_LINK] = place_link,
	[OS_VIEW_TEXT] = place_text,
	[OS_VIEW_EMPTY] = place_empty,
	[OS_VIEW_HIDE] = place_hide,
	[OS_VIEW_SCRATCH] = place_scratch,
	[OS_VIEW_DEV] = place_dev,
	[OS_VIEW_PROC] = place_proc,
};

static bool
is_tree(const struct os_view_item *it)
{
	return it->kind == OS_VIEW_READ || it->kind == OS_VIEW_WRITE;
}

/* ---- directories between a writable tree and what is read-only in it ---- */

/*
 * What is shown read-only cannot be changed, but in a writable tree the directory above
 * it could be renamed and another made in its place, for those who come by that
 * path later. A directory that something is mounted on cannot be renamed or removed,
 * by whatever mount it is reached. So these are mounted on in a second copy of the
 * tree, which lies below our /dev, or below the whole, where no path leads: in the tree
 * itself a mount would be a border for rename(2).
 */

/* What decides what path is: the deepest item at or above it. */
static const struct os_view_item *
item_above(const struct os_view *view, const char *path)
{
	const struct os_view_item *best = NULL;
	size_t len, most = 0;

	for (size_t i = 0; i < view->n; i++) {
		len = strlen(view->items[i].path);
		if (path_within(path, view->items[i].path) && len > most) {
			best = &view->items[i];
			most = len;
		}
	}
	return best;
}

static const char *
dev_path(const struct os_view *view)
{
	for (size_t i = 0; i < view->n; i++)
		if (view->items[i].kind == OS_VIEW_DEV)
			return view->items[i].path;
	return NULL;
}

/* The copy of the tree. What is mounted there next covers it. */
static int
pin_copy(struct build *b, const struct os_view_item *tree)
{
	const char *dev = dev_path(b->view);

	if (b->pinned == tree)
		return 0;
	if (b->pins != -1)
		close(b->pins);
	b->pinned = NULL;
	b->pins = clone_item(tree);
	if (b->pins == -1 ||
	    set_attr_private(b->pins, ATTR_READ | MOUNT_ATTR_NOEXEC) == -1 ||
	    (b->under != NULL ? move_to(b->pins, AT_FDCWD, b->under) :
	    attach(b, b->pins, dev, true)) == -1)
		return -1;
	b->pinned = tree;
	return 0;
}

static int
pin(struct build *b, const struct os_view_item *tree, const char *dir)
{
	const char *rel = dir + strlen(tree->path) + (tree->path[1] != '\0');
	int at = path_resolve(b->pins, rel, true,
	    RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS), fd, ret = -1;

	if (at == -1)
		return -1;
	/* Itself, so that those below it can be found. */
	fd = clone_tree(at, "", AT_EMPTY_PATH | AT_RECURSIVE);
	if (fd != -1) {
		ret = move_to(fd, at, "");
		close(fd);
	}
	close(at);
	return ret;
}

/* All directories above path but those that are above last, too, which is done. */
static int
pin_above(struct build *b, const char *path, const char *last)
{
	const struct os_view_item *tree;
	char *dir = strdup(path);
	int ret = dir != NULL ? 0 : -1;

	for (size_t i = 1; ret == 0 && path[i] != '\0'; i++) {
		if (path[i] != '/' || strncmp(path, last, i + 1) == 0)
			continue;
		dir[i] = '\0';
		tree = item_above(b->view, dir);
		if (tree != NULL && tree->kind == OS_VIEW_WRITE &&
		    strcmp(tree->path, dir) != 0 &&
		    (pin_copy(b, tree) == -1 || pin(b, tree, dir) == -1))
			ret = -1;
		dir[i] = '/';
	}
	free(dir);
	return ret;
}

/* The items are sorted, so what was done for one of them was done for the one before. */
static int
pin_all(struct build *b)
{
	const char *last = "";

	if (b->under == NULL && dev_path(b->view) == NULL)
		return 0;
	for (size_t i = 0; i < b->view->n; i++) {
		const struct os_view_item *it = &b->view->items[i];

		if (it->kind != OS_VIEW_READ)
			continue;
		b->what = it->path;
		if (pin_above(b, it->path, last) == -1)
			return -1;
		last = it->path;
	}
	if (b->pins != -1)
		close(b->pins);
	return 0;
}

/* ---- the whole ---- */

/* The new root: a tmpfs, or the tree that is asked for at "/". */
static int
make_root(struct build *b)
{
	static const char *const opt[] = { "mode=0755", SMALL_SIZE, NULL };
	const struct os_view_item *first = b->view->items;

	if (b->view->n == 0 || strcmp(first->path, "/") != 0) {
		b->root = own_fs(b, opt, true);
		return b->root == -1 ? -1 : 0;
	}
	if (!is_tree(first)) {
		errno = EINVAL;
		return -1;
	}
	b->root = clone_item(first);
	if (b->root == -1)
		return -1;
	return set_attr_private(b->root, first->kind == OS_VIEW_READ ?
	    ATTR_READ : ATTR_BASE);
}

static int
assemble(struct build *b)
{
	b->what = "/";
	if (make_root(b) == -1 || make_stock(b) == -1 ||
	    move_to(b->root, AT_FDCWD, "/proc") == -1 || pin_all(b) == -1)
		return -1;
	for (size_t i = 0; i < b->view->n; i++) {
		const struct os_view_item *it = &b->view->items[i];

		b->what = it->path;
		if (strcmp(it->path, "/") != 0 && place[it->kind](b, it) == -1)
			return -1;
	}
	b->what = "/";
	for (size_t i = 0; i < b->nlate; i++)
		if (set_attr(b->late[i], MOUNT_ATTR_RDONLY, 0) == -1)
			return -1;
	return 0;
}

int
os_view_enter(const struct os_view *view, const char **what)
{
	struct build b = { .view = view, .root = -1, .stock = -1, .pins = -1 };
	mode_t mask;
	int ret;

	/* Memory and queues that others reach by a key or a name are files too. */
	*what = "System V IPC";
	if (unshare(CLONE_NEWIPC) == -1)
		return -1;
	mask = umask(022);
	ret = assemble(&b);
	*what = b.what;
	umask(mask);
	if (ret == -1)
		return -1;
	/* The old root ends up under the new one, where "." still names it. */
	if (fchdir(b.root) == -1 || syscall(SYS_pivot_root, ".", ".") == -1 ||
	    syscall(SYS_umount2, ".", MNT_DETACH) == -1 || chdir("/") == -1)
		return -1;
	return 0;
}

int
os_view_at(const struct os_view *view, const char *dir, const char **what)
{
	struct build b = { .view = view, .root = -1, .stock = -1, .pins = -1,
	    .under = dir };
	mode_t mask = umask(022);
	int ret = assemble(&b);

	*what = b.what;
	umask(mask);
	if (ret == -1 || move_to(b.root, AT_FDCWD, dir) == -1)
		return -1;
	/* Our /proc is still under what the parts were taken from. */
	return (int)syscall(SYS_umount2, "/proc", MNT_DETACH);
}
