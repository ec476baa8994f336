/* From what flags and the policy list to the items that the kernel gets. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "execgate.h"

#define SCRIPT_DEPTH	5	/* "#!" files in a row that the kernel follows */

struct want {
	enum os_exec_kind	 kind;
	enum origin		 origin;
	const char		*path;
};

static struct want	*wants;
static size_t		 nwants;

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

void
want(enum os_exec_kind kind, enum origin origin, const char *path)
{
	wants = reallocarray(wants, nwants + 1, sizeof(*wants));
	if (wants == NULL)
		refuse_errno("%s", path);
	wants[nwants++] = (struct want){ kind, origin, path };
}

/* ---- the policy ---- */

/* Relative paths of a policy start at its project root. */
const char *
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

void
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
	plan.trace = !chain.dry_run;
	take_rules();
	n = form_list(chain.form, "process.allow_execs", &item);
	for (size_t i = 0; i < n; i++)
		want(OS_EXEC_FILE, FROM_POLICY, policy_file(item[i]));
	n = form_list(chain.form, "process.allow_exec_prefixes", &item);
	for (size_t i = 0; i < n; i++)
		want(OS_EXEC_TREE, FROM_POLICY, from_root(item[i]));
}

/* ---- entries to items ---- */

struct os_exec_item *
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
	plan.items[plan.n] = *it;
	/* There may be more items than descriptors. */
	plan.items[plan.n++].fd = -1;
	close(it->fd);
}

bool
is_listed(const struct os_exec_item *it)
{
	if (find_item(it, OS_EXEC_FILE) != NULL)
		return true;
	for (size_t i = 0; i < plan.n; i++)
		if ((plan.items[i].kind == OS_EXEC_TREE ||
		    plan.items[i].kind == OS_EXEC_TREE_RW) &&
		    path_within(it->path, plan.items[i].path))
			return true;
	return false;
}

bool
is_writable(const struct os_exec_item *it)
{
	for (size_t i = 0; i < plan.n; i++)
		if (plan.items[i].kind == OS_EXEC_TREE_RW &&
		    path_within(it->path, plan.items[i].path))
			return true;
	return false;
}

static void	add_needs(const struct os_exec_item *, enum origin, int depth);

/* A directory beneath one that is taken already adds nothing. */
static bool
has_libs(const char *path)
{
	for (size_t i = 0; i < plan.n; i++)
		if (plan.items[i].kind == OS_EXEC_LIBS &&
		    path_within(path, plan.items[i].path))
			return true;
	return false;
}

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
	if (it.is_dir && !has_libs(it.path))
		add_item(&it);
	else
		close(it.fd);
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
	close(it.fd);
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

void
add_libraries(void)
{
	for (size_t i = 0; i < sizeof(lib_dirs) / sizeof(lib_dirs[0]); i++)
		add_libs(lib_dirs[i], FROM_SYSTEM);
}

void
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

void
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
void
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

/* What a write root covers stays writable, as the policy says; say so. */
void
keep_write_roots(void)
{
	const char *const *roots;
	size_t n, nroots, items = plan.n;

	if (chain.form == NULL)
		return;
	nroots = form_list(chain.form, "fs.write_roots", &roots);
	for (n = 0; n < nroots; n++) {
		struct os_exec_item root = { .kind = OS_EXEC_TREE_RW };
		bool below = false;

		if (os_exec_open(&root, from_root(roots[n])) == -1)
			continue;
		for (size_t i = 0; i < items; i++) {
			struct os_exec_item *it = &plan.items[i];

			if (it->kind != OS_EXEC_TREE)
				continue;
			if (path_within(it->path, root.path))
				it->kind = OS_EXEC_TREE_RW;
			else if (root.is_dir && path_within(root.path, it->path))
				below = true;
		}
		if (below)
			add_item(&root);
		else
			close(root.fd);
	}
}
