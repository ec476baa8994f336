/* The program's streams, its signals and its end. */
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "guestinit.h"

#define BUFFER		65536
/*
 * The gates end everything that the program leaves behind, and with it
 * the last writer of its streams. Should one linger, this is how long. A reader
 * outside may take its time: while it does this does not run.
 */
#define LINGER_MS	5000

/* One direction of one stream. */
struct stream {
	int		from, to;	/* -1: closed */
	enum port	port;
	char		buf[BUFFER];
	size_t		start, end;
	uint64_t	total;		/* bytes read */
	uint64_t	last;		/* input: total that is its end */
	bool		ended;		/* output: the host was told */
};

enum { IN, OUT, ERR, AUDIT, NSTREAMS };

struct state {
	struct program	*program;
	struct stream	stream[NSTREAMS];
	int		children;	/* signalfd */
	bool		exited, tty;
	int		wstatus;
	struct rusage	usage;
	int64_t		started_us, exited_us;
	int64_t		linger_us;	/* since when nobody but a writer is waited for */
};

static struct state st;

static int64_t
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* ---- streams ---- */

static void
close_fd(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

/* What stands in the buffer goes out first. */
static void
flush(struct stream *s)
{
	ssize_t n;

	while (s->start < s->end) {
		n = write(s->to, s->buf + s->start, s->end - s->start);
		if (n == -1 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n == -1) {		/* nobody reads it any more */
			s->to = -1;
			s->start = s->end;
			return;
		}
		s->start += (size_t)n;
	}
}

static void
pump(struct stream *s)
{
	size_t room = sizeof(s->buf);
	ssize_t n;

	if (s->port == PORT_STDIN && s->last - s->total < room)
		room = (size_t)(s->last - s->total);
	n = room == 0 ? 0 : read(s->from, s->buf, room);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {			/* a terminal's last user: EIO */
		s->from = -1;
		return;
	}
	s->start = 0;
	s->end = (size_t)n;
	s->total += (uint64_t)n;
	if (s->to == -1)
		s->start = s->end;
	flush(s);
}

/* The program's input has ended: it must see that. */
static void
end_input(struct stream *s)
{
	static const char eof = 4;	/* VEOF of a fresh terminal */

	if (s->from == -1 || s->total != s->last || s->start != s->end)
		return;
	s->from = -1;
	if (!st.tty)
		close_fd(&s->to);
	else if (s->to != -1 && write(s->to, &eof, 1) == -1)
		s->to = -1;
}

static void
tell_end(struct stream *s)
{
	struct frame_end end = { (uint32_t)s->port, 0, s->total };

	if (!s->ended)
		frame_send(FRAME_END, &end, sizeof(end));
	s->ended = true;
}

static void
end_output(struct stream *s)
{
	if (s->from == -1 && s->start == s->end)
		tell_end(s);
}

static void
watch(const struct stream *s, struct pollfd *p)
{
	p->fd = -1;
	p->events = 0;
	if (s->start != s->end) {
		p->fd = s->to;
		p->events = POLLOUT;
	} else if (s->from != -1) {
		p->fd = s->from;
		p->events = POLLIN;
	}
}

/* ---- what the host wants ---- */

/*
 * Nobody reads the stream outside: the program gets SIGPIPE or EPIPE, as it
 * would without us.
 */
static void
reader_gone(uint32_t port)
{
	for (int i = OUT; i <= ERR; i++) {
		struct stream *s = &st.stream[i];

		if ((uint32_t)s->port != port || s->from == -1)
			continue;
		s->start = s->end;
		/* A terminal's master is its input too. */
		if (!st.tty)
			close_fd(&s->from);
		s->from = -1;
	}
}

static void
obey(const struct frame *f, const char *payload)
{
	struct frame_size size;
	struct frame_end end;
	uint32_t number = 0;
	struct winsize ws = { 0 };

	if (f->len >= sizeof(number))
		memcpy(&number, payload, sizeof(number));
	switch (f->type) {
	case FRAME_SIGNAL:
		if (!st.exited && number > 0 && number < NSIG)
			kill(st.program->pid, (int)number);
		break;
	case FRAME_SIZE:
		if (f->len != sizeof(size) || !st.tty)
			break;
		memcpy(&size, payload, sizeof(size));
		ws.ws_row = size.rows;
		ws.ws_col = size.columns;
		ioctl(st.program->in, TIOCSWINSZ, &ws);
		break;
	case FRAME_INPUT_END:
		if (f->len != sizeof(end))
			break;
		memcpy(&end, payload, sizeof(end));
		st.stream[IN].last = end.bytes;
		break;
	case FRAME_CLOSED:
		reader_gone(number);
		break;
	default:
		fail("unknown frame %u", f->type);
	}
}

/* ---- the program ---- */

static void
reap(void)
{
	struct signalfd_siginfo si;
	struct rusage ru;
	int wstatus;
	pid_t pid;

	while (read(st.children, &si, sizeof(si)) == (ssize_t)sizeof(si))
		continue;
	while ((pid = wait4(-1, &wstatus, WNOHANG, &ru)) > 0) {
		if (pid != st.program->pid)
			continue;
		st.exited = true;
		st.wstatus = wstatus;
		st.usage = ru;
		st.exited_us = st.linger_us = now_us();
	}
}

static uint64_t
micros(struct timeval t)
{
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_usec;
}

/* What x07-limit wrote; the host takes no more than a frame. */
static void
tell_usage(int fd)
{
	char text[FRAME_MAX_TO_HOST];
	ssize_t n = fd != -1 ? pread(fd, text, sizeof(text), 0) : 0;

	if (n > 0)
		frame_send(FRAME_USAGE, text, (uint32_t)n);
}

static void
tell_exit(void)
{
	struct frame_exit e = {
		.wstatus = st.wstatus,
		.wall_us = (uint64_t)(st.exited_us - st.started_us),
		.user_us = micros(st.usage.ru_utime),
		.sys_us = micros(st.usage.ru_stime),
		.maxrss = (uint64_t)st.usage.ru_maxrss * 1024,
	};

	/* Whoever lingers is not waited for any more. */
	for (int i = OUT; i < NSTREAMS; i++)
		tell_end(&st.stream[i]);
	/* The host ends the machine now: nothing may be left in our caches. */
	sync();
	tell_usage(st.program->usage);
	frame_send(FRAME_EXIT, &e, sizeof(e));
}

static bool
all_ended(void)
{
	for (int i = OUT; i < NSTREAMS; i++)
		if (!st.stream[i].ended)
			return false;
	return true;
}

/* Is there output that the host did not take yet? */
static bool
stuck(void)
{
	for (int i = OUT; i < NSTREAMS; i++)
		if (st.stream[i].start != st.stream[i].end)
			return true;
	return false;
}

/* One round. Returns false when everything has ended. */
static bool
turn(void)
{
	struct pollfd p[NSTREAMS + 2];
	struct frame f;
	char *payload;
	int wait = -1, n;

	for (int i = 0; i < NSTREAMS; i++)
		watch(&st.stream[i], &p[i]);
	p[NSTREAMS] = (struct pollfd){ port_fd(PORT_CONTROL), POLLIN, 0 };
	p[NSTREAMS + 1] = (struct pollfd){ st.children, POLLIN, 0 };
	if (st.exited && stuck()) {
		st.linger_us = now_us();
	} else if (st.exited) {
		wait = LINGER_MS - (int)((now_us() - st.linger_us) / 1000);
		wait = wait > 0 ? wait : 0;
	}
	n = poll(p, NSTREAMS + 2, wait);
	if (n == -1 || (n == 0 && wait == 0))
		return n == -1;
	for (int i = 0; i < NSTREAMS; i++) {
		struct stream *s = &st.stream[i];

		if (p[i].fd == -1 || p[i].revents == 0)
			continue;
		if (s->start != s->end)
			flush(s);
		else
			pump(s);
	}
	if (p[NSTREAMS].revents != 0)
		while (frame_next(&f, &payload, false))
			obey(&f, payload);
	if (p[NSTREAMS + 1].revents != 0)
		reap();
	end_input(&st.stream[IN]);
	for (int i = OUT; i < NSTREAMS; i++)
		end_output(&st.stream[i]);
	return !st.exited || !all_ended();
}

void
relay(struct program *program, const struct request *request)
{
	const int ours[NSTREAMS] = { program->in, program->out, program->err,
	    program->audit };
	static const enum port ports[NSTREAMS] = { PORT_STDIN, PORT_STDOUT,
	    PORT_STDERR, PORT_AUDIT };
	sigset_t set;

	st.program = program;
	st.tty = request->tty;
	st.started_us = now_us();
	for (int i = 0; i < NSTREAMS; i++) {
		struct stream *s = &st.stream[i];

		s->port = ports[i];
		s->from = i == IN ? port_fd(s->port) : ours[i];
		s->to = i == IN ? ours[i] : port_fd(s->port);
		s->last = UINT64_MAX;
	}
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	st.children = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (st.children == -1)
		fail_errno("signalfd");
	reap();
	while (turn())
		continue;
	tell_exit();
}
