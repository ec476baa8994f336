/*
 * project: what x07.json says of one profile, as shell assignments for x07.
 *
 * A manifest of the reference toolchain (x07.project@0.2.0 to 0.5.0) is taken
 * as it is; what does not apply to running a program is read over, what is
 * wrong is refused with its place.
 */
#include <sys/stat.h>

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "json.h"
#include "project.h"
#include "x07.h"

#define SUFFIX		".x07project.json"
#define PROFILE_MAX	64

/* What a member may be. RELPATH: relative, no ".." in it, not empty. */
enum kind { ANY, STRING, RELPATH, BOOL, COUNT, OBJECT, COMMAND, RELPATHS };

struct member {
	const char	*name;
	enum kind	 kind;
};

static const struct member manifest_members[] = {
	{ "schema_version", STRING }, { "world", STRING }, { "entry", RELPATH },
	{ "module_roots", RELPATHS }, { "compat", ANY },
	{ "operational_entry_symbol", ANY }, { "certification_entry_symbol", ANY },
	{ "link", ANY }, { "dependencies", ANY }, { "patch", ANY },
	{ "lockfile", ANY }, { "default_profile", STRING },
	{ "profiles", OBJECT }, { NULL, ANY },
};

/* The last two are this project's own: how a program that is not X07 runs. */
static const struct member profile_members[] = {
	{ "world", STRING }, { "policy", RELPATH }, { "runner", STRING },
	{ "input", RELPATH }, { "auto_ffi", BOOL }, { "solve_fuel", COUNT },
	{ "cpu_time_limit_seconds", COUNT }, { "max_memory_bytes", COUNT },
	{ "max_output_bytes", COUNT }, { "cc_profile", STRING },
	{ "program", COMMAND }, { "build", COMMAND }, { NULL, ANY },
};

static const char *const worlds[] = {
	"solve-pure", "solve-fs", "solve-rr", "solve-kv", "solve-full",
	"run-os", "run-os-sandboxed", NULL,
};

static char		*manifest;	/* its path */
static char		*text;
static struct json	*doc;
static const char	*who = "run";	/* the command that asks */

void
die(const char *fmt, ...)
{
	char msg[1024], vis[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	fprintf(stderr, "x07 %s: %s\n", who,
	    diag_vis(vis, sizeof(vis), msg, strlen(msg)));
	exit(EXIT_USAGE);
}

/* A fault of the manifest, at an offset of its text. */
static _Noreturn void	fault(size_t at, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void
fault(size_t at, const char *fmt, ...)
{
	struct json_place place = { .text = text, .line = 1, .column = 1 };
	char msg[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	json_place(&place, at);
	die("%s:%zu:%zu: %s", manifest, place.line, place.column, msg);
}

static bool
is_relative(const char *s)
{
	if (*s == '\0' || *s == '/')
		return false;
	for (;;) {
		size_t n = strcspn(s, "/");

		if (n == 2 && s[0] == '.' && s[1] == '.')
			return false;
		if (s[n] == '\0')
			return true;
		s += n + 1;
	}
}

static void
check_strings(const struct json_value *v, const char *path, bool paths)
{
	if (v->type != JSON_ARRAY || v->n == 0)
		fault(v->at, "%s: must be a list of %s that is not empty", path,
		    paths ? "relative paths" : "strings");
	for (const struct json_value *e = v->child; e != NULL; e = e->next)
		if (e->type != JSON_STRING || (paths && !is_relative(e->string)))
			fault(e->at, "%s: must hold only %s", path,
			    paths ? "relative paths without .." : "strings");
	for (const struct json_value *e = v->child; e != NULL && paths; e = e->next)
		for (const struct json_value *f = v->child; f != e; f = f->next)
			if (strcmp(e->string, f->string) == 0)
				fault(e->at, "%s: must hold each path once", path);
}

static void
check_kind(const struct json_value *v, const char *path, enum kind kind)
{
	int64_t n;

	switch (kind) {
	case ANY:
		return;
	case STRING:
		if (v->type != JSON_STRING)
			fault(v->at, "%s: must be a string", path);
		return;
	case RELPATH:
		if (v->type != JSON_STRING || !is_relative(v->string))
			fault(v->at, "%s: must be a relative path without ..", path);
		return;
	case BOOL:
		if (v->type != JSON_BOOL)
			fault(v->at, "%s: must be true or false", path);
		return;
	case COUNT:
		if (v->type != JSON_NUMBER || json_int(v, &n) != JSON_INT_OK || n < 0)
			fault(v->at, "%s: must be an integer from 0 up", path);
		return;
	case OBJECT:
		if (v->type != JSON_OBJECT)
			fault(v->at, "%s: must be an object", path);
		return;
	case COMMAND:
		check_strings(v, path, false);
		return;
	case RELPATHS:
		check_strings(v, path, true);
		return;
	}
}

/* Every member of an object: known, once, of its kind. */
static void
check_members(const struct json_value *object, const char *prefix,
    const struct member *known)
{
	char path[256];

	for (const struct json_value *v = object->child; v != NULL; v = v->next) {
		const struct member *m = known;

		snprintf(path, sizeof(path), "%s%s", prefix, v->key);
		if (v->first != NULL)
			fault(v->key_at, "%s: a second time", path);
		while (m->name != NULL && strcmp(m->name, v->key) != 0)
			m++;
		if (m->name == NULL)
			fault(v->key_at, "%s: unknown key", path);
		check_kind(v, path, m->kind);
	}
}

/* The word is one of a list that ends in NULL. */
static bool
is_one_of(const char *word, const char *const *list)
{
	while (*list != NULL && strcmp(*list, word) != 0)
		list++;
	return *list != NULL;
}

static void
check_world(const struct json_value *v, const char *path)
{
	if (v == NULL)
		return;
	if (!is_one_of(v->string, worlds))
		fault(v->at, "%s: unknown world '%s'", path, v->string);
}

static bool
profile_name_ok(const char *s)
{
	static const char alnum[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789";
	size_t n = strlen(s);

	return n >= 1 && n <= PROFILE_MAX && strchr(alnum, s[0]) != NULL &&
	    s[strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789._-")] == '\0';
}

static void
check_profile(const struct json_value *p)
{
	static const char *const runners[] = { "auto", "host", "os", NULL };
	static const char *const cc_profiles[] = { "default", "size", NULL };
	char prefix[128], path[160];
	const struct json_value *world, *policy, *runner, *cc;
	bool sandboxed;

	if (!profile_name_ok(p->key))
		fault(p->key_at, "profiles: '%s' is no profile name", p->key);
	snprintf(prefix, sizeof(prefix), "profiles.%s.", p->key);
	check_kind(p, prefix, OBJECT);
	check_members(p, prefix, profile_members);
	world = json_member(p, "world");
	if (world == NULL)
		fault(p->at, "%sworld: missing", prefix);
	snprintf(path, sizeof(path), "%sworld", prefix);
	check_world(world, path);
	sandboxed = strcmp(world->string, "run-os-sandboxed") == 0;
	policy = json_member(p, "policy");
	if (sandboxed && policy == NULL)
		fault(p->at, "%spolicy: missing; run-os-sandboxed needs one", prefix);
	if (!sandboxed && policy != NULL)
		fault(policy->key_at, "%spolicy: only for run-os-sandboxed", prefix);
	cc = json_member(p, "cc_profile");
	if (cc != NULL && !is_one_of(cc->string, cc_profiles))
		fault(cc->at, "%scc_profile: must be default or size", prefix);
	runner = json_member(p, "runner");
	if (runner != NULL && !is_one_of(runner->string, runners))
		fault(runner->at, "%srunner: must be auto, host or os", prefix);
	if (runner != NULL && strcmp(runner->string, "host") == 0 &&
	    strncmp(world->string, "run-os", 6) == 0)
		fault(runner->at, "%srunner: the host runner cannot run an OS world",
		    prefix);
}

/*
 * An X07 project says where its modules are. One that is not made by the X07
 * toolchain says what is run instead.
 */
static void
check_required(const struct json_value *root, const struct json_value *profiles)
{
	static const char *const names[] = { "entry", "module_roots" };
	const struct json_value *p = profiles != NULL ? profiles->child : NULL;

	while (p != NULL && json_member(p, "program") == NULL)
		p = p->next;
	for (size_t i = 0; i < 2 && p == NULL; i++)
		if (json_member(root, names[i]) == NULL)
			fault(root->at, "%s: missing", names[i]);
}

static void
check_manifest(const struct json_value *root)
{
	static const char *const versions[] = {
		"x07.project@0.2.0", "x07.project@0.3.0", "x07.project@0.4.0",
		"x07.project@0.5.0", NULL,
	};
	const struct json_value *v, *profiles;

	if (root->type != JSON_OBJECT)
		fault(root->at, "must be an object");
	check_members(root, "", manifest_members);
	v = json_member(root, "schema_version");
	if (v == NULL)
		fault(root->at, "schema_version: missing");
	if (!is_one_of(v->string, versions))
		fault(v->at, "schema_version: must be x07.project@0.2.0 to "
		    "x07.project@0.5.0");
	v = json_member(root, "world");
	if (v == NULL)
		fault(root->at, "world: missing");
	check_world(v, "world");
	v = json_member(root, "default_profile");
	if (v != NULL && !profile_name_ok(v->string))
		fault(v->at, "default_profile: '%s' is no profile name", v->string);
	profiles = json_member(root, "profiles");
	if (profiles != NULL)
		for (v = profiles->child; v != NULL; v = v->next) {
			if (v->first != NULL)
				fault(v->key_at, "profiles.%s: a second time", v->key);
			check_profile(v);
		}
	check_required(root, profiles);
}

/* ---- finding it ---- */

/* The one manifest in a directory, or NULL; two of the second kind are one too many. */
static char *
manifest_in(const char *dir)
{
	char *path, *found = NULL;
	struct dirent *e;
	struct stat st;
	DIR *d;

	if (asprintf(&path, "%s/%s", dir, MANIFEST) == -1)
		die("%s", strerror(errno));
	if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
		return path;
	free(path);
	d = opendir(dir);
	if (d == NULL)
		return NULL;
	while ((e = readdir(d)) != NULL) {
		size_t n = strlen(e->d_name);

		if (n <= strlen(SUFFIX) ||
		    strcmp(e->d_name + n - strlen(SUFFIX), SUFFIX) != 0)
			continue;
		if (found != NULL)
			die("more than one *%s in %s; name one with --project", SUFFIX, dir);
		if (asprintf(&found, "%s/%s", dir, e->d_name) == -1)
			die("%s", strerror(errno));
	}
	closedir(d);
	return found;
}

/*
 * Above us a directory may be open to others, /tmp for one: what they put there
 * says what is run only when it is named.
 */
static void
check_owner(const char *path)
{
	struct stat link, file;

	if (lstat(path, &link) == -1 || stat(path, &file) == -1)
		die("%s: %s", path, strerror(errno));
	if ((link.st_uid != 0 && link.st_uid != geteuid()) ||
	    (file.st_uid != 0 && file.st_uid != geteuid()))
		die("%s belongs to another user; if you trust it: --project %s",
		    path, path);
}

static char *
find_upwards(void)
{
	char dir[PATH_MAX], *found, *slash;

	if (getcwd(dir, sizeof(dir)) == NULL)
		die("working directory: %s", strerror(errno));
	for (;;) {
		found = manifest_in(dir);
		if (found != NULL) {
			check_owner(found);
			return found;
		}
		slash = strrchr(dir, '/');
		if (slash == NULL || dir[1] == '\0')
			return NULL;
		slash[slash == dir] = '\0';
	}
}

static char *
find_manifest(const char *named)
{
	struct stat st;
	char *real, *found;

	if (named == NULL)
		return find_upwards();
	real = realpath(named, NULL);
	if (real == NULL || stat(real, &st) == -1)
		die("--project %s: %s", named, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return real;
	found = manifest_in(real);
	if (found == NULL)
		die("--project %s: no %s in it", named, MANIFEST);
	return found;
}

static void
read_manifest(void)
{
	struct json_error error;
	size_t len = 0;
	ssize_t n;
	int fd = open(manifest, O_RDONLY | O_CLOEXEC);

	text = malloc(MANIFEST_MAX + 1);
	if (fd == -1 || text == NULL)
		die("%s: %s", manifest, strerror(errno));
	while (len < MANIFEST_MAX &&
	    (n = read(fd, text + len, MANIFEST_MAX - len)) != 0) {
		if (n == -1)
			die("%s: %s", manifest, strerror(errno));
		len += (size_t)n;
	}
	if (len == MANIFEST_MAX)
		die("%s: larger than %d bytes", manifest, MANIFEST_MAX - 1);
	text[len] = '\0';
	close(fd);
	doc = json_parse(text, len, &error);
	if (doc == NULL)
		fault(error.at, "%s", error.message);
}

/* ---- telling it ---- */

/* In single quotes for sh. */
static void
print_quoted(FILE *f, const char *s)
{
	putc('\'', f);
	for (; *s != '\0'; s++)
		if (*s == '\'')
			fputs("'\\''", f);
		else
			putc(*s, f);
	putc('\'', f);
}

static void
print_assignment(const char *name, const char *value)
{
	printf("%s=", name);
	print_quoted(stdout, value);
	putchar('\n');
}

/* A list of words, each quoted, for a later eval "set -- $name". */
static void
print_words(const char *name, const struct json_value *v)
{
	char *words = NULL;
	size_t len;
	FILE *f = open_memstream(&words, &len);

	if (f == NULL)
		die("%s", strerror(errno));
	for (const struct json_value *e = v != NULL ? v->child : NULL; e != NULL;
	    e = e->next) {
		print_quoted(f, e->string);
		putc(' ', f);
	}
	if (fclose(f) == EOF)
		die("%s", strerror(errno));
	print_assignment(name, words);
	free(words);
}

static const char *
string_of(const struct json_value *object, const char *name)
{
	const struct json_value *v = json_member(object, name);

	return v != NULL ? v->string : "";
}

static _Noreturn void
unknown_profile(const struct json_value *profiles, const char *name)
{
	char list[512] = "";
	size_t n = 0;

	for (const struct json_value *v = profiles != NULL ? profiles->child : NULL;
	    v != NULL && n < sizeof(list) - 80; v = v->next)
		n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s",
		    n > 0 ? ", " : "", v->key);
	die("unknown profile '%s' in %s; available: %s", name, manifest,
	    n > 0 ? list : "none");
}

/* --profile, else default_profile, else dev, else os; NULL without profiles. */
static const struct json_value *
choose_profile(const struct json_value *root, const char *named)
{
	const struct json_value *profiles = json_member(root, "profiles");
	const struct json_value *dflt = json_member(root, "default_profile"), *p;

	if (named == NULL && dflt != NULL)
		named = dflt->string;
	if (named != NULL) {
		p = profiles != NULL ? json_member(profiles, named) : NULL;
		if (p == NULL)
			unknown_profile(profiles, named);
		return p;
	}
	if (profiles == NULL || profiles->child == NULL)
		return NULL;
	p = json_member(profiles, "dev");
	if (p == NULL)
		p = json_member(profiles, "os");
	if (p == NULL)
		unknown_profile(profiles, "os");
	return p;
}

/* An integer of the profile as it is written, "" when it is silent. */
static void
print_count(const char *name, const struct json_value *profile, const char *key)
{
	const struct json_value *v =
	    profile != NULL ? json_member(profile, key) : NULL;

	print_assignment(name, v != NULL ? v->string : "");
}

/* Everything x07 wants to know of the profile. */
static void
tell(const struct json_value *root, const struct json_value *profile,
    const char *world)
{
	const struct json_value *ffi =
	    profile != NULL ? json_member(profile, "auto_ffi") : NULL;
	char *slash;

	print_assignment("manifest", manifest);
	slash = strrchr(manifest, '/');
	*slash = '\0';
	print_assignment("root", *manifest != '\0' ? manifest : "/");
	print_assignment("profile", profile != NULL ? profile->key : "");
	print_assignment("world", world);
	print_assignment("profile_policy",
	    profile != NULL ? string_of(profile, "policy") : "");
	print_assignment("profile_input",
	    profile != NULL ? string_of(profile, "input") : "");
	print_assignment("entry", string_of(root, "entry"));
	print_count("profile_fuel", profile, "solve_fuel");
	print_count("profile_cpu", profile, "cpu_time_limit_seconds");
	print_count("profile_mem", profile, "max_memory_bytes");
	print_count("profile_out", profile, "max_output_bytes");
	print_assignment("profile_ffi",
	    ffi == NULL ? "" : ffi->boolean ? "yes" : "no");
	print_words("program", profile != NULL ? json_member(profile, "program") : NULL);
	print_words("build", profile != NULL ? json_member(profile, "build") : NULL);
	if (fflush(stdout) == EOF)
		die("standard output: %s", strerror(errno));
}

static _Noreturn void
usage(int status)
{
	fputs("usage: project [-f FILE|DIR] [-p PROFILE] [-w WORLD]\n"
	    "       project init [-n] [-t TEMPLATE]\n",
	    status == 0 ? stdout : stderr);
	exit(status);
}

int
main(int argc, char *argv[])
{
	const struct json_value *root, *profile;
	const char *named = NULL, *profile_name = NULL, *world = NULL;
	int ch;

	if (argc > 1 && strcmp(argv[1], "init") == 0) {
		who = "init";
		return cmd_init(argc - 1, argv + 1);
	}
	while ((ch = getopt(argc, argv, "f:hp:w:")) != -1)
		switch (ch) {
		case 'f':
			named = optarg;
			break;
		case 'p':
			profile_name = optarg;
			break;
		case 'w':
			world = optarg;
			break;
		case 'h':
			usage(0);
		default:
			usage(EXIT_USAGE);
		}
	manifest = find_manifest(named);
	if (manifest == NULL)
		return EXIT_NONE;
	read_manifest();
	root = json_root(doc);
	check_manifest(root);
	profile = choose_profile(root, profile_name);
	if (world == NULL)
		world = profile != NULL ? string_of(profile, "world") :
		    string_of(root, "world");
	if (strncmp(world, "run-os", 6) != 0)
		die("%s: world %s is not an OS world; x07 run takes run-os and "
		    "run-os-sandboxed", manifest, world);
	tell(root, profile, world);
	return 0;
}
