/*
 * The name server of the program: the only one it can reach. It knows the
 * listed names and nothing else; only those are ever asked for outside, through
 * c-ares, and what they answer is remembered (names.c).
 */
#include <sys/stat.h>

#include <arpa/inet.h>
#include <ares.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netgate.h"

#define QUERY_MAX	512	/* bytes of a query, more than any real one */
#define LOOKUPS_MAX	64	/* at once, outside */
#define WAITING_MAX	512	/* questions that wait for those */
#define NAMES_MAX	4096	/* more than any list has; for dry runs */
#define CONNS_MAX	16	/* of DNS over TCP */
#define IDLE_MS		10000
#ifndef TTL_MIN
#define TTL_MIN		60	/* a test is not so patient */
#endif
#define TTL_MAX		86400
#define RESOLV_CONF	"/etc/resolv.conf"

/* DNS over TCP: one query at a time. */
struct conn {
	struct watch	watch;
	struct timer	timer;
	size_t		have;
	unsigned char	buf[2 + QUERY_MAX];
};

/* Who asked, and how to answer. */
struct asker {
	SLIST_ENTRY(asker)	link;
	int			fd;		/* UDP */
	struct sockaddr_storage	from;
	socklen_t		fromlen;
	struct conn		*conn;		/* TCP */
	bool			internal;	/* the relay itself, with fn */
	void			(*fn)(struct relay *, void *);
	void			*arg;
	struct dns_query	query;
};

/*
 * One name and family: being asked for, or answered, or both one day. They are
 * never freed: the listed names are so many, and no others get here.
 */
struct lookup {
	SLIST_ENTRY(lookup)	link;
	struct relay		*r;
	const char		*name;
	bool			running;
	int64_t			until;		/* of the answer */
	struct dns_answer	answer;
	SLIST_HEAD(, asker)	askers;
};

/* A descriptor of c-ares. */
struct outside {
	LIST_ENTRY(outside)	link;
	struct watch		watch;
};

struct resolver {
	struct watch		stub[2];		/* UDP, TCP */
	size_t			nstubs, nconns, running, nlookups, waiting;
	bool			started;
	ares_channel		channel;
	struct timespec		config;		/* of resolv.conf */
	LIST_HEAD(, outside)	outside;
	SLIST_HEAD(, lookup)	lookups;
};

static void conn_answered(struct relay *, struct conn *);

/* ---- answers ---- */

static void
answer(struct relay *r, struct asker *a, int rcode, const struct dns_answer *ans)
{
	unsigned char out[2 + DNS_REPLY_MAX];
	size_t n;

	if (a->internal) {
		if (a->fn != NULL)
			a->fn(r, a->arg);
		return;
	}
	n = dns_reply(out + 2, &a->query, rcode, ans);
	if (a->conn == NULL) {
		/* A full socket buffer loses the answer, as a network would. */
		(void)sendto(a->fd, out + 2, n, MSG_DONTWAIT | MSG_NOSIGNAL,
		    (struct sockaddr *)&a->from, a->fromlen);
		return;
	}
	out[0] = (unsigned char)(n >> 8);
	out[1] = (unsigned char)n;
	if (send(a->conn->watch.fd, out, n + 2, MSG_NOSIGNAL) !=
	    (ssize_t)(n + 2))
		a->conn->have = SIZE_MAX;	/* to be closed */
	conn_answered(r, a->conn);
}

/* ---- what came from outside ---- */

enum where { NOWHERE, HERE, ELSEWHERE };

/*
 * Where the routes of this machine lead: nowhere, to itself, or out. Connecting a
 * datagram socket sends nothing; an address of our own gets itself as source.
 */
static enum where
where_is(const struct relay *r, int family, const unsigned char *addr)
{
	struct sockaddr_in6 sa = { .sin6_family = AF_INET6, .sin6_port = htons(9) };
	struct sockaddr_in *four = (struct sockaddr_in *)&sa;
	bool v4 = family == AF_INET;
	socklen_t len = v4 ? sizeof(*four) : sizeof(sa);
	enum where where = NOWHERE;
	int fd;

	/* The host looks at it there. */
	if (r->rules->channel)
		return ELSEWHERE;
	fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return NOWHERE;
	if (v4)
		four->sin_family = AF_INET;
	memcpy(v4 ? (void *)&four->sin_addr : (void *)&sa.sin6_addr, addr,
	    v4 ? 4 : 16);
	if (connect(fd, (struct sockaddr *)&sa, len) == 0 &&
	    getsockname(fd, (struct sockaddr *)&sa, &len) == 0)
		where = memcmp(v4 ? (void *)&four->sin_addr :
		    (void *)&sa.sin6_addr, addr, v4 ? 4 : 16) == 0 ? HERE :
		    ELSEWHERE;
	close(fd);
	return where;
}

struct any_port {
	const struct rules	*rules;
	int			family;
	const unsigned char	*addr;
	uint16_t		port;		/* the first one */
	bool			listed;
};

static void
port_listed(void *arg, uint16_t port)
{
	struct any_port *p = arg;
	struct judgement j;

	if (p->port == 0)
		p->port = port;
	if (rules_addr(p->rules, p->family, p->addr, port, false, &j))
		p->listed = true;
}

/*
 * A name must not open what is special about this machine and its networks,
 * unless the list has that address itself.
 */
static bool
rebound(struct relay *r, const char *name, int family, const unsigned char *addr,
    bool *listed)
{
	struct any_port p = { .rules = r->rules, .family = family, .addr = addr };
	unsigned char inner[16] = { 0 };
	char object[HOST_MAX + INET6_ADDRSTRLEN + 16], why[96];
	char hint[ADDR_TEXT], ip[INET6_ADDRSTRLEN];
	int inner_family = family;
	const char *what;

	memcpy(inner, addr, family == AF_INET ? 4 : 16);
	host_unwrap(&inner_family, inner);
	what = host_special(inner_family, inner);
	if (what == NULL && where_is(r, family, addr) == HERE)
		what = "an address of this machine";
	rules_ports(r->rules, name, false, port_listed, &p);
	*listed = p.listed;
	if (what == NULL || p.listed)
		return false;
	inet_ntop(family, addr, ip, sizeof(ip));
	snprintf(object, sizeof(object), "%s [%s]", name, ip);
	snprintf(why, sizeof(why), "the name answers %s, which is not listed "
	    "itself", what);
	report_deny(r, "resolve", object, why, "net.allow_hosts",
	    addr_text(hint, inner_family, inner, p.port));
	return !r->chain->dry_run;
}

static bool
take_address(struct lookup *l, const unsigned char *addr)
{
	struct dns_answer *a = &l->answer;
	struct relay *r = l->r;
	bool listed;

	if (a->naddrs == sizeof(a->addrs) / sizeof(a->addrs[0]) ||
	    rebound(r, l->name, a->family, addr, &listed))
		return true;
	if (a->family == AF_INET6 && where_is(r, AF_INET6, addr) == NOWHERE)
		return true;
	/* Listed itself: always open, and not because of this name. */
	if (!listed && names_learn(r, l->name, a->family, addr,
	    r->now + (int64_t)a->ttl * 1000) == -1)
		return false;
	memset(a->addrs[a->naddrs], 0, 16);
	memcpy(a->addrs[a->naddrs++], addr, a->family == AF_INET ? 4 : 16);
	return true;
}

static uint32_t
shortest_ttl(const struct ares_addrinfo *info, int family)
{
	int ttl = TTL_MAX;

	for (const struct ares_addrinfo_node *n = info->nodes; n != NULL;
	    n = n->ai_next)
		if (n->ai_family == family && n->ai_ttl < ttl)
			ttl = n->ai_ttl;
	for (const struct ares_addrinfo_cname *c = info->cnames; c != NULL;
	    c = c->next)
		if (c->ttl < ttl)
			ttl = c->ttl;
	return (uint32_t)(ttl < TTL_MIN ? TTL_MIN : ttl);
}

static int
take_answer(struct lookup *l, const struct ares_addrinfo *info)
{
	struct dns_answer *a = &l->answer;

	a->naddrs = 0;
	a->ttl = shortest_ttl(info, a->family);
	for (const struct ares_addrinfo_node *n = info->nodes; n != NULL;
	    n = n->ai_next) {
		const void *addr = n->ai_family == AF_INET ?
		    (const void *)&((struct sockaddr_in *)n->ai_addr)->sin_addr :
		    (const void *)&((struct sockaddr_in6 *)n->ai_addr)->sin6_addr;

		if (n->ai_family == a->family && !take_address(l, addr)) {
			note("no more listeners for the addresses of %s: %s",
			    l->name, strerror(errno));
			return DNS_SERVFAIL;
		}
	}
	return DNS_OK;
}

static void
on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
	struct lookup *l = arg;
	struct relay *r = l->r;
	struct asker *a;

	(void)timeouts;
	if (status == ARES_EDESTRUCTION || status == ARES_ECANCELLED)
		return;
	l->running = false;
	r->resolver->running--;
	l->until = 0;
	switch (status) {
	case ARES_SUCCESS:
		l->answer.rcode = take_answer(l, info);
		if (l->answer.rcode == DNS_OK)
			l->until = r->now + (int64_t)l->answer.ttl * 1000;
		break;
	case ARES_ENODATA:
		l->answer.naddrs = 0;
		l->answer.rcode = DNS_OK;
		break;
	case ARES_ENOTFOUND:
		l->answer.naddrs = 0;
		l->answer.rcode = DNS_NXDOMAIN;
		break;
	default:
		l->answer.naddrs = 0;
		l->answer.rcode = DNS_SERVFAIL;
		break;
	}
	if (info != NULL)
		ares_freeaddrinfo(info);
	while ((a = SLIST_FIRST(&l->askers)) != NULL) {
		SLIST_REMOVE_HEAD(&l->askers, link);
		r->resolver->waiting--;
		answer(r, a, l->answer.rcode, &l->answer);
		free(a);
	}
}

/* ---- c-ares ---- */

static void
on_outside(struct relay *r, struct watch *w, unsigned what)
{
	ares_process_fd(r->resolver->channel,
	    (what & OS_POLL_IN) != 0 ? w->fd : ARES_SOCKET_BAD,
	    (what & OS_POLL_OUT) != 0 ? w->fd : ARES_SOCKET_BAD);
}

static void
on_socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct relay *r = arg;
	unsigned what = (readable ? OS_POLL_IN : 0U) | (writable ? OS_POLL_OUT : 0U);
	struct outside *o;

	LIST_FOREACH(o, &r->resolver->outside, link)
		if (o->watch.fd == fd)
			break;
	if (o == NULL) {
		o = calloc(1, sizeof(*o));
		if (o == NULL)
			refuse_errno("relay");
		LIST_INSERT_HEAD(&r->resolver->outside, o, link);
		watch_add(r, &o->watch, fd, what, on_outside);
		return;
	}
	if (what != 0) {
		os_poll_change(r->poll, fd, what, &o->watch);
		return;
	}
	os_poll_remove(r->poll, fd);
	LIST_REMOVE(o, link);
	o->watch.fd = -1;
	free_later(r, o);
}

/* Starts c-ares, anew when resolv.conf has changed meanwhile. */
static int
start(struct relay *r)
{
	struct resolver *rs = r->resolver;
	struct ares_options opt = {
		.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES,
		.timeout = 2000, .tries = 3, .lookups = NULL,
		.sock_state_cb = on_socket_state, .sock_state_cb_data = r,
	};
	static char lookups[] = "fb", dns_only[] = "b";
	static struct in_addr host;
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
	    ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB;
	struct stat st = { 0 };

	(void)stat(RESOLV_CONF, &st);
	if (rs->started && (rs->running > 0 ||
	    memcmp(&rs->config, &st.st_mtim, sizeof(rs->config)) == 0))
		return 0;
	if (rs->started)
		ares_destroy(rs->channel);
	else if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
		return -1;
	opt.lookups = lookups;
	if (r->rules->channel) {
		/* The host must have answered it itself; netmux takes no datagrams. */
		host.s_addr = htonl(INADDR_LOOPBACK);
		opt.lookups = dns_only;
		opt.flags |= ARES_FLAG_USEVC;
		opt.servers = &host;
		opt.nservers = 1;
		mask |= ARES_OPT_SERVERS;
	}
	rs->started = ares_init_options(&rs->channel, &opt, mask) == ARES_SUCCESS;
	rs->config = st.st_mtim;
	return rs->started ? 0 : -1;
}

int
resolver_timeout(struct relay *r, int max)
{
	struct timeval limit, tv;
	const struct timeval *t;

	if (r->resolver == NULL || r->resolver->running == 0)
		return max;
	limit.tv_sec = max < 0 ? 60 : max / 1000;
	limit.tv_usec = max < 0 ? 0 : max % 1000 * 1000;
	t = ares_timeout(r->resolver->channel, &limit, &tv);
	return t == NULL ? max : (int)(t->tv_sec * 1000 + t->tv_usec / 1000 + 1);
}

void
resolver_tick(struct relay *r)
{
	if (r->resolver != NULL && r->resolver->running > 0)
		ares_process_fd(r->resolver->channel, ARES_SOCKET_BAD,
		    ARES_SOCKET_BAD);
}

static struct lookup *
lookup_of(struct relay *r, const char *name, int family)
{
	struct lookup *l;

	SLIST_FOREACH(l, &r->resolver->lookups, link)
		if (l->answer.family == family && strcmp(l->name, name) == 0)
			return l;
	l = calloc(1, sizeof(*l));
	if (l == NULL)
		refuse_errno("relay");
	l->r = r;
	l->name = strdup(name);
	if (l->name == NULL)
		refuse_errno("relay");
	l->answer.family = family;
	SLIST_INSERT_HEAD(&r->resolver->lookups, l, link);
	r->resolver->nlookups++;
	return l;
}

/* Answers from memory, or asks outside; takes the asker over. */
static void
look_up(struct relay *r, const char *name, int family, struct asker *a)
{
	struct lookup *l = lookup_of(r, name, family);
	struct ares_addrinfo_hints hints = { .ai_family = family };

	name = l->name;		/* the caller's goes away */
	if (l->until > r->now) {
		struct dns_answer left = l->answer;

		left.ttl = (uint32_t)((l->until - r->now + 999) / 1000);
		answer(r, a, left.rcode, &left);
		free(a);
		return;
	}
	if (r->resolver->waiting >= WAITING_MAX || (!l->running &&
	    (r->resolver->running >= LOOKUPS_MAX ||
	    r->resolver->nlookups > NAMES_MAX || start(r) == -1))) {
		answer(r, a, DNS_SERVFAIL, NULL);
		free(a);
		return;
	}
	SLIST_INSERT_HEAD(&l->askers, a, link);
	r->resolver->waiting++;
	if (l->running)
		return;
	l->running = true;
	r->resolver->running++;
	ares_getaddrinfo(r->resolver->channel, name, NULL, &hints, on_answer, l);
}

void
resolver_refresh(struct relay *r, const char *name, int family,
    void (*fn)(struct relay *, void *), void *arg)
{
	struct asker *a = calloc(1, sizeof(*a));

	if (a == NULL)
		refuse_errno("relay");
	a->internal = true;
	a->fn = fn;
	a->arg = arg;
	look_up(r, name, family, a);
}

/* ---- questions ---- */

static bool
ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && strcmp(s + n - m, end) == 0;
}

static void
refuse_name(struct relay *r, const struct dns_query *q, const struct judgement *j)
{
	char hint[DNS_NAME_TEXT + 8];
	bool hintable = q->plain && j->entry == NULL &&
	    !ends_with(q->name, ".arpa");

	snprintf(hint, sizeof(hint), "%s:PORT", q->name);
	report_deny(r, "resolve", q->name, j->why, j->key, hintable ? hint : NULL);
}

/* The program's own loopback, whatever is listed: RFC 6761, 6.3. */
static const struct dns_answer *
localhost(uint16_t type)
{
	static const struct dns_answer four = { .family = AF_INET, .naddrs = 1,
	    .addrs = { { 127, 0, 0, 1 } }, .ttl = TTL_MAX };
	static const struct dns_answer six = { .family = AF_INET6, .naddrs = 1,
	    .addrs = { { [15] = 1 } }, .ttl = TTL_MAX };

	return type == DNS_A ? &four : type == DNS_AAAA ? &six : NULL;
}

/* Takes the asker over. rcode is what the parser said. */
static void
ask(struct relay *r, struct asker *a, int rcode)
{
	const struct dns_query *q = &a->query;
	struct judgement j;

	if (rcode != DNS_OK || strcmp(q->name, "localhost") == 0) {
		answer(r, a, rcode, rcode == DNS_OK ? localhost(q->type) : NULL);
		free(a);
		return;
	}
	if (!rules_ask(r->rules, q->name, &j) || !q->plain) {
		refuse_name(r, q, &j);
		if (!r->chain->dry_run || !q->plain) {
			answer(r, a, DNS_REFUSED, NULL);
			free(a);
			return;
		}
	}
	if (q->type != DNS_A && q->type != DNS_AAAA) {
		answer(r, a, DNS_OK, NULL);	/* the name is there, without such */
		free(a);
		return;
	}
	look_up(r, q->name, q->type == DNS_A ? AF_INET : AF_INET6, a);
}

static void
on_udp(struct relay *r, struct watch *w, unsigned what)
{
	unsigned char buf[QUERY_MAX];

	(void)what;
	for (int i = 0; i < 64; i++) {
		struct asker *a = calloc(1, sizeof(*a));
		ssize_t n;
		int rcode = -1;

		if (a == NULL)
			return;
		a->fd = w->fd;
		a->fromlen = sizeof(a->from);
		n = recvfrom(w->fd, buf, sizeof(buf), MSG_DONTWAIT,
		    (struct sockaddr *)&a->from, &a->fromlen);
		if (n >= 0)
			rcode = dns_parse(&a->query, buf, (size_t)n);
		if (rcode >= 0)
			ask(r, a, rcode);
		else
			free(a);
		if (n == -1)
			return;
	}
}

/* ---- DNS over TCP ---- */

static void
conn_close(struct relay *r, struct conn *c)
{
	timer_clear(&c->timer);
	watch_close(&c->watch);
	r->resolver->nconns--;
	free_later(r, c);
}

static void
on_idle(struct relay *r, struct timer *t)
{
	conn_close(r, (struct conn *)((char *)t - offsetof(struct conn, timer)));
}

/* Asks when a whole query is there. Returns false when nothing is to be done. */
static bool
conn_ask(struct relay *r, struct conn *c)
{
	size_t len = (size_t)(c->buf[0] << 8 | c->buf[1]);
	struct asker *a;
	int rcode;

	if (c->have < 2 || (len <= QUERY_MAX && c->have < 2 + len))
		return false;
	a = len <= QUERY_MAX ? calloc(1, sizeof(*a)) : NULL;
	rcode = a == NULL ? -1 : dns_parse(&a->query, c->buf + 2, len);
	if (rcode < 0) {
		free(a);
		conn_close(r, c);
		return true;
	}
	c->have -= 2 + len;
	memmove(c->buf, c->buf + 2 + len, c->have);
	/* Deaf until this one is answered. */
	timer_clear(&c->timer);
	os_poll_remove(r->poll, c->watch.fd);
	a->query.room = DNS_REPLY_MAX;
	a->conn = c;
	ask(r, a, rcode);
	return true;
}

static void
on_conn(struct relay *r, struct watch *w, unsigned what)
{
	struct conn *c = (struct conn *)((char *)w - offsetof(struct conn, watch));
	ssize_t n;

	(void)what;
	n = recv(w->fd, c->buf + c->have, sizeof(c->buf) - c->have, MSG_DONTWAIT);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		conn_close(r, c);
		return;
	}
	c->have += (size_t)n;
	conn_ask(r, c);
}

static void
conn_answered(struct relay *r, struct conn *c)
{
	if (c->have == SIZE_MAX || os_poll_add(r->poll, c->watch.fd, OS_POLL_IN,
	    &c->watch) == -1) {
		conn_close(r, c);
		return;
	}
	timer_set(r, &c->timer, IDLE_MS, on_idle);
	conn_ask(r, c);
}

static void
on_tcp(struct relay *r, struct watch *w, unsigned what)
{
	int fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct conn *c;

	(void)what;
	if (fd == -1)
		return;
	c = r->resolver->nconns < CONNS_MAX ? calloc(1, sizeof(*c)) : NULL;
	if (c == NULL) {
		close(fd);
		return;
	}
	r->resolver->nconns++;
	watch_add(r, &c->watch, fd, OS_POLL_IN, on_conn);
	timer_set(r, &c->timer, IDLE_MS, on_idle);
}

void
resolver_adopt(struct relay *r, int fd, int type)
{
	struct resolver *rs = r->resolver;

	if (rs == NULL) {
		rs = r->resolver = calloc(1, sizeof(*rs));
		if (rs == NULL)
			refuse_errno("relay");
	}
	if (rs->nstubs == sizeof(rs->stub) / sizeof(rs->stub[0]))
		abort();
	watch_add(r, &rs->stub[rs->nstubs++], fd, OS_POLL_IN,
	    type == SOCK_STREAM ? on_tcp : on_udp);
}
