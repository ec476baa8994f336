/* The report as a file: all of it, or the one that was there. */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report.h"
#include "x07.h"

char *
report_place(const char *name)
{
	char *place = realpath(name, NULL), *copy, *dir;
	struct stat st;
	bool there;

	if (place == NULL)
		place = strdup(name);
	copy = place != NULL ? strdup(place) : NULL;
	if (copy == NULL)
		refuse_errno("--report %s", name);
	there = stat(place, &st) == 0;
	if (there && S_ISDIR(st.st_mode))
		refuse("--report %s: is a directory", name);
	dir = dirname(copy);
	if ((!there || S_ISREG(st.st_mode)) && access(dir, W_OK) == -1)
		refuse_errno("--report %s: %s", name, dir);
	free(copy);
	return place;
}

static int
write_document(int fd, const struct json_value *v)
{
	FILE *f = fdopen(fd, "w");

	if (f == NULL) {
		close(fd);
		return -1;
	}
	json_write(f, v, JSON_PRETTY);
	if (fflush(f) == EOF || ferror(f)) {
		fclose(f);
		return -1;
	}
	return fclose(f);
}

int
report_write(const char *place, const struct json_value *v)
{
	const char *slash = strrchr(place, '/');
	int dirlen = slash != NULL ? (int)(slash - place) + 1 : 0, fd, err;
	struct stat st;
	char *temp;

	/* A pipe or a terminal is written to, not replaced. */
	if (stat(place, &st) == 0 && !S_ISREG(st.st_mode)) {
		fd = open(place, O_WRONLY | O_CLOEXEC | O_NOCTTY);
		return fd == -1 ? -1 : write_document(fd, v);
	}
	if (asprintf(&temp, "%.*s.%s.%ld.tmp", dirlen, place, place + dirlen,
	    (long)getpid()) == -1)
		return -1;
	fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd == -1)
		return -1;
	if (write_document(fd, v) == 0 && rename(temp, place) == 0) {
		free(temp);
		return 0;
	}
	err = errno;
	unlink(temp);
	errno = err;
	return -1;
}

char *
read_all(int fd, size_t max, size_t *len)
{
	size_t space = 65536;
	char *buf = malloc(space + 1), *more;
	ssize_t n;

	*len = 0;
	while (buf != NULL && (n = read(fd, buf + *len, space - *len)) != 0) {
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 || *len + (size_t)n > max) {
			if (n != -1)
				errno = EFBIG;
			free(buf);
			return NULL;
		}
		*len += (size_t)n;
		if (*len < space)
			continue;
		space *= 2;
		more = realloc(buf, space + 1);
		if (more == NULL)
			free(buf);
		buf = more;
	}
	if (buf != NULL)
		buf[*len] = '\0';
	return buf;
}
