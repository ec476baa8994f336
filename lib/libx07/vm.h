/*
 * vm.h - what x07-vmrun and its drivers share: x07-vm-driver(8).
 */
#ifndef VM_H
#define VM_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vm_list {
	const char	**list;		/* ends in NULL */
	size_t		n, space;
};

/* Appends; the string is not copied. */
void	vm_list_add(struct vm_list *, const char *);

/* What the verb run was told; strings are of argv, or NULL. */
struct vm_run {
	const char	*id, *dir, *image, *digest, *cwd, *phase, *cache;
	int64_t		deadline_ms;	/* since 1970 */
	int64_t		grace_ms, wall_ms;
	int64_t		memory, cpus;	/* 0: not said */
	int64_t		stdout_bytes, stderr_bytes, total_bytes;	/* 0: no cap */
	int64_t		audit_bytes;	/* the same of the audit log */
	int64_t		clock;		/* -1: the time of this machine */
	int		policy_fd, view_fd, env_fd;
	int		net_fd, audit_fd;	/* -1: none */
	bool		tty, usage, weaker, quiet, verbose;
	struct vm_list	gates, labels;	/* labels: KEY=VALUE */
	char		**argv;		/* program, arguments, NULL */
};

struct vm_driver {
	const char	*name;		/* "qemu": executable vm-qemu */
	int		(*probe)(bool verbose);
	int		(*run)(const struct vm_run *);
	/* grace_ms 0: at once. */
	int		(*kill)(const char *id, const char *dir, int64_t grace_ms);
	int		(*sweep)(void);
};

/*
 * The main function of a driver: checks the command line, calls the verb, returns
 * its exit status. Every descriptor that is not named on the command line is
 * closed or close-on-exec by then, and the named ones are close-on-exec.
 */
int	vm_driver_main(const struct vm_driver *, int argc, char *argv[]);

/* True for a run id. */
bool	vm_id_valid(const char *);
/* True for "sha256:" and 64 lower-case hexadecimal digits. */
bool	vm_digest_valid(const char *);

/*
 * The path of a program of the suite, bin or libexec, in malloced memory. When there is
 * none the first returns NULL, the second refuses.
 */
char	*vm_find_tool(const char *name);
char	*vm_tool(const char *name);

/* The whole of a sealed file, in malloced memory, a NUL behind it. Refuses. */
char	*vm_load_fd(int fd, size_t *len);

/*
 * The line that a driver says when the guest has sent more than audit_bytes: the run
 * is ended, since what is not written down any more is what a program that wants to
 * hide something fills the log for.
 */
void	vm_say_log_full(const struct vm_run *);
/* And when they cannot be written, for the reason err: it is ended just as well. */
void	vm_say_log_lost(int err);

/* ---- jobs ---- */

/*
 * Keeps in the job's directory which runtime it is that has the job: the variables that
 * decide it, for whoever ends the job with others. -1 with errno.
 */
int	vm_job_remember(int dir);
/*
 * Ends what is left of the job in DIR: asks its driver to kill it, and removes the
 * directory. -1 when the driver cannot, or something stays.
 */
int	vm_job_end(const char *dir, int64_t grace_ms);
/*
 * Takes the job in DIR over from an x07-vmrun that is gone: its lock, for as long as the
 * descriptor returned is open. -1 with errno: EWOULDBLOCK when somebody has it, ENOENT
 * when it is half made or half removed and has no lock.
 */
int	vm_job_take(const char *dir);
/* Ends every job below state that nobody has. */
void	vm_job_sweep(const char *state);

/* ---- the view ---- */

enum vm_kind {
	VM_READ, VM_WRITE,		/* path, source, dev, ino */
	VM_LINK, VM_TEXT,		/* path, text */
	VM_EMPTY, VM_HIDE,		/* path */
};

struct vm_item {
	enum vm_kind	kind;
	const char	*path, *text, *source;
	unsigned long long dev, ino;
	bool		root;		/* the policy lists it */
};

/* Reads the list on fd. Refuses when it is damaged. */
struct vm_item	*vm_view_load(int fd, size_t *n);

/* True when the policy lists hosts: then the guest has a byte channel. */
bool	vm_has_channel(const struct vm_run *);

/* ---- for container runtimes ---- */

struct vm_mount {
	const char	*source, *target;
	bool		read_only;
};

/*
 * What the container gets to see: the job's directories, the gates, the roots of
 * the view, and the program unless it lies in a root or in the image (no file of
 * that name here). Refuses a path with ',' or a control character, which the
 * runtimes' --mount cannot carry, and a source that was replaced.
 */
struct vm_mount	*vm_mounts(const struct vm_run *, size_t *n);

/* What is to be run in the container; ends in NULL. Constant. */
char *const	*vm_command(void);

/* Writes DIR/in/request and DIR/in/policy, which vm_command() reads. Refuses. */
void	vm_write_request(const struct vm_run *);

/*
 * The request for the guest, "key=value" strings that each end in NUL, in malloced
 * memory: see vm-qemu/proto.h for the keys. share is NULL in containers.
 */
char	*vm_request(const struct vm_run *, const char *share, size_t *len);

#endif
