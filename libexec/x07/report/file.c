/* Reading all of it. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "report.h"

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
