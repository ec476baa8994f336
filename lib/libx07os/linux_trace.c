/*
 * The watcher as tracer, for rules that need to see what was really started.
 * A task is traced from the moment its exec is let go on until it has been
 * judged: ptrace(2) stops it after the exec and before its first instruction,
 * when its arguments lie in memory that nobody else reaches. If the tracer
 * dies in between, the kernel kills the task.
 */
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "linux.h"
#include "os.h"

struct pids {
	pid_t	*pid;
	size_t	 n, cap;
};

static struct pids	traced;
static struct pids	spawning;	/* may make a process at this moment */
static size_t		live_bound;	/* no more live children than this */
static pid_t		program;
static bool		program_started;
static struct stat	program_userns;

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

int
trace_attach(pid_t tid)
{
	if (pids_has(&traced, tid))
		return 0;
	if (ptrace(PTRACE_SEIZE, tid, 0,
	    PTRACE_O_EXITKILL | PTRACE_O_TRACEEXEC) == -1)
		return -1;
	pids_add(&traced, tid);
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
	char path[64];

	program = pid;
	snprintf(path, sizeof(path), "/proc/%ld/ns/user", (long)pid);
	return stat(path, &program_userns) == -1 ? -1 : trace_attach(pid);
}

/* ---- how many live ---- */

/*
 * True for a live process (zombies have no executable) of the program's user
 * namespace: nobody inside can leave it or make another.
 */
static bool
is_ours(const char *pid)
{
	char path[300], exe[2];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%s/ns/user", pid);
	if (stat(path, &st) == -1 || st.st_ino != program_userns.st_ino ||
	    st.st_dev != program_userns.st_dev)
		return false;
	snprintf(path, sizeof(path), "/proc/%s/exe", pid);
	return readlink(path, exe, sizeof(exe)) != -1 || errno != ENOENT;
}

static size_t
count_processes(void)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	size_t n = 0;

	if (d == NULL)
		return SIZE_MAX / 2;	/* cannot tell: too many */
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] >= '1' && e->d_name[0] <= '9' &&
		    strtol(e->d_name, NULL, 10) != program && is_ours(e->d_name))
			n++;
	closedir(d);
	return n;
}

/*
 * Whether a task that was told it may make a process still has to: it is
 * done when it blocks in another call.
 */
static bool
still_spawning(pid_t tid)
{
	char path[64], buf[32];
	ssize_t n;
	long nr;
	int fd;

	snprintf(path, sizeof(path), "/proc/%ld/syscall", (long)tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return errno != ENOENT;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	if (n <= 0)
		return errno != ESRCH;
	buf[n] = '\0';
	nr = strtol(buf, NULL, 10);
	return strncmp(buf, "running", 7) == 0 || nr == SYS_clone
#ifdef SYS_fork
	    || nr == SYS_fork || nr == SYS_vfork
#endif
	    ;
}

/* The order matters: a child made after the first look is in the second. */
static size_t
count_live(void)
{
	struct pids *s = &spawning;

	for (int tries = 0; tries < 20 && s->n > 0; tries++) {
		for (size_t i = s->n; i-- > 0;)
			if (!still_spawning(s->pid[i]))
				s->pid[i] = s->pid[--s->n];
		if (s->n > 0)
			sched_yield();
	}
	return s->n + count_processes();
}

size_t
os_watch_live(const struct os_event *ev, size_t limit)
{
	/* It asks again, so what it was told before is done. */
	pids_remove(&spawning, ev->pid);
	if (live_bound >= limit)
		live_bound = count_live();
	return live_bound;
}

void
trace_spawning(pid_t tid)
{
	pids_add(&spawning, tid);
	live_bound++;
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
	size_t cap = 1 << 14, page = (size_t)sysconf(_SC_PAGESIZE);

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
	unsigned long old = 0;

	/* An exec gives its process' number to the thread that called it. */
	if (ptrace(PTRACE_GETEVENTMSG, pid, 0, &old) == 0 && (pid_t)old != pid) {
		pids_remove(&traced, (pid_t)old);
		if (!pids_has(&traced, pid))
			pids_add(&traced, pid);
	}
	if (pid == program && !program_started) {
		program_started = true;
		return true;
	}
	return judge_started(pid, judge, arg) == 0;
}

/*
 * Any stop but that of the exec means that the exec failed or was
 * interrupted; the next one asks again.
 */
static void
on_stop(pid_t tid, int status, os_judge *judge, void *arg)
{
	int event = status >> 16, sig = event == 0 ? WSTOPSIG(status) : 0;

	if (event == PTRACE_EVENT_EXEC && !may_run(tid, judge, arg)) {
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
		if (WIFSTOPPED(status))
			on_stop(tid, status, judge, arg);
		else
			pids_remove(&traced, tid);
	}
}
