/*
 * The runtime's programs that run a container, while they run it.
 *
 * Killed in the middle they would leave a daemon that goes on, and makes a container of
 * which nobody hears any more. So they outlive us, and whoever ends the job waits for
 * them. Each has a lock of its own process on DIR/client, which stays when it
 * becomes the runtime's program, goes with its end, and tells its number: a number that
 * is another's by now cannot be mistaken for it.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "vm-ctr.h"
#include "x07.h"

static int
open_lock(const char *dir, int flags)
{
	char *path;
	int fd;

	if (asprintf(&path, "%s/client", dir) == -1)
		refuse_errno("memory");
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
	free(path);
	return fd;
}

int
client_enter(const char *dir, pid_t parent)
{
	struct flock l = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	int fd = open_lock(dir, O_CREAT);

	if (fd == -1 || fcntl(fd, F_SETLK, &l) == -1)
		refuse_errno("%s/client", dir);
	/* Who ends the job may have looked before. */
	if (getppid() != parent)
		_exit(EXIT_REFUSED);
	return fd;
}

pid_t
client_of(const char *dir)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open_lock(dir, 0);

	if (fd == -1)
		return 0;
	if (fcntl(fd, F_GETLK, &l) == -1)
		refuse_errno("%s/client", dir);
	close(fd);
	return l.l_type == F_UNLCK ? 0 : l.l_pid;
}
