/*
 * The rights that stand behind a view: landlock(7). Mounts say what is seen and
 * what is read-only; this says what may be made and removed in the rest, and
 * that nothing outside the view is opened through a handle that got in.
 */
#include <sys/resource.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "linux.h"
#include "linux_compat.h"
#include "os.h"

#define FS(right)	((uint64_t)LANDLOCK_ACCESS_FS_##right)
#define FS_READ		(FS(EXECUTE) | FS(READ_FILE))
#define FS_FILE		(FS_READ | FS(WRITE_FILE) | FS(TRUNCATE))
#define FS_WRITE	(FS(WRITE_FILE) | FS(TRUNCATE) | FS(MAKE_REG) | \
			FS(MAKE_SOCK) | FS(MAKE_FIFO))
#define FS_SCRATCH	(FS_READ | FS(READ_DIR) | FS_WRITE | FS(MAKE_SYM) | \
			FS(MAKE_DIR) | FS(REMOVE_FILE) | FS(REMOVE_DIR) | FS(REFER))
#define FS_ALL		(FS_SCRATCH | FS(MAKE_CHAR) | FS(MAKE_BLOCK))

/* What may says of a directory, beside the ability to read files and to write. */
static uint64_t
may_rights(unsigned may)
{
	return ((may & OS_MAY_SYMLINK) != 0 ? FS(MAKE_SYM) : 0) |
	    ((may & OS_MAY_MKDIR) != 0 ? FS(MAKE_DIR) : 0) |
	    ((may & OS_MAY_REMOVE) != 0 ? FS(REMOVE_FILE) | FS(REMOVE_DIR) : 0) |
	    ((may & OS_MAY_RENAME) != 0 ? FS(REFER) : 0) |
	    ((may & OS_MAY_LIST) != 0 ? FS(READ_DIR) : 0);
}

/* What this kernel can handle. */
static uint64_t
handled_rights(int abi)
{
	uint64_t all = FS_ALL;

	if (abi < 2)
		all &= ~FS(REFER);	/* never allowed then */
	if (abi < 3)
		all &= ~FS(TRUNCATE);
	return all;
}

static int
allow_fd(int ruleset, int fd, uint64_t rights)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return -1;
	if (!S_ISDIR(st.st_mode))
		rights &= FS_FILE;
	return rights == 0 ? 0 : landlock_allow_path(ruleset, fd, rights);
}

static int
allow_path(int ruleset, const char *path, uint64_t rights)
{
	int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC), ret, err;

	if (fd == -1)
		return errno == ENOENT ? 0 : -1;
	ret = allow_fd(ruleset, fd, rights);
	err = errno;
	close(fd);
	errno = err;
	return ret;
}

/*
 * Standard input and output were given with the start: they may be opened
 * again through /dev/stdin and the like, but not for more than they are open for.
 */
static int
allow_standard(int ruleset, int fd, uint64_t handled)
{
	int mode = fcntl(fd, F_GETFL) & O_ACCMODE;
	uint64_t rights = mode == O_RDONLY ? 0 : FS(WRITE_FILE) | FS(TRUNCATE);

	if (mode != O_WRONLY)
		rights |= FS(READ_FILE);
	/* Pipes and sockets have no place in the file system: always allowed. */
	if (landlock_allow_path(ruleset, fd, rights & handled) == -1 &&
	    errno != EBADFD && errno != EBADF)
		return -1;
	return 0;
}

/*
 * Rights are those of a path and of all directories above it together. So
 * where a root lies in a scratch directory, that has none that the root must not
 * have; what a read-only mount denies anyway it may keep.
 */
static uint64_t
scratch_rights(const struct os_view *v, const char *path)
{
	uint64_t rights = FS_SCRATCH, may = FS_READ | FS_WRITE |
	    may_rights(v->may);
	size_t len = strlen(path);

	for (size_t i = 0; i < v->n; i++) {
		const struct os_view_item *it = &v->items[i];

		if (it->root && strncmp(it->path, path, len) == 0 &&
		    it->path[len] == '/')
			rights &= it->kind == OS_VIEW_WRITE ? may :
			    ~FS(READ_DIR) | may;
	}
	return rights;
}

/* The item's handle, or the directory of that path. */
static int
allow_tree(int ruleset, const struct os_view_item *it, uint64_t rights)
{
	return it->fd != -1 ? allow_fd(ruleset, it->fd, rights) :
	    allow_path(ruleset, it->path, rights);
}

static int
allow_item(int ruleset, const struct os_view *v, const struct os_view_item *it,
    uint64_t handled)
{
	switch (it->kind) {
	case OS_VIEW_WRITE:
		return allow_tree(ruleset, it, (FS_READ | FS_WRITE |
		    may_rights(v->may)) & handled);
	case OS_VIEW_READ:
		/* With OS_MAY_LIST "/" has the right for all. */
		return it->root || (v->may & OS_MAY_LIST) != 0 ? 0 :
		    allow_tree(ruleset, it, FS(READ_DIR));
	case OS_VIEW_SCRATCH:
		return allow_path(ruleset, it->path,
		    scratch_rights(v, it->path) & handled);
	case OS_VIEW_DEV:
		if (allow_path(ruleset, it->path, FS(READ_DIR) |
		    FS(WRITE_FILE)) == -1)
			return -1;
		return allow_path(ruleset, "/dev/shm",
		    scratch_rights(v, "/dev/shm") & handled);
	case OS_VIEW_PROC:
		return allow_path(ruleset, it->path, FS(READ_DIR) |
		    (v->next_gate ? FS(WRITE_FILE) : 0));
	default:
		return 0;
	}
}

int
os_view_ruleset(const struct os_view *v, unsigned *deny)
{
	int abi = landlock_abi(), ruleset, err;
	uint64_t handled = handled_rights(abi);

	/* A name in /proc/self/fd could truncate what was given to be read. */
	*deny = abi < 3 ? OS_DENY_TRUNCATE : 0;
	if (abi == 0) {
		errno = ENOTSUP;
		return -1;
	}
	ruleset = landlock_ruleset(handled, 0, landlock_scopes());
	if (ruleset == -1)
		return -1;
	if (allow_path(ruleset, "/", FS_READ | (may_rights(v->may) &
	    FS(READ_DIR))) == -1)
		goto fail;
	for (size_t i = 0; i < v->n; i++)
		if (allow_item(ruleset, v, &v->items[i], handled) == -1)
			goto fail;
	for (int fd = 0; fd <= 2; fd++)
		if (allow_standard(ruleset, fd, handled) == -1)
			goto fail;
	return ruleset;
fail:
	err = errno;
	close(ruleset);
	errno = err;
	return -1;
}

int
os_ruleset_enter(int fd)
{
	return landlock_enter(fd);
}

int
os_limit_file_size(int64_t bytes)
{
	struct rlimit rl;

	/* A denial is an error, not a death. */
	if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR ||
	    getrlimit(RLIMIT_FSIZE, &rl) == -1)
		return -1;
	if (rl.rlim_max != RLIM_INFINITY && (rlim_t)bytes > rl.rlim_max)
		return 0;	/* narrower already */
	rl.rlim_cur = rl.rlim_max = (rlim_t)bytes;
	return setrlimit(RLIMIT_FSIZE, &rl);
}
