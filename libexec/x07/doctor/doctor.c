/*
 * doctor: tells what this machine can enforce, and for what is missing the
 * command that would change it here. It installs and changes nothing.
 */
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <glob.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"
#include "json.h"
#include "x07.h"

#define SCHEMA		"x07.doctor@0.1.0"
#define CHAIN_SECONDS	20
#define PROBE_SECONDS	20
#define MACHINE_SECONDS	120	/* a slow machine makes the image of the guest first */

enum { EXIT_CAN = 0, EXIT_CANNOT = 1, EXIT_USAGE = 2 };

static const char *const state_names[] = {
	[OS_STATE_OK] = "ok", [OS_STATE_WEAKER] = "weaker",
	[OS_STATE_MISSING] = "missing", [STATE_ABSENT] = "absent",
};

static struct json		*doc;
static struct json_value	*checks;
static const char		*bindir = ".";	/* where the tools are */
static const char		*libexec = ".";

void
tell(const char *name, int state, const char *detail, const char *fix)
{
	struct json_value *o = json_new(doc, JSON_OBJECT);

	json_set(doc, o, "name", json_new_string(doc, name));
	json_set(doc, o, "state", json_new_string(doc, state_names[state]));
	json_set(doc, o, "detail", json_new_string(doc, detail));
	json_set(doc, o, "fix", fix != NULL ? json_new_string(doc, fix) :
	    json_new(doc, JSON_NULL));
	json_append(checks, o);
}

static void
tell_finding(void *arg, const struct os_finding *f)
{
	(void)arg;
	tell(f->name, (int)f->state, f->detail, f->fix);
}

/* ---- the two backends, by trying ---- */

/* Runs true(1) behind all gates, as x07 would. */
static bool
try_gates(void)
{
	static const char *const gates[] = {
		"x07-limit", "x07-netgate", "x07-fsgate", "x07-execgate",
	};
	static char time[] = "-t", limit[] = "15s", dashes[] = "--";
	char *argv[16], text[TEXT_MAX];
	size_t n = 0;
	int status;

	for (size_t i = 0; i < 4; i++) {
		argv[n] = path_in(bindir, gates[i]);
		if (access(argv[n++], X_OK) == -1) {
			snprintf(text, sizeof(text), "%s is not installed", gates[i]);
			tell("gates", OS_STATE_MISSING, text, NULL);
			return false;
		}
		if (i == 0) {
			argv[n++] = time;
			argv[n++] = limit;
		}
		argv[n++] = dashes;
	}
	argv[n] = chain_lookup("true");
	if (argv[n++] == NULL)
		refuse("true(1) is not on PATH");
	argv[n] = NULL;
	status = run_quietly(argv, CHAIN_SECONDS, text);
	tell("gates", status == 0 ? OS_STATE_OK : OS_STATE_MISSING,
	    status == 0 ? "a program runs behind all four" :
	    *text != '\0' ? text : "the chain failed and did not say why", NULL);
	return status == 0;
}

/* What a tool says, without the name that it begins with. */
static const char *
without_name(const char *said, const char *name)
{
	size_t n = strlen(name);

	return strncmp(said, name, n) == 0 && strncmp(said + n, ": ", 2) == 0 ?
	    said + n + 2 : said;
}

/* Asks each driver of libexec/x07/vm-NAME whether it could run something. */
static bool
ask_drivers(void)
{
	static char probe[] = "probe";
	char text[TEXT_MAX], *pattern = path_in(libexec, "vm-*");
	bool any = false;
	glob_t g = { 0 };

	glob(pattern, 0, NULL, &g);
	for (size_t i = 0; i < g.gl_pathc; i++) {
		char *argv[] = { g.gl_pathv[i], probe, NULL };
		const char *name = strrchr(argv[0], '/') + 1;
		int status;

		/* The reaper is no driver: it ends what one has left. */
		if (access(argv[0], X_OK) == -1 ||
		    strcmp(name, "vm-reaper") == 0)
			continue;
		status = run_quietly(argv, PROBE_SECONDS, text);
		any = any || status == 0;
		tell(name, status == 0 ? OS_STATE_OK : STATE_ABSENT, status == 0 ?
		    "says it can run" : *text != '\0' ? without_name(text, name) :
		    "cannot run, and did not say why", NULL);
	}
	globfree(&g);
	free(pattern);
	return any;
}

/* Runs true(1) in a machine, whose image and state are in dir. */
static int
try_machine_in(const char *dir, char *vmrun, char text[TEXT_MAX])
{
	static char init[] = "init", template[] = "--template", cli[] = "cli",
	    out[] = "--out", q[] = "-q", p[] = "-p", dashes[] = "--";
	char *policy = path_in(dir, "policy.json");
	char *make[] = { path_in(bindir, "x07-policy"), init, template, cli, out,
	    policy, NULL };
	char *argv[] = { vmrun, q, p, policy, dashes, chain_lookup("true"), NULL };
	int status;

	if (argv[5] == NULL)
		refuse("true(1) is not on PATH");
	/* The roots of the policy are in it: nothing of the caller's is shared. */
	if (chdir(dir) == -1 || mkdir("out", 0700) == -1)
		refuse_errno("%s", dir);
	if (setenv("X07_VM_STATE_DIR", path_in(dir, "jobs"), 1) == -1 ||
	    setenv("XDG_CACHE_HOME", path_in(dir, "cache"), 1) == -1)
		refuse_errno("environment");
	status = run_quietly(make, PROBE_SECONDS, text);
	return status != 0 ? status : run_quietly(argv, MACHINE_SECONDS, text);
}

/* What drivers say of themselves is tried out. */
static bool
try_machines(const char *scratch)
{
	char text[TEXT_MAX], *vmrun = path_in(bindir, "x07-vmrun");
	char *dir = path_in(scratch, "machine");
	int status;

	if (access(vmrun, X_OK) == -1) {
		tell("x07-vmrun", STATE_ABSENT, "not installed", NULL);
		return false;
	}
	if (!ask_drivers())
		return false;
	if (mkdir(dir, 0700) == -1)
		refuse_errno("%s", dir);
	status = try_machine_in(dir, vmrun, text);
	if (chdir("/") == -1)
		refuse_errno("/");
	tell("machine", status == 0 ? OS_STATE_OK : STATE_ABSENT, status == 0 ?
	    "a program runs in one" : status == EXIT_TIMELIMIT ?
	    "does not start in time" : *text != '\0' ? text :
	    "does not start, and does not say why", NULL);
	return status == 0;
}

/* True when the file is an ELF program that asks for no loader. */
static bool
is_static(const char *path)
{
	unsigned char head[4096];
	FILE *f = fopen(path, "re");
	size_t n = f != NULL ? fread(head, 1, sizeof(head), f) : 0;

	if (f != NULL)
		fclose(f);
	/* The name of the loader stands near the beginning, as a whole path. */
	return n > 4 && memcmp(head, "\177ELF", 4) == 0 &&
	    memmem(head, n, "/ld-", 4) == NULL && memmem(head, n, "/ld.", 4) == NULL;
}

/* What goes into a guest must not need the host's libraries. */
static void
examine_guest_kit(void)
{
	static const char *const kit[] = {
		"x07-limit", "x07-netgate", "x07-fsgate", "x07-execgate",
	};
	char text[TEXT_MAX] = "", *path;

	for (size_t i = 0; i < sizeof(kit) / sizeof(kit[0]); i++) {
		path = path_in(bindir, kit[i]);
		if (!is_static(path))
			snprintf(text + strlen(text), sizeof(text) - strlen(text),
			    "%s%s", *text != '\0' ? ", " : "not static: ", kit[i]);
		free(path);
	}
	path = path_in(libexec, "guestinit");
	if (*text == '\0' && !is_static(path))
		snprintf(text, sizeof(text), "no static guestinit");
	free(path);
	tell("guest kit", *text == '\0' ? OS_STATE_OK : STATE_ABSENT,
	    *text == '\0' ? "static gates and guestinit" : text, NULL);
}

/* ---- what is tried leaves nothing ---- */

/* Where the user's settings of container tools are; they hold for what is tried. */
static char *
container_settings(void)
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

	if (config != NULL && *config == '/')
		return path_in(config, "containers");
	return home != NULL && *home == '/' ?
	    path_in(home, ".config/containers") : NULL;
}

/*
 * A directory for all that is tried, of ours alone. Container tools make files
 * where these variables say, even when they are only asked.
 */
static char *
scratch_make(void)
{
	static const char *const variables[][2] = {
		{ "XDG_CONFIG_HOME", "config" }, { "XDG_DATA_HOME", "data" },
		{ "XDG_RUNTIME_DIR", "run" },
	};
	const char *tmp = getenv("TMPDIR");
	char *dir = path_in(tmp != NULL && *tmp == '/' ? tmp : "/tmp",
	    "x07-doctor.XXXXXX"), *sub;
	char *settings = container_settings();

	if (mkdtemp(dir) == NULL)
		refuse_errno("%s", dir);
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
		sub = path_in(dir, variables[i][1]);
		if (mkdir(sub, 0700) == -1 ||
		    setenv(variables[i][0], sub, 1) == -1)
			refuse_errno("%s", sub);
		free(sub);
	}
	sub = path_in(dir, "config/containers");
	if (settings != NULL && symlink(settings, sub) == -1)
		refuse_errno("%s", sub);
	free(sub);
	free(settings);
	return dir;
}

/* podman, asked by an ordinary user, leaves a process that holds its namespaces. */
static void
end_pause_process(const char *scratch)
{
	char *path = path_in(scratch, "run/libpod/tmp/pause.pid");
	FILE *f = fopen(path, "re");
	char text[32];
	pid_t pid = 0;

	if (f != NULL && fgets(text, sizeof(text), f) != NULL)
		pid = (pid_t)strtol(text, NULL, 10);
	if (pid > 1)
		kill(pid, SIGKILL);
	if (f != NULL)
		fclose(f);
	free(path);
}

static void
scratch_remove(char *dir)
{
	end_pause_process(dir);
	remove_scratch(dir);
	free(dir);
}

/* ---- the result ---- */

/* What a sandboxed run without flags would get, as the environment stands. */
struct result {
	const char	*backend;	/* "vm" or "os"; NULL: none, and why */
	const char	*why;
	bool		 vm, os;	/* which can run here */
	bool		 can;		/* the one that it would get */
};

static void
print_text(const struct result *v)
{
	for (const struct json_value *c = checks->child; c != NULL; c = c->next) {
		const struct json_value *fix = json_member(c, "fix");
		char vis[TEXT_MAX];
		const char *detail = json_member(c, "detail")->string;

		printf("%-8s %-16s %s\n", json_member(c, "state")->string,
		    json_member(c, "name")->string,
		    diag_vis(vis, sizeof(vis), detail, strlen(detail)));
		if (fix->type == JSON_STRING)
			printf("%25s fix: %s\n", "", fix->string);
	}
	printf("\nsandbox_backend=vm: %s\n", v->vm ? "can run" : "cannot run here");
	printf("sandbox_backend=os: %s\n", v->os ?
	    "can run (weaker: needs --i-accept-weaker-isolation)" :
	    "cannot run here");
	if (v->can)
		printf("The sandbox profile can run (sandbox_backend=%s).\n",
		    v->backend);
	else if (v->backend == NULL)
		printf("The sandbox profile cannot run: %s.\n", v->why);
	else
		printf("The sandbox profile cannot run as it is%s.\n", v->os ?
		    "; it can with\n--sandbox-backend os --i-accept-weaker-isolation"
		    : "");
}

static void
print_json(const struct result *v)
{
	struct json_value *root = json_root(doc);
	struct json_value *b = json_new(doc, JSON_OBJECT);

	json_set(doc, root, "schema_version", json_new_string(doc, SCHEMA));
	json_set(doc, root, "checks", checks);
	json_set(doc, b, "vm", json_new_bool(doc, v->vm));
	json_set(doc, b, "os", json_new_bool(doc, v->os));
	json_set(doc, root, "backends", b);
	json_set(doc, root, "sandbox_backend", v->backend != NULL ?
	    json_new_string(doc, v->backend) : json_new(doc, JSON_NULL));
	json_set(doc, root, "sandbox_profile_can_run", json_new_bool(doc, v->can));
	json_write(stdout, root, JSON_PRETTY);
}

static _Noreturn void
usage(int status)
{
	fputs("usage: x07 doctor [-j]\n", status == 0 ? stdout : stderr);
	exit(status);
}

int
main(int argc, char *argv[])
{
	struct result v = { .backend = "vm" };
	struct json_error error;
	bool json = false;
	char *scratch;
	int ch;

	setprogname("x07 doctor");
	opterr = 0;
	while ((ch = getopt(argc, argv, "B:L:W:b:hj")) != -1)
		switch (ch) {
		case 'B':
			bindir = optarg;
			break;
		case 'L':
			libexec = optarg;
			break;
		case 'W':
			v.backend = NULL;
			v.why = optarg;
			break;
		case 'b':
			v.backend = optarg;
			break;
		case 'h':
			usage(0);
		case 'j':
			json = true;
			break;
		default:
			usage(EXIT_USAGE);
		}
	if (optind != argc)
		usage(EXIT_USAGE);
	doc = json_parse("{}", 2, &error);
	if (doc == NULL)
		refuse("%s", error.message);
	checks = json_new(doc, JSON_ARRAY);
	hold_signals();
	scratch = scratch_make();
	os_examine(tell_finding, NULL, geteuid() == 0);
	examine_programs(geteuid() == 0);
	v.os = try_gates();
	examine_guest_kit();
	v.vm = try_machines(scratch);
	scratch_remove(scratch);
	release_signals();
	v.can = v.backend != NULL && (strcmp(v.backend, "vm") == 0 ? v.vm : v.os);
	if (json)
		print_json(&v);
	else
		print_text(&v);
	if (fflush(stdout) == EOF)
		refuse_errno("standard output");
	return v.can ? EXIT_CAN : EXIT_CANNOT;
}
