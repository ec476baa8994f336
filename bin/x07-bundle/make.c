/* Puts a bundle together: the same input gives the same bytes. */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "json.h"
#include "os.h"
#include "vm.h"
#include "x07-bundle.h"

#define STUB		"bundle-stub"

/* What a bundle needs of the suite; what it asks for by name stays together. */
static const char *const gates[] = {
	"environ", "x07-execgate", "x07-fsgate", "x07-limit", "x07-netgate", NULL,
};
static const char *const machine[] = {
	"environ", "netmux", "vm-reaper", "x07-fsgate", "x07-netgate", "x07-vmrun",
	NULL,
};

/* What QEMU's guest has in its image, and a container is shown. */
static const char *const container[] = {
	"guestrun", "x07-execgate", "x07-limit", NULL,
};

static char	*guest_digest;		/* of a bundle for a machine */

char *
join(const char *a, const char *b)
{
	char *s;

	if (asprintf(&s, "%s%s", a, b) == -1)
		die_errno(EXIT_USAGE, "memory");
	return s;
}

static const char *
base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* ---- parts ---- */

static void
add_file(struct bundle *b, const char *name, unsigned mode, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd == -1 || fstat(fd, &st) == -1)
		die_errno(EXIT_USAGE, "%s", path);
	if (!S_ISREG(st.st_mode))
		die(EXIT_USAGE, "%s is not a file", path);
	if (bundle_add_fd(b, name, mode, fd) == -1)
		die_errno(EXIT_USAGE, "cannot write %s", name);
	close(fd);
}

static void
add_bytes(struct bundle *b, const char *name, const char *data, size_t len)
{
	if (bundle_add(b, name, 0444, data, len) == -1)
		die_errno(EXIT_USAGE, "cannot write %s", name);
}

/* A name that a table of parts can hold. */
static const char *
part_name(const char *path)
{
	for (const char *p = path; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~' || *p == ':' || *p == '\\')
			die(EXIT_USAGE, "%s: a bundle cannot have this name: "
			    "printable ASCII without blank, ':' and '\\' only; "
			    "rename it", path);
	return path;
}

static void
add_libs(struct bundle *b, const char *program)
{
	char *name, *text = NULL;
	size_t n, len = 0;
	struct lib *libs = libs_of(program, &n);
	FILE *links = open_memstream(&text, &len);

	if (links == NULL)
		die_errno(EXIT_USAGE, "memory");
	for (size_t i = 0; i < n; i++) {
		part_name(libs[i].path);
		if (libs[i].of != NULL) {
			fprintf(links, "%s %s\n", libs[i].path, libs[i].of);
			continue;
		}
		name = join(BUNDLE_LIB, libs[i].path);
		add_file(b, name, 0555, libs[i].path);
		free(name);
	}
	if (fclose(links) == EOF)
		die_errno(EXIT_USAGE, "memory");
	if (len > 0)
		add_bytes(b, BUNDLE_LINKS, text, len);
	free(text);
}

/* The normal form of a policy; exits when x07-policy has said what is wrong with it. */
static struct bytes
compile(const char *policy)
{
	char name[] = "compile", C[] = "-C", slash[] = "/", end[] = "--";
	char *path = join(policy, "");
	char *argv[] = { vm_tool("x07-policy"), name, C, slash, end, path, NULL };
	struct bytes form;
	int status;

	form = run_tool(argv, &status);
	if (status != 0)
		exit(status == 1 ? EXIT_SCHEMA : EXIT_USAGE);
	free(path);
	return form;
}

/* The policy's bytes, which it returns, and the normal form of these very bytes. */
static struct bytes
add_policy(struct bundle *b, const struct order *o)
{
	struct bytes policy = read_file(o->policy), form;
	char fdpath[32];
	int fd = os_seal(policy.data, policy.len);

	if (fd == -1 || fcntl(fd, F_SETFD, 0) == -1)
		die_errno(EXIT_USAGE, "memory");
	snprintf(fdpath, sizeof(fdpath), "/dev/fd/%d", fd);
	/* Of the file, for its name in what is wrong; of our copy, for use. */
	free(compile(o->policy).data);
	form = compile(fdpath);
	close(fd);
	add_bytes(b, BUNDLE_FORM, form.data, form.len);
	add_bytes(b, BUNDLE_POLICY, policy.data, policy.len);
	free(form.data);
	return policy;
}

static void
add_tool(struct bundle *b, const char *tool)
{
	char *name = join(BUNDLE_GATE, tool), *path = vm_tool(tool);

	add_file(b, name, 0555, path);
	free(name);
	free(path);
}

static void
add_machine(struct bundle *b, const struct order *o, const struct bytes *policy)
{
	char *driver = join("vm-", o->vm_backend), *text;

	for (size_t i = 0; machine[i] != NULL; i++)
		add_tool(b, machine[i]);
	for (size_t i = 0; o->vm_image != NULL && container[i] != NULL; i++)
		add_tool(b, container[i]);
	add_tool(b, driver);
	text = sidecar_make(o, policy, &guest_digest);
	add_bytes(b, BUNDLE_VM, text, strlen(text));
	free(driver);
	free(text);
}

/* What it is, for people; nothing is decided by it. */
static void
add_about(struct bundle *b, const struct order *o)
{
	struct json_error e;
	struct json *doc = json_parse("{}", 2, &e);
	struct json_value *root = json_root(doc);
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (f == NULL)
		die_errno(EXIT_USAGE, "memory");
	json_set(doc, root, "schema_version",
	    json_new_string(doc, "x07.bundle@0.1.0"));
	json_set(doc, root, "name", json_new_string(doc, base(o->program)));
	json_set(doc, root, "world", json_new_string(doc, o->policy != NULL ?
	    "run-os-sandboxed" : "run-os"));
	json_set(doc, root, "sandbox_backend", json_new_string(doc,
	    o->policy == NULL ? "none" : o->vm ? "vm" : "os"));
	json_set(doc, root, "x07_version", json_new_string(doc, X07_VERSION));
	json_write(f, root, JSON_PRETTY);
	if (fclose(f) == EOF)
		die_errno(EXIT_USAGE, "memory");
	add_bytes(b, BUNDLE_ABOUT, text, len);
	free(text);
	json_free(doc);
}

static void
add_parts(struct bundle *b, const struct order *o)
{
	char *name = join(BUNDLE_PROGRAM, part_name(base(o->program)));
	struct bytes policy;
	char *tool;

	tool = vm_tool(STUB);
	add_file(b, BUNDLE_STUB, 0555, tool);
	free(tool);
	add_about(b, o);
	/* With a machine it lies in the sidecar, as "payload". */
	if (o->vm)
		add_bytes(b, name, "", 0);
	else
		add_file(b, name, 0555, o->program);
	free(name);
	if (o->policy == NULL)
		return;
	policy = add_policy(b, o);
	if (o->vm)
		add_machine(b, o, &policy);
	for (size_t i = 0; !o->vm && gates[i] != NULL; i++)
		add_tool(b, gates[i]);
	free(policy.data);
	add_libs(b, o->program);
}

/* ---- the report of spec/run-vm-bundle.md 7 ---- */

static struct json_value *
text_or_null(struct json *doc, const char *s)
{
	return s != NULL ? json_new_string(doc, s) : json_new(doc, JSON_NULL);
}

static struct json_value *
report_policy(struct json *doc, const struct order *o)
{
	struct json_value *v;

	if (o->policy == NULL)
		return json_new(doc, JSON_NULL);
	v = json_new(doc, JSON_OBJECT);
	json_set(doc, v, "base_policy", text_or_null(doc, o->base));
	json_set(doc, v, "effective_policy", json_new_string(doc, o->policy));
	json_set(doc, v, "embedded_env_keys", json_new(doc, JSON_ARRAY));
	return v;
}

static struct json_value *
report_guest(struct json *doc, const struct order *o)
{
	struct json_value *v, *sub;

	if (!o->vm)
		return json_new(doc, JSON_NULL);
	v = json_new(doc, JSON_OBJECT);
	json_set(doc, v, "contract", json_new_string(doc,
	    "x07.vm.bundle.manifest@0.2.0"));
	sub = json_new(doc, JSON_OBJECT);
	json_set(doc, sub, "os", json_new_string(doc, "linux"));
	json_set(doc, sub, "arch", json_new_string(doc, o->arch));
	json_set(doc, v, "platform", sub);
	sub = json_new(doc, JSON_OBJECT);
	json_set(doc, sub, "digest", text_or_null(doc, guest_digest));
	json_set(doc, sub, "ref", text_or_null(doc, o->vm_image));
	json_set(doc, v, "image", sub);
	json_set(doc, v, "entrypoint", json_new_string(doc, "payload"));
	json_set(doc, v, "workdir", json_new_string(doc, "/x07/work"));
	sub = json_new(doc, JSON_OBJECT);
	json_set(doc, sub, "job_in", json_new_string(doc, "/x07/in"));
	json_set(doc, sub, "job_out", json_new_string(doc, "/x07/out"));
	json_set(doc, v, "mounts", sub);
	return v;
}

static void
write_report(FILE *to, const struct order *o, const struct bundle *b)
{
	struct json_error e;
	struct json *doc = json_parse("{}", 2, &e);
	struct json_value *root = json_root(doc), *v, *abi;
	char hex[DIGEST_HEX], *digest;

	json_set(doc, root, "schema_version",
	    json_new_string(doc, "x07.bundle.report@0.3.0"));
	json_set(doc, root, "runner", json_new_string(doc, "host"));
	json_set(doc, root, "world", json_new_string(doc, o->policy != NULL ?
	    "run-os-sandboxed" : "run-os"));
	v = json_new(doc, JSON_OBJECT);
	json_set(doc, v, "kind", json_new_string(doc, o->manifest != NULL ?
	    "project" : "program"));
	json_set(doc, v, "path", json_new_string(doc, o->manifest != NULL ?
	    o->manifest : o->program));
	json_set(doc, v, "project_root", text_or_null(doc, o->manifest != NULL ?
	    o->root : NULL));
	json_set(doc, v, "lockfile", json_new(doc, JSON_NULL));
	json_set(doc, v, "resolved_module_roots", json_new(doc, JSON_ARRAY));
	json_set(doc, root, "target", v);
	v = json_new(doc, JSON_OBJECT);
	json_set(doc, v, "out", json_new_string(doc, o->out));
	json_set(doc, v, "name", json_new_string(doc, base(o->out)));
	abi = json_new(doc, JSON_OBJECT);
	json_set(doc, abi, "kind", json_new_string(doc, "argv_v1"));
	json_set(doc, v, "abi", abi);
	json_set(doc, v, "policy", report_policy(doc, o));
	json_set(doc, v, "emit_dir", text_or_null(doc, o->emit_dir));
	json_set(doc, v, "kind", json_new_string(doc, o->vm ? "vm" : "native"));
	json_set(doc, v, "guest", report_guest(doc, o));
	digest = join("sha256:", digest_hex(b->digest, hex));
	json_set(doc, v, "digest", json_new_string(doc, digest));
	json_set(doc, root, "bundle", v);
	json_set(doc, root, "report", json_new(doc, JSON_NULL));
	json_write(to, root, JSON_PRETTY);
	free(digest);
	json_free(doc);
}

/* ---- files ---- */

/* A file in the directory of path, to be renamed to it. */
static int
begin_file(struct unfinished *u, const char *path)
{
	int fd = unfinished_file(u, path);

	if (fd == -1)
		die_errno(EXIT_USAGE, "cannot write %s", path);
	return fd;
}

/* All of it is on the disk, and nothing is in the way of its name. */
static void
complete(int fd, const char *path, unsigned mode)
{
	struct stat st;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		die(EXIT_USAGE, "%s is a directory", path);
	if (fchmod(fd, mode) == -1 || fsync(fd) == -1 || close(fd) == -1)
		die_errno(EXIT_USAGE, "cannot write %s", path);
}

static void
place_file(struct unfinished *u, const char *path)
{
	if (unfinished_place(u, path) == -1)
		die_errno(EXIT_USAGE, "cannot write %s", path);
}

static void
emit_copy(const struct order *o, const char *name, const char *data, size_t len)
{
	char *dir = join(o->emit_dir, "/"), *path = join(dir, name);
	struct unfinished made;
	int fd = begin_file(&made, path);

	if (write(fd, data, len) != (ssize_t)len)
		die_errno(EXIT_USAGE, "cannot write %s", path);
	complete(fd, path, 0644);
	place_file(&made, path);
	free(path);
	free(dir);
}

/* What the reference leaves beside a bundle when asked to. */
static void
emit(const struct order *o, const char *report, size_t len)
{
	struct bytes policy;

	if (mkdir(o->emit_dir, 0777) == -1 && errno != EEXIST)
		die_errno(EXIT_USAGE, "--emit-dir %s", o->emit_dir);
	emit_copy(o, "report.json", report, len);
	if (o->policy == NULL)
		return;
	policy = read_file(o->policy);
	emit_copy(o, "policy.used.json", policy.data, policy.len);
	free(policy.data);
}

/* The file and what lies beside it belong together: no signal comes in between. */
static void
place_bundle(const struct order *o, struct unfinished *made, mode_t mode)
{
	sigset_t every, before;

	sigfillset(&every);
	sigprocmask(SIG_SETMASK, &every, &before);
	if (o->vm)
		sidecar_place(o, mode);
	place_file(made, o->out);
	sigprocmask(SIG_SETMASK, &before, NULL);
}

void
make_bundle(const struct order *o)
{
	struct unfinished made;
	struct bundle b = { .fd = begin_file(&made, o->out) };
	char *report = NULL;
	size_t len = 0;
	mode_t mask = umask(0);
	FILE *f;

	umask(mask);
	add_parts(&b, o);
	if (bundle_finish(&b) == -1)
		die_errno(EXIT_USAGE, "cannot write %s", o->out);
	complete(b.fd, o->out, 0777 & ~mask);
	place_bundle(o, &made, 0777 & ~mask);
	f = open_memstream(&report, &len);
	if (f == NULL)
		die_errno(EXIT_USAGE, "memory");
	write_report(f, o, &b);
	if (fclose(f) == EOF || fwrite(report, 1, len, stdout) != len ||
	    fflush(stdout) == EOF)
		die_errno(EXIT_USAGE, "standard output");
	if (o->emit_dir != NULL)
		emit(o, report, len);
	if (o->oci != NULL)
		oci_write(o);
	free(report);
}
