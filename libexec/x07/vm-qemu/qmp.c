/*
 * What is asked of QEMU itself, over a socket that it was handed: its machine
 * protocol, one JSON object a line. We write constants, and of the answers only see
 * whether they are errors and whether they hold a word.
 */
#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "vm-qemu.h"

#define ANSWER_MS	30000	/* to one command, on a machine that is busy */
#define LINE_BYTES	8192
#define STEP_NS		2000000

/* With a descriptor, unless it is -1. */
static bool
send_line(int to, const char *line, int pass)
{
	union {
		struct cmsghdr	head;
		char		space[CMSG_SPACE(sizeof(int))];
	} control = { .space = { 0 } };
	struct iovec iov = { .iov_base = (char *)(uintptr_t)line,
	    .iov_len = strlen(line) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;

	if (pass != -1) {
		msg.msg_control = control.space;
		msg.msg_controllen = sizeof(control.space);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &pass, sizeof(int));
	}
	return sendmsg(to, &msg, MSG_NOSIGNAL) == (ssize_t)iov.iov_len;
}

/* The next line, without its end; false when none comes in time. */
static bool
next_line(int from, char line[LINE_BYTES], int64_t until)
{
	struct pollfd p = { .fd = from, .events = POLLIN };
	size_t len = 0;
	int64_t left;
	ssize_t n;

	while (len < LINE_BYTES - 1) {
		n = read(from, line + len, 1);
		if (n == 1 && line[len] == '\n') {
			line[len] = '\0';
			return true;
		}
		if (n == 1) {
			len++;
		} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
			return false;
		} else {
			left = until - clock_ms(CLOCK_MONOTONIC);
			if (left <= 0 || poll(&p, 1, (int)left) == 0)
				return false;
		}
	}
	return false;
}

/* Sends the command and takes its answer; events in between mean nothing to us. */
static bool
ask(int fd, const char *command, int pass, char answer[LINE_BYTES])
{
	int64_t until = clock_ms(CLOCK_MONOTONIC) + ANSWER_MS;

	if (!send_line(fd, command, pass))
		return false;
	while (next_line(fd, answer, until)) {
		if (strncmp(answer, "{\"return\"", 9) == 0)
			return true;
		if (strncmp(answer, "{\"error\"", 8) == 0)
			return false;
	}
	return false;
}

bool
qmp_do(int fd, const char *command, int pass)
{
	char answer[LINE_BYTES];

	return ask(fd, command, pass, answer);
}

bool
qmp_wait(int fd, const char *command, const char *good, const char *bad)
{
	static const struct timespec step = { 0, STEP_NS };
	int64_t until = clock_ms(CLOCK_MONOTONIC) + ANSWER_MS;
	char answer[LINE_BYTES];

	while (ask(fd, command, -1, answer)) {
		if (strstr(answer, good) != NULL)
			return true;
		if (strstr(answer, bad) != NULL || clock_ms(CLOCK_MONOTONIC) > until)
			return false;
		nanosleep(&step, NULL);
	}
	return false;
}
