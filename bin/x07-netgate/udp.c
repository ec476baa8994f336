/*
 * Datagrams: each pair of a program's socket and a destination has a socket outside,
 * connected there, until neither side has said anything for a while.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "address.h"
#include "netgate.h"

#define BUCKETS		256	/* a power of two */
#define PAIRS_MAX	512
#define IDLE_MS		60000
#define DATAGRAM_MAX	65535
#define A_TURN		64	/* datagrams of one socket per round of the loop */

struct pair {
	LIST_ENTRY(pair)	link;
	TAILQ_ENTRY(pair)	age;
	struct watch		out;
	struct timer		timer;
	struct os_flow		flow;
	const struct entry	*entry;
	const char		*name;
	int64_t			started;
	uint64_t		sent, received;
};

static LIST_HEAD(, pair) pairs[BUCKETS];
static TAILQ_HEAD(, pair) ages = TAILQ_HEAD_INITIALIZER(ages);
static size_t npairs;
static unsigned char datagram[DATAGRAM_MAX];

static unsigned
bucket_of(const struct os_flow *f)
{
	unsigned h = f->sport * 31U + f->dport;

	for (int i = 0; i < 16; i++)
		h = h * 31 + f->dst[i];
	return (h ^ h >> 9) & (BUCKETS - 1);
}

static struct pair *
pair_find(const struct os_flow *f)
{
	struct pair *p;

	LIST_FOREACH(p, &pairs[bucket_of(f)], link)
		if (p->flow.family == f->family && p->flow.sport == f->sport &&
		    p->flow.dport == f->dport &&
		    memcmp(p->flow.src, f->src, 16) == 0 &&
		    memcmp(p->flow.dst, f->dst, 16) == 0)
			return p;
	return NULL;
}

static void
pair_end(struct relay *r, struct pair *p)
{
	char more[128];

	snprintf(more, sizeof(more), ",\"sent\":%llu,\"received\":%llu,"
	    "\"ms\":%lld", (unsigned long long)p->sent,
	    (unsigned long long)p->received, (long long)(r->now - p->started));
	report_flow(r, "close", &p->flow, p->name, true, more);
	timer_clear(&p->timer);
	LIST_REMOVE(p, link);
	TAILQ_REMOVE(&ages, p, age);
	watch_close(&p->out);
	r->live[p->entry->group]--;
	npairs--;
	free_later(r, p);
}

static void
on_idle(struct relay *r, struct timer *t)
{
	pair_end(r, (struct pair *)((char *)t - offsetof(struct pair, timer)));
}

/* Both directions keep it alive. */
static void
touch(struct relay *r, struct pair *p)
{
	timer_set(r, &p->timer, IDLE_MS, on_idle);
	TAILQ_REMOVE(&ages, p, age);
	TAILQ_INSERT_TAIL(&ages, p, age);
}

/* Returns false when the byte limit forbids it. */
static bool
count(struct relay *r, struct pair *p, size_t len)
{
	if (r->rules->max_bytes > 0 &&
	    r->bytes + (int64_t)len > r->rules->max_bytes) {
		judge_denied(r, &p->flow, p->name, true,
		    "the byte limit of -b is reached", "-b");
		return false;
	}
	r->bytes += (int64_t)len;
	return true;
}

static void
on_out(struct relay *r, struct watch *w, unsigned what)
{
	struct pair *p = (struct pair *)((char *)w - offsetof(struct pair, out));
	const struct os_flow *f = &p->flow;

	(void)what;
	for (int i = 0; i < A_TURN; i++) {
		ssize_t n = recv(w->fd, datagram, sizeof(datagram), MSG_DONTWAIT);
		int inside = listening(r, SOCK_DGRAM, f->family, f->dst, f->dport);

		if (n == 0 && r->rules->channel) {	/* nobody there, or gone */
			os_net_unreachable(&r->net, f, ECONNREFUSED);
			pair_end(r, p);
			return;
		}
		if (n == -1 && errno == ECONNREFUSED) {
			os_net_unreachable(&r->net, f, errno);
			continue;
		}
		if (n == -1 || inside == -1)
			return;
		if (!count(r, p, (size_t)n))
			return;
		p->received += (uint64_t)n;
		/* Lost when the program does not read, as a network loses it. */
		(void)os_net_answer(inside, datagram, (size_t)n, f);
		touch(r, p);
	}
}

static int
connect_out(const struct os_flow *f)
{
	struct sockaddr_in6 to;
	socklen_t len = address_fill(&to, f->family, f->dst, f->dport);
	int fd = socket(f->family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return -1;
	if (connect(fd, (struct sockaddr *)&to, len) == -1) {
		int err = errno;

		close(fd);
		errno = err;
		return -1;
	}
	return fd;
}

static struct pair *
pair_new(struct relay *r, const struct os_flow *f, const struct verdict_on *v)
{
	enum group g = v->entry->group;
	struct pair *p;
	int fd;

	if (npairs >= PAIRS_MAX)
		pair_end(r, TAILQ_FIRST(&ages));
	if (r->rules->max_live[g] > 0 && r->live[g] >= r->rules->max_live[g]) {
		judge_denied(r, f, v->name, true, "too many connections at once",
		    g == GROUP_DB ? "db.max_live_conns" : "-c");
		os_net_unreachable(&r->net, f, ECONNREFUSED);
		return NULL;
	}
	fd = r->rules->channel ? channel_dial(f, true) : connect_out(f);
	if (fd == -1) {
		os_net_unreachable(&r->net, f, errno);
		return NULL;
	}
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		refuse_errno("relay");
	p->flow = *f;
	p->entry = v->entry;
	p->name = v->name;
	p->started = r->now;
	LIST_INSERT_HEAD(&pairs[bucket_of(f)], p, link);
	TAILQ_INSERT_TAIL(&ages, p, age);
	npairs++;
	r->live[g]++;
	watch_add(r, &p->out, fd, OS_POLL_IN, on_out);
	report_flow(r, "send", f, p->name, true, "");
	return p;
}

static struct pair *
pair_of(struct relay *r, const struct os_flow *f)
{
	struct pair *p = pair_find(f);
	struct verdict_on v;

	if (p != NULL)
		return p;
	v = judge(r, f, true);
	if (v.entry != NULL)
		return pair_new(r, f, &v);
	/* The program sends again what it is not answered, and by then we know. */
	if (v.stale != NULL)
		resolver_refresh(r, v.stale, f->family, NULL, NULL);
	else
		os_net_unreachable(&r->net, f, ECONNREFUSED);
	return NULL;
}

void
udp_read(struct relay *r, int listener)
{
	for (int i = 0; i < A_TURN; i++) {
		struct os_flow f;
		ssize_t n = os_net_recv(listener, datagram, sizeof(datagram), &f);
		struct pair *p;

		if (n == -1)
			return;
		p = pair_of(r, &f);
		if (p == NULL || !count(r, p, (size_t)n))
			continue;
		p->sent += (uint64_t)n;
		if (send(p->out.fd, datagram, (size_t)n, MSG_DONTWAIT |
		    MSG_NOSIGNAL) == -1 && errno == ECONNREFUSED)
			os_net_unreachable(&r->net, &f, errno);
		touch(r, p);
	}
}
