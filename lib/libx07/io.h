/*
 * io.h - writing, and room for descriptors.
 */
#ifndef IO_H
#define IO_H

#include <sys/types.h>

#include <stddef.h>

/*
 * Writes len bytes to a blocking descriptor, however many calls of write(2) it takes.
 * -1 with errno when some could not be written.
 */
int	write_all(int fd, const void *data, size_t len);

/*
 * One line, in one call. On a socket it neither waits for room nor raises SIGPIPE.
 * -1 with errno when it was not written.
 */
ssize_t	write_line(int fd, const void *line, size_t len);
/* How it writes to what is no socket: write(2), or a way of the platform's. */
extern ssize_t (*line_writer)(int fd, const void *line, size_t len);

/*
 * Lets this process, and what it becomes, open as many files as its hard limit
 * says. For relays and servers, which use poll(2) or epoll; what uses select(2) is
 * the reason why the soft limit is low.
 */
void	fd_limit_raise(void);

#endif
