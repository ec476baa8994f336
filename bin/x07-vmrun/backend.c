/* Which backend: the table of platforms, the variables, and what a probe says. */
#include <sys/utsname.h>
#include <sys/wait.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmrun.h"

#define SAID_MAX	4096

enum { LINUX = 1 << 0, DARWIN = 1 << 1 };

/* In the order in which "auto" tries them. */
static const struct known {
	const char	*name, *alias;
	unsigned	where;
	bool		weaker;		/* needs acceptance */
} known[] = {
	{ "firecracker-ctr",	"firecracker",	LINUX,		false },
	{ "qemu",		NULL,		LINUX,		false },
	{ "apple-container",	"container",	DARWIN,		false },
	{ "vz",			NULL,		DARWIN,		false },
	{ "podman",		NULL,		LINUX | DARWIN,	true },
	{ "docker",		NULL,		LINUX | DARWIN,	true },
};
#define NKNOWN	(sizeof(known) / sizeof(known[0]))

static unsigned
platform(void)
{
	struct utsname u;

	if (uname(&u) == -1)
		return 0;
	return strcmp(u.sysname, "Linux") == 0 ? LINUX :
	    strcmp(u.sysname, "Darwin") == 0 ? DARWIN : 0;
}

/* ---- probes ---- */

/* What the driver says about itself and, when it cannot, why. */
struct answer {
	char	out[SAID_MAX], err[SAID_MAX];
	int	status;
};

static void
read_all(int fd, char buf[SAID_MAX])
{
	size_t len = 0;
	ssize_t n;

	while (len < SAID_MAX - 1 &&
	    (n = read(fd, buf + len, SAID_MAX - 1 - len)) > 0)
		len += (size_t)n;
	buf[len] = '\0';
	close(fd);
}

static void
ask(const char *tool, bool verbose, struct answer *a)
{
	int out[2], err[2], wstatus;
	pid_t pid;

	/* One after the other is fine: neither fills a pipe. */
	if (pipe(out) == -1 || pipe(err) == -1 || (pid = fork()) == -1)
		refuse_errno("%s", tool);
	if (pid == 0) {
		dup2(out[1], STDOUT_FILENO);
		dup2(err[1], STDERR_FILENO);
		os_close_fds(NULL, 0);
		execl(tool, tool, "probe", verbose ? "-v" : (char *)NULL,
		    (char *)NULL);
		refuse_errno("%s", tool);
	}
	close(out[1]);
	close(err[1]);
	read_all(out[0], a->out);
	read_all(err[0], a->err);
	a->err[strcspn(a->err, "\n")] = '\0';
	while (waitpid(pid, &wstatus, 0) == -1 && errno == EINTR)
		continue;
	a->status = WIFEXITED(wstatus) ? WEXITSTATUS(wstatus) : -1;
}

/* The value of a line "KEY VALUE" in *value; false when there is none. */
static bool
line_of(const char *text, const char *key, char *value, size_t size)
{
	size_t len = strlen(key);

	for (const char *p = text; *p != '\0'; p += strcspn(p, "\n") + 1) {
		if (strncmp(p, key, len) == 0 && p[len] == ' ') {
			snprintf(value, size, "%.*s",
			    (int)strcspn(p + len + 1, "\n"), p + len + 1);
			return true;
		}
		if (p[strcspn(p, "\n")] == '\0')
			break;
	}
	return false;
}

static void
understand(struct backend *b, const struct answer *a)
{
	char value[128];
	const char *why;

	if (!line_of(a->out, "isolation", value, sizeof(value)))
		refuse("vm-%s does not say how it isolates", b->name);
	b->container = strcmp(value, "vm") != 0;
	if (line_of(a->out, "image", value, sizeof(value))) {
		b->takes_directory = strcmp(value, "directory") == 0;
		b->takes_oci = strcmp(value, "oci") == 0;
	}
	if (line_of(a->out, "network", value, sizeof(value))) {
		b->net_fd = strcmp(value, "fd") == 0;
		b->net_socket = strcmp(value, "socket") == 0;
	}
	if (line_of(a->out, "boot_ms", value, sizeof(value)))
		b->boot_ms = strtonum(value, 0, 3600000, &why);
}

/* True when it can be used; else the reason in why. */
static bool
try(struct backend *b, const struct known *k, bool verbose, char *why,
    size_t size)
{
	static struct answer a;
	char name[64], detail[128];

	snprintf(name, sizeof(name), "vm-%s", k->name);
	*b = (struct backend){ .name = k->name, .tool = vm_find_tool(name) };
	if (b->tool == NULL) {
		snprintf(why, size, "not installed");
		return false;
	}
	ask(b->tool, verbose, &a);
	if (a.status != 0) {
		snprintf(why, size, "%s", *a.err != '\0' ? a.err :
		    "cannot be used");
		return false;
	}
	understand(b, &a);
	if (verbose && line_of(a.out, "detail", detail, sizeof(detail)))
		note("backend %s: %s%s%s", k->name, detail,
		    *a.err != '\0' ? "; " : "", a.err);
	return true;
}

/* ---- the choice ---- */

static _Noreturn void
needs_acceptance(const char *name)
{
	refuse("backend %s has no kernel between the program and this machine; "
	    "accept that with --i-accept-weaker-isolation "
	    "(X07_I_ACCEPT_WEAKER_ISOLATION=1), or use another backend", name);
}

static void
choose_named(struct backend *b, const char *asked, bool weaker, bool verbose)
{
	const struct known *k = NULL;
	char why[SAID_MAX];

	for (size_t i = 0; i < NKNOWN && k == NULL; i++)
		if (strcasecmp(asked, known[i].name) == 0 ||
		    (known[i].alias != NULL &&
		    strcasecmp(asked, known[i].alias) == 0))
			k = &known[i];
	if (k == NULL)
		refuse("backend '%s' is none of firecracker-ctr, qemu, "
		    "apple-container, vz, podman, docker (-b, X07_VM_BACKEND)",
		    asked);
	if ((k->where & platform()) == 0)
		refuse("backend %s does not exist on this system", k->name);
	if (k->weaker && !weaker)
		needs_acceptance(k->name);
	if (!try(b, k, verbose, why, sizeof(why)))
		refuse("backend %s: %s", k->name, why);
}

static void
choose_auto(struct backend *b, bool weaker, bool verbose)
{
	char why[SAID_MAX], all[SAID_MAX] = "";

	for (size_t i = 0; i < NKNOWN; i++) {
		if ((known[i].where & platform()) == 0 ||
		    (known[i].weaker && !weaker))
			continue;
		if (try(b, &known[i], verbose, why, sizeof(why)))
			return;
		if (*all != '\0')
			strlcat(all, "; ", sizeof(all));
		strlcat(all, known[i].name, sizeof(all));
		strlcat(all, ": ", sizeof(all));
		strlcat(all, why, sizeof(all));
	}
	refuse("no virtual machine can be had here: %s%s", *all != '\0' ? all :
	    "no backend exists on this system", weaker ? "" :
	    "; or accept weaker isolation: X07_VM_BACKEND=podman or docker with "
	    "--i-accept-weaker-isolation, or --sandbox-backend os of x07 run");
}

void
backend_choose(struct backend *b, const char *asked, bool weaker, bool verbose)
{
	if (asked == NULL || *asked == '\0')
		asked = getenv("X07_VM_BACKEND");
	if (asked == NULL || *asked == '\0' || strcasecmp(asked, "auto") == 0)
		choose_auto(b, weaker, verbose);
	else
		choose_named(b, asked, weaker, verbose);
	if (b->container && !weaker)
		needs_acceptance(b->name);
}

void
backend_sweep(const struct backend *b)
{
	pid_t pid = fork();

	if (pid == 0) {
		os_close_fds(NULL, 0);
		execl(b->tool, b->tool, "sweep", (char *)NULL);
		refuse_errno("%s", b->tool);
	}
	while (pid > 0 && waitpid(pid, NULL, 0) == -1 && errno == EINTR)
		continue;
}
