/* Making a bundle: parts in their order, then the table, then the footer. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bundle.h"
#include "bundle_file.h"
#include "io.h"

static struct bundle_part *
next(struct bundle *b, const char *name, unsigned mode)
{
	struct bundle_part *part;

	if (b->parts == NULL)
		b->parts = calloc(BUNDLE_PARTS_MAX, sizeof(*b->parts));
	if (b->parts == NULL)
		return NULL;
	if (b->n == BUNDLE_PARTS_MAX) {
		errno = E2BIG;
		return NULL;
	}
	part = &b->parts[b->n];
	part->name = strdup(name);
	part->mode = mode & 0777;
	if (part->name == NULL)
		return NULL;
	b->n++;
	return part;
}

int
bundle_add_fd(struct bundle *b, const char *name, unsigned mode, int from)
{
	struct bundle_part *part = next(b, name, mode);
	char buf[65536];
	struct digest c;
	ssize_t n;

	if (part == NULL)
		return -1;
	digest_start(&c);
	while ((n = read(from, buf, sizeof(buf))) > 0) {
		digest_add(&c, buf, (size_t)n);
		if (write_all(b->fd, buf, (size_t)n) == -1)
			return -1;
		part->len += (uint64_t)n;
	}
	digest_end(&c, part->digest);
	return n == -1 ? -1 : 0;
}

int
bundle_add(struct bundle *b, const char *name, unsigned mode, const void *data,
    size_t len)
{
	struct bundle_part *part = next(b, name, mode);

	if (part == NULL)
		return -1;
	digest_value(data, len, part->digest);
	part->len = len;
	return write_all(b->fd, data, len);
}

int
bundle_finish(struct bundle *b)
{
	struct bundle_footer foot = { .len = 0 };
	char *text = NULL, hex[DIGEST_HEX];
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	int ret = -1;

	if (f == NULL)
		return -1;
	fprintf(f, "%s\n", BUNDLE_HEADER);
	for (size_t i = 0; i < b->n; i++)
		fprintf(f, "%s %o %" PRIu64 " %s\n", b->parts[i].name,
		    b->parts[i].mode, b->parts[i].len,
		    digest_hex(b->parts[i].digest, hex));
	fprintf(f, "end %zu\n", b->n);
	if (fclose(f) == EOF)
		goto out;
	memcpy(foot.magic, BUNDLE_MAGIC, sizeof(foot.magic));
	foot.len = bundle_le64(len);
	digest_value(text, len, foot.digest);
	memcpy(b->digest, foot.digest, sizeof(b->digest));
	if (write_all(b->fd, text, len) == 0)
		ret = write_all(b->fd, &foot, sizeof(foot));
out:
	free(text);
	return ret;
}
