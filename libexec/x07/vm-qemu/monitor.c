/*
 * One run of a machine: waits for the guest, tells it what to run, carries bytes
 * and signals, and says why when it ends in another way than the program.
 */
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "clock.h"
#include "vm-qemu.h"

#define EVERY_MS	1000		/* between two lines of progress */
#define LEEWAY		(256 << 10)	/* bytes that the gates may say of their own */
#define SETTLE_MS	2000		/* for what QEMU still has to say */
#define LATE_MS		10000		/* the guest's own clock strikes first */

enum { IN, OUT, ERR, AUDIT, NSTREAMS };
enum { CONTROL = NSTREAMS, CONSOLE, ERRORS, SERVER, TREE, SIGNALS, NFDS };

struct run {
	struct machine		*m;
	const struct vm_run	*r;
	const struct image	*im;
	struct control		control;
	struct stream		stream[NSTREAMS];
	bool			told_end, told_closed[NSTREAMS];
	bool			greeted, started, exited, gone, shown, told_usage;
	struct frame_exit	exit;
	int64_t			since, deadline;
};

static struct termios saved;
static bool is_raw;

/* ---- the caller's terminal ---- */

static void
restore_terminal(void)
{
	if (is_raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &saved);
	is_raw = false;
}

/* The guest's terminal echoes, edits lines and makes signals. */
static void
make_raw(void)
{
	struct termios t;

	if (tcgetattr(STDIN_FILENO, &saved) == -1)
		return;
	t = saved;
	cfmakeraw(&t);
	if (tcsetattr(STDIN_FILENO, TCSADRAIN, &t) == 0)
		is_raw = true;
}

static void
send_size(struct run *x)
{
	struct winsize ws = { 0 };
	struct frame_size size;

	if (!x->r->tty || ioctl(STDIN_FILENO, TIOCGWINSZ, &ws) == -1)
		return;
	size = (struct frame_size){ ws.ws_row, ws.ws_col };
	control_send(&x->control, FRAME_SIZE, &size, sizeof(size));
}

/* ---- progress ---- */

static void
show_progress(struct run *x)
{
	int64_t ms = clock_ms(CLOCK_MONOTONIC) - x->since;

	if (x->started || x->r->quiet || ms < EVERY_MS / 2 ||
	    !isatty(STDERR_FILENO))
		return;
	dprintf(STDERR_FILENO, "\r%s: starting the machine, %" PRId64 " s ",
	    getprogname(), ms / 1000);
	x->shown = true;
}

static void
clear_progress(struct run *x)
{
	if (x->shown)
		dprintf(STDERR_FILENO, "\r\033[K");
	x->shown = false;
}

/* ---- ends ---- */

/* A kept guest that never came to run a program is not kept any longer. */
static void
drop_unfit(struct run *x)
{
	if (!x->m->restored || x->started)
		return;
	snapshot_remove(&x->m->snapshot);
	note("the guest was a kept one, which is removed: run it again");
}

/* Ends the machine, whatever it does. */
static void
end_machine(struct run *x)
{
	struct os_tree_end end;

	os_tree_kill(&x->m->tree);
	os_tree_reap(&x->m->tree, &end);
	restore_terminal();
	clear_progress(x);
}

/* Takes what is still to be read of what was said. */
static void
drain_tail(struct tail *t, int fd)
{
	if (fd == -1)
		return;
	do
		errno = 0;
	while (tail_read(t, fd) && errno != EAGAIN);
}

static void
show_console(const struct machine *m)
{
	char text[CONSOLE_BYTES * 4];

	if (m->console_tail.len > 0)
		note("the guest's console: %s", diag_vis(text, sizeof(text),
		    m->console_tail.buf, m->console_tail.len));
}

/* The machine ended without the program's status. */
static int
machine_gone(struct run *x)
{
	static const char *const words[] = { "Kernel panic", "guestinit:",
	    "Out of memory", NULL };
	struct machine *m = x->m;
	struct os_tree_end end;
	const char *line = "";

	os_tree_reap(&m->tree, &end);
	restore_terminal();
	clear_progress(x);
	drain_tail(&m->errors_tail, m->errors);
	drain_tail(&m->console_tail, m->console);
	/* What went wrong before QEMU ran was said by whom it happened to. */
	if (!x->started && WIFEXITED(end.wstatus) &&
	    WEXITSTATUS(end.wstatus) == EXIT_REFUSED)
		return EXIT_REFUSED;
	drop_unfit(x);
	for (size_t i = 0; words[i] != NULL && *line == '\0'; i++)
		line = tail_line(&m->console_tail, words[i]);
	if (*line == '\0')
		line = tail_line(&m->errors_tail, NULL);
	if (x->r->verbose)
		show_console(m);
	if (WIFSIGNALED(end.wstatus))
		note("the machine was killed by signal %d%s%s", WTERMSIG(
		    end.wstatus), *line != '\0' ? ": " : "", line);
	else
		note("the machine ended %s: %s", x->started ?
		    "under the program" : "before the program was started",
		    *line != '\0' ? line : WEXITSTATUS(end.wstatus) == 0 ?
		    "the guest switched it off" : "it said nothing");
	return EXIT_REFUSED;
}

static _Noreturn void
give_up(struct run *x, const char *why)
{
	end_machine(x);
	drop_unfit(x);
	refuse("%s", why);
}

/* The server of files ended: with the machine, or alone. */
static void
server_gone(struct run *x)
{
	struct pollfd p = { x->m->tree.pidfd, POLLIN, 0 };

	if (poll(&p, 1, SETTLE_MS) != 1)
		give_up(x, x->started ? "the server of files was killed under the "
		    "program, which was ended" : "the server of files ended; is "
		    "virtiofsd whole? (X07_VM_VIRTIOFSD_BIN)");
}

/* ---- frames ---- */

/* The guest waits for it; in a restored one it has done so for long. */
static void
request(struct run *x)
{
	if (!machine_add_files(x->m))
		give_up(x, "QEMU cannot give the guest its files");
	control_request(&x->control, x->r, x->im);
	send_size(x);
	control_send(&x->control, FRAME_START, NULL, 0);
}

static void
on_hello(struct run *x, const struct frame *f, const char *payload)
{
	uint32_t version = 0;

	/* Each is answered with all that is to be run, which memory has to hold. */
	if (x->greeted)
		give_up(x, "the guest speaks nonsense");
	x->greeted = true;
	if (f->len == sizeof(version))
		memcpy(&version, payload, sizeof(version));
	if (version != PROTO_VERSION)
		give_up(x, "the guest image is of another version; make a new "
		    "one: x07-vmrun image");
	if (!machine_save(x->m, x->r->verbose))
		give_up(x, "QEMU does not answer");
	request(x);
}

/*
 * From here on the program has its time and no more, whatever x07-limit in the guest
 * still does: what the start of the machine may take is no part of it.
 */
static void
on_started(struct run *x)
{
	int64_t end = clock_ms(CLOCK_REALTIME) + LATE_MS;

	clear_progress(x);
	if (x->started)
		return;
	x->started = true;
	if (x->r->tty)
		make_raw();
	if (x->r->wall_ms > 0 && x->r->wall_ms < x->deadline - end - x->r->grace_ms)
		x->deadline = end + x->r->wall_ms + x->r->grace_ms;
}

static void
on_end(struct run *x, const struct frame *f, const char *payload)
{
	struct frame_end end;

	if (f->len != sizeof(end))
		give_up(x, "the guest speaks nonsense");
	memcpy(&end, payload, sizeof(end));
	for (int i = OUT; i < NSTREAMS; i++)
		if ((uint32_t)x->stream[i].port == end.port)
			x->stream[i].last = end.bytes;
}

/* For x07-vmrun, which believes none of it. */
static void
on_usage(struct run *x, const struct frame *f, const char *payload)
{
	char *path;
	int fd;

	if (!x->r->usage || x->told_usage)
		give_up(x, "the guest speaks nonsense");
	x->told_usage = true;
	if (asprintf(&path, "%s/out/usage", x->r->dir) == -1)
		refuse_errno("memory");
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd == -1 || write(fd, payload, f->len) != (ssize_t)f->len ||
	    close(fd) == -1)
		note("%s: %s", path, strerror(errno));
	free(path);
}

static void
on_frame(struct run *x, const struct frame *f, const char *payload)
{
	switch (f->type) {
	case FRAME_HELLO:
		on_hello(x, f, payload);
		return;
	case FRAME_STARTED:
		on_started(x);
		return;
	case FRAME_END:
		on_end(x, f, payload);
		return;
	case FRAME_EXIT:
		if (f->len == sizeof(x->exit))
			memcpy(&x->exit, payload, sizeof(x->exit));
		x->exited = f->len == sizeof(x->exit);
		return;
	case FRAME_USAGE:
		on_usage(x, f, payload);
		return;
	case FRAME_FAILED:
		end_machine(x);
		drop_unfit(x);
		refuse("in the guest: %s", payload);
	default:
		give_up(x, "the guest speaks nonsense");
	}
}

/* False when the guest is gone. */
static bool
take_frames(struct run *x)
{
	char payload[FRAME_MAX_TO_HOST + 1];
	struct frame f;
	bool there = control_read(&x->control);

	while (control_next(&x->control, &f, payload))
		on_frame(x, &f, payload);
	return there;
}

/* ---- streams ---- */

static void
open_streams(struct run *x)
{
	struct machine *m = x->m;

	stream_open(&x->stream[IN], PORT_STDIN, STDIN_FILENO,
	    m->port[PORT_STDIN], true);
	stream_open(&x->stream[OUT], PORT_STDOUT, m->port[PORT_STDOUT],
	    STDOUT_FILENO, false);
	stream_open(&x->stream[ERR], PORT_STDERR, m->port[PORT_STDERR],
	    STDERR_FILENO, false);
	stream_open(&x->stream[AUDIT], PORT_AUDIT, m->port[PORT_AUDIT],
	    x->r->audit_fd, false);
	if (x->r->audit_fd == -1)
		x->stream[AUDIT].last = 0;
	/* A terminal's user types for the program, not for the machine's start. */
}

static void
tell_ends(struct run *x)
{
	struct stream *in = &x->stream[IN];
	struct frame_end end = { PORT_STDIN, 0, in->total };

	if (!x->told_end && in->from == -1 && in->start == in->end) {
		control_send(&x->control, FRAME_INPUT_END, &end, sizeof(end));
		x->told_end = true;
	}
	for (int i = OUT; i <= ERR; i++) {
		uint32_t port = x->stream[i].port;

		if (!x->stream[i].broken || x->told_closed[i])
			continue;
		control_send(&x->control, FRAME_CLOSED, &port, sizeof(port));
		x->told_closed[i] = true;
	}
}

static bool
over(uint64_t bytes, int64_t cap)
{
	return cap > 0 && bytes > (uint64_t)cap + LEEWAY;
}

/* The gates in the guest hold these; a guest that goes far past them was taken over. */
static void
check_caps(struct run *x)
{
	uint64_t out = x->stream[OUT].total, err = x->stream[ERR].total;

	if (over(out, x->r->stdout_bytes) || over(err, x->r->stderr_bytes) ||
	    over(out + err, x->r->total_bytes))
		give_up(x, "the guest writes more than the policy lets the "
		    "program write, past its gates; it was ended");
	if (x->r->audit_bytes > 0 &&
	    x->stream[AUDIT].total > (uint64_t)x->r->audit_bytes) {
		end_machine(x);
		vm_say_log_full(x->r);
		exit(EXIT_REFUSED);
	}
	if (x->stream[AUDIT].broken) {
		end_machine(x);
		vm_say_log_lost(x->stream[AUDIT].error);
		exit(EXIT_REFUSED);
	}
}

/* Is all written that there will be? */
static bool
all_done(const struct run *x)
{
	if (!x->exited && !x->gone)
		return false;
	for (int i = OUT; i < NSTREAMS; i++)
		if (!stream_done(&x->stream[i]))
			return false;
	return true;
}

/* ---- signals ---- */

static void
pass_signals(struct run *x)
{
	struct signalfd_siginfo si;
	uint32_t sig;

	while (read(x->m->tree.signals, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		sig = si.ssi_signo;
		if (sig == SIGWINCH) {
			send_size(x);
			continue;
		}
		if (!x->started) {
			/* Nobody is there to decide what it means. */
			if (sig == SIGCONT || sig == SIGTTIN || sig == SIGTTOU)
				continue;
			end_machine(x);
			exit(EXIT_SIGNAL + (int)sig);
		}
		control_send(&x->control, FRAME_SIGNAL, &sig, sizeof(sig));
		if (sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU) {
			control_flush(&x->control);
			raise(SIGSTOP);
		}
	}
}

/* ---- the loop ---- */

static void
watch(struct run *x, struct pollfd p[NFDS])
{
	for (int i = 0; i < NFDS; i++)
		p[i] = (struct pollfd){ .fd = -1 };
	for (int i = 0; i < NSTREAMS; i++)
		stream_watch(&x->stream[i], &p[i]);
	if (!x->started || x->gone)
		p[IN].fd = -1;
	if (x->gone)
		return;
	p[CONTROL] = (struct pollfd){ x->control.fd,
	    (short)(POLLIN | (x->control.out_len > 0 ? POLLOUT : 0)), 0 };
	p[CONSOLE] = (struct pollfd){ x->m->console, POLLIN, 0 };
	p[ERRORS] = (struct pollfd){ x->m->errors, POLLIN, 0 };
	/* Without virtiofs QEMU serves, and nobody ever held the other end. */
	p[SERVER] = (struct pollfd){ strcmp(x->im->share, "virtiofs") == 0 ?
	    x->m->server : -1, 0, 0 };
	p[TREE] = (struct pollfd){ x->m->tree.pidfd, POLLIN, 0 };
	p[SIGNALS] = (struct pollfd){ x->m->tree.signals, POLLIN, 0 };
}

static void
take_tails(struct machine *m, const struct pollfd p[NFDS])
{
	if (p[CONSOLE].revents != 0 && !tail_read(&m->console_tail, m->console))
		m->console = -1;
	if (p[ERRORS].revents != 0 && !tail_read(&m->errors_tail, m->errors))
		m->errors = -1;
}

/*
 * The machine is gone, or going: QEMU may still be on its way out when its channels
 * are closed already. What it left in its ports is still to be read.
 */
static void
settle(struct run *x)
{
	struct pollfd p = { x->m->tree.pidfd, POLLIN, 0 };

	if (poll(&p, 1, SETTLE_MS) != 1)
		os_tree_kill(&x->m->tree);
	x->gone = true;
}

/* Returns false when it is over; the deadline refuses by itself. */
static bool
turn(struct run *x)
{
	int64_t left = x->deadline - clock_ms(CLOCK_REALTIME);
	struct pollfd p[NFDS];
	bool there = true;

	if (left <= 0) {
		end_machine(x);
		drop_unfit(x);
		note(x->started ? "time limit" :
		    "time limit: the machine did not start in time");
		exit(EXIT_TIMELIMIT);
	}
	watch(x, p);
	if (poll(p, NFDS, (int)(left < EVERY_MS ? left : EVERY_MS)) == -1)
		return true;
	if (!x->started)
		show_progress(x);
	take_tails(x->m, p);
	if (p[SIGNALS].revents != 0)
		pass_signals(x);
	for (int i = 0; i < NSTREAMS; i++)
		stream_move(&x->stream[i], &p[i]);
	if (p[CONTROL].revents != 0)
		there = take_frames(x);
	check_caps(x);
	if (all_done(x))
		return false;
	if (x->gone)
		return true;
	if (x->started)
		tell_ends(x);
	there = control_flush(&x->control) && there;
	/* The guest would wait for ever; QEMU itself ends a moment after it. */
	if (p[SERVER].revents != 0 && there && !x->exited)
		server_gone(x);
	/* What it has said is read first, above. */
	if (!there || p[TREE].revents != 0)
		settle(x);
	return true;
}

/* True, with a line for each, when output could not be written that had a reader. */
static bool
output_lost(const struct run *x)
{
	static const char *const what[] = { [OUT] = "standard output",
	    [ERR] = "standard error" };
	bool lost = false;

	for (int i = OUT; i <= ERR; i++) {
		const struct stream *s = &x->stream[i];

		if (!s->broken || s->error == EPIPE)
			continue;
		note("%s: %s", what[i], strerror(s->error));
		lost = true;
	}
	return lost;
}

int
monitor(struct machine *m, const struct vm_run *r, const struct image *im)
{
	static struct run x;
	int status;

	x = (struct run){ .m = m, .r = r, .im = im,
	    .since = clock_ms(CLOCK_MONOTONIC), .deadline = r->deadline_ms };
	x.control.fd = m->port[PORT_CONTROL];
	signal(SIGPIPE, SIG_IGN);
	open_streams(&x);
	if (m->restored)
		request(&x);
	while (turn(&x))
		continue;
	if (!x.exited)
		return machine_gone(&x);
	end_machine(&x);
	if (r->verbose)
		show_console(m);
	status = os_tree_exit_status(x.exit.wstatus);
	/* A program that the port told of no error cannot tell of one. */
	if (output_lost(&x) && status == 0)
		status = EXIT_REFUSED;
	if (r->verbose)
		note("status %d, %" PRIu64 " ms, %" PRIu64 " ms user, %" PRIu64
		    " ms system in the guest", status, x.exit.wall_us / 1000,
		    x.exit.user_us / 1000, x.exit.sys_us / 1000);
	return status;
}
