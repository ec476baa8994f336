/*
 * An initramfs: cpio in the form "newc", the same bytes for the same files.
 * Documentation/driver-api/early-userspace/buffer-format.rst of the kernel.
 */
#include <string.h>

#include "vmrun.h"

#define ALIGN	4

static void
pad(struct cpio *c)
{
	while (c->at % ALIGN != 0) {
		putc(0, c->to);
		c->at++;
	}
}

/* One member; its number is its place, everything else that could differ is 0. */
static void
member(struct cpio *c, const char *name, unsigned mode, const char *data,
    size_t len)
{
	size_t namelen = strlen(name) + 1;

	c->at += (size_t)fprintf(c->to, "070701%08X%08X%08X%08X%08X%08X%08X%08X"
	    "%08X%08X%08X%08X%08X", ++c->members, mode, 0, 0, 1, 0,
	    (unsigned)len, 0, 0, 0, 0, (unsigned)namelen, 0);
	fwrite(name, 1, namelen, c->to);
	c->at += namelen;
	pad(c);
	if (len > 0)
		fwrite(data, 1, len, c->to);
	c->at += len;
	pad(c);
}

void
cpio_dir(struct cpio *c, const char *name)
{
	member(c, name, 040755, NULL, 0);
}

void
cpio_file(struct cpio *c, const char *name, const struct file *f)
{
	member(c, name, 0100755, f->data, f->len);
}

void
cpio_end(struct cpio *c)
{
	member(c, "TRAILER!!!", 0, NULL, 0);
	if (ferror(c->to))
		refuse("memory");
}
