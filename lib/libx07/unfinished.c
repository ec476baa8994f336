/*
 * Files and directories that get their name when they are whole.
 *
 * Who is killed cannot clean up. So another process does, which holds the one end of a
 * pipe and sees when nobody has the other one any more.
 */
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "remove.h"
#include "unfinished.h"

#define TRIES	50		/* 5 s for a program of ours that still writes there */

static struct unfinished *all;

/* No signal and no end of a session or group is for it. */
static _Noreturn void
wait_and_remove(const char *path, int end)
{
	static const struct timespec nap = { 0, 100000000 };
	char c;

	setsid();
	/* Whoever reads what we wrote is not to wait for this. */
	if (dup2(end, STDIN_FILENO) == -1)
		_exit(1);
	closefrom(STDIN_FILENO + 1);
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

static int
start_remover(struct unfinished *u)
{
	static int registered;
	int fds[2];

	if (!registered && atexit(remove_all) != 0) {
		errno = ENOMEM;
		return -1;
	}
	registered = 1;
	if (pipe2(fds, O_CLOEXEC) == -1)
		return -1;
	u->remover = fork();
	if (u->remover == 0)
		wait_and_remove(u->path, fds[0]);
	close(fds[0]);
	if (u->remover == -1) {
		close(fds[1]);
		return -1;
	}
	u->hold = fds[1];
	u->next = all;
	all = u;
	return 0;
}

/* A directory when fd is NULL. */
static int
make_beside(struct unfinished *u, const char *path, int *fd)
{
	size_t len = strlen(path);

	while (len > 1 && path[len - 1] == '/')
		len--;
	if (asprintf(&u->path, "%.*s.XXXXXX", (int)len, path) == -1) {
		u->path = NULL;
		return -1;
	}
	if (fd != NULL)
		return *fd = mkostemp(u->path, O_CLOEXEC);
	return mkdtemp(u->path) != NULL ? 0 : -1;
}

static int
make(struct unfinished *u, const char *path, int *fd)
{
	sigset_t every, before;
	int err, ret;

	/* No signal comes before there is one who removes, and none at all to that. */
	sigfillset(&every);
	sigprocmask(SIG_SETMASK, &every, &before);
	ret = make_beside(u, path, fd);
	if (ret != -1 && start_remover(u) == -1) {
		err = errno;
		if (fd != NULL)
			close(*fd);
		remove_tree(u->path);
		errno = err;
		ret = -1;
	}
	if (ret == -1) {
		err = errno;
		free(u->path);
		u->path = NULL;
		errno = err;
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	return ret;
}

int
unfinished_file(struct unfinished *u, const char *path)
{
	int fd;

	return make(u, path, &fd) == -1 ? -1 : fd;
}

int
unfinished_dir(struct unfinished *u, const char *path)
{
	return make(u, path, NULL);
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
