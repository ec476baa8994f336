/* Paths as text: nothing here asks the file system. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "x07.h"

/* Appends the components of path to the normalised out, which has len bytes. */
static size_t
append(char *out, size_t len, const char *path)
{
	while (*path != '\0') {
		size_t n = strcspn(path, "/");

		if (n == 2 && path[0] == '.' && path[1] == '.') {
			while (len > 0 && out[--len] != '/')
				continue;
		} else if (n > 0 && !(n == 1 && path[0] == '.')) {
			out[len++] = '/';
			memcpy(out + len, path, n);
			len += n;
		}
		path += n;
		path += strspn(path, "/");
	}
	return len;
}

char *
path_in(const char *dir, const char *name)
{
	char *path;

	if (asprintf(&path, "%s/%s", dir, name) == -1)
		refuse_errno("memory");
	return path;
}

char *
path_normalise(const char *base, const char *path)
{
	size_t len = 0;
	char *out;

	if (*path == '\0' || (*path != '/' && *base != '/')) {
		errno = EINVAL;
		return NULL;
	}
	out = malloc(strlen(base) + strlen(path) + 3);
	if (out == NULL)
		return NULL;
	if (*path != '/')
		len = append(out, len, base);
	len = append(out, len, path);
	if (len == 0)
		out[len++] = '/';
	out[len] = '\0';
	if (len >= PATH_MAX) {
		free(out);
		errno = ENAMETOOLONG;
		return NULL;
	}
	return out;
}

bool
path_within(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	if (n == 1)		/* "/" */
		return true;
	return strncmp(path, dir, n) == 0 &&
	    (path[n] == '\0' || path[n] == '/');
}
