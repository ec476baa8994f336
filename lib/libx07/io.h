/*
 * io.h - writing all of it, and room for descriptors.
 */
#ifndef IO_H
#define IO_H

#include <stddef.h>

/*
 * Writes len bytes to a blocking descriptor, however many calls of write(2) it takes.
 * -1 with errno when some could not be written.
 */
int	write_all(int fd, const void *data, size_t len);

/*
 * Lets this process, and what it becomes, open as many files as its hard limit
 * says. For relays and servers, which use poll(2) or epoll; what uses select(2) is
 * the reason why the soft limit is low.
 */
void	fd_limit_raise(void);

#endif
