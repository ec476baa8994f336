/* The one byte channel: frames out, frames in. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netmux.h"

#define FULL		(512 * 1024)
/*
 * Answers come on top of that. A side that asks and does not read is not read either;
 * those that are ours do not get here.
 */
#define UNREAD_MAX	(4 * FULL)

static void	on_event(struct watch *, unsigned);

/* One descriptor twice, or the two of a pipe each way. */
static struct watch from = { -1, on_event }, to = { -1, on_event };
static bool readable = true, writable = true;

static struct {
	char	*data;
	size_t	start, len, space;
} out;

static char in[sizeof(struct frame) + UINT16_MAX];
static size_t in_len;

static void
on_event(struct watch *w, unsigned what)
{
	if (w == &from && (what & (OS_POLL_IN | OS_POLL_HUP)) != 0)
		readable = true;
	if (w == &to || (what & OS_POLL_OUT) != 0)
		writable = true;
}

/* With the channel the guest's way out is gone, and we with it. */
static _Noreturn void
gone(void)
{
	exit(0);
}

bool
channel_full(void)
{
	return out.len > FULL;
}

void
channel_send(uint32_t id, enum frame_type type, const void *data, size_t len)
{
	struct frame f = { id, (uint16_t)type, (uint16_t)len };
	size_t need = sizeof(f) + len;

	if (out.start > 0 && out.start + out.len + need > out.space) {
		memmove(out.data, out.data + out.start, out.len);
		out.start = 0;
	}
	if (out.start + out.len + need > out.space) {
		out.space = (out.start + out.len + need) * 2;
		out.data = realloc(out.data, out.space);
		if (out.data == NULL)
			refuse_errno("memory");
	}
	memcpy(out.data + out.start + out.len, &f, sizeof(f));
	if (len > 0)
		memcpy(out.data + out.start + out.len + sizeof(f), data, len);
	out.len += need;
}

static void
flush(void)
{
	ssize_t n;

	while (writable && out.len > 0) {
		n = write(to.fd, out.data + out.start, out.len);
		if (n == -1 && errno == EAGAIN)
			writable = false;
		else if (n == -1 && errno != EINTR)
			gone();
		else if (n > 0) {
			out.start += (size_t)n;
			out.len -= (size_t)n;
		}
	}
	if (out.len == 0)
		out.start = 0;
}

/* All whole frames of what has arrived. */
static void
take(void)
{
	size_t at = 0;
	struct frame f;

	while (in_len - at >= sizeof(f)) {
		memcpy(&f, in + at, sizeof(f));
		if (in_len - at < sizeof(f) + f.len)
			break;
		stream_frame(&f, in + at + sizeof(f));
		at += sizeof(f) + f.len;
	}
	memmove(in, in + at, in_len - at);
	in_len -= at;
}

static void
fill(void)
{
	ssize_t n;

	while (readable && out.len <= UNREAD_MAX) {
		n = read(from.fd, in + in_len, sizeof(in) - in_len);
		if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR))
			gone();
		if (n == -1) {
			readable = errno == EINTR;
			continue;
		}
		in_len += (size_t)n;
		take();
	}
}

void
channel_work(void)
{
	fill();
	flush();
}

static void
add(struct watch *w, int fd, unsigned what)
{
	int flags = fcntl(fd, F_GETFL);

	w->fd = fd;
	if (flags == -1 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1 ||
	    os_poll_add(poller, fd, what | OS_POLL_EDGE, w) == -1)
		refuse_errno("the byte channel");
}

void
channel_open(int reads, int writes)
{
	add(&from, reads, reads == writes ? OS_POLL_IN | OS_POLL_OUT : OS_POLL_IN);
	if (reads == writes)
		to.fd = writes;
	else
		add(&to, writes, OS_POLL_OUT);
}
