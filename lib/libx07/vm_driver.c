/*
 * vm_driver.c - the command line of a driver, x07-vm-driver(8).
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vm.h"
#include "x07.h"

#define EXIT_USAGE	2
#define LABEL_MAX	4096
#define ID_MAX		124		/* with "x07-" a container's name has 128 */

#define ALNUM	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
#define LOWNUM	"abcdefghijklmnopqrstuvwxyz0123456789"

enum what { TEXT, NUMBER, DESCRIPTOR, FLAG, LIST };

#define OFFSET(field)	offsetof(struct vm_run, field)

/* In the order of the manual page. */
static const struct option_def {
	const char	*name;
	enum what	what;
	size_t		offset;
	bool		needed;
} defs[] = {
	{ "id",		TEXT,		OFFSET(id),		true },
	{ "dir",	TEXT,		OFFSET(dir),		true },
	{ "deadline",	NUMBER,		OFFSET(deadline_ms),	true },
	{ "grace",	NUMBER,		OFFSET(grace_ms),	false },
	{ "image",	TEXT,		OFFSET(image),		false },
	{ "digest",	TEXT,		OFFSET(digest),		false },
	{ "cache",	TEXT,		OFFSET(cache),		false },
	{ "policy-fd",	DESCRIPTOR,	OFFSET(policy_fd),	true },
	{ "view-fd",	DESCRIPTOR,	OFFSET(view_fd),	true },
	{ "env-fd",	DESCRIPTOR,	OFFSET(env_fd),		true },
	{ "net-fd",	DESCRIPTOR,	OFFSET(net_fd),		false },
	{ "audit-fd",	DESCRIPTOR,	OFFSET(audit_fd),	false },
	{ "gate",	LIST,		OFFSET(gates),		false },
	{ "memory",	NUMBER,		OFFSET(memory),		false },
	{ "cpus",	NUMBER,		OFFSET(cpus),		false },
	{ "stdout-bytes", NUMBER,	OFFSET(stdout_bytes),	false },
	{ "stderr-bytes", NUMBER,	OFFSET(stderr_bytes),	false },
	{ "total-bytes", NUMBER,	OFFSET(total_bytes),	false },
	{ "audit-bytes", NUMBER,	OFFSET(audit_bytes),	false },
	{ "wall-ms",	NUMBER,		OFFSET(wall_ms),	false },
	{ "clock",	NUMBER,		OFFSET(clock),		false },
	{ "cwd",	TEXT,		OFFSET(cwd),		false },
	{ "label",	LIST,		OFFSET(labels),		false },
	{ "phase",	TEXT,		OFFSET(phase),		false },
	{ "tty",	FLAG,		OFFSET(tty),		false },
	{ "usage",	FLAG,		OFFSET(usage),		false },
	{ "weaker",	FLAG,		OFFSET(weaker),		false },
	{ "quiet",	FLAG,		OFFSET(quiet),		false },
	{ "verbose",	FLAG,		OFFSET(verbose),	false },
};
#define NDEFS	(sizeof(defs) / sizeof(defs[0]))

static _Noreturn void
usage(const struct vm_driver *d)
{
	dprintf(STDERR_FILENO, "usage: vm-%s probe [-v] | run options -- program "
	    "[argument ...] | kill --id ID --dir DIR [--grace MS] | sweep\n"
	    "x07-vmrun(1) runs it; see x07-vm-driver(8)\n", d->name);
	_exit(EXIT_USAGE);
}

/* Says what is wrong with the command line. */
static _Noreturn void
bad(const char *what, const char *value)
{
	note("%s%s%s", what, value != NULL ? ": " : "", value != NULL ? value : "");
	_exit(EXIT_USAGE);
}

void
vm_list_add(struct vm_list *l, const char *value)
{
	if (l->n + 2 > l->space) {
		l->space = l->space * 2 + 16;
		l->list = reallocarray(l->list, l->space, sizeof(*l->list));
		if (l->list == NULL)
			refuse_errno("memory");
	}
	l->list[l->n++] = value;
	l->list[l->n] = NULL;
}

bool
vm_id_valid(const char *id)
{
	size_t len = strlen(id);

	return len > 0 && len <= ID_MAX && strchr(ALNUM, *id) != NULL &&
	    strspn(id, ALNUM "_.-") == len;
}

/* KEY=VALUE of a label? */
static bool
is_label(const char *label)
{
	static const char prefix[] = "io.x07.";
	size_t plen = sizeof(prefix) - 1, key, value;

	if (strncmp(label, prefix, plen) != 0)
		return false;
	key = strspn(label + plen, LOWNUM "._-");
	if (key == 0 || label[plen + key] != '=')
		return false;
	label += plen + key + 1;
	value = strspn(label, ALNUM "._:@/+-");
	return value > 0 && label[value] == '\0' &&
	    plen + key + value <= LABEL_MAX;
}

bool
vm_digest_valid(const char *digest)
{
	static const char prefix[] = "sha256:";
	size_t plen = sizeof(prefix) - 1;

	return strncmp(digest, prefix, plen) == 0 &&
	    strspn(digest + plen, "0123456789abcdef") == 64 &&
	    digest[plen + 64] == '\0';
}

static int64_t
number(const char *name, const char *arg)
{
	const char *why;
	int64_t n = strtonum(arg, 0, INT64_MAX, &why);

	if (why != NULL)
		bad(name, "not a number");
	return n;
}

/* A descriptor that is ours; no program that we start gets it by accident. */
static int
descriptor(const char *name, const char *arg)
{
	int fd = (int)number(name, arg);

	if (fd < 3 || fcntl(fd, F_SETFD, FD_CLOEXEC) == -1)
		bad(name, "no open descriptor from 3 up");
	return fd;
}

static void
take(struct vm_run *r, const struct option_def *def, const char *arg)
{
	char *at = (char *)r + def->offset;

	switch (def->what) {
	case TEXT:
		*(const char **)(void *)at = arg;
		break;
	case NUMBER:
		*(int64_t *)(void *)at = number(def->name, arg);
		break;
	case DESCRIPTOR:
		*(int *)(void *)at = descriptor(def->name, arg);
		break;
	case FLAG:
		*(bool *)(void *)at = true;
		break;
	case LIST:
		vm_list_add((struct vm_list *)(void *)at, arg);
		break;
	}
}

static bool
is_missing(const struct vm_run *r, const struct option_def *def)
{
	const char *at = (const char *)r + def->offset;

	if (!def->needed)
		return false;
	switch (def->what) {
	case TEXT:
		return *(const char *const *)(const void *)at == NULL;
	case NUMBER:
		return *(const int64_t *)(const void *)at == 0;
	case DESCRIPTOR:
		return *(const int *)(const void *)at == -1;
	default:
		return false;
	}
}

/* Fills r from the options; those of kill are a part of those of run. */
static void
parse(const struct vm_driver *d, struct vm_run *r, int argc, char *argv[])
{
	struct option longopts[NDEFS + 1] = { { NULL, 0, NULL, 0 } };
	int opt, which = 0;

	for (size_t i = 0; i < NDEFS; i++)
		longopts[i] = (struct option){ defs[i].name, defs[i].what == FLAG ?
		    no_argument : required_argument, NULL, 0 };
	while ((opt = getopt_long(argc, argv, "+qv", longopts, &which)) != -1) {
		if (opt == 'q')
			r->quiet = true;
		else if (opt == 'v')
			r->verbose = true;
		else if (opt == 0)
			take(r, &defs[which], optarg);
		else
			usage(d);
	}
	r->argv = argv + optind;
	if (r->id != NULL && !vm_id_valid(r->id))
		bad("id", "[A-Za-z0-9][A-Za-z0-9_.-]*, at most 124 bytes");
	if (r->dir != NULL && *r->dir != '/')
		bad("dir", "must be absolute");
	if (r->digest != NULL && !vm_digest_valid(r->digest))
		bad("digest", "sha256: and 64 hexadecimal digits");
	for (size_t i = 0; i < r->labels.n; i++)
		if (!is_label(r->labels.list[i]))
			bad("not a label", r->labels.list[i]);
}

void
vm_say_log_full(const struct vm_run *r)
{
	note("the audit log has reached its %" PRId64 " bytes (X07_VM_LOG_BYTES), "
	    "and the program was ended: what else it does would not be in it",
	    r->audit_bytes);
}

void
vm_say_log_lost(int err)
{
	note("the audit log cannot be written (%s), and the program was ended: what "
	    "it does would not be in it", strerror(err));
}

static int
verb_run(const struct vm_driver *d, struct vm_run *r)
{
	for (size_t i = 0; i < NDEFS; i++)
		if (is_missing(r, &defs[i]))
			bad("run needs an option", defs[i].name);
	if (*r->argv == NULL)
		bad("run needs a program", NULL);
	if (r->phase == NULL)
		r->phase = "run";
	return d->run(r);
}

static int
verb_kill(const struct vm_driver *d, const struct vm_run *r)
{
	if (r->id == NULL || r->dir == NULL || *r->argv != NULL)
		usage(d);
	return d->kill(r->id, r->dir, r->grace_ms);
}

int
vm_driver_main(const struct vm_driver *d, int argc, char *argv[])
{
	struct vm_run r = { .policy_fd = -1, .view_fd = -1, .env_fd = -1,
	    .net_fd = -1, .audit_fd = -1, .clock = -1 };
	char name[64];
	const char *verb;

	snprintf(name, sizeof(name), "vm-%s", d->name);
	setprogname(name);
	chain_hold_stdio(true);
	if (argc < 2)
		usage(d);
	verb = argv[1];
	parse(d, &r, argc - 1, argv + 1);
	if (strcmp(verb, "run") == 0)
		return verb_run(d, &r);
	if (strcmp(verb, "kill") == 0)
		return verb_kill(d, &r);
	if (*r.argv != NULL)
		usage(d);
	if (strcmp(verb, "probe") == 0)
		return d->probe(r.verbose);
	if (strcmp(verb, "sweep") == 0)
		return d->sweep();
	usage(d);
}
