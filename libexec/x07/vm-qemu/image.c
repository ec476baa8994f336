/* The guest's kernel and initramfs, as x07-vmrun image made them. */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "digest.h"
#include "vm-qemu.h"

#define FILE_MAX	(INT64_C(512) << 20)

struct file {
	char	*data;
	size_t	len;
};

/* The whole file; one NUL behind it. What tells it from others goes into id. */
static struct file
load(const char *dir, const char *name, struct digest *id)
{
	struct file f = { NULL, 0 };
	struct stat st;
	char *path;
	ssize_t n;
	int fd;

	if (asprintf(&path, "%s/%s", dir, name) == -1)
		refuse_errno("memory");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1 || fstat(fd, &st) == -1)
		refuse_errno("guest image: %s; make one: x07-vmrun image", path);
	if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX)
		refuse("guest image: %s: no file of an image", path);
	digest_add(id, &st.st_dev, sizeof(st.st_dev));
	digest_add(id, &st.st_ino, sizeof(st.st_ino));
	digest_add(id, &st.st_size, sizeof(st.st_size));
	digest_add(id, &st.st_mtim, sizeof(st.st_mtim));
	digest_add(id, &st.st_ctim, sizeof(st.st_ctim));
	f.data = calloc(1, (size_t)st.st_size + 1);
	if (f.data == NULL)
		refuse_errno("memory");
	while (f.len < (size_t)st.st_size) {
		n = read(fd, f.data + f.len, (size_t)st.st_size - f.len);
		if (n == -1)
			refuse_errno("guest image: %s", path);
		if (n == 0)
			refuse("guest image: %s changes", path);
		f.len += (size_t)n;
	}
	f.data[f.len] = '\0';
	close(fd);
	free(path);
	return f;
}

static int
seal(const struct file *f)
{
	int fd = os_seal(f->data, f->len);

	if (fd == -1)
		refuse_errno("cannot keep the guest image in memory");
	free(f->data);
	return fd;
}

/* As x07-vmrun image computes it: names and contents, in this order. */
static void
check_digest(const struct file *manifest, const struct file *kernel,
    const struct file *initramfs, const struct file *cmdline, const char *want)
{
	static const char *const names[] = { "manifest", "kernel", "initramfs",
	    "cmdline" };
	const struct file *files[] = { manifest, kernel, initramfs, cmdline };
	char hex[DIGEST_HEX];
	struct digest c;

	digest_start(&c);
	for (size_t i = 0; i < 4; i++) {
		digest_add(&c, names[i], strlen(names[i]) + 1);
		digest_add(&c, files[i]->data, files[i]->len);
	}
	digest_end_hex(&c, hex);
	if (strncmp(want, "sha256:", 7) != 0 || strcmp(want + 7, hex) != 0)
		refuse("the guest image is sha256:%s, but %s is asked for "
		    "(X07_VM_GUEST_IMAGE_DIGEST); get that image, or ask for "
		    "this one", hex, want);
}

/* The value of a line "KEY VALUE", in malloced memory. */
static char *
manifest_value(const char *text, const char *key)
{
	size_t len = strlen(key);
	const char *p = text;

	for (;; p++) {
		if (strncmp(p, key, len) == 0 && p[len] == ' ')
			return strndup(p + len + 1, strcspn(p + len + 1, "\n"));
		p = strchr(p, '\n');
		if (p == NULL)
			return NULL;
	}
}

void
image_load(struct image *im, const char *dir, const char *digest)
{
	struct file manifest, kernel, initramfs, cmdline;
	char hex[DIGEST_HEX];
	struct digest id;

	digest_start(&id);
	manifest = load(dir, "manifest", &id);
	kernel = load(dir, "kernel", &id);
	initramfs = load(dir, "initramfs", &id);
	cmdline = load(dir, "cmdline", &id);
	digest_end_hex(&id, hex);
	if (manifest.data == NULL ||
	    strncmp(manifest.data, "x07-vm-image 1\n", 15) != 0 ||
	    (im->share = manifest_value(manifest.data, "share")) == NULL)
		refuse("guest image: %s/manifest is none of this version; make a "
		    "new image: x07-vmrun image", dir);
	if (digest != NULL)
		check_digest(&manifest, &kernel, &initramfs, &cmdline, digest);
	strlcpy(im->id, digest != NULL ? digest : hex, sizeof(im->id));
	im->kernel = seal(&kernel);
	im->initramfs = seal(&initramfs);
	cmdline.data[strcspn(cmdline.data, "\n")] = '\0';
	im->cmdline = cmdline.data;
	free(manifest.data);
}
