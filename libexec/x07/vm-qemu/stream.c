/*
 * The program's standard streams, between the caller's descriptors and the ports.
 *
 * The caller's descriptors are shared with others, so they are never made
 * non-blocking: poll(2) says when, and a pipe takes at most PIPE_BUF bytes then.
 */
#include <sys/stat.h>

#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "vm-qemu.h"

void
stream_open(struct stream *s, enum port port, int from, int to, bool to_guest)
{
	struct stat st;

	s->port = port;
	s->from = from;
	s->to = to;
	s->last = UINT64_MAX;
	s->careful = !to_guest && (fstat(to, &st) == -1 || !S_ISREG(st.st_mode));
}

void
stream_watch(const struct stream *s, struct pollfd *p)
{
	*p = (struct pollfd){ .fd = -1 };
	if (s->start != s->end) {
		p->fd = s->to;
		p->events = POLLOUT;
	} else if (s->from != -1) {
		p->fd = s->from;
		p->events = POLLIN;
	}
}

static void
flush(struct stream *s)
{
	size_t len = s->end - s->start;
	ssize_t n;

	if (s->careful && len > PIPE_BUF)
		len = PIPE_BUF;
	n = write(s->to, s->buf + s->start, len);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == -1) {
		s->broken = true;
		s->error = errno;
		s->start = s->end;
		return;
	}
	s->start += (size_t)n;
}

static void
fill(struct stream *s)
{
	ssize_t n = read(s->from, s->buf, sizeof(s->buf));

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		s->from = -1;
		return;
	}
	s->total += (uint64_t)n;
	s->start = 0;
	s->end = s->broken ? 0 : (size_t)n;
}

void
stream_move(struct stream *s, const struct pollfd *p)
{
	if (p->fd == -1 || p->revents == 0)
		return;
	if (s->start != s->end)
		flush(s);
	else
		fill(s);
}

bool
stream_done(const struct stream *s)
{
	return s->start == s->end && (s->total >= s->last || s->from == -1);
}
