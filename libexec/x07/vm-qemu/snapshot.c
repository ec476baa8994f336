/*
 * A guest that has booted and waits for its request, kept for the next run.
 *
 * It is saved before it got a request: it holds nothing of a policy, a program or
 * a file of this machine, and the device that serves files is added afterwards. A
 * restored guest takes its random seed and its clock from the request, as one
 * that booted does.
 *
 * DIR/NAME.snap/{memory,state}: DIR is this user's cache. The name is the digest
 * of everything that the saved machine depends on. The two files come into being
 * together, by a rename; whoever can write there can write the image too.
 */
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "digest.h"
#include "vm-qemu.h"

#define FORMAT		"x07-vm-snapshot 1"
#define PAGE		4096
#define STATE_MAX	(16 << 20)

static const char *const names[] = { "memory", "state" };

/* ---- its name ---- */

static void
add_file(struct digest *c, const char *path)
{
	struct stat st;
	char text[256];
	int n;

	if (stat(path, &st) == -1)
		memset(&st, 0, sizeof(st));
	n = snprintf(text, sizeof(text), "%jd %jd.%09ld %ju %ju",
	    (intmax_t)st.st_size, (intmax_t)st.st_mtim.tv_sec,
	    st.st_mtim.tv_nsec, (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	digest_add(c, path, strlen(path) + 1);
	digest_add(c, text, (size_t)n + 1);
}

void
snapshot_name(struct snapshot *s, const char *cache, const char *emulator,
    const struct image *im, int64_t memory, int64_t cpus)
{
	char hex[DIGEST_HEX], text[128], self[4096];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	struct digest c;
	int n;

	*s = (struct snapshot){ .memory = -1, .state = -1, .bytes = memory };
	self[len > 0 ? len : 0] = '\0';
	digest_start(&c);
	n = snprintf(text, sizeof(text), FORMAT " %s %" PRId64 " %" PRId64,
	    X07_VERSION, memory, cpus);
	digest_add(&c, text, (size_t)n + 1);
	digest_add(&c, im->id, strlen(im->id) + 1);
	add_file(&c, emulator);
	add_file(&c, self);
	digest_end_hex(&c, hex);
	if (asprintf(&s->path, "%s/%.32s.snap", cache, hex) == -1)
		refuse_errno("memory");
}

/* ---- taking one ---- */

static bool
is_ours(int fd, mode_t type)
{
	struct stat st;

	return fd != -1 && fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == type &&
	    st.st_uid == geteuid() && (st.st_mode & 077) == 0;
}

static int
open_part(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (is_ours(fd, S_IFREG))
		return fd;
	if (fd != -1)
		close(fd);
	return -1;
}

static void
close_parts(struct snapshot *s)
{
	if (s->memory != -1)
		close(s->memory);
	if (s->state != -1)
		close(s->state);
	s->memory = s->state = -1;
}

bool
snapshot_open(struct snapshot *s)
{
	int dir = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;

	if (is_ours(dir, S_IFDIR)) {
		s->memory = open_part(dir, names[0]);
		s->state = open_part(dir, names[1]);
		/* Those that are used are the last to be removed. */
		(void)futimens(dir, NULL);
	}
	if (dir != -1)
		close(dir);
	if (s->memory != -1 && s->state != -1 && fstat(s->memory, &st) == 0 &&
	    st.st_size == s->bytes)
		return true;
	close_parts(s);
	return false;
}

bool
snapshot_fill(const struct snapshot *s, int memory)
{
	off_t at = 0, end;

	while ((at = lseek(s->memory, at, SEEK_DATA)) != -1) {
		end = lseek(s->memory, at, SEEK_HOLE);
		if (end == -1 || lseek(memory, at, SEEK_SET) == -1)
			return false;
		while (at < end)
			if (sendfile(memory, s->memory, &at,
			    (size_t)(end - at)) <= 0)
				return false;
	}
	return errno == ENXIO;		/* nothing but a hole is left */
}

static void
remove_dir(const char *path)
{
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	for (size_t i = 0; i < 2 && dir != -1; i++)
		unlinkat(dir, names[i], 0);
	if (dir != -1)
		close(dir);
	rmdir(path);
}

void
snapshot_remove(const struct snapshot *s)
{
	remove_dir(s->path);
}

/* ---- saving one ---- */

static bool
write_all(int fd, const char *from, size_t len, off_t at)
{
	ssize_t n;

	while (len > 0) {
		n = pwrite(fd, from, len, at);
		if (n == -1)
			return false;
		from += n;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

/* The pages that hold something; what the others would take up stays a hole. */
static bool
write_pages(int to, const char *memory, off_t at, off_t end)
{
	static const char zeros[PAGE];
	off_t from = at;

	for (;; at += PAGE) {
		if (at < end && memcmp(memory + at, zeros, PAGE) != 0)
			continue;
		if (!write_all(to, memory + from, (size_t)(at - from), from))
			return false;
		from = at + PAGE;
		if (at >= end)
			return true;
	}
}

static bool
write_memory(int to, int memory, int64_t bytes)
{
	const char *map = mmap(NULL, (size_t)bytes, PROT_READ, MAP_SHARED, memory, 0);
	off_t at = 0, end;
	bool good = true;

	if (map == MAP_FAILED || ftruncate(to, bytes) == -1)
		return false;
	while (good && (at = lseek(memory, at, SEEK_DATA)) != -1) {
		end = lseek(memory, at, SEEK_HOLE);
		good = end != -1 && write_pages(to, map, at, end);
		at = end;
	}
	munmap((char *)(uintptr_t)map, (size_t)bytes);
	return good;
}

/* The machine stands still meanwhile. */
static bool
write_state(int to, int qmp)
{
	static const char stop[] = "{\"execute\":\"stop\"}\n";
	static const char take[] = "{\"execute\":\"getfd\",\"arguments\":"
	    "{\"fdname\":\"state\"}}\n";
	static const char save[] = "{\"execute\":\"migrate\",\"arguments\":"
	    "{\"uri\":\"fd:state\"}}\n";
	static const char query[] = "{\"execute\":\"query-migrate\"}\n";
	struct stat st;

	return qmp_do(qmp, stop, -1) && qmp_do(qmp, take, to) &&
	    qmp_do(qmp, save, -1) &&
	    qmp_wait(qmp, query, "\"status\": \"completed\"",
	    "\"status\": \"failed\"") &&
	    fstat(to, &st) == 0 && st.st_size > 0 && st.st_size < STATE_MAX;
}

bool
snapshot_save(const struct snapshot *s, int qmp, int memory)
{
	char *temp;
	int dir, fd[2] = { -1, -1 };
	bool good = true;

	if (asprintf(&temp, "%s.XXXXXX", s->path) == -1)
		refuse_errno("memory");
	if (mkdtemp(temp) == NULL) {
		free(temp);
		return false;
	}
	dir = open(temp, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	/* As long as it is held x07-vmrun does not take this for something left. */
	if (dir != -1)
		(void)flock(dir, LOCK_EX);
	for (size_t i = 0; i < 2; i++) {
		fd[i] = openat(dir, names[i], O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
		    0600);
		good = good && fd[i] != -1;
	}
	good = good && write_state(fd[1], qmp) &&
	    write_memory(fd[0], memory, s->bytes);
	/* After a power cut there is all of it, or none. */
	for (size_t i = 0; i < 2; i++) {
		good = good && fdatasync(fd[i]) == 0;
		if (fd[i] != -1)
			close(fd[i]);
	}
	good = good && rename(temp, s->path) == 0;
	if (!good)
		remove_dir(temp);
	if (dir != -1)
		close(dir);
	free(temp);
	return good;
}
