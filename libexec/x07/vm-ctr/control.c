/* Short commands of a runtime, which may hang, fail, or talk nonsense. */
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "vm-ctr.h"
#include "x07.h"

struct end {
	int	fd;
	char	*buf;
	size_t	len, space;
};

/* Keeps what there is room for; false at the end. */
static bool
take(struct end *e)
{
	char rest[4096], *to = e->buf + e->len;
	size_t room = e->space - 1 - e->len;
	ssize_t n;

	n = read(e->fd, room > 0 ? to : rest, room > 0 ? room : sizeof(rest));
	if (n == -1)
		return errno == EINTR;
	if (room > 0) {
		e->len += (size_t)n;
		e->buf[e->len] = '\0';
	}
	return n > 0;
}

/* Reads both until their ends; false when the time is over first. */
static bool
listen_to(struct end ends[2], int64_t until)
{
	struct pollfd p[2];
	int64_t left;

	while (ends[0].fd != -1 || ends[1].fd != -1) {
		left = until - clock_ms(CLOCK_MONOTONIC);
		for (int i = 0; i < 2; i++)
			p[i] = (struct pollfd){ ends[i].fd, POLLIN, 0 };
		if (left <= 0 || poll(p, 2, (int)left) == 0)
			return false;
		for (int i = 0; i < 2; i++)
			if (p[i].fd != -1 && p[i].revents != 0 &&
			    !take(&ends[i])) {
				close(ends[i].fd);
				ends[i].fd = -1;
			}
	}
	return true;
}

/* Waits for the exit itself; false when the time is over. */
static bool
wait_until(pid_t pid, int *wstatus, int64_t until)
{
	static const struct timespec step = { 0, 2000000 };

	while (waitpid(pid, wstatus, WNOHANG) == 0) {
		if (clock_ms(CLOCK_MONOTONIC) >= until)
			return false;
		nanosleep(&step, NULL);
	}
	return true;
}

static _Noreturn void
become(char *const argv[], int out, int err)
{
	int null = open("/dev/null", O_RDWR);

	setpgid(0, 0);
	if (null == -1 || dup2(null, STDIN_FILENO) == -1 ||
	    dup2(out, STDOUT_FILENO) == -1 || dup2(err, STDERR_FILENO) == -1)
		_exit(EXIT_REFUSED);
	execvp(argv[0], argv);
	dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
	_exit(EXIT_NOTFOUND);
}

void
control(char *const argv[], int64_t limit_ms, struct said *s)
{
	struct end ends[2] = { { -1, s->out, 0, sizeof(s->out) },
	    { -1, s->err, 0, sizeof(s->err) } };
	int64_t until = clock_ms(CLOCK_MONOTONIC) + limit_ms;
	int out[2], err[2], wstatus;
	pid_t pid;

	s->out[0] = s->err[0] = '\0';
	if (pipe2(out, O_CLOEXEC) == -1 || pipe2(err, O_CLOEXEC) == -1 ||
	    (pid = fork()) == -1)
		refuse_errno("%s", argv[0]);
	if (pid == 0)
		become(argv, out[1], err[1]);
	close(out[1]);
	close(err[1]);
	ends[0].fd = out[0];
	ends[1].fd = err[0];
	s->slow = !listen_to(ends, until) || !wait_until(pid, &wstatus, until);
	for (int i = 0; i < 2; i++)
		if (ends[i].fd != -1)
			close(ends[i].fd);
	if (s->slow) {
		kill(-pid, SIGKILL);
		kill(pid, SIGKILL);
		while (waitpid(pid, &wstatus, 0) == -1 && errno == EINTR)
			continue;
	}
	s->status = !s->slow && WIFEXITED(wstatus) ? WEXITSTATUS(wstatus) : -1;
}

const char *
control_why(const struct said *s)
{
	static char line[512];
	const char *text = *s->err != '\0' ? s->err : s->out, *p;

	if (s->slow)
		return "it does not answer within 2 s";
	line[0] = '\0';
	/* The last line that says something. */
	for (p = text; *p != '\0'; p += strcspn(p, "\n"), p += *p == '\n')
		if (*p != '\n')
			snprintf(line, sizeof(line), "%.*s",
			    (int)strcspn(p, "\n"), p);
	if (line[0] != '\0')
		return line;
	return s->status == -1 ? "it was killed" : "it fails and does not say why";
}

bool
control_gone(const struct said *s)
{
	static const char *const words[] = { "not found", "no such",
	    "does not exist", "notfound" };

	/* A daemon or a program that is not there knows nothing of containers. */
	if (s->slow || s->status == 0 || s->status == -1 ||
	    s->status == EXIT_NOTFOUND ||
	    strcasestr(s->err, "no such file") != NULL ||
	    strcasestr(s->out, "no such file") != NULL)
		return false;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasestr(s->err, words[i]) != NULL ||
		    strcasestr(s->out, words[i]) != NULL)
			return true;
	return false;
}
