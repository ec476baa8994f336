/*
 * The processes of a tree as /proc shows them: proc(5). The walk goes from
 * init down the lists of children, so it needs no /proc of the tree's own, and
 * costs nothing for the other processes of the machine.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "linux.h"
#include "os.h"

#define STAT_TEXT	1024
#define CHILDREN_TEXT	(1 << 18)	/* some 40000 children of one thread */

struct walk {
	struct os_proc	*list;
	size_t		 n, room;
	size_t		 alive, most;	/* more alive are not looked for; 0: all */
};

ssize_t
proc_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd == -1)
		return -1;
	n = read(fd, text, size - 1);
	close(fd);
	if (n >= 0)
		text[n] = '\0';
	return n;
}

/* A list that the kernel hands out a page at a time; no number of it is cut. */
static ssize_t
read_list(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n = -1;

	if (fd == -1)
		return -1;
	while (len < size - 1 && (n = read(fd, text + len, size - 1 - len)) > 0)
		len += (size_t)n;
	close(fd);
	if (n == -1)
		return -1;
	if (n != 0)
		while (len > 0 && text[len - 1] != ' ')
			len--;
	text[len] = '\0';
	return (ssize_t)len;
}

/* Fields of /proc/PID/stat, counted as proc(5) does. */
enum { STATE = 3, PPID = 4, PGRP, UTIME = 14, STIME, CUTIME, CSTIME, THREADS = 20,
    START = 22, RSS = 24, NFIELDS };

static int64_t
since_boot_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* The text of a stat file in fields; returns the name in it, NULL without. */
static const char *
read_stat(const char *path, char text[STAT_TEXT], long long f[NFIELDS])
{
	char *s, *name;

	/* The name before the last ')' is the program's to choose. */
	if (proc_text(path, text, STAT_TEXT) <= 0 ||
	    (s = strrchr(text, ')')) == NULL || s[1] != ' ' ||
	    (name = strchr(text, '(')) == NULL)
		return NULL;
	*s = '\0';
	f[STATE] = (unsigned char)s[2];
	s += 3;
	for (int i = PPID; i < NFIELDS; i++)
		f[i] = strtoll(s, &s, 10);
	return name + 1;
}

static bool
ended(long long state)
{
	return state == 'Z' || state == 'X';
}

/*
 * The first thread may have ended and others live on. The process' memory is theirs
 * then: sets thread and rss to those of one that lives.
 */
static void
find_living(struct os_proc *p)
{
	long long f[NFIELDS] = { 0 };
	char path[96], text[STAT_TEXT];
	struct dirent *d;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%ld/task", (long)p->pid);
	dir = opendir(path);
	if (dir == NULL)
		return;
	while (p->thread == p->pid && (d = readdir(dir)) != NULL) {
		snprintf(path, sizeof(path), "/proc/%ld/task/%.20s/stat",
		    (long)p->pid, d->d_name);
		if (d->d_name[0] == '.' || read_stat(path, text, f) == NULL ||
		    ended(f[STATE]))
			continue;
		p->thread = (pid_t)strtol(d->d_name, NULL, 10);
		p->rss = f[RSS] * sysconf(_SC_PAGESIZE);
	}
	closedir(dir);
}

bool
proc_read(pid_t pid, struct os_proc *p)
{
	long long f[NFIELDS] = { 0 }, tick = sysconf(_SC_CLK_TCK);
	char path[64], text[STAT_TEXT];
	const char *name;

	snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
	if ((name = read_stat(path, text, f)) == NULL)
		return false;
	*p = (struct os_proc){
		.pid = pid,
		.thread = pid,
		.parent = (pid_t)f[PPID],
		.born = f[START],
		.age_ms = since_boot_ms() - f[START] * 1000 / tick,
		.cpu_us = (f[UTIME] + f[STIME]) * (1000000 / tick),
		.waited_us = (f[CUTIME] + f[CSTIME]) * (1000000 / tick),
		.threads = f[THREADS],
		.rss = f[RSS] * sysconf(_SC_PAGESIZE),
		.zombie = ended(f[STATE]) && f[THREADS] <= 1,
		.leader = f[PGRP] == pid,
	};
	snprintf(p->name, sizeof(p->name), "%s", name);
	if (ended(f[STATE]) && !p->zombie)
		find_living(p);
	return true;
}

static int
add(struct walk *w, pid_t pid)
{
	struct os_proc *list;

	if (w->n == w->room) {
		list = reallocarray(w->list, w->room * 2 + 64, sizeof(*list));
		if (list == NULL)
			return -1;
		w->list = list;
		w->room = w->room * 2 + 64;
	}
	if (proc_read(pid, &w->list[w->n]))
		w->alive += !w->list[w->n++].zombie;
	return 0;
}

static int
add_children(struct walk *w, pid_t pid, const char *tid)
{
	static char text[CHILDREN_TEXT];
	char path[96], *s = text, *end;
	long child;

	snprintf(path, sizeof(path), "/proc/%ld/task/%s/children", (long)pid, tid);
	if (read_list(path, text, sizeof(text)) == -1)
		return errno == ENOENT || errno == ESRCH ? 0 : -1;
	for (; (child = strtol(s, &end, 10)) > 0 && end != s; s = end)
		if (add(w, (pid_t)child) == -1)
			return -1;
	return 0;
}

/* The children of all threads of one process. */
static int
descend(struct walk *w, pid_t pid, int64_t threads)
{
	char path[64], tid[32];
	struct dirent *d;
	DIR *dir;
	int ret = 0;

	if (threads == 1) {
		snprintf(tid, sizeof(tid), "%ld", (long)pid);
		return add_children(w, pid, tid);
	}
	snprintf(path, sizeof(path), "/proc/%ld/task", (long)pid);
	dir = opendir(path);
	if (dir == NULL)
		return errno == ENOENT || errno == ESRCH ? 0 : -1;
	while (ret == 0 && (d = readdir(dir)) != NULL)
		if (d->d_name[0] != '.')
			ret = add_children(w, pid, d->d_name);
	closedir(dir);
	return ret;
}

/* True when /proc shows our own pid namespace, and the lists of children. */
static bool
visible(void)
{
	static int seen = -1;
	char path[64], target[32];
	ssize_t n;

	if (seen == -1) {
		n = readlink("/proc/self", target, sizeof(target) - 1);
		target[n > 0 ? n : 0] = '\0';
		snprintf(path, sizeof(path), "/proc/self/task/%s/children", target);
		seen = strtol(target, NULL, 10) == getpid() &&
		    access(path, R_OK) == 0;
	}
	return seen == 1;
}

/* The process and all below it, parents before their children. */
static ssize_t
list_from(pid_t top, struct os_proc **list, size_t *n, size_t most)
{
	struct walk w = { .list = *list, .room = *n, .most = most };
	int ret = 0;

	if (!visible()) {
		errno = ENOTSUP;
		return -1;
	}
	if (add(&w, top) == -1)
		ret = -1;
	for (size_t i = 0; ret == 0 && i < w.n &&
	    (most == 0 || w.alive <= most); i++)
		ret = descend(&w, w.list[i].pid, w.list[i].threads);
	*list = w.list;
	*n = w.room;
	return ret == -1 ? -1 : (ssize_t)w.n;
}

ssize_t
os_tree_list(const struct os_tree *t, struct os_proc **list, size_t *n, size_t most)
{
	return list_from(t->init, list, n, most);
}

/* The number behind a name in /proc/PID/status, -1 without. */
static int64_t
status_number(const char *text, const char *name)
{
	const char *s = strstr(text, name);

	return s == NULL ? -1 : strtoll(s + strlen(name), NULL, 10);
}

int64_t
os_user_tasks(void)
{
	static char text[CHILDREN_TEXT];	/* it lists all groups of the user */
	const struct dirent *e;
	char path[64];
	int64_t sum = 0;
	DIR *d = opendir("/proc");

	if (d == NULL)
		return -1;
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] < '0' || e->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "/proc/%.20s/status", e->d_name);
		if (proc_text(path, text, sizeof(text)) > 0 &&
		    status_number(text, "\nUid:") == (int64_t)getuid())
			sum += status_number(text, "\nThreads:");
	}
	closedir(d);
	return sum;
}

bool
proc_visible(void)
{
	return visible();
}

/* Ours to reap, so that their numbers are nobody else's: also those we see no more of. */
static void
signal_children(int sig)
{
	static char text[CHILDREN_TEXT];
	char *s = text, *end;
	char path[64];
	long child;

	snprintf(path, sizeof(path), "/proc/self/task/%ld/children", (long)getpid());
	if (read_list(path, text, sizeof(text)) == -1)
		return;
	for (; (child = strtol(s, &end, 10)) > 0 && end != s; s = end)
		kill((pid_t)child, sig);
}

/*
 * A process group at once, which no fork in it is faster than. Only one that was made
 * below us, as its leader is there: who joined another of the session's takes nobody
 * else along.
 */
static void
signal_group(const struct os_proc *p, int sig)
{
	struct os_proc now;

	if (proc_read(p->pid, &now) && now.born == p->born && now.leader)
		kill(-p->pid, sig);
}

void
proc_signal_below(int sig)
{
	static struct os_proc *list;
	static size_t room;
	ssize_t n;

	signal_children(sig);
	n = list_from(getpid(), &list, &room, 0);
	for (ssize_t i = 1; i < n; i++)
		if (list[i].leader)
			signal_group(&list[i], sig);
	for (ssize_t i = 1; i < n; i++)
		os_proc_signal(&list[i], sig);
}

int64_t
os_proc_memory(const struct os_proc *p)
{
	/* Shares of pages that no file on a disk holds. */
	static const char *const words[] = { "Pss_Anon:", "Pss_Shmem:" };
	char path[64], text[4096], *at;
	int64_t sum = 0;

	/* Of a thread this is there, though only processes are listed. */
	snprintf(path, sizeof(path), "/proc/%ld/smaps_rollup", (long)p->thread);
	if (proc_text(path, text, sizeof(text)) <= 0)
		return -1;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if ((at = strstr(text, words[i])) != NULL)
			sum += strtoll(at + strlen(words[i]), NULL, 10) * 1024;
	return sum;
}

int
os_proc_signal(const struct os_proc *p, int sig)
{
	int fd = (int)syscall(SYS_pidfd_open, p->pid, 0), ret;
	struct os_proc now;

	if (fd == -1)
		return -1;
	/* The descriptor holds the number: it is still the same one, or not. */
	if (!proc_read(p->pid, &now) || now.born != p->born) {
		errno = ESRCH;
		ret = -1;
	} else
		ret = (int)syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0);
	close(fd);
	return ret;
}

int
os_process_fd(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}
