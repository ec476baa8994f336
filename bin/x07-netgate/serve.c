/*
 * Listening: the program binds a listed address of this machine inside, where
 * it is alone, and the relay listens there outside as long as the program does
 * inside. Nothing tells us of that, so the table of listeners is looked at a few
 * times a second, as long as there is an address to look for.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "address.h"
#include "netgate.h"

#define SOON_MS		20	/* between looks at the beginning */
#define LATER_MS	100
#define SOON_LOOKS	500	/* how many of the first kind */
#define GRACE_MS	1000	/* from bind(2) to listen(2) at most, we hope */

struct served {
	struct serve	*at;
	struct watch	outside;
	bool		client;		/* served outside: ours to connect to */
	bool		seen;		/* in the last look */
	int64_t		since;
	int		error;		/* that was reported */
	struct timer	timer;		/* of the first one: the next look */
	unsigned	looks;
	bool		blind;		/* it failed */
};

/*
 * A socket bound there, outside. -1 with EADDRINUSE: somebody listens there;
 * EADDRNOTAVAIL: it is no address of this machine; EACCES: a low port.
 */
static int
bind_outside(const struct rules *r, const struct serve *s)
{
	struct sockaddr_in6 sa;
	socklen_t len = address_fill(&sa, s->family, s->addr, s->port);
	int on = 1, err, fd;

	/* In a guest the host must be free there, and our side of it. */
	if (r->channel && channel_bind(s->family, s->addr, s->port) == -1)
		return -1;
	fd = socket(s->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
	    (s->family == AF_INET || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on,
	    sizeof(on)) == 0) && bind(fd, (struct sockaddr *)&sa, len) == 0)
		return fd;
	err = errno;
	close(fd);
	errno = err;
	return -1;
}

/* ---- before the start ---- */

static void
plan_port(struct rules *r, const struct hostspec *h, uint16_t port)
{
	struct serve s = { .family = h->family, .port = port }, *grown;
	struct judgement j;
	int fd;

	memcpy(s.addr, h->lo, address_len(h->family));
	if (serve_planned(r, s.family, s.addr, port) ||
	    !rules_addr(r, s.family, s.addr, port, false, &j))
		return;
	fd = bind_outside(r, &s);
	if (fd == -1)
		return;
	close(fd);
	grown = reallocarray(r->serve, r->nserve + 1, sizeof(s));
	if (grown == NULL)
		refuse_errno("list of hosts");
	r->serve = grown;
	r->serve[r->nserve++] = s;
}

void
serve_plan(struct rules *r)
{
	for (size_t i = 0; i < r->nallow; i++) {
		const struct hostspec *h = &r->allow[i].spec;

		if (h->kind != HOST_RANGE || r->allow[i].group != GROUP_NET ||
		    memcmp(h->lo, h->hi, address_len(h->family)) != 0)
			continue;
		for (size_t p = 0; p < h->nports; p++)
			plan_port(r, h, h->ports[p]);
	}
}

bool
serve_planned(const struct rules *r, int family, const unsigned char *addr,
    uint16_t port)
{
	for (size_t i = 0; i < r->nserve; i++)
		if (r->serve[i].family == family && r->serve[i].port == port &&
		    memcmp(r->serve[i].addr, addr, address_len(family)) == 0)
			return true;
	return false;
}

/* ---- the relay ---- */

/* accept(2) failed. */
static void
refuse_client(struct relay *r, const struct served *s)
{
	char text[ADDR_TEXT];
	int err = errno;

	if (err == EMFILE || err == ENFILE)
		report_deny(r, "accept", addr_text(text, s->at->family, s->at->addr,
		    s->at->port), "the relay is out of descriptors", "limits.fds",
		    NULL);
	flow_refuse(r, s->outside.fd, err);
}

static void
on_outside(struct relay *r, struct watch *w, unsigned what)
{
	struct served *s = (struct served *)((char *)w -
	    offsetof(struct served, outside));
	struct sockaddr_in6 peer = { 0 };
	struct sockaddr_in *peer4 = (struct sockaddr_in *)&peer;
	static const unsigned char loop4[4] = { 127, 0, 0, 1 }, zero[16];
	struct os_flow f = { .family = s->at->family, .dport = s->at->port };
	socklen_t len = sizeof(peer);
	struct judgement j;
	int fd = accept4(w->fd, (struct sockaddr *)&peer, &len,
	    SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)what;
	if (fd == -1) {
		refuse_client(r, s);
		return;
	}
	if (!rules_addr(r->rules, f.family, s->at->addr, s->at->port, false, &j)) {
		close(fd);
		return;
	}
	f.sport = ntohs(peer4->sin_port);
	if (f.family == AF_INET)
		memcpy(f.src, &peer4->sin_addr, 4);
	else
		memcpy(f.src, &peer.sin6_addr, 16);
	memcpy(f.dst, s->at->addr, 16);
	/* Everywhere outside is the loopback address inside. */
	if (memcmp(f.dst, zero, 16) == 0 && f.family == AF_INET)
		memcpy(f.dst, loop4, 4);
	else if (memcmp(f.dst, zero, 16) == 0)
		f.dst[15] = 1;
	flow_serve(r, fd, &f, j.entry, s->since + GRACE_MS);
}

static void
serve(struct relay *r, struct served *s)
{
	char text[ADDR_TEXT];
	int fd = bind_outside(r->rules, s->at), err;

	addr_text(text, s->at->family, s->at->addr, s->at->port);
	if (fd == -1 || listen(fd, 1024) == -1) {
		err = errno;
		if (s->error != err)
			report_deny(r, "listen", text, strerror(err), "-", NULL);
		s->error = err;
		if (fd != -1)
			close(fd);
		return;
	}
	s->error = 0;
	s->since = r->now;
	report_allow(r, "listen", text, "\"outside\":true");
	watch_add(r, &s->outside, fd, OS_POLL_IN, on_outside);
}

/* The program listens on one address, or with zeros on all of them. */
static void
seen(void *arg, int family, const unsigned char *addr, uint16_t port)
{
	struct relay *r = arg;
	static const unsigned char zero[16];
	bool any = memcmp(addr, zero, address_len(family)) == 0;

	for (size_t i = 0; i < r->rules->nserve; i++) {
		struct served *s = &r->served[i];

		if (s->at->port != port || s->client)
			continue;
		/* An IPv6 socket for all addresses takes IPv4 too, mostly. */
		if ((any && (s->at->family == family || family == AF_INET6)) ||
		    (s->at->family == family && memcmp(s->at->addr, addr,
		    address_len(family)) == 0))
			s->seen = true;
	}
}

/* Listens outside where the program does, and no more where it does not. */
static void
follow(struct relay *r)
{
	for (size_t i = 0; i < r->rules->nserve; i++) {
		struct served *s = &r->served[i];

		if (s->seen && s->outside.fd == -1)
			serve(r, s);
		else if (!s->seen && s->outside.fd != -1)
			watch_close(&s->outside);
	}
}

static void
look(struct relay *r, struct timer *t)
{
	struct served *first = (struct served *)((char *)t -
	    offsetof(struct served, timer));
	bool failed;

	for (size_t i = 0; i < r->rules->nserve; i++)
		r->served[i].seen = false;
	failed = os_net_listeners(r->tables, seen, r) == -1;
	if (!failed)
		follow(r);
	else if (!first->blind)		/* the kernel is short of memory */
		note("cannot see who listens: %s; trying again", strerror(errno));
	first->blind = failed;
	first->looks++;
	timer_set(r, t, first->looks < SOON_LOOKS ? SOON_MS : LATER_MS, look);
}

void
serve_start(struct relay *r)
{
	size_t n = r->rules->nserve;

	if (n == 0)
		return;
	r->served = calloc(n, sizeof(*r->served));
	if (r->served == NULL)
		refuse_errno("relay");
	for (size_t i = 0; i < n; i++) {
		r->served[i].at = &r->rules->serve[i];
		r->served[i].outside.fd = -1;
	}
	timer_set(r, &r->served[0].timer, SOON_MS, look);
}

void
serve_stop(struct relay *r)
{
	for (size_t i = 0; i < r->rules->nserve; i++)
		watch_close(&r->served[i].outside);
}

/*
 * Tries to connect where nobody listens. It fails, but when our outside is the
 * inside of another gate that one says what it thinks of it.
 */
static void
try_outside(const struct relay *r, const struct os_flow *f,
    const struct serve *s)
{
	struct sockaddr_in6 sa;
	socklen_t len = address_fill(&sa, s->family, s->addr, s->port);
	int fd = r->rules->channel ? channel_dial(f, false) :
	    socket(s->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return;
	if (!r->rules->channel)
		(void)connect(fd, (struct sockaddr *)&sa, len);
	close(fd);
}

void
serve_refused(struct relay *r, const struct os_flow *f)
{
	for (size_t i = 0; i < r->rules->nserve; i++) {
		struct served *s = &r->served[i];
		int fd;

		if (s->at->family != f->family || s->at->port != f->dport ||
		    s->client || s->outside.fd != -1 ||
		    memcmp(s->at->addr, f->dst, 16) != 0)
			continue;
		fd = bind_outside(r->rules, s->at);
		if (fd != -1) {
			close(fd);
			try_outside(r, f, s->at);
			continue;
		}
		s->client = errno == EADDRINUSE && listen_on(r, SOCK_STREAM,
		    f->family, f->dst, f->dport) == 0;
	}
}
