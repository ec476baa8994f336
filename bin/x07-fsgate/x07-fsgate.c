/*
 * x07-fsgate - run a program that sees only the files it is given.
 *
 * Outside stays a supervisor that waits. Inside: a new root with the listed
 * directories, what the program needs to start, and a /proc, /dev and /tmp of
 * its own; Landlock behind that. See x07-fsgate(1).
 */
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fsgate.h"

#define SCRATCH_BYTES	(INT64_C(512) << 20)	/* of /tmp when nobody says */

enum {
	OPT_CLOSURE = CHAIN_OPT_OWN, OPT_DENY_HIDDEN, OPT_LIST, OPT_MAX_WRITE, OPT_NO_LIST,
	OPT_NO_MKDIR, OPT_NO_PROC, OPT_NO_REMOVE, OPT_NO_RENAME, OPT_NO_SYMLINKS, OPT_TMP_SIZE,
	OPT_WITH,
};

static const struct option longopts[] = {
	CHAIN_LONGOPTS,
	{ "read",		required_argument, NULL, 'r' },
	{ "write",		required_argument, NULL, 'w' },
	{ "closure",		required_argument, NULL, OPT_CLOSURE },
	{ "deny-hidden",	no_argument, NULL, OPT_DENY_HIDDEN },
	{ "list",		no_argument, NULL, OPT_LIST },
	{ "max-write",		required_argument, NULL, OPT_MAX_WRITE },
	{ "no-list",		no_argument, NULL, OPT_NO_LIST },
	{ "no-mkdir",		no_argument, NULL, OPT_NO_MKDIR },
	{ "no-proc",		no_argument, NULL, OPT_NO_PROC },
	{ "no-remove",		no_argument, NULL, OPT_NO_REMOVE },
	{ "no-rename",		no_argument, NULL, OPT_NO_RENAME },
	{ "no-symlinks",	no_argument, NULL, OPT_NO_SYMLINKS },
	{ "tmp-size",		required_argument, NULL, OPT_TMP_SIZE },
	{ "with",		required_argument, NULL, OPT_WITH },
	{ NULL, 0, NULL, 0 },
};

struct gate {
	struct chain	chain;
	struct roots	roots;
	enum closure	closure;
	const char	**with;		/* further programs to be made startable */
	size_t		nwith;
	int64_t		max_write;	/* bytes of one file, -1: no cap */
	int64_t		tmp_size;	/* -1: not said */
	unsigned	may;		/* OS_MAY_* */
	bool		deny_hidden;
	bool		no_proc;
	bool		list;		/* run nothing, write the view */
	char		*cwd;		/* NULL: cannot be named */
	const char	*project;	/* NULL without a policy */
};

static const char usage_text[] =
"usage: x07-fsgate [options] [--] program [argument ...]\n"
"Runs a program that sees the listed files, and what it needs to start.\n"
"  -r, --read SRC[:DST]   show a file or directory, read-only\n"
"  -w, --write SRC[:DST]  show it writable; made when missing\n"
"  --closure WHAT         what the program needs to start: system (default),\n"
"                         minimal (computed from the program), root (all there is)\n"
"                         or none\n"
"  --with PROGRAM         make another program startable too\n"
"  --deny-hidden          cover what starts with a dot in the roots\n"
"  --no-symlinks --no-mkdir --no-remove --no-rename\n"
"                         deny these in the writable roots\n"
"  --no-list              deny reading directories in the roots\n"
"  --max-write SIZE       cap the size of a file written\n"
"  --tmp-size SIZE        size of the private /tmp and /dev/shm (512M)\n"
"  --no-proc              run without /proc\n"
"  --list                 run nothing; write the view, for a virtual machine\n"
"  -p, --policy FILE      enforce fs.* of a policy\n"
"  -P, --policy-fd FD     the same, compiled, on a descriptor\n"
"  -l, --log FILE|fd:N    audit log, JSON lines\n"
"  -n, --dry-run          say what would be refused, deny nothing\n"
"  --i-accept-weaker-isolation  needed by -n\n"
"  -q, --quiet   -v, --verbose   -h, --help   --version\n";

static _Noreturn void
usage(void)
{
	fputs(usage_text, stdout);
	exit(0);
}

static int64_t
size_option(const char *flag, const char *arg)
{
	int64_t bytes;

	if (parse_size(arg, &bytes) == -1 || bytes <= 0)
		refuse("%s %s: not a size; write for instance 64M", flag, arg);
	return bytes;
}

static enum closure
closure_option(const char *arg)
{
	static const char *const names[] = {
		[CLOSURE_MINIMAL] = "minimal", [CLOSURE_SYSTEM] = "system",
		[CLOSURE_ROOT] = "root", [CLOSURE_NONE] = "none",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(arg, names[i]) == 0)
			return (enum closure)i;
	refuse("--closure %s: must be system, minimal, root or none", arg);
}

static void
add_with(struct gate *g, const char *program)
{
	g->with = reallocarray(g->with, g->nwith + 1, sizeof(*g->with));
	if (g->with == NULL)
		refuse_errno("memory");
	g->with[g->nwith++] = program;
}

static void
own_option(struct gate *g, int opt, const char *arg)
{
	switch (opt) {
	case 'r':
		roots_add_flag(&g->roots, arg, false);
		break;
	case 'w':
		roots_add_flag(&g->roots, arg, true);
		break;
	case OPT_CLOSURE:
		g->closure = closure_option(arg);
		break;
	case OPT_DENY_HIDDEN:
		g->deny_hidden = true;
		break;
	case OPT_LIST:
		g->list = true;
		break;
	case OPT_MAX_WRITE:
		g->max_write = size_option("--max-write", arg);
		break;
	case OPT_NO_LIST:
		g->may &= ~(unsigned)OS_MAY_LIST;
		break;
	case OPT_NO_MKDIR:
		g->may &= ~(unsigned)OS_MAY_MKDIR;
		break;
	case OPT_NO_PROC:
		g->no_proc = true;
		break;
	case OPT_NO_REMOVE:
		g->may &= ~(unsigned)OS_MAY_REMOVE;
		break;
	case OPT_NO_RENAME:
		g->may &= ~(unsigned)OS_MAY_RENAME;
		break;
	case OPT_NO_SYMLINKS:
		g->may &= ~(unsigned)OS_MAY_SYMLINK;
		break;
	case OPT_TMP_SIZE:
		g->tmp_size = size_option("--tmp-size", arg);
		break;
	case OPT_WITH:
		add_with(g, arg);
		break;
	case 'h':
		usage();
	default:
		/* getopt(3) has said what is wrong, in one line. */
		exit(EXIT_REFUSED);
	}
}

/* What the policy says narrows what the flags left. */
static void
take_policy(struct gate *g)
{
	static const struct {
		const char	*key;
		unsigned	may;
	} rights[] = {
		{ "fs.allow_symlinks", OS_MAY_SYMLINK },
		{ "fs.allow_mkdir", OS_MAY_MKDIR },
		{ "fs.allow_remove", OS_MAY_REMOVE },
		{ "fs.allow_rename", OS_MAY_RENAME },
	};
	const struct form *f = g->chain.form;
	int64_t bytes;

	if (f == NULL)
		return;
	g->project = form_get(f, "project_root");
	if (g->project == NULL || *g->project != '/')
		refuse("the policy names no absolute project_root; compile it "
		    "again with x07-policy");
	roots_add_policy(&g->roots, f, g->project);
	if (!form_bool(f, "fs.enabled", false))
		return;
	for (size_t i = 0; i < sizeof(rights) / sizeof(rights[0]); i++)
		if (!form_bool(f, rights[i].key, false))
			g->may &= ~rights[i].may;
	/* To the kernel a walk and a glob are one: reading directories. */
	if (!form_bool(f, "fs.allow_walk", false) &&
	    !form_bool(f, "fs.allow_glob", false))
		g->may &= ~(unsigned)OS_MAY_LIST;
	if (form_bool(f, "fs.deny_hidden", true))
		g->deny_hidden = true;
	bytes = form_write_bytes(f);
	if (g->max_write == -1 || bytes < g->max_write)
		g->max_write = bytes;
}

/* ---- standard descriptors and the current directory ---- */

/*
 * Descriptors 0 to 2 must be open, or files of ours would take their place;
 * and none may be a directory, which would open all that is below it.
 */
static void
check_standard(void)
{
	static const char *const names[] = {
		"standard input", "standard output", "standard error",
	};
	struct stat st;
	int flags;

	for (int fd = 0; fd <= 2; fd++) {
		flags = fcntl(fd, F_GETFL);
		if (flags != -1 && ((flags & O_PATH) != 0 ||
		    (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))))
			refuse("%s is a directory or a bare handle, which would "
			    "lead out of the view; redirect it from /dev/null",
			    names[fd]);
	}
}

static void
find_cwd(struct gate *g)
{
	g->cwd = getcwd(NULL, 0);
	if (g->cwd != NULL && *g->cwd != '/') {		/* "(unreachable)..." */
		free(g->cwd);
		g->cwd = NULL;
	}
}

/*
 * The same path as before when the view has it, so that relative names of
 * roots mean the same; else the nearest thing.
 */
static void
enter_cwd(const struct gate *g)
{
	const char *to = "/";

	if (g->cwd != NULL && chdir(g->cwd) == 0)
		return;
	if (g->project != NULL && chdir(g->project) == 0)
		to = g->project;
	else if (chdir("/") == -1)
		refuse_errno("/");
	if (getenv("PWD") != NULL)
		setenv("PWD", to, 1);
	if (!g->chain.quiet && g->roots.n > 0)
		note("the current directory is not in the view; starting in %s "
		    "(show it with -r . or -w .)", to);
}

static void
set_tmpdir(void)
{
	const char *dir = getenv("TMPDIR");

	if (dir != NULL && access(dir, W_OK) == -1)
		setenv("TMPDIR", "/tmp", 1);
}

/* ---- the view ---- */

/*
 * The program that a following gate will start: what stands behind the first
 * "--" of its arguments. NULL when there is none to be found.
 */
static const char *
program_behind(char *const argv[])
{
	for (; *argv != NULL; argv++)
		if (strcmp(*argv, "--") == 0)
			return argv[1];
	return NULL;
}

/* Shows a program and what it needs; returns its absolute path or NULL. */
static char *
add_program(struct gate *g, struct view *v, const char *name)
{
	char *found = chain_lookup(name), *path;

	if (found == NULL)
		return NULL;
	path = path_normalise(g->cwd != NULL ? g->cwd : "", found);
	free(found);
	if (path != NULL)
		closure_program(v, path, g->closure);
	return path;
}

static bool
has_below(const struct view *v, const char *dir)
{
	for (size_t i = 0; i < v->n; i++)
		if (strcmp(v->entries[i].item.path, dir) != 0 &&
		    path_within(v->entries[i].item.path, dir))
			return true;
	return false;
}

/* Is path a directory of a tree that the view has, or that the closure will add? */
static bool
shows_dir(const struct gate *g, const struct view *v, const char *path)
{
	const struct entry *e = view_cover(v, path);
	struct stat st;
	bool dir;
	int fd;

	if (e == NULL && g->closure != CLOSURE_ROOT)
		return false;
	if (e != NULL && !view_is_bound(v, path))
		return false;
	if (e != NULL)
		path += strlen(e->item.path);
	path += e != NULL && *path == '/';
	fd = os_path_open(e != NULL ? e->item.fd : AT_FDCWD, *path != '\0' ? path :
	    ".", OS_PATH_NOLINKS);
	dir = fd != -1 && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
	if (fd != -1)
		close(fd);
	return dir;
}

/* Directories that a root of "/" would open and that are no files' place. */
static void
add_fixed(const struct gate *g, struct view *v)
{
	static const char *const never[] = { "/sys", "/run" };
	struct stat st;

	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		if (view_is_bound(v, never[i]) && lstat(never[i], &st) == 0 &&
		    strcmp(view_cover(v, never[i])->item.path, never[i]) != 0)
			view_add(v, RANK_FIXED, OS_VIEW_EMPTY, never[i], NULL, -1);
	view_add(v, RANK_FIXED, OS_VIEW_DEV, "/dev", NULL, -1);
	view_add(v, RANK_FIXED, OS_VIEW_SCRATCH, "/tmp", NULL, -1);
	/*
	 * The same place as /tmp, unless a root lies in it, or the machine's would
	 * be seen.
	 */
	if (has_below(v, "/var/tmp") || shows_dir(g, v, "/var/tmp"))
		view_add(v, RANK_FIXED, OS_VIEW_SCRATCH, "/var/tmp", NULL, -1);
	else
		view_add(v, RANK_FIXED, OS_VIEW_LINK, "/var/tmp", "/tmp", -1);
	if (!g->no_proc)
		view_add(v, RANK_FIXED, OS_VIEW_PROC, "/proc", NULL, -1);
	else if (view_is_bound(v, "/proc"))
		view_add(v, RANK_FIXED, OS_VIEW_EMPTY, "/proc", NULL, -1);
}

static void
cover_hidden(struct view *v)
{
	size_t n = v->n;

	for (size_t i = 0; i < n; i++)
		if (v->entries[i].rank >= RANK_READ)
			hidden_cover(v, v->entries[i].item.fd,
			    v->entries[i].item.path,
			    v->entries[i].rank == RANK_WRITE);
}

/* The policy file that a following gate is given, in malloced memory or NULL. */
static char *
policy_behind(const struct gate *g, char *const argv[])
{
	static const char *const flags[] = { "-p", "--policy" };

	for (argv++; argv[0] != NULL && argv[1] != NULL &&
	    strcmp(argv[0], "--") != 0; argv++)
		for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
			if (strcmp(argv[0], flags[i]) == 0)
				return path_normalise(g->cwd != NULL ? g->cwd :
				    "", argv[1]);
	return NULL;
}

/* The gate that follows, what reads its policy, and the program behind it. */
static void
add_next_gate(struct gate *g, struct view *v, char *const argv[])
{
	const char *program = program_behind(argv);
	char *policy = policy_behind(g, argv);
	char *tool = policy != NULL ? chain_sibling("x07-policy") : NULL;

	if (program != NULL)
		free(add_program(g, v, program));
	if (policy != NULL)
		closure_expose(v, policy, CHECK_NONE);
	if (tool != NULL)
		closure_program(v, tool, g->closure);
	free(policy);
	free(tool);
}

/* Fills the view; returns the path of what is to be executed. */
static char *
fill_view(struct gate *g, struct view *v, char *const argv[])
{
	char *path;

	roots_resolve(&g->roots, g->cwd, v, &g->chain);
	add_fixed(g, v);
	/* Who put the root together has looked for them where they lie. */
	if (g->deny_hidden && g->closure != CLOSURE_ROOT)
		cover_hidden(v);
	if (g->closure == CLOSURE_ROOT) {
		closure_root(v);
	} else if (g->closure != CLOSURE_NONE) {
		closure_system(v, g->closure);
		closure_identity(v);
	}
	path = add_program(g, v, argv[0]);
	/* It may be in the view alone: -r SRC:DST puts it there. */
	if (path == NULL && *argv[0] == '/' && view_is_bound(v, argv[0]))
		path = strdup(argv[0]);
	if (path == NULL)
		chain_exec_failed(argv[0]);
	for (size_t i = 0; i < g->nwith; i++)
		if (add_program(g, v, g->with[i]) == NULL)
			refuse_errno("--with %s", g->with[i]);
	/* What the policy lets be started must be able to start. */
	if (g->chain.form != NULL && g->closure != CLOSURE_ROOT)
		closure_execs(v, g->chain.form, g->project,
		    g->closure == CLOSURE_NONE ? CLOSURE_MINIMAL : g->closure);
	if (g->chain.next_is_gate)
		add_next_gate(g, v, argv);
	roots_cover_kernel(v, g->closure == CLOSURE_ROOT);
	return path;
}

/* What -v says. */
static void
say_view(const struct os_view *view)
{
	static const char *const kinds[] = {
		[OS_VIEW_READ] = "read", [OS_VIEW_WRITE] = "write",
		[OS_VIEW_LINK] = "link", [OS_VIEW_TEXT] = "made",
		[OS_VIEW_EMPTY] = "empty", [OS_VIEW_HIDE] = "hidden",
		[OS_VIEW_SCRATCH] = "private", [OS_VIEW_DEV] = "private",
		[OS_VIEW_PROC] = "private",
	};

	for (size_t i = 0; i < view->n; i++)
		note("%s %s%s", kinds[view->items[i].kind], view->items[i].path,
		    view->items[i].root ? " (root)" : "");
}

static _Noreturn void
view_failed(const char *what)
{
	if (errno == EPERM && strcmp(what, "/proc") == 0)
		refuse("the kernel allows no fresh /proc here, because part of "
		    "the outer one is masked (containers do that); run without "
		    "one: --no-proc");
	if (errno == ENOENT)
		refuse("%s cannot be shown: it would lie in a root where nothing "
		    "of that name is; make it there, or name another place with "
		    "SRC:DST", what);
	refuse_errno("%s cannot be shown", what);
}

/*
 * allow_remove=false beside allow_rename=true is beyond Landlock, to which a
 * rename is a removal; then the filter denies removing, in /tmp as well.
 */
static unsigned
filter_bits(const struct gate *g, unsigned *may)
{
	unsigned deny = OS_DENY_DEFAULT;

	if (g->max_write != -1)
		deny |= OS_DENY_RESERVE;
	if ((g->may & OS_MAY_RENAME) == 0)
		deny |= OS_DENY_RENAME;
	else if ((g->may & OS_MAY_REMOVE) == 0) {
		deny |= OS_DENY_REMOVE;
		*may |= OS_MAY_REMOVE;
	}
	/* Mounts and namespaces are the next gate's tools; it denies them. */
	return deny | (g->chain.next_is_gate ? OS_GATE_FOLLOWS :
	    OS_SCOPED_ELSEWHERE | OS_DENY_MOUNT | OS_DENY_USERNS);
}

/* The gate's argv with the ruleset as its first option. */
static char **
with_ruleset(char *const argv[], int ruleset)
{
	static char flag[] = "--landlock-fd";
	static char number[16];
	size_t n = 0, k = 0;
	char **out;

	while (argv[n] != NULL)
		n++;
	out = calloc(n + 3, sizeof(*out));
	if (out == NULL)
		refuse_errno("memory");
	snprintf(number, sizeof(number), "%d", ruleset);
	out[k++] = argv[0];
	out[k++] = flag;
	out[k++] = number;
	for (size_t i = 1; i < n; i++)
		out[k++] = argv[i];
	return out;
}

/* Inside: never returns. */
static _Noreturn void
become_program(struct gate *g, char **argv)
{
	struct view v = { NULL, 0, 0 };
	struct os_view view = { .scratch_bytes = g->tmp_size, .may = g->may,
	    .next_gate = g->chain.next_is_gate };
	unsigned deny = filter_bits(g, &view.may);
	char *path = fill_view(g, &v, argv);
	const char *what;
	unsigned more;
	int ruleset, keep[3];
	size_t n;

	view.items = view_finish(&v, &view.n);
	if (g->chain.verbose)
		say_view(&view);
	if (os_view_enter(&view, &what) == -1)
		view_failed(what);
	ruleset = os_view_ruleset(&view, &more);
	if (ruleset == -1)
		refuse_errno("Landlock (Linux 5.13 with lsm=landlock) is needed "
		    "to deny what the policy denies");
	enter_cwd(g);
	set_tmpdir();
	if (g->max_write != -1 && os_limit_file_size(g->max_write) == -1)
		refuse_errno("--max-write");
	if (os_confine(deny | more) == -1)
		refuse_errno("cannot confine the program");
	if (g->chain.next_is_gate) {
		n = chain_keep_fds(&g->chain, keep);
		keep[n++] = ruleset;
		argv = with_ruleset(argv, ruleset);
		if (os_keep_fds(keep, n) == -1)
			refuse_errno("descriptors");
	} else if (os_ruleset_enter(ruleset) == -1 ||
	    os_close_fds(NULL, 0) == -1) {
		refuse_errno("cannot confine the program");
	}
	execv(path, argv);
	/* The program is there: what it needs to start is not. */
	if (errno == ENOENT && access(path, F_OK) == 0) {
		note("%s: its loader or interpreter is not in the view (show it "
		    "with --closure system, or with -r)", argv[0]);
		_exit(EXIT_NOTFOUND);
	}
	chain_exec_failed(argv[0]);
}

/* Nothing that was open by chance stays open, in the supervisor neither. */
static void
close_foreign(const struct chain *c)
{
	int keep[2];
	size_t n = 0;

	if (c->audit_fd >= 3)
		keep[n++] = c->audit_fd;
	if (c->policy_fd >= 3 && c->next_is_gate)
		keep[n++] = c->policy_fd;
	if (os_close_fds(keep, n) == -1)
		refuse_errno("closing descriptors");
}

static int
supervise(struct os_tree *tree)
{
	int status = -1;

	if (os_hide() == -1 || (status = os_tree_wait(tree)) == -1) {
		os_tree_kill(tree);
		refuse_errno("cannot supervise the program");
	}
	return status;
}

static _Noreturn void
dry_run(struct gate *g, char **argv)
{
	struct view v = { NULL, 0, 0 };

	roots_resolve(&g->roots, g->cwd, &v, &g->chain);
	chain_exec(argv);
}

/* Instead of running: what would be seen, for a server that shows it to a guest. */
static _Noreturn void
list_view(struct gate *g, char **argv)
{
	struct view v = { NULL, 0, 0 };
	struct os_view_item *items;
	size_t n;

	free(fill_view(g, &v, argv));
	items = view_finish(&v, &n);
	view_write(items, n, stdout);
	exit(0);
}

int
main(int argc, char *argv[])
{
	struct gate g = { .chain = CHAIN_INIT, .closure = CLOSURE_SYSTEM,
	    .max_write = -1, .tmp_size = -1, .may = OS_MAY_SYMLINK |
	    OS_MAY_MKDIR | OS_MAY_REMOVE | OS_MAY_RENAME | OS_MAY_LIST };
	struct os_tree tree;
	int opt, err;

	setprogname("x07-fsgate");
	chain_hold_stdio(true);
	check_standard();
	while ((opt = getopt_long(argc, argv, "+" CHAIN_SHORTOPTS "r:w:",
	    longopts, NULL)) != -1)
		if (!chain_option(&g.chain, opt, optarg))
			own_option(&g, opt, optarg);
	chain_program(&g.chain, argv, argv + optind);
	take_policy(&g);
	if (g.tmp_size == -1)
		g.tmp_size = g.max_write != -1 ? g.max_write : SCRATCH_BYTES;
	find_cwd(&g);
	close_foreign(&g.chain);
	if (g.list)
		list_view(&g, argv + optind);
	if (g.chain.dry_run)
		dry_run(&g, argv + optind);
	switch (os_tree_spawn(&tree, OS_TREE_MOUNT)) {
	case -1:
		err = errno;	/* the hint looks at files */
		refuse("cannot make namespaces: %s (%s)", strerror(err),
		    os_namespace_hint(err));
	case 0:
		become_program(&g, argv + optind);
	default:
		return supervise(&tree);
	}
}
