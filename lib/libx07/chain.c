/* What all gates do alike: shared options, their order, becoming the program. */
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "x07.h"

/* Canonical order, outermost first; the reasons are in x07(7). */
static const char *const gates[] = {
	"x07-limit", "x07-netgate", "x07-fsgate", "x07-execgate",
};
#define NGATES	(sizeof(gates) / sizeof(gates[0]))

/*
 * Which gates may stand inside which (rows: outer, columns: inner). fsgate's
 * Landlock domain forbids the mounts that limit, netgate and another
 * fsgate need; execgate forbids new user namespaces, which they all need.
 */
static const bool may_hold[NGATES][NGATES] = {
	{ true,  true,  true,  true },
	{ true,  true,  true,  true },
	{ false, false, false, true },
	{ false, false, false, false },
};

void
chain_hold_stdio(bool pass_on)
{
	int flags = O_RDWR | (pass_on ? 0 : O_CLOEXEC);

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) == -1 &&
		    open("/dev/null", flags) != fd)
			_exit(EXIT_REFUSED);
}

static int
gate_index(const char *path)
{
	const char *base = strrchr(path, '/');

	base = base != NULL ? base + 1 : path;
	for (size_t i = 0; i < NGATES; i++)
		if (strcmp(base, gates[i]) == 0)
			return (int)i;
	return -1;
}

static int
fd_number(const char *arg, const char *flag)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(arg, &end, 10);
	if (end == arg || *end != '\0' || errno != 0 || n < 3 || n > 1 << 20)
		refuse("%s %s: not a descriptor number from 3 up", flag, arg);
	if (fcntl((int)n, F_GETFD) == -1)
		refuse("%s %s: the descriptor is not open", flag, arg);
	return (int)n;
}

bool
chain_option(struct chain *c, int opt, const char *arg)
{
	switch (opt) {
	case 'p':
		c->policy_file = arg;
		return true;
	case 'P':
		c->policy_fd = fd_number(arg, "-P");
		return true;
	case 'l':
		c->audit_fd = audit_open("-l", arg);
		return true;
	case 'n':
		c->dry_run = true;
		return true;
	case 'q':
		c->quiet = true;
		return true;
	case 'v':
		c->verbose = true;
		return true;
	case CHAIN_OPT_WEAKER:
		c->weaker_ok = true;
		return true;
	case CHAIN_OPT_VERSION:
		printf("%s %s\n", getprogname(), X07_VERSION);
		exit(0);
	default:
		return false;
	}
}

/*
 * Becomes "x07-policy seal -f FD -- FILE -- SELF -P FD OPTIONS...": the policy is
 * compiled by the one program that reads JSON. The -p option stays in the
 * argument list behind -P and is then ignored.
 */
static _Noreturn void
reexec_sealed(const struct chain *c, char *const orig_argv[])
{
	static char seal[] = "seal", f[] = "-f", P[] = "-P", dashes[] = "--",
	    name[] = "x07-policy";
	char **argv, *tool, fd[16];
	size_t n = 0, argc = 0;
	int spare = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);

	/* A number nobody uses: -l fd:N may name any other. */
	if (spare == -1)
		refuse_errno("policy %s", c->policy_file);
	snprintf(fd, sizeof(fd), "%d", spare);
	while (orig_argv[argc] != NULL)
		argc++;
	argv = calloc(argc + 10, sizeof(*argv));
	if (argv == NULL)
		refuse_errno("policy %s", c->policy_file);
	argv[n++] = name;
	argv[n++] = seal;
	argv[n++] = f;
	argv[n++] = fd;
	argv[n++] = dashes;
	argv[n] = strdup(c->policy_file);
	if (argv[n++] == NULL)
		refuse_errno("policy %s", c->policy_file);
	argv[n++] = dashes;
	argv[n++] = orig_argv[0];
	argv[n++] = P;
	argv[n++] = fd;
	for (size_t i = 1; i < argc; i++)
		argv[n++] = orig_argv[i];

	/* The sibling first: the suite that started is the one that goes on. */
	tool = chain_sibling(name);
	if (tool != NULL)
		execv(tool, argv);
	execvp(name, argv);
	refuse_errno("cannot run x07-policy to read %s", c->policy_file);
}

void
chain_program(struct chain *c, char *const orig_argv[], char *const argv[])
{
	int self = gate_index(getprogname()), next;

	if (argv[0] == NULL)
		refuse("no program given; usage: %s [options] [--] program "
		    "[argument ...] (%s -h lists the options)", getprogname(),
		    getprogname());
	if (c->dry_run && !c->weaker_ok)
		refuse("-n denies nothing; add --i-accept-weaker-isolation "
		    "if that is what you want");
	next = gate_index(argv[0]);
	if (self >= 0 && next >= 0 && !may_hold[self][next])
		refuse("%s cannot run inside %s; the order that works is: "
		    "x07-limit, x07-netgate, x07-fsgate, x07-execgate, program",
		    gates[next], gates[self]);
	c->next_is_gate = next >= 0;
	if (c->policy_fd >= 0)
		c->form = form_load(c->policy_fd);
	else if (c->policy_file != NULL)
		reexec_sealed(c, orig_argv);
}

size_t
chain_keep_fds(const struct chain *c, int keep[2])
{
	size_t n = 0;

	if (!c->next_is_gate)
		return 0;
	if (c->policy_fd >= 3)
		keep[n++] = c->policy_fd;
	if (c->audit_fd >= 3)
		keep[n++] = c->audit_fd;
	return n;
}

char *
chain_sibling(const char *name)
{
	char *self = realpath("/proc/self/exe", NULL), *slash, *path = NULL;

	if (self != NULL && (slash = strrchr(self, '/')) != NULL) {
		*slash = '\0';
		if (asprintf(&path, "%s/%s", self, name) == -1)
			path = NULL;
		else if (access(path, X_OK) != 0) {
			free(path);
			path = NULL;
		}
	}
	free(self);
	return path;
}

/* Tries one candidate; true when execve(2) would start with this file. */
static bool
executable(const char *path, int *err)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return false;
	if (S_ISREG(st.st_mode) && access(path, X_OK) == 0)
		return true;
	*err = EACCES;
	return false;
}

char *
chain_lookup(const char *name)
{
	const char *dirs = getenv("PATH"), *end;
	int err = ENOENT;
	char *path;

	if (strchr(name, '/') != NULL) {
		if (executable(name, &err))
			return strdup(name);
		errno = err;
		return NULL;
	}
	if (dirs == NULL)
		dirs = "/usr/local/bin:/usr/bin:/bin";
	for (;; dirs = end + 1) {
		end = strchr(dirs, ':');
		if (end == NULL)
			end = dirs + strlen(dirs);
		if (asprintf(&path, "%.*s/%s", end > dirs ? (int)(end - dirs) : 1,
		    end > dirs ? dirs : ".", name) == -1)
			return NULL;
		if (*name != '\0' && executable(path, &err))
			return path;
		free(path);
		if (*end == '\0')
			break;
	}
	errno = err;
	return NULL;
}

static void
read_by_sh(char *const argv[])
{
	static char sh[] = "/bin/sh";
	char *path = chain_lookup(argv[0]), **words;
	size_t n = 0;

	while (argv[n] != NULL)
		n++;
	words = calloc(n + 2, sizeof(*words));
	if (path != NULL && words != NULL) {
		words[0] = sh;
		words[1] = path;
		memcpy(words + 2, argv + 1, (n - 1) * sizeof(*words));
		execv(sh, words);
	}
	errno = ENOEXEC;
}

void
chain_exec(char *const argv[])
{
	execvp(argv[0], argv);
	if (errno == ENOEXEC)
		read_by_sh(argv);
	chain_exec_failed(argv[0]);
}

void
chain_exec_failed(const char *name)
{
	int err = errno;

	note("%s: %s", *name != '\0' ? name : "''", strerror(err));
	_exit(err == ENOENT || err == ENOTDIR ? EXIT_NOTFOUND : EXIT_DENIED);
}
