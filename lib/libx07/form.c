/*
 * form.c - the normal form of a policy: what gates read.
 *
 * A policy has exactly one normal form and a form is read only when it is that
 * one: sorted lines, nothing encoded that need not be, every scalar there.
 * So no two gates can read the same bytes differently.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "form.h"
#include "keys.h"

struct form {
	char		*text;		/* decoded values, NUL-terminated */
	const char	**values;	/* in the order of the lines */
	size_t		 nvalues;
	struct span {
		size_t	first, n;	/* of values */
	}		*spans;		/* one per policy_keys[] */
};

struct form_writer {
	char	**lines;
	size_t	  n, cap;
};

bool
form_plain(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') ||
	    (c != '\0' && strchr("._~/:,@+-[]", c) != NULL);
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Decodes len bytes into dst (as large), or returns why that cannot be. */
static const char *
decode(char *dst, const char *src, size_t len)
{
	size_t i;
	int hi, lo;

	if (len == 0)
		return "empty value";
	for (i = 0; i < len; i++) {
		if (src[i] != '%') {
			if (!form_plain((unsigned char)src[i]))
				return "byte that must be encoded";
			*dst++ = src[i];
			continue;
		}
		if (len - i < 3 || (hi = hex_value(src[i + 1])) == -1 ||
		    (lo = hex_value(src[i + 2])) == -1)
			return "bad %XX";
		*dst = (char)(hi << 4 | lo);
		if (*dst == '\0' || form_plain((unsigned char)*dst))
			return "%XX of a byte that must not be encoded";
		dst++;
		i += 2;
	}
	*dst = '\0';
	return NULL;
}

/* Reads a decimal integer without sign or leading zero. */
static bool
read_decimal(const char **sp, int64_t *v)
{
	const char *s = *sp;

	if (*s < '0' || *s > '9' || (*s == '0' && s[1] >= '0' && s[1] <= '9'))
		return false;
	for (*v = 0; *s >= '0' && *s <= '9'; s++) {
		if (*v > (INT64_MAX - 9) / 10)
			return false;
		*v = *v * 10 + (*s - '0');
	}
	*sp = s;
	return true;
}

static const char *
check_int(const struct key *key, const char *value)
{
	int64_t v;

	if (!read_decimal(&value, &v) || *value != '\0')
		return "not an integer";
	return v < key->min || v > key->max ? "out of range" : NULL;
}

static const char *
check_bool(const struct key *key, const char *value)
{
	(void)key;
	return strcmp(value, "0") == 0 || strcmp(value, "1") == 0 ? NULL :
	    "neither 0 nor 1";
}

static const char *
check_string(const struct key *key, const char *value)
{
	struct hostspec hs;
	const char *why;

	if (key->max_len != 0 && key_strlen(value, strlen(value)) > key->max_len)
		return "too long";
	if ((key->flags & KEY_FORMONLY) != 0 && value[0] != '/')
		return "not an absolute path";
	if ((key->flags & KEY_NOSEMI) != 0 && strchr(value, ';') != NULL)
		return "contains ';'";
	if ((key->flags & KEY_ADDRS) != 0 &&
	    host_parse_host(&hs, value, &why) == -1)
		return why;
	return NULL;
}

static const char *
check_host(const struct key *key, const char *value)
{
	struct hostspec hs;
	const char *why;

	(void)key;
	return host_parse(&hs, value, false, &why) == -1 ? why : NULL;
}

static const char *
check_value(const struct key *key, const char *value)
{
	static const char *(*const checks[])(const struct key *, const char *) = {
		[KEY_BOOL] = check_bool,
		[KEY_INT] = check_int,
		[KEY_STRING] = check_string,
		[KEY_STRINGS] = check_string,
		[KEY_INTS] = check_int,
		[KEY_HOSTS] = check_host,
	};

	return checks[key->type](key, value);
}

/* What a parser carries from line to line. */
struct parser {
	struct form	*form;
	char		*out;		/* where the next decoded value goes */
	const char	*prev;		/* the line before, for the order */
	size_t		 prevlen;
	size_t		 lineno;
	char		*err;
	size_t		 errsz;
};

static int bad(struct parser *, const char *, ...)
    __attribute__((format(printf, 2, 3)));

static int
bad(struct parser *ps, const char *fmt, ...)
{
	char msg[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	snprintf(ps->err, ps->errsz, "normal form line %zu: %s", ps->lineno, msg);
	return -1;
}

static int
bytes_cmp(const char *a, size_t alen, const char *b, size_t blen)
{
	int r;

	r = memcmp(a, b, alen < blen ? alen : blen);
	return r != 0 ? r : (alen > blen) - (alen < blen);
}

/* Takes one line between header and end. */
static int
parse_line(struct parser *ps, const char *line, size_t len)
{
	struct form *f = ps->form;
	const struct key *key;
	struct span *span;
	const char *sp, *why;
	char name[64];
	size_t klen;

	if (ps->prev != NULL &&
	    bytes_cmp(ps->prev, ps->prevlen, line, len) >= 0)
		return bad(ps, "not in order, or twice");
	sp = memchr(line, ' ', len);
	klen = sp == NULL ? len : (size_t)(sp - line);
	if (sp == NULL || klen >= sizeof(name))
		return bad(ps, "not \"key value\"");
	memcpy(name, line, klen);
	name[klen] = '\0';
	key = strlen(name) == klen ? key_find(name) : NULL;
	if (key == NULL || (key->flags & KEY_NOFORM) != 0) {
		char shown[sizeof(name) * 4 + 1];

		return bad(ps, "unknown key %s",
		    diag_vis(shown, sizeof(shown), line, klen));
	}
	if ((why = decode(ps->out, sp + 1, len - klen - 1)) != NULL ||
	    (why = check_value(key, ps->out)) != NULL)
		return bad(ps, "%s: %s", key->path, why);

	span = &f->spans[key - policy_keys];
	if (span->n > 0 && !key_is_list(key))
		return bad(ps, "%s twice", key->path);
	if (span->n == key->max_items && key_is_list(key))
		return bad(ps, "%s: more than %zu items", key->path,
		    key->max_items);
	if (span->n++ == 0)
		span->first = f->nvalues;
	f->values[f->nvalues++] = ps->out;
	ps->out += strlen(ps->out) + 1;
	ps->prev = line;
	ps->prevlen = len;
	return 0;
}

/* Takes the last line: "end N", nothing behind it, no scalar missing. */
static int
parse_end(struct parser *ps, const char *line, size_t len, size_t rest)
{
	struct form *f = ps->form;
	char expect[32];
	size_t i;

	snprintf(expect, sizeof(expect), "end %zu", f->nvalues);
	if (len != strlen(expect) || memcmp(line, expect, len) != 0)
		return bad(ps, "expected \"%s\"; the form is not complete", expect);
	if (rest != 0)
		return bad(ps, "bytes behind the end");
	for (i = 0; i < policy_nkeys; i++)
		if (f->spans[i].n == 0 && !key_is_list(&policy_keys[i]) &&
		    (policy_keys[i].flags & KEY_NOFORM) == 0)
			return bad(ps, "no line for %s", policy_keys[i].path);
	return 0;
}

static int
parse_lines(struct parser *ps, const char *buf, size_t len)
{
	const char *nl;
	size_t linelen;

	for (ps->lineno = 1;; ps->lineno++) {
		if (len == 0 || (nl = memchr(buf, '\n', len)) == NULL)
			return bad(ps, "truncated");
		linelen = (size_t)(nl - buf);
		len -= linelen + 1;
		if (ps->lineno == 1) {
			if (linelen + 1 != strlen(FORM_HEADER) ||
			    memcmp(buf, FORM_HEADER, linelen + 1) != 0)
				return bad(ps, "not \"x07-policy 1\"");
		} else if (linelen >= 4 && memcmp(buf, "end ", 4) == 0)
			return parse_end(ps, buf, linelen, len);
		else if (parse_line(ps, buf, linelen) == -1)
			return -1;
		buf = nl + 1;
	}
}

struct form *
form_parse(const char *buf, size_t len, char *err, size_t errsz)
{
	struct parser ps = { .err = err, .errsz = errsz };
	struct form *f;
	size_t i, lines = 0;

	if (len > FORM_MAX) {
		snprintf(err, errsz, "normal form larger than %d bytes", FORM_MAX);
		return NULL;
	}
	for (i = 0; i < len; i++)
		lines += buf[i] == '\n';
	if ((f = calloc(1, sizeof(*f))) == NULL ||
	    (f->text = malloc(len + 1)) == NULL ||
	    (f->values = calloc(lines + 1, sizeof(*f->values))) == NULL ||
	    (f->spans = calloc(policy_nkeys, sizeof(*f->spans))) == NULL) {
		snprintf(err, errsz, "normal form: %s", strerror(errno));
		form_free(f);
		return NULL;
	}
	ps.form = f;
	ps.out = f->text;
	if (parse_lines(&ps, buf, len) == -1) {
		form_free(f);
		return NULL;
	}
	return f;
}

void
form_free(struct form *f)
{
	if (f == NULL)
		return;
	free(f->text);
	free(f->values);
	free(f->spans);
	free(f);
}

struct form *
form_load(int fd)
{
	struct form *f;
	char *buf = NULL, err[256];
	size_t len = 0, cap = 0;
	ssize_t n;

	for (;;) {
		if (len == cap) {
			cap = cap == 0 ? 16384 : cap * 2;
			if ((buf = realloc(buf, cap)) == NULL)
				refuse_errno("policy");
		}
		n = pread(fd, buf + len, cap - len, (off_t)len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			refuse_errno("cannot read the policy from descriptor %d", fd);
		if (n == 0)
			break;
		len += (size_t)n;
		if (len > FORM_MAX)
			refuse("policy: larger than %d bytes", FORM_MAX);
	}
	if ((f = form_parse(buf, len, err, sizeof(err))) == NULL)
		refuse("policy on descriptor %d: %s", fd, err);
	free(buf);
	return f;
}

static const struct span *
find_span(const struct form *f, const char *path)
{
	static const struct span none;
	const struct key *key = key_find(path);

	return key == NULL ? &none : &f->spans[key - policy_keys];
}

const char *
form_get(const struct form *f, const char *key)
{
	const struct span *span = find_span(f, key);

	return span->n == 0 ? NULL : f->values[span->first];
}

bool
form_bool(const struct form *f, const char *key, bool dflt)
{
	const char *v = form_get(f, key);

	return v == NULL ? dflt : strcmp(v, "1") == 0;
}

int64_t
form_int(const struct form *f, const char *key, int64_t dflt)
{
	const char *v = form_get(f, key);
	int64_t n;

	/* form_parse has seen to it that it is an integer. */
	return v == NULL || !read_decimal(&v, &n) ? dflt : n;
}

#define WRITE_BYTES	(INT64_C(16) << 20)

int64_t
form_write_bytes(const struct form *f)
{
	int64_t bytes = form_int(f, "fs.max_write_bytes", 0);

	return bytes != 0 ? bytes : WRITE_BYTES;
}

size_t
form_list(const struct form *f, const char *key, const char *const **items)
{
	const struct span *span = find_span(f, key);

	*items = (const char *const *)f->values + span->first;
	return span->n;
}

struct form_writer *
form_writer_new(void)
{
	return calloc(1, sizeof(struct form_writer));
}

int
form_writer_add(struct form_writer *w, const char *key, const char *value)
{
	static const char hex[] = "0123456789ABCDEF";
	char **lines, *line, *p;

	if (w->n == w->cap) {
		w->cap = w->cap == 0 ? 256 : w->cap * 2;
		lines = reallocarray(w->lines, w->cap, sizeof(*lines));
		if (lines == NULL)
			return -1;
		w->lines = lines;
	}
	if ((line = malloc(strlen(key) + 3 * strlen(value) + 2)) == NULL)
		return -1;
	p = stpcpy(line, key);
	*p++ = ' ';
	for (; *value != '\0'; value++) {
		unsigned char c = (unsigned char)*value;

		if (form_plain(c)) {
			*p++ = (char)c;
			continue;
		}
		*p++ = '%';
		*p++ = hex[c >> 4];
		*p++ = hex[c & 15];
	}
	*p = '\0';
	w->lines[w->n++] = line;
	return 0;
}

static int
line_cmp(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
writer_free(struct form_writer *w)
{
	size_t i;

	for (i = 0; i < w->n; i++)
		free(w->lines[i]);
	free(w->lines);
	free(w);
}

char *
form_writer_finish(struct form_writer *w, size_t *len)
{
	char *buf, *p;
	size_t i, n = 0, size = strlen(FORM_HEADER) + 32;

	if (w->n > 0)
		qsort(w->lines, w->n, sizeof(*w->lines), line_cmp);
	for (i = 0; i < w->n; i++)
		size += strlen(w->lines[i]) + 1;
	if ((buf = malloc(size)) == NULL) {
		writer_free(w);
		return NULL;
	}
	p = stpcpy(buf, FORM_HEADER);
	for (i = 0; i < w->n; i++) {
		if (i > 0 && strcmp(w->lines[i], w->lines[i - 1]) == 0)
			continue;
		p = stpcpy(p, w->lines[i]);
		*p++ = '\n';
		n++;
	}
	p += sprintf(p, "end %zu\n", n);
	*len = (size_t)(p - buf);
	writer_free(w);
	return buf;
}

char *
form_text(const struct form *f, size_t *len)
{
	struct form_writer *w;
	size_t i, j;

	if ((w = form_writer_new()) == NULL)
		return NULL;
	for (i = 0; i < policy_nkeys; i++)
		for (j = 0; j < f->spans[i].n; j++)
			if (form_writer_add(w, policy_keys[i].path,
			    f->values[f->spans[i].first + j]) == -1) {
				writer_free(w);
				return NULL;
			}
	return form_writer_finish(w, len);
}
