/*
 * Connections: an opening packet held inside, the same connection made
 * outside, the packet let in or answered with the error, then bytes both
 * ways through pipes that are held only while bytes are stuck in them.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netgate.h"

#define BUCKETS		4096		/* a power of two */
#define ADMIT_MS	10000		/* for the handshake inside */
#define CHUNK		(1 << 18)
#define SHARE		(1 << 20)	/* bytes of a flow per round of the loop */
#define IDLE_PIPES	32

struct half {
	struct watch	*from, *to;
	int		pipe[2];
	size_t		queued;		/* in the pipe */
	uint64_t	bytes;
	bool		ended;		/* end of file seen */
	bool		done;		/* and passed on */
};

struct flow {
	LIST_ENTRY(flow)	pending;
	TAILQ_ENTRY(flow)	busy;
	enum { DIALLING, ADMITTED, OPEN, DEAD } state;
	bool			is_busy;
	struct watch		in, out;
	struct half		up, down;
	struct timer		timer;
	struct os_net_event	syn;
	const struct entry	*entry;
	const char		*name;		/* of the list, or NULL */
	int64_t			started;
};

static LIST_HEAD(, flow) pending[BUCKETS];
static int idle_pipes[IDLE_PIPES][2];
static size_t nidle;

/* ---- pipes ---- */

static int
pipe_take(struct half *h)
{
	if (h->pipe[0] >= 0)
		return 0;
	if (nidle > 0) {
		memcpy(h->pipe, idle_pipes[--nidle], sizeof(h->pipe));
		return 0;
	}
	if (pipe2(h->pipe, O_CLOEXEC | O_NONBLOCK) == -1) {
		h->pipe[0] = h->pipe[1] = -1;
		return -1;
	}
	return 0;
}

/* An empty pipe goes back; one with bytes of an aborted flow is thrown away. */
static void
pipe_give(struct half *h)
{
	if (h->pipe[0] < 0)
		return;
	if (h->queued == 0 && nidle < IDLE_PIPES) {
		memcpy(idle_pipes[nidle++], h->pipe, sizeof(h->pipe));
	} else {
		close(h->pipe[0]);
		close(h->pipe[1]);
	}
	h->pipe[0] = h->pipe[1] = -1;
}

/* ---- what is pending ---- */

static unsigned
bucket_of(const struct os_flow *f)
{
	unsigned h = f->sport * 31U + f->dport;

	for (int i = 0; i < 16; i++)
		h = h * 31 + f->dst[i];
	return (h ^ h >> 12) & (BUCKETS - 1);
}

static bool
same_flow(const struct os_flow *a, const struct os_flow *b)
{
	return a->family == b->family && a->sport == b->sport &&
	    a->dport == b->dport && memcmp(a->src, b->src, 16) == 0 &&
	    memcmp(a->dst, b->dst, 16) == 0;
}

static struct flow *
pending_find(const struct os_flow *f)
{
	struct flow *fl;

	LIST_FOREACH(fl, &pending[bucket_of(f)], pending)
		if (same_flow(&fl->syn.flow, f))
			return fl;
	return NULL;
}

/* ---- reporting ---- */

static const char *
flow_text(const struct flow *f, char buf[NAMED_TEXT])
{
	const struct os_flow *w = &f->syn.flow;

	return named_text(buf, f->name, w->family, w->dst, w->dport);
}

static void
flow_log(struct relay *r, const struct flow *f, const char *verb,
    const char *more)
{
	char object[NAMED_TEXT], ip[INET6_ADDRSTRLEN], extra[HOST_MAX + 256];

	if (r->chain->audit_fd < 0)
		return;
	inet_ntop(f->syn.flow.family, f->syn.flow.dst, ip, sizeof(ip));
	snprintf(extra, sizeof(extra), "%s%s%s\"addr\":\"%s\",\"port\":%u%s",
	    f->name != NULL ? "\"name\":\"" : "", f->name != NULL ? f->name : "",
	    f->name != NULL ? "\"," : "", ip, f->syn.flow.dport, more);
	report_allow(r, verb, flow_text(f, object), extra);
}

static void
flow_denied(struct relay *r, const struct flow *f, const char *why,
    const char *key, bool hint)
{
	char object[NAMED_TEXT], addr[ADDR_TEXT];

	addr_text(addr, f->syn.flow.family, f->syn.flow.dst, f->syn.flow.dport);
	report_deny(r, "connect", flow_text(f, object), why, key,
	    hint ? addr : NULL);
}

/* ---- ends ---- */

/* Closes with RST instead of FIN: whoever reads learns that bytes are missing. */
static void
reset(struct watch *w)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	if (w->fd >= 0)
		setsockopt(w->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	watch_close(w);
}

static void
flow_end(struct relay *r, struct flow *f, bool abort_it)
{
	char more[128];

	if (f->state == DEAD)
		return;
	timer_clear(&f->timer);
	if (f->state == OPEN) {
		snprintf(more, sizeof(more), ",\"sent\":%llu,\"received\":%llu,"
		    "\"ms\":%lld", (unsigned long long)f->up.bytes,
		    (unsigned long long)f->down.bytes,
		    (long long)(r->now - f->started));
		flow_log(r, f, "close", more);
	} else {
		LIST_REMOVE(f, pending);
	}
	if (abort_it) {
		reset(&f->in);
		reset(&f->out);
	}
	watch_close(&f->in);
	watch_close(&f->out);
	pipe_give(&f->up);
	pipe_give(&f->down);
	if (f->is_busy)
		TAILQ_REMOVE(&r->busy, f, busy);
	r->live[f->entry->group]--;
	f->state = DEAD;
	free_later(r, f);
}

/* ---- moving bytes ---- */

enum moved { MOVED_ALL, MOVED_SHARE, MOVE_FAILED };

/* How much more may be relayed in all; 0 is the end. */
static size_t
allowance(const struct relay *r)
{
	int64_t left = r->rules->max_bytes - r->bytes;

	if (r->rules->max_bytes == 0 || left > CHUNK)
		return CHUNK;
	return left > 0 ? (size_t)left : 0;
}

/*
 * Takes what there is and hands on what is taken. Taking stops while the
 * pipe is full, which is the back-pressure.
 */
static enum moved
move(struct relay *r, struct half *h)
{
	size_t moved = 0;

	while (moved < SHARE) {
		bool progress = false;
		ssize_t n;

		if (!h->ended && h->queued < CHUNK) {
			size_t max = allowance(r);

			if (max == 0 || pipe_take(h) == -1)
				return MOVE_FAILED;
			n = os_splice(h->from->fd, h->pipe[1], max);
			if (n == -1 && errno != EAGAIN && errno != EINTR)
				return MOVE_FAILED;
			if (n == 0)
				h->ended = true;
			if (n > 0) {
				h->queued += (size_t)n;
				r->bytes += n;
				progress = true;
			}
		}
		if (h->queued > 0) {
			n = os_splice(h->pipe[0], h->to->fd, h->queued);
			if (n == -1 && errno != EAGAIN && errno != EINTR)
				return MOVE_FAILED;
			if (n > 0) {
				h->queued -= (size_t)n;
				h->bytes += (uint64_t)n;
				moved += (size_t)n;
				progress = true;
			}
		}
		if (!progress)
			break;
	}
	if (h->queued == 0)
		pipe_give(h);
	if (h->ended && h->queued == 0 && !h->done) {
		shutdown(h->to->fd, SHUT_WR);
		h->done = true;
	}
	return moved < SHARE ? MOVED_ALL : MOVED_SHARE;
}

static void
flow_move(struct relay *r, struct flow *f)
{
	enum moved up = f->up.done ? MOVED_ALL : move(r, &f->up);
	enum moved down = up == MOVE_FAILED ? MOVE_FAILED :
	    f->down.done ? MOVED_ALL : move(r, &f->down);
	bool more = up == MOVED_SHARE || down == MOVED_SHARE;

	if (up == MOVE_FAILED || down == MOVE_FAILED) {
		if (allowance(r) == 0)
			flow_denied(r, f, "the byte limit of -b is reached",
			    "-b", false);
		flow_end(r, f, true);
		return;
	}
	if (f->up.done && f->down.done) {
		flow_end(r, f, false);
		return;
	}
	if (more && !f->is_busy)
		TAILQ_INSERT_TAIL(&r->busy, f, busy);
	if (!more && f->is_busy)
		TAILQ_REMOVE(&r->busy, f, busy);
	f->is_busy = more;
}

void
flow_work(struct relay *r)
{
	struct flow *f, *next;

	TAILQ_FOREACH_SAFE(f, &r->busy, busy, next)
		flow_move(r, f);
}

/* ---- opening ---- */

static struct flow *
flow_of_out(struct watch *w)
{
	return (struct flow *)((char *)w - offsetof(struct flow, out));
}

static void
on_in(struct relay *r, struct watch *w, unsigned what)
{
	(void)what;
	flow_move(r, (struct flow *)((char *)w - offsetof(struct flow, in)));
}

static void
rejected(struct relay *r, struct flow *f, int err)
{
	os_net_reject(&r->net, &f->syn, err);
	flow_end(r, f, true);
}

static void
on_timeout(struct relay *r, struct timer *t)
{
	struct flow *f = (struct flow *)((char *)t - offsetof(struct flow, timer));

	if (f->state == DIALLING)
		rejected(r, f, ETIMEDOUT);
	else
		flow_end(r, f, true);	/* the program did not wait for it */
}

static void
admit(struct relay *r, struct flow *f)
{
	f->state = ADMITTED;
	timer_set(r, &f->timer, ADMIT_MS, on_timeout);
	if (os_net_admit(&r->net, &f->syn) == -1)
		flow_end(r, f, true);
}

static void
on_out(struct relay *r, struct watch *w, unsigned what)
{
	struct flow *f = flow_of_out(w);
	socklen_t len = sizeof(int);
	int err = 0;

	if (f->state == OPEN) {
		flow_move(r, f);
		return;
	}
	if (f->state != DIALLING || (what & OS_POLL_OUT) == 0)
		return;
	if (getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &err, &len) == -1)
		err = errno;
	if (err != 0)
		rejected(r, f, err);
	else
		admit(r, f);
}

static int
connect_to(int fd, const struct os_flow *f)
{
	struct sockaddr_in to4 = { .sin_family = AF_INET,
	    .sin_port = htons(f->dport) };
	struct sockaddr_in6 to6 = { .sin6_family = AF_INET6,
	    .sin6_port = htons(f->dport) };

	if (f->family == AF_INET) {
		memcpy(&to4.sin_addr, f->dst, 4);
		return connect(fd, (struct sockaddr *)&to4, sizeof(to4));
	}
	memcpy(&to6.sin6_addr, f->dst, 16);
	return connect(fd, (struct sockaddr *)&to6, sizeof(to6));
}

static void
dial(struct relay *r, struct flow *f)
{
	int64_t ms = r->rules->connect_ms[f->entry->group];
	int on = 1, fd;

	fd = socket(f->syn.flow.family, SOCK_STREAM | SOCK_NONBLOCK |
	    SOCK_CLOEXEC, 0);
	if (fd == -1) {
		flow_denied(r, f, "the relay is out of descriptors", "limits.fds",
		    false);
		rejected(r, f, EHOSTUNREACH);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	if (connect_to(fd, &f->syn.flow) == -1 && errno != EINPROGRESS) {
		int err = errno;

		close(fd);
		rejected(r, f, err);
		return;
	}
	if (ms > 0)
		timer_set(r, &f->timer, ms, on_timeout);
	watch_add(r, &f->out, fd, OS_POLL_IN | OS_POLL_OUT | OS_POLL_EDGE, on_out);
}

static struct flow *
flow_new(struct relay *r, const struct os_net_event *ev,
    const struct entry *entry, const char *name)
{
	struct flow *f = calloc(1, sizeof(*f));

	if (f == NULL)
		refuse_errno("relay");
	f->state = DIALLING;
	f->in.fd = f->out.fd = -1;
	f->up = (struct half){ .from = &f->in, .to = &f->out, .pipe = { -1, -1 } };
	f->down = (struct half){ .from = &f->out, .to = &f->in, .pipe = { -1, -1 } };
	f->syn = *ev;
	f->entry = entry;
	f->name = name;
	f->started = r->now;
	LIST_INSERT_HEAD(&pending[bucket_of(&ev->flow)], f, pending);
	r->live[entry->group]++;
	return f;
}

static void
over_limit(struct relay *r, struct flow *f)
{
	enum group g = f->entry->group;
	char why[96];

	snprintf(why, sizeof(why), "more than %lld connections at once",
	    (long long)r->rules->max_live[g]);
	flow_denied(r, f, why, g == GROUP_DB ? "db.max_live_conns" : "-c", false);
	rejected(r, f, ECONNREFUSED);
}

/* Returns the entry that allows it, reports and answers otherwise. */
static const struct entry *
judge(struct relay *r, const struct os_net_event *ev, const char **name)
{
	const struct os_flow *f = &ev->flow;
	const struct known *known, *other = NULL;
	struct judgement j;
	char text[ADDR_TEXT];

	*name = NULL;
	if (rules_addr(r->rules, f->family, f->dst, f->dport, false, &j))
		return j.entry;
	if (j.entry == NULL) {
		known = names_find(r, f->family, f->dst, f->dport, false, &other);
		if (known != NULL) {
			*name = known->name;
			return rules_name(r->rules, known->name, f->dport, false);
		}
	}
	addr_text(text, f->family, f->dst, f->dport);
	report_deny(r, "connect", text, j.why, j.key, j.entry == NULL ? text : NULL);
	os_net_reject(&r->net, ev, ECONNREFUSED);
	return NULL;
}

void
flow_open(struct relay *r, const struct os_net_event *ev)
{
	struct flow *f = pending_find(&ev->flow);
	const struct entry *entry;
	const char *name;
	int64_t max;

	if (f != NULL && f->syn.len == ev->len &&
	    memcmp(f->syn.tcp + 4, ev->tcp + 4, 4) == 0) {
		/* Sent again: still dialling, or the first one got lost inside. */
		if (f->state == ADMITTED)
			os_net_admit(&r->net, &f->syn);
		return;
	}
	if (f != NULL)
		flow_end(r, f, true);
	entry = judge(r, ev, &name);
	if (entry == NULL)
		return;
	f = flow_new(r, ev, entry, name);
	max = r->rules->max_live[entry->group];
	if (max > 0 && r->live[entry->group] > max) {
		over_limit(r, f);
		return;
	}
	flow_log(r, f, "connect", "");
	dial(r, f);
}

/* ---- accepting ---- */

/* The flow that a socket accepted inside belongs to. */
static bool
flow_of_socket(int fd, const struct sockaddr_in6 *peer, struct os_flow *f)
{
	struct sockaddr_in6 self;
	const struct sockaddr_in *p4 = (const struct sockaddr_in *)peer;
	const struct sockaddr_in *s4 = (const struct sockaddr_in *)&self;
	socklen_t len = sizeof(self);

	memset(f, 0, sizeof(*f));
	if (getsockname(fd, (struct sockaddr *)&self, &len) == -1)
		return false;
	f->family = self.sin6_family;
	if (f->family == AF_INET) {
		memcpy(f->src, &p4->sin_addr, 4);
		memcpy(f->dst, &s4->sin_addr, 4);
	} else {
		memcpy(f->src, &peer->sin6_addr, 16);
		memcpy(f->dst, &self.sin6_addr, 16);
	}
	/* The port is at the same place in both. */
	f->sport = ntohs(p4->sin_port);
	f->dport = ntohs(s4->sin_port);
	return true;
}

static void
pair(struct relay *r, int fd, const struct sockaddr_in6 *peer)
{
	struct watch stray = { .fd = fd };
	struct os_flow key;
	struct flow *f = NULL;
	int on = 1;

	if (flow_of_socket(fd, peer, &key))
		f = pending_find(&key);
	if (f == NULL || f->state != ADMITTED) {
		reset(&stray);
		return;
	}
	LIST_REMOVE(f, pending);
	timer_clear(&f->timer);
	f->state = OPEN;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	watch_add(r, &f->in, fd, OS_POLL_IN | OS_POLL_OUT | OS_POLL_EDGE, on_in);
	flow_move(r, f);
}

/* Without a free descriptor accept(2) fails again and again: make one, say no. */
static bool
refuse_one(struct relay *r, int listener)
{
	struct watch w;

	close(r->reserve);
	w.fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (w.fd >= 0)
		reset(&w);
	r->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return r->reserve >= 0;
}

void
flow_accept(struct relay *r, int listener)
{
	for (int i = 0; i < 64; i++) {
		struct sockaddr_in6 peer;
		socklen_t len = sizeof(peer);
		int fd = accept4(listener, (struct sockaddr *)&peer, &len,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0)
			pair(r, fd, &peer);
		else if ((errno != EMFILE && errno != ENFILE) ||
		    !refuse_one(r, listener))
			return;
	}
}
