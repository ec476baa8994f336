/*
 * guestrun - the first process of a container: becomes the gates of one program.
 *
 * DIR (/x07/in, read-only) holds what x07-vmrun's driver wrote: the request, and the
 * policy in normal form. See x07-vm-ctr(8); guestinit is the same for a machine with
 * a kernel of its own.
 */
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <netinet/in.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "channel.h"
#include "os.h"
#include "vm.h"
#include "x07.h"

#define EXIT_USAGE	2
#define GATES		"/x07/bin/"
#define AUDIT		"/x07/audit/log"
#define NETMUX		GATES "netmux"
#define CHANNEL		"/x07/net/channel"
#define USAGE		"/x07/out/usage"
#define STARTED		"/x07/out/started"

/* Where the first gate finds these, and where it hands them on. */
enum { POLICY_FD = 3, AUDIT_FD, USAGE_FD };

struct request {
	struct vm_list	args, env, gates, groups, read, write;
	const char	*cwd, *uid, *gid, *wall, *audit, *net, *phase, *usage;
};

static int
open_in(const char *dir, const char *name)
{
	char *path;
	int fd;

	if (asprintf(&path, "%s/%s", dir, name) == -1)
		refuse_errno("memory");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		refuse_errno("%s", path);
	free(path);
	return fd;
}

/* ---- the request ---- */

static void
take(struct request *r, const char *key, const char *value)
{
	const struct {
		const char	*key;
		struct vm_list	*list;
		const char	**text;
	} keys[] = {
		{ "arg",	&r->args,	NULL },
		{ "env",	&r->env,	NULL },
		{ "gate",	&r->gates,	NULL },
		{ "group",	&r->groups,	NULL },
		{ "read",	&r->read,	NULL },
		{ "write",	&r->write,	NULL },
		{ "cwd",	NULL,		&r->cwd },
		{ "uid",	NULL,		&r->uid },
		{ "gid",	NULL,		&r->gid },
		{ "wall",	NULL,		&r->wall },
		{ "audit",	NULL,		&r->audit },
		{ "net",	NULL,		&r->net },
		{ "phase",	NULL,		&r->phase },
		{ "usage",	NULL,		&r->usage },
		/* The driver's: the clock is the machine's, the terminal is there. */
		{ "clock",	NULL,		NULL },
		{ "tty",	NULL,		NULL },
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (strcmp(key, keys[i].key) != 0)
			continue;
		if (keys[i].list != NULL)
			vm_list_add(keys[i].list, value);
		else if (keys[i].text != NULL)
			*keys[i].text = value;
		return;
	}
	refuse("request: unknown key '%s'", key);
}

static void
load_request(struct request *r, const char *dir)
{
	size_t len;
	char *p = vm_load_fd(open_in(dir, "request"), &len), *end = p + len, *value;

	if (len == 0 || end[-1] != '\0')
		refuse("request: cut off");
	for (; p < end; p = value + strlen(value) + 1) {
		value = strchr(p, '=');
		if (value == NULL)
			refuse("request: no value in '%s'", p);
		*value++ = '\0';
		take(r, p, value);
	}
	if (r->args.n == 0 || r->gates.n == 0 || r->cwd == NULL ||
	    r->uid == NULL || r->gid == NULL)
		refuse("request: incomplete");
}

/* ---- what the runtime leaves to us ---- */

/*
 * Runtimes cover parts of /proc, and the kernel gives no fresh one to a gate
 * while something of this one is covered. Where we may we uncover it: the
 * program sees the /proc of x07-fsgate. Where not, that gate says so.
 */
static void
uncover_proc(void)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	struct vm_list points = { NULL, 0, 0 };
	char *line = NULL, *point;
	size_t space = 0;

	while (f != NULL && getline(&line, &space, f) != -1) {
		if ((point = strstr(line, " /proc/")) == NULL)
			continue;
		point++;
		point[strcspn(point, " ")] = '\0';
		vm_list_add(&points, strdup(point));
	}
	/* The last mounted first; several may lie on one point. */
	while (points.n > 0) {
		point = (char *)(uintptr_t)points.list[--points.n];
		if (point != NULL && umount2(point, MNT_DETACH) == -1 &&
		    errno != EPERM && errno != EINVAL)
			note("%s: %s", point, strerror(errno));
	}
	if (f != NULL)
		fclose(f);
	free(line);
}

/* ---- the way to the network ---- */

/* The inner end of the channel: it says that it listens by going to the background. */
static void
start_netmux(void)
{
	int wstatus;
	pid_t pid = fork();

	if (pid == 0) {
		execl(NETMUX, NETMUX, "guest", CHANNEL, (char *)NULL);
		refuse_errno(NETMUX);
	}
	if (pid == -1 || waitpid(pid, &wstatus, 0) == -1 || wstatus != 0)
		refuse("no way to the hosts that the policy lists");
}

static bool
netmux_listens(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
	    .sin_port = htons(CHANNEL_PORT),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool is_there;

	if (fd == -1)
		refuse_errno("socket");
	is_there = connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == 0;
	close(fd);
	return is_there;
}

/*
 * Where no socket of the host's can be shown, the driver starts netmux beside us, and
 * ends us when it cannot.
 */
static void
open_network(void)
{
	static const struct timespec step = { 0, 20000000 };

	if (access(CHANNEL, F_OK) == 0)
		start_netmux();
	else
		while (!netmux_listens())
			nanosleep(&step, NULL);
}

/* ---- the user ---- */

static unsigned
number(const char *key, const char *text)
{
	const char *why;
	long long n = strtonum(text, 0, UINT32_MAX - 1, &why);

	if (why != NULL)
		refuse("request: %s is %s", key, why);
	return (unsigned)n;
}

/* The runtime made us the user already, or made us root: then we do. */
static void
become_user(const struct request *r)
{
	uid_t uid = number("uid", r->uid);
	gid_t gid = number("gid", r->gid), *groups;

	if (geteuid() == uid && getegid() == gid && geteuid() != 0)
		return;
	groups = calloc(r->groups.n + 1, sizeof(*groups));
	if (groups == NULL)
		refuse_errno("memory");
	for (size_t i = 0; i < r->groups.n; i++)
		groups[i] = number("group", r->groups.list[i]);
	/* Without the capability the groups stay what the runtime made them. */
	if (setgroups(r->groups.n, groups) == -1 && errno != EPERM)
		refuse_errno("groups");
	if (setresgid(gid, gid, gid) == -1 || setresuid(uid, uid, uid) == -1)
		refuse_errno("cannot become user %u", uid);
	free(groups);
}

/* ---- the chain ---- */

/* What x07-fsgate is to show beside the roots of the policy. */
static void
add_roots(struct vm_list *words, const struct request *r)
{
	for (size_t i = 0; i < r->read.n; i++) {
		vm_list_add(words, "-r");
		vm_list_add(words, r->read.list[i]);
	}
	for (size_t i = 0; i < r->write.n; i++) {
		vm_list_add(words, "-w");
		vm_list_add(words, r->write.list[i]);
	}
}

/* GATE -P 3 [-l fd:4] [-t MSms] [-r fd:5] -- GATE ... -- program argument ... */
static char **
chain(const struct request *r)
{
	struct vm_list words = { NULL, 0, 0 };
	char *text;

	for (size_t i = 0; i < r->gates.n; i++) {
		const char *name = r->gates.list[i];

		if (strchr(name, '/') != NULL)
			refuse("request: '%s' is no name of a gate", name);
		if (asprintf(&text, GATES "%s", name) == -1)
			refuse_errno("memory");
		vm_list_add(&words, text);
		/* A build is under the policy's limits only. */
		if (r->phase == NULL || strcmp(r->phase, "build") != 0 ||
		    strcmp(name, "x07-limit") == 0) {
			vm_list_add(&words, "-P");
			vm_list_add(&words, "3");
		}
		if (r->audit != NULL) {
			vm_list_add(&words, "-l");
			vm_list_add(&words, "fd:4");
		}
		if (r->wall != NULL && strcmp(name, "x07-limit") == 0) {
			if (asprintf(&text, "%sms", r->wall) == -1)
				refuse_errno("memory");
			vm_list_add(&words, "-t");
			vm_list_add(&words, text);
		}
		if (r->usage != NULL && strcmp(name, "x07-limit") == 0) {
			vm_list_add(&words, "-r");
			vm_list_add(&words, "fd:5");
		}
		if (strcmp(name, "x07-fsgate") == 0)
			add_roots(&words, r);
		if (strcmp(name, "x07-netgate") == 0 && r->net != NULL)
			vm_list_add(&words, "--channel");
		vm_list_add(&words, "--");
	}
	for (size_t i = 0; i < r->args.n; i++)
		vm_list_add(&words, r->args.list[i]);
	return (char **)(uintptr_t)words.list;
}

static void
place(int fd, int at)
{
	if (fd == -1)
		refuse_errno("descriptors");
	if (fd != at && (dup2(fd, at) == -1 || close(fd) == -1))
		refuse_errno("descriptors");
}

static void
open_descriptors(const struct request *r, const char *dir)
{
	int keep[] = { POLICY_FD, -1, -1 }, audit = -1, usage = -1, policy;
	size_t len, n = 1;
	char *text = vm_load_fd(open_in(dir, "policy"), &len);

	/* From here on the status is that of the gates or the program. */
	close(open(STARTED, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	if (r->audit != NULL &&
	    (audit = open(AUDIT, O_WRONLY | O_APPEND | O_CLOEXEC)) == -1)
		refuse_errno(AUDIT);
	if (r->usage != NULL && (usage = open(USAGE, O_WRONLY | O_CREAT |
	    O_EXCL | O_CLOEXEC, 0644)) == -1)
		refuse_errno(USAGE);
	/* Out of the way first, so that none is overwritten before its turn. */
	policy = fcntl(os_seal(text, len), F_DUPFD_CLOEXEC, 64);
	if (usage != -1)
		usage = fcntl(usage, F_DUPFD_CLOEXEC, 64);
	if (audit != -1) {
		audit = fcntl(audit, F_DUPFD_CLOEXEC, 64);
		place(audit, keep[n++] = AUDIT_FD);
	}
	if (usage != -1)
		place(usage, keep[n++] = USAGE_FD);
	place(policy, POLICY_FD);
	if (os_close_fds(keep, n) == -1)
		refuse_errno("descriptors");
}

int
main(int argc, char *argv[])
{
	static char *none[] = { NULL };
	struct request r = { .cwd = NULL };
	char **words;

	setprogname("guestrun");
	if (argc != 2) {
		fputs("usage: guestrun DIR\nIt is started in a container; see "
		    "x07-vm-ctr(8)\n", stderr);
		return EXIT_USAGE;
	}
	load_request(&r, argv[1]);
	words = chain(&r);
	if (r.net != NULL)
		open_network();
	open_descriptors(&r, argv[1]);
	uncover_proc();
	become_user(&r);
	/* x07-fsgate says it when the directory is not one of the policy's. */
	if (chdir(r.cwd) == -1 && chdir("/") == -1)
		refuse_errno("/");
	execve(words[0], words, r.env.n > 0 ? (char **)(uintptr_t)r.env.list : none);
	chain_exec_failed(words[0]);
}
