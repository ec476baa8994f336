/*
 * environ: starts a program with the environment that a policy lets it have.
 * The rules are in x07(7). It is no gate: it grants and denies nothing that
 * the kernel enforces, it only hands over less.
 */
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "x07.h"

extern char **environ;

/* How a value of the policy is spelt in a variable, spec/run-vm-bundle.md 8. */
enum spelling {
	PLAIN,		/* as in the form: 1, 0, a number */
	JOINED,		/* list, ';' between */
	COMMAS,		/* list, ',' between */
	HOSTS,		/* list, ';' between, no brackets round IPv6 */
};

/* Variables for the run-time of X07 programs, behind the prefix X07_OS_. */
static const struct variable {
	const char	*name;
	const char	*key;
	enum spelling	 spelling;
} variables[] = {
	{ "DB", "db.enabled", PLAIN },
	{ "DB_MAX_CONNECT_TIMEOUT_MS", "db.connect_timeout_ms", PLAIN },
	{ "DB_MAX_LIVE_CONNS", "db.max_live_conns", PLAIN },
	{ "DB_MAX_QUERIES", "db.max_queries", PLAIN },
	{ "DB_MAX_QUERY_TIMEOUT_MS", "db.query_timeout_ms", PLAIN },
	{ "DB_MAX_RESP_BYTES", "db.max_resp_bytes", PLAIN },
	{ "DB_MAX_ROWS", "db.max_rows", PLAIN },
	{ "DB_MAX_SQL_BYTES", "db.max_sql_bytes", PLAIN },
	{ "DB_MYSQL", "db.drivers.mysql", PLAIN },
	{ "DB_NET_ALLOW_CIDRS", "db.net.allow_cidrs", JOINED },
	{ "DB_NET_ALLOW_DNS", "db.net.allow_dns", JOINED },
	{ "DB_NET_ALLOW_PORTS", "db.net.allow_ports", COMMAS },
	{ "DB_NET_REQUIRE_TLS", "db.net.require_tls", PLAIN },
	{ "DB_NET_REQUIRE_VERIFY", "db.net.require_verify", PLAIN },
	{ "DB_PG", "db.drivers.postgres", PLAIN },
	{ "DB_REDIS", "db.drivers.redis", PLAIN },
	{ "DB_SQLITE", "db.drivers.sqlite", PLAIN },
	{ "DB_SQLITE_ALLOW_CREATE", "db.sqlite.allow_create", PLAIN },
	{ "DB_SQLITE_ALLOW_IN_MEMORY", "db.sqlite.allow_in_memory", PLAIN },
	{ "DB_SQLITE_ALLOW_PATHS", "db.sqlite.allow_paths", JOINED },
	{ "DB_SQLITE_READONLY_ONLY", "db.sqlite.readonly_only", PLAIN },
	{ "DENY_HIDDEN", "fs.deny_hidden", PLAIN },
	{ "ENV", "env.enabled", PLAIN },
	{ "ENV_ALLOW_KEYS", "env.allow_keys", JOINED },
	{ "ENV_DENY_KEYS", "env.deny_keys", JOINED },
	{ "FS", "fs.enabled", PLAIN },
	{ "FS_ALLOW_GLOB", "fs.allow_glob", PLAIN },
	{ "FS_ALLOW_MKDIR", "fs.allow_mkdir", PLAIN },
	{ "FS_ALLOW_REMOVE", "fs.allow_remove", PLAIN },
	{ "FS_ALLOW_RENAME", "fs.allow_rename", PLAIN },
	{ "FS_ALLOW_SYMLINKS", "fs.allow_symlinks", PLAIN },
	{ "FS_ALLOW_WALK", "fs.allow_walk", PLAIN },
	{ "FS_MAX_DEPTH", "fs.max_depth", PLAIN },
	{ "FS_MAX_ENTRIES", "fs.max_entries", PLAIN },
	{ "FS_MAX_READ_BYTES", "fs.max_read_bytes", PLAIN },
	{ "FS_MAX_WRITE_BYTES", "fs.max_write_bytes", PLAIN },
	{ "FS_READ_ROOTS", "fs.read_roots", JOINED },
	{ "FS_WRITE_ROOTS", "fs.write_roots", JOINED },
	{ "NET", "net.enabled", PLAIN },
	{ "NET_ALLOW_DNS", "net.allow_dns", PLAIN },
	{ "NET_ALLOW_HOSTS", "net.allow_hosts", HOSTS },
	{ "NET_ALLOW_TCP", "net.allow_tcp", PLAIN },
	{ "NET_ALLOW_UDP", "net.allow_udp", PLAIN },
	{ "PROC", "process.enabled", PLAIN },
	{ "PROC_ALLOW_ARGS_REGEX_LITE", "process.allow_args_regex_lite", JOINED },
	{ "PROC_ALLOW_CWD", "process.allow_cwd", PLAIN },
	{ "PROC_ALLOW_CWD_ROOTS", "process.allow_cwd_roots", JOINED },
	{ "PROC_ALLOW_ENV_KEYS", "process.allow_env_keys", JOINED },
	{ "PROC_ALLOW_EXEC", "process.allow_exec", PLAIN },
	{ "PROC_ALLOW_EXECS", "process.allow_execs", JOINED },
	{ "PROC_ALLOW_EXEC_PREFIXES", "process.allow_exec_prefixes", JOINED },
	{ "PROC_ALLOW_EXIT", "process.allow_exit", PLAIN },
	{ "PROC_ALLOW_SPAWN", "process.allow_spawn", PLAIN },
	{ "PROC_KILL_ON_DROP", "process.kill_on_drop", PLAIN },
	{ "PROC_KILL_TREE", "process.kill_tree", PLAIN },
	{ "PROC_MAX_ARGS", "process.max_args", PLAIN },
	{ "PROC_MAX_ARG_BYTES", "process.max_arg_bytes", PLAIN },
	{ "PROC_MAX_ENV", "process.max_env", PLAIN },
	{ "PROC_MAX_ENV_KEY_BYTES", "process.max_env_key_bytes", PLAIN },
	{ "PROC_MAX_ENV_VAL_BYTES", "process.max_env_val_bytes", PLAIN },
	{ "PROC_MAX_EXE_BYTES", "process.max_exe_bytes", PLAIN },
	{ "PROC_MAX_LIVE", "process.max_live", PLAIN },
	{ "PROC_MAX_RUNTIME_MS", "process.max_runtime_ms", PLAIN },
	{ "PROC_MAX_SPAWNS", "process.max_spawns", PLAIN },
	{ "PROC_MAX_STDERR_BYTES", "process.max_stderr_bytes", PLAIN },
	{ "PROC_MAX_STDIN_BYTES", "process.max_stdin_bytes", PLAIN },
	{ "PROC_MAX_STDOUT_BYTES", "process.max_stdout_bytes", PLAIN },
	{ "PROC_MAX_TOTAL_BYTES", "process.max_total_bytes", PLAIN },
	{ "THREADS", "threads.enabled", PLAIN },
	{ "THREADS_MAX_BLOCKING", "threads.max_blocking", PLAIN },
	{ "THREADS_MAX_QUEUE", "threads.max_queue", PLAIN },
	{ "THREADS_MAX_WORKERS", "threads.max_workers", PLAIN },
	{ "TIME", "time.enabled", PLAIN },
	{ "TIME_ALLOW_LOCAL_TZID", "time.allow_local_tzid", PLAIN },
	{ "TIME_ALLOW_MONOTONIC", "time.allow_monotonic", PLAIN },
	{ "TIME_ALLOW_SLEEP", "time.allow_sleep", PLAIN },
	{ "TIME_ALLOW_WALL_CLOCK", "time.allow_wall_clock", PLAIN },
	{ "TIME_MAX_SLEEP_MS", "time.max_sleep_ms", PLAIN },
};
#define NVARIABLES	(sizeof(variables) / sizeof(variables[0]))

#define DEFAULT_PATH	"/usr/local/bin:/usr/bin:/bin"
#define SANDBOXED	"run-os-sandboxed"

/* The environment in the making. */
static char	**vars;
static size_t	  nvars, space;

static void
set(const char *name, const char *value)
{
	char *text;

	if (asprintf(&text, "%s=%s", name, value) == -1)
		refuse_errno("environment");
	for (size_t i = 0; i < nvars; i++)
		if (strncmp(vars[i], text, strlen(name) + 1) == 0) {
			vars[i] = text;
			return;
		}
	if (nvars + 1 >= space) {
		space = space * 2 + 128;
		vars = reallocarray(vars, space, sizeof(*vars));
		if (vars == NULL)
			refuse_errno("environment");
	}
	vars[nvars++] = text;
	vars[nvars] = NULL;
}

/* ---- what the policy lets through ---- */

/* The caller's PATH without relative and empty entries. */
static void
set_path(void)
{
	const char *from = getenv("PATH"), *end;
	char *path, *to;

	path = to = malloc(from != NULL ? strlen(from) + 2 : 1);
	if (path == NULL)
		refuse_errno("environment");
	for (; from != NULL; from = *end != '\0' ? end + 1 : NULL) {
		end = from + strcspn(from, ":");
		if (*from != '/')
			continue;
		if (to > path)
			*to++ = ':';
		memcpy(to, from, (size_t)(end - from));
		to += end - from;
	}
	*to = '\0';
	set("PATH", *path != '\0' ? path : DEFAULT_PATH);
	free(path);
}

static bool
listed(const struct form *f, const char *key, const char *name)
{
	const char *const *items;
	size_t n = form_list(f, key, &items);

	for (size_t i = 0; i < n; i++)
		if (strcmp(items[i], name) == 0)
			return true;
	return false;
}

static void
set_allowed(const struct form *f)
{
	const char *const *names;
	size_t n = form_list(f, "env.allow_keys", &names);

	if (!form_bool(f, "env.enabled", false))
		return;
	for (size_t i = 0; i < n; i++) {
		/* getenv(3) would find "A" under the name "A=x" of "A=x=1". */
		const char *value = strchr(names[i], '=') == NULL ?
		    getenv(names[i]) : NULL;

		if (value != NULL)
			set(names[i], value);
	}
}

/* A name that is denied is not there, whoever has set it. */
static void
take_denied(const struct form *f)
{
	size_t k = 0;

	for (size_t i = 0; i < nvars; i++) {
		char *name = strndup(vars[i], strcspn(vars[i], "="));

		if (name == NULL)
			refuse_errno("environment");
		if (!listed(f, "env.deny_keys", name))
			vars[k++] = vars[i];
		free(name);
	}
	nvars = k;
	vars[nvars] = NULL;
}

static void
set_sandboxed(const struct form *f)
{
	const char *lang = getenv("LANG"), *tz = getenv("TZ");

	set_path();
	set("HOME", "/tmp");
	if (lang != NULL)
		set("LANG", lang);
	if (!form_bool(f, "time.allow_local_tzid", false))
		set("TZ", "UTC0");
	else if (tz != NULL)
		set("TZ", tz);
	set_allowed(f);
	take_denied(f);
}

/* ---- what the run-time of X07 programs reads ---- */

/* An item of a list; "[::1]:443" is "::1:443" there. */
static void
put_item(FILE *out, const char *item, enum spelling spelling)
{
	const char *close = strchr(item, ']');

	if (spelling == HOSTS && *item == '[' && close != NULL)
		fprintf(out, "%.*s%s", (int)(close - item - 1), item + 1, close + 1);
	else
		fputs(item, out);
}

static void
set_variable(const struct form *f, const struct variable *v)
{
	const char *const *items;
	const char *value;
	char name[64], *text;
	size_t n, len;
	FILE *out;

	snprintf(name, sizeof(name), "X07_OS_%s", v->name);
	if (v->spelling == PLAIN) {
		value = form_get(f, v->key);
		/* A capability that is not mentioned is off to its reader. */
		if (value != NULL)
			set(name, value);
		return;
	}
	out = open_memstream(&text, &len);
	if (out == NULL)
		refuse_errno("environment");
	n = form_list(f, v->key, &items);
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			putc(v->spelling == COMMAS ? ',' : ';', out);
		put_item(out, items[i], v->spelling);
	}
	if (fclose(out) == EOF)
		refuse_errno("environment");
	set(name, text);
	free(text);
}

static void
set_x07(const struct form *f, const char *world)
{
	set("X07_WORLD", world);
	if (f == NULL)
		return;
	set("X07_OS_SANDBOXED", "1");
	for (size_t i = 0; i < NVARIABLES; i++)
		set_variable(f, &variables[i]);
}

/* Everything of the caller's but what could speak for a policy. */
static void
set_inherited(void)
{
	for (char **e = environ; *e != NULL; e++) {
		char *name = strdup(*e);

		if (name == NULL)
			refuse_errno("environment");
		if (strchr(name, '=') != NULL &&
		    strncmp(name, "X07_OS_", 7) != 0 &&
		    strncmp(name, "X07_WORLD=", 10) != 0) {
			name[strcspn(name, "=")] = '\0';
			set(name, *e + strlen(name) + 1);
		}
		free(name);
	}
}

/* For a program that gets it elsewhere. */
static _Noreturn void
write_environment(void)
{
	for (char **v = vars; v != NULL && *v != NULL; v++)
		fwrite(*v, 1, strlen(*v) + 1, stdout);
	if (fflush(stdout) == EOF)
		refuse_errno("standard output");
	exit(0);
}

static _Noreturn void
usage(int status)
{
	fputs("usage: environ [-P FD] [-w WORLD] [--] program [argument ...]\n"
	    "       environ -0 [-P FD] [-w WORLD]\n"
	    "  -0        write the environment, a NUL behind each variable\n"
	    "  -P FD     the policy, sealed; without one the environment is kept\n"
	    "  -w WORLD  the program was made by the X07 compiler: X07_WORLD and,\n"
	    "            of the policy, X07_OS_*\n", status == 0 ? stdout : stderr);
	exit(status);
}

int
main(int argc, char *argv[])
{
	struct form *form = NULL;
	const char *world = NULL, *why = NULL;
	bool write_it = false;
	int ch, fd;

	setprogname("x07 run");
	while ((ch = getopt(argc, argv, "+0P:hw:")) != -1)
		switch (ch) {
		case '0':
			write_it = true;
			break;
		case 'P':
			fd = (int)strtonum(optarg, 3, 1 << 20, &why);
			if (why != NULL)
				refuse("-P %s: %s", optarg, why);
			form = form_load(fd);
			break;
		case 'w':
			world = optarg;
			break;
		case 'h':
			usage(0);
		default:
			usage(EXIT_REFUSED);
		}
	argv += optind;
	if ((*argv == NULL) != write_it)
		usage(EXIT_REFUSED);
	if (world != NULL && (form != NULL) != (strcmp(world, SANDBOXED) == 0))
		refuse("-w %s: a policy goes with %s, and only with that", world,
		    SANDBOXED);
	if (form != NULL)
		set_sandboxed(form);
	else
		set_inherited();
	if (world != NULL)
		set_x07(form, world);
	if (write_it)
		write_environment();
	environ = vars;
	execvp(*argv, argv);
	if (errno == E2BIG)
		refuse("the arguments and the environment are longer than the kernel "
		    "lets a program have");
	chain_exec_failed(*argv);
}
