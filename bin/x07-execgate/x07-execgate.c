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

#define SCRIPT_DEPTH	5	/* "#!" files in a row that the kernel follows */

/* Where an entry came from decides what happens when it cannot hold. */
enum origin {
	FROM_FLAG,	/* refuse */
	FROM_POLICY,	/* leave it out: what is not there cannot be executed */
	FROM_PROGRAM,	/* the program itself and what it needs to start */
	FROM_SYSTEM,	/* leave it out silently */
};

struct want {
	enum os_exec_kind	 kind;
	enum origin		 origin;
	const char		*path;
};

static struct chain		chain = CHAIN_INIT;
static struct os_exec_plan	plan = { .landlock_fd = -1 };
static struct want		*wants;
static size_t			nwants;

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

/* Directories whose files may be mapped as code: libraries and plug-ins. */
static const char *const lib_dirs[] = {
	"/lib", "/lib64", "/lib32", "/libx32", "/usr/lib", "/usr/lib64",
	"/usr/lib32", "/usr/libx32", "/usr/local/lib", "/usr/local/lib64",
	"/nix/store", "/gnu/store",
};

/* The loaders that a file we have not looked at may ask for. */
static const char *const usual_loaders[] = {
	"/lib64/ld-linux-x86-64.so.2", "/lib/ld-musl-x86_64.so.1",
	"/lib/ld-linux-aarch64.so.1", "/lib/ld-musl-aarch64.so.1",
	"/lib/ld-linux-riscv64-lp64d.so.1", "/lib/ld-musl-riscv64.so.1",
};

static _Noreturn void
usage(int status)
{
	FILE *f = status == 0 ? stdout : stderr;

	fprintf(f,
"usage: x07-execgate [options] [--] program [argument ...]\n"
"Runs program; it and its children can execute only what is listed.\n"
"  -x FILE       may be executed (a bare name is looked up in PATH)\n"
"  -X DIR        every file beneath may be executed, and none be written\n"
"  -W DIR        the same, but they stay writable\n"
"  -L DIR        files beneath may be mapped as libraries\n"
"  -w            no memory that was both written and executable\n"
"  --no-spawn    no child processes, and no exec after the program's own\n"
"  -p FILE, -P FD  take process.* from this policy\n"
"  -l FILE|fd:N  audit log      -q  no denial lines      -v  say more\n"
"  -n            dry run        -h  this text            --version\n");
	exit(status);
}

static void
want(enum os_exec_kind kind, enum origin origin, const char *path)
{
	wants = reallocarray(wants, nwants + 1, sizeof(*wants));
	if (wants == NULL)
		refuse_errno("%s", path);
	wants[nwants++] = (struct want){ kind, origin, path };
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
			usage(0);
		default:
			usage(EXIT_REFUSED);
		}
	}
}

/* ---- the policy ---- */

/* Relative paths of a policy start at its project root. */
static const char *
from_root(const char *path)
{
	const char *root = form_get(chain.form, "project_root");
	char *full;

	if (path[0] == '/' || root == NULL)
		return path;
	if (asprintf(&full, "%s/%s", root, path) == -1)
		refuse_errno("%s", path);
	return full;
}

/* A bare name is one in the project root, else one in PATH. */
static const char *
policy_file(const char *name)
{
	const char *full = from_root(name), *found;

	if (strchr(name, '/') != NULL || access(full, F_OK) == 0)
		return full;
	found = chain_lookup(name);
	return found != NULL ? found : full;
}

static void
take_policy(void)
{
	const char *const *item;
	size_t n;

	if (chain.form == NULL)
		return;
	if (!form_bool(chain.form, "process.enabled", false) ||
	    !form_bool(chain.form, "process.allow_spawn", false)) {
		for (size_t i = 0; i < nwants; i++)
			if (wants[i].kind != OS_EXEC_LIBS)
				refuse("%s: the policy's process.allow_spawn is "
				    "false, and a flag cannot widen it",
				    wants[i].path);
		plan.once = true;
		return;
	}
	n = form_list(chain.form, "process.allow_execs", &item);
	for (size_t i = 0; i < n; i++)
		want(OS_EXEC_FILE, FROM_POLICY, policy_file(item[i]));
	n = form_list(chain.form, "process.allow_exec_prefixes", &item);
	for (size_t i = 0; i < n; i++)
		want(OS_EXEC_TREE, FROM_POLICY, from_root(item[i]));
}

/* ---- entries to items ---- */

static struct os_exec_item *
find_item(const struct os_exec_item *it, enum os_exec_kind kind)
{
	for (size_t i = 0; i < plan.n; i++)
		if (plan.items[i].kind == kind && plan.items[i].dev == it->dev &&
		    plan.items[i].ino == it->ino)
			return &plan.items[i];
	return NULL;
}

/* Adds the item; a second name of the same file adds nothing. */
static void
add_item(const struct os_exec_item *it)
{
	if (find_item(it, it->kind) != NULL) {
		close(it->fd);
		return;
	}
	plan.items = reallocarray(plan.items, plan.n + 1, sizeof(*plan.items));
	if (plan.items == NULL)
		refuse_errno("%s", it->path);
	plan.items[plan.n++] = *it;
}

static bool
beneath(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return n == 1 || (strncmp(path, dir, n) == 0 &&
	    (path[n] == '/' || path[n] == '\0'));
}

/* True when the kernel will let this file be executed. */
static bool
is_listed(const struct os_exec_item *it)
{
	if (find_item(it, OS_EXEC_FILE) != NULL)
		return true;
	for (size_t i = 0; i < plan.n; i++)
		if ((plan.items[i].kind == OS_EXEC_TREE ||
		    plan.items[i].kind == OS_EXEC_TREE_RW) &&
		    beneath(it->path, plan.items[i].path))
			return true;
	return false;
}

static void	add_needs(const struct os_exec_item *, enum origin, int depth);

static void
add_libs(const char *path, enum origin origin)
{
	struct os_exec_item it = { .kind = OS_EXEC_LIBS };

	if (os_exec_open(&it, path) == -1) {
		if (origin == FROM_FLAG)
			refuse_errno("-L %s", path);
		return;
	}
	if (!it.is_dir && origin == FROM_FLAG)
		refuse("-L %s: not a directory", path);
	if (it.is_dir)
		add_item(&it);
}

/* The loader, and the directory it is in as one of libraries. */
static void
add_loader(const char *path, const char *of)
{
	struct os_exec_item it = { .kind = OS_EXEC_LOADER };
	char *dir, *slash;

	if (os_exec_open(&it, path) == -1) {
		if (of != NULL)
			refuse_errno("%s needs the loader %s", of, path);
		return;
	}
	dir = strdup(it.path);
	if (dir == NULL)
		refuse_errno("%s", path);
	slash = strrchr(dir, '/');
	*slash = '\0';
	if (slash > dir)
		add_libs(dir, FROM_SYSTEM);
	free(dir);
	add_item(&it);
}

static void
add_usual_loaders(void)
{
	for (size_t i = 0; i < sizeof(usual_loaders) / sizeof(usual_loaders[0]); i++)
		add_loader(usual_loaders[i], NULL);
}

/*
 * An interpreter of the program itself is allowed with it; one of a listed
 * script must be listed, because to allow it is to allow any script.
 */
static void
add_interpreter(const struct os_exec_item *script, const char *interp,
    enum origin origin, int depth)
{
	struct os_exec_item it = { .kind = OS_EXEC_FILE };

	if (os_exec_open(&it, interp) == -1) {
		if (origin == FROM_POLICY)
			return;
		refuse_errno("%s needs the interpreter %s", script->path, interp);
	}
	if (origin == FROM_PROGRAM) {
		add_item(&it);
		add_needs(&it, origin, depth + 1);
		return;
	}
	if (is_listed(&it))
		return;
	if (origin == FROM_FLAG)
		refuse("%s is a script of %s, which is not listed; add -x %s "
		    "(which then may run any script)", script->path, it.path,
		    it.path);
	note("%s cannot run: its interpreter %s is not in process.allow_execs",
	    script->path, it.path);
}

static void
add_needs(const struct os_exec_item *it, enum origin origin, int depth)
{
	struct image im;

	image_read(&im, it->path);
	switch (im.kind) {
	case IMAGE_DYNAMIC:
		add_loader(im.interp, it->path);
		break;
	case IMAGE_UNREADABLE:
		add_usual_loaders();
		break;
	case IMAGE_SCRIPT:
		if (depth >= SCRIPT_DEPTH)
			refuse("%s: too many interpreters in a row", it->path);
		add_interpreter(it, im.interp, origin, depth);
		break;
	case IMAGE_FOREIGN:
		if (origin != FROM_POLICY)
			refuse("%s: made for another machine or word size, whose "
			    "system calls are not let through", it->path);
		break;
	case IMAGE_STATIC:
	case IMAGE_OTHER:
		break;
	}
}

/* Opens what a flag or the policy lists; false: left out. */
static bool
open_want(const struct want *w, struct os_exec_item *it)
{
	const char *path = w->path;

	if (w->kind == OS_EXEC_FILE && w->origin == FROM_FLAG &&
	    (path = chain_lookup(w->path)) == NULL)
		refuse_errno("-x %s", w->path);
	it->kind = w->kind;
	if (os_exec_open(it, path) == -1) {
		if (w->origin == FROM_FLAG)
			refuse_errno("%s", path);
		if (chain.verbose)
			note("%s: %s; nothing to allow", path, strerror(errno));
		return false;
	}
	/* The reference takes a prefix as bytes; one that is a file is that file. */
	if (w->origin == FROM_POLICY && it->is_file)
		it->kind = OS_EXEC_FILE;
	if (it->kind == OS_EXEC_FILE ? it->is_file : it->is_dir)
		return true;
	if (w->origin == FROM_FLAG)
		refuse("%s: not a %s", path, it->kind == OS_EXEC_FILE ?
		    "file; a directory goes with -X" : "directory");
	note("%s: not a %s; nothing to allow", path,
	    it->kind == OS_EXEC_FILE ? "file" : "directory");
	return false;
}

static void
add_wants(void)
{
	size_t trees = 0, first = plan.n;

	for (size_t i = 0; i < nwants; i++) {
		struct os_exec_item it;

		if (wants[i].kind == OS_EXEC_LIBS) {
			add_libs(wants[i].path, wants[i].origin);
			continue;
		}
		if (!open_want(&wants[i], &it)) {
			wants[i].path = NULL;
			continue;
		}
		trees += it.kind != OS_EXEC_FILE;
		add_item(&it);
	}
	if (trees > 0)
		add_usual_loaders();
	/* Interpreters may be listed behind their scripts: look at needs last. */
	for (size_t i = first, n = plan.n; i < n; i++)
		if (plan.items[i].kind == OS_EXEC_FILE)
			add_needs(&plan.items[i], chain.form != NULL ?
			    FROM_POLICY : FROM_FLAG, 0);
}

static void
add_program(const char *path)
{
	struct os_exec_item it = { .kind = OS_EXEC_FILE };

	if (os_exec_open(&it, path) == -1)
		chain_exec_failed(path);
	add_item(&it);
	add_needs(&it, FROM_PROGRAM, 0);
}

/* ---- what must not be let in ---- */

/* A loader that may be executed by name may execute anything. */
static void
check_loaders(void)
{
	for (size_t i = 0; i < plan.n; i++) {
		const struct os_exec_item *it = &plan.items[i];
		const char *base = strrchr(it->path, '/');

		if (it->kind != OS_EXEC_FILE)
			continue;
		if (find_item(it, OS_EXEC_LOADER) != NULL || (base != NULL &&
		    (strncmp(base, "/ld-", 4) == 0 ||
		    strncmp(base, "/ld.so", 6) == 0)))
			refuse("%s is a loader and would run any file; list the "
			    "programs themselves", it->path);
	}
}

/*
 * Whatever a descriptor of the caller opens is on the caller's mounts. A
 * directory there is a way round ours.
 */
static void
check_stdio(void)
{
	struct stat st;

	for (int fd = 0; fd < 3; fd++)
		if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
			refuse("descriptor %d is a directory; redirect it to a "
			    "file or /dev/null", fd);
}

/* What a write root covers stays writable, as the policy says; say so. */
static void
keep_write_roots(void)
{
	const char *const *roots;
	size_t n, nroots, items = plan.n;

	if (chain.form == NULL)
		return;
	nroots = form_list(chain.form, "fs.write_roots", &roots);
	for (n = 0; n < nroots; n++) {
		struct os_exec_item root = { .kind = OS_EXEC_TREE_RW };

		if (os_exec_open(&root, from_root(roots[n])) == -1)
			continue;
		for (size_t i = 0; i < items; i++) {
			struct os_exec_item *it = &plan.items[i];

			if (it->kind != OS_EXEC_TREE)
				continue;
			if (beneath(it->path, root.path))
				it->kind = OS_EXEC_TREE_RW;
			else if (root.is_dir && beneath(root.path, it->path))
				add_item(&root);
		}
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

int
main(int argc, char *argv[])
{
	const char *path, *stage;

	setprogname("x07-execgate");
	options(argc, argv);
	chain_program(&chain, argv, argv + optind);
	argv += optind;
	if (chain.dry_run)
		refuse("-n: execgate has nothing that could watch without denying");
	check_stdio();
	take_policy();
	path = chain_lookup(argv[0]);
	if (path == NULL)
		chain_exec_failed(argv[0]);

	if (os_exec_begin() == -1)
		refuse("cannot make namespaces: %s; %s", strerror(errno),
		    os_namespace_hint(errno));
	for (size_t i = 0; i < sizeof(lib_dirs) / sizeof(lib_dirs[0]); i++)
		add_libs(lib_dirs[i], FROM_SYSTEM);
	add_program(path);
	if (!plan.once)
		add_wants();
	check_loaders();
	keep_write_roots();
	tell();

	plan.deny = OS_DENY_DEFAULT | OS_DENY_USERNS | OS_DENY_MEMEXEC |
	    OS_DENY_MOUNT | OS_DENY_PTRACE | (plan.once ? OS_DENY_FORK : 0);
	os_exec_run(&plan, path, argv, &stage);
	if (stage != NULL)
		refuse_errno("cannot confine the program (%s)", stage);
	chain_exec_failed(path);
}
