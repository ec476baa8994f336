/* Moving bytes from one descriptor to another: splice(2), else read and write. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "os.h"

#define COPY_BYTES	16384	/* on the stack of a thread, which the caller may limit */
#define ROOM_BYTES	(1 << 20)	/* what any user may have by default */

static void
wait_for(int fd, short events)
{
	struct pollfd pfd = { .fd = fd, .events = events };

	poll(&pfd, 1, -1);
}

static int
write_all(int to, const char *p, size_t len)
{
	ssize_t n;

	for (; len > 0; p += n, len -= (size_t)n) {
		n = write(to, p, len);
		if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
			wait_for(to, POLLOUT);
			n = 0;
		} else if (n == -1)
			return -1;
	}
	return 0;
}

/* What splice(2) does not take: terminals, files opened for appending. */
static ssize_t
copy(int from, int to, size_t len)
{
	char buf[COPY_BYTES];
	ssize_t n;

	for (;;) {
		n = read(from, buf, len < sizeof(buf) ? len : sizeof(buf));
		if (n >= 0)
			break;
		if (errno != EAGAIN && errno != EINTR)
			return -1;
		wait_for(from, POLLIN);
	}
	return write_all(to, buf, (size_t)n) == -1 ? -1 : n;
}

ssize_t
os_pump(int from, int to, size_t len)
{
	struct pollfd pfd[2] = {
		{ .fd = from, .events = POLLIN },
		{ .fd = to, .events = POLLOUT },
	};
	ssize_t n;

	for (;;) {
		n = splice(from, NULL, to, NULL, len, SPLICE_F_MOVE);
		if (n >= 0)
			return n;
		if (errno == EINVAL)
			return copy(from, to, len);
		if (errno != EAGAIN && errno != EINTR)
			return -1;
		/* The caller's descriptors may not wait by themselves. */
		poll(&pfd[0], 1, -1);
		poll(&pfd[1], 1, -1);
	}
}

void
os_pump_room(int fd)
{
	/* Fewer wake-ups: measured 0.8 of a plain pipe, against 0.6 without. */
	if (fcntl(fd, F_GETPIPE_SZ) < ROOM_BYTES)
		fcntl(fd, F_SETPIPE_SZ, ROOM_BYTES);
}
