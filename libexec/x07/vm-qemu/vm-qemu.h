/*
 * vm-qemu.h - the parts of vm-qemu.
 */
#ifndef VM_QEMU_H
#define VM_QEMU_H

#include <sys/types.h>

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "os.h"
#include "proto.h"
#include "vm.h"
#include "x07.h"

/* ---- image.c ---- */

enum { IMAGE_MANIFEST, IMAGE_KERNEL, IMAGE_INITRAMFS, IMAGE_CMDLINE, IMAGE_FILES };

struct image {
	int		fd[IMAGE_FILES];
	const char	*digest;	/* NULL: any */
	char		*share;		/* "virtiofs", "9p" or "blk" */
	char		id[80];		/* digest, or what tells it from others */
	/* What image_take() sets. */
	int		kernel, initramfs;	/* sealed copies */
	char		*cmdline;
};

/* Opens it. Refuses one that is not whole, of another version or another machine. */
void	image_open(struct image *, const struct vm_run *);
/*
 * Takes the image into memory, where nobody changes it any more, and checks its digest
 * there: before a guest boots. Refuses when it is another one.
 */
void	image_take(struct image *);

/* ---- view.c ---- */

/*
 * Mounts the tree that the list on fd describes at dir, in this process's private
 * mount namespace. Refuses when something changed meanwhile.
 */
void	view_mount(int fd, const char *dir);

/* ---- disk.c: the tree as an image of a disk, for share blk ---- */

/* Refuses what such a guest cannot do, and when the image cannot be made. */
void	disk_check(const struct vm_run *);
/*
 * Makes the image of the tree at root: a file without a name in the job's directory.
 * Returns a descriptor that can only be read. Inside the machine's tree of processes. Refuses.
 */
int	disk_make(const struct vm_run *, const char *root);

/* ---- probe.c ---- */

/* What depends on the processor. */
struct arch {
	const char	*machine;	/* as uname(1) says it */
	const char	*emulator;	/* program */
	const char	*package;	/* of Debian, that has it */
	const char	*type;		/* QEMU's machine */
	const char	*cpu;		/* QEMU's processor, when it is emulated */
	const char	*console;	/* kernel's name of its serial line */
	const char	*alone;		/* words for the kernel when that is the only one */
	bool		plugs;		/* a running machine can get a device */
};

/* This machine's; NULL when there is none that we know. */
const struct arch	*arch_find(void);
/* The path of the emulator or of a helper, in malloced memory, or NULL. */
char	*find_emulator(const struct arch *);
char	*find_virtiofsd(void);
char	*find_mksquashfs(void);
/* True when the processor itself can run the guest. X07_VM_ACCEL=kvm|tcg decides. */
bool	probe_kvm(void);
/* The verb. */
int	probe(bool verbose);

/* ---- qmp.c ---- */

/*
 * Has QEMU do one command, a line of JSON, with a descriptor for it (-1: none).
 * False when it cannot, is gone, or says nothing in time.
 */
bool	qmp_do(int fd, const char *command, int pass);
/* Asks again and again until the answer holds good (true) or bad, or time is up. */
bool	qmp_wait(int fd, const char *command, const char *good, const char *bad);

/* ---- snapshot.c ---- */

struct snapshot {
	char	*path;			/* NULL: none is used */
	int	memory, state;		/* the files, -1 */
	int64_t	bytes;			/* of memory */
};

void	snapshot_name(struct snapshot *, const char *cache, const char *emulator,
	    const struct image *, int64_t memory, int64_t cpus);
/* Opens it; false when there is none that we may trust. */
bool	snapshot_open(struct snapshot *);
/* Puts its memory into an empty one of that size. */
bool	snapshot_fill(const struct snapshot *, int memory);
/*
 * Stops the machine behind qmp and saves it; false when that did not go well, and
 * then nothing is left of it. The machine stands still afterwards.
 */
bool	snapshot_save(const struct snapshot *, int qmp, int memory);
void	snapshot_remove(const struct snapshot *);

/* ---- machine.c ---- */

#define CONSOLE_BYTES	16384	/* of the guest's console, the last ones */

/* The end of what somebody says. */
struct tail {
	char	buf[CONSOLE_BYTES];
	size_t	len;
};

struct machine {
	struct os_tree	tree;			/* QEMU and the server of files */
	int		port[PORT_LAST + 1];	/* our ends; -1: none */
	int		console, errors;	/* what the guest, what QEMU says */
	int		server;			/* at its end no file is served any more */
	int		qmp;			/* to QEMU; -1: nothing is asked of it */
	int		memory;			/* the guest's */
	bool		restored;		/* it booted in an earlier run */
	struct snapshot	snapshot;
	struct tail	console_tail, errors_tail;
};

/*
 * Starts the machine: from the snapshot when there is one that can be used. One
 * that is saved, or was, gets its files only later. Refuses.
 */
void	machine_start(struct machine *, const struct vm_run *, struct image *);
/* Saves the machine, if it is to be saved; false when it is lost. */
bool	machine_save(struct machine *, bool verbose);
/* Gives the machine its files, if it has none yet; false when it takes none. */
bool	machine_add_files(struct machine *);
/* Takes what fd has into the tail; false at its end. */
bool	tail_read(struct tail *, int fd);
/*
 * The last line in the tail that has the word (NULL: that tells anything); "" when
 * there is none.
 */
const char	*tail_line(const struct tail *, const char *word);

/* ---- stream.c ---- */

struct stream {
	int		from, to;	/* -1: closed */
	enum port	port;
	bool		careful;	/* a write to it might block */
	char		buf[65536];
	size_t		start, end;
	uint64_t	total;		/* bytes read */
	uint64_t	last;		/* of the guest's streams: what total will be */
	bool		broken;		/* a write failed: bytes are dropped */
	int		error;		/* errno of that write */
};

void	stream_open(struct stream *, enum port, int from, int to, bool to_guest);
/* What to wait for. */
void	stream_watch(const struct stream *, struct pollfd *);
/* Moves what can be moved. */
void	stream_move(struct stream *, const struct pollfd *);
/* All that the guest sent has been written. */
bool	stream_done(const struct stream *);

/* ---- control.c ---- */

struct control {
	int	fd;
	char	in[sizeof(struct frame) + FRAME_MAX_TO_HOST];
	size_t	in_len;
	char	*out;			/* not sent yet */
	size_t	out_len, out_space;
};

/* Queues a frame. */
void	control_send(struct control *, enum frame_type, const void *, size_t);
/* Queues the request for the program. */
void	control_request(struct control *, const struct vm_run *,
	    const struct image *);
/* Sends what is queued as far as it goes; false when the guest is gone. */
bool	control_flush(struct control *);
/* Reads what there is; false when the guest is gone. */
bool	control_read(struct control *);
/*
 * Takes the next whole frame. *payload ends in a NUL that len does not count.
 * Refuses when the guest talks nonsense.
 */
bool	control_next(struct control *, struct frame *, char *payload);

/* ---- monitor.c ---- */

/* Runs the program in the machine; returns its exit status. */
int	monitor(struct machine *, const struct vm_run *, const struct image *);

#endif
