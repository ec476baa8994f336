/*
 * nearest.c - "did you mean": the policy key that a misspelt one is nearest to.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "policy.h"

#define NAME_MAX_LEN	40	/* longer than any key */

/* Letters as people mix them up: case, and dashes for underscores. */
static int
fold(char c)
{
	return c == '-' || c == ' ' ? '_' : tolower((unsigned char)c);
}

static size_t
least(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;

	return m < c ? m : c;
}

/* Edits (insert, delete, change, swap neighbours) from a to b. */
static size_t
distance(const char *a, const char *b)
{
	size_t d[NAME_MAX_LEN + 1][NAME_MAX_LEN + 1];
	size_t i, j, alen = strlen(a), blen = strlen(b);

	if (alen > NAME_MAX_LEN || blen > NAME_MAX_LEN)
		return NAME_MAX_LEN;
	for (i = 0; i <= alen; i++)
		d[i][0] = i;
	for (j = 0; j <= blen; j++)
		d[0][j] = j;
	for (i = 1; i <= alen; i++)
		for (j = 1; j <= blen; j++) {
			bool same = fold(a[i - 1]) == fold(b[j - 1]);

			d[i][j] = least(d[i - 1][j] + 1, d[i][j - 1] + 1,
			    d[i - 1][j - 1] + !same);
			if (i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) &&
			    fold(a[i - 2]) == fold(b[j - 1]) &&
			    d[i - 2][j - 2] + 1 < d[i][j])
				d[i][j] = d[i - 2][j - 2] + 1;
		}
	return d[alen][blen];
}

/* The last part of a path, if the rest is object; else NULL. */
static const char *
name_in(const char *path, const char *object)
{
	const char *dot = strrchr(path, '.');
	size_t len = dot == NULL ? 0 : (size_t)(dot - path);

	if (strlen(object) != len || strncmp(path, object, len) != 0)
		return NULL;
	return dot == NULL ? path : dot + 1;
}

struct search {
	const char	*object, *name;
	const char	*best;
	size_t		 best_distance;
};

static void
consider(struct search *s, const char *path)
{
	const char *last = strrchr(path, '.'), *name;
	size_t d;

	if (*path == '\0')
		return;
	/* Right name, wrong object: as good as one letter wrong. */
	last = last == NULL ? path : last + 1;
	if (strcmp(last, s->name) == 0 && s->best_distance > 1) {
		s->best = path;
		s->best_distance = 1;
	}
	if ((name = name_in(path, s->object)) == NULL)
		return;
	d = distance(s->name, name);
	if (d * 3 <= strlen(name) + 1 && d < s->best_distance) {
		s->best = path;
		s->best_distance = d;
	}
}

bool
policy_nearest(const char *object, const char *name, char *buf, size_t bufsz)
{
	struct search s = { object, name, NULL, NAME_MAX_LEN };
	size_t i;

	for (i = 0; i < policy_nkeys; i++)
		if ((policy_keys[i].flags & KEY_FORMONLY) == 0)
			consider(&s, policy_keys[i].path);
	for (i = 0; i < policy_nobjects; i++)
		consider(&s, policy_objects[i].path);
	if (s.best == NULL)
		return false;
	snprintf(buf, bufsz, "%s", name_in(s.best, object) != NULL ?
	    name_in(s.best, object) : s.best);
	return true;
}
