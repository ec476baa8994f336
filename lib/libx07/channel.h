/*
 * channel.h - how x07-netgate --channel and netmux, in one guest, talk.
 */
#ifndef CHANNEL_H
#define CHANNEL_H

#include <stdint.h>

/*
 * On 127.0.0.1: connections, and questions for names. Datagrams go by an abstract
 * packet socket of that name, one connection for each pair of ports.
 */
#define CHANNEL_PORT	1
#define CHANNEL_NAMES	53
#define CHANNEL_PACKETS	"x07-net"
/* What netmux says on standard error when its standard streams are the channel. */
#define CHANNEL_READY	"netmux: listening\n"

/*
 * What is sent first: where to. For a connection the answer is an int32_t, 0 or the
 * errno, and then both ends are the connection's. Byte order of the machine.
 */
enum {
	CHANNEL_STREAM,
	CHANNEL_DATAGRAMS,
	CHANNEL_BIND,		/* only asks what bind(2) would say there */
};

struct channel_place {
	uint8_t		kind, six;
	uint16_t	port;
	unsigned char	addr[16];
};

#endif
