/*
 * unfinished.h - a file or directory that gets its name when it is whole.
 */
#ifndef UNFINISHED_H
#define UNFINISHED_H

#include <sys/types.h>

struct unfinished {
	char	*path;			/* what it is called until then, else NULL */
	pid_t	 remover;
	int	 hold;
	struct unfinished *next;
};

/*
 * Makes a new file, or directory, beside path, which its owner alone may use. When this
 * process ends before unfinished_place(), by exit(3), a signal or SIGKILL, it is
 * removed with all that is in it: a process of its own waits for that. Returns the
 * file's descriptor, or 0 for a directory; -1 with errno.
 */
int	unfinished_file(struct unfinished *, const char *path);
int	unfinished_dir(struct unfinished *, const char *path);

/*
 * Renames it to path: a file in place of another, a directory in place of none or an
 * empty one. -1 with errno, and it is still unfinished.
 */
int	unfinished_place(struct unfinished *, const char *path);

/* Removes it now, if there is one. */
void	unfinished_remove(struct unfinished *);

#endif
