/* What a program needs to start: itself, loader, libraries, a little of /etc. */
#include <sys/stat.h>

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fsgate.h"

#define LINKS_MAX	40	/* as the kernel counts them */
#define SCRIPTS_MAX	5	/* #! of a #! of ... */

#define LEN(a)	(sizeof(a) / sizeof((a)[0]))

/* The places where systems keep programs and libraries, and nothing else. */
static const char *const system_dirs[] = {
	"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32",
	"/nix/store", "/gnu/store",
};

/* ---- one path, with the links on the way ---- */

/* What lies at path is ours to add to: neither bound nor one of the fixed. */
enum place { PLACE_FREE, PLACE_BOUND, PLACE_OTHER };

static enum place
place_of(const struct view *v, const char *path)
{
	const struct entry *e = view_cover(v, path);

	if (e == NULL)
		return PLACE_FREE;
	switch (e->item.kind) {
	case OS_VIEW_READ:
	case OS_VIEW_WRITE:
		return e->mapped ? PLACE_OTHER : PLACE_BOUND;
	case OS_VIEW_DEV:
	case OS_VIEW_PROC:
		return PLACE_OTHER;
	default:
		return PLACE_FREE;
	}
}

/*
 * Finds the first symbolic link on the way. Returns 1 with *path replaced by what
 * it leads to, 0 when there is none, -1 when the path does not exist or is not
 * ours to show.
 */
static int
follow(struct view *v, char **path)
{
	char target[PATH_MAX], *p = *path, *end = p, *dir, *next, *joined;
	struct stat st;
	ssize_t n;

	for (;;) {
		enum place place;
		char saved;

		end = end + 1 + strcspn(end + 1, "/");
		saved = *end;
		*end = '\0';
		place = place_of(v, p);
		if (place == PLACE_OTHER || lstat(p, &st) == -1)
			return -1;
		if (S_ISLNK(st.st_mode)) {
			n = readlink(p, target, sizeof(target) - 1);
			if (n <= 0)
				return -1;
			target[n] = '\0';
			if (place == PLACE_FREE)
				view_add(v, RANK_CLOSURE, OS_VIEW_LINK, p,
				    target, -1);
			*end = saved;
			break;
		}
		*end = saved;
		if (saved == '\0')
			return 0;
	}
	dir = strndup(p, (size_t)(end - p));
	if (dir == NULL)
		refuse_errno("memory");
	*strrchr(dir, '/') = '\0';
	if (asprintf(&joined, "%s%s", target, end) == -1)
		refuse_errno("memory");
	next = path_normalise(*dir != '\0' ? dir : "/", joined);
	free(dir);
	free(joined);
	if (next == NULL)
		return -1;
	free(p);
	*path = next;
	return 1;
}

static bool
in_system_dir(const char *path)
{
	for (size_t i = 0; i < LEN(system_dirs); i++)
		if (path_within(path, system_dirs[i]))
			return true;
	return false;
}

static bool
has_type(int fd, unsigned type)
{
	uint16_t e_type;

	return pread(fd, &e_type, sizeof(e_type), offsetof(Elf64_Ehdr, e_type)) ==
	    (ssize_t)sizeof(e_type) && e_type == type;
}

/* An ELF file that runs, or only one that is loaded: the same place in both classes. */
static bool
is_elf(int handle, bool program)
{
	char link[64], magic[SELFMAG];
	bool elf;
	int fd;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", handle);
	fd = open(link, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return false;
	elf = read(fd, magic, sizeof(magic)) == (ssize_t)sizeof(magic) &&
	    memcmp(magic, ELFMAG, SELFMAG) == 0 &&
	    (has_type(fd, ET_DYN) || (program && has_type(fd, ET_EXEC)));
	close(fd);
	return elf;
}

/*
 * What the caller names may be any program. What that asks for is its author's wish:
 * no file shows up for it that may hold somebody's secrets, like a script or a core.
 */
static bool
passes(int fd, const char *path, enum check check)
{
	struct stat st;

	if (check == CHECK_NONE)
		return true;
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode))
		return false;
	if (check == CHECK_LIBRARY)
		return is_elf(fd, false);
	if ((st.st_mode & 0111) == 0)
		return false;
	return check == CHECK_PROGRAM || in_system_dir(path) || is_elf(fd, true);
}

/*
 * Shows path, which has no links on the way. The handle is kept where somebody
 * else may put another file in its place; for the system's own a name will do,
 * so that a small limit on descriptors does not end this.
 */
static bool
show(struct view *v, const char *path, enum check check)
{
	int fd = -1;

	if (check != CHECK_NONE) {
		fd = os_path_open(AT_FDCWD, path, OS_PATH_NOLINKS);
		if (fd == -1 && (errno == EMFILE || errno == ENFILE))
			refuse_errno("%s", path);
		if (fd == -1 || !passes(fd, path, check)) {
			if (fd != -1)
				close(fd);
			return false;
		}
		if (in_system_dir(path)) {
			close(fd);
			fd = -1;
		}
	}
	view_add(v, RANK_CLOSURE, OS_VIEW_READ, path, NULL, fd);
	return true;
}

bool
closure_expose(struct view *v, const char *name, enum check check)
{
	char *path = path_normalise("/", name);
	bool seen = false;
	int links = 0, more;

	if (path == NULL)
		return false;
	while ((more = follow(v, &path)) == 1 && ++links < LINKS_MAX)
		continue;
	if (more == 0)
		seen = place_of(v, path) == PLACE_BOUND || show(v, path, check);
	free(path);
	return seen;
}

/* ---- programs ---- */

/* The interpreter of a script in malloced memory, NULL when it has none. */
static char *
interpreter(const char *path)
{
	char line[256], *p;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	ssize_t n;

	if (fd == -1)
		return NULL;
	n = read(fd, line, sizeof(line) - 1);
	close(fd);
	if (n < 3 || line[0] != '#' || line[1] != '!')
		return NULL;
	line[n] = '\0';
	p = line + 2 + strspn(line + 2, " \t");
	p[strcspn(p, " \t\r\n")] = '\0';
	return *p == '/' ? strdup(p) : NULL;
}

void
closure_program(struct view *v, const char *path, enum closure closure)
{
	const char *next;

	for (int i = 0; i < SCRIPTS_MAX; i++) {
		if (!closure_expose(v, path, i == 0 ? CHECK_PROGRAM :
		    CHECK_INTERPRETER) ||
		    closure == CLOSURE_NONE || closure == CLOSURE_ROOT)
			return;
		next = interpreter(path);
		if (next == NULL) {
			if (closure == CLOSURE_MINIMAL)
				libs_expose(v, path);
			return;
		}
		path = next;
	}
}

/*
 * A listed program that lies in a writable root, by the name that the kernel has for it:
 * what may be started, in this run or the next, is not the program's to write. Takes fd
 * over when it says so.
 */
static bool
keep_exec(struct view *v, int fd)
{
	char path[PATH_MAX];
	const struct entry *e = real_path(fd, path) ? view_cover(v, path) : NULL;

	if (e == NULL || e->item.kind != OS_VIEW_WRITE || e->mapped ||
	    strcmp(e->item.path, path) == 0)
		return false;
	view_add(v, RANK_CLOSURE, OS_VIEW_READ, path, NULL, fd);
	return true;
}

/* A file or a directory of programs; what is not there cannot be started. */
static void
add_exec(struct view *v, const char *path, const char *project,
    enum closure closure)
{
	struct stat st;
	int fd = roots_open(project, path);

	if (fd == -1)
		return;
	if (fstat(fd, &st) == -1)
		refuse_errno("%s", path);
	if (S_ISDIR(st.st_mode)) {
		if (place_of(v, path) == PLACE_FREE) {
			view_add(v, RANK_CLOSURE, OS_VIEW_READ, path, NULL, fd);
			return;
		}
	} else {
		closure_program(v, path, closure);
		if (S_ISREG(st.st_mode) && keep_exec(v, fd))
			return;
	}
	close(fd);
}

void
closure_execs(struct view *v, const struct form *f, const char *project,
    enum closure closure)
{
	static const char *const keys[] = {
		"process.allow_execs", "process.allow_exec_prefixes",
	};
	const char *const *items;

	if (!form_bool(f, "process.enabled", false) ||
	    (!form_bool(f, "process.allow_exec", false) &&
	    !form_bool(f, "process.allow_spawn", false)))
		return;
	for (size_t k = 0; k < LEN(keys); k++) {
		size_t n = form_list(f, keys[k], &items);

		for (size_t i = 0; i < n; i++) {
			char *path = path_normalise(project, items[i]);

			/* "/" allows what is seen to be started, and shows nothing. */
			if (path != NULL && strcmp(path, "/") != 0)
				add_exec(v, path, project, closure);
			free(path);
		}
	}
}

/* ---- the system ---- */

/*
 * Of /etc, what programs read to find libraries, names, certificates, the time
 * zone and their own defaults. Nothing that may hold a password (npmrc, wgetrc,
 * environment), no accounts, no services.
 */
static const char *const etc_names[] = {
	"alpine-release", "alternatives", "bash.bashrc", "ca-certificates",
	"ca-certificates.conf", "crypto-policies", "debian_version", "fonts",
	"gai.conf", "gitconfig", "host.conf", "hosts", "java*", "ld-musl-*",
	"ld.so.cache", "ld.so.conf", "ld.so.conf.d", "libnl*", "locale.alias",
	"locale.conf", "localtime", "magic", "magic.mime", "mime.types",
	"networks", "nsswitch.conf", "os-release", "perl", "pki", "profile",
	"profile.d", "protocols", "python*", "resolv.conf", "rpc", "services",
	"shells", "ssl", "terminfo", "timezone",
};
/* The part of it that has a place in the minimal closure. */
static const char *const etc_minimal[] = {
	"crypto-policies", "gai.conf", "host.conf", "hosts", "ld-musl-*",
	"ld.so.cache", "locale.alias", "localtime", "nsswitch.conf", "os-release",
	"pki", "protocols", "resolv.conf", "services", "ssl", "timezone",
};

/* Locales, time zones, terminals, certificates: data that libraries look for. */
static const char *const data_dirs[] = {
	"/usr/lib/locale", "/usr/share/zoneinfo", "/usr/share/terminfo",
	"/lib/terminfo", "/usr/share/ca-certificates",
	"/usr/local/share/ca-certificates", "/usr/lib/ssl",
};

static bool
wanted(const char *name, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (fnmatch(list[i], name, 0) == 0)
			return true;
	return false;
}

/* May we read of it what not everybody may? */
static bool
is_private(int dir, const char *name, const struct stat *st)
{
	mode_t all = S_ISDIR(st->st_mode) ? S_IROTH | S_IXOTH : S_IROTH;

	return (st->st_mode & all) != all && !S_ISLNK(st->st_mode) &&
	    (faccessat(dir, name, R_OK, AT_EACCESS) == 0 ||
	    (S_ISDIR(st->st_mode) && faccessat(dir, name, X_OK, AT_EACCESS) == 0));
}

static void	cover_private(struct view *, int fd, const char *path);

static void
cover_entry(struct view *v, int dir, const char *name, const char *path)
{
	struct stat st;
	int fd;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return;
	if (is_private(dir, name, &st)) {
		if (view_cover(v, path)->rank < RANK_READ)
			view_add(v, RANK_HIDDEN, OS_VIEW_HIDE, path, NULL, -1);
		return;
	}
	fd = S_ISDIR(st.st_mode) ? openat(dir, name, O_RDONLY | O_DIRECTORY |
	    O_NOFOLLOW | O_CLOEXEC) : -1;
	if (fd != -1)
		cover_private(v, fd, path);
}

/*
 * Keys lie beside the certificates: they are covered, but for what a root shows. Takes
 * fd over.
 */
static void
cover_private(struct view *v, int fd, const char *path)
{
	DIR *d = fdopendir(fd);
	struct dirent *de;
	char *name;

	if (d == NULL)
		refuse_errno("%s", path);
	while ((errno = 0, de = readdir(d)) != NULL) {
		/* Most are links to certificates. */
		if (de->d_type == DT_LNK || strcmp(de->d_name, ".") == 0 ||
		    strcmp(de->d_name, "..") == 0)
			continue;
		if (asprintf(&name, "%s/%s", path, de->d_name) == -1)
			refuse_errno("memory");
		cover_entry(v, fd, de->d_name, name);
		free(name);
	}
	if (errno != 0)
		refuse_errno("%s", path);
	closedir(d);
}

static void
cover_keys(struct view *v)
{
	static const char *const dirs[] = { "/etc/ssl", "/etc/pki" };
	char *path;
	int fd;

	for (size_t i = 0; i < LEN(dirs); i++) {
		if ((path = realpath(dirs[i], NULL)) == NULL)
			continue;
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd != -1 && view_is_bound(v, path))
			cover_private(v, fd, path);
		else if (fd != -1)
			close(fd);
		free(path);
	}
}

void
closure_system(struct view *v, enum closure closure)
{
	bool all = closure == CLOSURE_SYSTEM;
	const char *const *dirs = all ? system_dirs : data_dirs;
	const char *const *names = all ? etc_names : etc_minimal;
	size_t ndirs = all ? LEN(system_dirs) : LEN(data_dirs);
	size_t nnames = all ? LEN(etc_names) : LEN(etc_minimal);
	char path[PATH_MAX];
	struct dirent *de;
	DIR *etc;

	for (size_t i = 0; i < ndirs; i++)
		closure_expose(v, dirs[i], CHECK_NONE);
	if (view_is_bound(v, "/etc") || (etc = opendir("/etc")) == NULL)
		return;
	while ((de = readdir(etc)) != NULL) {
		if (!wanted(de->d_name, names, nnames))
			continue;
		snprintf(path, sizeof(path), "/etc/%s", de->d_name);
		/* What we may not read ourselves would only stand there empty. */
		if (access(path, R_OK) == 0)
			closure_expose(v, path, CHECK_NONE);
	}
	closedir(etc);
	cover_keys(v);
}

void
closure_root(struct view *v)
{
	/* The kernel's, and sockets of services; what else is no files' place is fixed. */
	static const char *const never[] = { ".", "..", "run", "sys" };
	char path[PATH_MAX];
	struct dirent *de;
	DIR *root = opendir("/");

	if (root == NULL)
		refuse_errno("/");
	while ((errno = 0, de = readdir(root)) != NULL) {
		if (wanted(de->d_name, never, LEN(never)))
			continue;
		snprintf(path, sizeof(path), "/%s", de->d_name);
		if (place_of(v, path) == PLACE_FREE && access(path, F_OK) == 0)
			closure_expose(v, path, CHECK_NONE);
	}
	if (errno != 0)
		refuse_errno("/");
	closedir(root);
}

/* ---- who the program is ---- */

/*
 * The line of a file such as /etc/passwd whose third field is id, without its
 * second one, in malloced memory; NULL when there is none. Read directly: static
 * programs have no name service, and it is the file that is replaced.
 */
static char *
line_of_id(const char *file, unsigned long id)
{
	char *line = NULL, *found = NULL, *third, *end;
	size_t space = 0;
	FILE *f = fopen(file, "re");

	while (f != NULL && found == NULL && getline(&line, &space, f) > 0) {
		line[strcspn(line, "\n")] = '\0';
		third = strchr(line, ':');
		if (third == NULL || (third = strchr(third + 1, ':')) == NULL)
			continue;
		third++;
		if (strtoul(third, &end, 10) == id && end != third &&
		    *end == ':' && asprintf(&found, "%.*s:x:%s",
		    (int)strcspn(line, ":"), line, third) == -1)
			found = NULL;
	}
	free(line);
	if (f != NULL)
		fclose(f);
	return found;
}

/* The user's own line; other accounts are not the program's business. */
static void
add_user(FILE *out)
{
	unsigned uid = (unsigned)getuid();
	char *line = line_of_id("/etc/passwd", uid);

	if (line != NULL)
		fprintf(out, "%s\n", line);
	else
		fprintf(out, "user:x:%u:%u:user:/:/bin/sh\n", uid,
		    (unsigned)getgid());
	free(line);
}

static void
add_group(FILE *out, gid_t gid)
{
	char *line = line_of_id("/etc/group", gid);

	if (line != NULL)
		fprintf(out, "%.*s:x:%u:\n", (int)strcspn(line, ":"), line,
		    (unsigned)gid);
	else
		fprintf(out, "group%u:x:%u:\n", (unsigned)gid, (unsigned)gid);
	free(line);
}

static void
add_text(struct view *v, const char *path, FILE *out, char **text)
{
	if (fclose(out) != 0)
		refuse_errno("memory");
	view_add(v, RANK_CLOSURE, OS_VIEW_TEXT, path, *text, -1);
	free(*text);
}

static FILE *
memory_file(char **text, size_t *len)
{
	FILE *f = open_memstream(text, len);

	if (f == NULL)
		refuse_errno("memory");
	return f;
}

void
closure_identity(struct view *v)
{
	static const gid_t known[] = { 0, 65534 };
	char *text = NULL;
	size_t len = 0;
	FILE *out = memory_file(&text, &len);

	if (getuid() != 0)
		fprintf(out, "root:x:0:0:root:/root:/bin/sh\n");
	add_user(out);
	fprintf(out, "nobody:x:65534:65534:nobody:/:/bin/false\n");
	add_text(v, "/etc/passwd", out, &text);

	out = memory_file(&text, &len);
	for (size_t i = 0; i < LEN(known); i++)
		add_group(out, known[i]);
	if (getgid() != known[0] && getgid() != known[1])
		add_group(out, getgid());
	add_text(v, "/etc/group", out, &text);
}
