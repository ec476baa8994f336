/*
 * netmux.h - connections and datagrams through one byte channel.
 *
 * On one side of the channel is a guest, whose x07-netgate hands its connections to
 * netmux instead of a network it does not have; on the other side netmux makes
 * them, itself a program under the x07-netgate of this machine, which alone
 * decides. Neither netmux decides anything.
 */
#ifndef NETMUX_H
#define NETMUX_H

#include <sys/queue.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "channel.h"
#include "os.h"
#include "x07.h"

/* ---- the wire: both sides run on one machine, numbers are in its byte order ---- */

enum frame_type {
	FRAME_OPEN = 1,		/* struct channel_place */
	FRAME_OPENED,		/* int32_t: 0, or errno of connect(2) */
	FRAME_DATA,		/* bytes, or one datagram */
	FRAME_EOF,		/* no more of them */
	FRAME_RESET,		/* the stream is over, and bytes may be missing */
	FRAME_CREDIT,		/* uint32_t: so many more may be sent */
	FRAME_LISTEN,		/* struct channel_place: the guest listens there */
	FRAME_UNLISTEN,
};

struct frame {
	uint32_t	id;	/* of the stream; the guest's are even */
	uint16_t	type;
	uint16_t	len;	/* of what follows */
};

#define CHUNK		16384
#define DATAGRAM_MAX	65507	/* the largest payload of UDP over IPv4 */
#define WINDOW		(256 * 1024)	/* bytes of a stream that are on their way */
#define STREAMS_MAX	1024

/* ---- channel.c ---- */

/* Queues a frame. */
void	channel_send(uint32_t id, enum frame_type, const void *, size_t len);
/* True when no more should be queued now. */
bool	channel_full(void);
/* Reads and writes what can be; ends the process when the other side is gone. */
void	channel_work(void);
/* What the channel is read from and written to; these may be the same. */
void	channel_open(int reads, int writes);

/* ---- stream.c ---- */

struct watch {
	int	fd;
	void	(*event)(struct watch *, unsigned what);
};

extern int poller;

/*
 * A stream that somebody on our side has made: datagrams on a packet socket. told: wants
 * an int32_t first, 0 or the errno of connect(2).
 */
void	stream_local(int fd, bool told, const struct channel_place *);
/* What the other side says. */
void	stream_frame(const struct frame *, const char *payload);
/* Moves what can be moved. Returns true when there is more to do at once. */
bool	stream_work(void);
/* The side's own streams have even numbers. */
void	stream_side(bool guest);

/* ---- listen.c ---- */

/* Takes connections of x07-netgate --channel and of its resolver. Refuses. */
void	listen_guest(void);
/* Opens what listen_look reads. Before os_relay_confine(). */
void	listen_tables(void);
/* Tells the host who listens in the guest, at most every so often. */
void	listen_look(void);
/* 0, or the errno with which one cannot listen there. */
int	listen_could(const struct channel_place *);
/* Listens, or not any more, where somebody in the guest does. */
void	listen_there(const struct channel_place *, bool listens);

#endif
