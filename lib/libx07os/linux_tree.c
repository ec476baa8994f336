/*
 * A process tree that dies as one: a pid namespace whose init we are the
 * parent of. pid_namespaces(7): when init dies, the kernel kills the rest,
 * whatever session or process group it hides in.
 *
 * Where there is a controlling terminal, supervisor, init and program share a
 * process group, so that the terminal's signals reach the program as they would
 * without us; else the program gets a group of its own. What reaches the
 * supervisor it hands to init through a socket, and init, which stays in the
 * supervisor's group, knows whether that was meant for the whole group.
 *
 * Where no pid namespace can be had (OS_TREE_SWEPT), init is the subreaper of the
 * tree, and init's parent, the reaper, that of init: whichever of supervisor, init and
 * reaper is killed, another of them sees it and sweeps up the rest.
 */
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <asm/sockios.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "linux.h"
#include "os.h"

/* Signals that people send to a supervisor and mean for the program. */
static const int passed_on[] = {
	SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT,
	SIGTSTP, SIGTTIN, SIGTTOU,
};
#define NPASSED	(sizeof(passed_on) / sizeof(passed_on[0]))

/*
 * Two deliveries of one signal this near to each other are one signal. On a busy
 * machine the supervisor may be late.
 */
#define SAME_SIGNAL_MS	2000
#define LAST_WORDS_MS	50
#define DEADLINE_MS	2000	/* behind init, for us to hear of its end */
/* In a message to init: it may have waited while the supervisor was stopped. */
#define LATE		0x100

#define EXTRA_MAX	12	/* descriptors of the caller's */
#define ARGS_MAX	((size_t)6 << 20)	/* bytes of arguments that the kernel takes */

/*
 * Of the program half, where it borrows init's memory. execvp(3) copies the arguments
 * of a script without #! there.
 */
#define HALF_STACK	(ARGS_MAX + ((size_t)2 << 20))

static void
passed_set(sigset_t *set)
{
	sigemptyset(set);
	for (size_t i = 0; i < NPASSED; i++)
		sigaddset(set, passed_on[i]);
}

static int64_t
now_ms(void)
{
	return clock_ms(CLOCK_MONOTONIC);
}

/* The part of a wait until at (0: never) that poll(2) takes. */
static int
until(int64_t at)
{
	int64_t left;

	if (at == 0)
		return -1;
	left = at - now_ms();
	return left < 0 ? 0 : left > 1000000000 ? 1000000000 : (int)left;
}

/*
 * What stops the whole job stops init too, where that is in our process group: then
 * nobody ends the tree in time. The kernel's SIGKILL reaches a stopped process, and our
 * death init.
 */
static timer_t	deadline;
static bool	deadline_set;

static int
set_deadline(int64_t at)
{
	struct sigevent sev = { .sigev_notify = SIGEV_SIGNAL,
	    .sigev_signo = SIGKILL };
	const struct itimerspec when = { .it_value = { (time_t)(at / 1000),
	    (long)(at % 1000) * 1000000 } };

	if (timer_create(CLOCK_MONOTONIC, &sev, &deadline) == -1)
		return -1;
	deadline_set = true;
	return timer_settime(deadline, TIMER_ABSTIME, &when, NULL);
}

/* The tree has ended, or is about to whoever is stopped. */
static void
drop_deadline(void)
{
	int err = errno;

	if (deadline_set)
		timer_delete(deadline);
	deadline_set = false;
	errno = err;
}

/* ---- init ---- */

struct init {
	pid_t		 program;
	bool		 shares_group;
	int		 sock, signals;
	pid_t		 reaper;		/* swept: our parent; else 0 */
	int		 reaper_fd;		/* readable when it is gone, -1 */
	bool		 alone;			/* it is */
	bool		 orphan;		/* the supervisor is gone */
	struct os_group	*group;
	int64_t		 dies_at;		/* ms, 0: never */
	pid_t		 self;			/* as it is called inside */
	int		 gate;			/* for ns_mapped(), -1 */
	const sigset_t	*old;			/* the program's signal mask */
	const struct os_tree_plan *plan;
	struct os_tree	*tree;
	int64_t		 direct_at[NSIG];	/* when the group got a signal, ms */
};

/*
 * Ends the tree. With a group it has to be emptied first, as nobody else is left
 * to remove it; without one the kernel kills faster.
 */
static _Noreturn void
end_tree(struct init *in)
{
	if (in->reaper != 0) {
		/* All at once, as many as there are: while the program gives its name to it. */
		if (!in->shares_group)
			kill(-in->program, SIGKILL);
		/* The rest is the reaper's, while there is one. */
		if (in->alone) {
			sweep_below(in->group);
			if (in->orphan && in->group != NULL)
				os_group_remove(in->group);
		}
		_exit(0);
	}
	if (in->group != NULL) {
		do {
			kill(-1, SIGKILL);
		} while (waitpid(-1, NULL, 0) != -1 || errno != ECHILD);
		os_group_remove(in->group);
	}
	_exit(0);
}

static bool
is_stop(int sig)
{
	return sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU;
}

/*
 * SIGCONT and the signals that stop take each other back, where they were not read
 * yet: of those to the group the last counts, whichever the supervisor heard of.
 */
static void
take_back(struct init *in, int sig)
{
	if (is_stop(sig))
		in->direct_at[SIGCONT] = 0;
	else if (sig == SIGCONT)
		in->direct_at[SIGTSTP] = in->direct_at[SIGTTIN] =
		    in->direct_at[SIGTTOU] = 0;
}

/* The whole group was sent sig just now. */
static bool
group_got(const struct init *in, int sig)
{
	return in->direct_at[sig] != 0 &&
	    now_ms() - in->direct_at[sig] <= SAME_SIGNAL_MS;
}

/* The supervisor was sent sig, and then the whole group the contrary. */
static bool
taken_back(const struct init *in, int sig)
{
	if (sig == SIGCONT)
		return group_got(in, SIGTSTP) || group_got(in, SIGTTIN) ||
		    group_got(in, SIGTTOU);
	return is_stop(sig) && group_got(in, SIGCONT);
}

static void
drain_signals(struct init *in)
{
	struct signalfd_siginfo si;

	while (read(in->signals, &si, sizeof(si)) == (ssize_t)sizeof(si))
		/*
		 * Pid 0 is outside of our namespace: the terminal or a sender who
		 * meant the process group. The program may not speak here; where we
		 * have no namespace, it cannot.
		 */
		if (si.ssi_signo < NSIG && (si.ssi_pid == 0 || in->reaper != 0)) {
			take_back(in, (int)si.ssi_signo);
			in->direct_at[si.ssi_signo] = now_ms();
		}
}

/* The supervisor was sent a signal. */
static void
pass_on(struct init *in, int message)
{
	static const struct timespec settle = { 0, 2000000 };
	int sig = message & ~LATE;
	int64_t age;
	bool one;	/* not the whole group got it */
	pid_t group;

	if (sig <= 0 || sig >= NSIG)
		return;
	/* One signal of a group reaches its members one after the other. */
	nanosleep(&settle, NULL);
	drain_signals(in);
	if (taken_back(in, sig))
		return;
	group = getpgid(in->program);
	age = now_ms() - in->direct_at[sig];
	one = in->direct_at[sig] == 0 ||
	    (age > SAME_SIGNAL_MS && (message & LATE) == 0);
	if (!one && group == in->program)
		kill(-group, sig);
	else if (one || group != getpgrp())
		kill(in->program, sig);
	in->direct_at[sig] = 0;
}

/*
 * A process that ends by itself when the program does, as x07-netgate's relay, may
 * still have a last line to say: it gets a moment. What stays is killed.
 */
static void
wait_for_last_words(void)
{
	static const struct timespec nap = { 0, 500000 };
	int64_t end = now_ms() + LAST_WORDS_MS;

	while (waitpid(-1, NULL, WNOHANG) != -1 && now_ms() < end)
		nanosleep(&nap, NULL);
}

static void
reap(struct init *in)
{
	int wstatus;
	pid_t pid;

	while ((pid = waitpid(-1, &wstatus, WNOHANG)) > 0) {
		if (pid != in->program)
			continue;
		/* Of the end of both we may hear at once: then all is left to us. */
		if (send(in->sock, &wstatus, sizeof(wstatus), MSG_NOSIGNAL) == -1) {
			in->orphan = true;
			end_tree(in);
		}
		wait_for_last_words();
		/* It reads the group's sums and removes it. */
		_exit(0);
	}
}

/*
 * The tree's init: reaps, passes signals on to the program, reports its end,
 * and exits, which ends everything that is left.
 */
static _Noreturn void
be_init(struct init *in)
{
	struct pollfd pfd[3] = {
		{ .fd = in->sock, .events = POLLIN },
		{ .fd = in->signals, .events = POLLIN },
		{ .fd = in->reaper_fd, .events = POLLIN },
	};
	int sig;
	ssize_t n;

	for (;;) {
		if (poll(pfd, 3, until(in->dies_at)) == 0)
			end_tree(in);
		if (pfd[1].revents != 0)
			drain_signals(in);
		if (pfd[0].revents != 0) {
			n = recv(in->sock, &sig, sizeof(sig), MSG_DONTWAIT);
			in->orphan = n == 0;
			if (n == (ssize_t)sizeof(sig))
				pass_on(in, sig);
		}
		in->alone = pfd[2].revents != 0;
		if (in->orphan || in->alone)
			end_tree(in);
		/* Every time: both of these may have taken a SIGCHLD. */
		reap(in);
	}
}

/* In the new namespaces, before anything of the program exists. */
static int
prepare(const struct init *in)
{
	const struct os_group *g = in->group;
	unsigned flags = in->plan->flags;

	/* A mount namespace of another user namespace is that from its start. */
	if ((flags & OS_TREE_SAME_USER) != 0 && (flags & OS_TREE_MOUNT) != 0 &&
	    mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) == -1)
		return -1;
	if (g != NULL && (flags & OS_TREE_MOUNT) != 0 && group_protect() == -1)
		return -1;
	/*
	 * Where parts of the outer /proc are masked (containers) the kernel does
	 * not let us mount a whole one (EPERM); the old one then stays.
	 */
	if ((flags & OS_TREE_PROC) != 0 && mount("proc", "/proc", "proc",
	    MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == -1 && errno != EPERM)
		return -1;
	if (in->gate != -1)
		ns_mapped(in->gate);
	if (in->plan->ids > 0 && (flags & OS_TREE_MOUNT) != 0)
		in->tree->ids = ids_limit(in->plan->ids);
	return 0;
}

/*
 * Its name and arguments are a copy of the supervisor's: told apart in ps(1), and
 * a pkill(1) meant for one should not seem a signal to the group. Behind the
 * arguments the kernel puts the environment, and behind that the program's path.
 */
static void
rename_init(void)
{
	static const char name[] = "x07-tree";
	uintptr_t start = (uintptr_t)program_invocation_name, end;

	prctl(PR_SET_NAME, name, 0, 0, 0);
	end = environ != NULL && environ[0] != NULL ? (uintptr_t)environ[0] :
	    getauxval(AT_EXECFN);
	/* Other text when somebody has changed it meanwhile. */
	if (end <= start || end - start > ARGS_MAX || end - start < sizeof(name))
		return;
	memset(program_invocation_name, 0, end - start);
	memcpy(program_invocation_name, name, sizeof(name));
}

/* Closes all but n descriptors and those of the group. */
static void
close_rest(int *keep, size_t n, const struct os_group *g)
{
	n += group_fds(g, keep + n);
	os_close_fds(keep, n);
	close(STDIN_FILENO);
	close(STDOUT_FILENO);
	close(STDERR_FILENO);
}

/* The first word to the supervisor. */
struct start {
	int	err;
	pid_t	init;		/* as they are called inside */
	pid_t	program;
	int64_t	ids;
};

static bool
send_start(const struct init *in, int err, pid_t init)
{
	struct start st = { err, init, getpid(), in->tree->ids };

	return send(in->sock, &st, sizeof(st), MSG_NOSIGNAL) != -1;
}

/*
 * A group of its own for the program. Where the tree has to be looked for, that is a
 * session too: many kernels share out time among those (sched(7), autogroups), so
 * that a fork bomb does not starve who looks.
 */
static int
own_group(const struct init *in)
{
	if (in->reaper == 0)
		return setpgid(0, 0);
	return setsid() == -1 ? -1 : 0;
}

/* The program's half of the start: returns in the program to be when nobody else is. */
static int
start_program(void *arg)
{
	struct init *in = arg;
	int err = 0;

	close(in->signals);
	if ((in->group != NULL && group_enter(in->group) == -1) ||
	    (!in->shares_group && own_group(in) == -1) ||
	    (in->reaper != 0 && os_die_with_parent(in->self) == -1))
		err = errno;
	if (!send_start(in, err, in->self) || err != 0)
		_exit(125);
	close(in->sock);
	if (in->group != NULL)
		group_close(in->group);
	sigprocmask(SIG_SETMASK, in->old, NULL);
	if (in->plan->run != NULL)
		in->plan->run(in->plan->arg, in->tree);
	return 0;
}

/*
 * Starts the program's half in our memory, as vfork(2) does: nothing is copied, and we
 * go on when it has become the program or is gone. Meanwhile we hear nothing: our
 * parent's death has to be told by the kernel.
 */
static pid_t
lend_memory(struct init *in)
{
	void *stack;
	char c;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == -1)
		return -1;
	/* From a parent that is gone already, which has no number here, nothing comes. */
	if (recv(in->sock, &c, sizeof(c), MSG_PEEK | MSG_DONTWAIT) == 0)
		_exit(0);
	stack = mmap(NULL, HALF_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE |
	    MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (stack == MAP_FAILED)
		return -1;
	/* A huge page would have to be cleared. */
	madvise(stack, HALF_STACK, MADV_NOHUGEPAGE);
	return clone(start_program, (char *)stack + HALF_STACK,
	    CLONE_VM | CLONE_VFORK | SIGCHLD, in);
}

/* Splits off the program's half, where this returns 0 when it is not lent our memory. */
static pid_t
fork_program(struct init *in)
{
	pid_t pid;

	/* Before anything of the program runs that could look into us. */
	if (os_hide() == -1)
		return -1;
	/*
	 * Not with a group, which counts memory for who owns it, and not where init has to
	 * hear of its reaper.
	 */
	if (in->plan->run != NULL && in->group == NULL && in->reaper == 0 &&
	    (pid = lend_memory(in)) != -1)
		return pid;
	/* Our parent's death wakes us, if we were stopped, to see of it. */
	if (prctl(PR_SET_PDEATHSIG, SIGCONT, 0, 0, 0) == -1)
		return -1;
	pid = group_fork(in->group);
	/* A copy of its own: what it finds in /proc of itself is to be its own too. */
	if (pid == 0 && prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == -1)
		_exit(125);
	return pid;
}

/* init's half of the start: returns only in the program to be. */
static int
start_inside(struct init *in)
{
	int keep[3 + GROUP_FDS_MAX] = { in->sock }, err = 0;
	size_t n = 1;
	sigset_t set;

	in->self = getpid();
	passed_set(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	in->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (in->signals == -1 || prepare(in) == -1 ||
	    (in->program = fork_program(in)) == -1)
		err = errno;
	else if (in->program == 0)
		return start_program(in);
	if (err != 0) {
		send_start(in, err, in->self);
		_exit(125);
	}
	keep[n++] = in->signals;
	if (in->reaper_fd != -1)
		keep[n++] = in->reaper_fd;
	close_rest(keep, n, in->group);
	rename_init();
	be_init(in);
}

/* ---- reaper ---- */

static pid_t	reaped;

/* The supervisor is gone: init, if it was stopped, is to see it. */
static void
wake_init(int sig)
{
	(void)sig;
	kill(reaped, SIGCONT);
}

static void
watch_supervisor(pid_t supervisor)
{
	struct sigaction sa = { .sa_handler = wake_init, .sa_flags = SA_RESTART };
	sigset_t set;

	sigaction(SIGUSR1, &sa, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	prctl(PR_SET_PDEATHSIG, SIGUSR1, 0, 0, 0);
	if (getppid() != supervisor)
		wake_init(0);
}

/*
 * Takes over what init leaves, when it ends as when it is killed. In a session of its
 * own, where what is sent to the process group does not reach.
 */
static _Noreturn void
be_reaper(pid_t init, struct os_group *g, pid_t supervisor)
{
	int keep[GROUP_FDS_MAX];

	setsid();
	close_rest(keep, 0, g);
	os_hide();
	rename_init();
	reaped = init;
	watch_supervisor(supervisor);
	while (waitpid(init, NULL, 0) == -1 && errno == EINTR)
		continue;
	signal(SIGUSR1, SIG_IGN);
	sweep_below(g);
	if (g != NULL && getppid() != supervisor)
		os_group_remove(g);
	_exit(0);
}

/* Splits off the reaper, and from it init, where this returns 0. */
static pid_t
fork_swept(struct init *in)
{
	pid_t self = getpid(), pid;
	sigset_t all;

	if (!proc_visible()) {
		errno = ENOTSUP;
		return -1;
	}
	pid = (pid_t)syscall(SYS_clone, (unsigned long)SIGCONT, 0, 0, 0, 0);
	if (pid != 0)
		return pid;
	in->reaper = getpid();
	in->reaper_fd = os_process_fd(in->reaper);
	sigfillset(&all);
	if (in->reaper_fd == -1 || sigprocmask(SIG_SETMASK, &all, NULL) == -1 ||
	    sweep_prepare() == -1 ||
	    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == -1 ||
	    (pid = fork()) == -1) {
		send_start(in, errno, 0);
		_exit(125);
	}
	if (pid > 0)
		be_reaper(pid, in->group, self);
	/* Each for itself: a child does not inherit it. */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == -1) {
		send_start(in, errno, 0);
		_exit(125);
	}
	return 0;
}

/* ---- supervisor ---- */

static void
wait_init(pid_t pid, struct rusage *ru)
{
	while (wait4(pid, NULL, __WALL, ru) == -1 && errno == EINTR)
		continue;
}

/* Waits until the program is on its way; -1 with errno when it is not. */
static int
started(struct os_tree *t, bool swept)
{
	struct start st = { EIO, 0, 0, 0 };

	t->pidfd = os_process_fd(t->last);
	if (t->pidfd == -1)
		st.err = errno;
	else if (recv(t->status, &st, sizeof(st), 0) != (ssize_t)sizeof(st))
		st.err = EIO;
	t->init = swept ? st.init : t->last;
	t->group = swept && !t->shares_group ? st.program : 0;
	t->ids = st.ids;
	if (st.err == 0)
		return 0;
	/* Without us the one ends by itself; the other kills nothing when killed. */
	if (swept)
		shutdown(t->status, SHUT_RDWR);
	else
		kill(t->last, SIGKILL);
	wait_init(t->last, NULL);
	if (t->pidfd != -1)
		close(t->pidfd);
	errno = st.err;
	return -1;
}

static bool
has_terminal(void)
{
	int fd = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);

	if (fd != -1)
		close(fd);
	return fd != -1;
}

/*
 * The end is told by SIGCONT: it wakes us even when we are stopped, so that a
 * stopped supervisor cannot outlive its tree.
 */
static pid_t
fork_init(unsigned flags, struct init *in)
{
	int ns = SIGCONT | CLONE_NEWPID |
	    ((flags & OS_TREE_MOUNT) != 0 ? CLONE_NEWNS : 0);

	if ((flags & OS_TREE_SWEPT) != 0)
		return fork_swept(in);
	if ((flags & OS_TREE_SAME_USER) != 0)
		return (pid_t)syscall(SYS_clone, (unsigned long)ns, 0, 0, 0, 0);
	return ns_fork(ns, &in->gate);
}

int
os_tree_spawn_in(struct os_tree *t, const struct os_tree_plan *plan)
{
	struct init in = { .group = plan->group, .shares_group = has_terminal(),
	    .reaper_fd = -1, .gate = -1, .plan = plan, .tree = t };
	unsigned flags = plan->flags;
	int pair[2], err;
	sigset_t set, old;
	pid_t self = getpid();

	t->ids = 0;
	if (in.group != NULL && (flags & (OS_TREE_MOUNT | OS_TREE_SWEPT)) == 0) {
		errno = EINVAL;
		return -1;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return -1;
	/* Blocked from here on, so that no signal falls between start and wait. */
	passed_set(&set);
	sigprocmask(SIG_BLOCK, &set, &old);
	/* A caller that ignores it would have the kernel reap behind our back. */
	signal(SIGCHLD, SIG_DFL);
	t->shares_group = in.shares_group;
	t->status = pair[0];
	t->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (t->signals == -1)
		goto fail;
	if (plan->life_ms > 0) {
		in.dies_at = now_ms() + plan->life_ms;
		if (set_deadline(in.dies_at + DEADLINE_MS) == -1)
			goto fail;
	}
	in.sock = pair[1];
	t->last = fork_init(flags, &in);
	if (t->last == -1)
		goto fail;
	if (t->last == 0) {
		close(pair[0]);
		close(t->signals);
		t->init = getpid();
		t->last = in.reaper;
		t->supervisor = self;
		in.old = &old;
		return start_inside(&in);
	}
	close(pair[1]);
	pair[1] = -1;
	if (started(t, (flags & OS_TREE_SWEPT) != 0) == 0)
		return 1;
fail:
	err = errno;
	drop_deadline();
	if (t->signals != -1)
		close(t->signals);
	close(pair[0]);
	if (pair[1] != -1)
		close(pair[1]);
	sigprocmask(SIG_SETMASK, &old, NULL);
	errno = err;
	return -1;
}

int
os_tree_spawn(struct os_tree *t, unsigned flags)
{
	const struct os_tree_plan plan = { .flags = flags };

	return os_tree_spawn_in(t, &plan);
}

#define TO(call, arg, to, ...) \
	{ SYS_##call, { { arg, 0xffffffffU, (uint32_t)(to) }, __VA_ARGS__ }, EPERM }
#define NO_OTHER	{ -1, 0, 0 }
/* By number, and by descriptors that send a signal when they are ready. */
#define NO_SIGNAL(to) \
	TO(kill, 0, to, NO_OTHER), TO(tkill, 0, to, NO_OTHER), \
	TO(tgkill, 0, to, NO_OTHER), TO(rt_sigqueueinfo, 0, to, NO_OTHER), \
	TO(rt_tgsigqueueinfo, 0, to, NO_OTHER), \
	TO(fcntl, 2, to, { 1, 0xffffffffU, F_SETOWN })
#define NO_GROUP_SIGNAL(to) \
	TO(kill, 0, -(to), NO_OTHER), \
	TO(fcntl, 2, -(to), { 1, 0xffffffffU, F_SETOWN })

int
os_tree_confine(const struct os_tree *t, unsigned deny)
{
	/* 0: a group from around our pid namespace, which nobody in here can name. */
	pid_t around = getpgid(t->init) > 0 ? getpgid(t->init) : t->last;
	const struct filter_row guarded[] = {
		NO_SIGNAL(t->init), NO_SIGNAL(t->last), NO_SIGNAL(t->supervisor),
		NO_GROUP_SIGNAL(t->last), NO_GROUP_SIGNAL(around),
		TO(kill, 0, -1, NO_OTHER),
		/* These take a descriptor, or memory, of which we know nothing. */
		{ SYS_pidfd_send_signal, FILTER_ANY, ENOSYS },
		TO(fcntl, 1, F_SETOWN_EX, NO_OTHER),
		TO(ioctl, 1, FIOSETOWN, NO_OTHER),
		TO(ioctl, 1, SIOCSPGRP, NO_OTHER),
	};

	/* A domain keeps signals inside by itself. */
	if (landlock_scopes() != 0)
		return confine(deny, NULL, 0);
	return confine(deny, guarded, sizeof(guarded) / sizeof(guarded[0]));
}

int
os_tree_settle(const struct os_tree *t, const struct os_group *g, bool files,
    const int *keep, size_t n)
{
	int fds[3 + GROUP_FDS_MAX + EXTRA_MAX] = { t->pidfd, t->status, t->signals };
	size_t nfds = 3 + group_fds(g, fds + 3);

	if (n > EXTRA_MAX) {
		errno = EINVAL;
		return -1;
	}
	for (size_t i = 0; i < n; i++)
		fds[nfds++] = keep[i];
	if (os_close_fds(fds, nfds) == -1 || os_hide() == -1 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return -1;
	/* Root may own cgroup directories that even their owner cannot write. */
	return caps_hold(g == NULL && !files ? 0 :
	    UINT64_C(1) << CAP_DAC_OVERRIDE);
}

int
os_tree_signal(const struct os_tree *t, int sig)
{
	return send(t->status, &sig, sizeof(sig), MSG_NOSIGNAL | MSG_DONTWAIT) ==
	    (ssize_t)sizeof(sig) ? 0 : -1;
}

int
os_tree_kill(const struct os_tree *t)
{
	if (t->group != 0)
		kill(-t->group, SIGKILL);
	drop_deadline();
	return kill(t->init, SIGKILL);
}

int
os_tree_exit_status(int wstatus)
{
	if (WIFEXITED(wstatus))
		return WEXITSTATUS(wstatus);
	return 128 + WTERMSIG(wstatus);
}

/*
 * Passes on what has arrived. The supervisor stops only when it was sent a
 * stop signal itself, never because the program stopped: the program
 * cannot signal us, and a stopped supervisor holds no limits.
 */
static int
take_signals(const struct os_tree *t, int late)
{
	struct signalfd_siginfo si;
	int stop = 0;

	while (read(t->signals, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		int sig = (int)si.ssi_signo;

		os_tree_signal(t, sig | late);
		if (sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU)
			stop = sig;
		else if (sig == SIGCONT)
			stop = 0;
	}
	return stop;
}

enum os_tree_event
os_tree_poll(struct os_tree *t, struct pollfd *extra, size_t n,
    int64_t timeout_ms)
{
	struct pollfd pfd[2 + EXTRA_MAX] = {
		{ .fd = t->pidfd, .events = POLLIN },
		{ .fd = t->signals, .events = POLLIN },
	};
	int64_t at = timeout_ms < 0 ? 0 : now_ms() + timeout_ms;
	int ready = 0;

	if (n > EXTRA_MAX)
		abort();
	if (n > 0)
		memcpy(pfd + 2, extra, n * sizeof(*extra));
	for (;;) {
		if (poll(pfd, (nfds_t)n + 2, timeout_ms == 0 ? 0 : until(at)) == 0)
			return OS_TREE_TIMEOUT;
		/* After the end they are the supervisor's own. */
		if (pfd[1].revents != 0 && pfd[0].revents == 0 &&
		    (t->stop = take_signals(t, 0)) != 0)
			return OS_TREE_STOP;
		for (size_t i = 0; i < n; i++) {
			extra[i].revents = pfd[2 + i].revents;
			ready |= extra[i].revents;
		}
		if (ready != 0)
			return OS_TREE_READY;
		if (pfd[0].revents != 0)
			return OS_TREE_ENDED;
	}
}

void
os_tree_stop(struct os_tree *t)
{
	struct pollfd gone = { .fd = t->pidfd, .events = POLLIN };
	sigset_t set;

	while (t->stop != 0) {
		/*
		 * init's death sends SIGCONT, which takes back a stop signal that
		 * is still blocked: so the stop comes first, the look at init
		 * second, and what happens later wakes us.
		 */
		kill(getpid(), t->stop);
		if (poll(&gone, 1, 0) == 1)
			kill(getpid(), SIGCONT);
		sigemptyset(&set);
		sigaddset(&set, t->stop);
		sigprocmask(SIG_UNBLOCK, &set, NULL);
		sigprocmask(SIG_BLOCK, &set, NULL);
		t->stop = take_signals(t, LATE);
	}
}

/*
 * What init sent before it ended. When it left a signal of ours unread, unix(7) tells
 * that first, once, as ECONNRESET.
 */
static bool
last_word(const struct os_tree *t, int *wstatus, int flags)
{
	ssize_t n;

	do {
		n = recv(t->status, wstatus, sizeof(*wstatus), flags);
	} while (n == -1 && (errno == ECONNRESET || errno == EINTR));
	return n == (ssize_t)sizeof(*wstatus);
}

void
os_tree_reap(const struct os_tree *t, struct os_tree_end *end)
{
	struct rusage ru;
	int late;

	drop_deadline();
	memset(&ru, 0, sizeof(ru));
	memset(end, 0, sizeof(*end));
	/* init killed from outside leaves no report: the program died by SIGKILL. */
	end->unreported = !last_word(t, &end->wstatus, MSG_DONTWAIT);
	if (end->unreported)
		end->wstatus = SIGKILL;
	/* The kernel adds up what init reaped, and what died with it. */
	wait_init(t->last, &ru);
	/* A reaper that was killed leaves the sweeping to init: until that is gone. */
	while (t->last != t->init && last_word(t, &late, 0))
		continue;
	end->user_us = (int64_t)ru.ru_utime.tv_sec * 1000000 + ru.ru_utime.tv_usec;
	end->sys_us = (int64_t)ru.ru_stime.tv_sec * 1000000 + ru.ru_stime.tv_usec;
	end->maxrss = (int64_t)ru.ru_maxrss * 1024;
}

int
os_tree_wait(struct os_tree *t)
{
	struct os_tree_end end;

	for (;;) {
		switch (os_tree_poll(t, NULL, 0, -1)) {
		case OS_TREE_STOP:
			os_tree_stop(t);
			break;
		case OS_TREE_ENDED:
			os_tree_reap(t, &end);
			return os_tree_exit_status(end.wstatus);
		default:
			break;
		}
	}
}
