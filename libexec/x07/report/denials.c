/*
 * What the gates denied, from the records of their audit log, each thing
 * once. A hostile program can ask for anything any number of times, so the
 * list has an end.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "x07.h"

#define THINGS_MAX	512

enum { GATE, VERDICT, VERB, OBJECT, WHY, KEY, HINT, NFIELDS };
static const char *const fields[NFIELDS] = {
	"gate", "verdict", "verb", "object", "why", "key", "hint",
};

struct denial {
	char	*field[NFIELDS];	/* NULL: not said */
	int64_t	 count;
};

struct denials {
	struct denial	list[THINGS_MAX];
	size_t		n;
	int64_t		lost;		/* beyond the list, or not readable */
};

struct denials *
denials_new(void)
{
	struct denials *d = calloc(1, sizeof(*d));

	if (d == NULL)
		refuse_errno("report");
	return d;
}

static bool
same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool
same_denial(const struct denial *a, const struct denial *b)
{
	for (int i = 0; i < NFIELDS; i++)
		if (i != WHY && i != HINT && !same(a->field[i], b->field[i]))
			return false;
	return true;
}

/* The strings of a record, which belong to the document, and how often. */
static bool
read_record(const struct json_value *root, struct denial *d)
{
	const struct json_value *v = json_member(root, "times");

	if (v == NULL || v->type != JSON_NUMBER ||
	    json_int(v, &d->count) != JSON_INT_OK || d->count < 1)
		d->count = 1;

	if (root->type != JSON_OBJECT)
		return false;
	for (int i = 0; i < NFIELDS; i++) {
		v = json_member(root, fields[i]);
		d->field[i] = NULL;
		if (v != NULL && v->type == JSON_STRING)
			d->field[i] = (char *)(uintptr_t)v->string;
	}
	return d->field[GATE] != NULL && d->field[VERDICT] != NULL &&
	    d->field[VERB] != NULL && d->field[OBJECT] != NULL;
}

static void
keep(struct denials *ds, const struct denial *d)
{
	struct denial *new;

	for (size_t i = 0; i < ds->n; i++)
		if (same_denial(&ds->list[i], d)) {
			ds->list[i].count += d->count;
			return;
		}
	if (ds->n == THINGS_MAX) {
		ds->lost += d->count;
		return;
	}
	new = &ds->list[ds->n++];
	new->count = d->count;
	for (int i = 0; i < NFIELDS; i++) {
		new->field[i] = d->field[i] != NULL ? strdup(d->field[i]) : NULL;
		if (d->field[i] != NULL && new->field[i] == NULL)
			refuse_errno("report");
	}
}

void
denials_add(struct denials *ds, const char *record, size_t len)
{
	struct json_error error;
	struct json *doc;
	struct denial d;

	while (len > 0 && record[len - 1] == '\n')
		len--;
	doc = json_parse(record, len, &error);
	if (doc == NULL || !read_record(json_root(doc), &d))
		ds->lost++;
	else if (strcmp(d.field[VERDICT], "allow") != 0)
		keep(ds, &d);
	if (doc != NULL)
		json_free(doc);
}

bool
denials_any(const struct denials *ds)
{
	return ds->n > 0;
}

void
denials_report(const struct denials *ds, struct json *doc,
    struct json_value *object)
{
	struct json_value *list = json_new(doc, JSON_ARRAY), *v;

	for (size_t i = 0; i < ds->n; i++) {
		v = json_new(doc, JSON_OBJECT);
		for (int f = 0; f < NFIELDS; f++)
			if (ds->list[i].field[f] != NULL)
				json_set(doc, v, fields[f],
				    json_new_string(doc, ds->list[i].field[f]));
		json_set(doc, v, "count", json_new_int(doc, ds->list[i].count));
		json_append(list, v);
	}
	json_set(doc, object, "denials", list);
	json_set(doc, object, "denials_lost", json_new_int(doc, ds->lost));
}

/* The bytes of a field, which the log has as code points up to U+00FF. */
static char *
bytes_of(const char *s)
{
	char *out = malloc(strlen(s) + 1), *p = out;

	if (out == NULL)
		refuse_errno("report");
	for (; *s != '\0'; s++)
		if (((unsigned char)*s & 0xfc) == 0xc0 && s[1] != '\0') {
			*p++ = (char)((s[0] & 3) << 6 | (s[1] & 0x3f));
			s++;
		} else
			*p++ = *s;
	*p = '\0';
	return out;
}

void
denials_print(const struct denials *ds)
{
	for (size_t i = 0; i < ds->n; i++) {
		char *const *f = ds->list[i].field;
		char *object = bytes_of(f[OBJECT]);

		note("%s would deny %s %s (%s%s%s)", f[GATE], f[VERB], object,
		    f[WHY] != NULL ? f[WHY] : "not in the policy",
		    f[HINT] != NULL ? "; allow with " : "",
		    f[HINT] != NULL ? f[HINT] : "");
		free(object);
	}
	if (ds->lost > 0)
		note("and %lld more", (long long)ds->lost);
}
