/*
 * Connections: an opening packet held inside, the same connection made
 * outside, the packet let in or answered with the error, then bytes both
 * ways through pipes that are held only while bytes are stuck in them.
 */
#include <netinet/tcp.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "address.h"
#include "netgate.h"
#include "reset.h"

#define BUCKETS		4096		/* a power of two */
#define ADMIT_MS	3000		/* for the handshake inside */
#define KNOCK_MS	25		/* between tries to reach the program */
#define LEFT_BYTES	(64 << 20)	/* more than the buffers of a connection hold */
#define QUIET_MS	200		/* longer than they need to go on */
#define WRITES_MS	2000		/* then it was not written before any more */
#define STUCK_MS	30000		/* for a server that takes nothing */
#define GATES		8		/* inside ours; each has buffers */

struct flow {
	LIST_ENTRY(flow)	all;
	LIST_ENTRY(flow)	pending;
	TAILQ_ENTRY(flow)	busy;
	enum { DIALLING, ADMITTED, KNOCKING, OPEN, DEAD } state;
	bool			is_busy, is_pending;
	struct watch		in, out;
	struct half		up, down;
	struct timer		timer;
	struct os_net_event	syn;
	const struct entry	*entry;
	const char		*name;		/* of the list, or NULL */
	int64_t			started;
	int64_t			until;		/* KNOCKING: gives up then */
	uint64_t		before, taken;	/* bytes: with the program, by now */
	int64_t			moved, stuck;	/* when there were more, were stuck */
	bool			cut;		/* from the program, which is gone */
};

static LIST_HEAD(, flow) flows = LIST_HEAD_INITIALIZER(flows);
static LIST_HEAD(, flow) pending[BUCKETS];

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

/* ---- ends ---- */

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
		report_flow(r, "close", &f->syn.flow, f->name, false, more);
	}
	if (f->is_pending)
		LIST_REMOVE(f, pending);
	if (!abort_it) {
		reset_at_end(f->in.fd, false);
		reset_at_end(f->out.fd, false);
	}
	watch_close(&f->in);
	watch_close(&f->out);
	half_end(&f->up);
	half_end(&f->down);
	if (f->is_busy)
		TAILQ_REMOVE(&r->busy, f, busy);
	LIST_REMOVE(f, all);
	r->live[f->entry->group]--;
	f->state = DEAD;
	free_later(r, f);
}

/* ---- moving bytes ---- */

/* After the program: what there is goes on, but nothing more, and then a reset. */
static void
flow_cut(struct flow *f)
{
	watch_close(&f->in);
	f->cut = f->up.ended = f->down.done = true;
}

/*
 * One side is gone, or may send no more. What the other half has still goes on, as the
 * kernel lets a program read what came before a reset: a server may answer and close
 * without reading all that it is sent.
 */
static void
flow_fail(struct relay *r, struct flow *f, struct half *failed)
{
	if (relay_allowance(r) == 0)
		judge_denied(r, &f->syn.flow, f->name, false,
		    "the byte limit of -b is reached", "-b");
	else if (r->leaving) {
		flow_cut(f);
		return;
	}
	failed->done = true;		/* no end of file before the reset */
	failed->other->drain = true;
	while (!r->leaving && half_move(r, failed->other) == MOVED_SHARE)
		continue;
	flow_end(r, f, true);
}

/* Moves what the halves that are wanted can; ends the flow when it is over. */
static void
flow_move(struct relay *r, struct flow *f, bool up, bool down)
{
	enum moved first = up ? half_move(r, &f->up) : MOVED_ALL;
	enum moved second = first != MOVE_FAILED && down ?
	    half_move(r, &f->down) : MOVED_ALL;
	bool more = first == MOVED_SHARE || second == MOVED_SHARE;

	if (first == MOVE_FAILED || second == MOVE_FAILED) {
		flow_fail(r, f, first == MOVE_FAILED ? &f->up : &f->down);
		return;
	}
	if (f->up.done && !f->cut && (f->down.done || r->leaving)) {
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
		flow_move(r, f, true, !r->leaving);
}

/*
 * Something happened to one side: what it sent goes on, and what waited for
 * it to take more. Only a side that is closing, or has urgent data (a read stops in
 * front of it), is read to the last byte, if not now then when its bytes are not stuck
 * any more: of this there is no other news. Nor of what a share left over: both halves of
 * a busy flow are moved at the end of this round (flow_work), and only that may say that
 * it is busy no more.
 */
static void
flow_event(struct relay *r, struct flow *f, unsigned what, struct half *reads,
    struct half *writes)
{
	bool in = (what & OS_POLL_IN) != 0;
	bool out = (what & OS_POLL_OUT) != 0 && half_holds(writes);
	bool up = reads == &f->up ? in : out, down = reads == &f->up ? out : in;

	if ((what & OS_POLL_HUP) != 0)
		reads->drain = true;
	down = down && !r->leaving;	/* nobody is there to read it */
	if ((up || down) && !f->is_busy)
		flow_move(r, f, up, down);
}

/* ---- opening ---- */

/*
 * Nothing waits for more, a dead peer is noticed, urgent bytes keep their place, and no
 * end is an orderly one before flow_end says so.
 */
static void
prepare(int fd)
{
	int on = 1;

	reset_at_end(fd, true);

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
}

static struct flow *
flow_of_in(struct watch *w)
{
	return (struct flow *)((char *)w - offsetof(struct flow, in));
}

static struct flow *
flow_of_out(struct watch *w)
{
	return (struct flow *)((char *)w - offsetof(struct flow, out));
}

static void
on_in(struct relay *r, struct watch *w, unsigned what)
{
	struct flow *f = flow_of_in(w);

	flow_event(r, f, what, &f->up, &f->down);
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
	if (os_net_admit(&r->net, &f->syn) == -1) {
		flow_end(r, f, true);
		return;
	}
	/* On loopback the handshake is over by now. */
	flow_accept(r, listening(r, SOCK_STREAM, f->syn.flow.family,
	    f->syn.flow.dst, f->syn.flow.dport));
}

/*
 * Where nobody listens a connection to this machine can meet itself, when the kernel
 * happens to give it that port as its own: TCP's simultaneous open, RFC 9293 3.5.
 */
static bool
met_itself(int fd, const struct os_flow *f)
{
	struct sockaddr_in6 to, own = { 0 };
	socklen_t len = address_fill(&to, f->family, f->dst, f->dport);
	socklen_t ownlen = sizeof(own);

	if (getsockname(fd, (struct sockaddr *)&own, &ownlen) == -1 ||
	    ownlen != len || own.sin6_port != to.sin6_port)
		return false;
	return f->family == AF_INET6 ?
	    memcmp(&own.sin6_addr, &to.sin6_addr, sizeof(to.sin6_addr)) == 0 :
	    memcmp(&((struct sockaddr_in *)&own)->sin_addr,
	    &((struct sockaddr_in *)&to)->sin_addr, 4) == 0;
}

/* The connection outside is made. */
static void
dialled(struct relay *r, struct flow *f)
{
	if (!r->rules->channel && met_itself(f->out.fd, &f->syn.flow))
		rejected(r, f, ECONNREFUSED);
	else
		admit(r, f);
}

static void
on_out(struct relay *r, struct watch *w, unsigned what)
{
	struct flow *f = flow_of_out(w);
	socklen_t len = sizeof(int);
	int err = 0;

	if (f->state == OPEN) {
		flow_event(r, f, what, &f->down, &f->up);
		return;
	}
	if (f->state != DIALLING || (what & OS_POLL_OUT) == 0)
		return;
	if (r->rules->channel)
		err = channel_answer(w->fd);
	else if (getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &err, &len) == -1)
		err = errno;
	if (err > 0)
		rejected(r, f, err);
	else if (err == 0)
		dialled(r, f);
}

static int
connect_to(int fd, const struct os_flow *f)
{
	struct sockaddr_in6 to;
	socklen_t len = address_fill(&to, f->family, f->dst, f->dport);

	return connect(fd, (struct sockaddr *)&to, len);
}

static void
dial(struct relay *r, struct flow *f)
{
	int64_t ms = r->rules->connect_ms[f->entry->group];
	int fd, err;

	fd = r->rules->channel ? channel_dial(&f->syn.flow, false) :
	    socket(f->syn.flow.family, SOCK_STREAM | SOCK_NONBLOCK |
	    SOCK_CLOEXEC, 0);
	if (fd == -1 && r->rules->channel) {
		rejected(r, f, errno);
		return;
	}
	if (fd == -1) {
		judge_denied(r, &f->syn.flow, f->name, false,
		    "the relay is out of descriptors", "limits.fds");
		rejected(r, f, EHOSTUNREACH);
		return;
	}
	prepare(fd);
	watch_add(r, &f->out, fd, OS_POLL_IN | OS_POLL_OUT | OS_POLL_EDGE, on_out);
	err = r->rules->channel ? EALREADY :
	    connect_to(fd, &f->syn.flow) == 0 ? 0 : errno;
	/* On this machine it is answered already: asking again tells. */
	if (err == EINPROGRESS)
		err = connect_to(fd, &f->syn.flow) == 0 ? 0 : errno;
	if (err == 0)
		dialled(r, f);
	else if (err != EALREADY && err != EINPROGRESS)
		rejected(r, f, err);
	else if (ms > 0)
		timer_set(r, &f->timer, ms, on_timeout);
}

static struct flow *
flow_new(struct relay *r, const struct os_flow *flow, const struct entry *entry,
    const char *name)
{
	struct flow *f = calloc(1, sizeof(*f));

	if (f == NULL)
		refuse_errno("relay");
	f->in.fd = f->out.fd = -1;
	half_init(&f->up, &f->in, &f->out, &f->down);
	half_init(&f->down, &f->out, &f->in, &f->up);
	f->syn.flow = *flow;
	f->entry = entry;
	f->name = name;
	f->started = r->now;
	LIST_INSERT_HEAD(&flows, f, all);
	r->live[entry->group]++;
	return f;
}

/* Is there room for one more of the group? Reports it when not. */
static bool
room(struct relay *r, const struct os_flow *flow, const struct entry *entry,
    const char *name)
{
	enum group g = entry->group;
	char why[96];

	if (r->rules->max_live[g] == 0 || r->live[g] < r->rules->max_live[g])
		return true;
	snprintf(why, sizeof(why), "more than %lld connections at once",
	    (long long)r->rules->max_live[g]);
	judge_denied(r, flow, name, false, why,
	    g == GROUP_DB ? "db.max_live_conns" : "-c");
	return false;
}

static void
flow_judged(struct relay *r, const struct os_net_event *ev,
    const struct verdict_on *v)
{
	struct flow *f;

	if (v->entry == NULL || !room(r, &ev->flow, v->entry, v->name)) {
		os_net_reject(&r->net, ev, ECONNREFUSED);
		return;
	}
	f = flow_new(r, &ev->flow, v->entry, v->name);
	f->state = DIALLING;
	f->syn = *ev;
	f->is_pending = true;
	LIST_INSERT_HEAD(&pending[bucket_of(&ev->flow)], f, pending);
	report_flow(r, "connect", &ev->flow, v->name, false, "");
	dial(r, f);
}

/* A name was asked for again, because an old answer led to this address. */
static void
on_refreshed(struct relay *r, void *arg)
{
	struct os_net_event *ev = arg;
	struct verdict_on v;

	if (pending_find(&ev->flow) == NULL) {
		v = judge(r, &ev->flow, false);
		if (v.stale != NULL)
			judge_denied(r, &ev->flow, v.stale, false, "the name does "
			    "not answer this address any more", "net.allow_hosts");
		flow_judged(r, ev, &v);
	}
	free(ev);
}

void
flow_open(struct relay *r, const struct os_net_event *ev)
{
	struct flow *f = pending_find(&ev->flow);
	struct os_net_event *copy;
	struct verdict_on v;

	if (f != NULL && f->syn.len == ev->len &&
	    memcmp(f->syn.tcp + 4, ev->tcp + 4, 4) == 0) {
		/* Sent again: still dialling, or the first one got lost inside. */
		if (f->state == ADMITTED)
			os_net_admit(&r->net, &f->syn);
		return;
	}
	if (f != NULL)
		flow_end(r, f, true);
	v = judge(r, &ev->flow, false);
	if (v.stale == NULL) {
		flow_judged(r, ev, &v);
		return;
	}
	copy = malloc(sizeof(*copy));
	if (copy == NULL)
		refuse_errno("relay");
	*copy = *ev;
	resolver_refresh(r, v.stale, ev->flow.family, on_refreshed, copy);
}

/* ---- connections from outside ---- */

static void	knock(struct relay *, struct timer *);

/* The program did not take it: not yet, or never. */
static void
not_taken(struct relay *r, struct flow *f, int err)
{
	watch_close(&f->in);
	if (err == ECONNREFUSED && r->now < f->until)
		timer_set(r, &f->timer, KNOCK_MS, knock);
	else
		flow_end(r, f, true);
}

static void
on_knock(struct relay *r, struct watch *w, unsigned what)
{
	struct flow *f = flow_of_in(w);
	socklen_t len = sizeof(int);
	int err = 0;

	if (f->state == OPEN) {
		flow_event(r, f, what, &f->up, &f->down);
		return;
	}
	if ((what & OS_POLL_OUT) == 0)
		return;
	if (getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &err, &len) == -1)
		err = errno;
	if (err != 0) {
		not_taken(r, f, err);
		return;
	}
	timer_clear(&f->timer);
	f->state = OPEN;
	flow_move(r, f, true, true);
}

static void
knock(struct relay *r, struct timer *t)
{
	struct flow *f = (struct flow *)((char *)t - offsetof(struct flow, timer));
	int fd = spare_socket(r, f->syn.flow.family);

	if (fd == -1) {
		judge_denied(r, &f->syn.flow, NULL, false,
		    "the relay is out of descriptors", "limits.fds");
		flow_end(r, f, true);
		return;
	}
	prepare(fd);
	if (os_net_connect(fd, &f->syn.flow) == -1 && errno != EINPROGRESS) {
		int err = errno;

		close(fd);
		f->in.fd = -1;
		not_taken(r, f, err);
		return;
	}
	watch_add(r, &f->in, fd, OS_POLL_IN | OS_POLL_OUT | OS_POLL_EDGE, on_knock);
}

void
flow_serve(struct relay *r, int fd, const struct os_flow *flow,
    const struct entry *entry, int64_t until)
{
	struct flow *f;

	prepare(fd);
	if (!room(r, flow, entry, NULL)) {
		close(fd);
		return;
	}
	f = flow_new(r, flow, entry, NULL);
	f->state = KNOCKING;
	f->until = until;
	watch_add(r, &f->out, fd, OS_POLL_IN | OS_POLL_OUT | OS_POLL_EDGE, on_out);
	report_flow(r, "accept", flow, NULL, false, "");
	knock(r, &f->timer);
}

/* ---- accepting ---- */

/* The flow that a socket accepted inside belongs to. */
static bool
flow_of_socket(int fd, const struct sockaddr_in6 *peer, struct os_flow *f)
{
	struct sockaddr_in6 self = { 0 };
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
	struct os_flow key;
	struct flow *f = NULL;

	if (flow_of_socket(fd, peer, &key))
		f = pending_find(&key);
	if (f == NULL || f->state != ADMITTED) {
		close(fd);
		return;
	}
	LIST_REMOVE(f, pending);
	f->is_pending = false;
	timer_clear(&f->timer);
	f->state = OPEN;
	watch_add(r, &f->in, fd, OS_POLL_IN | OS_POLL_OUT | OS_POLL_EDGE, on_in);
	flow_move(r, f, true, true);
}

void
flow_refuse(struct relay *r, int listener, int err)
{
	int fd;

	if (err != EMFILE && err != ENFILE)
		return;
	close(r->reserve);
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		close(fd);
	r->reserve = dup(STDIN_FILENO);
}

void
flow_accept(struct relay *r, int listener)
{
	struct sockaddr_in6 peer = { 0 };
	socklen_t len = sizeof(peer);
	int fd = accept4(listener, (struct sockaddr *)&peer, &len,
	    SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0)
		pair(r, fd, &peer);
	else
		flow_refuse(r, listener, errno);
}

/* ---- after the program ---- */

/*
 * May there still come something that was written before the end? The end of file behind
 * it is seen when it has come into our buffers; the program's may still hold it. Nothing
 * keeps it there but bytes that are stuck here: who goes on to write when there are none
 * is no part of the program.
 */
static bool
comes(const struct relay *r, struct flow *f)
{
	int gates = r->gate_inside ? GATES : 1;

	if (os_poll_closed(f->in.fd))
		return true;
	if (half_holds(&f->up) || f->is_busy)
		f->stuck = r->now;
	if (f->stuck < r->now && r->now - f->moved >= gates * QUIET_MS)
		return false;
	return r->now - f->stuck < gates * WRITES_MS &&
	    f->up.bytes - f->before <= (uint64_t)gates * LEFT_BYTES;
}

/* Is there something to be handed on? A reset would take it from the other side. */
static bool
outlives(const struct relay *r, struct flow *f)
{
	int64_t unsent = f->state == OPEN ? os_unsent(f->out.fd) : -1;
	uint64_t taken;

	if (unsent == -1)
		return false;
	taken = f->up.bytes - (uint64_t)unsent;
	if (taken != f->taken)
		f->moved = r->now;
	f->taken = taken;
	if (r->now - f->moved >= STUCK_MS)
		return false;
	if (!f->cut && comes(r, f))
		return true;
	flow_cut(f);
	return half_holds(&f->up) || unsent > 0;
}

static void
watch_again(struct relay *r, struct watch *w)
{
	if (w->fd >= 0)
		watch_add(r, w, w->fd, OS_POLL_IN | OS_POLL_OUT | OS_POLL_EDGE,
		    w->fn);
}

bool
flow_leave(struct relay *r)
{
	struct flow *f, *next;

	r->leaving = true;
	LIST_FOREACH_SAFE(f, &flows, all, next) {
		f->before = f->up.bytes;
		f->moved = f->stuck = r->now;
		if (f->state == OPEN)
			flow_move(r, f, true, false);
		if (!outlives(r, f)) {
			flow_end(r, f, true);
			continue;
		}
		watch_again(r, &f->in);
		watch_again(r, &f->out);
	}
	return !LIST_EMPTY(&flows);
}

int
flow_left(struct relay *r)
{
	struct flow *f, *next;

	LIST_FOREACH_SAFE(f, &flows, all, next)
		if (!outlives(r, f))
			flow_end(r, f, true);
	return LIST_EMPTY(&flows) ? -1 : TAILQ_EMPTY(&r->busy) ? QUIET_MS : 0;
}
