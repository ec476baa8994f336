/* Running other tools of the suite, and reading files. */
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "child.h"
#include "x07-bundle.h"

#define FILE_MAX	(1 << 30)

/* All that comes from fd until its end. */
static struct bytes
read_all(int fd, const char *what)
{
	struct bytes b = { NULL, 0 };
	size_t space = 0;
	ssize_t n;

	for (;;) {
		if (b.len + 1 >= space) {
			space = space * 2 + 65536;
			b.data = realloc(b.data, space);
			if (b.data == NULL)
				die_errno(EXIT_USAGE, "%s", what);
		}
		n = read(fd, b.data + b.len, space - b.len - 1);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			die_errno(EXIT_USAGE, "%s", what);
		if (n == 0)
			break;
		b.len += (size_t)n;
		if (b.len > FILE_MAX)
			die(EXIT_USAGE, "%s is too long", what);
	}
	b.data[b.len] = '\0';
	return b;
}

struct bytes
run_tool(char *const argv[], int *status)
{
	struct bytes b;
	int fds[2], wstatus = 0;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) == -1 || (pid = fork()) == -1)
		die_errno(EXIT_USAGE, "%s", argv[0]);
	if (pid == 0) {
		if (dup2(fds[1], STDOUT_FILENO) == -1)
			_exit(EXIT_REFUSED);
		execv(argv[0], argv);
		chain_exec_failed(argv[0]);
	}
	close(fds[1]);
	b = read_all(fds[0], argv[0]);
	close(fds[0]);
	while (waitpid(pid, &wstatus, 0) == -1 && errno == EINTR)
		continue;
	*status = child_status(wstatus);
	return b;
}

struct bytes
read_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct bytes b;

	if (fd == -1)
		die_errno(EXIT_USAGE, "%s", path);
	b = read_all(fd, path);
	close(fd);
	return b;
}
