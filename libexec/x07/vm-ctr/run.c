/* One program in one container, from its start to when nothing is left of it. */
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "child.h"
#include "clock.h"
#include "os.h"
#include "vm-ctr.h"
#include "x07.h"

#define TICK_MS		250	/* how often the audit log is looked at */
#define LEAVE_MS	2000	/* a runtime's program has, when its container is gone */

static pid_t parent;
static int input = -1;		/* what the runtime's program reads instead of ours */
static pid_t feeder;

/* ---- the audit log of the gates ---- */

static int log_fd = -1;
static int64_t logged;		/* bytes */

/*
 * They write to a file that only their container and we see; descriptors do not get
 * into a container.
 */
static void
make_log(const struct vm_run *r)
{
	char *dir = path_in(r->dir, "audit"), *path = path_in(dir, "log");

	if (r->audit_fd == -1)
		return;
	if (mkdir(dir, 0700) == -1 || (log_fd = open(path,
	    O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) == -1)
		refuse_errno("%s", path);
}

/*
 * Hands on what is new in it. False, with one line, when that is more than it may have,
 * or cannot be written: nothing is handed on any more then.
 */
static bool
copy_log(const struct vm_run *r)
{
	static bool over;
	char buf[16384];
	ssize_t n, done;

	while (!over && log_fd != -1 && (n = read(log_fd, buf, sizeof(buf))) > 0) {
		logged += n;
		over = r->audit_bytes > 0 && logged > r->audit_bytes;
		if (over) {
			vm_say_log_full(r);
			break;
		}
		for (ssize_t at = 0; at < n && !over; at += done) {
			do
				done = write(r->audit_fd, buf + at, (size_t)(n - at));
			while (done == -1 && errno == EINTR);
			over = done == -1;
			if (over)
				vm_say_log_lost(errno);
		}
	}
	return !over;
}

/* ---- what the container is made of ---- */

/* The contract's mounts, and the log. */
static void
add_mounts(struct job *j)
{
	size_t n;
	struct vm_mount *list = vm_mounts(j->run, &n);

	if (log_fd != -1) {
		list = reallocarray(list, n + 1, sizeof(*list));
		if (list == NULL)
			refuse_errno("memory");
		list[n++] = (struct vm_mount){ path_in(j->run->dir, "audit"),
		    "/x07/audit", false };
	}
	j->mounts = list;
	j->nmounts = n;
}

/* Which limits the runtime can hold here; the others it would refuse. */
static void
ask_controllers(struct job *j)
{
	static struct said s;

	if (j->rt->controllers == NULL)
		return;
	control(words(j, j->rt->controllers), CONTROL_MS, &s);
	if (s.status != 0)
		refuse("%s: %s", j->rt->what, control_why(&s));
	j->controllers = s.out;
	if (j->run->memory > 0 && strstr(s.out, "\"memory\"") == NULL &&
	    !j->run->quiet)
		note("%s can limit no memory here: x07-limit in the container "
		    "alone holds limits.mem_bytes", j->rt->what);
}

static void
say_what_is_weaker(const struct job *j)
{
	const struct vm_run *r = j->run;

	if (!is_vm(j->rt) && !r->weaker)
		refuse("%s has no kernel between the program and this machine; "
		    "accept that with --i-accept-weaker-isolation "
		    "(X07_I_ACCEPT_WEAKER_ISOLATION=1), or use another backend",
		    j->rt->what);
	if (r->clock >= 0 && !r->quiet)
		note("%s cannot set a clock: the program sees this machine's time",
		    j->rt->what);
}

static char **
prepare(struct job *j)
{
	const struct vm_run *r = j->run;

	say_what_is_weaker(j);
	j->image = j->rt->pin != NULL ? j->rt->pin(j, r->image, r->digest) :
	    image_pin(j, r->image, r->digest);
	ask_controllers(j);
	make_log(r);
	add_mounts(j);
	vm_write_request(r);
	if (j->rt->prepare != NULL)
		j->rt->prepare(j);
	j->started = path_in(r->dir, "started");
	return words(j, j->rt->run);
}

/* ---- its life ---- */

/*
 * ctr forgets the end of input that comes before the container runs. So it
 * reads from us, and sees the end only then.
 */
static void
feed(const struct job *j)
{
	static const struct timespec step = { 0, 20000000 };
	int pair[2];
	ssize_t n;

	if (!j->rt->late_eof || j->run->tty)
		return;
	if (pipe2(pair, O_CLOEXEC) == -1 || (feeder = fork()) == -1)
		refuse_errno("standard input");
	if (feeder != 0) {
		close(pair[1]);
		input = pair[0];
		return;
	}
	if (os_die_with_parent(parent) == -1)
		_exit(EXIT_REFUSED);
	close(pair[0]);
	while ((n = os_pump(STDIN_FILENO, pair[1], 1 << 16)) != 0)
		if (n == -1 && errno != EINTR)
			break;
	while (access(j->started, F_OK) == -1)
		nanosleep(&step, NULL);
	_exit(0);
}

static void
become_runtime(void *arg)
{
	const struct job *j = arg;
	int fd = client_enter(j->run->dir, parent);

	/* What nobody else can end the kernel ends with us. */
	if ((j->rt->hard == NULL && os_die_with_parent(parent) == -1) ||
	    (input != -1 && dup2(input, STDIN_FILENO) == -1) ||
	    os_keep_fds(&fd, 1) == -1)
		refuse_errno("the runtime");
	signal(SIGPIPE, SIG_DFL);
}

/* True when it ended within the time. */
static bool
wait_for(struct child *c, int64_t ms, int *wstatus)
{
	int64_t until = clock_ms(CLOCK_REALTIME) + ms, left;

	while ((left = until - clock_ms(CLOCK_REALTIME)) > 0) {
		struct pollfd p = { c->events, POLLIN, 0 };

		if (poll(&p, 1, (int)left) == 1 && child_event(c, wstatus))
			return true;
	}
	return false;
}

/* Whether guestrun came to run the gates in it. */
static bool
gates_were_run(const struct job *j)
{
	char *path = path_in(j->run->dir, "out/started");
	bool were = access(path, F_OK) == 0;

	free(path);
	return were;
}

/* ---- signals ---- */

static const struct job *current;
static int early;		/* a signal that came before the program was started */
static int passed;		/* the last one after that */

/*
 * A runtime's program that makes a container dies of a signal and leaves the daemon to
 * it, or passes it on to what does not run yet, where it is lost. So until the gates are
 * there the signal ends the job instead.
 */
static void
pass(const struct child *c, int sig)
{
	if (sig == SIGCONT) {
		kill(c->pid, sig);
	} else if (gates_were_run(current)) {
		passed = sig;
		kill(c->pid, sig);
	} else if (early == 0) {
		early = sig;
	}
}

/* The container first, then who waits for it. */
static void
end_early(struct child *c, const struct job *j)
{
	int wstatus;

	carry_end();
	job_end(j->rt, j->name, j->run->dir, 0);
	if (!wait_for(c, LEAVE_MS, &wstatus)) {
		kill(c->pid, SIGKILL);
		wait_for(c, LEAVE_MS, &wstatus);
	}
	(void)copy_log(j->run);
}

/* ---- how it ended ---- */

/*
 * Statuses of the gates that runtimes have too, when they could start nothing; and 0 is
 * what podman exits with when a signal came before that.
 */
static bool
is_doubtful(const struct runtime *rt, int status)
{
	return status == EXIT_DENIED || status == EXIT_NOTFOUND ||
	    (status == 0 && rt->hard != NULL);
}

/* What its exit says about the program's. */
static int
understand(const struct job *j, int wstatus)
{
	/* It still wrote what a program said that has ended, and had its signal. */
	if (WIFSIGNALED(wstatus) && WTERMSIG(wstatus) == passed)
		return EXIT_SIGNAL + passed;
	if (WIFSIGNALED(wstatus)) {
		note("%s was killed by signal %d; how the program ended cannot be "
		    "told", j->rt->what, WTERMSIG(wstatus));
		return EXIT_REFUSED;
	}
	if (j->rt->late_eof && access(j->started, F_OK) == -1) {
		note("%s could not start the container", j->rt->what);
		return EXIT_REFUSED;
	}
	if (is_doubtful(j->rt, WEXITSTATUS(wstatus)) && !gates_were_run(j)) {
		note("%s could not start the container (status %d)", j->rt->what,
		    WEXITSTATUS(wstatus));
		return EXIT_REFUSED;
	}
	return WEXITSTATUS(wstatus);
}

/* One of the program's outputs is a pipe of which the other end is gone. */
static bool
nobody_reads(void)
{
	struct pollfd p[2] = { { STDOUT_FILENO, 0, 0 }, { STDERR_FILENO, 0, 0 } };

	return poll(p, 2, 0) > 0 && ((p[0].revents | p[1].revents) & POLLERR) != 0;
}

/* The runtime's program ended when the other had not; that is ended now. */
static int
outlived(const struct job *j, int wstatus)
{
	/* Else the program would have had the signal itself. */
	if (nobody_reads())
		return EXIT_SIGNAL + SIGPIPE;
	/* With a terminal docker and podman leave on SIGINT, and take it along. */
	if (passed != 0)
		return EXIT_SIGNAL + passed;
	note("%s ended before the program did (status %d), and the program with it",
	    j->rt->what, WEXITSTATUS(wstatus));
	return EXIT_REFUSED;
}

/* --rm has removed it, unless its program was ended before that. */
static int
finish(const struct job *j, int wstatus)
{
	bool cut = !gates_were_run(j) && (WIFSIGNALED(wstatus) ||
	    WEXITSTATUS(wstatus) > EXIT_SIGNAL);
	int ran = cut ? job_end_late(j->rt, j->name, j->run->dir) :
	    job_end(j->rt, j->name, j->run->dir, 0);

	if (!copy_log(j->run) || ran == -1)
		return EXIT_REFUSED;
	/* podman ends the program itself then, and exits so. */
	if (WIFEXITED(wstatus) && (ran == 1 ||
	    (WEXITSTATUS(wstatus) == EXIT_DENIED && nobody_reads())))
		return outlived(j, wstatus);
	return understand(j, wstatus);
}

static int
supervise(struct child *c, const struct job *j)
{
	const struct vm_run *r = j->run;
	int64_t left;
	int wstatus;

	for (;;) {
		left = r->deadline_ms - clock_ms(CLOCK_REALTIME);
		if (left <= 0) {
			end_early(c, j);
			note("time limit");
			return EXIT_TIMELIMIT;
		}
		if (!carry_goes_on(j) || !copy_log(r) || !room_left(r)) {
			end_early(c, j);
			return EXIT_REFUSED;
		}
		if (early != 0) {
			end_early(c, j);
			return EXIT_SIGNAL + early;
		}
		if (wait_for(c, left < TICK_MS ? left : TICK_MS, &wstatus))
			break;
	}
	carry_end();
	return finish(j, wstatus);
}

int
run_job(const struct runtime *rt, const struct vm_run *r)
{
	struct job j = { .rt = rt, .run = r, .name = container_name(r->id) };
	char **argv = prepare(&j);
	struct child c;
	int status;

	parent = getpid();
	/* A log that nobody reads any more is told of. */
	signal(SIGPIPE, SIG_IGN);
	carry_start(&j);
	feed(&j);
	if (child_start(&c, argv, become_runtime, &j) == -1)
		refuse_errno("%s", argv[0]);
	current = &j;
	if (rt->hard != NULL)
		c.pass = pass;
	status = supervise(&c, &j);
	if (feeder > 0)
		kill(feeder, SIGKILL);
	return status;
}
