/* The guest's kernel and initramfs, as x07-vmrun image made them. */
#include <sys/stat.h>
#include <sys/utsname.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "digest.h"
#include "vm-qemu.h"

#define FILE_MAX	(INT64_C(512) << 20)

static const char *const names[IMAGE_FILES] = {
	[IMAGE_MANIFEST] = "manifest", [IMAGE_KERNEL] = "kernel",
	[IMAGE_INITRAMFS] = "initramfs", [IMAGE_CMDLINE] = "cmdline",
};

struct file {
	char	*data;
	size_t	len;
};

static int
open_file(const char *dir, const char *name, struct stat *st)
{
	char *path;
	int fd;

	if (asprintf(&path, "%s/%s", dir, name) == -1)
		refuse_errno("memory");
	/* Nobody may ever write to a FIFO of that name. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd == -1 || fstat(fd, st) == -1)
		refuse("guest image: %s: %s; make one: x07-vmrun image", path,
		    strerror(errno));
	if (!S_ISREG(st->st_mode) || st->st_size > FILE_MAX)
		refuse("guest image: %s: no file of an image", path);
	free(path);
	return fd;
}

/* The whole file; one NUL behind it. */
static struct file
load(int fd, const char *name)
{
	struct file f = { NULL, 0 };
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) == -1)
		refuse_errno("guest image: %s", name);
	f.data = calloc(1, (size_t)st.st_size + 1);
	if (f.data == NULL)
		refuse_errno("memory");
	while (f.len < (size_t)st.st_size) {
		n = pread(fd, f.data + f.len, (size_t)st.st_size - f.len,
		    (off_t)f.len);
		if (n == -1)
			refuse_errno("guest image: %s", name);
		if (n == 0)
			refuse("guest image: %s changes", name);
		f.len += (size_t)n;
	}
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
check_digest(const struct file files[IMAGE_FILES], const char *want)
{
	char hex[DIGEST_HEX];
	struct digest c;

	digest_start(&c);
	for (size_t i = 0; i < IMAGE_FILES; i++) {
		digest_add(&c, names[i], strlen(names[i]) + 1);
		digest_add(&c, files[i].data, files[i].len);
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

static bool
is_share(const char *name)
{
	static const char *const shares[] = { "virtiofs", "9p", "blk" };

	for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++)
		if (strcmp(name, shares[i]) == 0)
			return true;
	return false;
}

/* Another processor's kernel would be started, and say nothing for ever. */
static void
check_machine(const char *manifest, const char *dir)
{
	char *machine = manifest_value(manifest, "machine");
	struct utsname u;

	if (uname(&u) == -1)
		refuse_errno("uname");
	if (machine == NULL || strcmp(machine, u.machine) != 0)
		refuse("guest image: %s is for %s, but this machine is %s; make "
		    "one here: x07-vmrun image", dir,
		    machine != NULL ? machine : "no machine that it names",
		    u.machine);
	free(machine);
}

static void
tell_suite(const char *manifest, const char *dir)
{
	char *suite = manifest_value(manifest, "suite");

	if (suite == NULL || strcmp(suite, X07_VERSION) != 0)
		note("guest image: %s was made by version %s, this is %s", dir,
		    suite != NULL ? suite : "?", X07_VERSION);
	free(suite);
}

static void
check_manifest(struct image *im, const char *dir, bool verbose)
{
	struct file manifest = load(im->fd[IMAGE_MANIFEST], names[IMAGE_MANIFEST]);

	if (strncmp(manifest.data, "x07-vm-image 1\n", 15) != 0 ||
	    (im->share = manifest_value(manifest.data, "share")) == NULL ||
	    !is_share(im->share))
		refuse("guest image: %s/manifest is none of this version; make a "
		    "new image: x07-vmrun image", dir);
	check_machine(manifest.data, dir);
	if (verbose)
		tell_suite(manifest.data, dir);
	free(manifest.data);
}

void
image_open(struct image *im, const struct vm_run *r)
{
	char hex[DIGEST_HEX];
	struct digest id;
	struct stat st;

	digest_start(&id);
	for (size_t i = 0; i < IMAGE_FILES; i++) {
		im->fd[i] = open_file(r->image, names[i], &st);
		digest_add(&id, &st.st_dev, sizeof(st.st_dev));
		digest_add(&id, &st.st_ino, sizeof(st.st_ino));
		digest_add(&id, &st.st_size, sizeof(st.st_size));
		digest_add(&id, &st.st_mtim, sizeof(st.st_mtim));
		digest_add(&id, &st.st_ctim, sizeof(st.st_ctim));
	}
	digest_end_hex(&id, hex);
	im->digest = r->digest;
	strlcpy(im->id, r->digest != NULL ? r->digest : hex, sizeof(im->id));
	check_manifest(im, r->image, r->verbose);
}

void
image_take(struct image *im)
{
	struct file files[IMAGE_FILES];

	for (size_t i = 0; i < IMAGE_FILES; i++)
		files[i] = load(im->fd[i], names[i]);
	if (im->digest != NULL)
		check_digest(files, im->digest);
	im->kernel = seal(&files[IMAGE_KERNEL]);
	im->initramfs = seal(&files[IMAGE_INITRAMFS]);
	im->cmdline = files[IMAGE_CMDLINE].data;
	im->cmdline[strcspn(im->cmdline, "\n")] = '\0';
	free(files[IMAGE_MANIFEST].data);
}
