/* The list of what the program will see. */
#include <sys/stat.h>

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fsgate.h"

static char *
copy(const char *s)
{
	char *p = s != NULL ? strdup(s) : NULL;

	if (s != NULL && p == NULL)
		refuse_errno("memory");
	return p;
}

void
view_add(struct view *v, enum rank rank, enum os_view_kind kind,
    const char *path, const char *text, int fd)
{
	if (v->n == v->space) {
		v->space = v->space * 2 + 64;
		v->entries = reallocarray(v->entries, v->space,
		    sizeof(*v->entries));
		if (v->entries == NULL)
			refuse_errno("memory");
	}
	v->entries[v->n++] = (struct entry){
		.item = { kind, copy(path), copy(text), fd, rank >= RANK_READ },
		.rank = rank,
	};
}

const struct entry *
view_cover(const struct view *v, const char *path)
{
	const struct entry *best = NULL;
	size_t best_len = 0;

	for (size_t i = 0; i < v->n; i++) {
		const struct entry *e = &v->entries[i];
		size_t len = strlen(e->item.path);

		if (!path_within(path, e->item.path) || len < best_len ||
		    (len == best_len && best != NULL && e->rank < best->rank))
			continue;
		best = e;
		best_len = len;
	}
	return best;
}

static bool
is_tree(const struct entry *e)
{
	return e->item.kind == OS_VIEW_READ || e->item.kind == OS_VIEW_WRITE;
}

bool
view_is_bound(const struct view *v, const char *path)
{
	const struct entry *e = view_cover(v, path);

	return e != NULL && is_tree(e);
}

/* Parents first; of one path, the highest rank first. */
static int
compare(const void *va, const void *vb)
{
	const struct entry *a = va, *b = vb;
	int c = strcmp(a->item.path, b->item.path);

	return c != 0 ? c : (int)b->rank - (int)a->rank;
}

/* Names can be made in our own file systems only. */
static bool
needs_own_parent(const struct entry *e)
{
	return e->item.kind == OS_VIEW_LINK || e->item.kind == OS_VIEW_TEXT;
}

static bool
parent_is_bound(const struct view *v, const struct entry *e)
{
	char *dir = copy(e->item.path), *slash = strrchr(dir, '/');
	bool bound;

	slash[slash == dir] = '\0';
	bound = view_is_bound(v, dir);
	free(dir);
	return bound;
}

/* The range of paths that start with this one is contiguous. */
static bool
holds_others(const struct view *v, size_t i)
{
	const char *path = v->entries[i].item.path;
	size_t len = strlen(path);

	for (size_t k = i + 1; k < v->n; k++) {
		if (strncmp(v->entries[k].item.path, path, len) != 0)
			return false;
		if (path_within(v->entries[k].item.path, path) &&
		    v->entries[k].item.kind != OS_VIEW_HIDE)
			return true;
	}
	return false;
}

struct os_view_item *
view_finish(struct view *v, size_t *n)
{
	struct os_view_item *items = calloc(v->n + 1, sizeof(*items));
	size_t k = 0;

	if (items == NULL)
		refuse_errno("memory");
	qsort(v->entries, v->n, sizeof(v->entries[0]), compare);
	for (size_t i = 0; i < v->n; i++)
		if (k == 0 || strcmp(v->entries[k - 1].item.path,
		    v->entries[i].item.path) != 0)
			v->entries[k++] = v->entries[i];
	v->n = k;
	*n = 0;
	for (size_t i = 0; i < v->n; i++) {
		struct entry *e = &v->entries[i];

		if (needs_own_parent(e) && parent_is_bound(v, e))
			continue;
		if (e->item.kind == OS_VIEW_HIDE && holds_others(v, i))
			e->item.kind = OS_VIEW_EMPTY;
		items[(*n)++] = e->item;
	}
	return items;
}

/* ---- the list for a virtual machine ---- */

static void
write_word(const char *s, FILE *to)
{
	putc(' ', to);
	for (; *s != '\0'; s++) {
		if (*s > ' ' && *s <= '~' && *s != '%')
			putc(*s, to);
		else
			fprintf(to, "%%%02X", (unsigned)(unsigned char)*s);
	}
}

/* Where the file or tree of an item lies on this machine, and which one it is. */
static void
write_source(const struct os_view_item *it, FILE *to)
{
	char link[64], path[PATH_MAX];
	struct stat st;
	ssize_t n = 0;

	if (it->fd != -1) {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", it->fd);
		n = readlink(link, path, sizeof(path) - 1);
	}
	path[n > 0 ? n : 0] = '\0';
	if (n == -1 || (it->fd != -1 ? fstat(it->fd, &st) :
	    lstat(it->path, &st)) == -1)
		refuse_errno("%s", it->path);
	write_word(it->fd != -1 ? path : it->path, to);
	fprintf(to, " %ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
}

void
view_write(const struct os_view_item *items, size_t n, FILE *to)
{
	static const char *const names[] = {
		[OS_VIEW_READ] = "read", [OS_VIEW_WRITE] = "write",
		[OS_VIEW_LINK] = "link", [OS_VIEW_TEXT] = "text",
		[OS_VIEW_EMPTY] = "empty", [OS_VIEW_HIDE] = "hide",
	};

	for (size_t i = 0; i < n; i++) {
		const struct os_view_item *it = &items[i];

		if (it->kind > OS_VIEW_HIDE)
			continue;
		fputs(names[it->kind], to);
		write_word(it->path, to);
		if (it->kind == OS_VIEW_READ || it->kind == OS_VIEW_WRITE)
			write_source(it, to);
		else if (it->text != NULL)
			write_word(it->text, to);
		fputs(it->root ? " root\n" : "\n", to);
	}
	if (fflush(to) == EOF)
		refuse_errno("the list of files");
}
