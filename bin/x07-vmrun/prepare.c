/* What the driver is handed: files, environment, the way to the network. */
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmrun.h"

static int
seal(const char *data, size_t len)
{
	int fd = os_seal(data, len);

	if (fd == -1)
		refuse_errno("cannot keep in memory what the driver needs");
	return fd;
}

/* ---- the files ---- */

static void
become_lister(const void *arg)
{
	static char P[] = "-P", list[] = "--list", dashes[] = "--", quiet[] = "-q";
	const struct job *j = arg;
	char *tool = vm_tool("x07-fsgate"), fd[16], **argv;
	size_t n = 0, k = 0;

	while (j->argv[n] != NULL)
		n++;
	argv = calloc(n + j->nshown + 8, sizeof(*argv));
	if (argv == NULL || os_keep_fds(&j->chain.policy_fd, 1) == -1)
		refuse_errno("x07-fsgate");
	snprintf(fd, sizeof(fd), "%d", j->chain.policy_fd);
	argv[k++] = tool;
	if (!j->build) {
		argv[k++] = P;
		argv[k++] = fd;
	}
	argv[k++] = list;
	if (j->chain.quiet)
		argv[k++] = quiet;
	for (size_t i = 0; i < j->nshown; i++)
		argv[k++] = j->shown[i];
	argv[k++] = dashes;
	for (size_t i = 0; i < n; i++)
		argv[k++] = j->argv[i];
	execv(tool, argv);
	refuse_errno("%s", tool);
}

int
prepare_view(const struct job *j)
{
	struct file f;
	int status = output_of(&f, become_lister, j);

	/* It has said what is wrong, and its statuses are ours. */
	if (status != 0)
		exit(status > 0 ? status : EXIT_REFUSED);
	return seal(f.data, f.len);
}

/* ---- the environment ---- */

static void
become_environ(const void *arg)
{
	const struct job *j = arg;
	char *tool = vm_tool("environ"), fd[16];

	if (os_keep_fds(&j->chain.policy_fd, 1) == -1)
		refuse_errno("environ");
	snprintf(fd, sizeof(fd), "%d", j->chain.policy_fd);
	execl(tool, tool, "-0", "-P", fd, j->x07 ? "-w" : NULL,
	    "run-os-sandboxed", (char *)NULL);
	refuse_errno("%s", tool);
}

int
prepare_environment(const struct job *j)
{
	struct file f;
	int status = output_of(&f, become_environ, j);

	if (status != 0)
		exit(status > 0 ? status : EXIT_REFUSED);
	return seal(f.data, f.len);
}

/* ---- the network ---- */

/* The one connection that is taken; a second one is refused by the kernel. */
static int
one_guest(int listens)
{
	int fd;

	do
		fd = accept4(listens, NULL, NULL, SOCK_CLOEXEC);
	while (fd == -1 && errno == EINTR);
	close(listens);
	return fd;
}

/*
 * x07-netgate -P FD -- netmux host: the relay of the byte channel is a program
 * that may reach what the policy lists, and nothing else, whatever the guest asks
 * it for.
 */
static _Noreturn void
become_relay(const struct job *j, int end, pid_t parent)
{
	char *gate = vm_tool("x07-netgate"), *mux = vm_tool("netmux");
	char policy[16];
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	const int keep[] = { j->chain.policy_fd, end };

	snprintf(policy, sizeof(policy), "%d", j->chain.policy_fd);
	/*
	 * In a process group of its own: what the terminal sends is meant for the
	 * program. Of what is open the gate leaves the first three, so the channel is
	 * one of them.
	 */
	if (os_die_with_parent(parent) == -1 || setpgid(0, 0) == -1 ||
	    dup2(null, STDOUT_FILENO) == -1 || os_keep_fds(keep, 2) == -1 ||
	    dup2(j->backend.net_socket ? one_guest(end) : end, STDIN_FILENO) == -1)
		refuse_errno("the relay");
	execl(gate, gate, "-P", policy, "--", mux, "host", (char *)NULL);
	refuse_errno("%s", gate);
}

/* The listening socket in the job's directory, for a backend with mounts only. */
static int
listen_at(const struct job *j)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int n = snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/net/channel",
	    j->dir);

	if (n >= (int)sizeof(sun.sun_path))
		refuse("%s is too long for a socket; X07_VM_STATE_DIR names "
		    "another", j->dir);
	if (fd == -1 || bind(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1 ||
	    listen(fd, 1) == -1)
		refuse_errno("%s", sun.sun_path);
	return fd;
}

int
prepare_network(struct job *j)
{
	int pair[2] = { -1, -1 };
	pid_t parent = getpid();

	if (j->backend.net_socket)
		pair[1] = listen_at(j);
	else if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
		refuse_errno("socketpair");
	j->relay = fork();
	if (j->relay == -1)
		refuse_errno("the relay");
	if (j->relay == 0)
		become_relay(j, pair[1], parent);
	close(pair[1]);
	return pair[0];
}
