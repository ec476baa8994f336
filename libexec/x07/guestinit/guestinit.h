/*
 * guestinit.h - the parts of guestinit.
 */
#ifndef GUESTINIT_H
#define GUESTINIT_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../vm-qemu/proto.h"

/* Where the image has things. */
#define GUEST_MODULES	"/modules"	/* NN-NAME.ko, loaded in that order */
#define GUEST_GATES	"/x07/bin"

/* ---- guestinit.c ---- */

/* Tells the host why nothing can be run, and ends the machine. */
_Noreturn void	fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void	fail_errno(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));
/* Ends the machine. */
_Noreturn void	power_off(void);

/* ---- ports.c ---- */

/* Opens the ports of the host. They do not block. */
void	ports_open(void);
int	port_fd(enum port);
/* Gives the port up, for another process to open. Returns its path. */
const char	*port_release(enum port);

/* Writes a whole frame to the host. */
void	frame_send(enum frame_type, const void *payload, uint32_t len);
/*
 * Takes the next frame. With wait it waits for one; else returns false when there is no
 * whole frame yet. *payload is valid until the next call and ends in a NUL that
 * len does not count.
 */
bool	frame_next(struct frame *, char **payload, bool wait);

/* ---- request.c ---- */

struct strings {
	char	**list;		/* ends in NULL */
	size_t	n, space;
};

struct request {
	struct strings	args, env, gates, read, write;
	gid_t		*groups;
	size_t		ngroups;
	uid_t		uid;
	gid_t		gid;
	const char	*cwd, *share, *seed;
	int64_t		clock;		/* -1: leave it */
	int64_t		wall_ms;	/* 0: as the policy says */
	bool		tty, audit, net, build, usage;
	int		policy;		/* sealed copy of the normal form */
	struct frame_size size;
};

/* Waits for the host's request. */
void	request_receive(struct request *);

/* ---- files.c ---- */

/* Mounts what the kernel itself offers. */
void	files_system(void);
/* Makes the devices anew, when the clock is set: their times tell no other. */
void	files_devices(void);
/* Loads the modules of the image. */
void	files_modules(void);
/* Makes the program's root, with what is no request's. */
void	files_root(void);
/* Adds what the request wants of the host's files, and enters the root. */
void	files_share(const struct request *);

/* ---- program.c ---- */

struct program {
	pid_t	pid;
	int	in;		/* our ends; with a terminal in is out, err is -1 */
	int	out, err;
	int	audit;		/* -1: gates do not log */
	int	usage;		/* where x07-limit reports; -1: nobody asked */
};

void	program_start(struct program *, const struct request *);

/* ---- relay.c ---- */

/* Serves the program until it and its streams have ended; tells the host. */
void	relay(struct program *, const struct request *);

#endif
