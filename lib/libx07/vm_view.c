/*
 * vm_view.c - the files that a program in a machine sees, and what it is asked to do.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io.h"
#include "vm.h"
#include "x07.h"

#define SEALED_MAX	(64 << 20)
#define FIELDS		5
#define DAMAGED		"the list of files is damaged"

/* The current directory's place in the guest, when it has none. */
#define NO_CWD		"/"

char *
vm_load_fd(int fd, size_t *len)
{
	struct stat st;
	char *text;
	ssize_t n;

	if (fstat(fd, &st) == -1 || st.st_size < 0 || st.st_size > SEALED_MAX)
		refuse("descriptor %d holds nothing that was meant for it", fd);
	text = malloc((size_t)st.st_size + 1);
	if (text == NULL)
		refuse_errno("memory");
	for (*len = 0; *len < (size_t)st.st_size; *len += (size_t)n) {
		n = pread(fd, text + *len, (size_t)st.st_size - *len, (off_t)*len);
		if (n <= 0)
			refuse_errno("descriptor %d", fd);
	}
	text[*len] = '\0';
	return text;
}

/* ---- the view ---- */

struct view {
	struct vm_item	*items;
	size_t		n, space;
};

static int
hex(char c)
{
	static const char digits[] = "0123456789ABCDEF";
	const char *p = c != '\0' ? strchr(digits, c) : NULL;

	return p != NULL ? (int)(p - digits) : -1;
}

static void
decode(char *s)
{
	char *to = s;
	int hi, lo;

	for (; *s != '\0'; s++) {
		if (*s != '%') {
			*to++ = *s;
			continue;
		}
		hi = hex(s[1]);
		lo = hi == -1 ? -1 : hex(s[2]);
		if (lo == -1 || (hi == 0 && lo == 0))
			refuse(DAMAGED);
		*to++ = (char)(hi * 16 + lo);
		s += 2;
	}
	*to = '\0';
}

static const struct {
	const char	*name;
	int		fields;		/* without "root" */
	bool		source;
} kinds[] = {
	[VM_READ] =	{ "read",	4, true },
	[VM_WRITE] =	{ "write",	4, true },
	[VM_LINK] =	{ "link",	3, false },
	[VM_TEXT] =	{ "text",	3, false },
	[VM_EMPTY] =	{ "empty",	2, false },
	[VM_HIDE] =	{ "hide",	2, false },
};
#define NKINDS	(sizeof(kinds) / sizeof(kinds[0]))

static void
identity(struct vm_item *it, const char *s)
{
	char *end;

	errno = 0;
	it->dev = strtoull(s, &end, 10);
	if (errno != 0 || *end != ':')
		refuse(DAMAGED);
	it->ino = strtoull(end + 1, &end, 10);
	if (errno != 0 || *end != '\0')
		refuse(DAMAGED);
}

static void
add_item(struct view *v, char *field[], int n)
{
	struct vm_item *it;
	size_t k;

	if (n < 2 || field[0] == NULL || field[1] == NULL)
		refuse(DAMAGED);
	for (k = 0; k < NKINDS; k++)
		if (strcmp(field[0], kinds[k].name) == 0)
			break;
	if (k == NKINDS || n < kinds[k].fields || n > kinds[k].fields + 1 ||
	    (n > kinds[k].fields && strcmp(field[n - 1], "root") != 0) ||
	    *field[1] != '/')
		refuse(DAMAGED);
	if (v->n == v->space) {
		v->space = v->space * 2 + 64;
		v->items = reallocarray(v->items, v->space, sizeof(*v->items));
		if (v->items == NULL)
			refuse_errno("memory");
	}
	it = &v->items[v->n++];
	*it = (struct vm_item){ .kind = (enum vm_kind)k, .path = field[1],
	    .root = n > kinds[k].fields };
	if (kinds[k].source) {
		it->source = field[2];
		identity(it, field[3]);
	} else if (n > 2) {
		it->text = field[2];
	}
}

struct vm_item *
vm_view_load(int fd, size_t *n)
{
	struct view v = { NULL, 0, 0 };
	char *field[FIELDS] = { NULL }, *line, *p, *text;
	size_t len;
	int fields;

	text = vm_load_fd(fd, &len);
	if (len == 0 || text[len - 1] != '\n' || strlen(text) != len)
		refuse("the list of files is cut off");
	text[len - 1] = '\0';
	while ((line = strsep(&text, "\n")) != NULL) {
		for (fields = 0; (p = strsep(&line, " ")) != NULL; fields++) {
			if (fields == FIELDS)
				refuse(DAMAGED);
			decode(p);
			field[fields] = p;
		}
		add_item(&v, field, fields);
	}
	*n = v.n;
	return v.items;
}

/* ---- mounts of a container ---- */

struct mounts {
	struct vm_mount	*list;
	size_t		n, space;
};

static const char *
format(const char *dir, const char *name)
{
	char *path;

	if (asprintf(&path, "%s%s", dir, name) == -1)
		refuse_errno("memory");
	return path;
}

static void
add_mount(struct mounts *m, const char *source, const char *target, bool ro)
{
	const char *both[] = { source, target };

	for (int i = 0; i < 2; i++)
		for (const char *p = both[i]; *p != '\0'; p++)
			if (*p == ',' || (unsigned char)*p < ' ' || *p == 0x7f)
				refuse("%s: a path with a comma or a control "
				    "character cannot be mounted in a container; "
				    "rename it", both[i]);
	if (m->n == m->space) {
		m->space = m->space * 2 + 16;
		m->list = reallocarray(m->list, m->space, sizeof(*m->list));
		if (m->list == NULL)
			refuse_errno("memory");
	}
	m->list[m->n++] = (struct vm_mount){ source, target, ro };
}

char *
vm_find_tool(const char *name)
{
	/* Installed, bin and libexec are two directories; in the source tree each
	 * program has its own. */
	static const struct {
		const char	*up;
		bool		own_dir;
	} places[] = {
		{ "", false }, { "../libexec/x07/", false }, { "../../bin/", false },
		{ "../", true }, { "../../libexec/x07/", true },
		{ "../../../bin/", true },
	};
	char *given, *path;
	struct stat st;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (asprintf(&path, "%s%s%s%s", places[i].up, name,
		    places[i].own_dir ? "/" : "",
		    places[i].own_dir ? name : "") == -1)
			refuse_errno("memory");
		given = chain_sibling(path);
		free(path);
		path = given != NULL ? realpath(given, NULL) : NULL;
		free(given);
		if (path != NULL && stat(path, &st) == 0 && S_ISREG(st.st_mode))
			return path;
		free(path);
	}
	return NULL;
}

char *
vm_tool(const char *name)
{
	char *path = vm_find_tool(name);

	if (path == NULL)
		refuse("the installation is not complete: no %s", name);
	return path;
}

static void
add_tools(struct mounts *m, const struct vm_run *r)
{
	for (size_t i = 0; i < r->gates.n; i++)
		add_mount(m, vm_tool(r->gates.list[i]),
		    format("/x07/bin/", r->gates.list[i]), true);
	add_mount(m, vm_tool("guestrun"), "/x07/bin/guestrun", true);
}

static void
check_same(const struct vm_item *it)
{
	struct stat st;

	if (stat(it->source, &st) == -1)
		refuse_errno("%s", it->source);
	if (st.st_dev != it->dev || st.st_ino != it->ino)
		refuse("%s was replaced while the machine was being prepared; run "
		    "it again", it->source);
}

static bool
is_covered(const struct mounts *m, const char *path)
{
	for (size_t i = 0; i < m->n; i++)
		if (path_within(path, m->list[i].target))
			return true;
	return false;
}

static void
add_program(struct mounts *m, const struct vm_run *r)
{
	char *found = chain_lookup(r->argv[0]), *path = NULL;

	if (found != NULL && r->cwd != NULL)
		path = path_normalise(r->cwd, found);
	if (path != NULL && !is_covered(m, path))
		add_mount(m, path, path, true);
	free(found);
}

/* x07-vmrun made the directory for a socket, or gave us a descriptor. */
static bool
has_socket(const struct vm_run *r)
{
	return access(format(r->dir, "/net"), F_OK) == 0;
}

bool
vm_has_channel(const struct vm_run *r)
{
	return r->net_fd != -1 || has_socket(r);
}

struct vm_mount *
vm_mounts(const struct vm_run *r, size_t *n)
{
	struct mounts m = { NULL, 0, 0 };
	struct vm_item *items;
	size_t nitems;

	add_mount(&m, format(r->dir, "/in"), "/x07/in", true);
	add_mount(&m, format(r->dir, "/out"), "/x07/out", false);
	if (vm_has_channel(r))
		add_mount(&m, vm_tool("netmux"), "/x07/bin/netmux", true);
	/* One connects to a socket whether or not one may write beside it. */
	if (has_socket(r))
		add_mount(&m, format(r->dir, "/net"), "/x07/net", true);
	add_tools(&m, r);
	items = vm_view_load(r->view_fd, &nitems);
	for (size_t i = 0; i < nitems; i++) {
		if (items[i].source == NULL || !items[i].root)
			continue;
		check_same(&items[i]);
		add_mount(&m, items[i].source, items[i].path,
		    items[i].kind == VM_READ);
	}
	add_program(&m, r);
	*n = m.n;
	return m.list;
}

char *const *
vm_command(void)
{
	static char guestrun[] = "/x07/bin/guestrun", in[] = "/x07/in";
	static char *const command[] = { guestrun, in, NULL };

	return command;
}

/* ---- the request ---- */

static void
put(FILE *to, const char *key, const char *value)
{
	fprintf(to, "%s=%s%c", key, value, 0);
}

static void
put_number(FILE *to, const char *key, int64_t value)
{
	fprintf(to, "%s=%" PRId64 "%c", key, value, 0);
}

static void
put_user(FILE *to)
{
	gid_t groups[256];
	int n = getgroups(256, groups);

	put_number(to, "uid", getuid());
	put_number(to, "gid", getgid());
	for (int i = 0; i < n; i++)
		put_number(to, "group", groups[i]);
}

static void
put_environment(FILE *to, int fd)
{
	size_t len;
	char *text = vm_load_fd(fd, &len);

	for (const char *p = text; p < text + len; p += strlen(p) + 1)
		put(to, "env", p);
	free(text);
}

/* SRC of x07-fsgate's -r, in which a bare colon ends the path. */
static void
put_root(FILE *to, const char *key, const char *path)
{
	fprintf(to, "%s=", key);
	for (; *path != '\0'; path++) {
		if (*path == ':' || *path == '\\')
			putc('\\', to);
		putc(*path, to);
	}
	putc('\0', to);
}

/* The gate in the guest shows what the one here was told to show. */
static void
put_roots(FILE *to, const struct vm_run *r)
{
	size_t n;
	struct vm_item *items = vm_view_load(r->view_fd, &n);

	for (size_t i = 0; i < n; i++)
		if (items[i].root && items[i].kind <= VM_WRITE)
			put_root(to, items[i].kind == VM_READ ? "read" : "write",
			    items[i].path);
	free(items);
}

char *
vm_request(const struct vm_run *r, const char *share, size_t *len)
{
	char *text = NULL;
	FILE *to = open_memstream(&text, len);

	if (to == NULL)
		refuse_errno("memory");
	for (char **p = r->argv; *p != NULL; p++)
		put(to, "arg", *p);
	put_environment(to, r->env_fd);
	for (size_t i = 0; i < r->gates.n; i++)
		put(to, "gate", r->gates.list[i]);
	put_roots(to, r);
	put(to, "cwd", r->cwd != NULL ? r->cwd : NO_CWD);
	put_user(to);
	if (share != NULL)
		put(to, "share", share);
	if (r->wall_ms > 0)
		put_number(to, "wall", r->wall_ms);
	if (r->clock >= 0)
		put_number(to, "clock", r->clock);
	put(to, "phase", r->phase);
	if (r->tty)
		put(to, "tty", "1");
	if (r->audit_fd != -1)
		put(to, "audit", "1");
	if (r->usage)
		put(to, "usage", "1");
	if (vm_has_channel(r))
		put(to, "net", "1");
	if (fclose(to) != 0)
		refuse_errno("memory");
	return text;
}

static void
write_file(const char *dir, const char *name, const char *data, size_t len)
{
	const char *path = format(dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);

	if (fd == -1 || write_all(fd, data, len) == -1 || close(fd) == -1)
		refuse_errno("%s", path);
}

void
vm_write_request(const struct vm_run *r)
{
	size_t len;
	char *text = vm_request(r, NULL, &len);

	write_file(r->dir, "/in/request", text, len);
	free(text);
	text = vm_load_fd(r->policy_fd, &len);
	write_file(r->dir, "/in/policy", text, len);
	free(text);
}
