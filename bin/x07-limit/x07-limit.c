/*
 * x07-limit: runs a program that cannot outlive, outgrow or outnumber its
 * limits, whatever its processes do. The outermost gate of a chain.
 */
#include <sys/resource.h>
#include <sys/wait.h>

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "limits.h"

enum { OPT_CORE = CHAIN_OPT_OWN + NLIMITS };

static const struct option longopts[] = {
	CHAIN_LONGOPTS,
	{ "time",	required_argument, NULL, 't' },
	{ "cpu",	required_argument, NULL, 'c' },
	{ "mem",	required_argument, NULL, 'm' },
	{ "fds",	required_argument, NULL, 'f' },
	{ "procs",	required_argument, NULL, 'u' },
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
"  -m, --mem SIZE             memory (64K, 512M, 2G)\n"
"  -f, --fds N                open descriptors of a process\n"
"  -u, --procs N              processes and threads alive at a time\n"
"      --core                 do not forbid core dumps\n"
"  -k, --kill-after DURATION  between the signal at the end of time and SIGKILL\n"
"  -s, --signal NAME          that signal (TERM)\n"
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
		{ "XCPU", SIGXCPU },
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
	while ((opt = getopt_long(argc, argv, "+" CHAIN_SHORTOPTS "t:c:m:f:u:k:s:",
	    longopts, NULL)) != -1)
		if (!chain_option(&p->chain, opt, optarg))
			take_option(p, opt, optarg);
	chain_program(&p->chain, argv, argv + optind);
	p->argv = argv + optind;
	limits_policy(p);
	p->chain_tasks = limits_chain_tasks(p->argv);
}

/*
 * Does RLIMIT_NPROC bind us? Not uid 0 of the initial user namespace.
 */
static bool
nproc_binds(void)
{
	static const struct rlimit none = { 0, 0 };
	int wstatus = 0;
	pid_t pid;

	if (geteuid() != 0)
		return true;
	pid = fork();
	if (pid == 0) {
		if (setrlimit(RLIMIT_NPROC, &none) == -1)
			_exit(1);
		pid = fork();
		_exit(pid == -1 && errno == EAGAIN ? 0 : 1);
	}
	while (waitpid(pid, &wstatus, 0) == -1 && errno == EINTR)
		continue;
	return wstatus == 0;
}

/* Decides who holds which sum: the kernel for the tree, or we by looking. */
static void
choose(struct plan *p)
{
	static const struct {
		enum limit	 limit;
		unsigned	 bit;
	} sums[] = {
		{ LIM_CPU, OS_SUM_CPU }, { LIM_MEM, OS_SUM_MEM },
		{ LIM_PROCS, OS_SUM_TASKS },
	};
	unsigned want = 0, held;

	for (size_t i = 0; i < 3; i++)
		if (p->limit[sums[i].limit] >= 0)
			want |= sums[i].bit;
	if (want == 0)
		return;
	if (!p->chain.dry_run)
		p->group = os_group_make(want, p->limit[LIM_MEM],
		    (p->limit[LIM_PROCS] > 1 ? p->limit[LIM_PROCS] : 1) +
		    p->chain_tasks);
	held = os_group_holds(p->group);
	if ((want & ~held & OS_SUM_CPU) != 0)
		p->watched |= OS_SUM_CPU;
	if ((want & ~held & OS_SUM_TASKS) != 0 && !nproc_binds())
		p->watched |= OS_SUM_TASKS;
	if (!p->chain.verbose)
		return;
	if ((want & OS_SUM_CPU) != 0)
		note("CPU time: of the whole tree, by %s",
		    (held & OS_SUM_CPU) != 0 ? os_group_how(p->group, OS_SUM_CPU) :
		    "looking at its processes");
	if ((want & OS_SUM_MEM) != 0)
		note("memory: %s", (held & OS_SUM_MEM) != 0 ?
		    os_group_how(p->group, OS_SUM_MEM) :
		    "of each process by itself (RLIMIT_AS), because no memory "
		    "control group is ours to use");
	if ((want & OS_SUM_TASKS) != 0)
		note("processes: of the whole tree, by %s",
		    (held & OS_SUM_TASKS) != 0 ?
		    os_group_how(p->group, OS_SUM_TASKS) :
		    (p->watched & OS_SUM_TASKS) != 0 ? "looking at them" :
		    "RLIMIT_NPROC in a user namespace");
}

int
main(int argc, char *argv[])
{
	struct plan p = {
		.chain = CHAIN_INIT, .grace_ms = -1, .soft = SIGTERM,
	};
	struct os_tree tree;
	int64_t life = 0;
	int ret;

	setprogname("x07-limit");
	parse(&p, argc, argv);
	choose(&p);
	/* Behind ourselves: init ends the tree soon after we should have. */
	if (p.limit[LIM_WALL] >= 0 && !p.chain.dry_run)
		life = p.limit[LIM_WALL] + limits_grace(&p) + 1000;
	ret = os_tree_spawn_in(&tree, OS_TREE_MOUNT | OS_TREE_PROC, p.group, life);
	if (ret == -1) {
		int err = errno;

		if (p.group != NULL)
			os_group_remove(p.group);
		errno = err;
		refuse_errno("starting a process tree (%s)",
		    os_namespace_hint(err));
	}
	if (ret == 0)
		program_run(&p, &tree);
	if (os_tree_settle(&tree, p.group, &p.chain.audit_fd,
	    p.chain.audit_fd >= 3 ? 1 : 0) == -1) {
		os_tree_kill(&tree);
		refuse_errno("hardening the supervisor");
	}
	return watch_tree(&p, &tree);
}
