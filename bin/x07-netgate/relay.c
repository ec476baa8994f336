/*
 * The relay: the one process that stays outside and holds the doors of the
 * empty network. It starts before the network exists, is nobody's child by the
 * time the program runs, and ends with the program.
 */
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "io.h"
#include "netgate.h"

#define EVENTS		128
#define BATCHES_A_TURN	16
#define LAST_WORDS_MS	100	/* of the relay inside, LATER_MS of serve.c */
#define LAST_TURNS	16

/* ---- loop ---- */

void
watch_add(struct relay *r, struct watch *w, int fd, unsigned what,
    void (*fn)(struct relay *, struct watch *, unsigned))
{
	w->fd = fd;
	w->fn = fn;
	if (os_poll_add(r->poll, fd, what, w) == -1)
		refuse_errno("relay: watching a descriptor");
}

void
watch_close(struct watch *w)
{
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
}

void
timer_clear(struct timer *t)
{
	if (t->queue != NULL)
		TAILQ_REMOVE(&t->queue->timers, t, link);
	t->queue = NULL;
}

void
timer_set(struct relay *r, struct timer *t, int64_t ms,
    void (*fn)(struct relay *, struct timer *))
{
	struct timer_queue *q = r->queues;
	const struct timer_queue *end = r->queues +
	    sizeof(r->queues) / sizeof(r->queues[0]);

	timer_clear(t);
	while (q < end && q->ms != 0 && q->ms != ms)
		q++;
	if (q == end)
		abort();	/* the durations are a fixed few */
	if (q->ms == 0) {
		q->ms = ms;
		TAILQ_INIT(&q->timers);
	}
	t->queue = q;
	t->at = r->now + ms;
	t->fn = fn;
	TAILQ_INSERT_TAIL(&q->timers, t, link);
}

static void
run_timers(struct relay *r)
{
	for (struct timer_queue *q = r->queues; q->ms != 0; q++) {
		struct timer *t;

		while ((t = TAILQ_FIRST(&q->timers)) != NULL && t->at <= r->now) {
			timer_clear(t);
			t->fn(r, t);
		}
	}
}

void
free_later(struct relay *r, void *p)
{
	void **grown = reallocarray(r->trash, r->ntrash + 1, sizeof(*r->trash));

	if (grown == NULL)
		refuse_errno("relay");
	r->trash = grown;
	r->trash[r->ntrash++] = p;
}

/* Milliseconds until the next timer, -1 when there is none. */
static int
next_timer(const struct relay *r)
{
	int64_t next = INT64_MAX;

	for (const struct timer_queue *q = r->queues; q->ms != 0; q++) {
		const struct timer *t = TAILQ_FIRST(&q->timers);

		if (t != NULL && t->at < next)
			next = t->at;
	}
	if (next == INT64_MAX)
		return -1;
	return next <= r->now ? 0 : next - r->now > INT_MAX ? INT_MAX :
	    (int)(next - r->now);
}

/* Returns the number of events. */
static int
turn(struct relay *r, int ms)
{
	struct os_poll_event ev[EVENTS];
	int n = os_poll_wait(r->poll, ev, EVENTS, ms);

	r->now = clock_ms(CLOCK_MONOTONIC);
	for (int i = 0; i < n; i++) {
		struct watch *w = ev[i].data;

		if (w->fd >= 0)
			w->fn(r, w, ev[i].what);
	}
	if (!r->leaving) {
		run_timers(r);
		resolver_tick(r);
	}
	flow_work(r);
	while (r->ntrash > 0)
		free(r->trash[--r->ntrash]);
	return n;
}

static void
loop(struct relay *r)
{
	while (!r->quit) {
		int ms = resolver_timeout(r, next_timer(r));

		turn(r, TAILQ_EMPTY(&r->busy) ? ms : 0);
	}
}

/*
 * The program is gone. What it had written to connections that it had closed goes on, as
 * it would if the kernel had it, and nothing else is heard any more.
 */
static void
leave(struct relay *r)
{
	int ms;

	/* It may have connected, written and closed just now. */
	for (int i = 0; i < LAST_TURNS && turn(r, 0) > 0; i++)
		continue;
	close(r->poll);
	r->poll = os_poll_open();
	if (r->poll == -1 || !flow_leave(r))
		return;
	if (r->rules->nserve > 0)
		serve_stop(r);
	/* Whoever reads this to its end waits for the program, and not for us. */
	dup2(STDIN_FILENO, STDERR_FILENO);
	while ((ms = flow_left(r)) >= 0)
		turn(r, ms);
}

/* ---- the wire ---- */

/* The kernel refused a connection or datagram: nobody listens there. */
static void
refused(struct relay *r, const struct os_flow *f, bool udp)
{
	struct verdict_on v;

	if (!udp && serve_planned(r->rules, f->family, f->dst, f->dport)) {
		serve_refused(r, f);
		return;
	}
	/* An answer of ours, to a socket that is closed by now. */
	if (udp && answers_from(r, f->family, f->src, f->sport))
		return;
	v = judge(r, f, udp);
	if (r->chain->dry_run) {
		listen_on(r, udp ? SOCK_DGRAM : SOCK_STREAM, f->family, f->dst,
		    f->dport);
		return;
	}
	/* Allowed, but without a listener: the port is in the program's hands. */
	if (v.entry != NULL && listening(r, udp ? SOCK_DGRAM : SOCK_STREAM,
	    f->family, f->dst, f->dport) == -1)
		judge_denied(r, f, v.name, udp, "the program has taken this port "
		    "for itself", "net.allow_hosts");
}

/*
 * Dry run: something goes where it gets lost. That is made local and a listener
 * put there: a connection goes on at once, a datagram when it is sent again.
 */
static void
stray(struct relay *r, const struct os_net_event *ev)
{
	const struct os_flow *f = &ev->flow;

	/* Loopback and IPv6 are always local; what is local is not lost. */
	if (f->family != AF_INET || f->dst[0] == 127 ||
	    (os_net_take(&r->net, f, ev->udp) == -1 && errno == EEXIST))
		return;
	if (listen_on(r, ev->udp ? SOCK_DGRAM : SOCK_STREAM, f->family, f->dst,
	    f->dport) == -1) {
		judge_denied(r, f, NULL, ev->udp, strerror(errno), "-n");
		return;
	}
	if (!ev->udp)
		flow_open(r, ev);
}

static void
packet(struct relay *r, const struct os_net_event *ev)
{
	switch (ev->kind) {
	case OS_NET_NOTHING:
		break;
	case OS_NET_OPENS:
		if (listening(r, SOCK_STREAM, ev->flow.family, ev->flow.dst,
		    ev->flow.dport) != -1)
			flow_open(r, ev);
		break;
	case OS_NET_STRAY:
		stray(r, ev);
		break;
	case OS_NET_REFUSED:
	case OS_NET_NO_PORT:
		refused(r, &ev->flow, ev->kind == OS_NET_NO_PORT);
		break;
	}
}

/* Takes what is on a wire, up to some number of batches. */
static void
read_wire(struct relay *r, int fd, int batches)
{
	struct os_net_event ev[OS_NET_BATCH];
	int n = OS_NET_BATCH;

	while (n == OS_NET_BATCH && batches-- > 0) {
		n = os_net_events(&r->net, fd, ev);
		for (int i = 0; i < n; i++)
			packet(r, &ev[i]);
	}
}

static void
on_wire(struct relay *r, struct watch *w, unsigned what)
{
	(void)what;
	read_wire(r, w->fd, BATCHES_A_TURN);
}

/* ---- start and end ---- */

/* What was tried last is still on the wires. */
static void
finish(struct relay *r, struct timer *t)
{
	(void)t;
	for (size_t i = 0; i < sizeof(r->wire) / sizeof(r->wire[0]); i++)
		if (r->wire[i].fd >= 0)
			read_wire(r, r->wire[i].fd, INT_MAX);
	r->quit = true;
}

/* The program is gone. */
static void
on_end(struct relay *r, struct watch *w, unsigned what)
{
	(void)what;
	if (!r->gate_inside) {
		finish(r, NULL);
		return;
	}
	watch_close(w);
	timer_set(r, &r->last_words, LAST_WORDS_MS, finish);
}

static _Noreturn void
fail(const char *what)
{
	refuse_errno("no network: the relay failed at %s", what);
}

/* Takes over the network and its first sockets. */
static void
take_over(struct relay *r, int sock)
{
	int fds[OS_FDS_MAX], n = os_recv_fds(sock, fds), more = 5;
	const int *wire[] = { &r->net.tcp[0], &r->net.icmp[0], &r->net.tcp[1],
	    &r->net.icmp[1], &r->net.stray };
	bool dry = r->chain->dry_run, six = n == (dry ? 9 : 7);

	if (n != (dry ? 7 : 5) && !six)
		_exit(EXIT_REFUSED);	/* the gate itself refused */
	watch_add(r, &r->ended, fds[0], OS_POLL_IN, on_end);
	r->net = (struct os_net){ fds[1], fds[2], { fds[3], -1 }, { fds[4], -1 },
	    -1, -1 };
	if (six) {
		r->net.tcp[1] = fds[more++];
		r->net.icmp[1] = fds[more++];
	}
	if (dry) {
		r->net.stray = fds[more++];
		r->net.routes = fds[more++];
	}
	r->tables[0] = r->tables[1] = -1;
	if (r->rules->nserve > 0) {
		n = os_recv_fds(sock, fds);
		if (n < 1 || n > 2)
			_exit(EXIT_REFUSED);
		memcpy(r->tables, fds, sizeof(fds[0]) * (size_t)n);
	}
	while ((n = os_recv_fds(sock, fds)) > 0)
		for (int i = 0; i < n; i++)
			listen_adopt(r, fds[i]);
	if (n == -1 && errno == EPIPE)
		_exit(EXIT_REFUSED);
	if (n == -1)
		fail("taking over its sockets");
	for (size_t i = 0; i < sizeof(wire) / sizeof(wire[0]); i++) {
		r->wire[i].fd = -1;
		if (*wire[i] >= 0)
			watch_add(r, &r->wire[i], *wire[i], OS_POLL_IN, on_wire);
	}
}

/*
 * Keeps stderr for denial lines, the audit log and the socket; stdin and
 * stdout are the program's alone, or a pipe's reader would wait for us.
 */
static void
let_go(const struct chain *c, int sock)
{
	int keep[2] = { sock, c->audit_fd }, null;

	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null == -1 || dup2(null, STDIN_FILENO) == -1 ||
	    dup2(null, STDOUT_FILENO) == -1)
		fail("/dev/null");
	if (os_close_fds(keep, c->audit_fd >= 3 ? 2 : 1) == -1 ||
	    chdir("/") == -1)
		fail("letting go of the program's files");
	fd_limit_raise();
	/* c-ares takes options from there, such as other names for hosts. */
	clearenv();
	if (os_never_wait() == -1)
		fail("a pipe");
	signal(SIGCHLD, SIG_DFL);
}

static _Noreturn void
be_relay(const struct chain *c, const struct rules *rules, bool gate_inside,
    pid_t program, int sock)
{
	struct relay *r = calloc(1, sizeof(*r));

	if (r == NULL || os_hide() == -1)
		fail("the start");
	let_go(c, sock);
	r->chain = c;
	r->rules = rules;
	r->program = program;
	r->gate_inside = gate_inside;
	TAILQ_INIT(&r->busy);
	r->poll = os_poll_open();
	r->reserve = dup(STDIN_FILENO);
	if (r->poll == -1 || r->reserve == -1)
		fail("the start");
	names_init(r);
	listen_init(r);
	if (os_relay_confine() == -1)
		fail("confining itself");
	take_over(r, sock);
	close(sock);
	r->now = clock_ms(CLOCK_MONOTONIC);
	serve_start(r);
	loop(r);
	leave(r);
	_exit(0);
}

int
relay_start(const struct chain *c, const struct rules *rules, bool gate_inside,
    pid_t *between)
{
	pid_t program = getpid(), pid;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		refuse_errno("socketpair");
	pid = fork();
	if (pid == -1)
		refuse_errno("cannot start the relay: fork");
	if (pid == 0) {
		/* Twice, so that the program never sees a child it did not make. */
		setsid();
		pid = fork();
		if (pid != 0)
			_exit(pid == -1);
		close(pair[0]);
		be_relay(c, rules, gate_inside, program, pair[1]);
	}
	close(pair[1]);
	*between = pid;
	return pair[0];
}
