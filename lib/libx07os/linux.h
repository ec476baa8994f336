/*
 * linux.h - pieces that the linux_*.c files share; nobody else includes it.
 */
#ifndef X07_LINUX_H
#define X07_LINUX_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "os.h"

/* ---- linux_ns.c ---- */

/*
 * Like unshare(2) with CLONE_NEWUSER added: this process enters new
 * namespaces, every id it may map keeps its number (all of them with CAP_SETUID, else
 * just its own). It has all capabilities over the new namespaces, none
 * outside. user_namespaces(7).
 */
int	ns_unshare(int flags);

/*
 * Like fork(2) into new namespaces, same mapping; the parent stays outside. The low
 * byte of flags may name the signal that tells its death, as in clone(2); else SIGCHLD.
 * Side by side the parent maps the child's ids, and the child may do what does not
 * need them: it calls ns_mapped(gate) before anything else, and before os_hide().
 */
pid_t	ns_fork(int flags, int *gate);
/* Returns when the ids are mapped; ends the process when they cannot be. */
void	ns_mapped(int gate);

/* ---- linux_cgroup.c ---- */

struct os_group;

/* fork(2), for a child that goes on to enter the group, or none when NULL. */
pid_t	group_fork(struct os_group *);
/* Puts this process into the group; its children follow. */
int	group_enter(const struct os_group *);
/* The descriptors that the group needs kept open; returns their number. */
#define GROUP_FDS_MAX	15
size_t	group_fds(const struct os_group *, int fds[GROUP_FDS_MAX]);
/* Closes them. */
void	group_close(struct os_group *);
/*
 * Makes every cgroup mount of this mount namespace read-only, so that a
 * program that owns the files cannot raise its caps or leave. What it mounts
 * itself in namespaces of its own starts below the group's caps.
 */
int	group_protect(void);

/*
 * Ends what is in the group, as far as the kernel does that: version 2 kills it;
 * version 1 holds it still until group_thaw(), and can be killed meanwhile.
 */
void	group_end(const struct os_group *);
void	group_thaw(const struct os_group *);

/* ---- linux_ids.c ---- */

/*
 * As init of a pid namespace and of a mount namespace, before anything else is in
 * them: leaves about n process ids, until uid 0 raises their number. Returns how many
 * there are, 0: as many as outside, because this kernel or this place has no such thing.
 */
int64_t	ids_limit(int64_t n);
/* True when that can be had here, as far as one sees from outside; else errno. */
bool	ids_own(void);

/* ---- linux_proc.c ---- */

/* True when /proc shows our own pid namespace, and the lists of children. */
bool	proc_visible(void);
/* The text of a file of /proc, as far as it fits. Returns its length, or -1. */
ssize_t	proc_text(const char *path, char *text, size_t size);
/* A process as /proc/PID/stat shows it. False when it is gone. */
bool	proc_read(pid_t, struct os_proc *);
/*
 * Sends a signal to all below this process, parents before their children: to
 * those that are seen at this moment.
 */
void	proc_signal_below(int sig);

/* ---- linux_sweep.c ---- */

/*
 * In a process whose children to come sweep_below() shall end: from here on signals
 * of it and of all below it stay among them, where Landlock does that (Linux 6.12). -1
 * with errno.
 */
int	sweep_prepare(void);
/*
 * Kills all below this process, which takes over their orphans (PR_SET_CHILD_SUBREAPER,
 * prctl(2)), with the help of their group or NULL. Returns when nobody is left.
 */
void	sweep_below(const struct os_group *);

/* ---- linux_filter.c ---- */

/*
 * One row of a static system call filter, seccomp(2): when the call is nr and every
 * condition holds, it fails with err; err 0 allows it. First match decides,
 * what matches no row is allowed. Conditions compare the low 32 bits of an argument,
 * which is all that the kernel itself looks at for those arguments.
 */
struct filter_cond {
	int8_t		arg;	/* 0..5 | FILTER_..., -1: no condition */
	uint32_t	mask;
	uint32_t	value;	/* (low32(arg) & mask) == value */
};
#define FILTER_HIGH	0x10	/* the high 32 bits of a pointer */
#define FILTER_NOT	0x20	/* the comparison must fail */
struct filter_row {
	int			nr;
	struct filter_cond	cond[2];
	int			err;
};
#define FILTER_ANY	{ { -1, 0, 0 }, { -1, 0, 0 } }
/* More for err: ask the holder of the listener, or the tracer; succeed undone. */
#define FILTER_NOTIFY	(-1)
#define FILTER_TRACE	(-2)
#define FILTER_NOTHING	(-3)

/*
 * Installs the filter on this process for good. Needs no_new_privs. Calls of a
 * foreign ABI (i386, x32) kill the process, because their numbers mean
 * other calls. Returns 0, or the close-on-exec listener if a row has
 * FILTER_NOTIFY (EBUSY: an outer filter has one).
 */
int	filter_install(const struct filter_row *, size_t n);

/* The filter of OS_DENY_ bits and of n more rows, looked at first. */
int	filter_deny(unsigned deny, const struct filter_row *more, size_t n);

/* os_confine() of os.h with n more rows, and returning as filter_install(). */
int	confine(unsigned deny, const struct filter_row *more, size_t n);

/* ---- linux_path.c ---- */

/*
 * Resolves path below base and returns an O_PATH descriptor. how: RESOLVE_BENEATH and
 * RESOLVE_NO_SYMLINKS of openat2(2); magic links of /proc are never followed (ELOOP).
 * With nofollow a link as last component is opened itself. Never waits, opens no
 * device. Works the same where the filter refuses openat2.
 */
int	path_resolve(int base, const char *path, bool nofollow, uint64_t how);

/* ---- linux_landlock.c ---- */

/* The Landlock ABI of this kernel, 0 when there is none. landlock(7) */
int	landlock_abi(void);
/*
 * Makes a ruleset that handles the given rights and scopes. Returns a close-on-exec
 * descriptor.
 */
int	landlock_ruleset(uint64_t fs, uint64_t net, uint64_t scoped);
/* Allows rights on the file or the tree that the O_PATH descriptor names. */
int	landlock_allow_path(int ruleset, int pathfd, uint64_t rights);
/* Enters the domain for good. Needs no_new_privs. */
int	landlock_enter(int ruleset);
/*
 * The scopes this kernel has: signals and abstract sockets stay in the domain;
 * 0 when it has none. (ptrace stays inside with any domain.)
 */
uint64_t	landlock_scopes(void);
/* Allows REFER everywhere in a ruleset that handles it, see OS_SCOPED_ELSEWHERE. */
int	landlock_allow_refer(int ruleset);

/* ---- linux_loader.c ---- */

/* A fresh detached tmpfs for loader_guard(). Returns a close-on-exec descriptor. */
int	loader_tmpfs(void);
/*
 * Puts a copy of the ELF loader at path on the tmpfs that the kernel loads
 * for programs but refuses to execute by name. Returns an O_PATH descriptor.
 */
int	loader_guard(int tmpfs, const char *path);

/* ---- linux_exec.c ---- */

/* Fills the item (all but kind) from an O_PATH descriptor, which it keeps. */
int	exec_item(struct os_exec_item *, int fd);

/* ---- linux_watch.c ---- */

#define OS_PATH_BYTES	4096	/* PATH_MAX of the kernel */

/*
 * The program's side: gives the watcher the plan and the listener (-1: none),
 * which is closed, and waits until it watches.
 */
int	watch_hand_over(const struct os_exec_plan *, int listener);

/* ---- linux_trace.c ---- */

/* Called once, with the program to be. EPERM: it has another tracer. */
int	trace_begin(pid_t);
/*
 * Looks who asks for an exec, before it is judged: *spawn is false when the process has
 * started a program already. Returns an errno when it cannot be followed.
 */
int	trace_asks(pid_t tid, bool *spawn);
/*
 * Has what the exec of the task that asked starts judged, and counts it; to be called
 * before it may go on.
 */
int	trace_attach(pid_t tid);
/* The task is not the one that asked: the number has a new owner. */
void	trace_let_be(pid_t tid);
/* Handles the stops that have happened. */
void	trace_drain(os_judge *, void *);

/* ---- linux_caps.c ---- */

/* Drops all capabilities but those in keep (bit = number) everywhere. */
int	caps_limit(uint64_t keep);
/*
 * The same but for the bounding set: for a process with no_new_privs, under which an
 * exec brings nothing back (execve(2)), and cheaper.
 */
int	caps_hold(uint64_t keep);

/* ---- linux_packet.c ---- */

#define NET_ADMIT_MARK	0x78303701U	/* of packets that the relay sends */

struct os_net;
/* Opens the raw sockets of a network that this process is in. */
int	net_open_wires(struct os_net *, bool ipv6, bool open);

#endif
