/*
 * json.c - JSON read strictly.
 *
 * cJSON builds the tree, but it is lenient (NULs, bad UTF-8, numbers rounded
 * to double) and tells no places. So a scanner goes over the text first,
 * takes nothing that RFC 8259 does not allow, and writes down where each value
 * stands; the tree is then matched with that list in document order. cJSON
 * never sees the text of a number: it gets a 0 instead.
 */
#include <cjson/cJSON.h>

#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "x07.h"

/* Where a value stands in the text. */
struct mark {
	size_t	at, end, key_at;
	bool	number;
};

struct json {
	struct json_value	*values;	/* those of the text, document order */
	size_t			 nvalues;
	cJSON			*tree;		/* owns decoded strings */
	char			*copy;		/* owns texts of numbers */
	struct addition {			/* owns new values */
		struct addition		*next;
		struct json_value	 value;
		char			 text[];
	}			*added;
};

struct scanner {
	const unsigned char	*p, *end, *start;
	struct mark		*marks;
	size_t			 nmarks, cap;
	struct json_error	*error;
};

static int scan_value(struct scanner *, size_t key_at, int depth);

static int
fail(struct scanner *s, const unsigned char *at, const char *message)
{
	s->error->at = (size_t)(at - s->start);
	strlcpy(s->error->message, message, sizeof(s->error->message));
	return -1;
}

static void
skip_space(struct scanner *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' ||
	    *s->p == '\n' || *s->p == '\r'))
		s->p++;
}

/* The length of the UTF-8 sequence at p (RFC 3629), 0 when it is none. */
static size_t
utf8_len(const unsigned char *p, const unsigned char *end)
{
	/* First byte up to last, its length, and the range of the second byte. */
	static const struct {
		unsigned char first, last, len, lo, hi;
	} forms[] = {
		{ 0x00, 0x7f, 1, 0, 0 },
		{ 0xc2, 0xdf, 2, 0x80, 0xbf },
		{ 0xe0, 0xe0, 3, 0xa0, 0xbf },	/* not overlong */
		{ 0xe1, 0xec, 3, 0x80, 0xbf },
		{ 0xed, 0xed, 3, 0x80, 0x9f },	/* no surrogates */
		{ 0xee, 0xef, 3, 0x80, 0xbf },
		{ 0xf0, 0xf0, 4, 0x90, 0xbf },	/* not overlong */
		{ 0xf1, 0xf3, 4, 0x80, 0xbf },
		{ 0xf4, 0xf4, 4, 0x80, 0x8f },	/* not beyond U+10FFFF */
	};
	size_t i, j;

	for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (*p >= forms[i].first && *p <= forms[i].last)
			break;
	if (i == sizeof(forms) / sizeof(forms[0]) ||
	    (size_t)(end - p) < forms[i].len)
		return 0;
	if (forms[i].len > 1 && (p[1] < forms[i].lo || p[1] > forms[i].hi))
		return 0;
	for (j = 2; j < forms[i].len; j++)
		if ((p[j] & 0xc0) != 0x80)
			return 0;
	return forms[i].len;
}

/* Four hex digits at p, or -1. */
static long
hex4(const unsigned char *p, const unsigned char *end)
{
	static const char digits[] = "0123456789abcdef";
	const char *d;
	long v = 0;
	int i;

	if (end - p < 4)
		return -1;
	for (i = 0; i < 4; i++) {
		int c = p[i] >= 'A' && p[i] <= 'F' ? p[i] + 'a' - 'A' : p[i];

		if (c == '\0' || (d = strchr(digits, c)) == NULL)
			return -1;
		v = v * 16 + (d - digits);
	}
	return v;
}

/* An escape; p is behind the backslash. */
static int
scan_escape(struct scanner *s)
{
	const unsigned char *at = s->p - 1;
	long hi, lo;

	if (s->p == s->end)
		return fail(s, at, "string without end");
	if (*s->p != 'u') {
		if (*s->p == '\0' || strchr("\"\\/bfnrt", *s->p) == NULL)
			return fail(s, at, "unknown escape in a string");
		s->p++;
		return 0;
	}
	if ((hi = hex4(s->p + 1, s->end)) == -1)
		return fail(s, at, "\\u needs four hex digits");
	s->p += 5;
	if (hi == 0)
		return fail(s, at, "NUL in a string");
	if (hi < 0xd800 || hi > 0xdfff)
		return 0;
	/* UTF-16: a high surrogate, and the low one right behind it. */
	if (hi > 0xdbff || s->end - s->p < 6 || s->p[0] != '\\' ||
	    s->p[1] != 'u' || (lo = hex4(s->p + 2, s->end)) < 0xdc00 ||
	    lo > 0xdfff)
		return fail(s, at, "lone surrogate in a string");
	s->p += 6;
	return 0;
}

static int
scan_string(struct scanner *s)
{
	const unsigned char *open = s->p++;
	size_t n;

	for (;;) {
		if (s->p == s->end)
			return fail(s, open, "string without end");
		if (*s->p == '"') {
			s->p++;
			return 0;
		}
		if (*s->p == '\\') {
			s->p++;
			if (scan_escape(s) == -1)
				return -1;
			continue;
		}
		if (*s->p < 0x20)
			return fail(s, s->p, *s->p == '\n' ?
			    "string without end on its line" :
			    "control character in a string; write it as \\uXXXX");
		if ((n = utf8_len(s->p, s->end)) == 0)
			return fail(s, s->p, "not UTF-8");
		s->p += n;
	}
}

static bool
scan_digits(struct scanner *s)
{
	const unsigned char *start = s->p;

	while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
		s->p++;
	return s->p > start;
}

static int
scan_number(struct scanner *s)
{
	const unsigned char *at = s->p;

	if (*s->p == '-')
		s->p++;
	if (s->p < s->end && *s->p == '0')
		s->p++;
	else if (!scan_digits(s))
		return fail(s, at, "a digit must follow the sign");
	if (s->p < s->end && *s->p >= '0' && *s->p <= '9')
		return fail(s, at, "number with a leading zero");
	if (s->p < s->end && *s->p == '.') {
		s->p++;
		if (!scan_digits(s))
			return fail(s, at, "a digit must follow the point");
	}
	if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
		s->p++;
		if (s->p < s->end && (*s->p == '+' || *s->p == '-'))
			s->p++;
		if (!scan_digits(s))
			return fail(s, at, "number without exponent digits");
	}
	return 0;
}

static int
scan_word(struct scanner *s)
{
	static const char *const words[] = { "true", "false", "null" };
	size_t i, n;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		n = strlen(words[i]);
		if ((size_t)(s->end - s->p) >= n &&
		    memcmp(s->p, words[i], n) == 0) {
			s->p += n;
			return 0;
		}
	}
	return fail(s, s->p, "expected a value");
}

/* The inside of an array or object; p is at the bracket. */
static int
scan_container(struct scanner *s, int depth)
{
	const unsigned char *open = s->p++;
	unsigned char close = *open == '{' ? '}' : ']';
	size_t key_at = 0;

	if (depth == JSON_DEPTH_MAX)
		return fail(s, open, "nested deeper than 64 levels");
	skip_space(s);
	if (s->p < s->end && *s->p == close) {
		s->p++;
		return 0;
	}
	for (;;) {
		skip_space(s);
		if (close == '}') {
			key_at = (size_t)(s->p - s->start);
			if (s->p == s->end || *s->p != '"')
				return fail(s, s->p, "expected a key in quotes");
			if (scan_string(s) == -1)
				return -1;
			skip_space(s);
			if (s->p == s->end || *s->p != ':')
				return fail(s, s->p, "expected ':' after the key");
			s->p++;
			skip_space(s);
		} else
			key_at = (size_t)(s->p - s->start);
		if (scan_value(s, key_at, depth + 1) == -1)
			return -1;
		skip_space(s);
		if (s->p < s->end && *s->p == close) {
			s->p++;
			return 0;
		}
		if (s->p == s->end || *s->p != ',')
			return fail(s, s->p, close == '}' ?
			    "expected ',' or '}'" : "expected ',' or ']'");
		s->p++;
	}
}

static int
scan_value(struct scanner *s, size_t key_at, int depth)
{
	size_t at = (size_t)(s->p - s->start), i = s->nmarks;
	struct mark *marks;
	int r;

	if (i == JSON_VALUES_MAX)
		return fail(s, s->p, "more than 65536 values");
	if (i == s->cap) {
		s->cap = s->cap == 0 ? 256 : s->cap * 2;
		marks = reallocarray(s->marks, s->cap, sizeof(*marks));
		if (marks == NULL)
			return fail(s, s->p, "out of memory");
		s->marks = marks;
	}
	s->nmarks++;
	s->marks[i] = (struct mark){ .at = at, .key_at = key_at };

	if (s->p == s->end)
		return fail(s, s->p, "text ends where a value should be");
	switch (*s->p) {
	case '{':
	case '[':
		r = scan_container(s, depth);
		break;
	case '"':
		r = scan_string(s);
		break;
	case '-': case '0': case '1': case '2': case '3': case '4':
	case '5': case '6': case '7': case '8': case '9':
		s->marks[i].number = true;
		r = scan_number(s);
		break;
	default:
		r = scan_word(s);
	}
	s->marks[i].end = (size_t)(s->p - s->start);
	return r;
}

static int
scan_text(struct scanner *s)
{
	if (s->end - s->start > JSON_TEXT_MAX)
		return fail(s, s->start, "larger than 16 MiB");
	if (s->end - s->start >= 3 && memcmp(s->p, "\xef\xbb\xbf", 3) == 0)
		return fail(s, s->p, "byte order mark; save the file without it");
	skip_space(s);
	if (s->p == s->end)
		return fail(s, s->p, "empty");
	if (scan_value(s, (size_t)(s->p - s->start), 0) == -1)
		return -1;
	skip_space(s);
	if (s->p != s->end)
		return fail(s, s->p, "more text behind the value");
	return 0;
}

/* Puts a 0 in the place of each number, or the number back, ended by a NUL. */
static void
blank_numbers(struct json *doc, const struct scanner *s)
{
	const struct mark *m;

	for (m = s->marks; m < s->marks + s->nmarks; m++)
		if (m->number) {
			memset(doc->copy + m->at, ' ', m->end - m->at);
			doc->copy[m->at] = '0';
		}
}

static void
restore_numbers(struct json *doc, const struct scanner *s)
{
	const struct mark *m;

	for (m = s->marks; m < s->marks + s->nmarks; m++)
		if (m->number) {
			memcpy(doc->copy + m->at, s->start + m->at,
			    m->end - m->at);
			doc->copy[m->end] = '\0';
		}
}

static enum json_type
type_of(const cJSON *node)
{
	return cJSON_IsBool(node) ? JSON_BOOL :
	    cJSON_IsNumber(node) ? JSON_NUMBER :
	    cJSON_IsString(node) ? JSON_STRING :
	    cJSON_IsArray(node) ? JSON_ARRAY :
	    cJSON_IsObject(node) ? JSON_OBJECT : JSON_NULL;
}

/*
 * Makes the value of a node and of all below it, which are the next ones in
 * document order. Recursion is as deep as the text, 64 at most.
 */
static struct json_value *
adopt(struct json *doc, const struct scanner *s, const cJSON *node)
{
	struct json_value *v, **link;
	const struct mark *m;
	const cJSON *child;

	if (doc->nvalues == s->nmarks)
		return NULL;
	m = &s->marks[doc->nvalues];
	v = &doc->values[doc->nvalues++];
	v->type = type_of(node);
	v->boolean = cJSON_IsTrue(node);
	v->key = node->string;
	v->string = v->type == JSON_NUMBER ? doc->copy + m->at :
	    node->valuestring;
	v->at = m->at;
	v->end = m->end;
	v->key_at = m->key_at;
	link = &v->child;
	for (child = node->child; child != NULL; child = child->next) {
		if ((*link = adopt(doc, s, child)) == NULL)
			return NULL;
		link = &(*link)->next;
		v->n++;
	}
	return v;
}

static int
by_key(const void *a, const void *b)
{
	const struct json_value *x = *(struct json_value *const *)a;
	const struct json_value *y = *(struct json_value *const *)b;
	int r = strcmp(x->key, y->key);

	return r != 0 ? r : (x->at > y->at) - (x->at < y->at);
}

/* The members of an object, sorted; NULL when memory is short. */
static struct json_value **
sorted_members(const struct json_value *object)
{
	struct json_value **members, *v;
	size_t n = 0;

	members = calloc(object->n + 1, sizeof(struct json_value *));
	if (members == NULL)
		return NULL;
	for (v = object->child; v != NULL; v = v->next)
		members[n++] = v;
	qsort(members, n, sizeof(struct json_value *), by_key);
	return members;
}

/* Marks the members whose name the object has already. */
static int
mark_duplicates(struct json_value *object)
{
	struct json_value **members;
	size_t i;

	if ((members = sorted_members(object)) == NULL)
		return -1;
	for (i = 1; i < object->n; i++)
		if (strcmp(members[i]->key, members[i - 1]->key) == 0)
			members[i]->first = members[i - 1]->first != NULL ?
			    members[i - 1]->first : members[i - 1];
	free(members);
	return 0;
}

static int
build(struct json *doc, const struct scanner *s)
{
	size_t i, len = (size_t)(s->end - s->start);

	if ((doc->copy = malloc(len + 1)) == NULL ||
	    (doc->values = calloc(s->nmarks, sizeof(*doc->values))) == NULL)
		return -1;
	memcpy(doc->copy, s->start, len);
	doc->copy[len] = '\0';
	blank_numbers(doc, s);
	doc->tree = cJSON_ParseWithLength(doc->copy, len);
	restore_numbers(doc, s);
	if (doc->tree == NULL || adopt(doc, s, doc->tree) == NULL ||
	    doc->nvalues != s->nmarks)
		return -1;
	for (i = 0; i < doc->nvalues; i++)
		if (doc->values[i].type == JSON_OBJECT &&
		    mark_duplicates(&doc->values[i]) == -1)
			return -1;
	return 0;
}

struct json *
json_parse(const char *buf, size_t len, struct json_error *error)
{
	struct scanner s = { .error = error };
	struct json *doc = NULL;

	s.start = s.p = (const unsigned char *)buf;
	s.end = s.start + len;
	if (scan_text(&s) == -1)
		goto out;
	if ((doc = calloc(1, sizeof(*doc))) == NULL || build(doc, &s) == -1) {
		fail(&s, s.start, "out of memory, or refused by cJSON");
		json_free(doc);
		doc = NULL;
	}
out:
	free(s.marks);
	return doc;
}

struct json_value *
json_root(struct json *doc)
{
	return &doc->values[0];
}

void
json_free(struct json *doc)
{
	struct addition *a;

	if (doc == NULL)
		return;
	while ((a = doc->added) != NULL) {
		doc->added = a->next;
		free(a);
	}
	cJSON_Delete(doc->tree);
	free(doc->values);
	free(doc->copy);
	free(doc);
}

struct json_value *
json_member(const struct json_value *object, const char *key)
{
	struct json_value *v;

	for (v = object->child; v != NULL; v = v->next)
		if (v->key != NULL && strcmp(v->key, key) == 0)
			return v;
	return NULL;
}

enum json_int
json_int(const struct json_value *v, int64_t *out)
{
	const char *p = v->string;
	bool negative = *p == '-';
	int64_t n = 0;

	if (negative)
		p++;
	if (p[strspn(p, "0123456789")] != '\0' || (negative && *p == '0'))
		return JSON_INT_NOT;
	/* Downwards, where there is one more than upwards. */
	for (; *p != '\0'; p++) {
		if (n < (INT64_MIN + (*p - '0')) / 10)
			return JSON_INT_HUGE;
		n = n * 10 - (*p - '0');
	}
	if (!negative && n == INT64_MIN)
		return JSON_INT_HUGE;
	*out = negative ? n : -n;
	return JSON_INT_OK;
}

/* A new value with a text of its own. */
static struct json_value *
add(struct json *doc, enum json_type type, const char *text)
{
	struct addition *a;
	size_t n = strlen(text) + 1;

	if ((a = calloc(1, sizeof(*a) + n)) == NULL)
		refuse_errno("json");
	memcpy(a->text, text, n);
	a->value.type = type;
	a->value.string = a->text;
	a->next = doc->added;
	doc->added = a;
	return &a->value;
}

struct json_value *
json_new(struct json *doc, enum json_type type)
{
	return add(doc, type, "");
}

struct json_value *
json_new_bool(struct json *doc, bool boolean)
{
	struct json_value *v = add(doc, JSON_BOOL, "");

	v->boolean = boolean;
	return v;
}

struct json_value *
json_new_int(struct json *doc, int64_t n)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", (long long)n);
	return add(doc, JSON_NUMBER, text);
}

struct json_value *
json_new_string(struct json *doc, const char *string)
{
	return add(doc, JSON_STRING, string);
}

void
json_append(struct json_value *array, struct json_value *v)
{
	struct json_value **link;

	for (link = &array->child; *link != NULL; link = &(*link)->next)
		;
	v->next = NULL;
	*link = v;
	array->n++;
}

void
json_set(struct json *doc, struct json_value *object, const char *key,
    struct json_value *v)
{
	struct json_value **link;

	v->key = add(doc, JSON_STRING, key)->string;
	for (link = &object->child; *link != NULL; link = &(*link)->next)
		if (strcmp((*link)->key, key) == 0) {
			v->next = (*link)->next;
			*link = v;
			return;
		}
	v->next = NULL;
	*link = v;
	object->n++;
}

void
json_write_string(FILE *fp, const char *s)
{
	static const char plain[] = "\b\t\n\f\r\"\\", letter[] = "btnfr\"\\";
	const char *p, *end = s + strlen(s);
	size_t n;

	putc('"', fp);
	for (; s < end; s += n) {
		n = utf8_len((const unsigned char *)s, (const unsigned char *)end);
		if (n == 0) {
			fputs("\\ufffd", fp);
			n = 1;
		} else if ((p = strchr(plain, *s)) != NULL)
			fprintf(fp, "\\%c", letter[p - plain]);
		else if ((unsigned char)*s < 0x20)
			fprintf(fp, "\\u%04x", (unsigned)*s);
		else
			fwrite(s, 1, n, fp);
	}
	putc('"', fp);
}

bool
json_utf8_valid(const char *s)
{
	const unsigned char *p = (const unsigned char *)s, *end = p + strlen(s);
	size_t n;

	for (; p < end; p += n)
		if ((n = utf8_len(p, end)) == 0)
			return false;
	return true;
}

static void
newline(FILE *fp, enum json_style style, int depth)
{
	if (style == JSON_PRETTY)
		fprintf(fp, "\n%*s", depth * 2, "");
}

static void
write_value(FILE *fp, const struct json_value *v, enum json_style style,
    int depth)
{
	struct json_value **members = NULL;
	const struct json_value *child = v->child;
	bool object = v->type == JSON_OBJECT;
	size_t i;

	if (v->type != JSON_ARRAY && !object) {
		if (v->type == JSON_STRING)
			json_write_string(fp, v->string);
		else
			fputs(v->type == JSON_NUMBER ? v->string :
			    v->type == JSON_NULL ? "null" :
			    v->boolean ? "true" : "false", fp);
		return;
	}
	if (object && (members = sorted_members(v)) == NULL)
		refuse_errno("json");
	putc(object ? '{' : '[', fp);
	for (i = 0; i < v->n; i++) {
		if (i > 0)
			putc(',', fp);
		newline(fp, style, depth + 1);
		if (object) {
			child = members[i];
			json_write_string(fp, child->key);
			fputs(style == JSON_PRETTY ? ": " : ":", fp);
		}
		write_value(fp, child, style, depth + 1);
		child = child->next;
	}
	if (v->n > 0)
		newline(fp, style, depth);
	putc(object ? '}' : ']', fp);
	free(members);
}

void
json_write(FILE *fp, const struct json_value *v, enum json_style style)
{
	write_value(fp, v, style, 0);
	if (style == JSON_PRETTY)
		putc('\n', fp);
}

void
json_place(struct json_place *pl, size_t at)
{
	for (; pl->at < at; pl->at++) {
		if (pl->text[pl->at] == '\n') {
			pl->line++;
			pl->column = 1;
		} else if (((unsigned char)pl->text[pl->at] & 0xc0) != 0x80)
			pl->column++;
	}
}
