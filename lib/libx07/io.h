/*
 * io.h - writing all of it.
 */
#ifndef IO_H
#define IO_H

#include <stddef.h>

/*
 * Writes len bytes to a blocking descriptor, however many calls of write(2) it takes.
 * -1 with errno when some could not be written.
 */
int	write_all(int fd, const void *data, size_t len);

#endif
