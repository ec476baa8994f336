/* The kernel of the guest, and the modules it needs. */
#include <sys/stat.h>
#include <sys/utsname.h>

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmrun.h"

#define VERSION_AT	0x20e	/* x86 boot protocol: where the version string is */
#define VERSION_BASE	0x200

/* Where distributions put kernels, and where ours can be put without installing one. */
static const char *const places[] = {
	"/boot/vmlinuz*", "/usr/lib/modules/*/vmlinuz",
	"/usr/local/lib/x07/kernel/boot/vmlinuz*",
	"/usr/lib/x07/kernel/boot/vmlinuz*",
};

/* How the guest can get its files, the best way first. */
static const struct share shares[] = {
	{ "virtiofs", { "virtiofs" } },
	{ "9p", { "9pnet_virtio", "9p" } },
	{ "blk", { "virtio_blk", "squashfs" } },
};

#define SHARES		"virtiofs, or 9p, or virtio_blk and squashfs"

void
file_load(struct file *f, const char *path)
{
	struct stat st;
	/* Nobody may ever write to a FIFO of that name. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n;

	*f = (struct file){ NULL, 0 };
	if (fd == -1 || fstat(fd, &st) == -1)
		refuse_errno("%s", path);
	if (!S_ISREG(st.st_mode))
		refuse("%s: no regular file", path);
	f->data = malloc((size_t)st.st_size + 1);
	if (f->data == NULL)
		refuse_errno("memory");
	while (f->len < (size_t)st.st_size) {
		n = read(fd, f->data + f->len, (size_t)st.st_size - f->len);
		if (n == -1)
			refuse_errno("%s", path);
		if (n == 0)
			break;
		f->len += (size_t)n;
	}
	f->data[f->len] = '\0';
	close(fd);
}

/* ---- which kernel ---- */

/* "6.1.0-cloud-amd64" of a kernel image, or of its file's name; else NULL. */
static char *
release_of(const char *path)
{
	unsigned char head[VERSION_AT + 2];
	const char *name = strstr(path, "vmlinuz-");
	char text[128];
	char *release = NULL;
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd == -1)
		return NULL;
	if (pread(fd, head, sizeof(head), 0) == (ssize_t)sizeof(head) &&
	    memcmp(head + 0x202, "HdrS", 4) == 0) {
		n = pread(fd, text, sizeof(text) - 1, VERSION_BASE +
		    (head[VERSION_AT] | head[VERSION_AT + 1] << 8));
		if (n > 0) {
			text[n] = '\0';
			text[strcspn(text, " ")] = '\0';
			release = strdup(text);
		}
	} else if (name != NULL) {
		release = strdup(name + strlen("vmlinuz-"));
	}
	close(fd);
	return release;
}

/* The directory of modules that goes with a kernel: beside it, or around it. */
static char *
modules_of(const char *path, const char *release)
{
	static const char *const from[] = { "../lib/modules/",
	    "../usr/lib/modules/", "../" };
	const char *slash = strrchr(path, '/');
	int len = slash != NULL ? (int)(slash - path) : 0;
	char *modules, *real = NULL;

	for (size_t i = 0; i < sizeof(from) / sizeof(from[0]) && real == NULL; i++) {
		if (asprintf(&modules, "%.*s/%s%s", len > 0 ? len : 1,
		    len > 0 ? path : ".", from[i], release) == -1)
			refuse_errno("memory");
		real = realpath(modules, NULL);
		free(modules);
	}
	return real;
}

/* True when it names a module of ours, or a part of the kernel itself. */
static bool
has_module(const struct kernel *k, const char *name)
{
	char *path = kernel_module(k, name);
	bool has = path != NULL;

	free(path);
	return has;
}

static bool
has_share(const struct kernel *k, const struct share *s)
{
	for (size_t i = 0; i < SHARE_MODULES && s->modules[i] != NULL; i++)
		if (!has_module(k, s->modules[i]))
			return false;
	return true;
}

/* A list of modules' paths; NULL when there is none. */
static char *
load_list(const char *dir, const char *name)
{
	struct file f = { NULL, 0 };
	char *path;

	if (asprintf(&path, "%s/%s", dir, name) == -1)
		refuse_errno("memory");
	if (access(path, R_OK) == 0)
		file_load(&f, path);
	free(path);
	return f.data;
}

static bool
try_kernel(struct kernel *k, const char *path)
{
	*k = (struct kernel){ .path = strdup(path), .release = release_of(path) };
	if (k->path == NULL)
		refuse_errno("memory");
	if (k->release == NULL ||
	    (k->modules = modules_of(path, k->release)) == NULL)
		return false;
	k->order = load_list(k->modules, "modules.order");
	k->builtin = load_list(k->modules, "modules.builtin");
	if (k->order == NULL || k->builtin == NULL)
		return false;
	if (!has_module(k, "virtio_console"))
		return false;
	for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++)
		if (has_share(k, &shares[i])) {
			k->share = &shares[i];
			return true;
		}
	return false;
}

static int
newest_first(const void *a, const void *b)
{
	return strverscmp(*(char *const *)b, *(char *const *)a);
}

void
kernel_find(struct kernel *k)
{
	const char *given = getenv("X07_VM_KERNEL");
	glob_t g = { .gl_pathc = 0 };
	struct utsname u;
	bool arm = uname(&u) == 0 && strcmp(u.machine, "aarch64") == 0;

	if (given != NULL && *given != '\0') {
		if (access(given, R_OK) == -1)
			refuse_errno("X07_VM_KERNEL=%s", given);
		if (!try_kernel(k, given))
			refuse("X07_VM_KERNEL=%s: needs its modules (lib/modules/"
			    "RELEASE beside it) with virtio_console and "
			    SHARES, given);
		return;
	}
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (glob(places[i], 0, NULL, &g) != 0)
			continue;
		qsort(g.gl_pathv, g.gl_pathc, sizeof(*g.gl_pathv), newest_first);
		for (size_t j = 0; j < g.gl_pathc; j++)
			if (try_kernel(k, g.gl_pathv[j]))
				return;
		globfree(&g);
	}
	refuse("no kernel for the guest: none in /boot that can be read, with "
	    "virtio_console and " SHARES "; install one (Debian: apt-get "
	    "install linux-image-cloud-%s), or name one: X07_VM_KERNEL=FILE",
	    arm ? "arm64" : "amd64");
}

/* ---- its modules ---- */

/* The length of a module's name in front of ".ko"; '-' and '_' are the same. */
static bool
same_name(const char *a, const char *b, size_t len)
{
	if (strlen(b) != len)
		return false;
	for (size_t i = 0; i < len; i++)
		if (a[i] != b[i] && !(strchr("-_", a[i]) != NULL &&
		    strchr("-_", b[i]) != NULL))
			return false;
	return true;
}

/* Finds the line of a module in a list of paths; NULL when there is none. */
static const char *
find_line(const char *list, const char *name, size_t *len)
{
	const char *base, *dot;

	for (const char *p = list; *p != '\0'; p += *len + (p[*len] == '\n')) {
		*len = strcspn(p, "\n");
		base = memrchr(p, '/', *len);
		base = base != NULL ? base + 1 : p;
		dot = strstr(base, ".ko");
		if (dot != NULL && same_name(base, name, (size_t)(dot - base)))
			return p;
	}
	return NULL;
}

char *
kernel_module(const struct kernel *k, const char *name)
{
	static const char *const suffixes[] = { "", ".xz", ".zst", ".gz" };
	const char *line;
	char *path;
	size_t len;

	if (find_line(k->builtin, name, &len) != NULL)
		return strdup("");
	line = find_line(k->order, name, &len);
	if (line == NULL)
		return NULL;
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		if (asprintf(&path, "%s/%.*s%s", k->modules, (int)len, line,
		    suffixes[i]) == -1)
			refuse_errno("memory");
		if (access(path, R_OK) == 0)
			return path;
		free(path);
	}
	return NULL;
}
