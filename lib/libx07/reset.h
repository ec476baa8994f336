/*
 * reset.h - connections that end with RST when bytes are missing.
 */
#ifndef RESET_H
#define RESET_H

#include <stdbool.h>

/*
 * With on the stream socket ends with RST instead of FIN, however this process ends:
 * whoever reads learns that bytes are missing. Of another kind of descriptor, or none
 * (-1), nothing becomes. SO_LINGER of socket(7)
 */
void	reset_at_end(int fd, bool on);

#endif
