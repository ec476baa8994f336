/*
 * explain - what enforces each key of a policy on this machine, and what not.
 *
 * The table says what the gates do where they run; whether they can run here is
 * tried out. A value that forbids nothing needs nobody to enforce it.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "form.h"
#include "os.h"
#include "x07-policy.h"

enum level {
	FREE,		/* the value forbids nothing */
	FULL,
	PART,
	NONE,
	REFUSED,	/* the gate does not run here, and so nothing runs */
};

static const char *const level_names[] = {
	[FREE] = "-", [FULL] = "yes", [PART] = "partly", [NONE] = "no",
	[REFUSED] = "refused",
};

/* What enforces a key, by backend; vm NULL stands for os, inside the guest. */
struct row {
	const char	*key;
	enum level	 os, vm;
	const char	*os_how, *vm_how;
};

#define X07_ONLY	"only programs built by X07 heed it (X07_OS_*)"
#define X07_COMPILER	"the compiler of X07 programs decides it"
#define PIPED		"a pipe that counts, round the program and all it starts; " \
			"terminals are left alone"
#define SERVED \
	"in the guest, and with qemu by a system call filter of what serves its files"
#define TRACED		"a tracer looks at each new program before its first step"
#define COUNTED		"a tracer counts programs; processes that execute none are " \
			"bound by limits.procs alone"

static const struct row rows[] = {
	{ "db.connect_timeout_ms", PART, PART,
	    "the relay gives up on a connection of db.net in time", NULL },
	{ "db.drivers.mysql", PART, PART,
	    "with no network driver, db.net opens nothing", NULL },
	{ "db.drivers.postgres", PART, PART,
	    "with no network driver, db.net opens nothing", NULL },
	{ "db.drivers.redis", PART, PART,
	    "with no network driver, db.net opens nothing", NULL },
	{ "db.drivers.sqlite", NONE, NONE,
	    X07_ONLY "; its files are files below fs roots", NULL },
	{ "db.enabled", FULL, FULL, "false: db.net opens nothing in the network", NULL },
	{ "db.max_live_conns", FULL, FULL, "the relay counts connections of db.net",
	    NULL },
	{ "db.net.allow_cidrs", FULL, FULL,
	    "the only way out is a relay, which connects to nothing else",
	    "no network card; a relay on the host connects to nothing else" },
	{ "db.net.allow_dns", FULL, FULL,
	    "the only way out is a relay, which connects to nothing else",
	    "no network card; a relay on the host connects to nothing else" },
	{ "db.net.allow_ports", FULL, FULL,
	    "the only way out is a relay, which connects to nothing else",
	    "no network card; a relay on the host connects to nothing else" },
	{ "env.allow_keys", FULL, FULL,
	    "x07 run starts the program with no other variables", NULL },
	{ "env.deny_keys", FULL, FULL,
	    "x07 run starts the program without them", NULL },
	{ "env.enabled", FULL, FULL,
	    "x07 run starts the program with no variables of the caller", NULL },
	{ "fs.allow_glob", PART, PART,
	    "reading directories is denied when allow_walk is false too", NULL },
	{ "fs.allow_mkdir", FULL, FULL, "Landlock, or a system call filter",
	    SERVED },
	{ "fs.allow_remove", FULL, FULL, "Landlock, or a system call filter",
	    SERVED },
	{ "fs.allow_rename", FULL, FULL, "a system call filter",
	    SERVED },
	{ "fs.allow_symlinks", PART, PART,
	    "none can be made; those that exist are followed, inside the roots",
	    "none can be made, in the guest and, with qemu, by what serves its files; "
	    "those that exist are followed, inside the roots" },
	{ "fs.allow_walk", PART, PART,
	    "reading directories is denied when allow_glob is false too", NULL },
	{ "fs.deny_hidden", PART, PART,
	    "dot entries that exist at the start are covered; new ones can be made",
	    NULL },
	{ "fs.enabled", FULL, FULL,
	    "a root directory of its own, with no file roots in it",
	    "no root is mounted" },
	{ "fs.max_depth", NONE, NONE, X07_ONLY, NULL },
	{ "fs.max_entries", NONE, NONE, X07_ONLY, NULL },
	{ "fs.max_read_bytes", NONE, NONE, X07_ONLY, NULL },
	{ "fs.max_write_bytes", FULL, FULL, "RLIMIT_FSIZE: no file grows beyond it",
	    "RLIMIT_FSIZE, in the guest and, with qemu, of what serves its files" },
	{ "fs.read_roots", FULL, FULL,
	    "a root directory of its own; only they are in it, read-only",
	    "nothing else of the host is mounted" },
	{ "fs.write_roots", FULL, FULL,
	    "a root directory of its own; only they are in it, writable",
	    "nothing else of the host is mounted" },
	{ "language.allow_ffi", NONE, NONE, X07_COMPILER, NULL },
	{ "language.allow_unsafe", NONE, NONE, X07_COMPILER, NULL },
	{ "limits.core_dumps", FULL, FULL, "RLIMIT_CORE", NULL },
	{ "limits.cpu_ms", PART, PART, NULL, NULL },
	{ "limits.fds", FULL, FULL, "RLIMIT_NOFILE of each process", NULL },
	{ "limits.mem_bytes", PART, FULL, NULL, "the memory of the machine" },
	{ "limits.procs", PART, PART, NULL, NULL },
	{ "limits.wall_ms", FULL, FULL,
	    "the process id namespace ends with all that is in it",
	    "the host ends the machine" },
	{ "net.allow_dns", FULL, FULL,
	    "no server is reachable but the gate's, which refuses",
	    "no network card; a relay on the host asks for listed names only" },
	{ "net.allow_hosts", FULL, FULL,
	    "the only way out is a relay, which connects to nothing else",
	    "no network card; a relay on the host connects to nothing else" },
	{ "net.allow_tcp", FULL, FULL, "an empty network namespace",
	    "no network card" },
	{ "net.allow_udp", FULL, FULL, "an empty network namespace",
	    "no network card" },
	{ "net.enabled", FULL, FULL, "an empty network namespace",
	    "no network card" },
	{ "process.allow_args_regex_lite", FULL, FULL, TRACED, NULL },
	{ "process.allow_cwd", FULL, FULL, TRACED, NULL },
	{ "process.allow_cwd_roots", FULL, FULL, TRACED, NULL },
	{ "process.allow_env_keys", FULL, FULL, TRACED, NULL },
	{ "process.allow_exec", NONE, NONE,
	    "allow_spawn and the lists of programs decide, as in X07 itself", NULL },
	{ "process.allow_exec_prefixes", FULL, FULL,
	    "Landlock, noexec mounts and a system call filter", NULL },
	{ "process.allow_execs", FULL, FULL,
	    "Landlock, noexec mounts and a system call filter", NULL },
	{ "process.allow_exit", NONE, NONE, X07_ONLY, NULL },
	{ "process.allow_spawn", FULL, FULL,
	    "a system call filter: threads only, and no exec but the first", NULL },
	{ "process.enabled", FULL, FULL,
	    "a system call filter: threads only, and no exec but the first", NULL },
	{ "process.kill_on_drop", FULL, FULL,
	    "the process id namespace ends with the program", NULL },
	{ "process.kill_tree", FULL, FULL,
	    "the process id namespace ends with the program", NULL },
	{ "process.max_arg_bytes", FULL, FULL, TRACED, NULL },
	{ "process.max_args", FULL, FULL, TRACED, NULL },
	{ "process.max_env", FULL, FULL, TRACED, NULL },
	{ "process.max_env_key_bytes", FULL, FULL, TRACED, NULL },
	{ "process.max_env_val_bytes", FULL, FULL, TRACED, NULL },
	{ "process.max_exe_bytes", FULL, FULL, TRACED, NULL },
	{ "process.max_live", FULL, FULL, COUNTED, NULL },
	{ "process.max_runtime_ms", FULL, FULL,
	    "a clock; processes that run longer are killed", NULL },
	{ "process.max_spawns", FULL, FULL, COUNTED, NULL },
	{ "process.max_stderr_bytes", FULL, FULL, PIPED, NULL },
	{ "process.max_stdin_bytes", FULL, FULL, PIPED, NULL },
	{ "process.max_stdout_bytes", FULL, FULL, PIPED, NULL },
	{ "process.max_total_bytes", FULL, FULL, PIPED, NULL },
	{ "threads.enabled", FULL, FULL, "a system call filter", NULL },
	{ "threads.max_blocking", PART, PART, NULL, NULL },
	{ "threads.max_workers", PART, PART, NULL, NULL },
	{ "time.allow_local_tzid", PART, PART,
	    "TZ is UTC0; the zone of the machine can be read where it is a file of "
	    "the view", NULL },
	{ "time.allow_monotonic", NONE, NONE,
	    X07_ONLY "; the kernel gives clocks without a system call", NULL },
	{ "time.allow_sleep", NONE, NONE, X07_ONLY, NULL },
	{ "time.allow_wall_clock", NONE, PART,
	    X07_ONLY "; the kernel gives clocks without a system call",
	    "the clock of the machine starts at the epoch and counts from there; the "
	    "times of files in a root, also of those written, are of this machine" },
};

/* Keys of a block that its switch makes moot when it is off. */
static const struct {
	const char	*prefix, *key;
} switches[] = {
	{ "db.", "db.enabled" },
	{ "env.", "env.enabled" },
	{ "fs.", "fs.enabled" },
	{ "net.", "net.enabled" },
	{ "process.allow_args", "process.allow_spawn" },
	{ "process.allow_cwd", "process.allow_spawn" },
	{ "process.allow_env", "process.allow_spawn" },
	{ "process.allow_exec", "process.allow_spawn" },
	{ "process.max_arg", "process.allow_spawn" },
	{ "process.max_e", "process.allow_spawn" },
	{ "process.max_live", "process.allow_spawn" },
	{ "process.max_runtime", "process.allow_spawn" },
	{ "process.max_spawns", "process.allow_spawn" },
	{ "threads.", "threads.enabled" },
	{ "time.", "time.enabled" },
};

struct explain {
	const struct form	*form;
	bool			 vm, json, unenforced;
	const char		*missing[BY_EXEC + 1];	/* why a gate refuses */
	const char		*vm_missing;
	bool			 swept;			/* x07-limit has no namespaces */
	struct os_group		*group;
	size_t			 told;
};

/* What comes of a key here. */
struct finding {
	enum level	 level;
	const char	*by, *how;
};

/* ---- this machine ---- */

static bool
is_installed(const char *tool)
{
	char *path = chain_sibling(tool);

	if (path == NULL)
		path = chain_lookup(tool);
	free(path);
	return path != NULL;
}

static void
probe(struct explain *e)
{
	const char *namespaces = NULL;
	enum key_gate g;

	if (e->vm) {
		if (!is_installed("x07-vmrun"))
			e->vm_missing = "x07-vmrun is not installed";
		return;
	}
	if (os_probe(OS_HAS_GATES) == -1)
		namespaces = "no gate works on this platform";
	else if (os_probe(OS_HAS_NAMESPACES) == -1)
		namespaces = os_namespace_hint(errno);
	e->swept = namespaces != NULL && os_probe(OS_HAS_GATES) == 0;
	for (g = BY_LIMIT; g <= BY_EXEC; g++) {
		e->missing[g] = g == BY_LIMIT && e->swept ? NULL : namespaces;
		if (e->missing[g] == NULL && !is_installed(key_gate_name(g)))
			e->missing[g] = "it is not installed";
	}
	if (e->missing[BY_EXEC] == NULL && os_probe(OS_HAS_EXEC_RULES) == -1)
		e->missing[BY_EXEC] = "this kernel has no Landlock";
	e->group = os_group_make(OS_SUM_CPU | OS_SUM_MEM | OS_SUM_TASKS,
	    form_int(e->form, "limits.mem_bytes", 0), 16);
}

#define GROUP_LEFT	"a control group, which the program may leave"

/* What holds the number of tasks here; NULL when nothing of the kernel's does. */
static const char *
holds_tasks(const struct explain *e)
{
	if (e->vm)
		return "a control group";
	if ((os_group_holds(e->group) & OS_SUM_TASKS) != 0)
		return e->swept ? GROUP_LEFT : os_group_how(e->group, OS_SUM_TASKS);
	return geteuid() != 0 && !e->swept ? "RLIMIT_NPROC in a user namespace of its own" : NULL;
}

/*
 * The kernel counts processes and threads as one. So their caps become one, and
 * which of them are processes x07-limit has to look.
 */
static void
find_tasks(const struct explain *e, struct finding *f)
{
	static char text[256];
	const char *how = holds_tasks(e);
	bool threads = form_bool(e->form, "threads.enabled", true);
	bool spawns = form_bool(e->form, "process.allow_spawn", false) &&
	    form_bool(e->form, "process.enabled", false);

	f->level = PART;
	if (how == NULL) {
		f->how = geteuid() != 0 ? "x07-limit looks at their number" :
		    !e->swept && os_probe(OS_HAS_OWN_IDS) == 0 ?
		    "x07-limit looks at their number, and a pid namespace has few "
		    "more process ids, until root inside raises that; RLIMIT_NPROC does not bind root" :
		    "x07-limit looks at their number; RLIMIT_NPROC does not bind "
		    "root";
		return;
	}
	if (!threads || !spawns) {
		f->level = e->swept && !e->vm ? PART : FULL;
		f->how = how;
		return;
	}
	snprintf(text, sizeof(text), "%s, for limits.procs, threads.max_workers and "
	    "threads.max_blocking together; x07-limit looks which are processes",
	    how);
	f->how = text;
}

/* The limits of a whole tree: by a control group, or less well. */
static bool
find_sum(const struct explain *e, const char *key, struct finding *f)
{
	static const struct {
		const char	*key;
		unsigned	 bit;
		const char	*else_how, *vm_how;
	} sums[] = {
		{ "limits.cpu_ms", OS_SUM_CPU, "RLIMIT_CPU of each process, and "
		    "x07-limit looks at their sum", "a control group" },
		{ "limits.mem_bytes", OS_SUM_MEM, "RLIMIT_AS of each process, and "
		    "x07-limit looks at their sum", NULL },
		{ "limits.procs", OS_SUM_TASKS, NULL, NULL },
		{ "threads.max_blocking", OS_SUM_TASKS, NULL, NULL },
		{ "threads.max_workers", OS_SUM_TASKS, NULL, NULL },
	};
	size_t i;

	for (i = 0; i < sizeof(sums) / sizeof(sums[0]); i++)
		if (strcmp(key, sums[i].key) == 0)
			break;
	if (i == sizeof(sums) / sizeof(sums[0]) || (e->vm && f->how != NULL))
		return false;
	if (sums[i].bit == OS_SUM_TASKS) {
		find_tasks(e, f);
		return true;
	}
	if (e->vm) {
		*f = (struct finding){ FULL, f->by, sums[i].vm_how };
		return true;
	}
	f->how = sums[i].else_how;
	if ((os_group_holds(e->group) & sums[i].bit) != 0) {
		f->level = e->swept ? PART : FULL;
		f->how = e->swept ? GROUP_LEFT :
		    os_group_how(e->group, sums[i].bit);
	}
	return true;
}

/* ---- a key ---- */

/* True when the value of a key forbids nothing. */
static bool
forbids_nothing(const struct explain *e, const struct key *key)
{
	const char *const *items;
	int64_t v = form_int(e->form, key->path, 0);

	/* Who sleeps longer than he lives has not been allowed to. */
	if (strcmp(key->path, "time.max_sleep_ms") == 0)
		return v >= form_int(e->form, "limits.wall_ms", INT64_MAX);
	switch (key->sense) {
	case MORE_UP:
		return key->type == KEY_BOOL && v == 1;
	case MORE_DOWN:
	case MORE_UP_0_ALL:
		return v == 0;
	case MORE_ITEMS_0_ALL:
	case MORE_WITHOUT:
		return form_list(e->form, key->path, &items) == 0;
	default:
		return false;
	}
}

/* The switch that is off and makes a key moot, or NULL. */
static const char *
switched_off(const struct explain *e, const char *key)
{
	size_t i;

	for (i = 0; i < sizeof(switches) / sizeof(switches[0]); i++)
		if (strncmp(key, switches[i].prefix,
		    strlen(switches[i].prefix)) == 0 &&
		    strcmp(key, switches[i].key) != 0 &&
		    !form_bool(e->form, switches[i].key, false))
			return switches[i].key;
	return NULL;
}

static const struct row *
find_row(const char *key)
{
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(rows[i].key, key) == 0)
			return &rows[i];
	return NULL;
}

static struct finding
find(const struct explain *e, const struct key *key)
{
	static char text[512];
	const struct row *row = find_row(key->path);
	struct finding f = { NONE, "-", X07_ONLY };
	const char *off, *why;

	if (row != NULL) {
		f.level = e->vm ? row->vm : row->os;
		f.how = e->vm && row->vm_how != NULL ? row->vm_how : row->os_how;
	}
	if (f.level != NONE)
		f.by = key_gate_name(key->gate);
	if (e->vm && row != NULL && row->vm_how != NULL)
		f.by = "x07-vmrun";
	find_sum(e, key->path, &f);
	if (e->swept && strcmp(key->path, "limits.wall_ms") == 0) {
		f.level = PART;
		f.how = "all that is found below a subreaper is killed; no namespace "
		    "holds it";
	}
	if (forbids_nothing(e, key))
		return (struct finding){ FREE, "-", "forbids nothing" };
	if ((off = switched_off(e, key->path)) != NULL) {
		snprintf(text, sizeof(text), "%s is false", off);
		return (struct finding){ FREE, "-", text };
	}
	if (e->vm && e->vm_missing != NULL)
		return (struct finding){ REFUSED, "x07-vmrun", e->vm_missing };
	if (e->vm && row != NULL && f.level != NONE && row->vm_how == NULL) {
		snprintf(text, sizeof(text), "in the guest: %s", f.how);
		f.how = text;
	}
	why = f.level == NONE ? NULL : e->missing[key->gate];
	if (why != NULL)
		return (struct finding){ REFUSED, f.by, why };
	return f;
}

/* ---- output ---- */

/* The value as text, items of lists behind commas. */
static void
write_value(FILE *fp, const struct explain *e, const struct key *key)
{
	const char *const *items;
	size_t i, n;
	char vis[4 * 4096 + 1];

	if (key->type == KEY_BOOL)
		fputs(form_bool(e->form, key->path, false) ? "true" : "false", fp);
	else if (!key_is_list(key))
		fputs(form_get(e->form, key->path), fp);
	else if ((n = form_list(e->form, key->path, &items)) == 0)
		fputs("(none)", fp);
	else
		for (i = 0; i < n; i++)
			fprintf(fp, "%s%s", i > 0 ? "," : "",
			    diag_vis(vis, sizeof(vis), items[i], strlen(items[i])));
}

static void
print_text(const struct explain *e, const struct key *key,
    const struct finding *f)
{
	char *value;
	size_t len;
	FILE *fp;

	if ((fp = open_memstream(&value, &len)) == NULL)
		die_errno("policy");
	write_value(fp, e, key);
	if (fclose(fp) == EOF)
		die_errno("policy");
	if (len > 24)
		memcpy(value + 21, "...", 4);
	if (e->told == 0)
		printf("%-30s %-24s %-8s %-13s %s\n", "KEY", "VALUE", "ENFORCED",
		    "BY", "HOW");
	printf("%-30s %-24s %-8s %-13s %s\n", key->path, value,
	    level_names[f->level], f->by, f->how);
	free(value);
}

static void
print_json(const struct explain *e, const struct key *key,
    const struct finding *f)
{
	static const char *const words[] = {
		[FREE] = "nothing", [FULL] = "yes", [PART] = "partly",
		[NONE] = "no", [REFUSED] = "refused",
	};
	const char *const *items;
	size_t i, n;

	printf("%s\n{\"key\":\"%s\",\"value\":", e->told > 0 ? "," : "", key->path);
	if (key_is_list(key)) {
		n = form_list(e->form, key->path, &items);
		printf("[");
		for (i = 0; i < n; i++) {
			printf("%s", i > 0 ? "," : "");
			json_write_string(stdout, items[i]);
		}
		printf("]");
	} else if (key->type == KEY_BOOL)
		printf("%s", form_bool(e->form, key->path, false) ? "true" : "false");
	else
		printf("%" PRId64, form_int(e->form, key->path, 0));
	printf(",\"enforced\":\"%s\",\"by\":", words[f->level]);
	if (strcmp(f->by, "-") == 0)
		printf("null");
	else
		json_write_string(stdout, f->by);
	printf(",\"how\":");
	json_write_string(stdout, f->how);
	printf("}");
}

static void
explain_all(struct explain *e)
{
	const struct key *key;
	struct finding f;

	if (e->json)
		printf("{\"backend\":\"%s\",\"keys\":[", e->vm ? "vm" : "os");
	for (key = policy_keys; key < policy_keys + policy_nkeys; key++) {
		if (key->sense == MORE_NOT)
			continue;
		f = find(e, key);
		if (e->unenforced && (f.level == FREE || f.level == FULL))
			continue;
		if (e->json)
			print_json(e, key, &f);
		else
			print_text(e, key, &f);
		e->told++;
	}
	if (e->json)
		printf("%s]}\n", e->told > 0 ? "\n" : "");
}

const char *
form_unenforced(struct form *form, bool vm, bool x07)
{
	struct explain e = { .form = form, .vm = vm };
	const char *found = NULL;

	probe(&e);
	for (size_t i = 0; i < policy_nkeys && found == NULL; i++) {
		const struct key *key = &policy_keys[i];
		struct finding f;

		if (key->sense == MORE_NOT)
			continue;
		f = find(&e, key);
		if (f.level == NONE && !(x07 &&
		    (strncmp(f.how, X07_ONLY, strlen(X07_ONLY)) == 0 ||
		    strcmp(f.how, X07_COMPILER) == 0)))
			found = key->path;
	}
	if (e.group != NULL)
		os_group_remove(e.group);
	return found;
}

int
cmd_explain(int argc, char **argv)
{
	static const struct option options[] = {
		{ "backend", required_argument, NULL, 'b' },
		{ "json", no_argument, NULL, 'j' },
		{ "unenforced", no_argument, NULL, 'u' },
		{ NULL, 0, NULL, 0 }
	};
	struct explain e = { 0 };
	const char *root = NULL;
	int ch;

	while ((ch = getopt_long(argc, argv, "+C:b:ju", options, NULL)) != -1)
		switch (ch) {
		case 'C':
			root = optarg;
			break;
		case 'b':
			e.vm = strcmp(optarg, "vm") == 0;
			if (!e.vm && strcmp(optarg, "os") != 0)
				die("--backend %s: must be os or vm", optarg);
			break;
		case 'j':
			e.json = true;
			break;
		case 'u':
			e.unenforced = true;
			break;
		default:
			usage_error();
		}
	if (argc - optind != 1)
		usage_error();
	e.form = load_parsed_form(argv[optind], root);
	probe(&e);
	explain_all(&e);
	if (e.group != NULL)
		os_group_remove(e.group);
	return e.unenforced && e.told > 0 ? EXIT_NO : EXIT_YES;
}
