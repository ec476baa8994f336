/* Lines that no reader can hold up. */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "io.h"
#include "os.h"

/*
 * To a terminal, which the program may have stopped (TCOOFF): opened anew, so that the
 * flags are our own. Where it may not be, what is stopped now is not written to.
 */
static ssize_t
write_terminal(int fd, const void *line, size_t len)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	char link[32];
	ssize_t n;
	int own, err;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	own = open(link, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (own == -1 && poll(&p, 1, 0) != 1) {
		errno = EAGAIN;
		return -1;
	}
	n = write(own != -1 ? own : fd, line, len);
	err = errno;
	if (own != -1)
		close(own);
	errno = err;
	return n;
}

/* A pipe of our own, whose contents can be moved on without waiting. */
static int lines[2] = { -1, -1 };

/*
 * splice(2) does not wait when told so, whatever the descriptor's flags are, which are
 * the program's as well.
 */
static ssize_t
write_now(int fd, const void *line, size_t len)
{
	char rest[4096];
	struct stat st;
	size_t moved = 0;
	ssize_t n;
	int err;

	if (isatty(fd))
		return write_terminal(fd, line, len);
	if (fstat(fd, &st) == -1 || !S_ISFIFO(st.st_mode))
		return write(fd, line, len);
	n = write(lines[1], line, len);
	while (n > 0 && moved < len) {
		n = splice(lines[0], NULL, fd, NULL, len - moved, SPLICE_F_NONBLOCK);
		moved += n > 0 ? (size_t)n : 0;
	}
	err = errno;
	/* What is not taken is lost: the next line is another. */
	while (read(lines[0], rest, sizeof(rest)) > 0)
		continue;
	errno = err;
	return moved == len ? (ssize_t)len : -1;
}

int
os_never_wait(void)
{
	signal(SIGPIPE, SIG_IGN);
	if (lines[0] == -1 && pipe2(lines, O_CLOEXEC | O_NONBLOCK) == -1)
		return -1;
	line_writer = write_now;
	return 0;
}
