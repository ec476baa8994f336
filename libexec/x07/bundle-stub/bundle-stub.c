/*
 * bundle-stub: the beginning of every bundle. Checks the file it is in, and
 * becomes the program, or starts it behind the gates, with the policy that
 * the file carries. See x07-bundle(1).
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bundle.h"
#include "child.h"
#include "form.h"
#include "os.h"
#include "stub.h"
#include "x07.h"

#define POLICY_FD	3
#define POLICY_WORD	"3"
#define LIBS		"/" BUNDLE_LIB

extern char **environ;

static const char *const gates[] = {
	"x07-limit", "x07-netgate", "x07-fsgate", "x07-execgate",
};
#define NGATES	(sizeof(gates) / sizeof(gates[0]))

static struct bundle	bundle;
static bool		copied[BUNDLE_PARTS_MAX];	/* and checked */
static pid_t		self;
static sigset_t		before;		/* signal mask of our caller */

/* Nothing of us stays behind when nothing is run. */
static _Noreturn void
give_up(const char *name)
{
	int err = errno;

	place_remove();
	if (err == EBADMSG)
		refuse("this bundle was changed: part %s is not what it was; "
		    "nothing was run", name);
	errno = err;
	refuse_errno("part %s", name);
}

static const struct bundle_part *
part(const char *name)
{
	const struct bundle_part *p = bundle_find(&bundle, name);

	if (p == NULL)
		refuse("this bundle has no part %s; make it again with "
		    "x07-bundle", name);
	return p;
}

/*
 * A bundle is whole, or it does not run: every part is checked, those that are
 * copied as they are copied, and the others here. Nothing has been run yet.
 */
static void
check_rest(void)
{
	for (size_t i = 0; i < bundle.n; i++)
		if (!copied[i] && bundle_copy(&bundle, &bundle.parts[i], -1) == -1)
			give_up(bundle.parts[i].name);
}

static void
copy(const struct bundle_part *p, int to)
{
	if (bundle_copy(&bundle, p, to) == -1)
		give_up(p->name);
	copied[p - bundle.parts] = true;
}

char *
join(const char *a, const char *b, const char *c)
{
	char *s;

	if (asprintf(&s, "%s%s%s", a, b, c) == -1)
		refuse_errno("memory");
	return s;
}

/* ---- without a policy ---- */

static void
hold_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < 4; i++)
		sigaddset(&set, (int[]){ SIGHUP, SIGINT, SIGQUIT, SIGTERM }[i]);
	sigprocmask(SIG_BLOCK, &set, &before);
}

static char *
take_out(const struct bundle_part *p, const char *dir, const char *name)
{
	char *path = join(dir, "/", name);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
	    0700);

	if (fd == -1)
		give_up(p->name);
	copy(p, fd);
	if (fchmod(fd, (p->mode & 0555) | 0500) == -1 || close(fd) == -1)
		give_up(p->name);
	return path;
}

static void
become_child(void *arg)
{
	(void)arg;
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (os_die_with_parent(self) == -1 && errno == ESRCH)
		_exit(EXIT_REFUSED);
}

/* Runs argv, and ends as it ends when the private directory is gone. */
static _Noreturn void
supervise(char *const argv[])
{
	struct child c;
	int wstatus;

	self = getpid();
	if (child_start(&c, argv, become_child, NULL) == -1)
		give_up(BUNDLE_PROGRAM);
	sigprocmask(SIG_SETMASK, &before, NULL);
	wstatus = child_wait(&c);
	place_remove();
	child_imitate(wstatus);
}

static bool
is_script(const struct bundle_part *p)
{
	char head[2];

	return pread(bundle.fd, head, 2, (off_t)p->at) == 2 &&
	    memcmp(head, "#!", 2) == 0;
}

static _Noreturn void
run_plain(char *argv[])
{
	const struct bundle_part *p = part(BUNDLE_PROGRAM);
	int fd = is_script(p) ? -1 : os_program_open();

	if (fd != -1) {
		copy(p, fd);
		check_rest();
		os_program_exec(fd, argv, environ);
		if (errno == ENOENT)
			refuse("%s needs a program loader that is not on this "
			    "machine", p->name);
		if (errno != EACCES && errno != EPERM)
			refuse_errno("%s", p->name);
	}
	/* A script, or no program may be run from memory here. */
	hold_signals();
	argv[0] = take_out(p, place_make(), p->name + strlen(BUNDLE_PROGRAM));
	check_rest();
	supervise(argv);
}

/* ---- with one ---- */

struct words {
	char	**list;
	size_t	  n, space;
};

static void
put(struct words *w, char *s)
{
	if (w->n + 1 >= w->space) {
		w->space = w->space * 2 + 64;
		w->list = reallocarray(w->list, w->space, sizeof(*w->list));
		if (w->list == NULL)
			refuse_errno("memory");
	}
	w->list[w->n++] = s;
	w->list[w->n] = NULL;
}

static void
put_words(struct words *w, const char *const *s)
{
	for (; *s != NULL; s++)
		put(w, join(*s, "", ""));
}

static void
put_encoded(FILE *f, const char *s)
{
	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if (form_plain(c))
			putc(c, f);
		else
			fprintf(f, "%%%02X", c);
	}
}

/*
 * The policy with its relative roots under the current directory, which is
 * what they are relative to in a bundle, sealed, as POLICY_FD.
 */
static struct form *
seal_policy(void)
{
	static const char key[] = "\nproject_root ";
	const struct bundle_part *p = part(BUNDLE_FORM);
	char *text = bundle_load(&bundle, p), *at, *end, *out = NULL, err[256];
	char *cwd = getcwd(NULL, 0);
	struct form *form;
	size_t len = 0;
	FILE *f;
	int fd;

	if (text == NULL)
		give_up(p->name);
	if (cwd == NULL || *cwd != '/')
		refuse_errno("the current directory cannot be named");
	at = strstr(text, key);
	if (at == NULL || (end = strchr(at + 1, '\n')) == NULL)
		refuse("part %s is no policy of this version", p->name);
	f = open_memstream(&out, &len);
	if (f == NULL)
		refuse_errno("memory");
	fwrite(text, 1, (size_t)(at - text) + sizeof(key) - 1, f);
	put_encoded(f, cwd);
	fputs(end, f);
	if (fclose(f) == EOF)
		refuse_errno("memory");
	form = form_parse(out, len, err, sizeof(err));
	if (form == NULL)
		refuse("part %s: %s", p->name, err);
	fd = os_seal(out, len);
	if (fd == -1)
		refuse_errno("the policy");
	if (fd != POLICY_FD && dup2(fd, POLICY_FD) == -1)
		refuse_errno("the policy");
	if (fd == POLICY_FD && fcntl(fd, F_SETFD, 0) == -1)
		refuse_errno("the policy");
	if (fd != POLICY_FD)
		close(fd);
	free(text);
	free(out);
	free(cwd);
	return form;
}

/* What programs read of the machine they run on, where it has it. */
static const char *const host_files[] = {
	"/etc/ca-certificates", "/etc/gai.conf", "/etc/host.conf", "/etc/hosts",
	"/etc/nsswitch.conf", "/etc/pki", "/etc/protocols", "/etc/resolv.conf",
	"/etc/services", "/etc/ssl", "/usr/share/ca-certificates",
	"/usr/share/zoneinfo",
};
#define NHOST_FILES	(sizeof(host_files) / sizeof(host_files[0]))

/*
 * What the bundle shows inside a root of the policy has to be there on this machine, by
 * its own name: a root is shown as it is. Refuses when path is not.
 */
static bool
check_in_root(const char *path, const char *given, const char *root)
{
	char *real;

	if (root == NULL || !path_within(path, root))
		return false;
	real = realpath(path, NULL);
	if (real == NULL || strcmp(real, path) != 0)
		refuse("the bundle's %s cannot be shown: the policy's root \"%s\" is "
		    "%s here, where %s; %s", path, given, root, real == NULL ?
		    "nothing of that name is" : "a symbolic link is on the way to it",
		    *given == '/' ? "bundle it with a narrower root" :
		    "start it in another directory");
	free(real);
	return false;
}

/*
 * Calls fn with path and each root of the policy, as it is given and as it is here (NULL
 * where that cannot be made), until it returns true. Did it?
 */
static bool
any_root(const struct form *form, const char *path,
    bool (*fn)(const char *path, const char *given, const char *root))
{
	static const char *const keys[] = { "fs.read_roots", "fs.write_roots" };
	bool found = false;

	for (size_t k = 0; k < 2; k++) {
		const char *const *roots;
		size_t n = form_list(form, keys[k], &roots);

		for (size_t i = 0; i < n && !found; i++) {
			char *root = path_normalise(form_get(form,
			    "project_root"), roots[i]);

			found = fn(path, roots[i], root);
			free(root);
		}
	}
	return found;
}

/* A colon or backslash in src would mean something else to x07-fsgate. */
static void
put_root(struct words *w, const char *src, const char *dst)
{
	put(w, join("-r", "", ""));
	put(w, join(src, ":", dst));
}

static void
put_host_files(struct words *w)
{
	for (size_t i = 0; i < NHOST_FILES; i++) {
		char *path = realpath(host_files[i], NULL);

		if (path != NULL && strpbrk(path, ":\\") == NULL)
			put_root(w, path, host_files[i]);
		free(path);
	}
}

/* ---- the libraries: each below LIBS, by the path that it has for the program ---- */

/* Makes the directories that lead to path. */
static void
make_way(char *path)
{
	for (char *p = path + 1; (p = strchr(p, '/')) != NULL; p++) {
		*p = '\0';
		if (mkdir(path, 0755) == -1 && errno != EEXIST)
			refuse_errno("%s", path);
		*p = '/';
	}
}

static bool
may_start_others(const struct form *form)
{
	return form_bool(form, "process.allow_exec", false) ||
	    form_bool(form, "process.allow_spawn", false);
}

static bool
is_root_in(const char *dir, const char *given, const char *root)
{
	(void)given;
	return root == NULL || path_within(root, dir);
}

/*
 * Has the policy a root in dir, or this machine a file that is shown there? Other
 * programs that may be started have libraries anywhere.
 */
static bool
is_shared(const struct form *form, const char *dir)
{
	if (may_start_others(form))
		return true;
	for (size_t i = 0; i < NHOST_FILES; i++)
		if (path_within(host_files[i], dir))
			return true;
	return any_root(form, dir, is_root_in);
}

/*
 * Does path lead to the file of through links of this machine? The programs that
 * the policy lets be started bring those into the view.
 */
static bool
is_linked(const char *path, const char *of)
{
	char *real = realpath(path, NULL);
	bool linked = real != NULL && strcmp(real, of) == 0;

	free(real);
	return linked;
}

/* Gives the libraries their other paths, which go to paths. */
static void
link_libs(struct words *paths, const char *dir, const struct form *form)
{
	const struct bundle_part *p = bundle_find(&bundle, BUNDLE_LINKS);
	char *text, *line, *path, *of, *to;

	if (p == NULL)
		return;
	text = bundle_load(&bundle, p);
	if (text == NULL)
		give_up(p->name);
	while ((line = strsep(&text, "\n")) != NULL && *line != '\0') {
		path = strsep(&line, " ");
		if (line == NULL)
			refuse("part %s is damaged", p->name);
		if (may_start_others(form) && is_linked(path, line))
			continue;
		of = join(dir, LIBS, line);
		to = join(dir, LIBS, path);
		make_way(to);
		if (link(of, to) == -1)
			refuse_errno("part %s: %s", p->name, path);
		put(paths, path);
		free(of);
		free(to);
	}
}

/* A directory that x07-execgate lets libraries be mapped from anyhow. */
static bool
is_system(const char *path)
{
	return strncmp(path, "/lib", 4) == 0 ||
	    strncmp(path, "/usr/lib", 8) == 0;
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/*
 * Shows the libraries: by directory, because a file costs x07-fsgate a descriptor,
 * of which the policy may allow few. Only the system's own directories are
 * covered whole, and only when nothing else is in them.
 */
static void
put_libs(struct words *w, const char *dir, const struct form *form)
{
	struct words paths = { NULL, 0, 0 };
	const char *covered = NULL;
	char *path, *slash, *src;

	for (size_t i = 0; i < bundle.n; i++) {
		const struct bundle_part *p = &bundle.parts[i];

		if (strncmp(p->name, BUNDLE_LIB "/", sizeof(BUNDLE_LIB)) != 0)
			continue;
		src = join(dir, "/", p->name);
		make_way(src);
		free(src);
		free(take_out(p, dir, p->name));
		put(&paths, join(p->name + strlen(BUNDLE_LIB), "", ""));
	}
	if (paths.n == 0)
		return;
	link_libs(&paths, dir, form);
	qsort(paths.list, paths.n, sizeof(*paths.list), by_text);
	for (size_t i = 0; i < paths.n; i++) {
		path = paths.list[i];
		if (covered != NULL && path_within(path, covered))
			continue;
		slash = strrchr(path, '/');
		*slash = '\0';
		if (is_system(path) && !is_shared(form, path))
			covered = path;
		else
			*slash = '/';
		any_root(form, path, check_in_root);
		src = join(dir, LIBS, path);
		put_root(w, src, path);
		free(src);
	}
}

/*
 * The program and its libraries appear where they were when they were packed,
 * and of this machine only what is no program.
 */
static void
put_view(struct words *w, const char *dir, const struct form *form, const char *at)
{
	const struct bundle_part *program = part(BUNDLE_PROGRAM);
	char *path;

	put_words(w, (const char *[]){ "--closure", "none", NULL });
	put_host_files(w);
	path = join(dir, "/", "program");
	/* It is there already when it came out of the sidecar. */
	if (access(path, F_OK) == -1) {
		free(path);
		path = take_out(program, dir, "program");
	}
	put_root(w, path, at);
	put_libs(w, dir, form);
}

static _Noreturn void
run_sandboxed(char *argv[])
{
	static const char *const policy[] = { "-P", POLICY_WORD, NULL };
	static const char *const end[] = { "--", NULL };
	struct form *form = seal_policy();
	struct words w = { NULL, 0, 0 };
	const char *dir = os_place();
	char *name, *at = join(BUNDLE_PLACE, part(BUNDLE_PROGRAM)->name +
	    strlen(BUNDLE_PROGRAM), "");

	if (dir == NULL)
		refuse("a place for the parts (%s): %s",
		    os_namespace_hint(errno), strerror(errno));
	put(&w, take_out(part(BUNDLE_GATE "environ"), dir, "environ"));
	put_words(&w, policy);
	put_words(&w, end);
	for (size_t i = 0; i < NGATES; i++) {
		name = join(BUNDLE_GATE, gates[i], "");
		put(&w, take_out(part(name), dir, gates[i]));
		free(name);
		put_words(&w, policy);
		if (strcmp(gates[i], "x07-fsgate") == 0)
			put_view(&w, dir, form, at);
		put_words(&w, end);
	}
	put(&w, at);
	for (char **p = argv + 1; *p != NULL; p++)
		put(&w, *p);
	check_rest();
	execv(w.list[0], w.list);
	refuse_errno("%s", w.list[0]);
}

static _Noreturn void
run_machine(char *argv[])
{
	const struct bundle_part *program = part(BUNDLE_PROGRAM);
	const struct bundle_part *vm = part(BUNDLE_VM);
	struct words w = { NULL, 0, 0 };
	struct machine m;
	struct form *form;
	const char *dir;
	char *text, *at;

	form = seal_policy();
	text = bundle_load(&bundle, vm);
	if (text == NULL)
		give_up(vm->name);
	hold_signals();
	dir = place_make();
	machine_open(&m, text, join(dir, "/", "program"));
	/* They look for each other in the directory they are in. */
	for (size_t i = 0; i < bundle.n; i++)
		if (strncmp(bundle.parts[i].name, BUNDLE_GATE,
		    strlen(BUNDLE_GATE)) == 0)
			free(take_out(&bundle.parts[i], dir,
			    bundle.parts[i].name + strlen(BUNDLE_GATE)));
	put(&w, join(dir, "/", "x07-vmrun"));
	put_words(&w, (const char *[]){ "-P", POLICY_WORD, "-q", "-b", m.backend,
	    "--image", m.image, NULL });
	if (m.digest != NULL)
		put_words(&w, (const char *[]){ "--image-digest", m.digest, NULL });
	at = join(BUNDLE_PLACE_VM, program->name + strlen(BUNDLE_PROGRAM), "");
	any_root(form, at, check_in_root);
	put_view(&w, dir, form, at);
	put_words(&w, (const char *[]){ "--", NULL });
	put(&w, at);
	for (char **p = argv + 1; *p != NULL; p++)
		put(&w, *p);
	check_rest();
	supervise(w.list);
}

/* The file we are: its handle is the one that the kernel executes. */
static void
open_self(void)
{
	char err[256];
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	/* Below the numbers that the chain uses. */
	if (fd != -1 && fd < 16) {
		int high = fcntl(fd, F_DUPFD_CLOEXEC, 16);

		close(fd);
		fd = high;
	}
	if (fd == -1)
		refuse_errno("cannot read the bundle itself (/proc/self/exe; "
		    "is /proc mounted?)");
	if (bundle_open(&bundle, fd, err, sizeof(err)) == -1)
		refuse("this bundle cannot be trusted: %s; nothing was run", err);
}

/* So that no file of ours takes their numbers. */
static void
hold_stdio(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) == -1 && open("/dev/null", O_RDWR) != fd &&
		    open("/proc/self/exe", O_RDONLY) != fd)
			_exit(EXIT_REFUSED);
}

int
main(int argc, char *argv[])
{
	hold_stdio();
	setprogname(argc > 0 ? argv[0] : "bundle");
	if (argc < 1)
		refuse("no name of the program was given");
	open_self();
	if (bundle_find(&bundle, BUNDLE_VM) != NULL)
		run_machine(argv);
	if (bundle_find(&bundle, BUNDLE_FORM) != NULL)
		run_sandboxed(argv);
	run_plain(argv);
}
