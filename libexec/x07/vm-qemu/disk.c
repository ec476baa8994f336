/*
 * The tree of files as an image of a disk, for a guest whose kernel can be served in no
 * other way. It is made for this run, holds what the tree shows at that moment, and
 * nobody can write to it.
 */
#include <sys/statvfs.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vm-qemu.h"

#define DISK_BYTES	(INT64_C(1) << 30)
#define ANOTHER		"a guest kernel with virtiofs can (X07_VM_KERNEL)"

/* ---- what cannot be ---- */

static void
check_writes(const struct vm_run *r)
{
	size_t n;
	struct vm_item *items = vm_view_load(r->view_fd, &n);

	for (size_t i = 0; i < n; i++)
		if (items[i].kind == VM_WRITE)
			refuse("%s cannot be written from this guest, which gets its "
			    "files as a read-only disk; " ANOTHER,
			    items[i].path);
	free(items);
}

static char *
maker(void)
{
	char *path = find_mksquashfs();

	if (path == NULL)
		refuse("mksquashfs is not installed, and this guest gets its files "
		    "as a disk (Debian: apt-get install squashfs-tools; or take a "
		    "guest kernel with virtiofs: X07_VM_KERNEL)");
	return path;
}

void
disk_check(const struct vm_run *r)
{
	if (strcmp(r->phase, "build") == 0)
		refuse("nothing can be built in this guest, which gets its files as "
		    "a read-only disk; " ANOTHER);
	check_writes(r);
	free(maker());
}

/* ---- the image ---- */

/* A file that has lost its name already: it ends with the last who has it open. */
static int
make_file(const char *dir)
{
	char *path;
	int fd;

	if (asprintf(&path, "%s/disk", dir) == -1)
		refuse_errno("memory");
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd == -1 || unlink(path) == -1)
		refuse_errno("%s", path);
	free(path);
	return fd;
}

static int64_t
room(int fd)
{
	struct statvfs v;
	uint64_t bytes;

	if (fstatvfs(fd, &v) == -1)
		refuse_errno("the image of the program's files");
	bytes = (uint64_t)v.f_bavail * v.f_frsize;
	return bytes < (uint64_t)DISK_BYTES ? (int64_t)bytes : DISK_BYTES;
}

/*
 * It reads without capabilities: what this user may not read the program gets empty,
 * and under the mode that says so. The last words are what a guest has of its own.
 */
static _Noreturn void
become_maker(const char *root, int out, int64_t most, int errors)
{
	static char lang[] = "LC_ALL=C", *const variables[] = { lang, NULL };
	char to[32], *path = maker();
	const char *const reads[] = { "/usr", "/lib", "/lib64", "/bin",
	    "/etc/ld.so.cache", "/sys/devices/system", root, NULL };
	const char *const writes[] = { "/dev/null", to, NULL };

	snprintf(to, sizeof(to), "/proc/self/fd/%d", out);
	if (dup2(errors, STDERR_FILENO) == -1 || os_keep_fds(&out, 1) == -1)
		refuse_errno("descriptors");
	if (os_limit_file_size(most) == -1 ||
	    os_vm_confine(reads, writes, NULL, 0) == -1)
		refuse_errno("cannot confine mksquashfs");
	execle(path, path, root, to, "-noappend", "-no-recovery", "-no-progress",
	    "-no-xattrs", "-noI", "-noD", "-noF", "-noX", "-mem", "128M",
	    "-e", "dev", "proc", "sys", "x07", (char *)NULL, variables);
	refuse_errno("%s", path);
}

static _Noreturn void
cannot_make(const struct vm_run *r, int64_t most, const struct tail *said)
{
	const char *line = tail_line(said, "File too large");

	if (*line != '\0' && most == DISK_BYTES)
		refuse("the program's files are more than the %" PRId64 " MiB that "
		    "the disk of this guest may have; list less (fs.read_roots, "
		    "--closure), or take a guest kernel with virtiofs "
		    "(X07_VM_KERNEL)", DISK_BYTES >> 20);
	if (*line != '\0' || *tail_line(said, "No space left") != '\0')
		refuse("%s has no room for an image of the program's files "
		    "(X07_VM_STATE_DIR names another)", r->dir);
	line = tail_line(said, NULL);
	refuse("no image of the program's files: mksquashfs: %s",
	    *line != '\0' ? line : "it said nothing");
}

int
disk_make(const struct vm_run *r, const char *root)
{
	static struct tail said;
	char path[32];
	int fd = make_file(r->dir), pair[2], disk, wstatus;
	int64_t most = room(fd);
	pid_t pid;

	if (pipe2(pair, O_CLOEXEC) == -1 || (pid = fork()) == -1)
		refuse_errno("pipe");
	if (pid == 0)
		become_maker(root, fd, most, pair[1]);
	close(pair[1]);
	while (tail_read(&said, pair[0]))
		continue;
	close(pair[0]);
	while (waitpid(pid, &wstatus, 0) == -1 && errno == EINTR)
		continue;
	if (wstatus != 0)
		cannot_make(r, most, &said);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	disk = open(path, O_RDONLY | O_CLOEXEC);
	if (disk == -1)
		refuse_errno("the image of the program's files");
	close(fd);
	return disk;
}
