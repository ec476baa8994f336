/*
 * build: runs one command, the build phase, and when it succeeded becomes
 * another, the run phase. Both share the deadline of the policy.
 */
#include <sys/wait.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "child.h"
#include "clock.h"
#include "os.h"
#include "x07.h"

#define EXIT_BUILD	1		/* the build failed, spec/run-vm-bundle.md 4.6 */
#define KEPT_MAX	(64 << 10)	/* of what a quiet build says */

static pid_t	parent;

/* What the build says is no output of the program, and it gets no input. */
static void
become_build(void *arg)
{
	const int *out = arg;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (os_die_with_parent(parent) == -1 && errno == ESRCH)
		_exit(EXIT_REFUSED);
	if (null == -1 || dup2(null, STDIN_FILENO) == -1 ||
	    dup2(*out, STDOUT_FILENO) == -1)
		refuse_errno("build");
}

/* Waits for the build, keeping the beginning of what it says in buf. */
static int
wait_keeping(struct child *c, int from, char *buf, size_t *len)
{
	struct pollfd fds[2] = {
		{ .fd = c->events, .events = POLLIN },
		{ .fd = from, .events = POLLIN },
	};
	char more[4096];
	bool ended = false;
	int wstatus;
	ssize_t n;

	do {
		poll(fds, 2, -1);
		ended = fds[0].revents != 0 && child_event(c, &wstatus);
		while ((n = read(from, more, sizeof(more))) > 0) {
			if ((size_t)n > KEPT_MAX - *len)
				n = (ssize_t)(KEPT_MAX - *len);
			memcpy(buf + *len, more, (size_t)n);
			*len += (size_t)n;
		}
		if (n == 0)
			fds[1].fd = -1;
	} while (!ended);
	return wstatus;
}

/* Runs the build; returns its wait status. */
static int
run_build(char *const argv[], bool quiet)
{
	char *buf = malloc(KEPT_MAX);
	int out[2] = { -1, STDERR_FILENO }, wstatus;
	struct child c;
	size_t len = 0;

	if (buf == NULL || (quiet && pipe2(out, O_CLOEXEC | O_NONBLOCK) == -1))
		refuse_errno("build");
	parent = getpid();
	if (child_start(&c, argv, become_build, &out[1]) == -1)
		refuse_errno("%s", argv[0]);
	if (quiet)
		close(out[1]);
	wstatus = quiet ? wait_keeping(&c, out[0], buf, &len) : child_wait(&c);
	if (quiet)
		close(out[0]);
	if (child_status(wstatus) != 0 && len > 0 &&
	    write(STDERR_FILENO, buf, len) == -1) {
		/* Nobody is left to tell. */
	}
	free(buf);
	return wstatus;
}

/*
 * argv with "-t LEFTms" behind its word at, which is x07-limit, or with
 * "--deadline UNIX_MS", for x07-vmrun.
 */
static char **
with_deadline(char *const argv[], size_t at, int64_t left, bool machine)
{
	static char time[] = "-t", deadline[] = "--deadline", text[32];
	char *flag = machine ? deadline : time;
	size_t n = 0, k = 0;
	char **out;

	while (argv[n] != NULL)
		n++;
	if (at >= n)
		refuse("-d, -D: there are only %zu words", n);
	out = calloc(n + 3, sizeof(*out));
	if (out == NULL)
		refuse_errno("build");
	if (machine)
		left += clock_ms(CLOCK_REALTIME);
	snprintf(text, sizeof(text), "%lld%s", (long long)left,
	    machine ? "" : "ms");
	for (size_t i = 0; i < n; i++) {
		out[k++] = argv[i];
		if (i == at) {
			out[k++] = flag;
			out[k++] = text;
		}
	}
	return out;
}

static size_t
number(const char *flag, const char *arg)
{
	const char *why;
	long long n = strtonum(arg, 0, 1 << 20, &why);

	if (why != NULL)
		refuse("%s %s: %s", flag, arg, why);
	return (size_t)n;
}

static _Noreturn void
usage(int status)
{
	fputs("usage: build [-q] [-P FD -d|-D AT] [-f BUILT -t TARGET] [--]\n"
	    "             N WORD ... program [argument ...]\n"
	    "  N         so many words are the command that builds\n"
	    "  -q        show what it says only when it fails\n"
	    "  -P FD     policy: its deadline is for both\n"
	    "  -d AT     put -t and the time left behind word AT of the program\n"
	    "  -D AT     the same with --deadline, as x07-vmrun wants it\n"
	    "  -f -t     rename what was built, so that two builds at once are safe\n",
	    status == 0 ? stdout : stderr);
	exit(status);
}

int
main(int argc, char *argv[])
{
	struct form *form = NULL;
	int64_t start = clock_ms(CLOCK_MONOTONIC), left;
	size_t words, at = 0;
	const char *built = NULL, *target = NULL;
	bool quiet = false, deadline = false, machine = false;
	char **build;
	int ch, status, wstatus;

	setprogname("x07 run");
	while ((ch = getopt(argc, argv, "+D:P:d:f:hqt:")) != -1)
		switch (ch) {
		case 'P':
			form = form_load((int)number("-P", optarg));
			break;
		case 'D':
			machine = true;
			/* FALLTHROUGH */
		case 'd':
			at = number("-d", optarg);
			deadline = true;
			break;
		case 'f':
			built = optarg;
			break;
		case 'q':
			quiet = true;
			break;
		case 't':
			target = optarg;
			break;
		case 'h':
			usage(0);
		default:
			usage(EXIT_REFUSED);
		}
	argv += optind;
	argc -= optind;
	if (argc < 1 || deadline != (form != NULL) ||
	    (built != NULL) != (target != NULL))
		usage(EXIT_REFUSED);
	words = number("N", argv[0]);
	if (words < 1 || (size_t)argc < words + 2)
		usage(EXIT_REFUSED);
	argv++;
	build = calloc(words + 1, sizeof(*build));
	if (build == NULL)
		refuse_errno("build");
	memcpy(build, argv, words * sizeof(*build));
	wstatus = run_build(build, quiet);
	status = child_status(wstatus);
	if (status != 0 && built != NULL)
		unlink(built);
	if (WIFSIGNALED(wstatus))
		child_imitate(wstatus);
	if (status == EXIT_TIMELIMIT || status == EXIT_REFUSED)
		return status;		/* a gate has said why */
	if (status != 0) {
		note("the build failed (exit status %d); nothing was run", status);
		return EXIT_BUILD;
	}
	if (built != NULL && rename(built, target) == -1) {
		note("the build made no %s: %s", target, strerror(errno));
		return EXIT_BUILD;
	}
	argv += words;
	if (form != NULL) {
		left = form_int(form, "limits.wall_ms", 0) -
		    (clock_ms(CLOCK_MONOTONIC) - start);
		if (left <= 0) {
			note("the build left no time of limits.wall_ms");
			return EXIT_TIMELIMIT;
		}
		argv = with_deadline(argv, at, left, machine);
	}
	execvp(argv[0], argv);
	if (errno == E2BIG)
		refuse("the arguments and the environment are longer than the "
		    "kernel lets a program have");
	chain_exec_failed(argv[0]);
}
