/* What another program writes. */
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "vmrun.h"

#define OUTPUT_MAX	(256U << 20)

int
output_of(struct file *f, void (*become)(const void *), const void *arg)
{
	int pair[2], wstatus;
	size_t space = 0;
	ssize_t n;
	pid_t pid;

	*f = (struct file){ NULL, 0 };
	if (pipe2(pair, O_CLOEXEC) == -1 || (pid = fork()) == -1)
		refuse_errno("pipe");
	if (pid == 0) {
		if (dup2(pair[1], STDOUT_FILENO) == -1)
			refuse_errno("pipe");
		become(arg);
		_exit(EXIT_REFUSED);
	}
	close(pair[1]);
	do {
		if (space - f->len < 65536) {
			space = space * 2 + 65536;
			f->data = space > OUTPUT_MAX ? NULL :
			    realloc(f->data, space);
			if (f->data == NULL)
				refuse("too much output of a helper");
		}
		n = read(pair[0], f->data + f->len, space - f->len - 1);
		f->len += n > 0 ? (size_t)n : 0;
	} while (n > 0 || (n == -1 && errno == EINTR));
	f->data[f->len] = '\0';
	close(pair[0]);
	while (waitpid(pid, &wstatus, 0) == -1 && errno == EINTR)
		continue;
	return WIFEXITED(wstatus) ? WEXITSTATUS(wstatus) : -1;
}
