/* Reading a bundle. Nothing in the file is trusted before its digest is checked. */
#include <sys/stat.h>

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bundle.h"
#include "bundle_file.h"
#include "io.h"

#define TABLE_MAX	(BUNDLE_PARTS_MAX * 1024)

static int
fail(char *err, size_t errsz, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static int
fail(char *err, size_t errsz, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, errsz, fmt, ap);
	va_end(ap);
	return -1;
}

static bool
read_at(int fd, uint64_t at, void *buf, size_t len)
{
	char *p = buf;
	ssize_t n;

	while (len > 0) {
		n = pread(fd, p, len, (off_t)at);
		if (n <= 0)
			return false;
		p += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return true;
}

/* ---- the table ---- */

static bool
take_digest(const char *hex, unsigned char digest[DIGEST_LEN])
{
	static const char digits[] = "0123456789abcdef";
	const char *p;
	unsigned v = 0;

	if (strlen(hex) != 2 * DIGEST_LEN)
		return false;
	for (size_t i = 0; i < 2 * DIGEST_LEN; i++) {
		p = strchr(digits, hex[i]);
		if (p == NULL)
			return false;
		v = v << 4 | (unsigned)(p - digits);
		if (i % 2 == 1)
			digest[i / 2] = (unsigned char)v;
	}
	return true;
}

/* A number as we write it: no sign, blank or leading zero. */
static bool
take_number(const char *s, int base, uint64_t max, uint64_t *n)
{
	char *end;

	if (*s < '0' || *s > '9' || (*s == '0' && s[1] != '\0'))
		return false;
	errno = 0;
	*n = strtoull(s, &end, base);
	return errno == 0 && *end == '\0' && *n <= max;
}

/* A relative path whose every component is a name, all printable. */
static bool
name_valid(const char *name)
{
	for (const char *p = name; ; p = strchr(p, '/') + 1) {
		size_t n = strcspn(p, "/");

		if (n == 0 || (n == 1 && *p == '.') ||
		    (n == 2 && p[0] == '.' && p[1] == '.'))
			return false;
		if (p[n] == '\0')
			break;
	}
	for (const char *p = name; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~')
			return false;
	return true;
}

/* "NAME MODE LENGTH DIGEST", which is cut up. */
static bool
take_line(char *line, struct bundle_part *part)
{
	char *field[4];
	uint64_t mode;

	for (size_t i = 0; i < 4; i++) {
		field[i] = strsep(&line, " ");
		if (field[i] == NULL)
			return false;
	}
	part->name = field[0];
	if (line != NULL || !name_valid(part->name) ||
	    !take_number(field[1], 8, 0777, &mode) ||
	    !take_number(field[2], 10, INT64_MAX, &part->len) ||
	    !take_digest(field[3], part->digest))
		return false;
	part->mode = (unsigned)mode;
	return true;
}

/* The parts in text, a malloced string; they must fill the file up to end. */
static bool
take_table(struct bundle *b, char *text, uint64_t end)
{
	uint64_t at = 0, n;
	char *line;

	line = strsep(&text, "\n");
	if (line == NULL || strcmp(line, BUNDLE_HEADER) != 0)
		return false;
	b->parts = calloc(BUNDLE_PARTS_MAX, sizeof(*b->parts));
	if (b->parts == NULL)
		return false;
	for (b->n = 0; (line = strsep(&text, "\n")) != NULL; b->n++) {
		struct bundle_part *part = &b->parts[b->n];

		if (strncmp(line, "end ", 4) == 0)
			return take_number(line + 4, 10, BUNDLE_PARTS_MAX, &n) &&
			    n == b->n && at == end && text != NULL &&
			    *text == '\0' && n > 0 &&
			    strcmp(b->parts[0].name, BUNDLE_STUB) == 0;
		if (b->n == BUNDLE_PARTS_MAX || !take_line(line, part) ||
		    part->len > end - at)
			return false;
		for (size_t i = 0; i < b->n; i++)
			if (strcmp(b->parts[i].name, part->name) == 0)
				return false;
		part->at = at;
		at += part->len;
	}
	return false;
}

int
bundle_open(struct bundle *b, int fd, char *err, size_t errsz)
{
	unsigned char digest[DIGEST_LEN];
	struct bundle_footer foot;
	struct stat st;
	char *text;
	uint64_t size;

	*b = (struct bundle){ .fd = fd };
	if (fstat(fd, &st) == -1)
		return fail(err, errsz, "cannot be read: %s", strerror(errno));
	size = (uint64_t)st.st_size;
	if (!S_ISREG(st.st_mode) || size < sizeof(foot) ||
	    !read_at(fd, size - sizeof(foot), &foot, sizeof(foot)) ||
	    memcmp(foot.magic, BUNDLE_MAGIC, sizeof(foot.magic)) != 0)
		return fail(err, errsz, "it does not end in the footer of a "
		    "bundle: it is none, or its end was cut off or something "
		    "was appended");
	foot.len = bundle_le64(foot.len);
	size -= sizeof(foot);
	if (foot.len == 0 || foot.len > TABLE_MAX || foot.len > size)
		return fail(err, errsz, "the footer is damaged");
	size -= foot.len;
	text = malloc((size_t)foot.len + 1);
	if (text == NULL || !read_at(fd, size, text, (size_t)foot.len))
		return fail(err, errsz, "the table cannot be read");
	text[foot.len] = '\0';
	digest_value(text, (size_t)foot.len, digest);
	if (memcmp(digest, foot.digest, sizeof(digest)) != 0)
		return fail(err, errsz, "the table was changed: its digest is "
		    "not the footer's");
	if (memchr(text, '\0', (size_t)foot.len) != NULL ||
	    !take_table(b, text, size))
		return fail(err, errsz, "the table does not describe the file");
	memcpy(b->digest, digest, sizeof(digest));
	return 0;
}

const struct bundle_part *
bundle_find(const struct bundle *b, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < b->n; i++)
		if (strcmp(b->parts[i].name, name) == 0 ||
		    (name[n - 1] == '/' &&
		    strncmp(b->parts[i].name, name, n) == 0))
			return &b->parts[i];
	return NULL;
}

/* ---- the parts ---- */

int
bundle_copy(const struct bundle *b, const struct bundle_part *part, int to)
{
	unsigned char digest[DIGEST_LEN];
	char buf[65536];
	uint64_t at = part->at, left = part->len;
	struct digest c;
	size_t n;

	digest_start(&c);
	for (; left > 0; at += n, left -= n) {
		n = left < sizeof(buf) ? (size_t)left : sizeof(buf);
		if (!read_at(b->fd, at, buf, n)) {
			errno = EIO;
			return -1;
		}
		digest_add(&c, buf, n);
		if (to != -1 && write_all(to, buf, n) == -1)
			return -1;
	}
	digest_end(&c, digest);
	if (memcmp(digest, part->digest, sizeof(digest)) == 0)
		return 0;
	errno = EBADMSG;
	return -1;
}

char *
bundle_load(const struct bundle *b, const struct bundle_part *part)
{
	unsigned char digest[DIGEST_LEN];
	char *data;

	if (part->len > BUNDLE_LOAD_MAX) {
		errno = EFBIG;
		return NULL;
	}
	data = malloc((size_t)part->len + 1);
	if (data == NULL)
		return NULL;
	if (!read_at(b->fd, part->at, data, (size_t)part->len)) {
		free(data);
		errno = EIO;
		return NULL;
	}
	data[part->len] = '\0';
	digest_value(data, (size_t)part->len, digest);
	if (memcmp(digest, part->digest, sizeof(digest)) == 0)
		return data;
	free(data);
	errno = EBADMSG;
	return NULL;
}
