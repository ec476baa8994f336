/*
 * The watcher as tracer, for rules that need to see what was really started.
 * A task is traced from the moment its exec is let go on until it has been
 * judged: ptrace(2) stops it after the exec and before its first instruction,
 * when its arguments lie in memory that nobody else reaches. If the tracer
 * dies in between, the kernel kills the task. Programs are counted from when their
 * exec is let go on, so that two at once are two.
 */
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "linux.h"
#include "os.h"

struct pids {
	pid_t	*pid;
	size_t	 n, cap;
};

/* A process that has started a program, or is about to. */
struct started {
	pid_t		pid;
	int64_t		seen;	/* a later owner of the number is born after that */
	pid_t		asks;	/* its task whose exec was let go on, else 0 */
	bool		runs;	/* it has started one */
};

static struct pids	traced;
static struct started	*procs;		/* [0]: the program itself */
static size_t		nprocs, procs_cap;
static size_t		spawns;		/* all that procs ever had, but failed execs */
static pid_t		asker;		/* the process whose exec is judged */
static bool		program_started;

/* Memory that runs out must not lose a process: then nothing goes on. */
static void
pids_add(struct pids *set, pid_t pid)
{
	if (set->n == set->cap) {
		set->cap = set->cap == 0 ? 64 : set->cap * 2;
		set->pid = reallocarray(set->pid, set->cap, sizeof(pid));
		if (set->pid == NULL)
			_exit(1);
	}
	set->pid[set->n++] = pid;
}

static bool
pids_remove(struct pids *set, pid_t pid)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->pid[i] == pid) {
			set->pid[i] = set->pid[--set->n];
			return true;
		}
	return false;
}

static bool
pids_has(const struct pids *set, pid_t pid)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->pid[i] == pid)
			return true;
	return false;
}

/* ---- who asks ---- */

/* The process that the task is of, or -1. */
static pid_t
process_of(pid_t tid)
{
	char path[64], text[4096], *p;

	if (syscall(SYS_tgkill, tid, tid, 0) == 0 || errno == EPERM)
		return tid;	/* its first thread */
	snprintf(path, sizeof(path), "/proc/%ld/status", (long)tid);
	if (proc_text(path, text, sizeof(text)) <= 0 ||
	    (p = strstr(text, "\nTgid:")) == NULL)
		return -1;
	return (pid_t)strtol(p + strlen("\nTgid:"), NULL, 10);
}

/* The clock and the unit of os_proc's born. */
static int64_t
ticks(void)
{
	int64_t tick = sysconf(_SC_CLK_TCK);
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (int64_t)ts.tv_sec * tick + ts.tv_nsec / (1000000000 / tick);
}

static bool
lives(const struct started *p)
{
	struct os_proc now;

	if (kill(p->pid, 0) == -1 && errno == ESRCH)
		return false;
	if (!proc_read(p->pid, &now))
		return true;	/* out of sight; better one too many */
	return now.born <= p->seen && !now.zombie;
}

static struct started *
find_asking(pid_t tid)
{
	for (size_t i = 0; i < nprocs; i++)
		if (procs[i].asks == tid)
			return &procs[i];
	return NULL;
}

static struct started *
add_process(pid_t pid)
{
	if (nprocs == procs_cap) {
		procs_cap = procs_cap == 0 ? 64 : procs_cap * 2;
		procs = reallocarray(procs, procs_cap, sizeof(*procs));
		if (procs == NULL)
			_exit(1);
	}
	procs[nprocs] = (struct started){ .pid = pid, .seen = ticks() };
	return &procs[nprocs++];
}

static void
forget_process(struct started *p)
{
	if (!p->runs)
		spawns--;
	*p = procs[--nprocs];
}

/* The process by its number, which is alive: not one whose number it has now. */
static struct started *
find_process(pid_t pid)
{
	struct os_proc now;

	for (size_t i = nprocs; i-- > 0;) {
		if (procs[i].pid != pid)
			continue;
		if (proc_read(pid, &now) && now.born <= procs[i].seen)
			return &procs[i];
		if (i > 0)
			forget_process(&procs[i]);
	}
	return NULL;
}

/* The exec of the task, if one was let go on, has failed. */
static void
exec_failed(pid_t tid)
{
	struct started *p = find_asking(tid);

	if (p == NULL)
		return;
	p->asks = 0;
	if (!p->runs)
		forget_process(p);
}

/* ---- what became of it ---- */

enum progress { EXEC_FAILED, EXEC_GOES_ON, EXEC_UNKNOWN };

/*
 * ptrace(2) tells when an exec has succeeded, but not when it has failed: then the
 * task is in another call, or stops for something else. A task that runs is asked to.
 */
static enum progress
look_at(pid_t tid)
{
	siginfo_t si = { 0 };
	char path[64], text[64];
	long nr;

	if (waitid(P_PID, (id_t)tid, &si, WEXITED | WSTOPPED | WNOHANG | WNOWAIT |
	    __WALL) == 0 && si.si_pid == tid)
		return si.si_code == CLD_TRAPPED &&
		    si.si_status >> 8 == PTRACE_EVENT_EXEC ?
		    EXEC_GOES_ON : EXEC_FAILED;
	snprintf(path, sizeof(path), "/proc/%ld/syscall", (long)tid);
	if (proc_text(path, text, sizeof(text)) <= 0)
		return EXEC_GOES_ON;
	if (strncmp(text, "running", 7) == 0) {
		ptrace(PTRACE_INTERRUPT, tid, 0, 0);
		return EXEC_UNKNOWN;
	}
	nr = strtol(text, NULL, 10);
	return nr == -1 || nr == SYS_execve || nr == SYS_execveat ?
	    EXEC_GOES_ON : EXEC_FAILED;
}

/* Finds the execs that have failed; one that may not have counts as one that goes on. */
static void
find_failed(void)
{
	const struct timespec pause = { .tv_nsec = 100000 };
	bool unknown = true;

	for (int tries = 0; tries < 50 && unknown; tries++) {
		if (tries > 0)
			nanosleep(&pause, NULL);
		unknown = false;
		for (size_t i = nprocs; i-- > 0;) {
			enum progress now;

			if (procs[i].asks == 0)
				continue;
			now = look_at(procs[i].asks);
			if (now == EXEC_FAILED)
				exec_failed(procs[i].asks);
			unknown = unknown || now == EXEC_UNKNOWN;
		}
	}
}

size_t
os_watch_spawns(size_t limit)
{
	if (spawns >= limit)
		find_failed();
	return spawns;
}

size_t
os_watch_live(size_t limit)
{
	if (nprocs - 1 < limit)
		return nprocs - 1;
	find_failed();
	for (size_t i = nprocs; i-- > 1;)
		if (!lives(&procs[i]))
			forget_process(&procs[i]);
	return nprocs - 1;
}

/* ---- to be traced ---- */

int
trace_asks(pid_t tid, bool *spawn)
{
	struct started *p;

	exec_failed(tid);	/* else it could not ask again */
	asker = process_of(tid);
	if (asker == -1)
		return EACCES;
	p = find_process(asker);
	/*
	 * One exec of a process at a time: it waits for its other threads to be
	 * reaped by who traces them, and who traces one more waits for it.
	 */
	if (p != NULL && p->asks != 0) {
		find_failed();
		p = find_process(asker);
		if (p != NULL && p->asks != 0)
			return EAGAIN;
	}
	*spawn = p == NULL;
	return 0;
}

static int
seize(pid_t tid)
{
	if (pids_has(&traced, tid))
		return 0;
	if (ptrace(PTRACE_SEIZE, tid, 0,
	    PTRACE_O_EXITKILL | PTRACE_O_TRACEEXEC) == -1)
		return -1;
	pids_add(&traced, tid);
	return 0;
}

int
trace_attach(pid_t tid)
{
	struct started *p;

	if (seize(tid) == -1)
		return -1;
	p = find_process(asker);
	if (p == NULL) {
		p = add_process(asker);
		spawns++;
	}
	p->asks = tid;
	return 0;
}

void
trace_let_be(pid_t tid)
{
	/* It stops, for no reason of ours, and is let go then. */
	if (pids_has(&traced, tid))
		ptrace(PTRACE_INTERRUPT, tid, 0, 0);
}

int
trace_begin(pid_t pid)
{
	add_process(pid)->runs = true;
	return seize(pid);
}

/* ---- what was started ---- */

/*
 * The new stack, as execve(2) has laid it out: argc, the pointers of argv and
 * envp, each with a NULL behind, the auxiliary vector, then the strings.
 */
struct stack {
	char		*buf;
	size_t		 len;
	uint64_t	 at;	/* address of buf in the program */
};

static int
read_stack(pid_t pid, struct stack *st)
{
	struct __ptrace_syscall_info info;
	size_t page = (size_t)sysconf(_SC_PAGESIZE), cap = 4 * page;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) <= 0)
		return -1;
	st->at = info.stack_pointer;
	for (;;) {
		struct iovec local, remote;
		ssize_t got;

		/* Up to a page's end, because the stack ends at one. */
		cap -= (st->at + cap) % page;
		st->buf = reallocf(st->buf, cap);
		if (st->buf == NULL)
			return -1;
		local = (struct iovec){ st->buf + st->len, cap - st->len };
		remote = (struct iovec){ (void *)(uintptr_t)(st->at + st->len),
		    cap - st->len };
		got = process_vm_readv(pid, &local, 1, &remote, 1, 0);
		if (got <= 0)
			return st->len > 0 ? 0 : -1;
		st->len += (size_t)got;
		if (st->len < cap)
			return 0;
		cap *= 2;
	}
}

/*
 * Takes a NULL-ended vector of strings off the stack, at offset *off, which
 * moves behind it. NULL when it is not one.
 */
static char **
take_vector(struct stack *st, size_t *off)
{
	size_t n = 0, word = sizeof(uintptr_t);
	uintptr_t p;
	char **v;

	for (;; n++) {
		if (*off + (n + 1) * word > st->len)
			return NULL;
		memcpy(&p, st->buf + *off + n * word, word);
		if (p == 0)
			break;
		if (p < st->at || p - st->at >= st->len ||
		    memchr(st->buf + (p - st->at), '\0',
		    st->len - (p - st->at)) == NULL)
			return NULL;
	}
	v = calloc(n + 1, sizeof(*v));
	for (size_t i = 0; v != NULL && i < n; i++) {
		memcpy(&p, st->buf + *off + i * word, word);
		v[i] = st->buf + (p - st->at);
	}
	*off += (n + 1) * word;
	return v;
}

static int
read_link(pid_t pid, const char *name, char buf[OS_PATH_BYTES])
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%ld/%s", (long)pid, name);
	n = readlink(path, buf, OS_PATH_BYTES - 1);
	if (n <= 0)
		return -1;
	buf[n] = '\0';
	return 0;
}

static int
judge_started(pid_t pid, os_judge *judge, void *arg)
{
	struct stack st = { 0 };
	char link[64], exe[OS_PATH_BYTES], cwd[OS_PATH_BYTES];
	char **argv = NULL, **envp = NULL;
	struct os_exec_item object = { .path = exe };
	struct os_event ev = { .kind = OS_EVENT_STARTED, .pid = pid,
	    .object = &object, .cwd = cwd };
	struct stat file;
	size_t off = sizeof(uintptr_t);
	int ret = EACCES;	/* what cannot be read cannot be judged */

	snprintf(link, sizeof(link), "/proc/%ld/exe", (long)pid);
	if (read_link(pid, "exe", exe) == 0 && stat(link, &file) == 0 &&
	    read_link(pid, "cwd", cwd) == 0 && read_stack(pid, &st) == 0 &&
	    (argv = take_vector(&st, &off)) != NULL &&
	    (envp = take_vector(&st, &off)) != NULL) {
		object.dev = file.st_dev;
		object.ino = file.st_ino;
		ev.argv = argv;
		ev.envp = envp;
		ret = judge(&ev, arg);
	}
	free(argv);
	free(envp);
	free(st.buf);
	return ret;
}

/* ---- stops ---- */

/* True: it may run. The program itself was judged by who started it. */
static bool
may_run(pid_t pid, os_judge *judge, void *arg)
{
	unsigned long old = (unsigned long)pid;
	struct started *p;

	/* An exec gives its process' number to the thread that called it. */
	if (ptrace(PTRACE_GETEVENTMSG, pid, 0, &old) == 0 && (pid_t)old != pid) {
		pids_remove(&traced, (pid_t)old);
		if (!pids_has(&traced, pid))
			pids_add(&traced, pid);
	}
	p = find_asking((pid_t)old);
	if (p == NULL)
		return false;	/* nobody let it go on */
	p->asks = 0;
	p->runs = true;
	if (p == procs && !program_started) {
		program_started = true;
		return true;
	}
	return judge_started(pid, judge, arg) == 0;
}

/* Any stop but that of the exec means that the exec failed; the next one asks again. */
static void
on_stop(pid_t tid, int status, os_judge *judge, void *arg)
{
	int event = status >> 16, sig = event == 0 ? WSTOPSIG(status) : 0;

	if (event != PTRACE_EVENT_EXEC)
		exec_failed(tid);
	else if (!may_run(tid, judge, arg)) {
		kill(tid, SIGKILL);
		return;
	}
	if (ptrace(PTRACE_DETACH, tid, 0, sig) == 0)
		pids_remove(&traced, tid);
}

void
trace_drain(os_judge *judge, void *arg)
{
	int status;
	pid_t tid;

	while ((tid = waitpid(-1, &status, __WALL | WNOHANG)) > 0) {
		if (WIFSTOPPED(status)) {
			on_stop(tid, status, judge, arg);
		} else {
			exec_failed(tid);
			pids_remove(&traced, tid);
		}
	}
}
