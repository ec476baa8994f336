/*
 * Bytes of one direction of a connection. Little is copied through a buffer;
 * much goes through a pipe without a copy. Either is held only while bytes
 * are stuck in it, and nothing is read meanwhile: that is the back-pressure.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netgate.h"

#define CHUNK		(1 << 18)	/* bytes to ask a pipe for at once */
#define SHARE		(1 << 20)	/* bytes of a half per round of the loop */
#define IDLE_PIPES	32

static char buffer[1 << 15];
static int idle_pipes[IDLE_PIPES][2];
static size_t nidle;

void
half_init(struct half *h, struct watch *from, struct watch *to,
    struct half *other)
{
	/* What happened before the first move was told to nobody. */
	*h = (struct half){ .from = from, .to = to, .other = other,
	    .pipe = { -1, -1 }, .drain = true };
}

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

void
half_end(struct half *h)
{
	free(h->rest);
	h->rest = NULL;
	pipe_give(h);
}

bool
half_holds(const struct half *h)
{
	return h->rest != NULL || h->queued > 0;
}

size_t
relay_allowance(const struct relay *r)
{
	int64_t left = r->rules->max_bytes - r->bytes;

	if (r->rules->max_bytes == 0 || left > CHUNK)
		return CHUNK;
	return left > 0 ? (size_t)left : 0;
}

/* What one step did. */
enum step { STEP_ON, STEP_WAIT, STEP_FAILED };

static enum step
failed(void)
{
	return errno == EAGAIN ? STEP_WAIT : errno == EINTR ? STEP_ON : STEP_FAILED;
}

/* Hands on what is held. */
static enum step
hand_on(struct half *h)
{
	ssize_t n;

	if (h->rest != NULL)
		n = send(h->to->fd, h->rest + h->rest_at, h->rest_len,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
	else
		n = os_splice(h->pipe[0], h->to->fd, h->queued);
	if (n == -1)
		return failed();
	h->bytes += (uint64_t)n;
	if (h->rest == NULL) {
		h->queued -= (size_t)n;
		return STEP_ON;
	}
	h->rest_at += (size_t)n;
	h->rest_len -= (size_t)n;
	if (h->rest_len == 0) {
		free(h->rest);
		h->rest = NULL;
	}
	return STEP_ON;
}

/* Through the buffer. A short read says that there is no more, for now. */
static enum step
take_little(struct relay *r, struct half *h, size_t max)
{
	size_t want = max < sizeof(buffer) ? max : sizeof(buffer);
	ssize_t n = recv(h->from->fd, buffer, want, MSG_DONTWAIT), sent;

	if (n == -1 && errno == EAGAIN)
		h->drain = false;
	if (n == -1)
		return failed();
	if (n == 0) {
		h->ended = true;
		return STEP_WAIT;
	}
	r->bytes += n;
	sent = send(h->to->fd, buffer, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent == -1 && errno != EAGAIN)
		return STEP_FAILED;
	if (sent == -1)
		sent = 0;
	h->bytes += (uint64_t)sent;
	if (sent < n) {
		h->rest_len = (size_t)(n - sent);
		h->rest_at = 0;
		h->rest = malloc(h->rest_len);
		if (h->rest == NULL)
			return STEP_FAILED;
		memcpy(h->rest, buffer + sent, h->rest_len);
	}
	h->much = (size_t)n == sizeof(buffer);
	return sent < n || (size_t)n == want || h->drain ? STEP_ON : STEP_WAIT;
}

/* Through the pipe, to be handed on in the next step. */
static enum step
take_much(struct relay *r, struct half *h, size_t max)
{
	ssize_t n = os_splice(h->from->fd, h->pipe[1], max);

	/* Neither says that there is no more: urgent data stops it, too. */
	if (n == 0 || (n == -1 && errno == EAGAIN)) {
		h->much = false;
		return STEP_ON;
	}
	if (n == -1)
		return failed();
	r->bytes += n;
	h->queued += (size_t)n;
	return STEP_ON;
}

/* No byte more is allowed; the end of file may still be there. */
static enum step
take_end(struct half *h)
{
	char c;
	ssize_t n = recv(h->from->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT);

	if (n == -1)
		return failed();
	h->ended = n == 0;
	return n == 0 ? STEP_WAIT : STEP_FAILED;
}

static enum step
take(struct relay *r, struct half *h)
{
	size_t max = relay_allowance(r);

	if (h->ended)
		return STEP_WAIT;
	if (max == 0)
		return take_end(h);
	/* A user may have only so many pipes; the buffer does it, too. */
	return h->much && pipe_take(h) == 0 ? take_much(r, h, max) :
	    take_little(r, h, max);
}

enum moved
half_move(struct relay *r, struct half *h)
{
	uint64_t share = h->bytes + SHARE;
	enum step step = h->done ? STEP_WAIT : STEP_ON;

	while (step == STEP_ON && h->bytes < share)
		step = half_holds(h) ? hand_on(h) : take(r, h);
	if (step == STEP_FAILED)
		return MOVE_FAILED;
	if (h->queued == 0)
		pipe_give(h);
	if (h->ended && !h->done && !half_holds(h)) {
		/* With the other half done both sockets are about to be closed. */
		if (!h->other->done)
			shutdown(h->to->fd, SHUT_WR);
		h->done = true;
	}
	return step == STEP_ON ? MOVED_SHARE : MOVED_ALL;
}
