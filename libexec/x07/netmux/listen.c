/*
 * Who comes to us: in the guest x07-netgate, on the host whoever connects to where
 * somebody in the guest listens.
 */
#include <sys/socket.h>
#include <sys/un.h>
#include <netinet/in.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "address.h"
#include "clock.h"
#include "netmux.h"

#define BACKLOG		128
#define SERVED_MAX	64
#define LOOK_MS		200

/* A listening socket; -1 with errno. */
static int
listen_at(const struct channel_place *p)
{
	struct sockaddr_in6 sa;
	int family = p->six ? AF_INET6 : AF_INET;
	socklen_t len = address_fill(&sa, family, p->addr, p->port);
	int on = 1, err, fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK |
	    SOCK_CLOEXEC, 0);

	if (fd == -1)
		return -1;
	if (p->six)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&sa, len) == 0 &&
	    listen(fd, BACKLOG) == 0)
		return fd;
	err = errno;
	close(fd);
	errno = err;
	return -1;
}

/* ---- in the guest: x07-netgate --channel ---- */

struct greeting {
	struct watch	watch;		/* the first member */
};

/* It says first where to. */
static void
on_greeting(struct watch *w, unsigned what)
{
	struct channel_place p;
	ssize_t n = recv(w->fd, &p, sizeof(p), MSG_DONTWAIT);

	(void)what;
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	os_poll_remove(poller, w->fd);
	if (n == (ssize_t)sizeof(p))
		stream_local(w->fd, true, &p);
	else
		close(w->fd);
	free((struct greeting *)w);
}

static void
on_connection(struct watch *w, unsigned what)
{
	struct greeting *g;
	int fd;

	(void)what;
	while ((fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK |
	    SOCK_CLOEXEC)) != -1) {
		g = calloc(1, sizeof(*g));
		if (g == NULL)
			refuse_errno("memory");
		g->watch = (struct watch){ fd, on_greeting };
		if (os_poll_add(poller, fd, OS_POLL_IN, &g->watch) == -1)
			refuse_errno("epoll");
	}
}

static const struct channel_place names = { .port = CHANNEL_NAMES, .addr = { 127, 0, 0, 1 } };

/* A resolver's question goes where the other side's resolver listens. */
static void
on_question(struct watch *w, unsigned what)
{
	int fd;

	(void)what;
	while ((fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK |
	    SOCK_CLOEXEC)) != -1)
		stream_local(fd, false, &names);
}

static void
watch_listener(struct watch *w, int fd, void (*event)(struct watch *, unsigned))
{
	*w = (struct watch){ fd, event };
	if (fd == -1 || os_poll_add(poller, fd, OS_POLL_IN, w) == -1)
		refuse_errno("listening in the guest");
}

void
listen_guest(void)
{
	static const struct channel_place channel = { .port = CHANNEL_PORT,
	    .addr = { 127, 0, 0, 1 } };
	static struct watch w[3];
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	/* Abstract: a NUL first, and no more than the name counts. */
	memcpy(sun.sun_path + 1, CHANNEL_PACKETS, sizeof(CHANNEL_PACKETS) - 1);
	if (fd == -1 || bind(fd, (struct sockaddr *)&sun, (socklen_t)(offsetof(
	    struct sockaddr_un, sun_path) + sizeof(CHANNEL_PACKETS))) == -1 ||
	    listen(fd, BACKLOG) == -1)
		refuse_errno("listening in the guest");
	watch_listener(&w[0], fd, on_connection);
	watch_listener(&w[1], listen_at(&channel), on_connection);
	watch_listener(&w[2], listen_at(&names), on_question);
}

/* ---- in the guest: who listens ---- */

static struct channel_place there[SERVED_MAX];
static size_t nthere;

struct look {
	struct channel_place	found[SERVED_MAX];
	size_t		n;
};

static void
on_listener(void *arg, int family, const unsigned char *addr, uint16_t port)
{
	struct look *l = arg;
	struct channel_place p = { .six = family == AF_INET6, .port = port };

	memcpy(p.addr, addr, family == AF_INET6 ? 16 : 4);
	if (!p.six && (port == CHANNEL_PORT || port == CHANNEL_NAMES) &&
	    memcmp(addr, names.addr, 4) == 0)
		return;
	if (l->n < SERVED_MAX)
		l->found[l->n++] = p;
}

static bool
has(const struct channel_place *list, size_t n, const struct channel_place *p)
{
	for (size_t i = 0; i < n; i++)
		if (memcmp(&list[i], p, sizeof(*p)) == 0)
			return true;
	return false;
}

static int tables[2] = { -1, -1 };

void
listen_tables(void)
{
	if (os_net_tables(tables) == -1)
		refuse_errno("watching for listeners");
}

void
listen_look(void)
{
	static int64_t last;
	struct look l = { .n = 0 };
	int64_t now = clock_ms(CLOCK_MONOTONIC);

	if (last != 0 && now - last < LOOK_MS)
		return;
	last = now;
	if (os_net_listeners(tables, on_listener, &l) == -1)
		return;
	for (size_t i = 0; i < l.n; i++)
		if (!has(there, nthere, &l.found[i]))
			channel_send(0, FRAME_LISTEN, &l.found[i],
			    sizeof(l.found[i]));
	for (size_t i = 0; i < nthere; i++)
		if (!has(l.found, l.n, &there[i]))
			channel_send(0, FRAME_UNLISTEN, &there[i],
			    sizeof(there[i]));
	memcpy(there, l.found, sizeof(there));
	nthere = l.n;
}

/* ---- on the host: for those in the guest ---- */

static struct served {
	struct watch	watch;		/* the first member */
	struct channel_place	place;
	bool		used;
} served[SERVED_MAX];

static void
on_client(struct watch *w, unsigned what)
{
	struct served *s = (struct served *)w;
	int fd;

	(void)what;
	while ((fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK |
	    SOCK_CLOEXEC)) != -1)
		stream_local(fd, false, &s->place);
}

int
listen_could(const struct channel_place *p)
{
	int fd;

	/* Ours, for the guest: it asks before it listens, and when it connects. */
	for (size_t i = 0; i < SERVED_MAX; i++)
		if (served[i].used &&
		    memcmp(served[i].place.addr, p->addr, sizeof(p->addr)) == 0 &&
		    served[i].place.port == p->port)
			return 0;
	fd = listen_at(p);
	if (fd == -1)
		return errno;
	close(fd);
	return 0;
}

void
listen_there(const struct channel_place *p, bool listens)
{
	struct served *spare = NULL;
	int fd;

	for (size_t i = 0; i < SERVED_MAX; i++) {
		struct served *s = &served[i];

		if (!s->used) {
			spare = s;
			continue;
		}
		if (memcmp(&s->place, p, sizeof(*p)) != 0)
			continue;
		if (!listens) {
			close(s->watch.fd);
			s->used = false;
		}
		return;
	}
	/* What the policy does not list nobody outside can reach anyway. */
	fd = listens && spare != NULL ? listen_at(p) : -1;
	if (fd == -1)
		return;
	*spare = (struct served){ .watch = { fd, on_client }, .place = *p,
	    .used = true };
	if (os_poll_add(poller, fd, OS_POLL_IN, &spare->watch) == -1)
		refuse_errno("epoll");
}
