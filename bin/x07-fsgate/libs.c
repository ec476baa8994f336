/*
 * Finds the libraries of a program as its loader will: ld.so(8). More than the
 * loader would take does no harm (each is a library of the system or stands
 * where the program says), so whatever could be chosen is shown.
 */
#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "elf_read.h"
#include "fsgate.h"

#define NAMES_MAX	1024	/* libraries of one program */

/* What libc loads by itself when it is asked for certain things. */
static const char *const by_libc[] = {
	"libgcc_s.so.1", "libnss_dns.so.2", "libnss_files.so.2",
	"libnss_compat.so.2", "libresolv.so.2",
};

static const char *const default_dirs[] = {
	"/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib",
};
#define LEN(a)	(sizeof(a) / sizeof((a)[0]))

struct search {
	struct view	*view;
	struct elf	program;
	char		*names[NAMES_MAX];	/* asked for; found or not */
	size_t		n;
	char		*queue[NAMES_MAX];	/* paths still to be read */
	size_t		nqueue;
};

/* ---- /etc/ld.so.cache, as glibc 2.32 and newer writes it ---- */

#define CACHE_MAGIC	"glibc-ld.so.cache1.1"

struct cache_head {
	char		magic[sizeof(CACHE_MAGIC) - 1];
	uint32_t	nlibs;
	uint32_t	len_strings;
	uint32_t	unused[5];
};
struct cache_entry {
	int32_t		flags;
	uint32_t	key, value;	/* strings: offsets in the file */
	uint32_t	osversion;
	uint64_t	hwcap;
};

static struct {
	const char	*map;		/* NULL: none */
	size_t		len;
	size_t		nlibs;
} cache;

static void
cache_open(void)
{
	static bool done;
	struct cache_head head;
	struct stat st;
	void *map;
	int fd;

	if (done)
		return;
	done = true;
	fd = open("/etc/ld.so.cache", O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return;
	if (fstat(fd, &st) == 0 && st.st_size > (off_t)sizeof(head) &&
	    st.st_size < 64 << 20) {
		map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd,
		    0);
		memset(&head, 0, sizeof(head));
		if (map != MAP_FAILED)
			memcpy(&head, map, sizeof(head));
		if (memcmp(head.magic, CACHE_MAGIC, sizeof(head.magic)) == 0 &&
		    head.nlibs <= ((size_t)st.st_size - sizeof(head)) /
		    sizeof(struct cache_entry)) {
			cache.map = map;
			cache.len = (size_t)st.st_size;
			cache.nlibs = head.nlibs;
		}
	}
	close(fd);
}

static const char *
cache_string(uint32_t at)
{
	if (at >= cache.len ||
	    memchr(cache.map + at, '\0', cache.len - at) == NULL)
		return "";
	return cache.map + at;
}

/* ---- one library ---- */

/*
 * Shows the library when path is one for this program, and puts it into the
 * queue. The file is judged by its handle, so that what is shown is what
 * was read; a file that is no library of this kind is not shown at all.
 */
static bool
take(struct search *s, const char *path)
{
	struct elf elf;
	bool fits;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd == -1)
		return false;
	fits = elf_read(fd, &elf) && elf.class == s->program.class &&
	    elf.machine == s->program.machine;
	close(fd);
	if (!fits || s->nqueue == NAMES_MAX)
		return false;
	if (!closure_expose(s->view, path, CHECK_LIBRARY))
		return false;
	s->queue[s->nqueue] = strdup(path);
	if (s->queue[s->nqueue++] == NULL)
		refuse_errno("memory");
	return true;
}

/* $ORIGIN, $LIB and $PLATFORM; the last two in their usual values. */
static void
expand(char *out, size_t size, const char *dir, size_t len, const char *origin)
{
	static const char *const origins[] = { "$ORIGIN", "${ORIGIN}" };
	size_t n = 0;

	while (len > 0 && n + PATH_MAX < size) {
		bool found = false;

		for (size_t i = 0; i < LEN(origins); i++) {
			size_t k = strlen(origins[i]);

			if (len >= k && strncmp(dir, origins[i], k) == 0) {
				n += (size_t)snprintf(out + n, size - n, "%s",
				    origin);
				dir += k;
				len -= k;
				found = true;
				break;
			}
		}
		if (!found) {
			out[n++] = *dir++;
			len--;
		}
	}
	out[n] = '\0';
}

/* Looks along a list of directories with colons between them. */
static bool
look_along(struct search *s, const char *list, const char *origin,
    const char *name)
{
	char dir[3 * PATH_MAX], path[4 * PATH_MAX];
	size_t len;

	for (; list != NULL && *list != '\0'; list += len + (list[len] == ':')) {
		len = strcspn(list, ":");
		expand(dir, sizeof(dir), list, len, origin);
		snprintf(path, sizeof(path), "%s/%s", dir, name);
		if (*dir == '/' && take(s, path))
			return true;
	}
	return false;
}

static bool
look_in_cache(struct search *s, const char *name)
{
	struct cache_entry e;
	bool found = false;

	cache_open();
	for (size_t i = 0; i < cache.nlibs; i++) {
		memcpy(&e, cache.map + sizeof(struct cache_head) +
		    i * sizeof(e), sizeof(e));
		if (strcmp(cache_string(e.key), name) == 0 &&
		    take(s, cache_string(e.value)))
			found = true;	/* variants for other processors too */
	}
	return found;
}

/* musl has no cache but a file with the directories, one a line or with colons. */
static bool
look_with_musl(struct search *s, const char *name)
{
	char list[4096], path[PATH_MAX], *base;
	ssize_t n = 0;
	int fd;

	base = s->program.interp != NULL ? strrchr(s->program.interp, '/') : NULL;
	if (base == NULL || strncmp(base, "/ld-musl-", 9) != 0)
		return false;
	snprintf(path, sizeof(path), "/etc%.*s.path",
	    (int)strcspn(base, "."), base);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd != -1) {
		n = read(fd, list, sizeof(list) - 1);
		close(fd);
	}
	if (n <= 0)
		return look_along(s, "/lib:/usr/local/lib:/usr/lib", "", name);
	list[n] = '\0';
	for (char *p = list; (p = strchr(p, '\n')) != NULL;)
		*p = ':';
	return look_along(s, list, "", name);
}

static bool
known(struct search *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->names[i], name) == 0)
			return true;
	if (s->n == NAMES_MAX)
		return true;
	s->names[s->n] = strdup(name);
	if (s->names[s->n++] == NULL)
		refuse_errno("memory");
	return false;
}

static void
find(struct search *s, const struct elf *by, const char *origin,
    const char *name)
{
	char dir[PATH_MAX * 3];

	if (strchr(name, '/') != NULL) {
		expand(dir, sizeof(dir), name, strlen(name), origin);
		if (*dir == '/')
			take(s, dir);
		return;
	}
	if (known(s, name))
		return;
	if (by->runpath == NULL && (look_along(s, by->rpath, origin, name) ||
	    look_along(s, s->program.rpath, origin, name)))
		return;
	if (look_along(s, getenv("LD_LIBRARY_PATH"), origin, name) ||
	    look_along(s, by->runpath, origin, name) ||
	    look_with_musl(s, name) || look_in_cache(s, name))
		return;
	for (size_t i = 0; i < LEN(default_dirs); i++)
		if (look_along(s, default_dirs[i], origin, name))
			return;
}

static void
find_all(struct search *s, const char *path)
{
	char *real = realpath(path, NULL), *slash;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct elf elf;

	if (real != NULL && (slash = strrchr(real, '/')) != NULL)
		*slash = '\0';
	if (fd != -1 && elf_read(fd, &elf))
		for (size_t i = 0; i < elf.nneeded; i++)
			find(s, &elf, real != NULL ? real : "", elf.needed[i]);
	if (fd != -1)
		close(fd);
	free(real);
}

void
libs_expose(struct view *v, const char *path)
{
	struct search *s = calloc(1, sizeof(*s));
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (s == NULL)
		refuse_errno("memory");
	s->view = v;
	if (fd == -1 || !elf_read(fd, &s->program)) {
		/* No ELF file, or not readable: nothing to find. */
		if (fd != -1)
			close(fd);
		free(s);
		return;
	}
	close(fd);
	if (s->program.interp != NULL && *s->program.interp == '/')
		take(s, s->program.interp);
	find_all(s, path);
	if (s->program.interp != NULL)
		for (size_t i = 0; i < LEN(by_libc); i++)
			find(s, &s->program, "", by_libc[i]);
	for (size_t i = 0; i < s->nqueue; i++)
		find_all(s, s->queue[i]);
	free(s);
}
