/* One job: the driver's command line, its life under the clock, and its end. */
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "child.h"
#include "clock.h"
#include "vmrun.h"
#include "words.h"

#define GRACE_MAX_MS	1000
#define BACKUP_MS	3000	/* a driver that keeps the deadline itself is asked first */
#define WALL_NONE_MS	(INT64_C(30) * 24 * 3600 * 1000)

static const char *const gates[] = { "x07-limit", "x07-netgate", "x07-fsgate",
    "x07-execgate" };

static pid_t parent;
static struct termios terminal;
static bool has_terminal;

/* ---- what the policy says about the machine ---- */

static bool
wants_network(const struct form *f)
{
	static const char *const lists[] = { "net.allow_hosts", "db.net.allow_dns",
	    "db.net.allow_cidrs" };
	const char *const *items;

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		if (form_bool(f, i == 0 ? "net.enabled" : "db.enabled", false) &&
		    form_list(f, lists[i], &items) > 0)
			return true;
	return false;
}

static void
take_policy(struct job *j)
{
	const struct form *f = j->chain.form;
	int64_t left, now = clock_ms(CLOCK_REALTIME);

	j->wall_ms = form_int(f, "limits.wall_ms", 0);
	if (j->not_after_ms > 0) {
		left = j->not_after_ms - now;
		if (left <= 0) {
			note("time limit");
			exit(EXIT_TIMELIMIT);
		}
		if (j->wall_ms == 0 || left < j->wall_ms)
			j->wall_ms = left;
	}
	j->memory = form_int(f, "limits.mem_bytes", 0);
	j->cpus = form_bool(f, "threads.enabled", false) ?
	    form_int(f, "threads.max_workers", 1) : 1;
	if (j->cpus > sysconf(_SC_NPROCESSORS_ONLN))
		j->cpus = sysconf(_SC_NPROCESSORS_ONLN);
	j->deadline_ms = now + j->backend.boot_ms +
	    (j->wall_ms > 0 ? j->wall_ms : WALL_NONE_MS);
	j->grace_ms = j->wall_ms / 10 > GRACE_MAX_MS || j->wall_ms == 0 ?
	    GRACE_MAX_MS : j->wall_ms / 10 > 0 ? j->wall_ms / 10 : 1;
}

void
job_check(struct job *j)
{
	j->net = !j->build && wants_network(j->chain.form);
	if (j->net && !j->backend.net_fd && !j->backend.net_socket)
		refuse("backend %s has no way for the hosts that the policy "
		    "lists (net.allow_hosts); use another backend, or a policy "
		    "without them", j->backend.name);
}

/* ---- the driver's command line ---- */

static void
add_number(struct words *w, const char *option, int64_t value)
{
	words_add(w, "--%s", option);
	words_add(w, "%" PRId64, value);
}

static void
add_label(struct words *w, const char *key, const char *value)
{
	words_add(w, "--label");
	words_add(w, "io.x07.%s=%s", key, value);
}

static void
add_labels(struct words *w, const struct job *j)
{
	char number[24];

	add_label(w, "schema", "1");
	add_label(w, "run_id", j->run_id);
	add_label(w, "job_id", j->id);
	add_label(w, "runner_instance", j->instance);
	snprintf(number, sizeof(number), "%" PRId64, j->deadline_ms);
	add_label(w, "deadline_unix_ms", number);
	snprintf(number, sizeof(number), "%" PRId64, clock_ms(CLOCK_REALTIME));
	add_label(w, "created_unix_ms", number);
	words_add(w, "--label");
	words_add(w, "io.x07.backend=vm.%s", j->backend.name);
	if (j->digest != NULL)
		add_label(w, "image_digest", j->digest);
}

static void
add_descriptors(struct words *w, const struct job *j)
{
	add_number(w, "policy-fd", j->chain.policy_fd);
	add_number(w, "view-fd", j->view_fd);
	add_number(w, "env-fd", j->env_fd);
	if (j->net_fd != -1)
		add_number(w, "net-fd", j->net_fd);
	if (j->chain.audit_fd >= 0) {
		add_number(w, "audit-fd", j->chain.audit_fd);
		add_number(w, "audit-bytes", j->log_bytes);
	}
}

/* Then x07-limit counts no bytes either: there is somebody to see them. */
static bool
on_terminal(void)
{
	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) &&
	    isatty(STDERR_FILENO);
}

static void
add_limits(struct words *w, const struct job *j)
{
	static const struct {
		const char	*option, *key;
	} caps[] = {
		{ "stdout-bytes", "process.max_stdout_bytes" },
		{ "stderr-bytes", "process.max_stderr_bytes" },
		{ "total-bytes", "process.max_total_bytes" },
	};
	const struct form *f = j->chain.form;

	add_number(w, "deadline", j->deadline_ms);
	add_number(w, "grace", j->grace_ms);
	if (j->wall_ms > 0)
		add_number(w, "wall-ms", j->wall_ms);
	if (j->memory > 0)
		add_number(w, "memory", j->memory);
	add_number(w, "cpus", j->cpus);
	for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++)
		if (!on_terminal() && form_int(f, caps[i].key, 0) > 0)
			add_number(w, caps[i].option, form_int(f, caps[i].key, 0));
	if (!form_bool(f, "time.enabled", false) ||
	    !form_bool(f, "time.allow_wall_clock", false))
		add_number(w, "clock", 0);
}

/* The whole command line, in malloced memory. */
static char **
command(const struct job *j)
{
	static char dashes[] = "--";
	struct words w = { .n = 0 };
	char *cwd = getcwd(NULL, 0), **argv;
	size_t n = 0;

	words_add(&w, "%s", j->backend.tool);
	words_add(&w, "run");
	words_add(&w, "--id");
	words_add(&w, "%s", j->id);
	words_add(&w, "--dir");
	words_add(&w, "%s", j->dir);
	if (j->image != NULL) {
		words_add(&w, "--image");
		words_add(&w, "%s", j->image);
	}
	if (j->digest != NULL) {
		words_add(&w, "--digest");
		words_add(&w, "%s", j->digest);
	}
	if (j->cache != NULL) {
		words_add(&w, "--cache");
		words_add(&w, "%s", j->cache);
	}
	add_limits(&w, j);
	add_descriptors(&w, j);
	add_labels(&w, j);
	for (size_t i = 0; i < sizeof(gates) / sizeof(gates[0]); i++) {
		if (j->build && strcmp(gates[i], "x07-execgate") == 0)
			continue;
		words_add(&w, "--gate");
		words_add(&w, "%s", gates[i]);
	}
	words_add(&w, "--phase");
	words_add(&w, "%s", j->build ? "build" : "run");
	words_add(&w, "--cwd");
	words_add(&w, "%s", cwd != NULL && *cwd == '/' ? cwd : "/");
	if (on_terminal())
		words_add(&w, "--tty");
	if (outfile_wanted(&j->usage))
		words_add(&w, "--usage");
	if (j->chain.weaker_ok)
		words_add(&w, "--weaker");
	if (j->chain.quiet)
		words_add(&w, "-q");
	if (j->chain.verbose)
		words_add(&w, "-v");
	while (j->argv[n] != NULL)
		n++;
	argv = calloc(w.n + n + 2, sizeof(*argv));
	if (argv == NULL)
		refuse_errno("memory");
	memcpy(argv, w.list, w.n * sizeof(*argv));
	argv[w.n] = dashes;
	memcpy(argv + w.n + 1, j->argv, n * sizeof(*argv));
	free(cwd);
	return argv;
}

/* ---- its life ---- */

static void
become_driver(void *arg)
{
	const struct job *j = arg;
	int keep[5];
	size_t n = 0;

	keep[n++] = j->chain.policy_fd;
	keep[n++] = j->view_fd;
	keep[n++] = j->env_fd;
	if (j->net_fd != -1)
		keep[n++] = j->net_fd;
	if (j->chain.audit_fd >= 3)
		keep[n++] = j->chain.audit_fd;
	/* When we are killed the kernel ends it, and it what it started. */
	if (os_die_with_parent(parent) == -1 || os_keep_fds(keep, n) == -1)
		refuse_errno("the driver");
}

/*
 * The relay has ended. By itself it does when the guest is gone; else the program
 * finds every connection broken, and should know why.
 */
static void
relay_ended(struct job *j)
{
	int wstatus;

	while (waitpid(j->relay, &wstatus, 0) == -1 && errno == EINTR)
		continue;
	j->relay = 0;
	if (WIFSIGNALED(wstatus))
		note("the way to the network is cut: the relay was killed by "
		    "signal %d; the program goes on without", WTERMSIG(wstatus));
	else if (WEXITSTATUS(wstatus) != 0)
		note("the way to the network is cut: the relay ended with status "
		    "%d; the program goes on without", WEXITSTATUS(wstatus));
}

/* The time was up, and the driver has not said so itself. */
static bool
struck(const struct job *j, bool asked, int wstatus)
{
	int status = child_status(wstatus);

	/* One whose guest was still starting ends at once when it is asked. */
	return asked && status != EXIT_TIMELIMIT &&
	    (status == EXIT_SIGNAL + SIGTERM ||
	    clock_ms(CLOCK_REALTIME) >= j->deadline_ms);
}

/*
 * A driver passes on what people send to a program. Of those signals it dies only when
 * nothing runs yet that could have them.
 */
static bool
is_for_program(int sig)
{
	return sig == SIGHUP || sig == SIGINT || sig == SIGQUIT ||
	    sig == SIGTERM || sig == SIGUSR1 || sig == SIGUSR2;
}

/* The driver makes it raw for the guest's own, and cannot undo that when it is killed. */
static void
restore_terminal(void)
{
	if (!has_terminal)
		return;
	/* Also from the background. */
	signal(SIGTTOU, SIG_IGN);
	tcsetattr(STDIN_FILENO, TCSANOW, &terminal);
}

/* Waits for the driver; at the deadline first asks, then ends it. */
static int
supervise(struct child *c, struct job *j)
{
	struct pollfd p[2] = { { .fd = c->events, .events = POLLIN },
	    { .fd = j->relay > 0 ? os_process_fd(j->relay) : -1, .events = POLLIN } };
	int64_t soft = j->deadline_ms - j->grace_ms, left;
	int64_t hard = j->deadline_ms + BACKUP_MS;
	int wstatus;
	bool asked = false, ended = false;

	for (;;) {
		left = (asked ? hard : soft) - clock_ms(CLOCK_REALTIME);
		if (left <= 0 && !asked) {
			kill(c->pid, SIGTERM);
			asked = true;
			continue;
		}
		if (left <= 0) {
			kill(c->pid, SIGKILL);
			ended = true;
			hard = INT64_MAX;
			continue;
		}
		if (poll(p, 2, left < 60000 ? (int)left : 60000) <= 0)
			continue;
		if (p[1].revents != 0) {
			relay_ended(j);
			close(p[1].fd);
			p[1].fd = -1;
		}
		if (p[0].revents != 0 && child_event(c, &wstatus))
			break;
	}
	if (WIFSIGNALED(wstatus))
		restore_terminal();
	if (ended || struck(j, asked, wstatus)) {
		note("time limit");
		return EXIT_TIMELIMIT;
	}
	if (WIFSIGNALED(wstatus) && !is_for_program(WTERMSIG(wstatus))) {
		note("the driver vm-%s was killed by signal %d, and the program "
		    "with it", j->backend.name, WTERMSIG(wstatus));
		return EXIT_REFUSED;
	}
	return child_status(wstatus);
}

static void
end_relay(const struct job *j)
{
	if (j->relay <= 0)
		return;
	kill(j->relay, SIGKILL);
	while (waitpid(j->relay, NULL, 0) == -1 && errno == EINTR)
		continue;
}

int
job_run(struct job *j)
{
	struct child c;
	int status;

	parent = getpid();
	take_policy(j);
	j->view_fd = prepare_view(j);
	j->env_fd = prepare_environment(j);
	j->net_fd = -1;
	dir_make(j);
	if (j->net)
		j->net_fd = prepare_network(j);
	has_terminal = on_terminal() && tcgetattr(STDIN_FILENO, &terminal) == 0;
	if (child_start(&c, command(j), become_driver, j) == -1)
		refuse_errno("vm-%s", j->backend.name);
	if (j->net_fd != -1)
		close(j->net_fd);
	status = supervise(&c, j);
	end_relay(j);
	usage_write(j, status);
	dir_remove(j);
	return status;
}
