/*
 * The file of -r. An old one stays until the new one is whole, and nothing is left
 * beside it when we are killed: the new one has a name of its own only from
 * when all of its text is known until it is written.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "io.h"
#include "limits.h"

static struct {
	int	 fd;			/* written in place, -1 */
	bool	 made;			/* it is a file, not a descriptor of the caller's */
	int	 dir;			/* of the file that is replaced, -1 */
	char	 name[NAME_MAX + 1];
	mode_t	 mode;
} file = { .fd = -1, .dir = -1, .mode = S_IRUSR | S_IWUSR };

/* Names of descriptors, which are not to be opened once more: fd:N. */
static const char *
as_descriptor(const char *spec, char text[32])
{
	static const struct {
		const char	*name, *text;
	} names[] = {
		{ "/dev/stdout", "fd:1" }, { "/dev/stderr", "fd:2" },
		{ "/dev/fd/", "fd:" }, { "/proc/self/fd/", "fd:" }, { "fd:", "fd:" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t len = strlen(names[i].name);

		if (strncmp(spec, names[i].name, len) != 0 ||
		    (i < 2 && spec[len] != '\0'))
			continue;
		snprintf(text, 32, "%s%s", names[i].text, spec + len);
		return text;
	}
	return NULL;
}

static int
make_new(char temp[64])
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(temp, 64, ".x07-limit-%ld-%lx", (long)getpid(), now.tv_nsec);
	return openat(file.dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
	    O_CLOEXEC, file.mode);
}

/* Finds out whether a file can be made beside that path; -1 with errno: not. */
static int
open_place(const char *path)
{
	char copy[PATH_MAX], temp[64];
	int fd;

	if (strlen(path) >= sizeof(copy)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strlcpy(copy, path, sizeof(copy));
	if (strlcpy(file.name, basename(copy), sizeof(file.name)) >=
	    sizeof(file.name)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strlcpy(copy, path, sizeof(copy));
	file.dir = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (file.dir == -1)
		return -1;
	if ((fd = make_new(temp)) == -1) {
		close(file.dir);
		file.dir = -1;
		return -1;
	}
	close(fd);
	return unlinkat(file.dir, temp, 0);
}

/*
 * Where the file is one of somebody else's, or cannot be replaced, or is no
 * ordinary file, it is written in place.
 */
void
file_open(const char *spec)
{
	char text[32], *real;
	struct stat st;

	if (as_descriptor(spec, text) != NULL) {
		file.fd = audit_open("-r", text);
		return;
	}
	file.fd = open(spec, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	/* A link to nothing is replaced itself. */
	if (file.fd == -1 && errno == ENOENT && *spec != '\0' &&
	    spec[strlen(spec) - 1] != '/') {
		if (open_place(spec) == 0)
			return;
	} else if (file.fd != -1 && fstat(file.fd, &st) == 0) {
		file.made = S_ISREG(st.st_mode);
		file.mode = st.st_mode & 0777;
		if (!file.made || st.st_uid != geteuid() ||
		    (real = realpath(spec, NULL)) == NULL)
			return;
		open_place(real);
		free(real);
		return;
	}
	refuse_errno("-r %s", spec);
}

bool
file_wanted(void)
{
	return file.fd != -1 || file.dir != -1;
}

bool
file_replaces(void)
{
	return file.dir != -1;
}

size_t
file_fds(int fds[2])
{
	size_t n = 0;

	if (file.fd >= 3)
		fds[n++] = file.fd;
	if (file.dir != -1)
		fds[n++] = file.dir;
	return n;
}

static int
replace(const char *text, size_t len)
{
	char temp[64];
	int fd = make_new(temp), err;

	if (fd == -1)
		return -1;
	if (fchmod(fd, file.mode) == 0 && write_all(fd, text, len) == 0 &&
	    close(fd) == 0 && renameat(file.dir, temp, file.dir, file.name) == 0)
		return 0;
	err = errno;
	unlinkat(file.dir, temp, 0);
	errno = err;
	return -1;
}

int
file_write(const char *text, size_t len)
{
	if (file.dir != -1 && replace(text, len) == 0)
		return 0;
	if (file.fd == -1)
		return -1;
	if (file.made && ftruncate(file.fd, 0) == -1)
		return -1;
	return write_all(file.fd, text, len);
}
