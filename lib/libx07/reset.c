/* Connections that end with RST when bytes are missing. */
#include <sys/socket.h>

#include "reset.h"

void
reset_at_end(int fd, bool on)
{
	struct linger now = { .l_onoff = on, .l_linger = 0 };

	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}
