/*
 * proto.h - what vm-qemu and guestinit say to each other.
 *
 * One virtio-serial port per stream, so that a reader that is slow holds up its
 * own stream only, and nothing is lost or reordered. Standard input, output
 * and error are bare bytes; their ends are told, with the number of bytes, on
 * the control port, which carries frames. Both sides run on one machine: the numbers
 * are in its byte order.
 *
 * The host trusts nothing that comes from the guest: lengths are capped, unknown
 * frames end the run.
 */
#ifndef PROTO_H
#define PROTO_H

#include <stdint.h>

#define PROTO_VERSION	1

/* Port numbers; the guest sees number N as /dev/vport0pN. */
enum port {
	PORT_CONTROL = 1,
	PORT_STDIN,
	PORT_STDOUT,
	PORT_STDERR,
	PORT_AUDIT,		/* what gates write to -l */
	PORT_NET,		/* connections, see x07-netgate's channel.h */
	PORT_LAST = PORT_NET,
};

enum frame_type {
	/* host to guest */
	FRAME_REQUEST = 1,	/* "key=value" strings, each ended by NUL */
	FRAME_POLICY,		/* the normal form */
	FRAME_START,		/* no more of the above */
	FRAME_SIGNAL,		/* uint32_t: send it to the program */
	FRAME_SIZE,		/* struct frame_size: of the terminal */
	FRAME_INPUT_END,	/* struct frame_end: standard input ends there */
	FRAME_CLOSED,		/* uint32_t port: nobody reads it any more */
	/* guest to host */
	FRAME_HELLO = 64,	/* uint32_t PROTO_VERSION: ready for a request */
	FRAME_STARTED,		/* the program's chain is running */
	FRAME_END,		/* struct frame_end */
	FRAME_EXIT,		/* struct frame_exit: the last one */
	FRAME_FAILED,		/* text: why nothing was run; the last one */
	FRAME_USAGE,		/* text: what x07-limit reports, once, if asked for */
};

struct frame {
	uint32_t	type;
	uint32_t	len;	/* of what follows */
};

#define FRAME_MAX_TO_GUEST	(8U << 20)	/* arguments, environment, policy */
#define FRAME_MAX_TO_HOST	16384U

struct frame_end {
	uint32_t	port;
	uint32_t	zero;
	uint64_t	bytes;		/* that the stream had in all */
};

struct frame_exit {
	int32_t		wstatus;	/* as from waitpid(2) */
	uint32_t	zero;
	uint64_t	wall_us;
	uint64_t	user_us;
	uint64_t	sys_us;
	uint64_t	maxrss;		/* bytes */
};

struct frame_size {
	uint16_t	rows, columns;
};

/*
 * Keys of a request:
 *	arg	one per argument of the program
 *	env	one per variable of its environment
 *	gate	one per gate of the chain, outermost first
 *	read, write	one per root, as x07-fsgate's -r and -w take it
 *	cwd	current directory
 *	uid, gid, group
 *	share	how the tree of files comes: virtiofs, 9p or blk
 *	clock	seconds since 1970, what the guest's clock is set to
 *	seed	32 bytes in hexadecimal for the random number generator
 *	phase	"build": of the gates only x07-limit gets the policy
 *	tty	"1" when the program gets a terminal
 *	audit	"1" when gates log
 *	wall	milliseconds that the program has, when not what the policy says
 *	net	"1" when there is a host relay behind PORT_NET
 *	usage	"1" when x07-limit's report is wanted
 */

#endif
