/*
 * The machine: QEMU, and the server of files when the guest's kernel has virtiofs, or
 * the maker of the image of a disk when it has nothing better.
 *
 * Both live in a process tree that dies with this process, in an empty network, with
 * no more of the file system than they need; what they are to talk to they
 * get as descriptors.
 */
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io.h"
#include "vm-qemu.h"
#include "words.h"

/* Beside what the program may have: kernel, initramfs, gates and their tables. */
#define GUEST_BYTES	(INT64_C(192) << 20)
#define MEMORY_MIN	(INT64_C(256) << 20)
#define ROUND_BYTES	(INT64_C(2) << 20)
#define CPUS_MAX	8

/* ---- tails ---- */

bool
tail_read(struct tail *t, int fd)
{
	ssize_t n;

	if (t->len > sizeof(t->buf) / 2) {
		memmove(t->buf, t->buf + t->len - sizeof(t->buf) / 2,
		    sizeof(t->buf) / 2);
		t->len = sizeof(t->buf) / 2;
	}
	n = read(fd, t->buf + t->len, sizeof(t->buf) - t->len);
	if (n == -1)
		return errno == EAGAIN || errno == EINTR;
	t->len += (size_t)n;
	return n > 0;
}

/* What the server of files says of every machine's end, whatever its reason was. */
static bool
is_chatter(const char *p, size_t len)
{
	static const char *const words[] = { "virtio_loop:", "fv_queue_thread:",
	    "Waiting for daemon failed", NULL };

	for (size_t i = 0; words[i] != NULL; i++)
		if (memmem(p, len, words[i], strlen(words[i])) != NULL)
			return true;
	return false;
}

const char *
tail_line(const struct tail *t, const char *word)
{
	static char line[512];
	const char *p = t->buf, *end = t->buf + t->len;
	size_t len;

	line[0] = '\0';
	for (; p < end; p += len + 1) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));

		len = (size_t)((nl != NULL ? nl : end) - p);
		if (len < 2 || (word == NULL ? is_chatter(p, len) :
		    memmem(p, len, word, strlen(word)) == NULL))
			continue;
		snprintf(line, sizeof(line), "%.*s", (int)strnlen(p, len), p);
		line[strcspn(line, "\r")] = '\0';
	}
	return line;
}

/* ---- a command line ---- */

struct line {
	struct words	words;
	int		keep[WORDS_MAX];	/* descriptors that are handed on */
	size_t		nkeep;
};

#define add(line, ...)	words_add(&(line)->words, __VA_ARGS__)

static int
hand(struct line *w, int fd)
{
	if (w->nkeep == WORDS_MAX)
		abort();
	w->keep[w->nkeep++] = fd;
	return fd;
}

/* ---- the guest's ends ---- */

struct ends {
	int	port[PORT_LAST + 1];
	int	console, errors, qmp;
	int	server;		/* held by the server of files alone */
	int	files[2];	/* virtiofsd's listener, QEMU's connection; -1 */
	int	disk;		/* the files as an image; -1 */
};

static void
make_pair(int *ours, int *theirs)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
		refuse_errno("socketpair");
	if (fcntl(pair[0], F_SETFL, O_NONBLOCK) == -1)
		refuse_errno("socketpair");
	*ours = pair[0];
	*theirs = pair[1];
}

static void
make_ends(struct machine *m, struct ends *e, const struct vm_run *r)
{
	for (int p = PORT_CONTROL; p <= PORT_LAST; p++) {
		m->port[p] = e->port[p] = -1;
		if (p == PORT_NET)
			e->port[p] = r->net_fd == -1 ? -1 :
			    fcntl(r->net_fd, F_DUPFD_CLOEXEC, 3);
		else if (p != PORT_AUDIT || r->audit_fd != -1)
			make_pair(&m->port[p], &e->port[p]);
	}
	make_pair(&m->console, &e->console);
	make_pair(&m->errors, &e->errors);
	make_pair(&m->server, &e->server);
	m->qmp = e->qmp = -1;
	if (m->snapshot.path != NULL)
		make_pair(&m->qmp, &e->qmp);
	e->files[0] = e->files[1] = e->disk = -1;
}

/*
 * A listener for the server of files, and the one connection to it; the name is
 * gone before either of them starts.
 */
static void
make_file_socket(struct ends *e, const char *dir)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	if (chdir(dir) == -1)
		refuse_errno("%s", dir);
	strlcpy(sun.sun_path, "files", sizeof(sun.sun_path));
	for (int i = 0; i < 2; i++) {
		e->files[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (e->files[i] == -1)
			refuse_errno("socket");
	}
	if (bind(e->files[0], (struct sockaddr *)&sun, sizeof(sun)) == -1 ||
	    listen(e->files[0], 1) == -1 ||
	    connect(e->files[1], (struct sockaddr *)&sun, sizeof(sun)) == -1 ||
	    unlink(sun.sun_path) == -1)
		refuse_errno("%s/files", dir);
}

/* ---- the server of files ---- */

/*
 * What the gates in the guest deny is denied here once more, to a guest that was taken
 * over. A build has no such rules.
 */
static unsigned
serve_less(const struct vm_run *r)
{
	static const struct {
		const char	*key;
		unsigned	deny;
	} rules[] = {
		{ "fs.allow_symlinks",	OS_DENY_SYMLINK },
		{ "fs.allow_mkdir",	OS_DENY_MKDIR },
		{ "fs.allow_remove",	OS_DENY_REMOVE },
		{ "fs.allow_rename",	OS_DENY_RENAME },
	};
	struct form *f;
	unsigned deny = 0;

	if (strcmp(r->phase, "build") == 0)
		return 0;
	f = form_load(r->policy_fd);
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (!form_bool(f, rules[i].key, false))
			deny |= rules[i].deny;
	if (form_bool(f, "fs.enabled", false))
		deny |= OS_DENY_RESERVE;	/* serve_small() sets a limit */
	return deny;
}

/* As in the guest, no file of the roots grows beyond what the policy says. */
static int
serve_small(const struct vm_run *r)
{
	struct form *f;

	/* Too large is the guest's error, never the end of who serves it. */
	signal(SIGXFSZ, SIG_IGN);
	if (strcmp(r->phase, "build") == 0)
		return 0;
	f = form_load(r->policy_fd);
	return !form_bool(f, "fs.enabled", false) ? 0 :
	    os_limit_file_size(form_write_bytes(f));
}

static void
start_virtiofsd(const struct vm_run *r, const struct ends *e, const char *root)
{
	struct line w = { .nkeep = 0 };
	char *path = find_virtiofsd();
	int dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	pid_t pid;

	if (dir == -1)
		refuse_errno("%s", root);
	if (path == NULL)
		refuse("virtiofsd is not installed (Debian 12: it comes with "
		    "qemu-system-common; later: apt-get install virtiofsd)");
	add(&w, "%s", path);
	add(&w, "--fd=%d", hand(&w, e->files[0]));
	hand(&w, e->server);
	add(&w, "-o");
	/*
	 * Only we write while the guest runs, and others' changes show in a second. A
	 * comma in the name of a directory would end it there.
	 */
	add(&w, "source=/proc/self/fd/%d/.,sandbox=chroot,cache=auto,log_level=err,"
	    "no_posix_lock,no_flock", hand(&w, dir));
	add(&w, "-f");
	pid = fork();
	if (pid == -1)
		refuse_errno("fork");
	if (pid != 0) {
		close(dir);
		return;
	}
	if (serve_small(r) == -1 || os_vm_serve(serve_less(r)) == -1 ||
	    os_keep_fds(w.keep, w.nkeep) == -1)
		refuse_errno("cannot start the server of files");
	umask(0);
	/* It holds one descriptor for every file that the guest has looked at. */
	fd_limit_raise();
	/* It calls the machine's end an error. */
	if (dup2(e->errors, STDERR_FILENO) == -1)
		refuse_errno("descriptors");
	execv(path, w.words.list);
	refuse_errno("%s", path);
}

/* ---- QEMU ---- */

static void
add_channel(struct line *w, const char *id, int fd)
{
	add(w, "-chardev");
	add(w, "socket,id=%s,fd=%d", id, hand(w, fd));
}

static void
add_ports(struct line *w, const struct ends *e)
{
	char id[16];

	add(w, "-device");
	add(w, "virtio-serial-pci,max_ports=%d", PORT_LAST + 1);
	for (int p = PORT_CONTROL; p <= PORT_LAST; p++) {
		if (e->port[p] == -1) {
			add(w, "-chardev");
			add(w, "null,id=p%d", p);
		} else {
			snprintf(id, sizeof(id), "p%d", p);
			add_channel(w, id, e->port[p]);
		}
		add(w, "-device");
		add(w, "virtserialport,chardev=p%d,nr=%d", p, p);
	}
}

/* In a value of QEMU's a comma is written twice. */
static void
add_directory(struct line *w, const char *root)
{
	char *twice = calloc(2, strlen(root) + 1), *to = twice;

	if (twice == NULL)
		refuse_errno("memory");
	for (; *root != '\0'; *to++ = *root++)
		if (*root == ',')
			*to++ = ',';
	add(w, "local,id=files,path=%s,security_model=none,multidevs=remap", twice);
	free(twice);
}

static void
add_files(struct line *w, const struct ends *e, const char *root)
{
	if (e->files[1] != -1) {
		add_channel(w, "files", e->files[1]);
		/* Its state cannot be saved: it comes when that is over. */
		if (e->qmp != -1)
			return;
		add(w, "-device");
		add(w, "vhost-user-fs-pci,chardev=files,tag=root");
	} else if (e->disk != -1) {
		add(w, "-add-fd");
		add(w, "fd=%d,set=0", hand(w, e->disk));
		add(w, "-drive");
		add(w, "file=/dev/fdset/0,format=raw,if=none,id=files,readonly=on");
		add(w, "-device");
		add(w, "virtio-blk-pci,drive=files");
	} else {
		add(w, "-fsdev");
		add_directory(w, root);
		add(w, "-device");
		add(w, "virtio-9p-pci,fsdev=files,mount_tag=root");
	}
}

static int64_t
memory_of(const struct vm_run *r)
{
	int64_t bytes = r->memory + GUEST_BYTES;

	if (bytes < MEMORY_MIN)
		bytes = MEMORY_MIN;
	return (bytes + ROUND_BYTES - 1) / ROUND_BYTES * ROUND_BYTES;
}

static int64_t
cpus_of(const struct vm_run *r)
{
	return r->cpus < 1 ? 1 : r->cpus > CPUS_MAX ? CPUS_MAX : r->cpus;
}

static void
add_machine(struct line *w, const struct machine *m, const struct vm_run *r,
    const struct image *im, const struct arch *a, bool kvm)
{
	int64_t memory = memory_of(r);

	add(w, "-nodefaults");
	add(w, "-no-user-config");
	add(w, "-no-reboot");
	add(w, "-display");
	add(w, "none");
	add(w, "-sandbox");
	add(w, "on,obsolete=deny,elevateprivileges=deny,spawn=deny,"
	    "resourcecontrol=deny");
	add(w, "-machine");
	add(w, "%s,accel=%s,memory-backend=memory,usb=off,dump-guest-core=off",
	    a->type, kvm ? "kvm" : "tcg");
	add(w, "-cpu");
	add(w, "%s", kvm ? "host" : a->cpu);
	add(w, "-smp");
	add(w, "%" PRId64, cpus_of(r));
	add(w, "-m");
	add(w, "%" PRId64 "M", memory >> 20);
	/*
	 * The guest's clock is set by the request, to the epoch for a program that is
	 * not to know the time. The machine's own must not tell it either; it is the same
	 * for all of them, since one that is kept serves any policy.
	 */
	add(w, "-rtc");
	add(w, "base=1970-01-01T00:00:00,clock=vm");
	add(w, "-object");
	add(w, "memory-backend-file,id=memory,size=%" PRId64 "M,share=on,"
	    "mem-path=/proc/self/fd/%d", memory >> 20, hand(w, m->memory));
	if (m->restored)
		return;
	add(w, "-kernel");
	add(w, "/proc/self/fd/%d", hand(w, im->kernel));
	add(w, "-initrd");
	add(w, "/proc/self/fd/%d", hand(w, im->initramfs));
	add(w, "-append");
	/* Between programs in one guest an emulated processor leaks nothing. */
	add(w, "console=%s %s%s%s", a->console, im->cmdline,
	    kvm ? "" : " mitigations=off",
	    kvm || cpus_of(r) > 1 ? "" : a->alone);
}

/* What a machine needs that is saved, or was. */
static void
add_qmp(struct line *w, const struct machine *m, const struct ends *e)
{
	add_channel(w, "qmp", e->qmp);
	add(w, "-mon");
	add(w, "chardev=qmp,mode=control");
	if (m->restored) {
		add(w, "-incoming");
		add(w, "defer");
		hand(w, m->snapshot.state);
	}
}

static _Noreturn void
become_qemu(const struct machine *m, const struct vm_run *r,
    const struct image *im, const struct ends *e, const struct arch *a,
    const char *path, const char *root)
{
	bool kvm = probe_kvm(), nine = strcmp(im->share, "9p") == 0;
	static const char *const reads[] = { "/usr", "/lib", "/lib64", "/bin",
	    "/etc", "/proc", "/sys/devices/system", NULL };
	static const char *const writes[] = { "/dev/null", "/dev/kvm", NULL };
	struct line w = { .nkeep = 0 };

	add(&w, "%s", path);
	add_machine(&w, m, r, im, a, kvm);
	add_channel(&w, "console", e->console);
	add(&w, "-serial");
	add(&w, "chardev:console");
	add_ports(&w, e);
	add_files(&w, e, root);
	if (e->qmp != -1)
		add_qmp(&w, m, e);
	if (dup2(e->errors, STDOUT_FILENO) == -1 ||
	    dup2(e->errors, STDERR_FILENO) == -1 ||
	    os_keep_fds(w.keep, w.nkeep) == -1)
		refuse_errno("descriptors");
	/* With 9p QEMU is the server of files, too. */
	if ((nine && serve_small(r) == -1) || os_vm_confine(reads, writes,
	    nine ? root : NULL, nine ? serve_less(r) : 0) == -1)
		refuse_errno("cannot confine QEMU");
	execv(path, w.words.list);
	refuse_errno("%s", path);
}

/* Inside the tree. */
static _Noreturn void
inside(const struct machine *m, const struct vm_run *r, const struct image *im,
    struct ends *e, const struct arch *a, const char *path)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	char *root;

	/* Signals from a terminal are the program's, and come by the control port. */
	if (setpgid(0, 0) == -1 || null == -1 || dup2(null, STDIN_FILENO) == -1 ||
	    dup2(null, STDOUT_FILENO) == -1)
		refuse_errno("/dev/null");
	if (os_vm_enclose() == -1)
		refuse_errno("cannot make an empty network for the machine");
	if (asprintf(&root, "%s/root", r->dir) == -1)
		refuse_errno("memory");
	if (mkdir(root, 0700) == -1 && errno != EEXIST)
		refuse_errno("%s", root);
	view_mount(r->view_fd, root);
	if (strcmp(im->share, "virtiofs") == 0) {
		make_file_socket(e, r->dir);
		start_virtiofsd(r, e, root);
	} else if (strcmp(im->share, "blk") == 0) {
		e->disk = disk_make(r, root);
	}
	become_qemu(m, r, im, e, a, path, root);
}

static void
close_ends(const struct ends *e)
{
	for (int p = PORT_CONTROL; p <= PORT_LAST; p++)
		if (e->port[p] != -1)
			close(e->port[p]);
	if (e->qmp != -1)
		close(e->qmp);
	close(e->console);
	close(e->errors);
	close(e->server);
}

static void
make_memory(struct machine *m, const struct vm_run *r)
{
	m->memory = memfd_create("guest", MFD_CLOEXEC);
	if (m->memory == -1 || ftruncate(m->memory, memory_of(r)) == -1)
		refuse_errno("the guest's memory");
}

/*
 * A processor of our own boots in a fraction of a second, and what it saved would
 * be for this very one: there is nothing to be won.
 */
static void
find_snapshot(struct machine *m, const struct vm_run *r, const struct image *im,
    const struct arch *a, const char *emulator, bool cold)
{
	m->snapshot = (struct snapshot){ .memory = -1, .state = -1 };
	m->restored = false;
	if (r->cache == NULL || strcmp(im->share, "virtiofs") != 0 || !a->plugs ||
	    probe_kvm())
		return;
	snapshot_name(&m->snapshot, r->cache, emulator, im, memory_of(r),
	    cpus_of(r));
	m->restored = !cold && snapshot_open(&m->snapshot);
}

static void
start(struct machine *m, const struct vm_run *r, struct image *im, bool cold)
{
	const struct arch *a = arch_find();
	char *path = a != NULL ? find_emulator(a) : NULL;
	struct ends e;
	int err;

	if (path == NULL)
		refuse("QEMU is not installed (Debian: apt-get install %s)",
		    a != NULL ? a->package : "qemu-system");
	find_snapshot(m, r, im, a, path, cold);
	if (!m->restored)
		image_take(im);
	make_memory(m, r);
	make_ends(m, &e, r);
	switch (os_tree_spawn(&m->tree, OS_TREE_MOUNT | OS_TREE_PROC)) {
	case -1:
		err = errno;
		refuse("cannot make namespaces: %s (%s)", strerror(err),
		    os_namespace_hint(err));
	case 0:
		inside(m, r, im, &e, a, path);
	default:
		close_ends(&e);
	}
}

/* ---- what is asked of QEMU ---- */

static const char capabilities[] = "{\"execute\":\"qmp_capabilities\"}\n";
/* The guest's memory is a file of ours: QEMU need not read or write it. */
static const char ignore_shared[] =
    "{\"execute\":\"migrate-set-capabilities\",\"arguments\":{"
    "\"capabilities\":[{\"capability\":\"x-ignore-shared\",\"state\":true}]}}\n";
static const char go_on[] = "{\"execute\":\"cont\"}\n";

/*
 * Fills the memory while QEMU starts, which leaves it alone; waits until the restored
 * machine can go on, and lets it.
 */
static bool
resume(struct machine *m)
{
	static const char query[] = "{\"execute\":\"query-status\"}\n";
	char incoming[128];

	snprintf(incoming, sizeof(incoming), "{\"execute\":\"migrate-incoming\","
	    "\"arguments\":{\"uri\":\"fd:%d\"}}\n", m->snapshot.state);
	return snapshot_fill(&m->snapshot, m->memory) &&
	    qmp_do(m->qmp, capabilities, -1) &&
	    qmp_do(m->qmp, ignore_shared, -1) && qmp_do(m->qmp, incoming, -1) &&
	    qmp_wait(m->qmp, query, "\"status\": \"paused\"",
	    "\"status\": \"internal-error\"") &&
	    qmp_do(m->qmp, go_on, -1);
}

void
machine_start(struct machine *m, const struct vm_run *r, struct image *im)
{
	struct os_tree_end end;

	start(m, r, im, false);
	if (!m->restored || resume(m))
		return;
	os_tree_kill(&m->tree);
	os_tree_reap(&m->tree, &end);
	snapshot_remove(&m->snapshot);
	if (r->verbose)
		note("the guest that was kept cannot be used; another one boots");
	start(m, r, im, true);
}

bool
machine_save(struct machine *m, bool verbose)
{
	if (m->qmp == -1 || m->restored)
		return true;
	if (!qmp_do(m->qmp, capabilities, -1) ||
	    !qmp_do(m->qmp, ignore_shared, -1))
		return false;
	if (access(m->snapshot.path, F_OK) == 0)
		return true;
	if (!snapshot_save(&m->snapshot, m->qmp, m->memory) && verbose)
		note("the booted guest could not be kept for the next run");
	return qmp_do(m->qmp, go_on, -1);
}

bool
machine_add_files(struct machine *m)
{
	return m->qmp == -1 || qmp_do(m->qmp, "{\"execute\":\"device_add\","
	    "\"arguments\":{\"driver\":\"vhost-user-fs-pci\","
	    "\"chardev\":\"files\",\"tag\":\"root\",\"id\":\"files\"}}\n", -1);
}
