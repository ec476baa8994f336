/*
 * The audit log: JSON lines, written whole, so that several gates can share
 * one file opened for appending.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "io.h"
#include "x07.h"

#define RECORD_MAX	8192	/* bytes of one JSON line */
#define FIELD_MAX	1536	/* bytes of one encoded field */

int
audit_open(const char *flag, const char *spec)
{
	int fd;

	if (strncmp(spec, "fd:", 3) == 0) {
		char *end;
		long n = strtol(spec + 3, &end, 10);
		int mode;

		if (end == spec + 3 || *end != '\0' || n < 0 || n > 1 << 20)
			refuse("%s %s: not a descriptor number", flag, spec);
		mode = fcntl((int)n, F_GETFL);
		if (mode == -1)
			refuse("%s %s: the descriptor is not open", flag, spec);
		if ((mode & O_ACCMODE) == O_RDONLY)
			refuse("%s %s: the descriptor is not open for writing",
			    flag, spec);
		return (int)n;
	}
	fd = open(spec, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY,
	    0600);
	if (fd == -1)
		refuse_errno("%s %s", flag, spec);
	return fd;
}

/*
 * A JSON string of untrusted bytes. Bytes that are not ASCII are taken for
 * Latin-1, which keeps every byte and is always valid UTF-8 text.
 */
static const char *
json_string(char dst[FIELD_MAX], const char *src)
{
	size_t n = 0;

	dst[n++] = '"';
	for (; *src != '\0' && n < FIELD_MAX - 8; src++) {
		unsigned char c = (unsigned char)*src;

		if (c == '"' || c == '\\') {
			dst[n++] = '\\';
			dst[n++] = (char)c;
		} else if (c < 0x20 || c >= 0x7f)
			n += (size_t)snprintf(dst + n, 7, "\\u%04x", c);
		else
			dst[n++] = (char)c;
	}
	dst[n++] = '"';
	dst[n] = '\0';
	return dst;
}

struct record {
	char	buf[RECORD_MAX];
	size_t	len;
};

static void
add(struct record *r, const char *name, const char *value)
{
	char field[FIELD_MAX];
	int n;

	if (value == NULL)
		return;
	n = snprintf(r->buf + r->len, sizeof(r->buf) - r->len - 2, ",\"%s\":%s",
	    name, json_string(field, value));
	if (n > 0 && (size_t)n < sizeof(r->buf) - r->len - 2)
		r->len += (size_t)n;
}

static void
write_record(int fd, const struct verdict *v, bool dry, const char *extra)
{
	struct record r;
	struct timespec now;
	int n;

	clock_gettime(CLOCK_REALTIME, &now);
	r.len = (size_t)snprintf(r.buf, sizeof(r.buf),
	    "{\"time\":%lld.%03ld,\"pid\":%ld", (long long)now.tv_sec,
	    now.tv_nsec / 1000000, (long)v->pid);
	add(&r, "gate", getprogname());
	add(&r, "verdict", v->allowed ? "allow" : dry ? "would-deny" : "deny");
	add(&r, "verb", v->verb);
	add(&r, "object", v->object);
	add(&r, "why", v->why);
	add(&r, "key", v->key);
	add(&r, "hint", v->hint);
	if (extra != NULL) {
		n = snprintf(r.buf + r.len, sizeof(r.buf) - r.len, ",%s", extra);
		if (n > 0 && (size_t)n < sizeof(r.buf) - r.len - 2)
			r.len += (size_t)n;
	}
	r.buf[r.len++] = '}';
	r.buf[r.len++] = '\n';
	if (write_line(fd, r.buf, r.len) == -1)
		note("audit log: %s", strerror(errno));
}

void
audit_verdict(int fd, const struct verdict *v, bool quiet, bool dry,
    const char *extra)
{
	if (fd >= 0)
		write_record(fd, v, dry, extra);
	if (quiet || v->allowed)
		return;
	if (v->hint != NULL)
		note("%s %s %s (%s; allow with %s)", dry ? "would deny" : "deny",
		    v->verb, v->object, v->why, v->hint);
	else
		note("%s %s %s (%s)", dry ? "would deny" : "deny", v->verb,
		    v->object, v->why);
}
