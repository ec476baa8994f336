/* Listeners inside the network, one per address and port that is open. */
#include <sys/resource.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "address.h"
#include "netgate.h"

#define BUCKETS		1024	/* a power of two */
#define SPARE		16	/* sockets made at once */
#define OWN_FDS		24	/* what the relay needs beside the listeners */

/* ---- inside ---- */

struct batch {
	int	relay;
	int	fds[OS_FDS_MAX];
	size_t	n, total;
};

/* The relay must be able to hold all of them; it may raise its soft limit. */
static void
check_room(const struct batch *b)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) == 0 &&
	    lim.rlim_max < b->total + OWN_FDS)
		refuse("%zu listeners and %d descriptors for the relay itself "
		    "are more than the %llu that may be open (ulimit -Hn, "
		    "limits.fds)", b->total, OWN_FDS,
		    (unsigned long long)lim.rlim_max);
}

static void
flush(struct batch *b)
{
	if (b->n > 0 && os_send_fds(b->relay, b->fds, b->n) == -1)
		refuse_errno("passing sockets to the relay");
	while (b->n > 0)
		close(b->fds[--b->n]);
}

enum {
	LISTEN_HELD = 1 << 0,	/* as of os_net_listen */
	LISTEN_SHARED = 1 << 1,	/* a datagram socket for all addresses may be there, too */
};

static void
open_one(struct batch *b, int family, int type, const unsigned char *addr,
    uint16_t port, unsigned how)
{
	struct sockaddr_in6 sa;
	char text[ADDR_TEXT];
	int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;

	if (fd == -1 || ((how & LISTEN_SHARED) != 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1))
		refuse_errno("socket");
	(void)address_fill(&sa, family, addr, port);
	if (os_net_listen(fd, (struct sockaddr *)&sa,
	    (how & LISTEN_HELD) != 0) == -1) {
		/* Nobody else is here: an entry before this one covers it. */
		if (errno != EADDRINUSE)
			refuse_errno("listening for %s",
			    addr_text(text, family, addr, port));
		close(fd);
		return;
	}
	b->fds[b->n++] = fd;
	b->total++;
	check_room(b);
	if (b->n == OS_FDS_MAX)
		flush(b);
}

/* What listens on loopback outside, as found before a dry run. */
static struct serve *loopback;
static size_t nloopback;

static void
found(void *arg, int family, const unsigned char *addr, uint16_t port)
{
	static const unsigned char zero[16], one[16] = { [15] = 1 },
	    loop4[4] = { 127, 0, 0, 1 };
	bool v4 = family == AF_INET;
	struct serve *grown;

	(void)arg;
	if (memcmp(addr, zero, address_len(family)) != 0 && (v4 ? addr[0] != 127 :
	    memcmp(addr, one, 16) != 0))
		return;
	grown = reallocarray(loopback, nloopback + 2, sizeof(*loopback));
	if (grown == NULL)
		refuse_errno("listeners");
	loopback = grown;
	if (v4 || memcmp(addr, zero, 16) == 0) {
		struct serve *s = &loopback[nloopback++];

		*s = (struct serve){ .family = AF_INET, .port = port };
		memcpy(s->addr, v4 && addr[0] == 127 ? addr : loop4, 4);
	}
	if (!v4) {
		struct serve *s = &loopback[nloopback++];

		*s = (struct serve){ .family = AF_INET6, .port = port };
		memcpy(s->addr, one, 16);
	}
}

void
listen_plan_dry(void)
{
	int fds[2];

	if (os_net_tables(fds) == -1 || os_net_listeners(fds, found, NULL) == -1)
		refuse_errno("looking for listeners");
	close(fds[0]);
	if (fds[1] != -1)
		close(fds[1]);
}

static bool
single(const struct hostspec *s)
{
	return memcmp(s->lo, s->hi, address_len(s->family)) == 0;
}

static void
open_entry(struct batch *b, const struct rules *r, const struct entry *e,
    const unsigned char *addr)
{
	const struct hostspec *s = &e->spec;

	for (size_t p = 0; p < s->nports; p++) {
		if (!serve_planned(r, s->family, addr, s->ports[p]))
			open_one(b, s->family, SOCK_STREAM, addr, s->ports[p],
			    LISTEN_HELD);
		if (e->udp)
			open_one(b, s->family, SOCK_DGRAM, addr, s->ports[p], 0);
	}
}

static void
open_entries(struct batch *b, const struct rules *r, bool ipv6, bool ranges)
{
	static const unsigned char any[16];

	for (size_t i = 0; i < r->nallow; i++) {
		const struct hostspec *s = &r->allow[i].spec;

		if (s->kind != HOST_RANGE || single(s) == ranges ||
		    (s->family == AF_INET6 && !ipv6))
			continue;
		/* Nobody is at the unspecified address. */
		if (!ranges && memcmp(s->lo, any, address_len(s->family)) == 0)
			continue;
		open_entry(b, r, &r->allow[i], ranges ? any : s->lo);
	}
}

void
listen_first(const struct rules *r, bool ipv6, int relay)
{
	static const unsigned char stub[4] = { 127, 0, 0, 1 };
	struct batch b = { .relay = relay };

	open_one(&b, AF_INET, SOCK_DGRAM, stub, STUB_PORT, LISTEN_SHARED);
	/* Ranges take their ports whole, single addresses what is left. */
	open_entries(&b, r, ipv6, true);
	open_one(&b, AF_INET, SOCK_STREAM, stub, STUB_PORT, 0);
	open_entries(&b, r, ipv6, false);
	for (size_t i = 0; i < nloopback; i++)
		if (ipv6 || loopback[i].family == AF_INET)
			open_one(&b, loopback[i].family, SOCK_STREAM,
			    loopback[i].addr, loopback[i].port, LISTEN_HELD);
	flush(&b);
	if (os_send_fds(relay, NULL, 0) == -1)
		refuse_errno("passing sockets to the relay");
}

/* ---- the relay's side ---- */

struct listener {
	LIST_ENTRY(listener)	link;
	struct watch		watch;
	int			type, family;
	unsigned char		addr[16];
	uint16_t		port;
};
LIST_HEAD(bucket, listener);

struct spares {
	int	fds[SPARE];
	size_t	n;
};

struct listeners {
	struct bucket	bucket[BUCKETS];
	struct spares	spare[2][2];	/* IPv4, IPv6; streams, datagrams */
};

static struct bucket *
bucket_of(const struct relay *r, const unsigned char *addr, uint16_t port)
{
	unsigned h = port;

	for (int i = 0; i < 16; i++)
		h = h * 31 + addr[i];
	return &r->listeners->bucket[(h ^ h >> 10) & (BUCKETS - 1)];
}

static struct listener *
find(const struct relay *r, int type, int family, const unsigned char addr[16],
    uint16_t port)
{
	struct listener *l;

	LIST_FOREACH(l, bucket_of(r, addr, port), link)
		if (l->type == type && l->family == family && l->port == port &&
		    memcmp(l->addr, addr, 16) == 0)
			return l;
	return NULL;
}

static void
on_accept(struct relay *r, struct watch *w, unsigned what)
{
	(void)what;
	flow_accept(r, w->fd);
}

static void
on_datagram(struct relay *r, struct watch *w, unsigned what)
{
	(void)what;
	udp_read(r, w->fd);
}

static void
insert(struct relay *r, int fd, int type, int family,
    const unsigned char addr[16], uint16_t port)
{
	struct listener *l = calloc(1, sizeof(*l));

	if (l == NULL)
		refuse_errno("listener");
	l->type = type;
	l->family = family;
	l->port = port;
	memcpy(l->addr, addr, 16);
	LIST_INSERT_HEAD(bucket_of(r, addr, port), l, link);
	watch_add(r, &l->watch, fd, OS_POLL_IN,
	    type == SOCK_STREAM ? on_accept : on_datagram);
}

static bool
is_stub(int family, const unsigned char addr[16], uint16_t port)
{
	static const unsigned char stub[16] = { 127, 0, 0, 1 };

	return family == AF_INET && port == STUB_PORT &&
	    memcmp(addr, stub, 16) == 0;
}

void
listen_init(struct relay *r)
{
	r->listeners = calloc(1, sizeof(*r->listeners));
	if (r->listeners == NULL)
		refuse_errno("relay");
}

void
listen_adopt(struct relay *r, int fd)
{
	struct sockaddr_in6 sa = { 0 };
	struct sockaddr_in *four = (struct sockaddr_in *)&sa;
	socklen_t len = sizeof(sa), typelen = sizeof(int);
	unsigned char addr[16] = { 0 };
	uint16_t port;
	int type;

	if (getsockname(fd, (struct sockaddr *)&sa, &len) == -1 ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &typelen) == -1)
		refuse_errno("listener");
	if (four->sin_family == AF_INET) {
		memcpy(addr, &four->sin_addr, 4);
		port = ntohs(four->sin_port);
	} else {
		memcpy(addr, &sa.sin6_addr, 16);
		port = ntohs(sa.sin6_port);
	}
	if (is_stub(four->sin_family, addr, port))
		resolver_adopt(r, fd, type);
	else
		insert(r, fd, type, four->sin_family, addr, port);
}

int
listening(const struct relay *r, int type, int family,
    const unsigned char *addr, uint16_t port)
{
	static const unsigned char any[16];
	unsigned char key[16] = { 0 };
	const struct listener *l;

	memcpy(key, addr, address_len(family));
	l = find(r, type, family, key, port);
	if (l == NULL)
		l = find(r, type, family, any, port);
	return l != NULL ? l->watch.fd : -1;
}

bool
answers_from(const struct relay *r, int family, const unsigned char *addr,
    uint16_t port)
{
	return is_stub(family, addr, port) ||
	    listening(r, SOCK_DGRAM, family, addr, port) != -1;
}

static int
spare_of(struct relay *r, int type, int family)
{
	struct spares *s = &r->listeners->spare[family == AF_INET6]
	    [type == SOCK_DGRAM];

	if (s->n == 0) {
		if (os_net_sockets(&r->net, family, type, s->fds, SPARE) == -1)
			return -1;
		s->n = SPARE;
	}
	return s->fds[--s->n];
}

int
spare_socket(struct relay *r, int family)
{
	return spare_of(r, SOCK_STREAM, family);
}

int
listen_on(struct relay *r, int type, int family, const unsigned char *addr,
    uint16_t port)
{
	struct sockaddr_in6 sa;
	unsigned char key[16] = { 0 };
	int fd, err;

	if (listening(r, type, family, addr, port) != -1)
		return 0;
	memcpy(key, addr, address_len(family));
	fd = spare_of(r, type, family);
	if (fd == -1)
		return -1;
	(void)address_fill(&sa, family, key, port);
	if (os_net_listen(fd, (struct sockaddr *)&sa, type == SOCK_STREAM) == -1) {
		err = errno;
		close(fd);
		errno = err;
		return -1;
	}
	insert(r, fd, type, family, key, port);
	return 0;
}

void
listen_stop(struct relay *r, int family, const unsigned char *addr)
{
	unsigned char key[16] = { 0 };
	struct judgement j;

	memcpy(key, addr, address_len(family));
	for (size_t i = 0; i < BUCKETS; i++) {
		struct listener *l, *next;

		LIST_FOREACH_SAFE(l, &r->listeners->bucket[i], link, next) {
			if (l->family != family || memcmp(l->addr, key, 16) != 0 ||
			    rules_addr(r->rules, family, key, l->port,
			    l->type == SOCK_DGRAM, &j))
				continue;
			LIST_REMOVE(l, link);
			watch_close(&l->watch);
			free_later(r, l);
		}
	}
}
