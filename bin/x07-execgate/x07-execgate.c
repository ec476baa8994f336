/*
 * x07-execgate - run a program that may start only the listed programs.
 */
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "execgate.h"
#include "os.h"
#include "x07.h"

struct chain		chain = CHAIN_INIT;
struct os_exec_plan	plan = { .landlock_fd = -1 };

enum {
	OPT_NO_SPAWN = CHAIN_OPT_OWN,
	OPT_LANDLOCK_FD,
};

static const struct option longopts[] = {
	CHAIN_LONGOPTS,
	{ "exec",		required_argument, NULL, 'x' },
	{ "exec-prefix",	required_argument, NULL, 'X' },
	{ "exec-writable",	required_argument, NULL, 'W' },
	{ "lib-dir",		required_argument, NULL, 'L' },
	{ "no-write-exec-memory", no_argument, NULL, 'w' },
	{ "no-spawn",		no_argument, NULL, OPT_NO_SPAWN },
	{ "landlock-fd",	required_argument, NULL, OPT_LANDLOCK_FD },
	{ NULL, 0, NULL, 0 },
};

static _Noreturn void
usage(void)
{
	fputs(
"usage: x07-execgate [options] [--] program [argument ...]\n"
"Runs program; it and its children can execute only what is listed.\n"
"  -x, --exec FILE            may be executed (a bare name: looked up in PATH)\n"
"  -X, --exec-prefix DIR      every file beneath may be, and none be written\n"
"  -W, --exec-writable DIR    the same, but they stay writable\n"
"  -L, --lib-dir DIR          files beneath may be mapped as libraries\n"
"  -w, --no-write-exec-memory no memory that was both written and executable\n"
"  --no-spawn                 no child processes, no exec after the program's own\n"
"  -p, --policy FILE          enforce process.* of a policy\n"
"  -P, --policy-fd FD         the same, compiled, on a descriptor\n"
"  -l, --log FILE|fd:N        audit log, JSON lines\n"
"  -n, --dry-run              say what would be denied, deny nothing\n"
"  --landlock-fd FD           enter that ruleset as well; x07-fsgate passes it\n"
"  --i-accept-weaker-isolation  needed by -n\n"
"  -q, --quiet   -v, --verbose   -h, --help   --version\n", stdout);
	exit(0);
}

static int
fd_arg(const char *arg)
{
	const char *why;
	int fd = (int)strtonum(arg, 3, 1 << 20, &why);

	if (why != NULL || !os_exec_is_ruleset(fd))
		refuse("--landlock-fd %s: not a Landlock ruleset", arg);
	return fd;
}

static void
options(int argc, char *argv[])
{
	int opt;

	while ((opt = getopt_long(argc, argv, "+" CHAIN_SHORTOPTS "L:W:X:wx:",
	    longopts, NULL)) != -1) {
		if (chain_option(&chain, opt, optarg))
			continue;
		switch (opt) {
		case 'x':
			want(OS_EXEC_FILE, FROM_FLAG, optarg);
			break;
		case 'X':
			want(OS_EXEC_TREE, FROM_FLAG, optarg);
			break;
		case 'W':
			want(OS_EXEC_TREE_RW, FROM_FLAG, optarg);
			break;
		case 'L':
			want(OS_EXEC_LIBS, FROM_FLAG, optarg);
			break;
		case 'w':
			plan.mdwe = true;
			break;
		case OPT_NO_SPAWN:
			plan.once = true;
			break;
		case OPT_LANDLOCK_FD:
			plan.landlock_fd = fd_arg(optarg);
			break;
		case 'h':
			usage();
		default:
			/* getopt(3) has said what is wrong, in one line. */
			exit(EXIT_REFUSED);
		}
	}
}

/* What the program may write, or may make itself able to. */
static bool
is_open_file(int fd, const struct stat *st)
{
	char path[32];

	snprintf(path, sizeof(path), "/dev/fd/%d", fd);
	return S_ISREG(st->st_mode) &&
	    (st->st_uid == geteuid() || access(path, W_OK) == 0);
}

/*
 * Whatever a descriptor of the caller opens is on the caller's mounts. A
 * directory there is a way round ours, and a file can be mapped as code.
 */
static void
check_stdio(void)
{
	struct stat st;

	for (int fd = 0; fd < 3; fd++) {
		if (fstat(fd, &st) == -1)
			continue;
		if (S_ISDIR(st.st_mode))
			refuse("descriptor %d is a directory; redirect it to a "
			    "file or /dev/null", fd);
		if (S_ISREG(st.st_mode) && os_exec_is_memory(fd))
			refuse("descriptor %d is a memory file, which could be "
			    "executed; put a pipe between (%s)", fd, fd == 0 ?
			    "cat | ..." : "... | cat");
		if (plan.mdwe && is_open_file(fd, &st))
			refuse("descriptor %d is a file that could be written and "
			    "then mapped as code, against -w; put a pipe between "
			    "(%s)", fd, fd == 0 ? "cat file | ..." :
			    "... | cat >file");
	}
}

static void
tell(void)
{
	static const char *const what[] = {
		[OS_EXEC_FILE] = "may execute",
		[OS_EXEC_TREE] = "may execute all beneath",
		[OS_EXEC_TREE_RW] = "may write and execute all beneath",
		[OS_EXEC_LIBS] = "may map libraries beneath",
		[OS_EXEC_LOADER] = "may load with",
	};

	for (size_t i = 0; i < plan.n; i++) {
		const struct os_exec_item *it = &plan.items[i];

		if (it->kind == OS_EXEC_TREE_RW)
			note("warning: %s can be written and executed: any program "
			    "can be put there and run", it->path);
		else if (chain.verbose)
			note("%s %s", what[it->kind], it->path);
	}
}

/* Returns in the program to be; the watcher lives here until all is over. */
static void
start_watcher(void)
{
	static struct os_watch watch;

	switch (os_watch_start(&watch, &chain.audit_fd, chain.audit_fd >= 3)) {
	case -1:
		refuse_errno("cannot start the watcher");
	case 0:
		plan.watch = &watch;
		return;
	default:
		/* Without a pipe to spare it may have to. */
		os_never_wait();
		os_watch_serve(&watch, &plan, watch_judge, NULL);
	}
}

int
main(int argc, char *argv[])
{
	const char *path, *stage;

	setprogname("x07-execgate");
	chain_hold_stdio(false);
	options(argc, argv);
	chain_program(&chain, argv, argv + optind);
	argv += optind;
	check_stdio();
	take_policy();
	path = chain_lookup(argv[0]);
	if (path == NULL)
		chain_exec_failed(argv[0]);
	/* If nobody hears it and it need not decide, do without the watcher. */
	if (plan.trace || !chain.quiet || chain.audit_fd >= 0)
		start_watcher();

	if (os_exec_begin() == -1)
		refuse("cannot make namespaces: %s; %s", strerror(errno),
		    os_namespace_hint(errno));
	add_libraries();
	add_program(path);
	if (!plan.once)
		add_wants();
	check_loaders();
	keep_write_roots();
	tell();

	plan.dry = chain.dry_run;
	plan.deny = OS_DENY_DEFAULT | OS_DENY_USERNS | OS_DENY_MEMEXEC |
	    OS_DENY_MOUNT | OS_DENY_PTRACE | (plan.once ? OS_DENY_FORK : 0);
	os_exec_run(&plan, path, argv, &stage);
	if (stage != NULL && errno == EMFILE)
		refuse("more programs than descriptors: raise their number "
		    "(limits.fds, ulimit -n), or list directories");
	if (stage != NULL)
		refuse_errno("cannot confine the program (%s)", stage);
	chain_exec_failed(path);
}
