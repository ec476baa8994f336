/*
 * vmrun.h - the parts of x07-vmrun.
 */
#ifndef VMRUN_H
#define VMRUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "os.h"
#include "outfile.h"
#include "vm.h"
#include "x07.h"

/* ---- kernel.c: the guest's kernel ---- */

struct file {
	char	*data;		/* a NUL behind it */
	size_t	len;
};

/* The whole file, in malloced memory. Refuses. */
void	file_load(struct file *, const char *path);

/* ---- output.c ---- */

/*
 * Takes what become() and the program it becomes write to standard output; a NUL
 * behind it. Returns the exit status, -1 when it was killed.
 */
int	output_of(struct file *, void (*become)(const void *), const void *arg);

#define SHARE_MODULES	2

/* A way for the guest to get its files. */
struct share {
	const char	*name;		/* as a manifest and the driver call it */
	const char	*modules[SHARE_MODULES];	/* NULL: no more */
};

struct kernel {
	char		*path, *release, *modules;
	char		*order, *builtin;	/* lists of its modules' paths */
	const struct share *share;
};

/* X07_VM_KERNEL, or the newest one here that can be a guest. Refuses. */
void	kernel_find(struct kernel *);
/*
 * The path of a module's file, "" when the kernel has it built in, NULL when it has
 * none. In malloced memory.
 */
char	*kernel_module(const struct kernel *, const char *name);

/* ---- cpio.c: an initramfs ---- */

struct cpio {
	FILE		*to;
	size_t		at;
	unsigned	files;
};

void	cpio_dir(struct cpio *, const char *name);
void	cpio_file(struct cpio *, const char *name, const struct file *);
/* One file under n names. */
void	cpio_links(struct cpio *, const char *const *names, size_t n,
	    const struct file *);
void	cpio_end(struct cpio *);

/* ---- image.c: kernel and initramfs of a guest ---- */

/*
 * The directory of an image of this machine's kernel and this suite, in malloced memory;
 * made when it is not in the cache, or is damaged there, for which look_into reads
 * all of it. Refuses.
 */
char	*image_get(bool progress, bool look_into);
/* True when its guest gets its files as an image of a disk, which holds all of them. */
bool	image_has_disk(const char *dir);
/*
 * The directory of this user where they are kept, in malloced memory; without what was
 * left half made there. Refuses.
 */
const char	*image_cache(void);
/* The subcommand: makes one in DIR (or the cache), prints its digest. */
int	image_main(int argc, char *argv[]);

/* ---- own_dir.c: directories of the user's own ---- */

struct own_dir {
	const char	*variable;	/* names it, absolute */
	const char	*xdg;		/* variable of a directory that in_xdg is below; NULL */
	const char	*in_xdg, *in_home, *in_tmp;	/* "/x07/vm" */
};

/* Its path in malloced memory; made when it is missing. Refuses one that is not ours. */
char	*own_dir(const struct own_dir *);
/* Refuses a directory that is not ours or that others can write to. */
void	own_dir_check(const char *dir, const char *variable);

/* ---- backend.c: which driver ---- */

struct backend {
	const char	*name;		/* "qemu" */
	char		*tool;		/* path of the driver */
	bool		container;	/* no kernel of its own */
	bool		takes_directory, takes_oci;	/* what --image is */
	bool		net_fd, net_socket;
	int64_t		boot_ms;
};

/*
 * The backend that is asked for (NULL or "auto": the first of this platform that
 * can be used). Refuses, telling for each what is missing.
 */
void	backend_choose(struct backend *, const char *asked, bool weaker,
	    bool verbose);
/* Runs "vm-NAME sweep"; what it says goes to standard error. */
void	backend_sweep(const struct backend *);

/* ---- run.c: one job ---- */

struct job {
	struct chain	chain;
	struct backend	backend;
	const char	*image, *digest;
	const char	*cache;			/* for booted guests, or NULL */
	char		**argv;
	char		**shown;		/* -r, -w, --closure, with arguments */
	size_t		nshown;
	bool		snapshot;		/* keep the booted guest for the next run */
	bool		build;		/* it builds the program: see x07-vmrun(1) */
	bool		x07;		/* made by the X07 compiler */
	bool		net;			/* the policy lists hosts */
	int64_t		wall_ms, memory, cpus;
	int64_t		deadline_ms, grace_ms;	/* since 1970; the latter a span */
	int64_t		not_after_ms;		/* --deadline, 0: none */
	int64_t		log_bytes;		/* the guest may send, 0: any */
	char		run_id[64], id[96];		/* the latter with the phase */
	char		instance[64];			/* ri-HEX */
	char		*state, *dir;		/* of all jobs, of this one */
	int		view_fd, env_fd, net_fd;
	struct outfile	usage;			/* -u */
	pid_t		relay;			/* host's netgate, or 0 */
};

/* Whether the backend can do what the policy says. Refuses, before anything is made. */
void	job_check(struct job *);
/* Runs it; returns the exit status. */
int	job_run(struct job *);

/* ---- dir.c: the job's directory ---- */

/* Sweeps what others left, starts the reaper, makes it. Refuses. */
void	dir_make(struct job *);
/* Everything is over: nothing stays. */
void	dir_remove(struct job *);

/* ---- usage.c: what the program used ---- */

/*
 * Puts what the guest's x07-limit reported into usage, when it is one that
 * x07-limit could have written; when it is none, and status is
 * EXIT_TIMELIMIT, that the time was up; else nothing.
 */
void	usage_write(struct job *, int status);

/* ---- prepare.c: what the driver is handed ---- */

/* Sealed: the files the program sees, and its environment by env.*. Refuse. */
int	prepare_view(const struct job *);
int	prepare_environment(const struct job *);
/* Starts the relay on this side of the byte channel. Returns its end. Refuses. */
int	prepare_network(struct job *);

#endif
