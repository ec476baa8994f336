/*
 * x07-bundle: makes one executable of a program, its policy and the gates, and
 * looks into such files.
 */
#include <sys/stat.h>
#include <sys/utsname.h>

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vm.h"
#include "x07-bundle.h"

static void
say(const char *fmt, va_list ap, int err)
{
	char text[2048], vis[4096];

	vsnprintf(text, sizeof(text), fmt, ap);
	fprintf(stderr, "x07-bundle: %s%s%s\n", diag_vis(vis, sizeof(vis), text,
	    strlen(text)), err != 0 ? ": " : "", err != 0 ? strerror(err) : "");
}

void
die(int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap, 0);
	va_end(ap);
	exit(status);
}

void
die_errno(int status, const char *fmt, ...)
{
	int err = errno;
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap, err);
	va_end(ap);
	exit(status);
}

static _Noreturn void
usage(void)
{
	fputs(
"usage: x07-bundle [options] --out PATH [--] program\n"
"       x07-bundle inspect [-j] FILE\n"
"       x07-bundle verify FILE...\n"
"       x07-bundle extract FILE DIR\n"
"Makes one executable of a program, its policy and the gates.\n"
"\n"
"  --project FILE|DIR        the program and the profiles of a project: what\n"
"                            x07 bundle does\n"
"  --profile os|sandbox      with or without a policy (sandbox)\n"
"  --out PATH                the file to write; a directory: in it, by the name\n"
"                            of the program\n"
"  --policy FILE             the policy, for sandbox\n"
"  --allow-host HOST:PORT[,PORT]     --allow-host-file FILE\n"
"  --deny-host HOST:*|HOST:PORT      --deny-host-file FILE\n"
"  --allow-read-root PATH            --allow-write-root PATH\n"
"                            bundle a policy derived from the given one\n"
"  --sandbox-backend vm|os   what holds the program when it runs (vm)\n"
"  --i-accept-weaker-isolation\n"
"                            needed for os: no kernel of its own\n"
"  --vm-backend NAME         the machine (qemu); for the others also\n"
"  --vm-image REF --vm-image-digest sha256:HEX\n"
"  --root DIR                what relative paths of policy and overrides are\n"
"                            relative to (the current directory)\n"
"  --emit-dir DIR            also write the report and the policy there\n"
"  --oci DIR                 also write it as an OCI image layout, in a new\n"
"                            directory (not for a machine: that has its own)\n"
"  -h, --help    --version\n"
"\n"
"x07 bundle takes the program from a project; see x07(1).\n", stdout);
	exit(0);
}

/* ---- options ---- */

enum {
	OPT_PROFILE = 0x100, OPT_WORLD, OPT_OUT, OPT_POLICY, OPT_BACKEND,
	OPT_ACCEPT, OPT_ROOT, OPT_EMIT_DIR, OPT_MANIFEST, OPT_OVERRIDE,
	OPT_VERSION, OPT_PROJECT, OPT_OCI, OPT_VM_BACKEND, OPT_VM_IMAGE, OPT_VM_DIGEST,
};

static const struct option longopts[] = {
	{ "profile",		required_argument, NULL, OPT_PROFILE },
	{ "world",		required_argument, NULL, OPT_WORLD },
	{ "out",		required_argument, NULL, OPT_OUT },
	{ "policy",		required_argument, NULL, OPT_POLICY },
	{ "sandbox-backend",	required_argument, NULL, OPT_BACKEND },
	{ "i-accept-weaker-isolation", no_argument, NULL, OPT_ACCEPT },
	{ "root",		required_argument, NULL, OPT_ROOT },
	{ "emit-dir",		required_argument, NULL, OPT_EMIT_DIR },
	{ "emit",		required_argument, NULL, OPT_EMIT_DIR },
	{ "manifest",		required_argument, NULL, OPT_MANIFEST },
	{ "project",		required_argument, NULL, OPT_PROJECT },
	{ "oci",		required_argument, NULL, OPT_OCI },
	{ "vm-backend",		required_argument, NULL, OPT_VM_BACKEND },
	{ "vm-image",		required_argument, NULL, OPT_VM_IMAGE },
	{ "vm-image-digest",	required_argument, NULL, OPT_VM_DIGEST },
	{ "allow-host",		required_argument, NULL, OPT_OVERRIDE },
	{ "allow-host-file",	required_argument, NULL, OPT_OVERRIDE },
	{ "deny-host",		required_argument, NULL, OPT_OVERRIDE },
	{ "deny-host-file",	required_argument, NULL, OPT_OVERRIDE },
	{ "allow-read-root",	required_argument, NULL, OPT_OVERRIDE },
	{ "allow-write-root",	required_argument, NULL, OPT_OVERRIDE },
	{ "help",		no_argument, NULL, 'h' },
	{ "version",		no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

/* What the command line says, before it is made sense of. */
struct line {
	const char	*profile, *world, *backend;
	bool		 accept;
	char		**overrides;	/* flag, value, ... */
	size_t		 noverrides;
};

static void
keep_override(struct line *l, const char *name, const char *value)
{
	l->overrides = reallocarray(l->overrides, l->noverrides + 2,
	    sizeof(*l->overrides));
	if (l->overrides == NULL || asprintf(&l->overrides[l->noverrides],
	    "--%s", name) == -1 ||
	    (l->overrides[l->noverrides + 1] = strdup(value)) == NULL)
		die_errno(EXIT_USAGE, "memory");
	l->noverrides += 2;
}

/* Projects are the front end's matter; it calls us with what it finds in them. */
static _Noreturn void
front_end(char *argv[])
{
	static char name[] = "x07", command[] = "bundle";
	char *tool = chain_sibling(name), **words;
	size_t n = 0;

	if (tool == NULL)
		die(EXIT_USAGE, "--project needs x07 beside x07-bundle");
	while (argv[n] != NULL)
		n++;
	words = calloc(n + 2, sizeof(*words));
	if (words == NULL)
		die_errno(EXIT_USAGE, "memory");
	words[0] = name;
	words[1] = command;
	memcpy(words + 2, argv + 1, n * sizeof(*words));
	execv(tool, words);
	die_errno(EXIT_USAGE, "%s", tool);
}

static void
parse(struct order *o, struct line *l, int argc, char *argv[])
{
	int opt, at;

	while ((opt = getopt_long(argc, argv, "+h", longopts, &at)) != -1) {
		if (opt >= OPT_PROFILE && longopts[at].has_arg != no_argument &&
		    *optarg == '\0')
			die(EXIT_USAGE, "--%s: its argument is empty",
			    longopts[at].name);
		switch (opt) {
		case OPT_PROFILE: l->profile = optarg; break;
		case OPT_WORLD: l->world = optarg; break;
		case OPT_OUT: o->out = optarg; break;
		case OPT_POLICY: o->policy = optarg; break;
		case OPT_BACKEND: l->backend = optarg; break;
		case OPT_ACCEPT: l->accept = true; break;
		case OPT_ROOT: o->root = optarg; break;
		case OPT_EMIT_DIR: o->emit_dir = optarg; break;
		case OPT_MANIFEST: o->manifest = optarg; break;
		case OPT_PROJECT: front_end(argv);
		case OPT_OCI: o->oci = optarg; break;
		case OPT_VM_BACKEND: o->vm_backend = optarg; break;
		case OPT_VM_IMAGE: o->vm_image = optarg; break;
		case OPT_VM_DIGEST: o->vm_digest = optarg; break;
		case OPT_OVERRIDE:
			keep_override(l, longopts[at].name, optarg);
			break;
		case OPT_VERSION:
			printf("x07-bundle %s\n", X07_VERSION);
			exit(0);
		case 'h':
			usage();
		default:
			/* getopt(3) has said what is wrong, in one line. */
			exit(EXIT_USAGE);
		}
	}
}

/* ---- making sense of them ---- */

/* 1, true, yes or 0, false, no, as in spec/run-vm-bundle.md 5. */
static bool
env_yes(const char *name)
{
	static const char *const yes[] = { "1", "true", "TRUE", "yes", "YES" };
	static const char *const no[] = { "", "0", "false", "FALSE", "no", "NO" };
	const char *v = getenv(name);

	if (v == NULL)
		return false;
	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		if (strcmp(v, yes[i]) == 0)
			return true;
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		if (strcmp(v, no[i]) == 0)
			return false;
	die(EXIT_USAGE, "%s=%s: must be 1, true, yes, 0, false or no", name, v);
}

static bool
is_sandboxed(const struct line *l, const struct order *o)
{
	const char *world = l->world;

	if (world == NULL && l->profile != NULL && strcmp(l->profile, "os") == 0)
		world = "run-os";
	if (world == NULL && l->profile != NULL &&
	    strcmp(l->profile, "sandbox") == 0)
		world = "run-os-sandboxed";
	if (world == NULL && l->profile != NULL)
		die(EXIT_USAGE, "unknown profile '%s'; available: os, sandbox "
		    "(x07 bundle knows those of a project)", l->profile);
	if (world == NULL)
		world = o->policy != NULL ? "run-os-sandboxed" : "run-os";
	if (strcmp(world, "run-os-sandboxed") == 0)
		return true;
	if (strcmp(world, "run-os") != 0)
		die(EXIT_USAGE, "world %s is not run-os or run-os-sandboxed",
		    world);
	if (o->policy != NULL || l->backend != NULL || l->noverrides > 0)
		die(EXIT_USAGE, "--policy, --sandbox-backend and overrides require "
		    "run-os-sandboxed; add --profile sandbox");
	return false;
}

static void
choose_backend(struct order *o, const struct line *l)
{
	const char *b = l->backend != NULL ? l->backend :
	    getenv("X07_SANDBOX_BACKEND");
	bool accept = env_yes("X07_I_ACCEPT_WEAKER_ISOLATION") || l->accept;

	o->vm = b == NULL || *b == '\0' || strcasecmp(b, "auto") == 0 ||
	    strcasecmp(b, "vm") == 0;
	if (o->vm)
		return;
	if (strcasecmp(b, "os") != 0 && strcasecmp(b, "native") != 0 &&
	    strcasecmp(b, "none") != 0)
		die(EXIT_USAGE, "sandbox backend '%s' is not auto, vm, os or "
		    "none", b);
	if (!accept)
		die(EXIT_USAGE, "run-os-sandboxed defaults to sandbox_backend=vm; "
		    "for a bundle with sandbox_backend=os add "
		    "--i-accept-weaker-isolation, or set "
		    "X07_I_ACCEPT_WEAKER_ISOLATION=1");
}

/* The guest of a bundle: this machine's kernel for QEMU, or an image by digest. */
static void
choose_machine(struct order *o)
{
	if (o->vm_backend == NULL)
		o->vm_backend = getenv("X07_VM_BACKEND");
	if (o->vm_backend == NULL || *o->vm_backend == '\0' ||
	    strcmp(o->vm_backend, "auto") == 0)
		o->vm_backend = "qemu";
	if (strcmp(o->vm_backend, "qemu") == 0) {
		if (o->vm_image != NULL)
			die(EXIT_USAGE, "--vm-image is for the container backends; "
			    "for qemu the guest is made of this machine's kernel "
			    "(X07_VM_KERNEL)");
		return;
	}
	if (o->vm_image == NULL || o->vm_digest == NULL)
		die(EXIT_USAGE, "backend %s needs --vm-image REF and "
		    "--vm-image-digest sha256:HEX: a bundle names its guest by "
		    "digest", o->vm_backend);
	if (!vm_digest_valid(o->vm_digest))
		die(EXIT_USAGE, "--vm-image-digest %s: must be sha256: and 64 "
		    "lower-case hexadecimal digits", o->vm_digest);
	if (strpbrk(o->vm_image, " \n") != NULL)
		die(EXIT_USAGE, "--vm-image %s: no reference to an image",
		    o->vm_image);
}

static char *
absolute(const char *root, const char *path)
{
	char *p = path_normalise(root, path);

	if (p == NULL)
		die_errno(EXIT_USAGE, "%s", path);
	return p;
}

static void
derive(struct order *o, const struct line *l)
{
	char **argv = calloc(l->noverrides + 8, sizeof(*argv));
	char name[] = "derive", C[] = "-C", f[] = "--for", who[] = "x07 bundle",
	    end[] = "--";
	size_t n = 0;
	struct bytes b;
	int status;

	if (argv == NULL)
		die_errno(EXIT_USAGE, "memory");
	argv[n++] = vm_tool("x07-policy");
	argv[n++] = name;
	argv[n++] = C;
	argv[n++] = strdup(o->root);
	argv[n++] = f;
	argv[n++] = who;
	for (size_t i = 0; i < l->noverrides; i++) {
		argv = reallocarray(argv, n + 4, sizeof(*argv));
		if (argv == NULL)
			die_errno(EXIT_USAGE, "memory");
		argv[n++] = l->overrides[i];
	}
	argv[n++] = end;
	argv[n++] = strdup(o->policy);
	argv[n] = NULL;
	b = run_tool(argv, &status);
	if (status != 0)
		exit(status);
	b.data[strcspn(b.data, "\n")] = '\0';
	o->policy = b.data;
	free(argv);
}

static void
choose_policy(struct order *o, const struct line *l)
{
	if (o->policy == NULL)
		die(EXIT_USAGE, "run-os-sandboxed requires --policy FILE (make "
		    "one: x07 policy init --template cli)");
	o->policy = absolute(o->root, o->policy);
	if (access(o->policy, F_OK) == -1)
		die(EXIT_USAGE, "missing policy file: %s", o->policy);
	o->base = o->policy;
	if (l->noverrides > 0)
		derive(o, l);
}

/* A directory means: in it, by the name of the program or the project. */
static const char *
out_path(const struct order *o)
{
	const char *name = o->manifest != NULL ? o->root : o->program;
	const char *slash = strrchr(name, '/');
	size_t len = strlen(o->out);
	struct stat st;
	char *path;

	if (o->out[len - 1] != '/' &&
	    (stat(o->out, &st) == -1 || !S_ISDIR(st.st_mode)))
		return o->out;
	name = slash != NULL && slash[1] != '\0' ? slash + 1 : "app";
	if (asprintf(&path, "%s%s%s", o->out, o->out[len - 1] == '/' ? "" : "/",
	    name) == -1)
		die_errno(EXIT_USAGE, "memory");
	return path;
}

/* dist/app needs no dist. */
static void
make_parents(const char *path)
{
	char *dir = strdup(path);

	if (dir == NULL)
		die_errno(EXIT_USAGE, "memory");
	for (char *p = dir; (p = strchr(p + 1, '/')) != NULL; ) {
		*p = '\0';
		if (mkdir(dir, 0777) == -1 && errno != EEXIST)
			die_errno(EXIT_USAGE, "%s", dir);
		*p = '/';
	}
	free(dir);
}

static int
make(int argc, char *argv[])
{
	struct order o = { .out = NULL };
	struct line l = { .profile = NULL };
	struct utsname machine;
	char cwd[PATH_MAX], *found;
	bool sandboxed;

	parse(&o, &l, argc, argv);
	argv += optind;
	if (getcwd(cwd, sizeof(cwd)) == NULL)
		die_errno(EXIT_USAGE, "the current directory");
	if (argv[0] == NULL)
		die(EXIT_USAGE, "no program given; usage: x07-bundle [options] "
		    "--out PATH [--] program (x07 bundle takes one from a project)");
	if (argv[1] != NULL)
		die(EXIT_USAGE, "%s: a bundle gets its arguments when it is run",
		    argv[1]);
	if (o.out == NULL || *o.out == '\0')
		die(EXIT_USAGE, "--out PATH is missing");
	o.root = absolute(cwd, o.root != NULL ? o.root : ".");
	sandboxed = is_sandboxed(&l, &o);
	if (sandboxed) {
		choose_backend(&o, &l);
		choose_policy(&o, &l);
	}
	if (uname(&machine) == -1)
		die_errno(EXIT_USAGE, "uname");
	o.arch = machine.machine;
	if (o.vm)
		choose_machine(&o);
	if (o.oci != NULL)
		oci_check(&o);		/* before anything is written */
	if (o.vm && o.oci != NULL)
		die(EXIT_USAGE, "--oci is for bundles without a machine of their "
		    "own: the runtime that takes the image has one; add "
		    "--sandbox-backend os --i-accept-weaker-isolation");
	found = chain_lookup(argv[0]);
	if (found == NULL)
		die_errno(EXIT_USAGE, "%s%s", argv[0], strchr(argv[0], '/') ==
		    NULL ? " (looked for in PATH; a file here is ./NAME)" : "");
	/* Links are the caller's way to it; the file is what is packed. */
	o.program = realpath(found, NULL);
	if (o.program == NULL)
		die_errno(EXIT_USAGE, "%s", found);
	o.out = out_path(&o);
	make_parents(o.out);
	make_bundle(&o);
	return 0;
}

int
main(int argc, char *argv[])
{
	static const struct {
		const char	*name;
		int		(*run)(int argc, char *argv[]);
	} commands[] = {
		{ "inspect", cmd_inspect }, { "verify", cmd_verify },
		{ "extract", cmd_extract },
	};

	setprogname("x07-bundle");
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (argc > 1 && strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	return make(argc, argv);
}
