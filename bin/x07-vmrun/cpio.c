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

/* One name of file number ino; everything else that could differ is 0. */
static void
put(struct cpio *c, unsigned ino, unsigned links, const char *name, unsigned mode,
    const char *data, size_t len)
{
	size_t namelen = strlen(name) + 1;

	c->at += (size_t)fprintf(c->to, "070701%08X%08X%08X%08X%08X%08X%08X%08X"
	    "%08X%08X%08X%08X%08X", ino, mode, 0, 0, links, 0,
	    (unsigned)len, 0, 0, 0, 0, (unsigned)namelen, 0);
	fwrite(name, 1, namelen, c->to);
	c->at += namelen;
	pad(c);
	if (len > 0)
		fwrite(data, 1, len, c->to);
	c->at += len;
	pad(c);
}

static void
member(struct cpio *c, const char *name, unsigned mode, const char *data,
    size_t len)
{
	put(c, ++c->files, 1, name, mode, data, len);
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
cpio_links(struct cpio *c, const char *const *names, size_t n, const struct file *f)
{
	unsigned ino = ++c->files;

	for (size_t i = 0; i < n; i++)
		put(c, ino, (unsigned)n, names[i], 0100755, i == 0 ? f->data : NULL,
		    i == 0 ? f->len : 0);
}

void
cpio_end(struct cpio *c)
{
	member(c, "TRAILER!!!", 0, NULL, 0);
	if (ferror(c->to))
		refuse("memory");
}
