/*
 * Modules, mounts and the program's root.
 *
 * The host hands over one tree of files, put together as the policy says and
 * read-only where it says so. Its top-level entries are bound into a root of our
 * own, in which the places that a kernel and the gates need can be made.
 */
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "guestinit.h"
#include "x07.h"

#define SHARE		"/share"
#define NEW		"/new"
#define TAG		"root"		/* of the shared tree */

/* The driver of a device that has just been found takes a moment. */
#define SHARE_STEP_MS	5
#define SHARE_STEPS	2000

struct fs {
	const char	*type, *point;
	unsigned long	flags;
	const char	*options;
};

static void
mount_fs(const struct fs *fs, const char *root)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s%s", root, fs->point);
	if (mkdir(path, 0755) == -1 && errno != EEXIST)
		fail_errno("%s", path);
	if (mount(fs->type, path, fs->type, fs->flags, fs->options) == -1)
		fail_errno("mount %s", path);
}

void
files_system(void)
{
	static const struct fs early[] = {
		{ "devtmpfs", "/dev", MS_NOSUID | MS_NOEXEC, "mode=755" },
		{ "proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL },
	};

	for (size_t i = 0; i < sizeof(early) / sizeof(early[0]); i++)
		mount_fs(&early[i], "");
}

/*
 * The kernel made them when it started, with the time that a processor can tell it
 * (KVM's clock) whatever the machine's own clock says.
 */
void
files_devices(void)
{
	static const struct {
		const char	*path;
		unsigned	major, minor;
	} list[] = {	/* those that a program is shown */
		{ "/dev/null", 1, 3 },
		{ "/dev/zero", 1, 5 },
		{ "/dev/full", 1, 7 },
		{ "/dev/random", 1, 8 },
		{ "/dev/urandom", 1, 9 },
		{ "/dev/tty", 5, 0 },
	};

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		if (unlink(list[i].path) == -1 ||
		    mknod(list[i].path, S_IFCHR,
		    makedev(list[i].major, list[i].minor)) == -1 ||
		    chmod(list[i].path, 0666) == -1)
			fail_errno("%s", list[i].path);
}

/* ---- modules ---- */

static int
by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int
is_module(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

void
files_modules(void)
{
	struct dirent **list;
	char path[PATH_MAX];
	int n = scandir(GUEST_MODULES, &list, is_module, by_name), fd;

	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", GUEST_MODULES,
		    list[i]->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		/* One that waits for hardware that is not here may fail. */
		if (fd == -1 || (syscall(SYS_finit_module, fd, "", 0) == -1 &&
		    errno != EEXIST && errno != ENODEV))
			dprintf(STDERR_FILENO, "guestinit: %s: %s\n", path,
			    strerror(errno));
		if (fd != -1)
			close(fd);
		unlink(path);		/* a megabyte that nobody needs again */
		free(list[i]);
	}
}

/* ---- the shared tree ---- */

/* A machine that is saved, or was, gets its files later, and the kernel no event. */
static void
look_for_devices(void)
{
	int fd = open(NEW "/sys/bus/pci/rescan", O_WRONLY | O_CLOEXEC);

	if (fd == -1)
		return;		/* a kernel without: it may come by itself */
	if (write(fd, "1", 1) == -1)
		dprintf(STDERR_FILENO, "guestinit: pci: %s\n", strerror(errno));
	close(fd);
}

static const struct share {
	const char	*name, *type, *source;
	unsigned long	flags;
	const char	*options;
} shares[] = {
	{ "virtiofs", "virtiofs", TAG, 0, NULL },
	{ "9p", "9p", TAG, 0,
	    "trans=virtio,version=9p2000.L,msize=512000,cache=none" },
	{ "blk", "squashfs", "/dev/vda", MS_RDONLY, NULL },
};

static const struct share *
find_share(const char *name)
{
	for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++)
		if (strcmp(name, shares[i].name) == 0)
			return &shares[i];
	fail("request: unknown share '%s'", name);
}

static void
mount_share(const char *name)
{
	static const struct timespec step = { 0, SHARE_STEP_MS * 1000000 };
	const struct share *s = find_share(name);

	if (mkdir(SHARE, 0755) == -1 && errno != EEXIST)
		fail_errno(SHARE);
	for (int i = 0; i < SHARE_STEPS; i++) {
		if (mount(s->source, SHARE, s->type, MS_NOSUID | MS_NODEV | s->flags,
		    s->options) == 0)
			return;
		if (errno != EINVAL && errno != ENOENT)
			break;
		if (i == 0)
			look_for_devices();
		else
			nanosleep(&step, NULL);
	}
	fail_errno("the host's tree of files (%s)", name);
}

/* What is made here and never taken from the host. */
static const char *const own[] = { "dev", "proc", "run", "sys", "tmp", "x07" };

static bool
is_own(const char *name)
{
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (strcmp(name, own[i]) == 0)
			return true;
	return false;
}

static void
bind_entry(const char *from, const char *to)
{
	char target[PATH_MAX];
	struct stat st;
	ssize_t n;
	int fd = -1;

	if (lstat(from, &st) == -1)
		fail_errno("%s", from);
	if (S_ISLNK(st.st_mode)) {
		n = readlink(from, target, sizeof(target) - 1);
		if (n == -1)
			fail_errno("%s", from);
		target[n] = '\0';
		if (symlink(target, to) == -1)
			fail_errno("%s", to);
		return;
	}
	if (S_ISDIR(st.st_mode) ? mkdir(to, 0755) == -1 :
	    (fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444)) == -1)
		fail_errno("%s", to);
	if (fd != -1)
		close(fd);
	if (mount(from, to, NULL, MS_BIND | MS_REC, NULL) == -1)
		fail_errno("bind %s", from);
}

/* Shows what the shared tree has in dir ("" is its top). */
static void
bind_entries(const char *dir, bool but_own)
{
	char share[PATH_MAX], from[PATH_MAX * 2], to[PATH_MAX * 2];
	struct dirent *de;
	DIR *d;

	snprintf(share, sizeof(share), SHARE "%s", dir);
	d = opendir(share);
	if (d == NULL && errno == ENOENT)
		return;
	if (d == NULL)
		fail_errno("%s", share);
	while ((de = readdir(d)) != NULL) {
		if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0 ||
		    (but_own && is_own(de->d_name)))
			continue;
		snprintf(from, sizeof(from), "%s/%s", share, de->d_name);
		snprintf(to, sizeof(to), NEW "%s/%s", dir, de->d_name);
		bind_entry(from, to);
	}
	closedir(d);
}

#define GROUPS		NEW "/sys/fs/cgroup"

/* x07-limit finds its control groups there; the program never does. */
static void
make_groups(void)
{
	static const char controllers[] = "+memory +pids +cpu";
	int fd;

	fd = open(GROUPS "/cgroup.subtree_control", O_WRONLY | O_CLOEXEC);
	if (fd == -1)
		return;		/* x07-limit says what it cannot do without */
	if (write(fd, controllers, strlen(controllers)) == -1)
		dprintf(STDERR_FILENO, "guestinit: cgroup: %s\n", strerror(errno));
	close(fd);
	mkdir(GROUPS "/x07", 0755);
	mkdir(GROUPS "/x07/gates", 0755);
}

static void
give_groups(uid_t uid, gid_t gid)
{
	static const char *const given[] = { "", "/cgroup.procs",
	    "/cgroup.subtree_control", "/gates", "/gates/cgroup.procs" };
	char path[PATH_MAX];

	if (uid == 0 || access(GROUPS "/x07/gates", F_OK) == -1)
		return;
	for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++) {
		snprintf(path, sizeof(path), GROUPS "/x07%s", given[i]);
		if (chown(path, uid, gid) == -1)
			dprintf(STDERR_FILENO, "guestinit: %s: %s\n", path,
			    strerror(errno));
	}
}

static void
enter_root(void)
{
	if (chdir(NEW) == -1 || mount(".", "/", NULL, MS_MOVE, NULL) == -1 ||
	    chroot(".") == -1 || chdir("/") == -1)
		fail_errno("cannot enter the program's root");
}

void
files_root(void)
{
	static const struct fs root = { "tmpfs", NEW, MS_NOSUID | MS_NODEV,
	    "mode=0755,size=4m" };
	static const struct fs inner[] = {
		{ "proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL },
		{ "sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL },
		{ "cgroup2", "/sys/fs/cgroup", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		    NULL },
		{ "tmpfs", "/tmp", MS_NOSUID | MS_NODEV, "mode=1777,size=16m" },
		{ "tmpfs", "/run", MS_NOSUID | MS_NODEV, "mode=0755,size=1m" },
	};
	static const struct fs pts = { "devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC,
	    "ptmxmode=0666,mode=0620" };

	mount_fs(&root, "");
	for (size_t i = 0; i < sizeof(inner) / sizeof(inner[0]); i++)
		mount_fs(&inner[i], NEW);
	bind_entry("/dev", NEW "/dev");
	mount_fs(&pts, NEW);
	bind_entry("/x07", NEW "/x07");
	make_groups();
}

void
files_share(const struct request *r)
{
	mount_share(r->share);
	bind_entries("", true);
	/* Roots of the policy that lie below those two. */
	bind_entries("/tmp", false);
	bind_entries("/run", false);
	give_groups(r->uid, r->gid);
	enter_root();
}
