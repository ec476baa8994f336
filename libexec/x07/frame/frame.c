/*
 * frame: runs a program made by the X07 compiler, which speaks in frames, as
 * an ordinary one: its input is our standard input, what it puts into its frame
 * is our standard output. spec/run-vm-bundle.md 4.4.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "child.h"
#include "json.h"
#include "os.h"
#include "x07.h"

#define HEAD		4		/* u32le before the bytes of a frame */
#define INPUT_MAX	(1 << 30)
#define OUTPUT_MAX	(1 << 20)	/* when nobody says */
#define STDERR_MAX	(256 << 10)
#define EXIT_TRAP	1

struct bytes {
	char	*data;
	size_t	 len, space, max;
	bool	 over;		/* there was more than max */
};

static struct bytes	input = { .max = HEAD + INPUT_MAX };
static struct bytes	output;
static struct bytes	line = { .max = STDERR_MAX };	/* of stderr, unfinished */
static char		*held;		/* last line of stderr that starts with '{' */
static size_t		 stderr_len;
static bool		 stderr_over;
static bool		 spoke;		/* stderr had a line that is no metrics */
static pid_t		 parent;

static void
append(struct bytes *b, const char *data, size_t len)
{
	if (len > b->max - b->len) {
		b->over = true;
		len = b->max - b->len;
	}
	if (b->len + len > b->space) {
		b->space = (b->len + len) * 2;
		b->data = realloc(b->data, b->space);
		if (b->data == NULL)
			refuse_errno("memory");
	}
	if (len > 0)
		memcpy(b->data + b->len, data, len);
	b->len += len;
}

/* The frame for the program: all of our standard input, or nothing. */
static void
read_input(bool nothing)
{
	char buf[65536];
	ssize_t n = 0;

	append(&input, "\0\0\0", HEAD);
	while (!nothing && !input.over &&
	    (n = read(STDIN_FILENO, buf, sizeof(buf))) != 0)
		if (n > 0)
			append(&input, buf, (size_t)n);
		else if (errno != EINTR)
			refuse_errno("standard input");
	if (input.over)
		refuse("the input is longer than %d bytes", INPUT_MAX);
	for (int i = 0; i < HEAD; i++)
		input.data[i] = (char)((input.len - HEAD) >> (8 * i) & 0xff);
}

/* ---- the program ---- */

struct pipes {
	int	in[2], out[2], err[2];
};

static void
become_child(void *arg)
{
	struct pipes *p = arg;

	/* No gate: where the platform cannot, the program merely outlives us. */
	if (os_die_with_parent(parent) == -1 && errno == ESRCH)
		_exit(EXIT_REFUSED);
	if (dup2(p->in[0], STDIN_FILENO) == -1 ||
	    dup2(p->out[1], STDOUT_FILENO) == -1 ||
	    dup2(p->err[1], STDERR_FILENO) == -1)
		refuse_errno("descriptors");
}

static void
start(struct child *c, struct pipes *p, char *const argv[])
{
	parent = getpid();
	if (pipe2(p->in, O_CLOEXEC) == -1 || pipe2(p->out, O_CLOEXEC) == -1 ||
	    pipe2(p->err, O_CLOEXEC) == -1 ||
	    child_start(c, argv, become_child, p) == -1)
		refuse_errno("%s", argv[0]);
	close(p->in[0]);
	close(p->out[1]);
	close(p->err[1]);
	if (fcntl(p->in[1], F_SETFL, O_NONBLOCK) == -1 ||
	    fcntl(p->out[0], F_SETFL, O_NONBLOCK) == -1 ||
	    fcntl(p->err[0], F_SETFL, O_NONBLOCK) == -1)
		refuse_errno("descriptors");
	/* A program that does not read its input is no error of ours. */
	signal(SIGPIPE, SIG_IGN);
}

/* ---- what it says ---- */

static void
say(const char *text)
{
	spoke = true;
	if (write(STDERR_FILENO, text, strlen(text)) == -1) {
		/* Nobody is left to tell. */
	}
}

/*
 * A whole line of stderr. The last one that starts with a brace may be the
 * metrics, which are not for people: it is held back until another comes.
 */
static void
take_line(void)
{
	append(&line, "", 1);
	line.len = 0;
	if (line.data == NULL)
		return;
	if (line.data[0] != '{') {
		say(line.data);
		return;
	}
	if (held != NULL)
		say(held);
	free(held);
	held = strdup(line.data);
	if (held == NULL)
		refuse_errno("memory");
}

static void
take_stderr(const char *buf, size_t len)
{
	const char *end;
	size_t n;

	if (len > STDERR_MAX - stderr_len) {
		stderr_over = true;
		len = STDERR_MAX - stderr_len;
	}
	for (stderr_len += len; len > 0; buf += n, len -= n) {
		end = memchr(buf, '\n', len);
		n = end != NULL ? (size_t)(end - buf) + 1 : len;
		line.max = line.len + n + 1;
		append(&line, buf, n);
		if (end != NULL)
			take_line();
	}
}

/* One read of a pipe; false when it is over or, for now, empty. */
static bool
take(int *fd, bool is_stderr)
{
	char buf[65536];
	ssize_t n = *fd == -1 ? 0 : read(*fd, buf, sizeof(buf));

	if (n == -1)
		return errno == EINTR;
	if (n > 0) {
		if (is_stderr)
			take_stderr(buf, (size_t)n);
		else
			append(&output, buf, (size_t)n);
		return true;
	}
	if (*fd != -1)
		close(*fd);
	*fd = -1;
	return false;
}

static void
give(int *fd, size_t *sent)
{
	ssize_t n = write(*fd, input.data + *sent, input.len - *sent);

	if (n > 0)
		*sent += (size_t)n;
	if ((n == -1 && errno != EAGAIN && errno != EINTR) || *sent == input.len) {
		close(*fd);
		*fd = -1;
	}
}

/* Until the program has ended; returns its status as from waitpid(2). */
static int
talk(struct child *c, struct pipes *p)
{
	struct pollfd fds[4];
	size_t sent = 0;
	int wstatus;

	for (;;) {
		fds[0] = (struct pollfd){ .fd = c->events, .events = POLLIN };
		fds[1] = (struct pollfd){ .fd = p->in[1], .events = POLLOUT };
		fds[2] = (struct pollfd){ .fd = p->out[0], .events = POLLIN };
		fds[3] = (struct pollfd){ .fd = p->err[0], .events = POLLIN };
		if (poll(fds, 4, -1) == -1)
			continue;
		if (fds[1].revents != 0)
			give(&p->in[1], &sent);
		if (fds[2].revents != 0)
			take(&p->out[0], false);
		if (fds[3].revents != 0)
			take(&p->err[0], true);
		if (fds[0].revents != 0 && child_event(c, &wstatus))
			break;
	}
	/* What it wrote is in the pipes; who else holds them is not waited for. */
	while (take(&p->out[0], false) || take(&p->err[0], true))
		continue;
	if (line.len > 0)
		take_line();
	return wstatus;
}

/* ---- what it came to ---- */

static bool
is_metrics(const char *text)
{
	static const char *const members[] = {
		"fuel_used", "heap_used", "fs_read_file_calls",
		"fs_list_dir_calls", "rr_open_calls", "rr_close_calls",
		"rr_stats_calls", "rr_next_calls", "rr_next_miss_calls",
		"rr_append_calls", "kv_get_calls", "kv_set_calls",
		"sched_stats", "mem_stats", "debug_stats",
	};
	struct json_error error;
	struct json *doc = json_parse(text, strlen(text), &error);
	bool found = false;

	if (doc == NULL)
		return false;
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		found = found || json_member(json_root(doc), members[i]) != NULL;
	json_free(doc);
	return found;
}

static size_t
frame_len(void)
{
	size_t n = 0;

	for (int i = HEAD - 1; i >= 0; i--)
		n = n << 8 | (unsigned char)output.data[i];
	return n;
}

/* What is wrong with what the program wrote, or NULL. */
static const char *
frame_fault(void)
{
	if (stderr_over)
		return "stderr exceeded cap";
	if (output.over)
		return "stdout exceeded cap (--max-output-bytes sets it)";
	if (output.len < HEAD)
		return "its output has no frame";
	if (frame_len() > output.max - HEAD - 1)
		return "its frame is longer than --max-output-bytes lets it";
	if (frame_len() != output.len - HEAD)
		return "its frame has another length than it says";
	return NULL;
}

static int
finish(int wstatus)
{
	bool metrics = held != NULL && is_metrics(held);
	int status = child_status(wstatus);
	const char *fault = frame_fault();

	if (held != NULL && !metrics)
		say(held);
	if (fault == NULL && status == 0 && !metrics)
		fault = "missing metrics json line on stderr";
	signal(SIGPIPE, SIG_DFL);
	if (frame_fault() == NULL) {
		fwrite(output.data + HEAD, 1, output.len - HEAD, stdout);
		if (fflush(stdout) == EOF)
			refuse_errno("standard output");
	}
	/* Why it failed the program says best, and a gate says for itself. */
	if (fault != NULL && (status == 0 || !spoke))
		note("the program trapped: %s", fault);
	return status == 0 && fault != NULL ? EXIT_TRAP : status;
}

static _Noreturn void
usage(int status)
{
	fputs("usage: frame [-i] [-m MAX-OUTPUT-BYTES] [--] program [argument ...]\n"
	    "  -i  read the standard input though it is a terminal\n",
	    status == 0 ? stdout : stderr);
	exit(status);
}

int
main(int argc, char *argv[])
{
	struct pipes pipes;
	struct child child;
	const char *why;
	long long max = OUTPUT_MAX;
	bool terminal = false;
	int ch;

	setprogname("x07 run");
	while ((ch = getopt(argc, argv, "+him:")) != -1)
		switch (ch) {
		case 'i':
			terminal = true;
			break;
		case 'm':
			max = strtonum(optarg, 0, UINT32_MAX, &why);
			if (why != NULL)
				refuse("--max-output-bytes %s: %s, must be 0 to %u",
				    optarg, why, UINT32_MAX);
			break;
		case 'h':
			usage(0);
		default:
			usage(EXIT_REFUSED);
		}
	if (optind == argc)
		usage(EXIT_REFUSED);
	output.max = HEAD + (size_t)max + 1;
	read_input(!terminal && isatty(STDIN_FILENO));
	start(&child, &pipes, argv + optind);
	return finish(talk(&child, &pipes));
}
