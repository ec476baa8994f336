/* The program behind its gates. */
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guestinit.h"
#include "os.h"
#include "x07.h"

/* Where the first gate finds these, and where it hands them on. */
#define POLICY_FD	3
#define AUDIT_FD	4
#define USAGE_FD	5

static char *
gate_path(const char *name)
{
	char *path;

	if (strchr(name, '/') != NULL)
		fail("request: '%s' is no name of a gate", name);
	if (asprintf(&path, GUEST_GATES "/%s", name) == -1)
		fail("the guest is out of memory");
	if (access(path, X_OK) == -1)
		fail_errno("%s; the image is older than this suite, make a new "
		    "one: x07-vmrun image", path);
	return path;
}

static size_t
put_roots(char **argv, size_t n, const struct request *r)
{
	static char read_flag[] = "-r", write_flag[] = "-w";

	for (size_t i = 0; i < r->read.n; i++) {
		argv[n++] = read_flag;
		argv[n++] = r->read.list[i];
	}
	for (size_t i = 0; i < r->write.n; i++) {
		argv[n++] = write_flag;
		argv[n++] = r->write.list[i];
	}
	return n;
}

/*
 * GATE -P 3 [-l fd:4] [-r fd:5] -- GATE ... -- program argument ... What the root has
 * was chosen by a gate outside.
 */
static char **
chain(const struct request *r)
{
	static char closure[] = "--closure", root[] = "root";
	static char policy[] = "-P", three[] = "3", log[] = "-l", four[] = "fd:4",
	    channel[] = "--channel", dashes[] = "--", wall[] = "-t", ms[32],
	    usage[] = "-r", five[] = "fd:5";
	char **argv = calloc(r->gates.n * 12 + 2 * (r->read.n + r->write.n) +
	    r->args.n + 1, sizeof(*argv));
	size_t n = 0;

	if (argv == NULL)
		fail("the guest is out of memory");
	snprintf(ms, sizeof(ms), "%jdms", (intmax_t)r->wall_ms);
	for (size_t i = 0; i < r->gates.n; i++) {
		const char *name = r->gates.list[i];

		argv[n++] = gate_path(name);
		if (!r->build || strcmp(name, "x07-limit") == 0) {
			argv[n++] = policy;
			argv[n++] = three;
		}
		if (r->audit) {
			argv[n++] = log;
			argv[n++] = four;
		}
		if (r->net && strcmp(name, "x07-netgate") == 0)
			argv[n++] = channel;
		if (r->wall_ms > 0 && strcmp(name, "x07-limit") == 0) {
			argv[n++] = wall;
			argv[n++] = ms;
		}
		if (r->usage && strcmp(name, "x07-limit") == 0) {
			argv[n++] = usage;
			argv[n++] = five;
		}
		if (strcmp(name, "x07-fsgate") == 0) {
			argv[n++] = closure;
			argv[n++] = root;
			n = put_roots(argv, n, r);
		}
		argv[n++] = dashes;
	}
	for (size_t i = 0; i < r->args.n; i++)
		argv[n++] = r->args.list[i];
	return argv;
}

static void
enter_group(void)
{
	int fd = open("/sys/fs/cgroup/x07/gates/cgroup.procs",
	    O_WRONLY | O_CLOEXEC);

	if (fd != -1) {
		if (write(fd, "0", 1) == -1)
			dprintf(STDERR_FILENO, "guestinit: cgroup: %s\n",
			    strerror(errno));
		close(fd);
	}
}

/* In the child; what goes wrong is said on the program's own standard error. */
static _Noreturn void
become(const struct request *r, char **argv)
{
	static char *none[] = { NULL };

	enter_group();
	if (setgroups(r->ngroups, r->groups) == -1 ||
	    setresgid(r->gid, r->gid, r->gid) == -1 ||
	    setresuid(r->uid, r->uid, r->uid) == -1)
		refuse_errno("cannot become user %u", (unsigned)r->uid);
	/* x07-fsgate says it when the directory is not one of the policy's. */
	if (chdir(r->cwd) == -1 && chdir("/") == -1)
		refuse_errno("/");
	signal(SIGPIPE, SIG_DFL);
	if (argv[0] == NULL)
		refuse("no program");
	execve(argv[0], argv, r->env.n > 0 ? r->env.list : none);
	chain_exec_failed(argv[0]);
}

/* The program's ends; audit, usage and policy are the gates'. */
struct ends {
	int	std[3], audit, usage;
};

static void
child_fds(const struct request *r, const struct ends *e)
{
	const int want[] = { e->std[0], e->std[1], e->std[2], r->policy, e->audit,
	    e->usage };
	static const int at[] = { 0, 1, 2, POLICY_FD, AUDIT_FD, USAGE_FD };
	int high[6], keep[6];
	size_t n = 0;

	/* Out of the way first, so that none is overwritten before its turn. */
	for (int i = 0; i < 6; i++)
		high[i] = want[i] != -1 ?
		    fcntl(want[i], F_DUPFD_CLOEXEC, 64) : -1;
	for (int i = 0; i < 6; i++) {
		if (want[i] == -1)
			continue;
		if (high[i] == -1 || dup2(high[i], at[i]) == -1)
			_exit(EXIT_REFUSED);
		if (at[i] >= POLICY_FD)
			keep[n++] = at[i];
	}
	if (os_close_fds(keep, n) == -1)
		refuse_errno("descriptors");
}

static void
make_pipe(int p[2])
{
	if (pipe2(p, O_CLOEXEC) == -1)
		fail_errno("pipe");
}

static void
make_terminal(struct program *p, const struct request *r, struct ends *e)
{
	struct winsize ws = { .ws_row = r->size.rows, .ws_col = r->size.columns };
	int master, slave;

	if (openpty(&master, &slave, NULL, NULL, &ws) == -1)
		fail_errno("terminal");
	p->in = p->out = master;
	e->std[0] = e->std[1] = e->std[2] = slave;
}

static void
make_pipes(struct program *p, struct ends *e)
{
	int in[2], out[2], err[2];

	make_pipe(in);
	make_pipe(out);
	make_pipe(err);
	p->in = in[1];
	p->out = out[0];
	p->err = err[0];
	e->std[0] = in[0];
	e->std[1] = out[1];
	e->std[2] = err[1];
}

static void
make_streams(struct program *p, const struct request *r, struct ends *e)
{
	int audit[2];

	if (r->tty)
		make_terminal(p, r, e);
	else
		make_pipes(p, e);
	/* The program opens them again through /dev/stdout: they are its own. */
	for (int i = 0; i < 3; i++)
		if (fchown(e->std[i], r->uid, r->gid) == -1)
			fail_errno("a stream of the program");
	if (r->audit) {
		make_pipe(audit);
		p->audit = audit[0];
		e->audit = audit[1];
	}
	if (r->usage && (p->usage = e->usage = memfd_create("usage",
	    MFD_CLOEXEC)) == -1)
		fail_errno("usage");
}

static void
close_ends(const struct ends *e)
{
	close(e->std[0]);
	/* With a terminal all three are one. */
	if (e->std[1] != e->std[0]) {
		close(e->std[1]);
		close(e->std[2]);
	}
	if (e->audit != -1)
		close(e->audit);
}

static void
nonblocking(int fd)
{
	int flags;

	if (fd == -1)
		return;
	flags = fcntl(fd, F_GETFL);
	if (flags == -1 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1)
		fail_errno("a stream of the program");
}

/* It says that it is ready by going to the background. */
static void
start_netmux(void)
{
	static const char name[] = "netmux";
	const char *port = port_release(PORT_NET);
	int wstatus;
	pid_t pid = fork();

	if (pid == 0) {
		execl(gate_path(name), name, "guest", port, (char *)NULL);
		_exit(EXIT_REFUSED);
	}
	if (pid == -1 || waitpid(pid, &wstatus, 0) == -1 || wstatus != 0)
		fail("netmux cannot serve the byte channel");
}

void
program_start(struct program *p, const struct request *r)
{
	struct ends e = { .audit = -1, .usage = -1 };
	char **argv = chain(r);

	*p = (struct program){ .in = -1, .out = -1, .err = -1, .audit = -1,
	    .usage = -1 };
	make_streams(p, r, &e);
	if (r->net)
		start_netmux();
	p->pid = fork();
	if (p->pid == -1)
		fail_errno("fork");
	if (p->pid == 0) {
		setprogname("guestinit");
		setsid();
		if (r->tty && ioctl(e.std[0], TIOCSCTTY, 0) == -1)
			_exit(EXIT_REFUSED);
		child_fds(r, &e);
		become(r, argv);
	}
	close_ends(&e);
	nonblocking(p->in);
	nonblocking(p->out);
	nonblocking(p->err);
	nonblocking(p->audit);
	frame_send(FRAME_STARTED, NULL, 0);
}
