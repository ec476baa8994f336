/* The program behind its gates. */
#include <sys/ioctl.h>
#include <sys/stat.h>

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

/* GATE -P 3 [-l fd:4] -- GATE ... -- program argument ... */
static char **
chain(const struct request *r)
{
	static char policy[] = "-P", three[] = "3", log[] = "-l", four[] = "fd:4",
	    channel[] = "--channel", port[] = "/dev/vport0p6", dashes[] = "--";
	char **argv = calloc(r->gates.n * 8 + r->args.n + 1, sizeof(*argv));
	size_t n = 0;

	if (argv == NULL)
		fail("the guest is out of memory");
	for (size_t i = 0; i < r->gates.n; i++) {
		argv[n++] = gate_path(r->gates.list[i]);
		argv[n++] = policy;
		argv[n++] = three;
		if (r->audit) {
			argv[n++] = log;
			argv[n++] = four;
		}
		if (r->net && strcmp(r->gates.list[i], "x07-netgate") == 0) {
			argv[n++] = channel;
			argv[n++] = port;
		}
		argv[n++] = dashes;
	}
	for (size_t i = 0; i < r->args.n; i++)
		argv[n++] = r->args.list[i];
	return argv;
}

static void
put_fd(int fd, int at)
{
	if (fd == at ? fcntl(fd, F_SETFD, 0) == -1 : dup2(fd, at) == -1)
		_exit(EXIT_REFUSED);
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
	/* The same as on the host: kept when it can be entered, else the root. */
	enter_group();
	if (setgroups(r->ngroups, r->groups) == -1 ||
	    setresgid(r->gid, r->gid, r->gid) == -1 ||
	    setresuid(r->uid, r->uid, r->uid) == -1)
		refuse_errno("cannot become user %u", (unsigned)r->uid);
	if (chdir(r->cwd) == -1 && chdir("/") == -1)
		refuse_errno("/");
	signal(SIGPIPE, SIG_DFL);
	if (argv[0] == NULL)
		refuse("the request names no program");
	execve(argv[0], argv, r->env.list != NULL ? r->env.list : &argv[0] + 0);
	chain_exec_failed(argv[0]);
}

static void
child_fds(const struct request *r, const int std[3])
{
	/* From high numbers down, so that none is overwritten before its turn. */
	int policy = fcntl(r->policy, F_DUPFD_CLOEXEC, 64);
	int audit = r->audit ? fcntl(port_fd(PORT_AUDIT), F_DUPFD_CLOEXEC, 64) : -1;
	int high[3], keep[2] = { POLICY_FD, AUDIT_FD };

	for (int i = 0; i < 3; i++)
		high[i] = fcntl(std[i], F_DUPFD_CLOEXEC, 64);
	for (int i = 0; i < 3; i++)
		put_fd(high[i], i);
	put_fd(policy, POLICY_FD);
	if (audit != -1)
		put_fd(audit, AUDIT_FD);
	if (os_close_fds(keep, audit != -1 ? 2 : 1) == -1)
		refuse_errno("descriptors");
}

static void
make_pipe(int p[2])
{
	if (pipe2(p, O_CLOEXEC) == -1)
		fail_errno("pipe");
}

static void
nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (fd != -1 && (flags == -1 ||
	    fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1))
		fail_errno("a stream of the program");
}

/* Makes our ends and the program's: three pipes, or one terminal. */
static void
make_streams(struct program *p, const struct request *r, int std[3])
{
	struct winsize ws = { .ws_row = r->size.rows, .ws_col = r->size.columns };
	int in[2], out[2], err[2], master, slave;

	if (r->tty) {
		if (openpty(&master, &slave, NULL, NULL, &ws) == -1)
			fail_errno("terminal");
		if (fchown(slave, r->uid, r->gid) == -1)
			fail_errno("terminal");
		p->in = p->out = master;
		p->err = -1;
		std[0] = std[1] = std[2] = slave;
		return;
	}
	make_pipe(in);
	make_pipe(out);
	make_pipe(err);
	p->in = in[1];
	p->out = out[0];
	p->err = err[0];
	std[0] = in[0];
	std[1] = out[1];
	std[2] = err[1];
	/* The program opens them again through /dev/stdout: they are its own. */
	for (int i = 0; i < 3; i++)
		if (fchown(std[i], r->uid, r->gid) == -1)
			fail_errno("a stream of the program");
}

void
program_start(struct program *p, const struct request *r)
{
	char **argv = chain(r);
	int std[3];

	make_streams(p, r, std);
	if (r->net && chown(port_release(PORT_NET), r->uid, r->gid) == -1)
		fail_errno("network port");
	p->pid = fork();
	if (p->pid == -1)
		fail_errno("fork");
	if (p->pid == 0) {
		setsid();
		if (r->tty && ioctl(std[0], TIOCSCTTY, 0) == -1)
			_exit(EXIT_REFUSED);
		child_fds(r, std);
		become(r, argv);
	}
	close(std[0]);
	if (!r->tty) {
		close(std[1]);
		close(std[2]);
	}
	nonblocking(p->in);
	nonblocking(p->out);
	nonblocking(p->err);
	frame_send(FRAME_STARTED, NULL, 0);
}
