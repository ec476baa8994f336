/*
 * Streams: each is a socket here and a number on the channel.
 *
 * What a side sends the other has room for, because it was told so (credit): a
 * connection whose reader sleeps holds up no other one, and memory is bounded. A
 * side that sends more is not one of ours, and is hung up on.
 */
#include <sys/socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "address.h"
#include "netmux.h"
#include "reset.h"

enum state {
	CONNECTING,	/* our connect(2) is under way */
	WAITING,	/* the other side's */
	OPEN,
	DEAD,
};

struct stream {
	struct watch		watch;		/* the first member */
	TAILQ_ENTRY(stream)	link;
	enum state		state;
	uint32_t		id;
	bool			datagrams;
	bool			told, once;	/* wants an errno first, and no more */
	bool			readable, writable;
	bool			sent_eof, got_eof, shut;
	uint32_t		may_send;	/* bytes */
	char			*in;		/* from the channel, for the socket */
	size_t			in_start, in_len;
};

int poller = -1;

static TAILQ_HEAD(, stream) streams = TAILQ_HEAD_INITIALIZER(streams);
static size_t nstreams;
static uint32_t next_id;

void
stream_side(bool guest)
{
	next_id = guest ? 2 : 1;
}

static bool
is_theirs(uint32_t id)
{
	return (id & 1) != (next_id & 1);
}

static struct stream *
find(uint32_t id)
{
	struct stream *s;

	TAILQ_FOREACH(s, &streams, link)
		if (s->id == id && s->state != DEAD)
			return s;
	return NULL;
}

static void
on_event(struct watch *w, unsigned what)
{
	struct stream *s = (struct stream *)w;

	if ((what & (OS_POLL_IN | OS_POLL_HUP)) != 0)
		s->readable = true;
	if ((what & (OS_POLL_OUT | OS_POLL_HUP)) != 0)
		s->writable = true;
}

static struct stream *
stream_new(uint32_t id, int fd, bool datagrams)
{
	struct stream *s = calloc(1, sizeof(*s));
	int on = 1;

	if (s == NULL || (s->in = malloc(WINDOW)) == NULL)
		refuse_errno("memory");
	s->watch = (struct watch){ fd, on_event };
	s->id = id;
	s->datagrams = datagrams;
	s->may_send = WINDOW;
	if (!datagrams)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	/* We end with the guest, whatever is missing then. */
	reset_at_end(s->watch.fd, true);
	if (os_poll_add(poller, fd, OS_POLL_IN | OS_POLL_OUT | OS_POLL_EDGE,
	    &s->watch) == -1)
		refuse_errno("epoll");
	TAILQ_INSERT_TAIL(&streams, s, link);
	nstreams++;
	return s;
}

/* Closes; with RST where bytes are missing. Freed at the end of the round. */
static void
end(struct stream *s, bool reset)
{
	if (s->state == DEAD)
		return;
	reset_at_end(s->watch.fd, reset);
	close(s->watch.fd);
	s->watch.fd = -1;
	s->state = DEAD;
}

static void
hang_up(struct stream *s)
{
	channel_send(s->id, FRAME_RESET, NULL, 0);
	end(s, true);
}

/* ---- from our side ---- */

void
stream_local(int fd, bool told, const struct channel_place *p)
{
	struct stream *s;

	if (nstreams >= STREAMS_MAX) {
		close(fd);
		return;
	}
	s = stream_new(next_id, fd, p->kind == CHANNEL_DATAGRAMS);
	next_id += 2;
	s->told = told;
	s->once = p->kind == CHANNEL_BIND;
	s->state = s->datagrams ? OPEN : WAITING;
	channel_send(s->id, FRAME_OPEN, p, sizeof(*p));
}

/* The program connected, and learns what became of it. */
static void
opened(struct stream *s, const char *payload, size_t len)
{
	int32_t err = EPROTO;

	if (len == sizeof(err))
		memcpy(&err, payload, sizeof(err));
	if (s->datagrams) {
		if (err != 0)
			end(s, false);
		return;
	}
	if (s->state != WAITING)
		return;
	s->state = OPEN;
	if (s->told &&
	    send(s->watch.fd, &err, sizeof(err), MSG_NOSIGNAL) != sizeof(err))
		hang_up(s);
	else if (err != 0 || s->once)
		end(s, !s->told);
}

/* ---- from the other side ---- */

static int
connect_to(int fd, const struct channel_place *p)
{
	struct sockaddr_in6 to;
	socklen_t len = address_fill(&to, p->six ? AF_INET6 : AF_INET, p->addr,
	    p->port);

	return connect(fd, (struct sockaddr *)&to, len);
}

static void
answer(uint32_t id, int err)
{
	int32_t e = err;

	channel_send(id, FRAME_OPENED, &e, sizeof(e));
}

static void
open_there(uint32_t id, const struct channel_place *p)
{
	bool datagrams = p->kind == CHANNEL_DATAGRAMS;
	struct stream *s;
	int fd, err;

	if (p->kind == CHANNEL_BIND || nstreams >= STREAMS_MAX) {
		answer(id, p->kind == CHANNEL_BIND ? listen_could(p) : EMFILE);
		return;
	}
	fd = socket(p->six ? AF_INET6 : AF_INET, (datagrams ? SOCK_DGRAM :
	    SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	err = fd == -1 ? errno : connect_to(fd, p) == 0 ? 0 : errno;
	if (err != 0 && err != EINPROGRESS) {
		if (fd != -1)
			close(fd);
		answer(id, err);
		return;
	}
	s = stream_new(id, fd, datagrams);
	s->state = err == 0 ? OPEN : CONNECTING;
	if (err == 0)
		answer(id, 0);
}

static void
connected(struct stream *s)
{
	socklen_t len = sizeof(int);
	int err = 0;

	if (getsockopt(s->watch.fd, SOL_SOCKET, SO_ERROR, &err, &len) == -1)
		err = errno;
	answer(s->id, err);
	if (err != 0)
		end(s, false);
	else
		s->state = OPEN;
}

/* ---- bytes ---- */

static void
take_data(struct stream *s, const char *data, size_t len)
{
	if (s->datagrams) {
		/* Lost when there is no room, as a network loses it. */
		(void)send(s->watch.fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		return;
	}
	if (s->in_len + len > WINDOW || s->got_eof) {
		hang_up(s);
		return;
	}
	if (s->in_start + s->in_len + len > WINDOW) {
		memmove(s->in, s->in + s->in_start, s->in_len);
		s->in_start = 0;
	}
	memcpy(s->in + s->in_start + s->in_len, data, len);
	s->in_len += len;
}

static void
write_some(struct stream *s)
{
	uint32_t done = 0;
	ssize_t n;

	while (s->writable && s->in_len > 0) {
		n = send(s->watch.fd, s->in + s->in_start, s->in_len,
		    MSG_NOSIGNAL);
		if (n == -1 && errno == EAGAIN) {
			s->writable = false;
		} else if (n == -1 && errno != EINTR) {
			hang_up(s);
			return;
		} else if (n > 0) {
			s->in_start += (size_t)n;
			s->in_len -= (size_t)n;
			done += (uint32_t)n;
		}
	}
	if (s->in_len == 0)
		s->in_start = 0;
	if (done > 0)
		channel_send(s->id, FRAME_CREDIT, &done, sizeof(done));
	if (s->got_eof && s->in_len == 0 && !s->shut) {
		/* Nothing is missing: first, as we may be ended any moment. */
		reset_at_end(s->watch.fd, false);
		shutdown(s->watch.fd, SHUT_WR);
		s->shut = true;
	}
}

/* One read; false when there is nothing more to be read now. */
static bool
read_one(struct stream *s)
{
	static char buf[DATAGRAM_MAX];
	size_t want = s->datagrams ? sizeof(buf) : CHUNK;
	ssize_t n;

	if (!s->datagrams && want > s->may_send)
		want = s->may_send;
	n = recv(s->watch.fd, buf, want, 0);
	if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
		s->readable = errno == EINTR;
		return false;
	}
	if (n == -1 || (n == 0 && s->datagrams)) {
		hang_up(s);
		return false;
	}
	if (n == 0) {
		channel_send(s->id, FRAME_EOF, NULL, 0);
		s->sent_eof = true;
		return false;
	}
	channel_send(s->id, FRAME_DATA, buf, (size_t)n);
	if (!s->datagrams)
		s->may_send -= (uint32_t)n;
	return true;
}

static bool
can_read(const struct stream *s)
{
	return s->state == OPEN && s->readable && !s->sent_eof &&
	    s->may_send > 0;
}

static void
move(struct stream *s)
{
	if (s->state == CONNECTING && s->writable)
		connected(s);
	if (s->state == OPEN)
		write_some(s);
	/* A share each, so that one fast stream does not hold up the others. */
	for (int i = 0; i < 4 && can_read(s) && !channel_full(); i++)
		if (!read_one(s))
			break;
	if (s->state == OPEN && s->sent_eof && s->shut)
		end(s, false);
}

bool
stream_work(void)
{
	struct stream *s, *next;
	bool more = false;

	TAILQ_FOREACH_SAFE(s, &streams, link, next) {
		if (s->state != DEAD)
			move(s);
		if (s->state != DEAD) {
			more |= can_read(s) && !channel_full();
			continue;
		}
		TAILQ_REMOVE(&streams, s, link);
		nstreams--;
		free(s->in);
		free(s);
	}
	return more;
}

/* ---- frames ---- */

static void
on_stream(struct stream *s, const struct frame *f, const char *payload)
{
	uint32_t credit = 0;

	switch (f->type) {
	case FRAME_OPENED:
		opened(s, payload, f->len);
		break;
	case FRAME_DATA:
		take_data(s, payload, f->len);
		break;
	case FRAME_EOF:
		s->got_eof = true;
		break;
	case FRAME_RESET:
		end(s, true);
		break;
	case FRAME_CREDIT:
		if (f->len == sizeof(credit))
			memcpy(&credit, payload, sizeof(credit));
		if (credit > WINDOW - s->may_send)
			credit = WINDOW - s->may_send;
		s->may_send += credit;
		break;
	default:
		refuse("the other side of the byte channel speaks nonsense");
	}
}

void
stream_frame(const struct frame *f, const char *payload)
{
	struct stream *s = find(f->id);
	struct channel_place p;

	if (f->type != FRAME_OPEN && f->type != FRAME_LISTEN &&
	    f->type != FRAME_UNLISTEN) {
		/* For one that has ended here it is old news. */
		if (s != NULL)
			on_stream(s, f, payload);
		return;
	}
	if (f->len != sizeof(p) || s != NULL ||
	    (f->type == FRAME_OPEN && !is_theirs(f->id)))
		refuse("the other side of the byte channel speaks nonsense");
	memcpy(&p, payload, sizeof(p));
	if (f->type == FRAME_OPEN)
		open_there(f->id, &p);
	else
		listen_there(&p, f->type == FRAME_LISTEN);
}
