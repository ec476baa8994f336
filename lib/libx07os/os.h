/*
 * os.h - the duties a platform must fulfil, and nothing else.
 *
 * Every duty either holds or fails: -1 with errno (ENOTSUP when the platform
 * or this kernel cannot), and then the gate refuses. none.c is the empty
 * platform. Include law: gates include this, libx07 never does.
 */
#ifndef X07_OS_H
#define X07_OS_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- descriptors and own hardening ---- */

/*
 * A read-only, unlinked copy of len bytes that nobody can change: a sealed
 * memfd on Linux (memfd_create(2), F_ADD_SEALS). Returns a close-on-exec
 * descriptor.
 */
int	os_seal(const void *buf, size_t len);

/*
 * A file that has no name, to write a program into and to become it: nobody can
 * change it any more when it runs. os_program_exec returns only when it fails, with
 * errno; it is not for scripts. memfd_create(2), execveat(2).
 */
int	os_program_open(void);
void	os_program_exec(int fd, char *const argv[], char *const envp[]);

/*
 * A directory in memory, empty, that only this process and those it starts see, and
 * that is gone with the last of them. Everything else stays where it is, but for what the
 * directory covers. Returns its path, constant, or NULL with errno.
 * mount_namespaces(7).
 */
const char	*os_place(void);

/*
 * Marks every descriptor from 3 up close-on-exec, except the n in keep, which
 * are made inheritable. close_range(2).
 */
int	os_keep_fds(const int *keep, size_t n);

/*
 * For a supervisor, whose limits nobody holds while it waits for a reader: from here on
 * what note(), audit_verdict() and write_line() write to a pipe that is full, or a terminal
 * that is stopped, is lost with EAGAIN, whoever else writes to it. Ignores SIGPIPE.
 */
int	os_never_wait(void);

/* Closes every descriptor from 3 up except the n in keep, at once. */
int	os_close_fds(const int *keep, size_t n);

/*
 * Makes this process unreadable and untraceable for the program: not dumpable,
 * no core. PR_SET_DUMPABLE in prctl(2); lost at exec, so for supervisors only.
 */
int	os_hide(void);

/*
 * This process gets SIGKILL when its parent (which must be ppid) dies. Fails
 * with ESRCH when it is gone already. PR_SET_PDEATHSIG in prctl(2).
 */
int	os_die_with_parent(pid_t ppid);

/* ---- what every gate puts round its program ---- */

/*
 * A bit per thing the static filter can refuse. They are refused for every
 * descendant, for good, and no later gate can take them back.
 */
enum {
	OS_DENY_DEFAULT = 1 << 0,	/* TIOCSTI, TIOCLINUX, io_uring, foreign syscall ABIs,
					 * bpf, perf, userfaultfd, keyrings, modules, ... */
	OS_DENY_FAMILIES = 1 << 1,	/* socket families but UNIX, INET, INET6, NETLINK_ROUTE */
	OS_DENY_USERNS = 1 << 2,	/* new user namespaces, setns, clone3 (ENOSYS) */
	OS_DENY_MEMEXEC = 1 << 3,	/* memfd_create, memfd_secret, execveat(AT_EMPTY_PATH) */
	OS_DENY_FORK = 1 << 4,		/* fork, vfork, clone without CLONE_THREAD */
	OS_DENY_RENAME = 1 << 5,	/* rename*, link* */
	OS_DENY_MOUNT = 1 << 6,		/* mount, umount, pivot_root, move_mount, fsopen, ... */
	OS_DENY_SYMLINK = 1 << 7,	/* symlink* */
	OS_DENY_REMOVE = 1 << 8,	/* unlink*, rmdir */
	OS_DENY_MKDIR = 1 << 9,		/* mkdir* */
	OS_DENY_PTRACE = 1 << 10,	/* ptrace, process_vm_*, pidfd_getfd, kcmp altogether,
					 * the limits of other processes */
	/*
	 * Denies nothing: no Landlock domain here, because one with file rights and the
	 * same scopes is entered as well, by this gate or by the one that follows. Any
	 * domain denies renaming between directories unless it says otherwise, and one
	 * that says so forbids the mounts of later gates.
	 */
	OS_SCOPED_ELSEWHERE = 1 << 11,
	/*
	 * Set-user-ID and set-group-ID bits on any file. os_confine() does it
	 * with OS_DENY_DEFAULT, unless a gate follows.
	 */
	OS_DENY_SETID = 1 << 16,
	/* The same, and what a gate needs to map uid 0 again is kept for it. */
	OS_GATE_FOLLOWS = 1 << 13,
	/*
	 * Denies nothing: root keeps what it takes to map uid 0 into further user
	 * namespaces, for gates and sandboxes that the program may start.
	 */
	OS_MAY_NEST = 1 << 20,
	OS_DENY_TRUNCATE = 1 << 14,	/* truncate by name */
	OS_DENY_RESERVE = 1 << 17,	/* room for a file past its end, which no limit of
					 * file sizes (RLIMIT_FSIZE) counts */
	OS_DENY_THREADS = 1 << 15,	/* clone with CLONE_THREAD, clone3 (ENOSYS) */
	OS_DENY_CLONE3 = 1 << 18,	/* clone3 (ENOSYS): with a descriptor of another control
					 * group a child starts in that */
	OS_DENY_RINGS = 1 << 19,	/* sockets whose buffers are memory that no control
					 * group counts: packets, XDP */
	OS_DENY_GROUP = 1 << 12,	/* kill(0, ...) and the group's priorities, see
					 * os_tree.shares_group */
};

/*
 * Confines this process and all it will start: no_new_privs, capabilities
 * dropped down to file ownership and identity ones, a Landlock domain that
 * keeps ptrace, signals and abstract sockets inside itself (ABI 6; on older
 * kernels OS_DENY_PTRACE instead), and the static filter of the given bits. It must
 * not stop: ordinary threads, fork, exec, sockets, a later gate making its own
 * namespaces (unless OS_DENY_USERNS). Calling it again adds bits.
 */
int	os_confine(unsigned deny);

/* Drops every capability, also from the bounding set. Last thing before exec. */
int	os_drop_caps(void);

/*
 * One sentence telling why making namespaces failed on this machine and what
 * the administrator can do (sysctl, AppArmor profile, container flag), for errno
 * err. Constant memory.
 */
const char	*os_namespace_hint(int err);

/* ---- only these programs ---- */

enum os_exec_kind {
	OS_EXEC_FILE,		/* this file may be executed; cannot be written */
	OS_EXEC_TREE,		/* the same for every file beneath this directory */
	OS_EXEC_TREE_RW,	/* the same, but they can be written */
	OS_EXEC_LIBS,		/* files beneath may be mapped as code, not executed */
	OS_EXEC_LOADER,		/* the kernel may load it for another program; it
				 * cannot be executed by name */
};

struct os_exec_item {
	enum os_exec_kind kind;
	char	*path;		/* as resolved, without links */
	dev_t	dev;
	ino_t	ino;
	bool	is_dir;
	bool	is_file;
	bool	is_exec;	/* has an execute bit */
	int	fd;		/* of os_exec_open(); a plan needs none */
	int	source;		/* these four are the platform's own */
	int	clone;
	bool	mounted;
	bool	copied;
};

struct os_watch;

struct os_exec_plan {
	struct os_exec_item	*items;		/* in malloced memory; gets sorted */
	size_t			 n;
	unsigned		 deny;		/* OS_DENY_ bits */
	bool			 once;		/* no child, no exec after the program's own */
	bool			 mdwe;		/* no memory both written and executed */
	bool			 dry;		/* only watch, deny nothing */
	bool			 trace;		/* also judge what was started; needs watch */
	int			 landlock_fd;	/* ruleset of an outer gate, else -1 */
	const struct os_watch	*watch;		/* NULL: deny silently */
};

/*
 * Gives this process the namespaces in which it can be confined: call before
 * os_exec_open(). ENOTSUP: no Landlock. user_namespaces(7), landlock(7).
 */
int	os_exec_begin(void);

/*
 * Resolves path once: fills all but kind. Links are followed, magic links of
 * /proc are not. openat2(2).
 */
int	os_exec_open(struct os_exec_item *, const char *path);

/*
 * Forks a watcher, a process that is told what the program tries. Returns 1 in it,
 * with all descriptors closed but standard error and the n in keep (at most 2), 0
 * in the program to be. Before os_exec_begin(), so that the watcher stays outside.
 */
struct os_watch {
	int	sock;		/* to the other side */
	pid_t	program;	/* in the watcher */
};
int	os_watch_start(struct os_watch *, const int *keep, size_t n);

enum os_event_kind {
	OS_EVENT_EXEC,		/* is about to execute path */
	OS_EVENT_SPAWN,		/* is about to make a child process, against once */
	OS_EVENT_STARTED,	/* traced: has executed object, and has not run yet */
};

struct os_event {
	enum os_event_kind		 kind;
	pid_t				 pid;
	const char			*path;		/* EXEC */
	const struct os_exec_item	*object;	/* EXEC: what path names, NULL: nothing;
							 * STARTED: the file that runs */
	int				 error;		/* why path names nothing */
	bool				 spawn;		/* EXEC, traced: the process has not
							 * executed anything before */
	char *const			*argv, *const *envp;	/* STARTED */
	const char			*cwd;		/* STARTED */
};

/*
 * Judges an event: 0 lets it go on, which for an exec means that the other
 * layers decide, not this one; else the errno that the call fails with. What
 * has started is killed.
 */
typedef int os_judge(const struct os_event *, void *);

/*
 * The watcher's life: takes the plan that the program is confined to (items,
 * once) and has every event judged, until nobody is left to watch. If it
 * dies, what it was to judge fails, and what it traced is killed.
 */
_Noreturn void	os_watch_serve(struct os_watch *, struct os_exec_plan *,
	    os_judge *, void *);

/*
 * For the judge of a traced EXEC: how many programs were started or are about to be, by
 * processes that had started none, and how many of these live; without the program
 * itself. Exact when they may be limit or more, else an upper bound.
 */
size_t	os_watch_spawns(size_t limit);
size_t	os_watch_live(size_t limit);

/* True when fd is a Landlock ruleset, as an outer gate hands it over. */
bool	os_exec_is_ruleset(int fd);

/*
 * True when fd is a memory file that can be executed: such a file is on no mount and
 * in no directory, so os_exec_run() does not stop its execution. memfd_create(2)
 */
bool	os_exec_is_memory(int fd);

/*
 * Confines this process to the plan and becomes the program; all descriptors
 * from 3 up are closed, all capabilities dropped. It must stop: the execution of
 * any file that is not in the plan, by the kernel or by a loader, memory
 * files, new namespaces and mounts. It must not stop: fork, threads, mapping
 * libraries of OS_EXEC_LIBS, scripts whose interpreter is in the plan. With a
 * watcher denials can be told; EBUSY: an outer process watches already. Returns
 * only on failure: *stage names the layer, or is NULL when it was the exec.
 */
int	os_exec_run(struct os_exec_plan *, const char *path, char *const argv[],
	    const char **stage);

/* ---- the files a program sees ---- */

enum {
	OS_PATH_BENEATH = 1 << 0,	/* symbolic links must stay below base */
	OS_PATH_NOLINKS = 1 << 1,	/* there must be none on the way */
};

/*
 * Opens path, relative to the directory base, as a handle that can be put into
 * a view but not read. A symbolic link as last component fails with ELOOP, leaving
 * base with EXDEV; links of /proc are never followed. openat2(2).
 */
int	os_path_open(int base, const char *path, unsigned flags);

/*
 * Calls f for every place where a file system is mounted that is the kernel itself (proc,
 * sysfs, cgroups and their like), until it returns other than 0; returns that, or -1 with
 * errno. proc(5), /proc/self/mounts.
 */
int	os_kernel_mounts(int (*f)(const char *point, void *), void *arg);

enum os_view_kind {
	OS_VIEW_READ,		/* the file or tree fd names, with all mounted below, read-only */
	OS_VIEW_WRITE,		/* the same, writable where the caller may write */
	OS_VIEW_LINK,		/* a symbolic link to text */
	OS_VIEW_TEXT,		/* a file that holds text, read-only */
	OS_VIEW_EMPTY,		/* an empty directory over what is there; items may lie in it */
	OS_VIEW_HIDE,		/* covers a file or directory so that nothing of it is seen */
	OS_VIEW_SCRATCH,	/* a private directory in memory, like /tmp */
	OS_VIEW_DEV,		/* null zero full random urandom tty pts ptmx shm */
	OS_VIEW_PROC,		/* the processes of this pid namespace */
};

struct os_view_item {
	enum os_view_kind	kind;
	const char		*path;	/* where it is seen: absolute, normalised */
	const char		*text;	/* LINK, TEXT */
	int			fd;	/* READ, WRITE: from os_path_open; -1: what is at
					 * path, which must be free of links */
	bool			root;	/* the policy names it: os_view.may applies */
};

enum {
	OS_MAY_SYMLINK = 1 << 0,	/* make symbolic links */
	OS_MAY_MKDIR = 1 << 1,
	OS_MAY_REMOVE = 1 << 2,		/* needed for rename too */
	OS_MAY_RENAME = 1 << 3,		/* and link, between directories */
	OS_MAY_LIST = 1 << 4,		/* read directories */
};

struct os_view {
	const struct os_view_item	*items;	/* sorted: parents before what is in them */
	size_t				n;
	int64_t				scratch_bytes;	/* size of each SCRATCH and of /dev/shm */
	unsigned			may;	/* OS_MAY_*, in the root items */
	bool				next_gate;	/* x07-execgate comes next: leave it what it
							 * needs to make its own namespaces */
};

/*
 * Replaces all that this process sees of the file system by the items, for good, and
 * gives it System V IPC of its own. Needs the private mount namespace of
 * os_tree_spawn(OS_TREE_MOUNT), where the items' handles must have been opened. The
 * current directory becomes "/". -1 with errno and the path that failed in *what; the
 * process must then exit. mount_namespaces(7), open_tree(2), mount_setattr(2),
 * pivot_root(2).
 */
int	os_view_enter(const struct os_view *, const char **what);

/*
 * Mounts the same tree at the directory dir instead, and leaves the rest as it is: for a
 * server that hands it to a guest. DEV, PROC and SCRATCH have no meaning there.
 */
int	os_view_at(const struct os_view *, const char *dir, const char **what);

/*
 * The rights that belong to the view entered, as a ruleset to be entered (Landlock):
 * writing only below WRITE, SCRATCH and /dev, of that only what may says, and nothing at
 * all outside the view, so that a handle from outside opens nothing. Where this kernel's
 * rulesets are too old for all of it, *deny is what os_confine has to deny
 * beside it. Returns a close-on-exec descriptor, or -1 with errno (ENOTSUP: no Landlock).
 */
int	os_view_ruleset(const struct os_view *, unsigned *deny);

/*
 * Enters a ruleset for good; -1 with EBADFD when fd is something else. Needs
 * no_new_privs (os_confine).
 */
int	os_ruleset_enter(int fd);

/*
 * Caps the size a file may reach by writing; past it write(2) fails with
 * EFBIG. RLIMIT_FSIZE, SIGXFSZ ignored. Needs OS_DENY_RESERVE beside it.
 */
int	os_limit_file_size(int64_t bytes);

/* ---- virtual machines ---- */

/*
 * 0 when the processor itself runs guests for this process; -1 with errno when not: as of
 * open(2) of /dev/kvm, or ETIME when something emulates them there, slowly.
 */
int	os_vm_accel(void);

/*
 * Takes network, System V IPC and host name away from this process: empty ones
 * of its own. Inside a tree of os_tree_spawn.
 */
int	os_vm_enclose(void);

/*
 * Before becoming a server of files that is written to be run by root: what we may do in
 * our user namespace survives the exec, and giving up groups, which the
 * kernel does not let an ordinary user do there, seems to work: they are the user's own.
 * Whoever asks, it makes no set-user-ID file, and nothing of deny (OS_DENY_...).
 */
int	os_vm_serve(unsigned deny);

/*
 * Confines a process that becomes a machine emulator: of all files it may read
 * those at and below reads, and write to and cut the files of writes (lists that end
 * in NULL; what is not there is skipped). No capability, no namespace, no ptrace.
 * It must not stop: descriptors it has, KVM, threads, memory files.
 *
 * serves, unless NULL, is a directory that the emulator serves to its guest: below it
 * everything but deny (OS_DENY_...) and set-user-ID files, with the capabilities
 * that this process has.
 */
int	os_vm_confine(const char *const *reads, const char *const *writes,
	    const char *serves, unsigned deny);

/* ---- sums over a whole tree ---- */

enum {
	OS_SUM_CPU = 1 << 0,		/* CPU time is counted, also of processes long gone */
	OS_SUM_MEM = 1 << 1,		/* memory is counted and capped */
	OS_SUM_TASKS = 1 << 2,		/* processes and threads are counted and capped */
	OS_SUM_KILL = 1 << 3,		/* all can be killed as one, or held still for that */
};

struct os_usage {
	int64_t	cpu_us;			/* user and system, microseconds */
	int64_t	mem_peak;		/* bytes; 0: not known */
	int64_t	oom_kills;		/* processes killed for memory */
	int64_t	tasks, tasks_peak;	/* 0: not known */
	int64_t	forks_refused;
};

/*
 * A group of processes that the kernel accounts and caps as one, for a tree
 * that is still to be started: control groups, cgroups(7), version 2 where delegated
 * to us, else version 1 where writable. Makes what it can of the wanted
 * OS_SUM bits; mem_bytes and tasks are the caps. NULL with ENOTSUP when it
 * can make none of them.
 */
struct os_group;
struct os_group	*os_group_make(unsigned want, int64_t mem_bytes, int64_t tasks);
/* The OS_SUM bits that hold in the group; 0 for NULL. */
unsigned	 os_group_holds(const struct os_group *);
/* What accounts for one of these bits: "cgroup v2 memory". Constant. */
const char	*os_group_how(const struct os_group *, unsigned bit);
/*
 * Reads the sums that the group holds; other members are left alone. -1 when it does not
 * hold them any more.
 */
int		 os_group_usage(const struct os_group *, struct os_usage *);
/* Removes the group, which must be empty of processes. */
int		 os_group_remove(struct os_group *);

/*
 * Moves up to len bytes from one descriptor to another, without a copy where
 * one of them is a pipe and the kernel can, else by a buffer. Waits for the first
 * byte and then for room. As read(2): 0 is end of file. -1 with EPIPE: nobody
 * reads. Needs SIGPIPE ignored or blocked. splice(2)
 */
ssize_t	os_pump(int from, int to, size_t len);
/* Gives a pipe room for many bytes, where the kernel lets us; other files none. */
void	os_pump_room(int fd);

/* ---- a process tree that dies as one ---- */

enum {
	OS_TREE_MOUNT = 1 << 0,		/* also a private mount namespace */
	OS_TREE_PROC = 1 << 1,		/* fresh /proc for the new pid namespace (needs MOUNT);
					 * left alone where the kernel does not let us */
	OS_TREE_SAME_USER = 1 << 2,	/* no user namespace; needs CAP_SYS_ADMIN */
	OS_TREE_SWEPT = 1 << 3,		/* no namespace at all; alone of these */
};

struct os_tree {
	pid_t	init;		/* pid of the tree's init as the supervisor sees it */
	pid_t	last;		/* the child of ours that ends last: init or its reaper */
	pid_t	supervisor;	/* as the program sees it, in a tree that is swept */
	pid_t	group;		/* the program's own, of a tree that is swept; 0: none */
	int	pidfd;		/* readable when the whole tree is gone */
	int	status;		/* socket to init */
	int	signals;	/* signals for the supervisor arrive here */
	int	stop;		/* the signal of OS_TREE_STOP */
	int64_t	ids;		/* the kernel knows no more tasks than that inside; 0: any */
	/*
	 * The program is in our process group, because of the terminal: then
	 * kill(0, ...) would reach us and our neighbours, unless a Landlock
	 * domain or OS_DENY_GROUP forbids it. Else it has one of its own.
	 */
	bool	shares_group;
};

/* How a tree ended. */
struct os_tree_end {
	int		wstatus;	/* of the program, as from waitpid(2) */
	bool		unreported;	/* as init ended the tree, or was killed */
	int64_t		user_us;	/* CPU time of all reaped processes, microseconds */
	int64_t		sys_us;
	int64_t		maxrss;		/* largest resident set of one process, bytes */
};

/*
 * Splits this process in three: the supervisor (returns 1, outside), an init
 * that reaps and never returns, and the program to be (returns 0) inside a new
 * pid namespace (pid_namespaces(7)) that dies as a whole when init dies. init
 * ends it when the supervisor dies. A user namespace of its own keeps the
 * supervisor out of the program's reach. -1 with errno: nothing was started.
 * The signals that are passed on stay blocked in the supervisor.
 */
int	os_tree_spawn(struct os_tree *, unsigned flags);

/* Becomes the program, or exits; never returns. */
typedef void	os_tree_program(void *arg, const struct os_tree *);

struct os_tree_plan {
	unsigned	 flags;
	struct os_group	*group;		/* for the program, or NULL */
	int64_t		 life_ms;	/* 0: for ever */
	int64_t		 ids;		/* process ids that are enough; 0: as many as there are */
	os_tree_program	*run;		/* or NULL */
	void		*arg;
};

/*
 * The same with the program inside a group (or NULL), which the tree
 * cannot leave or change; needs OS_TREE_MOUNT then. When the supervisor dies,
 * init removes the group too. At life_ms (0: never) init ends the tree by
 * itself, whatever happens to the supervisor; where it is stopped too, the kernel kills
 * the supervisor somewhat later, and so the tree.
 *
 * With ids the program finds about so many process ids, until uid 0 raises that, where pid
 * namespaces have a number of their own (Linux 6.14): a cap on tasks that is not exact,
 * see struct os_tree.
 *
 * With run the program to be calls that instead of returning. It may do so in init's
 * memory, while init waits, and be done the quicker: so run execs or exits, and leaves
 * nothing changed behind that it does not need itself.
 *
 * OS_TREE_SWEPT is for where there are no namespaces (ENOTSUP: no /proc to do it
 * with either). The tree ends as well, when init does: the kernel kills the
 * program, and the reaper, which the kernel gives all orphans, looks for the rest in
 * /proc and kills it. But the program sees the processes around it and, where
 * os_tree_confine() finds no Landlock for that, may stop a supervisor that has
 * threads, by the number of one. The group it could leave, if it may write to that.
 */
int	os_tree_spawn_in(struct os_tree *, const struct os_tree_plan *);

/*
 * os_confine() for the program of a tree that is swept: the supervisor, init and the
 * reaper are kept from its signals too.
 */
int	os_tree_confine(const struct os_tree *, unsigned deny);

/*
 * What the supervisor does once the program runs: closes every descriptor from 3
 * up except the n in keep and those of the tree and the group, becomes
 * unreadable and untraceable, and drops every capability but what the group's
 * removal takes, or with files, making files where root could.
 */
int	os_tree_settle(const struct os_tree *, const struct os_group *, bool files,
	    const int *keep, size_t n);

/*
 * Sends sig to the program, unless it got the same signal already as a member of
 * our process group (from the terminal, or by kill(2) of the group). What was
 * sent to our group goes to the program's group, where it has its own.
 */
int	os_tree_signal(const struct os_tree *, int sig);

/* The chain exit status (own, or 128+n) of a status as from waitpid(2). */
int	os_tree_exit_status(int wstatus);

/* SIGKILL to everything in the tree. Does not wait. */
int	os_tree_kill(const struct os_tree *);

struct pollfd;
enum os_tree_event {
	OS_TREE_ENDED,		/* all of the tree is gone: os_tree_reap() */
	OS_TREE_TIMEOUT,
	OS_TREE_READY,		/* a descriptor of the caller's */
	OS_TREE_STOP,		/* we were asked to stop: os_tree_stop() */
};

/*
 * Waits for the tree, for one of the n descriptors or for timeout_ms (-1: for
 * ever), as poll(2) does, and passes on signals that were sent to this process:
 * HUP INT QUIT TERM USR1 USR2 WINCH CONT TSTP TTIN TTOU.
 */
enum os_tree_event	os_tree_poll(struct os_tree *, struct pollfd *, size_t n,
			    int64_t timeout_ms);

/*
 * Stops this process as the signal that os_tree_poll passed on would have, so
 * that a job control shell sees it. Returns when it was continued or the tree
 * has ended meanwhile.
 */
void	os_tree_stop(struct os_tree *);

/* Takes the tree's end from the kernel, once, after OS_TREE_ENDED. */
void	os_tree_reap(const struct os_tree *, struct os_tree_end *);

/* One process of a tree. */
struct os_proc {
	pid_t	pid;
	pid_t	parent;
	int64_t	born;		/* with pid: names one process */
	int64_t	age_ms;
	int64_t	cpu_us;		/* its own CPU time */
	int64_t	waited_us;	/* CPU time of the children it has waited for */
	int64_t	threads;
	int64_t	rss;		/* resident bytes, shared ones included */
	pid_t	thread;		/* one that lives: the first, or else another */
	bool	zombie;		/* no thread lives */
	bool	leader;		/* of its process group */
	char	name[16];	/* untrusted */
};

/*
 * Lists the processes of the tree, init first (its waited_us holds what it
 * reaped), the others in no order. Sets *list to an array of *n that the next
 * call reuses: start with NULL and 0. Returns the number of processes, -1 with
 * ENOTSUP where they cannot be seen. A moment's view: what forks or exits
 * meanwhile may be missing. When there are more than most (0: any number) that are
 * no zombies, some are missing too.
 */
ssize_t	os_tree_list(const struct os_tree *, struct os_proc **list, size_t *n,
	    size_t most);

/*
 * The tasks of this real user on the machine, as far as /proc shows them: what
 * RLIMIT_NPROC counts, see getrlimit(2). -1 with errno.
 */
int64_t	os_user_tasks(void);

/*
 * The memory of a process, bytes: what it shares with others in parts; files it
 * maps not counted. -1 when it is gone or cannot be told.
 */
int64_t	os_proc_memory(const struct os_proc *);

/* Sends a signal to just this process, never to a later one of its number. */
int	os_proc_signal(const struct os_proc *, int sig);

/*
 * Waits for the program and then for the tree, passing on signals and stopping
 * with the program. Returns the chain exit status (the program's own, or 128+n).
 */
int	os_tree_wait(struct os_tree *);

/* ---- what this machine has ---- */

enum os_feature {
	OS_HAS_GATES,		/* the platform has gates at all; costs nothing to ask */
	OS_HAS_NAMESPACES,	/* namespaces can be made */
	OS_HAS_EXEC_RULES,	/* execution can be ruled file by file */
	OS_HAS_OWN_IDS,		/* a pid namespace has process ids of its own number */
};

/*
 * 0 when this process could use the feature now; -1 with errno when not. For
 * telling people only: a gate tries the thing itself and refuses.
 */
int	os_probe(enum os_feature);

/* One thing of the kernel's that the suite stands on, looked at or tried. */
struct os_finding {
	const char	*name;		/* "user namespaces" */
	enum os_state {
		OS_STATE_OK,
		OS_STATE_WEAKER,	/* the gates do without, and with less */
		OS_STATE_MISSING,	/* no gate runs without it */
	}		 state;
	const char	*detail;	/* what was found */
	const char	*fix;		/* the command that would change it, or NULL */
};

/*
 * Tells each finding, the gates' own and not of programs beside the kernel. What is
 * tried is tried in a child, and undone. root: fixes need no sudo(8).
 */
void	os_examine(void (*tell)(void *, const struct os_finding *), void *arg,
	    bool root);

/* ---- an empty network with one door ---- */

/*
 * The network of the program: every address is local to it, and behind
 * all of them stands nobody, so that the kernel itself refuses each connection
 * at once. The relay, which stays outside, listens on the addresses that are allowed
 * and holds the wire's end: it sees each opening packet for a listener
 * of its own and lets it in (os_net_admit) only when the other side
 * has answered.
 */
struct os_net {
	int	userns, netns;	/* where new sockets are to be made */
	int	tcp[2];		/* raw, IPv4 and IPv6 (-1: no IPv6 here) */
	int	icmp[2];
	int	stray, routes;	/* -1, unless open */
};

/*
 * Moves this process into such a network and into a private mount
 * namespace. open makes another network, for a dry run: what is not for a listener
 * is not refused (over IPv4) but lost, and told of (OS_NET_STRAY on net->stray), so
 * that os_net_take can still make it go through. network_namespaces(7), raw(7), packet(7).
 */
int	os_net_enter(struct os_net *, bool open);

/*
 * Makes the C library ask nobody but the name server at address for names:
 * other ways to a resolver are covered up in the private mount namespace.
 */
int	os_net_names(const char *address);

/* Makes n sockets inside the network, from outside, through a short-lived child. */
int	os_net_sockets(const struct os_net *, int family, int type, int *fds,
	    size_t n);

/*
 * Binds a socket of the network to any address and port and listens. With
 * hold no connection is let in but through os_net_admit, and one that is closed ends
 * with a reset (SO_LINGER of 0) unless that is taken back. A datagram socket for
 * all addresses may stand beside others for one.
 */
struct sockaddr;
int	os_net_listen(int fd, const struct sockaddr *, bool hold);

struct os_flow {
	int		family;			/* AF_INET or AF_INET6 */
	unsigned char	src[16], dst[16];	/* network byte order */
	uint16_t	sport, dport;		/* host byte order */
};

struct os_net_event {
	enum {
		OS_NET_NOTHING,		/* a packet that means nothing */
		OS_NET_OPENS,		/* opening packet of a connection */
		OS_NET_REFUSED,		/* nobody listened on flow.dst:dport */
		OS_NET_NO_PORT,		/* the same, for a UDP datagram */
		OS_NET_STRAY,		/* opening packet or datagram that is lost */
	}		kind;
	struct os_flow	flow;
	bool		udp;
	size_t		len;		/* OPENS: the TCP header, for os_net_admit */
	unsigned char	tcp[60];
};

/*
 * Makes a destination of an open network local, so that a listener gets what is for
 * it. -1 with EEXIST: it is already.
 */
int	os_net_take(const struct os_net *, const struct os_flow *, bool udp);

#define OS_NET_BATCH	16

/*
 * Takes up to OS_NET_BATCH events from fd, one of net's raw sockets. Returns
 * their number, less when there are no more now; -1 with errno.
 */
int	os_net_events(const struct os_net *, int fd,
	    struct os_net_event ev[OS_NET_BATCH]);

/* Puts a held opening packet on the wire again, past the hold. */
int	os_net_admit(const struct os_net *, const struct os_net_event *);

/*
 * Answers a held opening packet with an error, so that connect(2) fails with err
 * or what a network would say for it.
 */
int	os_net_reject(const struct os_net *, const struct os_net_event *, int err);

/* The same for a datagram. */
int	os_net_unreachable(const struct os_net *, const struct os_flow *, int err);

/*
 * Receives a datagram of the program on a socket of os_net_listen, and where it was
 * meant for; sends an answer back on the flow. As recv(2) and send(2), without waiting.
 */
ssize_t	os_net_recv(int fd, void *buf, size_t len, struct os_flow *);
ssize_t	os_net_answer(int fd, const void *buf, size_t len, const struct os_flow *);

/*
 * Descriptors through which os_net_listeners() can see, later and from
 * anywhere, who listens in the network this process is in now. proc(5), /proc/net/tcp
 */
int	os_net_tables(int fds[2]);
/* Calls fn for each TCP listener: its address, all zero for any, and port. */
int	os_net_listeners(const int fds[2], void (*fn)(void *, int family,
	    const unsigned char *addr, uint16_t port), void *arg);

/*
 * Connects a fresh socket of the network from src:sport, any address, to
 * dst:dport. As connect(2), without waiting.
 */
int	os_net_connect(int fd, const struct os_flow *);

/*
 * Confines the relay itself, which talks to a hostile program: no exec, no
 * files but the resolver's configuration, no capabilities outside. Connecting, and
 * making sockets in a network it owns, go on.
 */
int	os_relay_confine(void);

/* A descriptor that becomes readable when process pid ends. pidfd_open(2) */
int	os_process_fd(pid_t pid);

#define OS_FDS_MAX	64	/* descriptors of one message */

/* Passes n descriptors (0: an empty message) over a Unix socket. unix(7), SCM_RIGHTS */
int	os_send_fds(int sock, const int *fds, size_t n);
/*
 * Takes one such message. Returns the number of descriptors, which are
 * close-on-exec, or -1 (EPIPE: the other side is gone).
 */
int	os_recv_fds(int sock, int fds[OS_FDS_MAX]);

/* ---- waiting for many descriptors, and moving bytes between them ---- */

enum {
	OS_POLL_IN = 1 << 0,
	OS_POLL_OUT = 1 << 1,
	OS_POLL_EDGE = 1 << 2,	/* tells of a change once; else as long as it holds */
	OS_POLL_HUP = 1 << 3,	/* never asked for: the other side has closed, an error or
				 * urgent data */
};

struct os_poll_event {
	void		*data;
	unsigned	 what;	/* errors and hang-ups come as both IN and OUT */
};

/* epoll(7). A closed descriptor leaves by itself. */
int	os_poll_open(void);
int	os_poll_add(int poll, int fd, unsigned what, void *data);
int	os_poll_change(int poll, int fd, unsigned what, void *data);
int	os_poll_remove(int poll, int fd);
/* Waits at most ms milliseconds (-1: for ever). Returns the number of events. */
int	os_poll_wait(int poll, struct os_poll_event *, int max, int ms);
/* Has the other side of a stream socket closed, or reset it? POLLRDHUP of poll(2) */
bool	os_poll_closed(int fd);
/*
 * Bytes written to a stream socket that the other side has not got yet; -1: it is gone.
 * tcp(7), SIOCOUTQ
 */
int64_t	os_unsent(int fd);

/*
 * Moves up to len bytes between a socket and a pipe, without a copy where the
 * kernel can, and without waiting. As read(2): 0 is end of file. splice(2)
 */
ssize_t	os_splice(int from, int to, size_t len);

#endif
