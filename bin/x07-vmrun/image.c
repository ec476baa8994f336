/*
 * Guest images: a directory with a kernel, an initramfs that holds guestinit, the
 * gates and the modules, the kernel's command line, and a manifest. Same input,
 * same bytes.
 */
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "digest.h"
#include "unfinished.h"
#include "vmrun.h"

#define MODULES_MAX	64
#define LEFT_S		60	/* whoever still makes one has locked it long before */
#define UNUSED_S	(30 * 24 * 3600)	/* images and kept guests go then */
#define KEEP		8	/* and when there are more than these, the oldest */
#define BUSY_S		3600	/* but none that was taken this lately */

/* What the driver needs of a kernel; those it depends on come before them. */
static const char *const wanted[] = { "virtio_pci", "virtio_console" };

/* All of it is one file, under these names. */
static const char guestbin[] = "guestbin";
static const char *const tools[] = { "init", "x07/bin/x07-limit",
    "x07/bin/x07-netgate", "x07/bin/x07-fsgate", "x07/bin/x07-execgate",
    "x07/bin/netmux" };

/*
 * panic=-1 ends the machine, because QEMU is not to reboot. Of the security
 * modules only what the gates use, for a faster start. The event of a new device (1)
 * is masked, because its handler takes a tenth of a second where the processor is
 * emulated: guestinit looks for the one that may come.
 */
static const char cmdline[] = "quiet panic=-1 reboot=t lsm=landlock "
    "no_timer_check random.trust_cpu=on rcupdate.rcu_expedited=1 "
    "i8042.noaux i8042.nokbd 8250.nr_uarts=1 audit=0 acpi_mask_gpe=0x01\n";

/* ---- modules ---- */

struct packed {
	char	*name[MODULES_MAX];
	char	*path[MODULES_MAX];
	size_t	n;
};

/* The name of a module's "depends=" list inside its file. */
static const char *
dependencies(const struct file *f)
{
	static const char key[] = "\0depends=";
	const char *at = memmem(f->data, f->len, key, sizeof(key) - 1);

	return at != NULL ? at + sizeof(key) - 1 : "";
}

struct unpack {
	const char	*program, *path;
};

static void
become_unpacker(const void *arg)
{
	const struct unpack *u = arg;

	execlp(u->program, u->program, "-dc", u->path, (char *)NULL);
	refuse_errno("%s", u->program);
}

/* The bytes of a module, decompressed by the program that its suffix names. */
static void
load_module(struct file *f, const char *path)
{
	static const struct {
		const char	*suffix, *program;
	} packers[] = { { ".xz", "xz" }, { ".zst", "zstd" }, { ".gz", "gzip" } };
	struct unpack u = { NULL, path };

	for (size_t i = 0; i < sizeof(packers) / sizeof(packers[0]); i++)
		if (strcmp(strrchr(path, '.'), packers[i].suffix) == 0)
			u.program = packers[i].program;
	if (u.program == NULL)
		file_load(f, path);
	else if (output_of(f, become_unpacker, &u) != 0)
		refuse("%s: %s cannot read it", path, u.program);
}

/* Appends a module behind all that it depends on. */
static void
pack_module(struct packed *p, const struct kernel *k, const char *name)
{
	char *path = kernel_module(k, name), *list, *one;
	struct file f;

	if (path == NULL)
		refuse("%s has no module %s", k->modules, name);
	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->path[i], path) == 0) {
			free(path);
			return;
		}
	if (*path == '\0') {		/* built in */
		free(path);
		return;
	}
	load_module(&f, path);
	list = strdup(dependencies(&f));
	free(f.data);
	if (list == NULL)
		refuse_errno("memory");
	for (char *rest = list; (one = strsep(&rest, ",")) != NULL;)
		if (*one != '\0')
			pack_module(p, k, one);
	free(list);
	if (p->n == MODULES_MAX || (p->name[p->n] = strdup(name)) == NULL)
		refuse("too many modules");
	p->path[p->n++] = path;
}

static void
pack_modules(struct packed *p, const struct kernel *k)
{
	const char *const *more = k->share->modules;

	p->n = 0;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		pack_module(p, k, wanted[i]);
	for (size_t i = 0; i < SHARE_MODULES && more[i] != NULL; i++)
		pack_module(p, k, more[i]);
}

/* ---- the initramfs ---- */

static void
add_tools(struct cpio *c)
{
	char *path = vm_tool(guestbin);
	struct file f;

	file_load(&f, path);
	cpio_links(c, tools, sizeof(tools) / sizeof(tools[0]), &f);
	free(f.data);
	free(path);
}

static void
make_initramfs(struct file *out, const struct kernel *k)
{
	static const char *const dirs[] = { "dev", "proc", "sys", "share", "new",
	    "modules", "x07", "x07/bin" };
	struct cpio c = { NULL, 0, 0 };
	struct packed p;
	struct file f;
	char name[128];

	pack_modules(&p, k);
	c.to = open_memstream(&out->data, &out->len);
	if (c.to == NULL)
		refuse_errno("memory");
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		cpio_dir(&c, dirs[i]);
	add_tools(&c);
	for (size_t i = 0; i < p.n; i++) {
		snprintf(name, sizeof(name), "modules/%02zu-%s.ko", i, p.name[i]);
		load_module(&f, p.path[i]);
		cpio_file(&c, name, &f);
		free(f.data);
	}
	cpio_end(&c);
	if (fclose(c.to) == EOF)
		refuse_errno("memory");
}

/* ---- the directory ---- */

struct image {
	struct file	manifest, kernel, initramfs, cmdline;
	char		digest[8 + DIGEST_HEX];
};

#define PARTS	4

static const char *const part_names[PARTS] = { "manifest", "kernel", "initramfs",
    "cmdline" };

/* As the driver computes it: names and contents, in this order. */
static void
take_digest(struct image *im)
{
	const struct file *files[PARTS] = { &im->manifest, &im->kernel,
	    &im->initramfs, &im->cmdline };
	char hex[DIGEST_HEX];
	struct digest c;

	digest_start(&c);
	for (size_t i = 0; i < PARTS; i++) {
		digest_add(&c, part_names[i], strlen(part_names[i]) + 1);
		digest_add(&c, files[i]->data, files[i]->len);
	}
	digest_end_hex(&c, hex);
	snprintf(im->digest, sizeof(im->digest), "sha256:%s", hex);
}

static void
make_image(struct image *im, const struct kernel *k)
{
	struct utsname u;
	int n;

	if (uname(&u) == -1)
		refuse_errno("uname");
	file_load(&im->kernel, k->path);
	make_initramfs(&im->initramfs, k);
	im->cmdline.data = strdup(cmdline);
	im->cmdline.len = strlen(cmdline);
	n = asprintf(&im->manifest.data, "x07-vm-image 1\nmachine %s\nrelease %s\n"
	    "share %s\nsuite %s\n", u.machine, k->release, k->share->name,
	    X07_VERSION);
	if (n == -1 || im->cmdline.data == NULL)
		refuse_errno("memory");
	im->manifest.len = (size_t)n;
	take_digest(im);
}

static void
remove_image(const char *dir)
{
	static const char *const names[] = { "manifest", "kernel", "initramfs",
	    "cmdline", "digest", "memory", "state" };
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && fd != -1; i++)
		unlinkat(fd, names[i], 0);
	if (fd != -1)
		close(fd);
	rmdir(dir);
}

static struct unfinished made;

static _Noreturn void
cannot_write(const char *name)
{
	int err = errno;

	unfinished_remove(&made);
	errno = err;
	refuse_errno("guest image: %s", name);
}

static void
write_file(int dir, const char *name, const struct file *f)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	size_t at = 0;
	ssize_t n;

	if (fd == -1)
		cannot_write(name);
	while (at < f->len) {
		n = write(fd, f->data + at, f->len - at);
		if (n == -1)
			cannot_write(name);
		at += (size_t)n;
	}
	if (close(fd) == -1)
		cannot_write(name);
}

static void
write_image(const struct image *im, const char *dir)
{
	struct file digest = { NULL, 0 };
	int fd, n;

	if (unfinished_dir(&made, dir) == -1)
		cannot_write(dir);
	fd = open(made.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	n = asprintf(&digest.data, "%s\n", im->digest);
	/* As long as it is held nobody takes this for something left. */
	if (fd == -1 || n == -1 || flock(fd, LOCK_EX) == -1 || fchmod(fd, 0755) == -1)
		cannot_write(made.path);
	digest.len = (size_t)n;
	write_file(fd, "manifest", &im->manifest);
	write_file(fd, "kernel", &im->kernel);
	write_file(fd, "initramfs", &im->initramfs);
	write_file(fd, "cmdline", &im->cmdline);
	write_file(fd, "digest", &digest);
	/* Somebody else may have made the same one meanwhile. */
	if (unfinished_place(&made, dir) == -1 && errno != EEXIST &&
	    errno != ENOTEMPTY)
		cannot_write(dir);
	unfinished_remove(&made);
	close(fd);
}

/* ---- the cache ---- */

struct entry {
	char	*path;
	time_t	used;
};

static int
latest_first(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return x->used < y->used ? 1 : x->used > y->used ? -1 : 0;
}

/* 32 digits of a digest: nothing else in that directory is ours. */
#define ENTRY	"????????????????????????????????"

/* Those that match; each use of one gives its directory a new time. */
static size_t
list_entries(const char *pattern, struct entry **list)
{
	struct stat st;
	size_t n = 0;
	glob_t g;

	*list = NULL;
	if (glob(pattern, 0, NULL, &g) != 0)
		return 0;
	*list = calloc(g.gl_pathc + 1, sizeof(**list));
	for (size_t i = 0; *list != NULL && i < g.gl_pathc; i++)
		if (lstat(g.gl_pathv[i], &st) == 0 && S_ISDIR(st.st_mode) &&
		    ((*list)[n].path = strdup(g.gl_pathv[i])) != NULL)
			(*list)[n++].used = st.st_mtime;
	globfree(&g);
	return n;
}

/*
 * Removes what was not used for long, and of the rest all but the latest. A run
 * holds what it uses open, or copies it within BUSY_S of taking it.
 */
static void
prune(const char *cache, const char *suffix)
{
	struct entry *list;
	time_t now = time(NULL);
	char *pattern;
	size_t n;

	if (asprintf(&pattern, "%s/" ENTRY "%s", cache, suffix) == -1)
		refuse_errno("memory");
	n = list_entries(pattern, &list);
	if (n > 0)
		qsort(list, n, sizeof(*list), latest_first);
	for (size_t i = 0; i < n; i++) {
		time_t age = now - list[i].used;

		if (age > UNUSED_S || (i >= KEEP && age > BUSY_S))
			remove_image(list[i].path);
		free(list[i].path);
	}
	free(list);
	free(pattern);
}

/* False while somebody makes it, who is to finish it. */
static bool
is_left(const struct entry *e)
{
	int fd = open(e->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	bool left = fd != -1 && time(NULL) - e->used > LEFT_S &&
	    (flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK);

	if (fd != -1)
		close(fd);
	return left;
}

/* What somebody who was killed left half made. */
static void
remove_left(const char *cache, const char *suffix)
{
	struct entry *list;
	char *pattern;
	size_t n;

	if (asprintf(&pattern, "%s/" ENTRY "%s.??????", cache, suffix) == -1)
		refuse_errno("memory");
	n = list_entries(pattern, &list);
	for (size_t i = 0; i < n; i++) {
		if (is_left(&list[i]))
			remove_image(list[i].path);
		free(list[i].path);
	}
	free(list);
	free(pattern);
}

/* A directory that others can write to could hold anybody's kernel. */
static const struct own_dir cache_dir = { "X07_VM_CACHE_DIR", "XDG_CACHE_HOME",
    "/x07/vm", "/.cache/x07/vm", "/vm" };

static void
stamp(struct digest *c, const char *path)
{
	struct stat st;
	char text[128];
	int n;

	if (stat(path, &st) == -1)
		refuse_errno("%s", path);
	n = snprintf(text, sizeof(text), "%jd %jd.%09ld", (intmax_t)st.st_size,
	    (intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	digest_add(c, path, strlen(path) + 1);
	digest_add(c, text, (size_t)n + 1);
}

/* A name for what the image would be made of: sizes and times, not contents. */
static void
make_key(const struct kernel *k, char hex[DIGEST_HEX])
{
	char *path = vm_tool(guestbin);
	struct digest c;

	digest_start(&c);
	digest_add(&c, cmdline, sizeof(cmdline));
	stamp(&c, k->path);
	stamp(&c, k->modules);
	stamp(&c, path);
	free(path);
	digest_end_hex(&c, hex);
}

static bool
has_part(const char *dir, const char *name)
{
	char *path = path_in(dir, name);
	struct stat st;
	bool has = lstat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0;

	free(path);
	return has;
}

static bool
has_all_parts(const char *dir)
{
	for (size_t i = 0; i < PARTS; i++)
		if (!has_part(dir, part_names[i]))
			return false;
	return has_part(dir, "digest");
}

static void
load_part(struct file *f, const char *dir, const char *name)
{
	char *path = path_in(dir, name);

	file_load(f, path);
	free(path);
}

/*
 * False when it is not there, or not what was written: a machine that lost its power, or
 * a full or failing disk, leaves files that are short, empty or missing. Who starts
 * from a kept guest reads none of it, and does not look into it here either.
 */
static bool
is_whole(const char *dir, bool look_into)
{
	struct image im = { .digest = "" };
	struct file *files[PARTS] = { &im.manifest, &im.kernel, &im.initramfs,
	    &im.cmdline }, said;
	bool whole;

	if (!has_all_parts(dir))
		return false;
	if (!look_into)
		return true;
	load_part(&said, dir, "digest");
	for (size_t i = 0; i < PARTS; i++)
		load_part(files[i], dir, part_names[i]);
	take_digest(&im);
	whole = strncmp(said.data, im.digest, strlen(im.digest)) == 0 &&
	    strcmp(said.data + strlen(im.digest), "\n") == 0;
	for (size_t i = 0; i < PARTS; i++)
		free(files[i]->data);
	free(said.data);
	return whole;
}

/* With a lock: what another run has made anew meanwhile is to stay. */
static void
remove_damaged(const char *cache, const char *dir)
{
	int fd = open(cache, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd == -1 || flock(fd, LOCK_EX) == -1)
		refuse_errno("%s", cache);
	if (!is_whole(dir, true))
		remove_image(dir);
	close(fd);
}

const char *
image_cache(void)
{
	char *cache = own_dir(&cache_dir);

	remove_left(cache, ".snap");
	return cache;
}

char *
image_get(bool progress, bool look_into)
{
	char hex[DIGEST_HEX], *cache, *dir;
	struct kernel k;
	struct image im;

	kernel_find(&k);
	cache = own_dir(&cache_dir);
	make_key(&k, hex);
	if (asprintf(&dir, "%s/%.32s", cache, hex) == -1)
		refuse_errno("memory");
	if (!is_whole(dir, look_into)) {
		if (progress)
			note(access(dir, F_OK) == 0 ? "the guest image in the cache "
			    "is damaged; making it again" :
			    "making the guest image (once)");
		remove_damaged(cache, dir);
		remove_left(cache, "");
		remove_left(cache, ".snap");
		prune(cache, "");
		prune(cache, ".snap");
		make_image(&im, &k);
		write_image(&im, dir);
	}
	own_dir_check(dir, cache_dir.variable);
	(void)utimensat(AT_FDCWD, dir, NULL, AT_SYMLINK_NOFOLLOW);
	free(cache);
	return dir;
}

bool
image_has_disk(const char *dir)
{
	struct file f = { NULL, 0 };
	char *path;
	bool has;

	if (asprintf(&path, "%s/manifest", dir) == -1)
		refuse_errno("memory");
	/* Without one it is no image, as the driver will say. */
	if (access(path, R_OK) == 0)
		file_load(&f, path);
	has = f.data != NULL && strstr(f.data, "\nshare blk\n") != NULL;
	free(f.data);
	free(path);
	return has;
}

/* ---- the subcommand ---- */

static _Noreturn void
usage(FILE *to, int status)
{
	fputs("usage: x07-vmrun image [-o DIR]\n"
	    "Makes the guest image of the backend qemu and prints its digest.\n"
	    "  -o DIR   make it there (must not exist), not in the cache\n", to);
	exit(status);
}

int
image_main(int argc, char *argv[])
{
	const char *out = NULL;
	struct kernel k;
	struct image im;
	char *dir, *path;
	struct file f;
	int opt;

	while ((opt = getopt(argc, argv, "+ho:")) != -1) {
		if (opt == 'h')
			usage(stdout, 0);
		if (opt != 'o')
			usage(stderr, EXIT_REFUSED);
		out = optarg;
	}
	if (optind != argc)
		usage(stderr, EXIT_REFUSED);
	if (out == NULL) {
		dir = image_get(false, true);
		if (asprintf(&path, "%s/digest", dir) == -1)
			refuse_errno("memory");
		file_load(&f, path);
		printf("%s%s\n", f.data, dir);
		return 0;
	}
	if (access(out, F_OK) == 0)
		refuse("%s exists", out);
	kernel_find(&k);
	make_image(&im, &k);
	write_image(&im, out);
	printf("%s\n%s\n", im.digest, out);
	return 0;
}
