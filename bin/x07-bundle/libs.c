/*
 * What a dynamic program needs to start: the files that x07-fsgate would show
 * it, and the other paths that lead to them through symbolic links, because the
 * machine where the bundle runs may have other links.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "elf_read.h"
#include "os.h"
#include "vm.h"
#include "x07-bundle.h"

#define ROUNDS	8	/* of links that lead to links */

struct libs {
	struct lib	*list;
	size_t		 n, space;
};

static bool
is_elf(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char magic[SELFMAG];
	bool ok;

	if (fd == -1)
		return false;
	ok = read(fd, magic, SELFMAG) == SELFMAG &&
	    memcmp(magic, ELFMAG, SELFMAG) == 0;
	close(fd);
	return ok;
}

static const struct lib *
find(const struct libs *l, const char *path)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->list[i].path, path) == 0)
			return &l->list[i];
	return NULL;
}

/* Takes path, which is malloced. False when it is there already. */
static bool
add(struct libs *l, char *path, const char *of)
{
	if (find(l, path) != NULL) {
		free(path);
		return false;
	}
	if (l->n == l->space) {
		l->space = l->space * 2 + 64;
		l->list = reallocarray(l->list, l->space, sizeof(*l->list));
		if (l->list == NULL)
			die_errno(EXIT_USAGE, "memory");
	}
	l->list[l->n].path = path;
	l->list[l->n++].of = of != NULL ? strdup(of) : NULL;
	return true;
}

/* Where a link leads, as a path; NULL when that is none. */
static char *
target(const struct vm_item *link)
{
	char *dir = strdup(link->path), *slash, *to;

	if (dir == NULL || (slash = strrchr(dir, '/')) == NULL)
		return NULL;
	slash[slash == dir] = '\0';
	to = path_normalise(dir, link->text);
	free(dir);
	return to;
}

/* The paths that a link gives to what is known. Returns whether one is new. */
static bool
follow(struct libs *l, const struct vm_item *link)
{
	char *to = target(link), *path;
	size_t known = l->n, len;
	bool more = false;

	/* A view has a /tmp of its own, and its /var/tmp leads there. */
	if (to == NULL || strcmp(to, "/tmp") == 0) {
		free(to);
		return false;
	}
	len = strlen(to);
	for (size_t i = 0; i < known; i++) {
		const struct lib *lib = &l->list[i];

		if (!path_within(lib->path, to))
			continue;
		if (asprintf(&path, "%s%s", link->path, lib->path + len) == -1)
			die_errno(EXIT_USAGE, "memory");
		more |= add(l, path, lib->of != NULL ? lib->of : lib->path);
	}
	free(to);
	return more;
}

static int
by_path(const void *a, const void *b)
{
	return strcmp(((const struct lib *)a)->path,
	    ((const struct lib *)b)->path);
}

/* The view of a program, as x07-fsgate would show it. */
static struct vm_item *
view_of(const char *program, size_t *n)
{
	static char closure[] = "--closure", minimal[] = "minimal",
	    list[] = "--list", end[] = "--";
	char *name = strdup(program);
	char *argv[] = { vm_tool("x07-fsgate"), closure, minimal, list, end,
	    name, NULL };
	struct vm_item *items;
	struct bytes b;
	int status, fd;

	b = run_tool(argv, &status);
	if (status != 0)
		die(EXIT_COMPILE, "what %s needs cannot be found", program);
	fd = os_seal(b.data, b.len);
	if (fd == -1)
		die_errno(EXIT_USAGE, "memory");
	items = vm_view_load(fd, n);
	close(fd);
	free(b.data);
	free(name);
	return items;
}

static const char *
base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* The loader would say it when the program is run, elsewhere, by somebody else. */
static void
check_needed(const struct libs *l, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct elf elf;
	size_t k;

	if (fd != -1 && elf_read(fd, &elf))
		for (size_t i = 0; i < elf.nneeded; i++) {
			for (k = 0; k < l->n; k++)
				if (strcmp(base(l->list[k].path),
				    base(elf.needed[i])) == 0)
					break;
			if (k == l->n)
				die(EXIT_COMPILE, "%s needs %s, which is not on "
				    "this machine; install it, or link the program "
				    "statically", path, elf.needed[i]);
		}
	if (fd != -1)
		close(fd);
}

struct lib *
libs_of(const char *program, size_t *n)
{
	struct libs l = { NULL, 0, 0 };
	struct vm_item *items;
	size_t nitems;
	bool more = true;

	items = view_of(program, &nitems);
	for (size_t i = 0; i < nitems; i++)
		if (items[i].kind == VM_READ &&
		    strcmp(items[i].path, program) != 0 &&
		    is_elf(items[i].source))
			add(&l, strdup(items[i].path), NULL);
	for (int round = 0; more && round < ROUNDS; round++) {
		more = false;
		for (size_t i = 0; i < nitems; i++)
			if (items[i].kind == VM_LINK)
				more |= follow(&l, &items[i]);
	}
	free(items);
	check_needed(&l, program);
	for (size_t i = 0; i < l.n; i++)
		if (l.list[i].of == NULL)
			check_needed(&l, l.list[i].path);
	if (l.n > 0)
		qsort(l.list, l.n, sizeof(*l.list), by_path);
	*n = l.n;
	return l.list;
}
