/*
 * The byte channel of a container that no socket of this machine reaches: netmux is
 * started there as a second program, and the runtime carries its streams.
 */
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "channel.h"
#include "child.h"
#include "os.h"
#include "vm-ctr.h"
#include "x07.h"

#define START_MS	30000	/* until a container takes a second program */
#define NAP_MS		100
#define CANNOT		1	/* what runtimes exit with when they could not */

static pid_t carrier;

static void
nap(void)
{
	static const struct timespec ts = { 0, NAP_MS * 1000000 };

	nanosleep(&ts, NULL);
}

/* ---- the process that waits for the runtime's program ---- */

static _Noreturn void
become_exec(const struct job *j, int err, pid_t parent)
{
	char **argv = words(j, j->rt->exec);
	int fd = client_enter(j->run->dir, parent);

	if (dup2(j->run->net_fd, STDIN_FILENO) == -1 ||
	    dup2(j->run->net_fd, STDOUT_FILENO) == -1 ||
	    dup2(err, STDERR_FILENO) == -1 || os_keep_fds(&fd, 1) == -1)
		refuse_errno("the byte channel");
	execvp(argv[0], argv);
	chain_exec_failed(argv[0]);
}

/* Starts it once, and waits for its end. What it said is kept. */
static int
exec_once(const struct job *j, char *said, size_t size)
{
	size_t len = 0;
	int err[2], wstatus = 0;
	char rest[256];
	ssize_t n;
	pid_t pid, self = getpid();

	if (pipe2(err, O_CLOEXEC) == -1 || (pid = fork()) == -1)
		refuse_errno("the byte channel");
	if (pid == 0)
		become_exec(j, err[1], self);
	close(err[1]);
	do {
		n = len < size - 1 ? read(err[0], said + len, size - 1 - len) :
		    read(err[0], rest, sizeof(rest));
		if (n > 0 && len < size - 1)
			len += (size_t)n;
	} while (n > 0 || (n == -1 && errno == EINTR));
	said[len] = '\0';
	close(err[0]);
	while (waitpid(pid, &wstatus, 0) == -1 && errno == EINTR)
		continue;
	return wstatus;
}

/* What netmux had to say; the runtime's words at the end of a container are nothing. */
static void
say(char *said)
{
	char *line;

	while ((line = strsep(&said, "\n")) != NULL)
		if (strncmp(line, "netmux: ", 8) == 0)
			dprintf(STDERR_FILENO, "%s\n", line);
}

static _Noreturn void
carry(const struct job *j)
{
	static char said[4096];
	int wstatus;

	while (j->rt->late_eof && access(j->started, F_OK) == -1)
		nap();
	for (int tries = START_MS / NAP_MS; ; tries--) {
		wstatus = exec_once(j, said, sizeof(said));
		if (strncmp(said, CHANNEL_READY, sizeof(CHANNEL_READY) - 1) == 0)
			break;
		if (tries == 0 || !WIFEXITED(wstatus) ||
		    WEXITSTATUS(wstatus) != CANNOT) {
			said[strcspn(said, "\n")] = '\0';
			note("no way to the hosts that the policy lists: %s cannot "
			    "start netmux in the container: %s", j->rt->what,
			    *said != '\0' ? said : "it does not say why");
			_exit(CANNOT);
		}
		nap();
	}
	say(said + sizeof(CHANNEL_READY) - 1);
	child_imitate(wstatus == CANNOT << 8 ? 0 : wstatus);
}

/* ---- the driver ---- */

void
carry_start(const struct job *j)
{
	pid_t parent = getpid();

	if (j->rt->exec == NULL || j->run->net_fd == -1)
		return;
	carrier = fork();
	if (carrier == -1)
		refuse_errno("the byte channel");
	if (carrier == 0) {
		/* What the terminal sends to the program is not meant for it. */
		if (os_die_with_parent(parent) == -1 || setpgid(0, 0) == -1)
			_exit(CANNOT);
		carry(j);
	}
	/* So that the relay sees when the other end is gone. */
	close(j->run->net_fd);
}

/*
 * The runtime's program was killed, and nobody tells netmux so: its streams stay open
 * in the container.
 */
static bool
carry_cut(const struct job *j, int sig)
{
	static struct said s;

	if (j->rt->unexec != NULL)
		control(words(j, j->rt->unexec), CONTROL_MS, &s);
	note("the way to the network is cut: what carried it was killed by signal "
	    "%d; the program %s", sig, j->rt->unexec != NULL ? "goes on without" :
	    "is ended");
	return j->rt->unexec != NULL;
}

bool
carry_goes_on(const struct job *j)
{
	int wstatus;

	if (carrier <= 0 || waitpid(carrier, &wstatus, WNOHANG) != carrier)
		return true;
	carrier = 0;
	if (WIFSIGNALED(wstatus))
		return carry_cut(j, WTERMSIG(wstatus));
	return WEXITSTATUS(wstatus) != CANNOT;
}

void
carry_end(void)
{
	if (carrier <= 0)
		return;
	kill(carrier, SIGKILL);
	while (waitpid(carrier, NULL, 0) == -1 && errno == EINTR)
		continue;
	carrier = 0;
}
