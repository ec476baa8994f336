/*
 * Control groups: cgroups(7). A tree gets two nested ones. The outer carries the
 * caps, the program lives in the inner: so even a program that mounts a
 * cgroup file system of its own, in a user and cgroup namespace of its own, sees
 * its root at the inner one and finds no cap to raise.
 */
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <linux/mount.h>
#include <linux/sched.h>

#include "linux.h"
#include "os.h"

#define PREFIX		"x07-"		/* of the outer group, before our pid */
#define INNER		"tree"
#define NPARTS		5
#define FILE_TEXT	4096		/* of a control file we read */

/* What a hierarchy can do for us. */
struct kind {
	const char	*how;
	const char	*controller;	/* version 1: its mount option; 2: NULL */
	unsigned	 bits;
};

static const struct kind kinds[NPARTS] = {
	{ "cgroup v2", NULL, OS_SUM_CPU | OS_SUM_MEM | OS_SUM_TASKS | OS_SUM_KILL },
	{ "cgroup v1 memory", "memory", OS_SUM_MEM },
	{ "cgroup v1 pids", "pids", OS_SUM_TASKS },
	{ "cgroup v1 cpuacct", "cpuacct", OS_SUM_CPU },
	{ "cgroup v1 freezer", "freezer", OS_SUM_KILL },
};

struct part {
	const struct kind	*kind;
	unsigned		 bits;
	int			 parent;	/* the directory that holds the outer group */
	int			 outer;
	int			 procs;		/* cgroup.procs of the inner one */
};

struct os_group {
	char		name[48];
	size_t		n;
	struct part	part[NPARTS];
};

/* ---- files ---- */

static int
put(int dir, const char *file, const char *text)
{
	int fd = openat(dir, file, O_WRONLY | O_CLOEXEC), err;
	ssize_t n;

	if (fd == -1)
		return -1;
	n = write(fd, text, strlen(text));
	err = errno;
	close(fd);
	errno = err;
	return n == -1 ? -1 : 0;
}

static int
put_number(int dir, const char *file, int64_t n)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", (long long)n);
	return put(dir, file, text);
}

static int
get(int dir, const char *file, char text[FILE_TEXT])
{
	int fd = openat(dir, file, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd == -1)
		return -1;
	n = read(fd, text, FILE_TEXT - 1);
	close(fd);
	if (n == -1)
		return -1;
	text[n] = '\0';
	return 0;
}

/* The number after a word at the start of a line, or the first number for "". */
static int64_t
get_number(int dir, const char *file, const char *word)
{
	char text[FILE_TEXT], *line, *save;
	size_t len = strlen(word);

	if (get(dir, file, text) == -1)
		return -1;
	for (line = strtok_r(text, "\n", &save); line != NULL;
	    line = strtok_r(NULL, "\n", &save))
		if (strncmp(line, word, len) == 0 &&
		    (len == 0 || line[len] == ' '))
			return strtoll(line + len, NULL, 10);
	return -1;
}

static bool
has_word(const char *list, const char *word, char sep)
{
	size_t len = strlen(word);

	for (const char *p = list; (p = strstr(p, word)) != NULL; p += len)
		if ((p == list || p[-1] == sep) &&
		    (p[len] == sep || p[len] == '\0' || p[len] == '\n'))
			return true;
	return false;
}

/* ---- where we are ---- */

struct mount {
	char	*root, *point, *type, *options;	/* point: octal escapes undone */
};

static void
unescape(char *s)
{
	char *d = s;

	for (; *s != '\0'; d++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' &&
		    s[2] <= '7' && s[3] >= '0' && s[3] <= '7') {
			*d = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 |
			    (s[3] - '0'));
			s += 4;
		} else
			*d = *s++;
	}
	*d = '\0';
}

/* One line of /proc/self/mountinfo, proc(5). */
static bool
parse_mount(char *line, struct mount *m)
{
	char *save, *word;
	int i = 0;

	memset(m, 0, sizeof(*m));
	for (word = strtok_r(line, " \n", &save); word != NULL;
	    word = strtok_r(NULL, " \n", &save), i++) {
		if (i == 3)
			m->root = word;
		else if (i == 4)
			m->point = word;
		else if (i > 5 && strcmp(word, "-") == 0)
			break;
	}
	if (word == NULL)
		return false;
	m->type = strtok_r(NULL, " \n", &save);
	strtok_r(NULL, " \n", &save);		/* the source */
	m->options = strtok_r(NULL, " \n", &save);
	if (m->type == NULL || m->options == NULL)
		return false;
	unescape(m->root);
	unescape(m->point);
	return strncmp(m->type, "cgroup", 6) == 0;
}

/* All of a file of /proc, for free(3): what is read in small pieces is made again for each. */
static char *
read_all(const char *path)
{
	size_t room = 16384, len = 0;
	char *text = malloc(room), *more;
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;
	ssize_t n = -1;

	while (fd != -1 && text != NULL &&
	    (n = read(fd, text + len, room - len - 1)) > 0) {
		len += (size_t)n;
		if (room - len > 4096)
			continue;
		more = realloc(text, room *= 2);
		if (more == NULL)
			free(text);
		text = more;
	}
	err = errno;
	if (fd != -1)
		close(fd);
	if (n != 0) {
		free(text);
		text = NULL;
	}
	if (text != NULL)
		text[len] = '\0';
	errno = err;
	return text;
}

/* Calls f for each cgroup mount of a mountinfo until it returns other than 0. */
static int
each_mount(const char *mountinfo, int (*f)(const struct mount *, void *), void *arg)
{
	char *copy = mountinfo == NULL ? NULL : strdup(mountinfo), *rest = copy, *line;
	struct mount m;
	int ret = 0, err;

	if (copy == NULL)
		return -1;
	while (ret == 0 && (line = strsep(&rest, "\n")) != NULL)
		if (parse_mount(line, &m))
			ret = f(&m, arg);
	err = errno;
	free(copy);
	errno = err;
	return ret;
}

/* What the kernel says of where this process is. */
struct here {
	char	*mounts;	/* /proc/self/mountinfo */
	char	*groups;	/* /proc/self/cgroup */
};

struct place {
	const struct kind	*kind;
	char			 own[PATH_MAX];	/* our path as /proc/self/cgroup has it */
	char			 top[PATH_MAX];	/* the mount point */
	char			 dir[PATH_MAX];	/* our directory below it */
};

static bool
is_kind(const struct kind *k, const struct mount *m)
{
	if (k->controller == NULL)
		return strcmp(m->type, "cgroup2") == 0;
	return strcmp(m->type, "cgroup") == 0 &&
	    has_word(m->options, k->controller, ',');
}

static int
match_mount(const struct mount *m, void *arg)
{
	struct place *p = arg;
	size_t len = strcmp(m->root, "/") == 0 ? 0 : strlen(m->root);
	int n;

	/* Another part of the hierarchy than the one we live in: look on. */
	if (!is_kind(p->kind, m) || strncmp(p->own, m->root, len) != 0 ||
	    (p->own[len] != '/' && p->own[len] != '\0'))
		return 0;
	snprintf(p->top, sizeof(p->top), "%s", m->point);
	n = snprintf(p->dir, sizeof(p->dir), "%s%s", m->point,
	    strcmp(p->own + len, "/") == 0 ? "" : p->own + len);
	return n > 0 && (size_t)n < sizeof(p->dir) ? 1 : 0;
}

/* Our own path in the hierarchy, from a line "ID:CONTROLLERS:PATH". */
static bool
own_path(struct place *p, const char *groups)
{
	char *copy = groups == NULL ? NULL : strdup(groups), *rest = copy, *line;
	bool found = false;

	while (!found && (line = strsep(&rest, "\n")) != NULL) {
		char *list = strchr(line, ':'), *path;

		if (list == NULL || (path = strchr(++list, ':')) == NULL)
			continue;
		*path++ = '\0';
		found = p->kind->controller == NULL ? *list == '\0' :
		    has_word(list, p->kind->controller, ',');
		if (found)
			snprintf(p->own, sizeof(p->own), "%s", path);
	}
	free(copy);
	/* A path with ".." lies outside of our cgroup namespace. */
	return found && strstr(p->own, "/..") == NULL;
}

static bool
find_place(const struct kind *k, const struct here *here, struct place *p)
{
	p->kind = k;
	return own_path(p, here->groups) &&
	    each_mount(here->mounts, match_mount, p) == 1;
}

/* ---- making ---- */

/* Removes a group and the groups below it. */
static int
remove_below(int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *d;
	DIR *dir;

	if (fd == -1)
		return errno == ENOENT ? 0 : -1;
	dir = fdopendir(fd);
	if (dir == NULL) {
		close(fd);
		return -1;
	}
	while ((d = readdir(dir)) != NULL)
		if (d->d_type == DT_DIR && d->d_name[0] != '.')
			remove_below(dirfd(dir), d->d_name);
	closedir(dir);
	return unlinkat(parent, name, AT_REMOVEDIR);
}

/*
 * Removes what supervisors left that were killed together with their init. A
 * young one may belong to a live process of another pid namespace.
 */
static void
sweep(int parent)
{
	int fd = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);
	struct dirent *d;
	struct stat st;
	char *end;
	long pid;

	if (dir == NULL)
		return;
	while ((d = readdir(dir)) != NULL) {
		if (d->d_type != DT_DIR ||
		    strncmp(d->d_name, PREFIX, strlen(PREFIX)) != 0)
			continue;
		pid = strtol(d->d_name + strlen(PREFIX), &end, 10);
		if (*end == '-' && pid > 0 && kill((pid_t)pid, 0) == -1 &&
		    errno == ESRCH && fstatat(fd, d->d_name, &st, 0) == 0 &&
		    st.st_mtime < time(NULL) - 60)
			remove_below(fd, d->d_name);
	}
	closedir(dir);
}

/* Makes outer and inner group below the open parent. */
static int
make_pair(struct part *p, const char *name)
{
	if (mkdirat(p->parent, name, 0755) == -1)
		return -1;
	p->outer = openat(p->parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p->outer == -1)
		return -1;
	/* Before 5.11 a v1 group does not bind the groups below it by itself. */
	if (p->kind->controller != NULL && (p->kind->bits & OS_SUM_MEM) != 0)
		put(p->outer, "memory.use_hierarchy", "1");
	if (mkdirat(p->outer, INNER, 0755) == -1)
		return -1;
	/* Moving one thread, itself, spares version 1 a lock that waits for all. */
	p->procs = openat(p->outer, p->kind->controller != NULL ? INNER "/tasks" :
	    INNER "/cgroup.procs", O_WRONLY | O_CLOEXEC);
	return p->procs == -1 ? -1 : 0;
}

/*
 * What sockets hold version 1 counts apart from all else, and only in groups that have
 * such a limit themselves. A kernel without the file has no such sockets.
 */
static bool
cap_sockets(int dir, int64_t bytes)
{
	return put_number(dir, INNER "/memory.kmem.tcp.limit_in_bytes",
	    bytes) == 0 || errno == ENOENT;
}

static bool
cap_memory(int dir, bool v2, int64_t bytes)
{
	if (v2)
		return put_number(dir, "memory.max", bytes) == 0 &&
		    (put_number(dir, "memory.swap.max", 0) == 0 ||
		    errno == ENOENT);
	if (put_number(dir, "memory.limit_in_bytes", bytes) == -1 ||
	    !cap_sockets(dir, bytes))
		return false;
	/* This one counts memory and swap together, where swap is counted. */
	if (put_number(dir, "memory.memsw.limit_in_bytes", bytes) == 0)
		return true;
	return errno == ENOENT && put_number(dir, "memory.swappiness", 0) == 0 &&
	    put_number(dir, INNER "/memory.swappiness", 0) == 0;
}

static void
undo(struct part *p, const char *name)
{
	if (p->procs != -1)
		close(p->procs);
	if (p->outer != -1)
		close(p->outer);
	remove_below(p->parent, name);
	close(p->parent);
}

/* False when processes cannot be put below, as another controller is in the way. */
static bool
is_domain(int dir)
{
	char text[FILE_TEXT];

	return get(dir, INNER "/cgroup.type", text) == 0 &&
	    strcmp(text, "domain\n") == 0;
}

/* Tries one directory; true when the group stands there with some wanted bit. */
static bool
make_in(struct os_group *g, const struct kind *k, const char *dir,
    unsigned want, int64_t mem, int64_t tasks)
{
	struct part *p = &g->part[g->n];
	bool v2 = k->controller == NULL;

	*p = (struct part){ .kind = k, .outer = -1, .procs = -1 };
	p->parent = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p->parent == -1)
		return false;
	if (faccessat(p->parent, "cgroup.procs", W_OK, AT_EACCESS) == -1) {
		close(p->parent);
		return false;
	}
	sweep(p->parent);
	if (make_pair(p, g->name) == 0 && (!v2 || is_domain(p->outer))) {
		if ((want & OS_SUM_MEM) != 0 && cap_memory(p->outer, v2, mem))
			p->bits |= OS_SUM_MEM;
		if ((want & OS_SUM_TASKS) != 0 &&
		    put_number(p->outer, "pids.max", tasks) == 0)
			p->bits |= OS_SUM_TASKS;
		p->bits |= want & (OS_SUM_CPU | OS_SUM_KILL);
	}
	if (p->bits != 0) {
		g->n++;
		return true;
	}
	undo(p, g->name);
	return false;
}

/* True when nobody capped this group: leaving it upwards widens nothing. */
static bool
uncapped(const char *dir)
{
	static const char *const caps[] = { "memory.max", "pids.max", "cpu.max",
	    "memory.high", "memory.swap.max" };
	char text[FILE_TEXT];
	bool ok = true;
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd == -1)
		return false;
	for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++)
		if (get(fd, caps[i], text) == 0 && strncmp(text, "max", 3) != 0)
			ok = false;
	close(fd);
	return ok;
}

/* The hierarchy's own root; there processes and controllers go together. */
static bool
is_root(int dir)
{
	return faccessat(dir, "cgroup.type", F_OK, 0) == -1;
}

/* True when no process is in this group itself. */
static bool
is_empty(int dir)
{
	char text[FILE_TEXT];

	return get(dir, "cgroup.procs", text) == 0 && *text == '\0';
}

/* To the group around this one, as far as there is one to see. */
static bool
go_up(struct place *at)
{
	char *slash = strrchr(at->dir, '/');

	if (strcmp(at->dir, at->top) == 0 || slash == NULL)
		return false;
	*slash = '\0';
	return true;
}

static bool
has_mark(const char *dir, const char *name)
{
	return getxattr(dir, name, NULL, 0) >= 0;
}

/* True when systemd(1) marks scopes too: then it leaves a mark on every service. */
static bool
scopes_marked(const struct place *at)
{
	struct place up = *at;
	char path[PATH_MAX + NAME_MAX + 2];
	bool marked = false;
	struct dirent *d;
	DIR *dir;

	if (!go_up(&up) || (dir = opendir(up.dir)) == NULL)
		return false;
	while (!marked && (d = readdir(dir)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", up.dir, d->d_name);
		marked = d->d_type == DT_DIR && (has_mark(path, "user.delegate") ||
		    has_mark(path, "user.invocation_id"));
	}
	closedir(dir);
	return marked;
}

/*
 * True for the group of a unit that systemd(1) did not delegate: at its next reload it
 * takes from there all that it did not hand out itself, with the caps. What another user
 * may write was delegated, or is of his own manager's, which leaves no marks.
 */
static bool
systemd_keeps(const struct place *at)
{
	const char *suffix = strrchr(at->dir, '.');

	if (geteuid() != 0 || suffix == NULL ||
	    has_mark(at->dir, "trusted.delegate") ||
	    has_mark(at->dir, "user.delegate"))
		return false;
	return strcmp(suffix, ".service") == 0 || strcmp(suffix, ".slice") == 0 ||
	    (strcmp(suffix, ".scope") == 0 && scopes_marked(at));
}

/*
 * A scope that was delegated to us alone, as systemd-run(1) does, holds us in the
 * way: we go into a group below. What is left of that is swept up like the rest.
 */
static void
step_aside(int dir)
{
	char text[FILE_TEXT], own[32], name[64];
	int leaf;

	snprintf(own, sizeof(own), "%ld\n", (long)getpid());
	snprintf(name, sizeof(name), PREFIX "%ld-self", (long)getpid());
	if (is_root(dir) || get(dir, "cgroup.procs", text) == -1 ||
	    strcmp(text, own) != 0 || mkdirat(dir, name, 0755) == -1)
		return;
	leaf = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (leaf == -1 || put(leaf, "cgroup.procs", "0") == -1)
		unlinkat(dir, name, AT_REMOVEDIR);
	if (leaf != -1)
		close(leaf);
}

/* The wanted bits that groups below this one can hold, once told to if they may be. */
static unsigned
hand_out(int dir, bool may, unsigned want)
{
	static const struct {
		const char	*name, *enable;
		unsigned	 bit;
	} controllers[] = {
		{ "memory", "+memory", OS_SUM_MEM }, { "pids", "+pids", OS_SUM_TASKS },
	};
	unsigned have = want & (OS_SUM_CPU | OS_SUM_KILL);
	char given[FILE_TEXT], text[FILE_TEXT];

	if (get(dir, "cgroup.subtree_control", given) == -1 ||
	    get(dir, "cgroup.controllers", text) == -1)
		return have;
	for (size_t i = 0; i < sizeof(controllers) / sizeof(controllers[0]); i++) {
		if ((want & controllers[i].bit) == 0 ||
		    !has_word(text, controllers[i].name, ' '))
			continue;
		/* Beside processes a controller could make the groups below useless. */
		if (has_word(given, controllers[i].name, ' ') ||
		    (may && (is_root(dir) || is_empty(dir)) &&
		    put(dir, "cgroup.subtree_control", controllers[i].enable) == 0))
			have |= controllers[i].bit;
	}
	return have;
}

/*
 * Version 2 gives controllers only to groups below one without processes of
 * its own: so from where we are upwards, as far as it is ours, to the first that
 * hands out what we want; least is what must be had.
 */
static bool
climb(struct os_group *g, const struct place *from, unsigned want, unsigned least,
    int64_t mem, int64_t tasks)
{
	struct place at = *from;
	unsigned have;
	int fd;

	for (;;) {
		fd = open(at.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		have = fd == -1 ? 0 : hand_out(fd, !systemd_keeps(&at), want);
		if (fd != -1)
			close(fd);
		if (have != 0 && (have & least) == least &&
		    make_in(g, at.kind, at.dir, have, mem, tasks))
			return true;
		if (!uncapped(at.dir) || !go_up(&at))
			return false;
	}
}

static void
make_v2(struct os_group *g, const struct place *at, unsigned want, int64_t mem,
    int64_t tasks)
{
	int fd = open(at->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd == -1)
		return;
	if ((want & (OS_SUM_MEM | OS_SUM_TASKS)) != 0 && !systemd_keeps(at) &&
	    faccessat(fd, "cgroup.subtree_control", W_OK, AT_EACCESS) == 0)
		step_aside(fd);
	close(fd);
	/* All in one place, or else whatever there is. */
	if (!climb(g, at, want, want, mem, tasks))
		climb(g, at, want, 0, mem, tasks);
}

struct os_group *
os_group_make(unsigned want, int64_t mem_bytes, int64_t tasks)
{
	struct os_group *g = calloc(1, sizeof(*g));
	struct here here;
	struct timespec now;
	struct place at;

	if (g == NULL)
		return NULL;
	here.mounts = read_all("/proc/self/mountinfo");
	here.groups = read_all("/proc/self/cgroup");
	/* The pid tells sweep() who; the time keeps pid namespaces apart. */
	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(g->name, sizeof(g->name), PREFIX "%ld-%llx", (long)getpid(),
	    (unsigned long long)now.tv_sec << 30 | (unsigned long)now.tv_nsec);
	for (size_t i = 0; i < NPARTS; i++) {
		unsigned todo = want & kinds[i].bits & ~os_group_holds(g);

		if (todo == 0 || !find_place(&kinds[i], &here, &at))
			continue;
		if (kinds[i].controller == NULL)
			make_v2(g, &at, todo, mem_bytes, tasks);
		else
			make_in(g, &kinds[i], at.dir, todo, mem_bytes, tasks);
	}
	free(here.mounts);
	free(here.groups);
	if (g->n > 0)
		return g;
	free(g);
	errno = ENOTSUP;
	return NULL;
}

unsigned
os_group_holds(const struct os_group *g)
{
	unsigned bits = 0;

	for (size_t i = 0; g != NULL && i < g->n; i++)
		bits |= g->part[i].bits;
	return bits;
}

const char *
os_group_how(const struct os_group *g, unsigned bit)
{
	for (size_t i = 0; g != NULL && i < g->n; i++)
		if ((g->part[i].bits & bit) != 0)
			return g->part[i].kind->how;
	return "nothing";
}

/* ---- using ---- */

static void
raise_to(int64_t *value, int64_t to)
{
	if (to > *value)
		*value = to;
}

int
os_group_usage(const struct os_group *g, struct os_usage *u)
{
	for (size_t i = 0; i < g->n; i++) {
		const struct part *p = &g->part[i];
		bool v2 = p->kind->controller == NULL;
		int64_t cpu;

		if ((p->bits & OS_SUM_CPU) != 0) {
			cpu = v2 ? get_number(p->outer, "cpu.stat", "usage_usec") :
			    get_number(p->outer, "cpuacct.usage", "") / 1000;
			if (cpu < 0)
				return -1;
			u->cpu_us = cpu;
		}
		if ((p->bits & OS_SUM_MEM) != 0) {
			/* Who took the controller from us took the cap. */
			if (v2 && faccessat(p->outer, "memory.max", F_OK, 0) == -1)
				return -1;
			raise_to(&u->mem_peak, get_number(p->outer, v2 ?
			    "memory.peak" : "memory.max_usage_in_bytes", ""));
			/* Version 1 counts a kill where the victim was. */
			raise_to(&u->oom_kills, v2 ?
			    get_number(p->outer, "memory.events", "oom_kill") :
			    get_number(p->outer, INNER "/memory.oom_control",
			    "oom_kill"));
		}
		if ((p->bits & OS_SUM_TASKS) != 0) {
			u->tasks = get_number(p->outer, "pids.current", "");
			if (u->tasks < 0)
				return -1;
			raise_to(&u->tasks_peak, get_number(p->outer, "pids.peak", ""));
			raise_to(&u->forks_refused,
			    get_number(p->outer, "pids.events", "max"));
			raise_to(&u->forks_refused,
			    get_number(p->outer, INNER "/pids.events", "max"));
		}
	}
	return 0;
}

/* A child that starts inside a version 2 group; -1: it has to enter it. */
static pid_t
fork_into(struct part *p)
{
	struct clone_args args = { .flags = CLONE_INTO_CGROUP,
	    .exit_signal = SIGCHLD };
	int fd = openat(p->outer, INNER, O_PATH | O_DIRECTORY | O_CLOEXEC);
	pid_t pid;

	if (fd == -1)
		return -1;
	args.cgroup = (__u64)fd;
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	close(fd);
	if (pid == 0) {
		close(p->procs);
		p->procs = -1;
	}
	return pid;
}

pid_t
group_fork(struct os_group *g)
{
	pid_t pid;

	/* Entering a group later takes a lock that waits for all processors. */
	for (size_t i = 0; g != NULL && i < g->n; i++)
		if (g->part[i].kind->controller == NULL &&
		    (pid = fork_into(&g->part[i])) != -1)
			return pid;
	return fork();
}

int
group_enter(const struct os_group *g)
{
	for (size_t i = 0; i < g->n; i++)
		if (g->part[i].procs != -1 && write(g->part[i].procs, "0", 1) != 1)
			return -1;
	return 0;
}

size_t
group_fds(const struct os_group *g, int fds[GROUP_FDS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; g != NULL && i < g->n; i++) {
		fds[n++] = g->part[i].parent;
		fds[n++] = g->part[i].outer;
		fds[n++] = g->part[i].procs;
	}
	return n;
}

void
group_close(struct os_group *g)
{
	int fds[GROUP_FDS_MAX];
	size_t n = group_fds(g, fds);

	for (size_t i = 0; i < n; i++)
		close(fds[i]);
	g->n = 0;
}

void
group_end(const struct os_group *g)
{
	for (size_t i = 0; i < g->n; i++) {
		const struct part *p = &g->part[i];

		if (p->kind->controller == NULL &&
		    put(p->outer, "cgroup.kill", "1") == 0)
			continue;
		if (p->kind->controller != NULL && (p->bits & OS_SUM_KILL) != 0)
			put(p->outer, "freezer.state", "FROZEN");
	}
}

void
group_thaw(const struct os_group *g)
{
	for (size_t i = 0; i < g->n; i++) {
		const struct part *p = &g->part[i];

		if (p->kind->controller != NULL && (p->bits & OS_SUM_KILL) != 0)
			put(p->outer, "freezer.state", "THAWED");
	}
}

static int
make_readonly(const struct mount *m, void *arg)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };

	(void)arg;
	if (syscall(SYS_mount_setattr, AT_FDCWD, m->point, 0, &attr,
	    sizeof(attr)) == 0)
		return 0;
	/* Covered by another mount: nobody gets there by that name either. */
	return errno == EINVAL || errno == ENOENT ? 0 : -1;
}

int
group_protect(void)
{
	char *mounts = read_all("/proc/self/mountinfo");
	int ret = each_mount(mounts, make_readonly, NULL), err = errno;

	free(mounts);
	errno = err;
	return ret;
}

int
os_group_remove(struct os_group *g)
{
	static const struct timespec moment = { 0, 1000000 };
	int ret = 0;

	for (size_t i = 0; i < g->n; i++) {
		int r = -1;

		/* The last process may still be on its way out. */
		for (int k = 0; k < 100 && r == -1; k++) {
			r = remove_below(g->part[i].parent, g->name);
			if (r == -1 && errno == EBUSY)
				nanosleep(&moment, NULL);
			else
				break;
		}
		if (r == -1)
			ret = -1;
	}
	group_close(g);
	return ret;
}
