/* The ports of the host, and the frames on the control port. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "guestinit.h"

/* The driver makes the ports one by one after it was loaded. */
#define WAIT_STEP_MS	2
#define WAIT_STEPS	5000

static int fds[PORT_LAST + 1] = { -1, -1, -1, -1, -1, -1, -1 };

static const char *
port_path(enum port p)
{
	static char path[32];

	snprintf(path, sizeof(path), "/dev/vport0p%d", (int)p);
	return path;
}

void
ports_open(void)
{
	static const struct timespec step = { 0, WAIT_STEP_MS * 1000000 };

	for (int p = PORT_CONTROL; p <= PORT_LAST; p++) {
		for (int i = 0; i < WAIT_STEPS && fds[p] == -1; i++) {
			fds[p] = open(port_path((enum port)p),
			    O_RDWR | O_NONBLOCK | O_CLOEXEC);
			if (fds[p] == -1)
				nanosleep(&step, NULL);
		}
		if (fds[p] == -1)
			fail_errno("port %d of the host did not appear", p);
	}
}

int
port_fd(enum port p)
{
	return fds[p];
}

const char *
port_release(enum port p)
{
	close(fds[p]);
	fds[p] = -1;
	return port_path(p);
}

/* ---- frames ---- */

static void
write_all(const char *buf, size_t len)
{
	struct pollfd pfd = { .fd = fds[PORT_CONTROL], .events = POLLOUT };
	ssize_t n;

	while (len > 0) {
		n = write(pfd.fd, buf, len);
		if (n > 0) {
			buf += n;
			len -= (size_t)n;
		} else if (n == -1 && errno != EAGAIN && errno != EINTR) {
			power_off();	/* the host is gone */
		} else {
			poll(&pfd, 1, 1000);
		}
	}
}

void
frame_send(enum frame_type type, const void *payload, uint32_t len)
{
	struct frame f = { (uint32_t)type, len };
	char buf[sizeof(f) + FRAME_MAX_TO_HOST];

	/* In one write: the host sees it whole in most cases. */
	memcpy(buf, &f, sizeof(f));
	if (len > 0)
		memcpy(buf + sizeof(f), payload, len);
	write_all(buf, sizeof(f) + len);
}

/* What has arrived and was not taken yet. */
static struct {
	char	*data;
	size_t	 len, size, taken;
} in;

/* Reads what there is. */
static void
fill(bool wait)
{
	struct pollfd pfd = { .fd = fds[PORT_CONTROL], .events = POLLIN };
	ssize_t n;

	if (in.size - in.len < 65536) {
		in.size = in.size * 2 + 65536;
		in.data = realloc(in.data, in.size);
		if (in.data == NULL)
			fail("the guest is out of memory");
	}
	n = read(pfd.fd, in.data + in.len, in.size - in.len - 1);
	if (n > 0)
		in.len += (size_t)n;
	else if (n == 0)
		power_off();		/* the host is gone */
	else if (errno == EAGAIN && wait)
		poll(&pfd, 1, -1);
}

bool
frame_next(struct frame *f, char **payload, bool wait)
{
	static char saved;
	static char *end;

	if (end != NULL)
		*end = saved;
	end = NULL;
	memmove(in.data, in.data + in.taken, in.len - in.taken);
	in.len -= in.taken;
	in.taken = 0;
	for (bool again = false;; again = true) {
		if (in.len >= sizeof(*f)) {
			memcpy(f, in.data, sizeof(*f));
			if (f->len > FRAME_MAX_TO_GUEST)
				fail("a frame of the host is too long");
			if (in.len - sizeof(*f) >= f->len)
				break;
		}
		if (again && !wait)
			return false;
		fill(wait);
	}
	in.taken = sizeof(*f) + f->len;
	*payload = in.data + sizeof(*f);
	end = in.data + in.taken;
	saved = *end;
	*end = '\0';
	return true;
}
