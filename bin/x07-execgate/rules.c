/*
 * The rules of a policy for what is spawned: how many, with which arguments,
 * environment and directory. They need the tracer, which counts, and shows each
 * program after its exec and before its first instruction.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "execgate.h"

/* Which shells set for their children, whatever they were given. */
static const char *const shell_keys[] = { "PWD", "OLDPWD", "SHLVL", "_" };

static struct {
	int64_t			 max_spawns, max_live;
	int64_t			 max_args, max_arg_bytes, max_exe_bytes;
	int64_t			 max_env, max_env_key_bytes, max_env_val_bytes;
	const char *const	*patterns;
	size_t			 npatterns;
	const char *const	*env_keys;
	size_t			 nenv_keys;
	bool			 allow_cwd;
	char			 start_dir[4096];
	struct os_exec_item	*cwd_roots;
	size_t			 ncwd_roots;
} rules;

void
take_rules(void)
{
	const struct form *f = chain.form;
	const char *const *roots;
	size_t n;

	rules.max_spawns = form_int(f, "process.max_spawns", 0);
	rules.max_live = form_int(f, "process.max_live", 0);
	rules.max_args = form_int(f, "process.max_args", 64);
	rules.max_arg_bytes = form_int(f, "process.max_arg_bytes", 4096);
	rules.max_exe_bytes = form_int(f, "process.max_exe_bytes", 4096);
	rules.max_env = form_int(f, "process.max_env", 64);
	rules.max_env_key_bytes = form_int(f, "process.max_env_key_bytes", 256);
	rules.max_env_val_bytes = form_int(f, "process.max_env_val_bytes", 4096);
	rules.npatterns = form_list(f, "process.allow_args_regex_lite",
	    &rules.patterns);
	rules.nenv_keys = form_list(f, "process.allow_env_keys", &rules.env_keys);
	rules.allow_cwd = form_bool(f, "process.allow_cwd", false);
	if (getcwd(rules.start_dir, sizeof(rules.start_dir)) == NULL)
		refuse_errno("the working directory");
	n = form_list(f, "process.allow_cwd_roots", &roots);
	rules.cwd_roots = calloc(n + 1, sizeof(*rules.cwd_roots));
	if (rules.cwd_roots == NULL)
		refuse_errno("process.allow_cwd_roots");
	for (size_t i = 0; i < n && rules.allow_cwd; i++)
		if (os_exec_open(&rules.cwd_roots[rules.ncwd_roots],
		    from_root(roots[i])) == 0)
			rules.ncwd_roots++;
}

/* Notes the key that a rule belongs to; returns why. */
static const char *
fault(struct verdict *v, const char *key, const char *why)
{
	v->key = key;
	return why;
}

/* ---- how many ---- */

static const char *
judge_number(struct verdict *v)
{
	if ((int64_t)os_watch_spawns((size_t)rules.max_spawns) >= rules.max_spawns) {
		v->hint = "a larger process.max_spawns";
		return fault(v, "process.max_spawns", "process.max_spawns is reached");
	}
	if ((int64_t)os_watch_live((size_t)rules.max_live) >= rules.max_live) {
		v->hint = "a larger process.max_live";
		return fault(v, "process.max_live", "process.max_live is reached");
	}
	return NULL;
}

int
rules_spawn(struct verdict *v)
{
	const char *why = judge_number(v);

	v->allowed = why == NULL;
	if (v->allowed)
		return 0;
	v->verb = "spawn";
	v->why = why;
	return EAGAIN;
}

/* ---- with which arguments ---- */

/* A file that could be written by another name runs from a copy, at its place. */
static bool
is_copy_of(const struct os_exec_item *it, const struct os_exec_item *file)
{
	const struct os_exec_item *a = find_item(it, OS_EXEC_FILE);
	const struct os_exec_item *b = find_item(file, OS_EXEC_FILE);

	return a != NULL && b != NULL && strcmp(a->path, b->path) == 0;
}

static bool
same_file(const char *path, const struct os_exec_item *it)
{
	struct os_exec_item other;
	bool same;

	if (path == NULL || os_exec_open(&other, path) == -1)
		return false;
	same = (other.dev == it->dev && other.ino == it->ino) ||
	    is_copy_of(it, &other);
	close(other.fd);
	free(other.path);
	return same;
}

/* True when the script would be started as this program, by env or not. */
static bool
is_interpreter(const struct image *im, const struct os_exec_item *exe)
{
	const char *base = strrchr(im->interp, '/');

	return same_file(im->interp, exe) || (base != NULL &&
	    strcmp(base, "/env") == 0 && same_file(chain_lookup(im->arg), exe));
}

/*
 * How many of the arguments the kernel put there: to start a script it adds
 * the option of the "#!" line and the script's name. They count as
 * the kernel's only when they are exactly that, for a listed script by its own
 * name, which nobody inside can make mean something else.
 */
static size_t
script_words(const struct os_event *ev, size_t at)
{
	struct os_exec_item it;
	struct image im;
	size_t words = 0;

	if (os_exec_open(&it, ev->argv[at]) == -1)
		return 0;
	if (strcmp(it.path, ev->argv[at]) == 0 && is_listed(&it) &&
	    !is_writable(&it)) {
		image_read(&im, it.path);
		if (im.kind == IMAGE_SCRIPT && is_interpreter(&im, ev->object) &&
		    (at == 1 || strcmp(im.arg, ev->argv[1]) == 0))
			words = at;
	}
	close(it.fd);
	free(it.path);
	return words;
}

/* The arguments that were asked for. */
static char *const *
arguments(const struct os_event *ev)
{
	char *const *argv = ev->argv;
	size_t words = 0;

	if (argv[0] == NULL)
		return argv;
	for (size_t at = 1; at <= 2 && argv[at] != NULL && words == 0; at++)
		if (argv[at][0] == '/')
			words = script_words(ev, at);
	return argv + 1 + words;
}

static bool
matches_any(const char *arg)
{
	for (size_t i = 0; i < rules.npatterns; i++)
		if (pattern_match(rules.patterns[i], arg))
			return true;
	return rules.npatterns == 0;
}

static const char *
argument_why(const char *arg)
{
	static char why[512];

	snprintf(why, sizeof(why), "argument %.256s matches nothing in "
	    "process.allow_args_regex_lite", arg);
	return why;
}

static const char *
judge_arguments(const struct os_event *ev, struct verdict *v)
{
	char *const *argv = arguments(ev);
	int64_t n = 0;

	for (; argv[n] != NULL; n++) {
		if ((int64_t)strlen(argv[n]) > rules.max_arg_bytes)
			return fault(v, "process.max_arg_bytes",
			    "an argument is longer than process.max_arg_bytes");
		if (!matches_any(argv[n]))
			return fault(v, "process.allow_args_regex_lite",
			    argument_why(argv[n]));
	}
	if (n > rules.max_args)
		return fault(v, "process.max_args",
		    "more arguments than process.max_args");
	return NULL;
}

/* ---- with which environment ---- */

static bool
in_list(const char *const *list, size_t n, const char *key, size_t len)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(list[i]) == len && memcmp(list[i], key, len) == 0)
			return true;
	return false;
}

/* What the policy let in to the program may be passed on as it is. */
static bool
is_inherited(const char *var)
{
	for (char **e = environ; *e != NULL; e++)
		if (strcmp(*e, var) == 0)
			return true;
	return false;
}

static const char *
variable_why(const char *var, size_t len)
{
	static char why[512];

	snprintf(why, sizeof(why), "variable %.*s not in process.allow_env_keys",
	    len < 256 ? (int)len : 256, var);
	return why;
}

static const char *
judge_environment(const struct os_event *ev, struct verdict *v)
{
	int64_t n = 0;

	for (; ev->envp[n] != NULL; n++) {
		const char *var = ev->envp[n];
		size_t len = strcspn(var, "=");

		if ((int64_t)len > rules.max_env_key_bytes)
			return fault(v, "process.max_env_key_bytes",
			    "a variable's name is longer than "
			    "process.max_env_key_bytes");
		if ((int64_t)(strlen(var) - len) - 1 > rules.max_env_val_bytes)
			return fault(v, "process.max_env_val_bytes",
			    "a variable is longer than process.max_env_val_bytes");
		if (!in_list(rules.env_keys, rules.nenv_keys, var, len) &&
		    !in_list(shell_keys, sizeof(shell_keys) /
		    sizeof(shell_keys[0]), var, len) && !is_inherited(var))
			return fault(v, "process.allow_env_keys",
			    variable_why(var, len));
	}
	if (n > rules.max_env)
		return fault(v, "process.max_env",
		    "more variables than process.max_env");
	return NULL;
}

/* ---- where ---- */

static const char *
judge_place(const struct os_event *ev, struct verdict *v)
{
	if ((int64_t)strlen(ev->object->path) > rules.max_exe_bytes)
		return fault(v, "process.max_exe_bytes",
		    "its path is longer than process.max_exe_bytes");
	if (strcmp(ev->cwd, rules.start_dir) == 0)
		return NULL;
	for (size_t i = 0; i < rules.ncwd_roots; i++)
		if (path_within(ev->cwd, rules.cwd_roots[i].path))
			return NULL;
	if (!rules.allow_cwd)
		return fault(v, "process.allow_cwd", "process.allow_cwd is false "
		    "and its directory is not the program's");
	return fault(v, "process.allow_cwd_roots",
	    "its directory is not in process.allow_cwd_roots");
}

int
rules_started(const struct os_event *ev, struct verdict *v)
{
	if (!is_listed(ev->object)) {
		v->key = "process.allow_execs";
		v->why = "not in process.allow_execs";
	} else if ((v->why = judge_place(ev, v)) == NULL &&
	    (v->why = judge_arguments(ev, v)) == NULL) {
		v->why = judge_environment(ev, v);
	}
	v->allowed = v->why == NULL;
	return v->allowed ? 0 : EACCES;
}
