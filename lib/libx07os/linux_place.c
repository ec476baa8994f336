/*
 * A directory in memory that no other process sees: in a mount namespace of our
 * own, over a directory of /sys that nothing of ours reads. Where there is no
 * /sys, in a new root that shows everything of the old one.
 */
#include <sys/stat.h>
#include <sys/syscall.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "linux.h"
#include "linux_compat.h"
#include "os.h"

#define COVERED		"/sys/module"
#define IN_NEW_ROOT	"x07-bundle"

static int
new_mounts(void)
{
	/* Root keeps what it can do outside, if it can do without a new user. */
	if (unshare(CLONE_NEWNS) == -1 && ns_unshare(CLONE_NEWNS) == -1)
		return -1;
	return (int)syscall(SYS_mount, NULL, "/", NULL, MS_REC | MS_PRIVATE,
	    NULL);
}

static int
attach(int tree, int at, const char *path)
{
	return (int)syscall(SYS_move_mount, tree, "", at, path,
	    MOVE_MOUNT_F_EMPTY_PATH);
}

static int
clone_of(int dir, const char *name)
{
	return (int)syscall(SYS_open_tree, dir, name, OPEN_TREE_CLONE |
	    OPEN_TREE_CLOEXEC | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW);
}

/* The same name in the directory to; proc is the tree that to covers. */
static int
show(int from, int to, const char *name, int proc)
{
	char text[PATH_MAX];
	struct stat st;
	ssize_t n;
	int fd, ret;

	if (strcmp(name, "proc") == 0)
		return mkdirat(to, name, 0555) == -1 ? -1 : attach(proc, to, name);
	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return -1;
	if (S_ISLNK(st.st_mode)) {
		n = readlinkat(from, name, text, sizeof(text) - 1);
		if (n == -1)
			return -1;
		text[n] = '\0';
		return symlinkat(text, to, name);
	}
	if (S_ISDIR(st.st_mode))
		fd = mkdirat(to, name, 0755);
	else
		fd = openat(to, name, O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd == -1)
		return -1;
	if (!S_ISDIR(st.st_mode))
		close(fd);
	fd = clone_of(from, name);
	if (fd == -1)
		return -1;
	ret = attach(fd, to, name);
	close(fd);
	return ret;
}

static int
show_all(int old, int root, int proc)
{
	int fd = openat(old, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), ret = 0;
	DIR *d = fd != -1 ? fdopendir(fd) : NULL;
	struct dirent *e;

	if (d == NULL)
		return -1;
	while (ret == 0 && (e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			ret = show(old, root, e->d_name, proc);
	closedir(d);
	return ret;
}

/*
 * It is read-only, so that nobody takes it for the real one. The new root is
 * attached over /proc, as in linux_fs.c.
 */
static int
enter_new_root(int place)
{
	char cwd[PATH_MAX];
	int old = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int proc = clone_of(AT_FDCWD, "/proc"), root = loader_tmpfs();
	struct mount_attr ro = { .attr_set = MOUNT_ATTR_RDONLY };

	if (getcwd(cwd, sizeof(cwd)) == NULL || old == -1 || proc == -1 ||
	    root == -1 || fchmodat(root, ".", 0755, 0) == -1 ||
	    attach(root, AT_FDCWD, "/proc") == -1 ||
	    show_all(old, root, proc) == -1 ||
	    mkdirat(root, IN_NEW_ROOT, 0700) == -1 ||
	    /* Programs get one of their own, over this. */
	    (mkdirat(root, "tmp", 01777) == -1 && errno != EEXIST) ||
	    attach(place, root, IN_NEW_ROOT) == -1 ||
	    syscall(SYS_mount_setattr, root, "", AT_EMPTY_PATH, &ro,
	    sizeof(ro)) == -1 || fchdir(root) == -1 ||
	    syscall(SYS_pivot_root, ".", ".") == -1 ||
	    syscall(SYS_umount2, ".", MNT_DETACH) == -1)
		return -1;
	close(old);
	close(proc);
	close(root);
	return chdir(cwd);
}

const char *
os_place(void)
{
	int place;

	if (new_mounts() == -1)
		return NULL;
	place = loader_tmpfs();
	if (place == -1)
		return NULL;
	if (attach(place, AT_FDCWD, COVERED) == 0) {
		close(place);
		return COVERED;
	}
	if (errno != ENOENT || enter_new_root(place) == -1)
		return NULL;
	close(place);
	return "/" IN_NEW_ROOT;
}
