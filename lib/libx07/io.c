/* Writing, and room for descriptors. */
#include <sys/resource.h>
#include <sys/socket.h>

#include <errno.h>
#include <unistd.h>

#include "io.h"

int
write_all(int fd, const void *data, size_t len)
{
	const char *p = data;
	ssize_t n;

	for (; len > 0; p += n, len -= (size_t)n)
		if ((n = write(fd, p, len)) == -1) {
			if (errno != EINTR)
				return -1;
			n = 0;
		}
	return 0;
}

ssize_t (*line_writer)(int, const void *, size_t) = write;

ssize_t
write_line(int fd, const void *line, size_t len)
{
	ssize_t n = send(fd, line, len, MSG_DONTWAIT | MSG_NOSIGNAL);

	return n == -1 && errno == ENOTSOCK ? line_writer(fd, line, len) : n;
}

void
fd_limit_raise(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) == -1)
		return;
	lim.rlim_cur = lim.rlim_max;
	/* Some systems take no "unlimited" here: then it stays as it was. */
	(void)setrlimit(RLIMIT_NOFILE, &lim);
}
