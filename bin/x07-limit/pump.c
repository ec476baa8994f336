/*
 * Byte caps: we sit in the pipes. One thread per stream, because the caller's
 * descriptors may wait, and whoever keeps them waiting must not keep us from
 * holding the other limits.
 */
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "limits.h"

#define CHUNK		(INT64_C(1) << 20)	/* bytes of one move */
#define RETRY_MS	100			/* in the terminal's background */
#define LOOK_MS		20			/* whether the input was all read */

struct stream {
	enum limit	 limit;
	int		 ours, inside;	/* ends of the pipe; -1: not ours to watch */
	int64_t		 cap;		/* -1: none of its own */
	_Atomic int64_t	 moved;
	pthread_t	 thread;
};

static struct stream streams[3] = {
	{ .limit = LIM_STDIN, .ours = -1, .inside = -1, .cap = -1 },
	{ .limit = LIM_STDOUT, .ours = -1, .inside = -1, .cap = -1 },
	{ .limit = LIM_STDERR, .ours = -1, .inside = -1, .cap = -1 },
};

static struct {
	pthread_mutex_t	 lock;
	_Atomic int64_t	 left;		/* of the cap on all output, -1: none; changed
					 * under the lock */
	bool		 dry_run;
	int		 busy;		/* threads that move output */
	_Atomic bool	 lost;		/* output could not be written */
	int		 news[2];	/* enum limit bytes from the threads */
	int		 ended[2];	/* closed when the tree has ended */
} pump = { .lock = PTHREAD_MUTEX_INITIALIZER, .news = { -1, -1 },
	.ended = { -1, -1 } };

/* ---- before the start ---- */

static void
make_pipe(int fds[2])
{
	if (pipe2(fds, O_CLOEXEC) == -1)
		refuse_errno("pipe");
}

/*
 * Input that cannot be more than the cap, or change our mind about it: then
 * the program has the file itself and can seek in it.
 */
static bool
short_file(int fd, int64_t cap)
{
	off_t at = lseek(fd, 0, SEEK_CUR);
	struct stat st;

	return at != -1 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    st.st_size - at <= cap;
}

/* A terminal or socket on standard input can often be written to as well. */
static bool
way_out(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags != -1 && (flags & O_ACCMODE) != O_RDONLY;
}

/*
 * A policy's cap leaves a terminal alone, or no program of a policy could ever
 * use one: what a terminal is shown fills nothing. A flag means what it says.
 */
static bool
capped(const struct plan *p, enum limit l, int fd)
{
	return p->limit[l] >= 0 && (p->flag[l] || p->strict || !isatty(fd));
}

static bool
capped_output(const struct plan *p, enum limit l, int fd)
{
	return capped(p, l, fd) || capped(p, LIM_TOTAL, fd);
}

static bool
wants(const struct plan *p, const struct stream *s, int fd)
{
	if (s->limit != LIM_STDIN)
		return capped_output(p, s->limit, fd);
	if (way_out(fd) && (capped_output(p, LIM_STDOUT, STDOUT_FILENO) ||
	    capped_output(p, LIM_STDERR, STDERR_FILENO)))
		return true;
	return capped(p, LIM_STDIN, fd) && !short_file(fd, s->cap);
}

void
pump_open(const struct plan *p)
{
	bool any = false;
	int fds[2];

	for (int i = 0; i < 3; i++) {
		struct stream *s = &streams[i];

		s->cap = p->limit[s->limit];
		/* A closed descriptor, which main holds until then, stays closed. */
		if (!wants(p, s, i) || fcntl(i, F_GETFD) != 0)
			continue;
		make_pipe(fds);
		s->ours = fds[i == STDIN_FILENO];
		s->inside = fds[i != STDIN_FILENO];
		any = true;
	}
	if (!any)
		return;
	pump.left = p->limit[LIM_TOTAL];
	pump.dry_run = p->chain.dry_run;
	make_pipe(pump.news);
	make_pipe(pump.ended);
}

void
pump_inside(void)
{
	for (int i = 0; i < 3; i++)
		if (streams[i].inside != -1 && dup2(streams[i].inside, i) == -1)
			refuse_errno("standard descriptor %d", i);
}

size_t
pump_fds(int fds[8])
{
	size_t n = 0;

	for (int i = 0; i < 3; i++)
		if (streams[i].ours != -1)
			fds[n++] = streams[i].ours;
	for (int i = 0; i < 2 && pump.news[0] != -1; i++) {
		fds[n++] = pump.news[i];
		fds[n++] = pump.ended[i];
	}
	return n;
}

/* ---- the threads ---- */

/* The limit that was reached, or LIM_NONE: a thread is done. */
static void
tell(enum limit l)
{
	signed char c = (signed char)l;

	while (write(pump.news[1], &c, 1) == -1 && errno == EINTR)
		continue;
}

/*
 * Waits for bytes in fd and returns how many there are, 0 at its end. Far from
 * any cap that is just the most we move at once, which saves a system call. -1
 * when the tree has ended and nothing is left: somebody outside may still hold
 * the other end.
 */
static int64_t
waiting(int fd, bool far)
{
	struct pollfd pfd[2] = {
		{ .fd = fd, .events = POLLIN },
		{ .fd = pump.ended[0], .events = POLLIN },
	};
	int n = 0;

	for (;;) {
		if (poll(pfd, 2, -1) == -1)
			continue;
		if (far && (pfd[0].revents & POLLIN) != 0)
			return CHUNK;
		if (ioctl(fd, FIONREAD, &n) == 0 && n > 0)
			return n;
		if (pfd[0].revents != 0)
			return 0;
		if (pfd[1].revents != 0)
			return -1;
	}
}

/* No cap can be reached by one move; nothing is held back from the other stream. */
static bool
far(const struct stream *s)
{
	return pump.left < 0 && (s->cap < 0 || s->cap - s->moved >= CHUNK);
}

/* Takes up to want bytes off the caps; 0 when one of them is used up. */
static int64_t
take(struct stream *s, int64_t want, enum limit *reached)
{
	int64_t n = want < CHUNK ? want : CHUNK;

	if (s->cap >= 0 && n > s->cap - s->moved) {
		n = s->cap - s->moved;
		*reached = s->limit;
	}
	if (s->limit == LIM_STDIN)
		return n;
	pthread_mutex_lock(&pump.lock);
	if (pump.left >= 0 && n > pump.left) {
		n = pump.left;
		*reached = LIM_TOTAL;
	}
	if (pump.left >= 0)
		pump.left -= n;
	pthread_mutex_unlock(&pump.lock);
	return n;
}

static void
give_back(struct stream *s, int64_t n)
{
	if (s->limit == LIM_STDIN)
		return;
	pthread_mutex_lock(&pump.lock);
	if (pump.left >= 0)
		pump.left += n;
	pthread_mutex_unlock(&pump.lock);
}

/* Reads away what no cap lets through, so that the program can end. */
static void
discard(int from)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	while (null != -1 && waiting(from, true) > 0 &&
	    os_pump(from, null, (size_t)CHUNK) > 0)
		continue;
}

/*
 * A cap is used up and there is more. Returns true when bytes go on all the
 * same, in a dry run.
 */
static bool
cap_reached(struct stream *s, enum limit reached)
{
	tell(reached);
	if (pump.dry_run) {
		s->cap = -1;
		pthread_mutex_lock(&pump.lock);
		pump.left = -1;
		pthread_mutex_unlock(&pump.lock);
		return true;
	}
	return false;
}

static void *
move_output(void *arg)
{
	struct stream *s = arg;
	enum limit reached = LIM_NONE;
	int to = s->limit == LIM_STDOUT ? STDOUT_FILENO : STDERR_FILENO;
	int64_t n, room;
	ssize_t done;

	while ((n = waiting(s->ours, far(s))) > 0) {
		room = take(s, n, &reached);
		if (room == 0) {
			if (cap_reached(s, reached))
				continue;
			discard(s->ours);
			break;
		}
		done = os_pump(s->ours, to, (size_t)room);
		give_back(s, room - (done > 0 ? done : 0));
		/* Nobody reads: the program hears of it as it would without us. */
		if (done <= 0) {
			if (done == -1 && errno != EPIPE) {
				note("%s: %s", limit_rows[s->limit].what,
				    strerror(errno));
				pump.lost = true;
			}
			break;
		}
		s->moved += done;
	}
	close(s->ours);
	tell(LIM_NONE);
	return NULL;
}

/* A read from the terminal fails while our job is in its background. */
static bool
in_background(void)
{
	static const struct timespec moment = { 0, RETRY_MS * 1000000 };

	if (errno != EIO || !isatty(STDIN_FILENO) ||
	    tcgetpgrp(STDIN_FILENO) == getpgrp())
		return false;
	nanosleep(&moment, NULL);
	return true;
}

/*
 * True when the input ends here, n being what is known to wait. A file that
 * does not tell has to be read; the byte is gone on when a dry run needs it.
 */
static bool
at_end(struct stream *s, int64_t n)
{
	char c;

	if (n > 0)
		return false;
	if (read(STDIN_FILENO, &c, 1) <= 0)
		return true;
	if (pump.dry_run && write(s->ours, &c, 1) == 1)
		s->moved++;
	return false;
}

/*
 * More input is there than may be had. That strikes who has read all he may, and
 * not who wants no more. False when nobody reads or the tree has ended.
 */
static bool
all_read(const struct stream *s)
{
	struct pollfd pfd[2] = {
		{ .fd = pump.ended[0], .events = POLLIN },
		{ .fd = s->ours, .events = 0 },
	};
	int unread = 0;

	while (ioctl(s->ours, FIONREAD, &unread) == 0 && unread > 0)
		if (poll(pfd, 2, LOOK_MS) > 0)
			return false;
	return true;
}

/* The cap on input is used up; true when bytes go on all the same. */
static bool
input_ends(struct stream *s, int64_t n)
{
	if (at_end(s, n) || !all_read(s))
		return false;
	return cap_reached(s, LIM_STDIN);
}

static void *
move_input(void *arg)
{
	struct stream *s = arg;
	enum limit reached = LIM_NONE;
	int64_t n, room;
	ssize_t done;

	while ((n = waiting(STDIN_FILENO, false)) >= 0) {
		/* End of file, or a kind of file that does not tell: try. */
		room = take(s, n > 0 ? n : CHUNK, &reached);
		if (room == 0) {
			if (input_ends(s, n))
				continue;
			break;
		}
		done = os_pump(STDIN_FILENO, s->ours, (size_t)room);
		if (done == -1 && in_background())
			continue;
		if (done <= 0)
			break;
		s->moved += done;
	}
	close(s->ours);
	return NULL;
}

int
pump_start(void)
{
	if (pump.news[0] == -1)
		return -1;
	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < 3; i++) {
		struct stream *s = &streams[i];

		if (s->ours == -1)
			continue;
		os_pump_room(s->ours);
		os_pump_room(i);
		errno = pthread_create(&s->thread, NULL,
		    i == STDIN_FILENO ? move_input : move_output, s);
		if (errno != 0)
			return -2;
		/* The input's may wait for ever; nobody waits for it. */
		pump.busy += i != STDIN_FILENO;
	}
	return pump.news[0];
}

/* ---- news from the threads ---- */

enum limit
pump_news(int64_t ms, const sigset_t *mask)
{
	static const struct timespec none = { 0, 0 };
	struct timespec time = { ms / 1000, ms % 1000 * 1000000 };
	struct pollfd pfd = { .fd = pump.news[0], .events = POLLIN };
	signed char c;

	/* The input's thread is not waited for, but may have news. */
	while (ppoll(&pfd, 1, pump.busy == 0 ? &none : ms < 0 ? NULL : &time,
	    mask) == 1 && read(pump.news[0], &c, 1) == 1) {
		if (c != (signed char)LIM_NONE)
			return (enum limit)c;
		pump.busy--;
	}
	return LIM_NONE;
}

bool
pump_busy(void)
{
	return pump.busy > 0;
}

void
pump_ended(void)
{
	if (pump.news[0] == -1)
		return;
	close(pump.ended[1]);
	pump.ended[1] = -1;
}

bool
pump_lost(void)
{
	return pump.lost;
}

void
pump_bytes(int64_t bytes[3])
{
	for (int i = 0; i < 3; i++)
		bytes[i] = streams[i].ours == -1 ? -1 : streams[i].moved;
}
