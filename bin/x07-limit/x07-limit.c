/*
 * x07-limit: runs a program that cannot outlive, outgrow or outnumber its
 * limits, whatever its processes do. The outermost gate of a chain.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "limits.h"

enum { OPT_CORE = CHAIN_OPT_OWN, OPT_ON_CAP, OPT_STRICT };

#define SHORTOPTS	"b:c:e:f:F:iI:k:m:N:o:r:s:t:T:u:x:"

static const struct option longopts[] = {
	CHAIN_LONGOPTS,
	{ "time",	required_argument, NULL, 't' },
	{ "cpu",	required_argument, NULL, 'c' },
	{ "mem",	required_argument, NULL, 'm' },
	{ "fds",	required_argument, NULL, 'f' },
	{ "procs",	required_argument, NULL, 'u' },
	{ "threads",	required_argument, NULL, 'T' },
	{ "fsize",	required_argument, NULL, 'F' },
	{ "stdout",	required_argument, NULL, 'o' },
	{ "stderr",	required_argument, NULL, 'e' },
	{ "total",	required_argument, NULL, 'b' },
	{ "stdin",	required_argument, NULL, 'I' },
	{ "child-time",	required_argument, NULL, 'x' },
	{ "on-cap",	required_argument, NULL, OPT_ON_CAP },
	{ "nice",	required_argument, NULL, 'N' },
	{ "report",	required_argument, NULL, 'r' },
	{ "info",	no_argument, NULL, 'i' },
	{ "strict",	no_argument, NULL, OPT_STRICT },
	{ "kill-after",	required_argument, NULL, 'k' },
	{ "signal",	required_argument, NULL, 's' },
	{ "core",	no_argument, NULL, OPT_CORE },
	{ NULL, 0, NULL, 0 },
};

static _Noreturn void
help(void)
{
	printf(
"usage: %s [options] [--] program [argument ...]\n"
"Runs a program under limits that hold for everything it starts.\n"
"  -t, --time DURATION        wall clock time (500ms, 10s, 1m30s)\n"
"  -c, --cpu DURATION         CPU time of all processes together\n"
"  -m, --mem SIZE             memory of all processes together (512M, 2G)\n"
"  -u, --procs N              processes alive at a time; threads count too,\n"
"  -T, --threads N              unless so many more of them are allowed\n"
"  -x, --child-time DURATION  each process that the program starts\n"
"  -f, --fds N                open descriptors of a process\n"
"  -F, --fsize SIZE           size of a file that is written\n"
"  -o, --stdout SIZE          bytes of standard output\n"
"  -e, --stderr SIZE          bytes of standard error\n"
"  -b, --total SIZE           bytes of both together\n"
"  -I, --stdin SIZE           bytes of standard input\n"
"      --on-cap kill|stop|drop  what happens at the four before (kill)\n"
"      --core                 do not forbid core dumps\n"
"  -N, --nice N               nice value, 0 to 19\n"
"  -k, --kill-after DURATION  between the signal at the end of time and SIGKILL\n"
"  -s, --signal NAME          that signal (TERM)\n"
"  -i, --info                 say at the end what was used of what\n"
"  -r, --report FILE|fd:N     the same as JSON, and what held each limit\n"
"      --strict               refuse limits that only sampling could hold\n"
"  -p, --policy FILE          take limits from a policy; flags only narrow them\n"
"  -P, --policy-fd FD         the same, from a sealed policy\n"
"  -l, --log FILE|fd:N        append decisions as JSON lines\n"
"  -n, --dry-run              say what would be denied, deny nothing\n"
"      --i-accept-weaker-isolation  needed by -n\n"
"  -q, --quiet   -v, --verbose   -h, --help   --version\n", getprogname());
	exit(0);
}

static int
signal_number(const char *arg)
{
	static const struct {
		const char	*name;
		int		 sig;
	} names[] = {
		{ "HUP", SIGHUP }, { "INT", SIGINT }, { "QUIT", SIGQUIT },
		{ "KILL", SIGKILL }, { "USR1", SIGUSR1 }, { "USR2", SIGUSR2 },
		{ "ALRM", SIGALRM }, { "TERM", SIGTERM }, { "ABRT", SIGABRT },
		{ "XCPU", SIGXCPU }, { "PIPE", SIGPIPE }, { "CONT", SIGCONT },
		{ "STOP", SIGSTOP }, { "TSTP", SIGTSTP }, { "TTIN", SIGTTIN },
		{ "TTOU", SIGTTOU }, { "WINCH", SIGWINCH }, { "CHLD", SIGCHLD },
		{ "URG", SIGURG }, { "IO", SIGIO }, { "PROF", SIGPROF },
		{ "VTALRM", SIGVTALRM }, { "XFSZ", SIGXFSZ }, { "SEGV", SIGSEGV },
		{ "BUS", SIGBUS }, { "FPE", SIGFPE }, { "ILL", SIGILL },
		{ "TRAP", SIGTRAP }, { "SYS", SIGSYS },
	};
	const char *name = strncasecmp(arg, "SIG", 3) == 0 ? arg + 3 : arg;
	char *end;
	long n = strtol(arg, &end, 10);

	if (end != arg && *end == '\0' && n > 0 && n < NSIG)
		return (int)n;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcasecmp(name, names[i].name) == 0)
			return names[i].sig;
	refuse("--signal %s: not a signal such as TERM, INT, HUP or 15", arg);
}

static enum on_cap
on_cap(const char *arg)
{
	static const char *const names[] = {
		[CAP_KILL] = "kill", [CAP_STOP] = "stop", [CAP_DROP] = "drop",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(arg, names[i]) == 0)
			return (enum on_cap)i;
	refuse("--on-cap %s: not kill, stop or drop", arg);
}

static int
nice_value(const char *arg)
{
	char *end;
	long n = strtol(arg, &end, 10);

	if (end == arg || *end != '\0' || n < 0 || n > 19)
		refuse("--nice %s: not a number from 0 to 19", arg);
	return (int)n;
}

static enum limit
limit_of(int opt)
{
	for (int l = 0; l < NLIMITS; l++)
		if (limit_rows[l].opt == opt)
			return (enum limit)l;
	return LIM_NONE;
}

static void
take_option(struct plan *p, int opt, const char *arg)
{
	enum limit l = limit_of(opt);

	if (l != LIM_NONE) {
		limits_flag(p, l, arg);
		return;
	}
	switch (opt) {
	case 'h':
		help();
	case 'k':
		if (parse_duration(arg, &p->grace_ms) == -1 ||
		    p->grace_ms > 600000)
			refuse("--kill-after %s: not a duration up to 10m such "
			    "as 500ms or 2s", arg);
		break;
	case 's':
		p->soft = signal_number(arg);
		break;
	case OPT_CORE:
		p->core = true;
		break;
	case OPT_ON_CAP:
		p->on_cap = on_cap(arg);
		break;
	case OPT_STRICT:
		p->strict = true;
		break;
	case 'N':
		p->nice = nice_value(arg);
		break;
	case 'i':
		p->info = true;
		break;
	case 'r':
		report_open(arg);
		break;
	default:
		/* getopt(3) has said what is wrong. */
		exit(EXIT_REFUSED);
	}
}

static void
parse(struct plan *p, int argc, char *argv[])
{
	int opt;

	for (int l = 0; l < NLIMITS; l++)
		p->limit[l] = -1;
	while ((opt = getopt_long(argc, argv, "+" CHAIN_SHORTOPTS SHORTOPTS,
	    longopts, NULL)) != -1)
		if (!chain_option(&p->chain, opt, optarg))
			take_option(p, opt, optarg);
	chain_program(&p->chain, argv, argv + optind);
	p->argv = argv + optind;
	limits_policy(p);
	p->chain_tasks = limits_chain_tasks(p->argv, false);
}

/* From here on the supervisor holds the limits and can do little else. */
static void
settle(const struct plan *p, const struct os_tree *t)
{
	int keep[11];
	size_t n = pump_fds(keep);

	n += report_fds(keep + n);
	if (p->chain.audit_fd >= 3)
		keep[n++] = p->chain.audit_fd;
	/* What the program fills, it could else make us wait for. */
	if (os_tree_settle(t, p->group, report_replaces(), keep, n) == -1 ||
	    os_never_wait() == -1) {
		os_tree_kill(t);
		refuse_errno("hardening the supervisor");
	}
}

/* The kernel or whoever set it up here says no, and not for once. */
static bool
no_such_way(int err)
{
	static const int no[] = { EPERM, EACCES, ENOSPC, EUSERS, EINVAL, ENOSYS,
	    ENOTSUP };

	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		if (err == no[i])
			return true;
	return false;
}

static void
run_program(void *arg, const struct os_tree *t)
{
	struct plan *p = arg;

	hold_started(p, t);
	program_run(p, t);
}

/* Starts the tree on the best way there is; returns outside. */
static void
start(struct plan *p, struct os_tree *t, int64_t life)
{
	static const unsigned flags[NWAYS] = {
		[WAY_NAMESPACES] = OS_TREE_MOUNT | OS_TREE_PROC,
		[WAY_SAME_USER] = OS_TREE_MOUNT | OS_TREE_PROC | OS_TREE_SAME_USER,
		[WAY_SWEPT] = OS_TREE_SWEPT,
	};
	struct os_tree_plan how = { .life_ms = life, .run = run_program, .arg = p };
	int first = 0;

	for (;;) {
		hold_choose(p);
		how.flags = flags[p->way];
		how.group = p->group;
		how.ids = p->ids;
		if (os_tree_spawn_in(t, &how) != -1) {
			hold_started(p, t);
			return;
		}
		if (first == 0)
			first = errno;
		if (!no_such_way(errno) || ++p->way == NWAYS)
			break;
		if (p->way == WAY_SWEPT && p->strict)
			break;
	}
	if (p->group != NULL)
		os_group_remove(p->group);
	errno = first;
	refuse_errno("%sstarting a process tree (%s)", p->strict ? "--strict: " : "",
	    os_namespace_hint(first));
}

int
main(int argc, char *argv[])
{
	struct plan p = {
		.chain = CHAIN_INIT, .grace_ms = -1, .soft = SIGTERM,
		.nice = -1,
	};
	struct os_tree tree;
	int64_t life = 0;

	setprogname("x07-limit");
	chain_hold_stdio(false);
	parse(&p, argc, argv);
	pump_open(&p);
	/* Behind ourselves: init ends the tree soon after we should have. */
	if (p.limit[LIM_WALL] >= 0 && !p.chain.dry_run)
		life = p.limit[LIM_WALL] + limits_grace(&p) + 1000;
	start(&p, &tree, life);
	settle(&p, &tree);
	return watch_tree(&p, &tree);
}
