/*
 * Files and directories that get their name when they are whole.
 *
 * Who is killed cannot clean up. So another process does, which holds the one end of a
 * socket and sees when nobody has the other one any more.
 */
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "remove.h"
#include "unfinished.h"

#define TAIL	".XXXXXX"
#define TRIES	50		/* 5 s for a program of ours that still writes there */

static struct unfinished *all;

/* What the one who removes says: what it made, or why it could not. */
struct made {
	int	err;
	char	tail[sizeof(TAIL)];
};

static int
make_it(char *path, bool dir)
{
	int fd;

	if (dir)
		return mkdtemp(path) != NULL ? 0 : -1;
	fd = mkostemp(path, O_CLOEXEC);
	return fd == -1 ? -1 : close(fd);
}

/*
 * It makes the thing, too: at no moment one is there that nobody would remove. No
 * signal and no end of a session or group is for it.
 */
static _Noreturn void
make_and_remove(char *path, bool dir, int end)
{
	static const struct timespec nap = { 0, 100000000 };
	struct made m = { .err = 0 };
	char c;

	setsid();
	/* Whoever reads what we wrote is not to wait for this. */
	if (dup2(end, STDIN_FILENO) == -1)
		_exit(1);
	closefrom(STDIN_FILENO + 1);
	if (make_it(path, dir) == -1)
		m.err = errno;
	strlcpy(m.tail, path + strlen(path) - strlen(TAIL), sizeof(m.tail));
	if (write(STDIN_FILENO, &m, sizeof(m)) == -1) {
		/* Nobody is left to hear it: there is nothing to wait for below. */
	}
	if (m.err != 0)
		_exit(1);
	while (read(STDIN_FILENO, &c, 1) == -1 && errno == EINTR)
		continue;
	for (int i = 0; i < TRIES && remove_tree(path) == -1; i++)
		nanosleep(&nap, NULL);
	_exit(0);
}

static void
forget(struct unfinished *u)
{
	struct unfinished **p = &all;

	while (*p != u)
		p = &(*p)->next;
	*p = u->next;
	close(u->hold);
	while (waitpid(u->remover, NULL, 0) == -1 && errno == EINTR)
		continue;
	free(u->path);
	u->path = NULL;
}

void
unfinished_remove(struct unfinished *u)
{
	if (u->path != NULL)
		forget(u);
}

/* exit(3) does not return before they are removed. */
static void
remove_all(void)
{
	while (all != NULL)
		forget(all);
}

/* Starts it; returns what it says. */
static int
start_remover(struct unfinished *u, bool dir, struct made *m)
{
	static bool registered;
	int fds[2];

	if (!registered && atexit(remove_all) != 0) {
		errno = ENOMEM;
		return -1;
	}
	registered = true;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == -1)
		return -1;
	u->remover = fork();
	if (u->remover == 0)
		make_and_remove(u->path, dir, fds[0]);
	close(fds[0]);
	if (u->remover == -1) {
		close(fds[1]);
		return -1;
	}
	u->hold = fds[1];
	u->next = all;
	all = u;
	errno = ECHILD;
	return read(u->hold, m, sizeof(*m)) == (ssize_t)sizeof(*m) ? 0 : -1;
}

static int
make(struct unfinished *u, const char *path, bool dir)
{
	size_t len = strlen(path);
	sigset_t every, before;
	struct made m;
	int ret, err;

	while (len > 1 && path[len - 1] == '/')
		len--;
	if (asprintf(&u->path, "%.*s" TAIL, (int)len, path) == -1) {
		u->path = NULL;
		return -1;
	}
	u->remover = -1;
	/* No signal is for the other one. */
	sigfillset(&every);
	sigprocmask(SIG_SETMASK, &every, &before);
	ret = start_remover(u, dir, &m);
	err = ret == -1 ? errno : m.err;
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (err == 0) {
		memcpy(u->path + strlen(u->path) - strlen(TAIL), m.tail, strlen(TAIL));
		return 0;
	}
	if (u->remover != -1)
		forget(u);
	free(u->path);
	u->path = NULL;
	errno = err;
	return -1;
}

int
unfinished_file(struct unfinished *u, const char *path)
{
	int fd, err;

	if (make(u, path, false) == -1)
		return -1;
	fd = open(u->path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1) {
		err = errno;
		forget(u);
		errno = err;
	}
	return fd;
}

int
unfinished_dir(struct unfinished *u, const char *path)
{
	return make(u, path, true);
}

int
unfinished_place(struct unfinished *u, const char *path)
{
	if (rename(u->path, path) == -1)
		return -1;
	kill(u->remover, SIGKILL);
	forget(u);
	return 0;
}
