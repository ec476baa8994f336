/*
 * Only these programs, held by the kernel without a supervisor. Three layers, because
 * each alone has a hole that was seen: Landlock EXECUTE does not see ld.so
 * mapping a file or a memfd; noexec mounts do not see a memfd or a tmpfs in a
 * new user namespace; the filter does not see paths.
 *
 * What may be executed or mapped as code cannot be written, and what can
 * be written can be neither executed nor mapped as code.
 */
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "linux.h"
#include "linux_compat.h"
#include "os.h"
#include "x07.h"

int
os_exec_begin(void)
{
	if (landlock_abi() < 1) {
		errno = ENOTSUP;
		return -1;
	}
	return ns_unshare(CLONE_NEWNS);
}

/*
 * A mount makes one name of a file read-only. If it has others, and is the
 * program's to write, it could be written by them.
 */
static bool
has_open_names(int fd, const struct stat *st)
{
	return S_ISREG(st->st_mode) && st->st_nlink > 1 &&
	    (st->st_uid == geteuid() ||
	    faccessat(fd, "", W_OK, AT_EMPTY_PATH | AT_EACCESS) == 0);
}

int
exec_item(struct os_exec_item *it, int fd)
{
	char link[32], name[OS_PATH_BYTES];
	struct stat st;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, name, sizeof(name) - 1);
	if (n == -1 || fstat(fd, &st) == -1)
		return -1;
	name[n] = '\0';
	it->path = strdup(name);
	if (it->path == NULL)
		return -1;
	it->fd = fd;
	it->dev = st.st_dev;
	it->ino = st.st_ino;
	it->is_dir = S_ISDIR(st.st_mode);
	it->is_file = S_ISREG(st.st_mode);
	it->is_exec = (st.st_mode & 0111) != 0;
	it->copied = has_open_names(fd, &st);
	return 0;
}

int
os_exec_open(struct os_exec_item *it, const char *path)
{
	int fd = path_resolve(AT_FDCWD, path, false, 0), err;

	if (fd == -1 || exec_item(it, fd) == 0)
		return fd == -1 ? -1 : 0;
	err = errno;
	close(fd);
	errno = err;
	return -1;
}

/* ---- mounts ---- */

static int
clone_mount(int fd, bool tree)
{
	return (int)syscall(SYS_open_tree, fd, "", OPEN_TREE_CLONE |
	    OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | (tree ? AT_RECURSIVE : 0));
}

static int
set_mount(int fd, const char *path, uint64_t set, uint64_t propagation)
{
	struct mount_attr attr = { .attr_set = set, .propagation = propagation };

	return (int)syscall(SYS_mount_setattr, fd, path,
	    AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr));
}

static int
by_path(const void *a, const void *b)
{
	const struct os_exec_item *x = a, *y = b;
	int c = strcmp(x->path, y->path);

	return c != 0 ? c : (int)x->kind - (int)y->kind;
}

static bool
is_tree(const struct os_exec_item *it)
{
	return it->kind == OS_EXEC_TREE || it->kind == OS_EXEC_TREE_RW ||
	    it->kind == OS_EXEC_LIBS;
}

/* The nearest tree with a mount of its own that item i is beneath, or NULL. */
static const struct os_exec_item *
tree_above(const struct os_exec_plan *plan, size_t i)
{
	for (size_t k = i; k-- > 0;)
		if (plan->items[k].mounted && is_tree(&plan->items[k]) &&
		    path_within(plan->items[i].path, plan->items[k].path))
			return &plan->items[k];
	return NULL;
}

/*
 * A descriptor of the item, which its name may lead to no more: somebody outside
 * renamed it. Not kept, because there may be more items than descriptors.
 */
static int
open_item(const struct os_exec_item *it)
{
	struct os_exec_item at;

	if (os_exec_open(&at, it->path) == -1)
		return -1;
	free(at.path);
	if (at.dev == it->dev && at.ino == it->ino)
		return at.fd;
	close(at.fd);
	errno = ESTALE;
	return -1;
}

/* An item beneath a tree that is mounted the same way needs no mount of its own. */
static bool
needs_mount(const struct os_exec_plan *plan, size_t i)
{
	const struct os_exec_item *it = &plan->items[i], *tree;

	tree = tree_above(plan, i);
	return tree == NULL || it->copied ||
	    (tree->kind == OS_EXEC_TREE_RW) != (it->kind == OS_EXEC_TREE_RW);
}

/*
 * Puts a detached mount over what the item's name leads to now: beneath a mount that
 * has been attached, a file on that.
 */
static int
attach(int mount, const struct os_exec_item *it)
{
	int at = it->fd != -1 ? it->fd : open_item(it), ret;

	if (at == -1)
		return -1;
	ret = (int)syscall(SYS_move_mount, mount, "", at, "",
	    MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
	if (at != it->fd)
		close(at);
	return ret;
}

/*
 * Copies live on a tmpfs of their own. It is mounted under the clone of a
 * directory of libraries, where no path leads to it.
 */
static int
bury(int tmpfs, struct os_exec_plan *plan)
{
	for (size_t i = 0; i < plan->n; i++) {
		struct os_exec_item *it = &plan->items[i];

		if (!it->mounted || !is_tree(it))
			continue;
		/* Its name leads to the tmpfs then. */
		it->fd = open_item(it);
		return it->fd == -1 ? -1 : attach(tmpfs, it);
	}
	errno = EINVAL;
	return -1;
}

static int
clone_item(struct os_exec_item *it, int fd)
{
	uint64_t set = MOUNT_ATTR_NOSUID;

	if (it->kind != OS_EXEC_TREE_RW)
		set |= MOUNT_ATTR_RDONLY;
	it->clone = clone_mount(fd, is_tree(it));
	return it->clone == -1 ? -1 : set_mount(it->clone, "", set, MS_PRIVATE);
}

/* ---- copies ---- */

static int
copy_bytes(int in, int out)
{
	ssize_t n;

	while ((n = sendfile(out, in, NULL, 1 << 30)) > 0)
		continue;
	return (int)n;
}

/* Returns an O_PATH descriptor of the copy. */
static int
copy_file(int tmpfs, size_t number, const struct os_exec_item *it)
{
	char name[32];
	struct stat st;
	int in, out, err, copy = -1;

	snprintf(name, sizeof(name), "copy%zu", number);
	in = open(it->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (in == -1)
		return -1;
	out = openat(tmpfs, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
	if (out == -1 || fstat(in, &st) == -1)
		copy = -1;
	else if (st.st_dev != it->dev || st.st_ino != it->ino)
		errno = ESTALE;
	else if (copy_bytes(in, out) == 0 && fchmod(out, st.st_mode & 0555) == 0)
		copy = openat(tmpfs, name, O_PATH | O_CLOEXEC);
	err = errno;
	/* A file still open for writing could not be executed. */
	close(out);
	close(in);
	errno = err;
	return copy;
}

/*
 * The item's mount shows the copy; of a loader it is one that the kernel does
 * not execute by name. The copies are made before the tmpfs hides the
 * libraries' directory, and cloned after, because only an attached mount can be
 * cloned.
 */
static int
clone_copies(struct os_exec_plan *plan)
{
	int tmpfs = -1;

	for (size_t i = 0; i < plan->n; i++) {
		struct os_exec_item *it = &plan->items[i];

		if (!it->copied)
			continue;
		if (tmpfs == -1 && (tmpfs = loader_tmpfs()) == -1)
			return -1;
		it->source = it->kind == OS_EXEC_LOADER ?
		    loader_guard(tmpfs, it->path) :
		    copy_file(tmpfs, i, it);
		if (it->source == -1)
			return -1;
	}
	if (tmpfs == -1)
		return 0;
	if (bury(tmpfs, plan) == -1)
		return -1;
	close(tmpfs);
	for (size_t i = 0; i < plan->n; i++)
		if (plan->items[i].copied &&
		    clone_item(&plan->items[i], plan->items[i].source) == -1)
			return -1;
	return 0;
}

/* The watcher has to know the copies, too: they are what runs. */
static int
list_copies(struct os_exec_plan *plan)
{
	for (size_t i = 0, n = plan->n; i < n; i++) {
		struct os_exec_item *items, it = plan->items[i];
		struct stat st;

		if (!it.copied || it.kind != OS_EXEC_FILE)
			continue;
		items = reallocarray(plan->items, plan->n + 1, sizeof(*items));
		if (items == NULL || fstat(it.source, &st) == -1)
			return -1;
		it.dev = st.st_dev;
		it.ino = st.st_ino;
		items[plan->n++] = it;
		plan->items = items;
	}
	return 0;
}

/* ---- all mounts ---- */

/*
 * Makes the detached mounts, while everything still is as executable as the
 * machine has it.
 */
static int
clone_items(struct os_exec_plan *plan)
{
	for (size_t i = 0; i < plan->n; i++) {
		struct os_exec_item *it = &plan->items[i];
		int fd, ret;

		if (!it->mounted || it->copied)
			continue;
		fd = open_item(it);
		if (fd == -1)
			return -1;
		ret = clone_item(it, fd);
		close(fd);
		if (ret == -1)
			return -1;
	}
	return clone_copies(plan);
}

/* Some may be where nobody here gets. */
static int
protect(const char *point, void *arg)
{
	(void)arg;
	return set_mount(AT_FDCWD, point, MOUNT_ATTR_RDONLY, 0) == -1 &&
	    errno != ENOENT && errno != EACCES && errno != EINVAL ? -1 : 0;
}

/*
 * The files of the kernel, wherever they are mounted. Through a mem file of /proc a
 * process can write where it may not execute what it wrote, or into a child that has
 * been judged; and some, which are root's by their mode alone, name programs that the
 * kernel starts itself.
 */
static int
protect_kernel(void)
{
	return os_kernel_mounts(protect, NULL);
}

/* A mount over / is nobody's root by itself, and has the files of the kernel once more. */
static int
enter_root(int mount)
{
	char cwd[OS_PATH_BYTES];

	if (getcwd(cwd, sizeof(cwd)) == NULL || *cwd != '/')
		strlcpy(cwd, "/", sizeof(cwd));
	if (fchdir(mount) == -1 || chroot(".") == -1 ||
	    (chdir(cwd) == -1 && chdir("/") == -1))
		return -1;
	return protect_kernel();
}

/* Outer ones first: the items are sorted. */
static int
attach_items(const struct os_exec_plan *plan)
{
	for (size_t i = 0; i < plan->n; i++) {
		const struct os_exec_item *it = &plan->items[i];

		if (!it->mounted)
			continue;
		if (attach(it->clone, it) == -1 ||
		    (strcmp(it->path, "/") == 0 && enter_root(it->clone) == -1))
			return -1;
		close(it->clone);
	}
	return 0;
}

/*
 * The working directory still is on the mount below the clone, which can be
 * written: step onto the clone, or out of the way.
 */
static int
step_over(void)
{
	char cwd[OS_PATH_BYTES];

	if (getcwd(cwd, sizeof(cwd)) != NULL && cwd[0] == '/' && chdir(cwd) == 0)
		return 0;
	return chdir("/");
}

static int
mount_layer(struct os_exec_plan *plan)
{
	qsort(plan->items, plan->n, sizeof(plan->items[0]), by_path);
	for (size_t i = 0; i < plan->n; i++) {
		struct os_exec_item *it = &plan->items[i];

		it->copied = it->kind == OS_EXEC_LOADER ||
		    (it->kind == OS_EXEC_FILE && it->copied);
		it->mounted = needs_mount(plan, i);
	}
	if (clone_items(plan) == -1)
		return -1;
	if (set_mount(AT_FDCWD, "/", MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSUID,
	    MS_PRIVATE) == -1)
		return -1;
	if (protect_kernel() == -1 || attach_items(plan) == -1 ||
	    list_copies(plan) == -1)
		return -1;
	return step_over();
}

/* ---- Landlock ---- */

static int
allow_execute(int ruleset, const struct os_exec_item *it)
{
	int fd, ret;

	if (it->copied)
		return landlock_allow_path(ruleset, it->source,
		    LANDLOCK_ACCESS_FS_EXECUTE);
	fd = open_item(it);
	if (fd == -1)
		return -1;
	ret = landlock_allow_path(ruleset, fd, LANDLOCK_ACCESS_FS_EXECUTE);
	close(fd);
	return ret;
}

static int
landlock_layer(const struct os_exec_plan *plan)
{
	/* The first ABI has no REFER, and denies it always. */
	uint64_t refer = landlock_abi() < 2 ? 0 : LANDLOCK_ACCESS_FS_REFER;
	int ruleset = landlock_ruleset(LANDLOCK_ACCESS_FS_EXECUTE | refer, 0,
	    landlock_scopes());
	int err = 0;

	if (ruleset == -1)
		return -1;
	if (refer != 0)
		err = landlock_allow_refer(ruleset);
	for (size_t i = 0; i < plan->n && err == 0; i++)
		if (plan->items[i].kind != OS_EXEC_LIBS)
			err = allow_execute(ruleset, &plan->items[i]);
	if (err == 0)
		err = landlock_enter(ruleset);
	close(ruleset);
	return err;
}

static bool
is_called(int fd, const char *want, size_t len)
{
	char link[32], name[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, name, sizeof(name));
	return n >= (ssize_t)len && memcmp(name, want, len) == 0;
}

bool
os_exec_is_ruleset(int fd)
{
	static const char want[] = "anon_inode:[landlock-ruleset]";

	return is_called(fd, want, sizeof(want) - 1);
}

/* Sealed without execute bits (MFD_NOEXEC_SEAL), it will never have any. */
bool
os_exec_is_memory(int fd)
{
	static const char want[] = "/memfd:";
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	return is_called(fd, want, sizeof(want) - 1) && (fstat(fd, &st) == -1 ||
	    seals == -1 || (seals & F_SEAL_EXEC) == 0 ||
	    (st.st_mode & 0111) != 0);
}

/* ---- one exec and no more ---- */

/*
 * The addresses of this process are below its stack, which lies at their end: on x86_64
 * it leaves 46 bits, on other processors from 38 to 47, as their kernel was made.
 */
static uint64_t
address_mask(void)
{
	uint64_t stack = getauxval(AT_RANDOM), mask = 1;

	while (mask << 1 <= stack)
		mask <<= 1;
	return mask - 1;
}

/*
 * A place for len bytes that nobody who has not seen it can name: a random
 * page of the address space, a random offset (of 16) in the page.
 */
static void *
hidden_place(size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint64_t mask = address_mask(), r[2];
	char *at, *p;

	for (int tries = 0; tries < 64; tries++) {
		if (getrandom(r, sizeof(r), 0) != sizeof(r))
			return NULL;
		at = (char *)(uintptr_t)(r[0] & mask & ~(uint64_t)(page - 1));
		p = mmap(at, len + page, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		    MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
		if (p == at)
			return p + (r[1] & (page - 1) & ~(uint64_t)15);
		if (p != MAP_FAILED)
			munmap(p, len + page);
	}
	errno = ENOMEM;
	return NULL;
}

static void *
hide(const void *src, size_t len)
{
	void *p = hidden_place(len);

	return p == NULL ? NULL : memcpy(p, src, len);
}

static size_t
vector_size(char *const v[])
{
	size_t n = 0;

	while (v[n] != NULL)
		n++;
	return (n + 1) * sizeof(v[0]);
}

struct exec_args {
	const char	*path;
	char *const	*argv;
	char *const	*envp;
};

/*
 * Rows that deny every execve(2) but the one with these three pointers. The
 * address space that knows them is gone when that call has succeeded.
 */
static size_t
once_rows(struct filter_row *row, struct exec_args *a)
{
	const char *path = hide(a->path, strlen(a->path) + 1);
	char *const *argv = hide(a->argv, vector_size(a->argv));
	char *const *envp = hide(a->envp, vector_size(a->envp));
	uint64_t v[3] = { (uintptr_t)path, (uintptr_t)argv, (uintptr_t)envp };
	size_t n = 0;

	if (path == NULL || argv == NULL || envp == NULL)
		return 0;
	for (int i = 0; i < 3; i++) {
		row[n++] = (struct filter_row){ SYS_execve, {
		    { (int8_t)(i | FILTER_NOT), ~0U, (uint32_t)v[i] },
		    { -1, 0, 0 } }, EACCES };
		row[n++] = (struct filter_row){ SYS_execve, {
		    { (int8_t)(i | FILTER_NOT | FILTER_HIGH), ~0U,
		    (uint32_t)(v[i] >> 32) }, { -1, 0, 0 } }, EACCES };
	}
	row[n++] = (struct filter_row){ SYS_execveat, FILTER_ANY, EACCES };
	*a = (struct exec_args){ path, argv, envp };
	return n;
}

static const struct filter_row ask_exec[] = {
	{ SYS_execve, FILTER_ANY, FILTER_NOTIFY },
	/* With AT_EMPTY_PATH it is denied anyway. */
	{ SYS_execveat, { { 4, AT_EMPTY_PATH, 0 }, { -1, 0, 0 } }, FILTER_NOTIFY },
};
/*
 * A child that shares its working directory could be moved after it was judged, to
 * where it may not be. Nothing makes such a child but to that end.
 */
static const struct filter_row own_directory[] = {
	{ SYS_clone, { { 0, CLONE_FS | CLONE_THREAD, CLONE_FS },
	    { -1, 0, 0 } }, EPERM },
};

static const struct filter_row ask_spawn[] = {
	{ SYS_clone, { { 0, CLONE_THREAD, 0 }, { -1, 0, 0 } }, FILTER_NOTIFY },
#ifdef SYS_fork
	{ SYS_fork, FILTER_ANY, FILTER_NOTIFY },
	{ SYS_vfork, FILTER_ANY, FILTER_NOTIFY },
#endif
};

/*
 * What PR_SET_MDWE does not see: memory attached once to be written and once to
 * be executed, and a heap that the personality makes executable.
 */
static const struct filter_row no_write_exec[] = {
	{ SYS_shmat, { { 2, SHM_EXEC, SHM_EXEC }, { -1, 0, 0 } }, EACCES },
	/* All ones only asks. */
	{ SYS_personality, { { 0, ~0U, ~0U }, { -1, 0, 0 } }, 0 },
	{ SYS_personality, { { 0, READ_IMPLIES_EXEC, READ_IMPLIES_EXEC },
	    { -1, 0, 0 } }, EPERM },
};

/*
 * What is put to the watcher; row has the n static rows. When nothing may be
 * started, it hears only of what is denied, and nothing that is allowed
 * gets slower. A fork that may be is never put to it: a signal that comes before the
 * watcher has heard of a call interrupts it, and fork(2) does not fail by itself.
 */
static size_t
ask_rows(struct filter_row *row, size_t n, bool once)
{
	for (size_t i = 0; i < n; i++)
		row[i].err = FILTER_NOTIFY;
	if (n == 0) {
		memcpy(row, ask_exec, sizeof(ask_exec));
		n = sizeof(ask_exec) / sizeof(ask_exec[0]);
	}
	if (!once)
		return n;
	memcpy(row + n, ask_spawn, sizeof(ask_spawn));
	return n + sizeof(ask_spawn) / sizeof(ask_spawn[0]);
}

static int
filter_layer(const struct os_exec_plan *plan, struct exec_args *args)
{
	struct filter_row rows[24], *row = rows;
	size_t n = 0, nstatic;
	int listener;

	if (plan->mdwe && !plan->dry) {
		memcpy(row, no_write_exec, sizeof(no_write_exec));
		row += sizeof(no_write_exec) / sizeof(no_write_exec[0]);
	}
	if (plan->trace) {
		memcpy(row, own_directory, sizeof(own_directory));
		row += sizeof(own_directory) / sizeof(own_directory[0]);
	}
	if (plan->once && !plan->dry) {
		n = once_rows(row, args);
		if (n == 0)
			return -1;
	}
	nstatic = n;
	if (plan->watch != NULL)
		n = ask_rows(row, n, plan->once);
	n += (size_t)(row - rows);
	listener = plan->dry ? filter_install(rows, n) :
	    confine(plan->deny | OS_SCOPED_ELSEWHERE, rows, n);
	if (listener == -1 && errno == EBUSY && !plan->dry && !plan->trace) {
		/* Somebody outside listens already: deny without a line. */
		for (size_t i = 0; i < nstatic; i++)
			row[i].err = EACCES;
		return confine(plan->deny | OS_SCOPED_ELSEWHERE, rows,
		    (size_t)(row - rows) + nstatic);
	}
	if (listener <= 0)
		return listener;
	return watch_hand_over(plan, listener);
}

#define STAGE(name, call) \
	do { \
		*stage = (name); \
		if ((call) == -1) \
			return -1; \
	} while (0)

int
os_exec_run(struct os_exec_plan *plan, const char *path, char *const argv[],
    const char **stage)
{
	struct exec_args args = { path, argv, environ };
	int keep = plan->watch != NULL ? plan->watch->sock : -1;

	if (plan->dry) {
		STAGE("no_new_privs", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
		STAGE("system call filter", filter_layer(plan, &args));
		*stage = NULL;
		return execve(args.path, args.argv, args.envp);
	}
	STAGE("mounts", mount_layer(plan));
	STAGE("no_new_privs", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	if (plan->landlock_fd >= 0)
		STAGE("the outer gate's Landlock ruleset",
		    landlock_enter(plan->landlock_fd));
	STAGE("Landlock", landlock_layer(plan));
	if (plan->mdwe)
		STAGE("PR_SET_MDWE", prctl(PR_SET_MDWE,
		    PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0));
	STAGE("descriptors", os_close_fds(&keep, plan->watch != NULL));
	STAGE("system call filter", filter_layer(plan, &args));
	STAGE("capabilities", os_drop_caps());
	*stage = NULL;
	return execve(args.path, args.argv, args.envp);
}
