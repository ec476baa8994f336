/*
 * places.c - paths of a policy.
 *
 * A path is below another by its text; whether the file is, links decide. The
 * machine that asks need not be the one where the policy will hold, so what is
 * sure must be true of the text and of the links here.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "places.h"

/* Follows the links of what exists; the rest stays as it is. */
static char *
follow(const char *path)
{
	char *whole, *real, *out, kept;
	size_t cut;

	/* Longer than any file's. */
	if ((whole = path_normalise("/", path)) == NULL)
		return strdup(path);
	for (cut = strlen(whole);; cut--) {
		if (cut > 0 && whole[cut] != '/' && whole[cut] != '\0')
			continue;
		kept = whole[cut];
		whole[cut] = '\0';
		real = realpath(cut == 0 ? "/" : whole, NULL);
		whole[cut] = kept;
		if (real != NULL || cut == 0)
			break;
	}
	if (real == NULL)
		return whole;
	if (asprintf(&out, "%s%s", strcmp(real, "/") == 0 &&
	    whole[cut] != '\0' ? "" : real, whole + cut) == -1)
		out = NULL;
	free(real);
	free(whole);
	return out;
}

struct place
place_of(const struct form *f, const char *item)
{
	struct place pl = { .item = item };
	const char *root = *item == '/' ? "" : form_get(f, "project_root");
	char *joined, *p, *part;

	if (asprintf(&joined, "%s/%s", root, item) == -1 ||
	    (pl.path = malloc(strlen(joined) + 2)) == NULL)
		die_errno("policy");
	p = pl.path;
	for (part = strtok(joined, "/"); part != NULL; part = strtok(NULL, "/")) {
		if (strcmp(part, ".") == 0)
			continue;
		pl.exact = pl.exact || strcmp(part, "..") == 0;
		*p++ = '/';
		p = stpcpy(p, part);
	}
	if (p == pl.path)
		*p++ = '/';
	*p = '\0';
	free(joined);
	if ((pl.real = follow(pl.path)) == NULL)
		die_errno("policy");
	return pl;
}

void
place_free(struct place *pl)
{
	free(pl->path);
	free(pl->real);
}

struct places
places_of(const struct form *f, const char *key)
{
	const char *const *items;
	struct places ps = { NULL, form_list(f, key, &items) };
	size_t i;

	if ((ps.list = calloc(ps.n + 1, sizeof(*ps.list))) == NULL)
		die_errno("policy");
	for (i = 0; i < ps.n; i++)
		ps.list[i] = place_of(f, items[i]);
	return ps;
}

void
places_free(struct places *ps)
{
	size_t i;

	for (i = 0; i < ps->n; i++)
		place_free(&ps->list[i]);
	free(ps->list);
}

/* ---- which hold which ---- */

/* True when a name of path, on the way down from dir, begins with a dot. */
static bool
is_hidden(const char *path, const char *dir)
{
	return strstr(path + (dir[1] == '\0' ? 0 : strlen(dir)), "/.") != NULL;
}

static bool
holds(const struct place *a, const struct place *b, bool hidden)
{
	if (strcmp(a->path, b->path) == 0)
		return true;
	return !a->exact && !b->exact &&
	    path_within(b->path, a->path) && path_within(b->real, a->real) &&
	    !(hidden && (is_hidden(b->path, a->path) ||
	    is_hidden(b->real, a->real)));
}

bool
places_have(const struct places *ps, const struct place *pl)
{
	size_t i;

	for (i = 0; i < ps->n; i++)
		if (strcmp(ps->list[i].path, pl->path) == 0)
			return true;
	return false;
}

bool
places_hold(const struct places *ps, const struct place *pl, bool hidden)
{
	size_t i;

	for (i = 0; i < ps->n; i++)
		if (holds(&ps->list[i], pl, hidden))
			return true;
	return false;
}

static const char *
by_text(const struct place *pl)
{
	return pl->path;
}

static const char *
by_links(const struct place *pl)
{
	return pl->real;
}

/* The longest root above a path, or the path; NULL when there is none. */
static const char *
nearest(const struct places *ps, const char *path,
    const char *(*view)(const struct place *))
{
	const char *root, *best = NULL;
	size_t i;

	for (i = 0; i < ps->n; i++) {
		root = view(&ps->list[i]);
		if (path_within(path, root) &&
		    (best == NULL || strlen(root) > strlen(best)))
			best = root;
	}
	return best;
}

static bool
writable_by(const struct place *pl, const struct places *writes,
    const struct places *reads, bool hidden,
    const char *(*view)(const struct place *))
{
	const char *w = nearest(writes, view(pl), view);
	const char *r = nearest(reads, view(pl), view);

	return w != NULL && (r == NULL || strlen(w) >= strlen(r)) &&
	    !(hidden && is_hidden(view(pl), w));
}

bool
place_writable(const struct place *pl, const struct places *writes,
    const struct places *reads, bool hidden, enum surety surety)
{
	bool text, links;

	if (places_have(writes, pl))
		return true;
	text = writable_by(pl, writes, reads, hidden, by_text);
	links = writable_by(pl, writes, reads, hidden, by_links);
	return surety == SURELY ? text && links && !pl->exact : text || links;
}
