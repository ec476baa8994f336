/*
 * The sidecar of a bundle for a machine. The bundle knows the digest of every
 * file in it, so whoever can write there can break it, and no more.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stub.h"
#include "x07.h"

#define PAYLOAD		"payload"

static _Noreturn void	quit(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));

static _Noreturn void
quit(const char *fmt, ...)
{
	char text[PATH_MAX + 512];
	va_list ap;

	place_remove();
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	refuse("%s", text);
}

/* Copies fd to the descriptor to (-1: nowhere). False when it is not what hex says. */
static bool
copy_checked(int fd, int to, const char *hex)
{
	char buf[65536], got[DIGEST_HEX];
	struct digest c;
	ssize_t n;

	digest_start(&c);
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		digest_add(&c, buf, (size_t)n);
		if (to != -1 && write(to, buf, (size_t)n) != n)
			quit("%s: %s", PAYLOAD, strerror(errno));
	}
	return n == 0 && strcmp(digest_end_hex(&c, got), hex) == 0;
}

static void
check_file(const char *dir, const char *name, const char *hex, const char *program)
{
	char *path = join(dir, "/", name);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), to = -1;

	if (fd == -1)
		quit("%s: %s; a bundle for a machine needs the directory that "
		    "was made with it", path, strerror(errno));
	if (strcmp(name, PAYLOAD) == 0) {
		to = open(program, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0500);
		if (to == -1)
			quit("%s: %s", program, strerror(errno));
	}
	if (!copy_checked(fd, to, hex))
		quit("this bundle was changed: %s is not what it was; nothing was "
		    "run", path);
	close(fd);
	if (to != -1)
		close(to);
	free(path);
}

/* Beside the file that we are: under its name of today, or the one it was made with. */
static char *
find_sidecar(const char *name)
{
	char self[PATH_MAX], *path, *slash;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n <= 0)
		quit("cannot tell where this bundle is: %s", strerror(errno));
	self[n] = '\0';
	path = join(self, ".vm", "");
	if (access(path, F_OK) == 0)
		return path;
	free(path);
	slash = strrchr(self, '/');
	*slash = '\0';
	path = join(self, "/", name);
	if (access(path, F_OK) == -1)
		quit("%s/%s is missing: a bundle for a machine needs the directory "
		    "that was made with it", self, name);
	return path;
}

static bool
accepted(void)
{
	static const char *const yes[] = { "1", "true", "TRUE", "yes", "YES" };
	const char *v = getenv("X07_I_ACCEPT_WEAKER_ISOLATION");

	for (size_t i = 0; v != NULL && i < sizeof(yes) / sizeof(yes[0]); i++)
		if (strcmp(v, yes[i]) == 0)
			return true;
	return false;
}

/* Another one of the caller's; only with acceptance. Returns whether there is one. */
static bool
override(char **what, const char *variable)
{
	const char *v = getenv(variable);

	if (v == NULL || *v == '\0' || strcmp(v, *what) == 0)
		return false;
	if (!accepted())
		quit("%s=%s: this bundle is for %s; to override it set "
		    "X07_I_ACCEPT_WEAKER_ISOLATION=1", variable, v, *what);
	*what = join(v, "", "");
	return true;
}

void
machine_open(struct machine *m, char *part, const char *program)
{
	char *line, *key, *value, *name = NULL;

	*m = (struct machine){ .backend = NULL };
	while ((line = strsep(&part, "\n")) != NULL && *line != '\0') {
		key = strsep(&line, " ");
		value = strsep(&line, " ");
		if (value == NULL)
			quit("part vm is damaged");
		if (strcmp(key, "sidecar") == 0)
			name = value;
		else if (strcmp(key, "backend") == 0)
			m->backend = value;
		else if (strcmp(key, "image") == 0)
			m->image = value;
		else if (strcmp(key, "digest") == 0)
			m->digest = value;
		else if (strcmp(key, "file") == 0 && line != NULL && name != NULL) {
			if (m->dir == NULL)
				m->dir = find_sidecar(name);
			check_file(m->dir, value, line, program);
		} else
			quit("part vm is damaged");
	}
	if (m->dir == NULL || m->backend == NULL || m->image == NULL ||
	    m->digest == NULL)
		quit("part vm is damaged");
	override(&m->backend, "X07_VM_BACKEND");
	if (strcmp(m->backend, "qemu") == 0)
		m->image = join(m->dir, "/", m->image);
	if (override(&m->image, "X07_VM_GUEST_IMAGE"))
		m->digest = NULL;
}
