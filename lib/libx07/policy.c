/*
 * policy.c - reads a policy and finds everything that is wrong with it.
 *
 * What a key may hold is in keys.c; here is how that is checked, and the rules
 * that no table can say.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "policy.h"
#include "x07.h"

#define PATH_MAX_LEN	256	/* of a path in a message; longer is cut */
#define SHOWN_MAX	64	/* bytes of a wrong value in a message */

struct policy {
	struct json	*json;
};

struct checker {
	const char		*text;
	struct json_value	*root;
	struct policy_errors	*errors;
};

static void complain(struct checker *, size_t, const char *, const char *, ...)
    __attribute__((format(printf, 4, 5)));

/* Notes a fault at an offset; path without the leading "policy.". */
static void
complain(struct checker *c, size_t at, const char *path, const char *fmt, ...)
{
	struct policy_errors *es = c->errors;
	struct policy_error *e;
	va_list ap;

	if (es->n == es->cap) {
		es->cap = es->cap == 0 ? 16 : es->cap * 2;
		es->list = reallocarray(es->list, es->cap, sizeof(*es->list));
		if (es->list == NULL)
			refuse_errno("policy");
	}
	e = &es->list[es->n++];
	*e = (struct policy_error){ .at = at };
	va_start(ap, fmt);
	if (asprintf(&e->path, *path == '\0' ? "policy" : "policy.%s", path) == -1 ||
	    vasprintf(&e->message, fmt, ap) == -1)
		refuse_errno("policy");
	va_end(ap);
}

/* A value as it stands in the text, or what it is when that is too much. */
static const char *
shown(const struct checker *c, const struct json_value *v, char buf[SHOWN_MAX])
{
	switch (v->type) {
	case JSON_ARRAY:
		return v->n == 0 ? "an empty list" : "a list";
	case JSON_OBJECT:
		return "an object";
	default:
		return diag_vis(buf, SHOWN_MAX, c->text + v->at, v->end - v->at);
	}
}

/* "parent.name", the name made printable. */
static void
join(char buf[PATH_MAX_LEN], const char *parent, const char *name)
{
	char vis[PATH_MAX_LEN / 2];

	strlcpy(buf, parent, PATH_MAX_LEN);
	strlcat(buf, *parent != '\0' ? "." : "", PATH_MAX_LEN);
	strlcat(buf, diag_vis(vis, sizeof(vis), name, strlen(name)),
	    PATH_MAX_LEN);
}

/* "parent[i]" */
static void
join_index(char buf[PATH_MAX_LEN], const char *parent, size_t i)
{
	char index[32];

	snprintf(index, sizeof(index), "[%zu]", i);
	strlcpy(buf, parent, PATH_MAX_LEN);
	strlcat(buf, index, PATH_MAX_LEN);
}

/* What a key may hold, for people: "an integer 1..600000". */
static void
describe(const struct key *key, char *buf, size_t bufsz)
{
	switch (key->type) {
	case KEY_BOOL:
		snprintf(buf, bufsz, "true or false");
		break;
	case KEY_INT:
		snprintf(buf, bufsz, "an integer %" PRId64 "..%" PRId64,
		    key->min, key->max);
		break;
	case KEY_STRING:
		if (strcmp(key->path, "schema_version") == 0)
			snprintf(buf, bufsz, "\"" POLICY_SCHEMA "\"");
		else if (strcmp(key->path, "policy_id") == 0)
			snprintf(buf, bufsz, "1..64 characters of "
			    "A-Z a-z 0-9 _ . -");
		else
			snprintf(buf, bufsz, "a string of at most %zu characters",
			    key->max_len);
		break;
	case KEY_STRINGS:
		snprintf(buf, bufsz, "a list of at most %zu strings of 1..%zu "
		    "characters", key->max_items, key->max_len);
		break;
	case KEY_INTS:
		snprintf(buf, bufsz, "a list of at most %zu integers %" PRId64
		    "..%" PRId64, key->max_items, key->min, key->max);
		break;
	case KEY_HOSTS:
		snprintf(buf, bufsz, "a list of at most %zu objects "
		    "{\"host\": ..., \"ports\": [...]}", key->max_items);
		break;
	}
}

/* Complains that a value is not what its key may hold. */
static void
complain_kind(struct checker *c, const struct key *key,
    const struct json_value *v, const char *path)
{
	char what[128], got[SHOWN_MAX];

	describe(key, what, sizeof(what));
	complain(c, v->at, path, "must be %s (got %s)", what, shown(c, v, got));
}

static void
check_bool(struct checker *c, const struct key *key,
    const struct json_value *v, const char *path)
{
	if (v->type != JSON_BOOL)
		complain_kind(c, key, v, path);
}

static bool
in_range(const struct key *key, const struct json_value *v)
{
	int64_t n;

	return v->type == JSON_NUMBER && json_int(v, &n) == JSON_INT_OK &&
	    n >= key->min && n <= key->max;
}

/* An integer in the range of key, be it its value or an item. */
static void
check_range(struct checker *c, const struct key *key,
    const struct json_value *v, const char *path)
{
	char got[SHOWN_MAX];

	if (!in_range(key, v))
		complain(c, v->at, path, "must be an integer %" PRId64 "..%"
		    PRId64 " (got %s)", key->min, key->max, shown(c, v, got));
}

bool
policy_id_valid(const char *s)
{
	size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789_.-");

	return n >= 1 && n <= POLICY_ID_MAX && s[n] == '\0';
}

static void
check_string(struct checker *c, const struct key *key,
    const struct json_value *v, const char *path)
{
	bool good = v->type == JSON_STRING;

	if (good && strcmp(path, "schema_version") == 0)
		good = strcmp(v->string, POLICY_SCHEMA) == 0;
	else if (good && strcmp(path, "policy_id") == 0)
		good = policy_id_valid(v->string);
	else if (good)
		good = key_strlen(v->string, strlen(v->string)) <= key->max_len;
	if (!good)
		complain_kind(c, key, v, path);
}

/* The rules of process.allow_args_regex_lite: literals, '.', '\x', '*'. */
static const char *
pattern_fault(const char *s)
{
	size_t tokens = 0;
	bool starable = false;

	for (; *s != '\0'; s++) {
		if (*s == ';')
			return "must not contain ';'";
		if (*s == '*') {
			if (!starable)
				return "has a '*' with nothing before it to repeat";
			starable = false;
			continue;
		}
		if (*s == '\\' && *++s == '\0')
			return "ends in a backslash";
		if (*s == ';')
			return "must not contain ';'";
		starable = true;
		tokens++;
	}
	return tokens > 256 ? "has more than 256 tokens" : NULL;
}

static void
check_item(struct checker *c, const struct key *key,
    const struct json_value *v, const char *path)
{
	const char *why = NULL;
	char got[SHOWN_MAX];
	size_t n;

	n = v->type == JSON_STRING ? key_strlen(v->string, strlen(v->string)) : 0;
	if (n < 1 || n > key->max_len) {
		complain(c, v->at, path, "must be a string of 1..%zu characters "
		    "(got %s)", key->max_len, shown(c, v, got));
		return;
	}
	if ((key->flags & KEY_NOSEMI) != 0 && strchr(v->string, ';') != NULL)
		why = "must not contain ';'";
	else if (strcmp(key->path, "process.allow_args_regex_lite") == 0)
		why = pattern_fault(v->string);
	if (why != NULL)
		complain(c, v->at, path, "%s (got %s)", why, shown(c, v, got));
}

/* White space as \s of the schema's pattern knows it, and ';'. */
static bool
host_has_forbidden(const char *s)
{
	static const char *const spaces[] = {
		"\xc2\x85", "\xc2\xa0", "\xe1\x9a\x80", "\xe2\x80\xa8",
		"\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80",
	};
	const char *p;
	size_t i;

	if (strpbrk(s, "; \t\n\v\f\r") != NULL)
		return true;
	for (i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++)
		if (strstr(s, spaces[i]) != NULL)
			return true;
	for (p = s; (p = strstr(p, "\xe2\x80")) != NULL; p++)
		if ((unsigned char)p[2] >= 0x80 && (unsigned char)p[2] <= 0x8a)
			return true;
	return false;
}

static void
check_host(struct checker *c, const struct json_value *v, const char *path)
{
	char got[SHOWN_MAX];

	if (v->type != JSON_STRING || *v->string == '\0' ||
	    strlen(v->string) > HOST_MAX)
		complain(c, v->at, path, "must be a string of 1..%d bytes (got %s)",
		    HOST_MAX, shown(c, v, got));
	else if (host_has_forbidden(v->string))
		complain(c, v->at, path, "must not contain ';' or white space "
		    "(got %s)", shown(c, v, got));
}

static void
check_ports(struct checker *c, const struct key *key,
    const struct json_value *v, const char *path)
{
	const struct json_value *port;
	char item[PATH_MAX_LEN], got[SHOWN_MAX];
	size_t i = 0;

	if (v->type != JSON_ARRAY || v->n < 1 || v->n > HOST_PORTS_MAX) {
		if (v->type == JSON_ARRAY && v->n > 0)
			complain(c, v->at, path, "must be a list of 1..%d ports "
			    "(got %zu)", HOST_PORTS_MAX, v->n);
		else
			complain(c, v->at, path, "must be a list of 1..%d ports "
			    "(got %s)", HOST_PORTS_MAX, shown(c, v, got));
	}
	if (v->type != JSON_ARRAY)
		return;
	/* There can be 16384: no path is made for those that are right. */
	for (port = v->child; port != NULL; port = port->next, i++)
		if (!in_range(key, port)) {
			join_index(item, path, i);
			check_range(c, key, port, item);
		}
}

/* One item of net.allow_hosts. */
static void
check_allow(struct checker *c, const struct key *key,
    const struct json_value *v, const char *path)
{
	const struct json_value *m;
	char sub[PATH_MAX_LEN], got[SHOWN_MAX];

	if (v->type != JSON_OBJECT) {
		complain(c, v->at, path, "must be an object {\"host\": ..., "
		    "\"ports\": [...]} (got %s)", shown(c, v, got));
		return;
	}
	for (m = v->child; m != NULL; m = m->next) {
		join(sub, path, m->key);
		if (m->first != NULL)
			complain(c, m->key_at, sub, "given twice");
		else if (strcmp(m->key, "host") == 0)
			check_host(c, m, sub);
		else if (strcmp(m->key, "ports") == 0)
			check_ports(c, key, m, sub);
		else
			complain(c, m->key_at, sub, "unknown key; only host and "
			    "ports may stand here");
	}
	if (json_member(v, "host") == NULL) {
		join(sub, path, "host");
		complain(c, v->at, sub, "missing");
	}
	if (json_member(v, "ports") == NULL) {
		join(sub, path, "ports");
		complain(c, v->at, sub, "missing");
	}
}

static void
check_list(struct checker *c, const struct key *key,
    const struct json_value *v, const char *path)
{
	const struct json_value *item;
	char sub[PATH_MAX_LEN];
	size_t i = 0;

	if (v->type != JSON_ARRAY) {
		complain_kind(c, key, v, path);
		return;
	}
	if (v->n > key->max_items)
		complain(c, v->at, path, "must have at most %zu items (got %zu)",
		    key->max_items, v->n);
	for (item = v->child; item != NULL; item = item->next) {
		join_index(sub, path, i++);
		if (key->type == KEY_STRINGS)
			check_item(c, key, item, sub);
		else if (key->type == KEY_INTS)
			check_range(c, key, item, sub);
		else
			check_allow(c, key, item, sub);
	}
}

static const struct key_object *
object_find(const char *path)
{
	size_t i;

	for (i = 0; i < policy_nobjects; i++)
		if (strcmp(policy_objects[i].path, path) == 0)
			return &policy_objects[i];
	return NULL;
}

static void
complain_unknown(struct checker *c, const struct json_value *m,
    const char *object, const char *path)
{
	char meant[64];

	if (policy_nearest(object, m->key, meant, sizeof(meant)))
		complain(c, m->key_at, path, "unknown key; did you mean %s?",
		    meant);
	else
		complain(c, m->key_at, path, "unknown key");
}

/* True when path names something directly in object. */
static bool
is_in(const char *path, const char *object)
{
	const char *dot = strrchr(path, '.');
	size_t len = dot == NULL ? 0 : (size_t)(dot - path);

	return *path != '\0' && strlen(object) == len &&
	    strncmp(path, object, len) == 0;
}

static const char *
last_part(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot == NULL ? path : dot + 1;
}

/* Complains about what an object must have and has not. */
static void
check_missing(struct checker *c, const struct json_value *object,
    const char *path)
{
	const struct key *key;
	const struct key_object *o;
	char what[128];

	for (key = policy_keys; key < policy_keys + policy_nkeys; key++)
		if ((key->flags & KEY_REQUIRED) != 0 && is_in(key->path, path) &&
		    json_member(object, last_part(key->path)) == NULL) {
			describe(key, what, sizeof(what));
			complain(c, object->at, key->path, "missing; must be %s",
			    what);
		}
	for (o = policy_objects; o < policy_objects + policy_nobjects; o++)
		if (o->required && is_in(o->path, path) &&
		    json_member(object, last_part(o->path)) == NULL)
			complain(c, object->at, o->path,
			    "missing; must be an object");
}

static void
check_key(struct checker *c, const struct key *key,
    const struct json_value *v, const char *path)
{
	static void (*const checks[])(struct checker *, const struct key *,
	    const struct json_value *, const char *) = {
		[KEY_BOOL] = check_bool,
		[KEY_INT] = check_range,
		[KEY_STRING] = check_string,
		[KEY_STRINGS] = check_list,
		[KEY_INTS] = check_list,
		[KEY_HOSTS] = check_list,
	};

	checks[key->type](c, key, v, path);
}

/* An object of the policy and all in it; recursion is as deep as the table. */
static void
check_object(struct checker *c, const struct json_value *v, const char *path)
{
	const struct json_value *m;
	const struct key *key;
	char sub[PATH_MAX_LEN], got[SHOWN_MAX];

	if (v->type != JSON_OBJECT) {
		complain(c, v->at, path, "must be an object (got %s)",
		    shown(c, v, got));
		return;
	}
	for (m = v->child; m != NULL; m = m->next) {
		join(sub, path, m->key);
		key = strchr(m->key, '.') == NULL ? key_find(sub) : NULL;
		if (m->first != NULL)
			complain(c, m->key_at, sub, "given twice");
		else if (key != NULL && (key->flags & KEY_FORMONLY) == 0)
			check_key(c, key, m, sub);
		else if (strchr(m->key, '.') == NULL && *m->key != '\0' &&
		    object_find(sub) != NULL)
			check_object(c, m, sub);
		else
			complain_unknown(c, m, path, sub);
	}
	check_missing(c, v, path);
}

static const struct json_value *
value_at(const struct json_value *v, const char *path)
{
	char part[64];
	size_t len;

	for (;;) {
		if (v == NULL || v->type != JSON_OBJECT ||
		    (len = strcspn(path, ".")) >= sizeof(part))
			return NULL;
		memcpy(part, path, len);
		part[len] = '\0';
		v = json_member(v, part);
		if (path[len] == '\0')
			return v;
		path += len + 1;
	}
}

static bool
is_true(const struct json_value *v)
{
	return v != NULL && v->type == JSON_BOOL && v->boolean;
}

/* True when there are items; a list of the wrong type is another's fault. */
static bool
has_items(const struct json_value *v)
{
	return v != NULL && (v->type != JSON_ARRAY || v->n > 0);
}

/* Complains when an integer is 0, given or by default, though why asks for more. */
static void
need_nonzero(struct checker *c, const struct json_value *because,
    const char *path, const char *why)
{
	const struct json_value *v = value_at(c->root, path);
	int64_t n = 0;

	if (v != NULL && (v->type != JSON_NUMBER ||
	    json_int(v, &n) != JSON_INT_OK || n != 0))
		return;
	complain(c, v != NULL ? v->at : because->at, path,
	    "must not be 0 when %s is true", why);
}

/* The rules that span several keys. */
static void
check_across(struct checker *c)
{
	static const char *const drivers[] = {
		"db.drivers.sqlite", "db.drivers.postgres", "db.drivers.mysql",
		"db.drivers.redis",
	};
	const struct json_value *v, *list;
	size_t i;

	if (is_true(v = value_at(c->root, "process.allow_spawn"))) {
		list = value_at(c->root, "process.allow_execs");
		if (!has_items(list) && !has_items(value_at(c->root,
		    "process.allow_exec_prefixes")))
			complain(c, list != NULL ? list->at : v->at,
			    "process.allow_execs", "must not be empty, with "
			    "allow_exec_prefixes empty too, when allow_spawn is true");
		need_nonzero(c, v, "process.max_live", "allow_spawn");
		need_nonzero(c, v, "process.max_spawns", "allow_spawn");
		need_nonzero(c, v, "process.max_runtime_ms", "allow_spawn");
	}
	list = value_at(c->root, "process.allow_cwd_roots");
	if (is_true(v = value_at(c->root, "process.allow_cwd")) &&
	    !has_items(list))
		complain(c, list != NULL ? list->at : v->at,
		    "process.allow_cwd_roots",
		    "must not be empty when allow_cwd is true");
	if (is_true(v = value_at(c->root, "db.enabled"))) {
		for (i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++)
			if (is_true(value_at(c->root, drivers[i])))
				return;
		list = value_at(c->root, "db.drivers");
		complain(c, list != NULL ? list->at : v->at, "db.drivers",
		    "one of them must be true when db.enabled is true");
	}
}

/* By place; the order they were found in where that is the same. */
static int
error_cmp(const void *a, const void *b)
{
	const struct policy_error *x = a, *y = b;

	return (x->at > y->at) - (x->at < y->at);
}

static void
place_errors(struct policy_errors *es, const char *text)
{
	struct json_place pl = { text, 0, 1, 1 };
	size_t i;

	if (es->n > 0 && mergesort(es->list, es->n, sizeof(*es->list),
	    error_cmp) == -1)
		refuse_errno("policy");
	for (i = 0; i < es->n; i++) {
		json_place(&pl, es->list[i].at);
		es->list[i].line = pl.line;
		es->list[i].column = pl.column;
	}
}

struct policy *
policy_parse(const char *buf, size_t len, struct policy_errors *errors)
{
	struct checker c = { .text = buf, .errors = errors };
	struct json_error error;
	struct policy *p;

	*errors = (struct policy_errors){ 0 };
	if ((p = calloc(1, sizeof(*p))) == NULL)
		refuse_errno("policy");
	if ((p->json = json_parse(buf, len, &error)) == NULL)
		complain(&c, error.at, "", "not JSON: %s", error.message);
	else {
		c.root = json_root(p->json);
		check_object(&c, c.root, "");
		check_across(&c);
	}
	place_errors(errors, buf);
	if (errors->n == 0)
		return p;
	policy_free(p);
	return NULL;
}

void
policy_free(struct policy *p)
{
	if (p != NULL)
		json_free(p->json);
	free(p);
}

void
policy_errors_free(struct policy_errors *es)
{
	size_t i;

	for (i = 0; i < es->n; i++) {
		free(es->list[i].path);
		free(es->list[i].message);
	}
	free(es->list);
	*es = (struct policy_errors){ 0 };
}

struct json *
policy_json(struct policy *p)
{
	return p->json;
}

const struct json_value *
policy_value(const struct policy *p, const char *path)
{
	return value_at(json_root(p->json), path);
}
