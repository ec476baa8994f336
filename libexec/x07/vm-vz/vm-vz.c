/*
 * vm-vz - one program in a machine of macOS's Virtualization.framework, by the helper
 * x07-vz-helper. See x07-vm-vz(8).
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../vm-ctr/vm-ctr.h"
#include "digest.h"
#include "json.h"
#include "x07.h"

#define HELPER		"X07_VM_VZ_HELPER_BIN"
#define BUNDLE		"X07_VM_VZ_GUEST_BUNDLE"
#define MANIFEST	"manifest.json"
#define SHARES_MAX	66		/* the guest knows no more: in, out and 64 */
#define COPY_BYTES	(1 << 20)

static void
make_dir(const char *path)
{
	if (mkdir(path, 0700) == -1)
		refuse_errno("%s", path);
}

/* Copies a file; with c what is copied goes into the digest as well. */
static void
copy_file(const char *from, const char *to, mode_t mode, struct digest *c)
{
	static char buf[COPY_BYTES];
	int in = open(from, O_RDONLY | O_CLOEXEC), out;
	ssize_t n;

	if (in == -1)
		refuse_errno("%s", from);
	out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (out == -1)
		refuse_errno("%s", to);
	while ((n = read(in, buf, sizeof(buf))) > 0) {
		if (c != NULL)
			digest_add(c, buf, (size_t)n);
		if (write(out, buf, (size_t)n) != n)
			refuse_errno("%s", to);
	}
	if (n == -1 || close(in) == -1 || close(out) == -1)
		refuse_errno("%s", from);
}

/* ---- the guest bundle ---- */

/* The name of the file of that kind, from the copied manifest. */
static const char *
file_of(const char *manifest, const char *kind)
{
	static char text[65536];
	struct json_error error;
	struct json *json;
	const struct json_value *v = NULL;
	int fd = open(manifest, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd == -1 ? -1 : read(fd, text, sizeof(text));

	if (fd != -1)
		close(fd);
	json = n <= 0 ? NULL : json_parse(text, (size_t)n, &error);
	if (json != NULL)
		v = json_member(json_root(json), "linux");
	if (v != NULL)
		v = json_member(v, kind);
	if (v == NULL || v->type != JSON_STRING || *v->string == '\0' ||
	    *v->string == '.' || strchr(v->string, '/') != NULL)
		refuse("guest bundle: %s names no file for linux.%s", MANIFEST, kind);
	return v->string;
}

static void
take_part(struct digest *c, const char *label, const char *name, const char *from,
    const char *to)
{
	digest_add(c, label, strlen(label) + 1);
	copy_file(path_in(from, name), path_in(to, name), 0600, c);
}

/*
 * A bundle with a digest is run from a copy that was checked while it was made:
 * the original may change at any time.
 */
static char *
bundle_pin(struct job *j, const char *ref, const char *digest)
{
	static const char *const kinds[] = { "kernel", "rootfs", "cmdline" };
	const char *given = getenv(BUNDLE);
	char hex[DIGEST_HEX], *copy, *manifest;
	struct digest c;

	if (given != NULL && *given != '\0')
		ref = given;
	if (ref == NULL)
		refuse("no guest bundle: " BUNDLE " names its directory");
	if (access(path_in(ref, MANIFEST), R_OK) == -1)
		refuse_errno("guest bundle: %s/%s (" BUNDLE ")", ref, MANIFEST);
	if (digest == NULL) {
		copy = strdup(ref);
		if (copy == NULL)
			refuse_errno("memory");
		return copy;
	}
	copy = path_in(j->run->dir, "bundle");
	manifest = path_in(copy, MANIFEST);
	make_dir(copy);
	digest_start(&c);
	take_part(&c, MANIFEST, MANIFEST, ref, copy);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		take_part(&c, kinds[i], file_of(manifest, kinds[i]), ref, copy);
	digest_end_hex(&c, hex);
	if (strcmp(digest + strlen("sha256:"), hex) != 0)
		refuse("guest bundle %s is sha256:%s, but %s is asked for "
		    "(X07_VM_GUEST_IMAGE_DIGEST)", ref, hex, digest);
	return copy;
}

/* ---- what the guest is told ---- */

/*
 * Only directories can be shared: the gates are copied into one, and a single file of the
 * policy is refused.
 */
static void
share_directories(struct job *j)
{
	struct vm_mount *list = calloc(j->nmounts + 1, sizeof(*list));
	char *bin = path_in(j->run->dir, "bin");
	struct stat st;
	size_t n = 0;

	if (list == NULL)
		refuse_errno("memory");
	make_dir(bin);
	for (size_t i = 0; i < j->nmounts; i++) {
		const struct vm_mount *m = &j->mounts[i];

		if (stat(m->source, &st) == -1)
			refuse_errno("%s", m->source);
		if (S_ISDIR(st.st_mode))
			list[n++] = *m;
		else if (strncmp(m->target, "/x07/bin/", 9) == 0)
			copy_file(m->source, path_in(bin, m->target + 9), 0500,
			    NULL);
		else
			refuse("%s: vz shows directories only; list the one that it "
			    "lies in", m->source);
	}
	list[n++] = (struct vm_mount){ bin, "/x07/bin", true };
	if (n > SHARES_MAX)
		refuse("vz shows no more than %d directories, and the policy "
		    "lists more", SHARES_MAX - 3);
	j->mounts = list;
	j->nmounts = n;
}

static void
write_mounts(FILE *to, const struct job *j)
{
	const char *comma = "";

	for (size_t i = 0; i < j->nmounts; i++) {
		const char *tag = share_tag(j, i);

		/* The guest mounts these two by itself. */
		if (strcmp(tag, "x07in") == 0 || strcmp(tag, "x07out") == 0)
			continue;
		fprintf(to, "%s{\"tag\":\"%s\",\"guest_path\":", comma, tag);
		json_write_string(to, j->mounts[i].target);
		fprintf(to, ",\"readonly\":%s}",
		    j->mounts[i].read_only ? "true" : "false");
		comma = ",";
	}
}

/* in/request.json, which the guest's first process reads. */
static void
prepare(struct job *j)
{
	const struct vm_run *r = j->run;
	char *const *command = vm_command();
	FILE *to;

	share_directories(j);
	to = fopen(path_in(r->dir, "in/request.json"), "wxe");
	if (to == NULL)
		refuse_errno("%s/in/request.json", r->dir);
	fprintf(to, "{\"schema_version\":\"x07.guest.request@1\",\"run_id\":\"%s\","
	    "\"mounts\":[", r->id);
	write_mounts(to, j);
	fprintf(to, "],\"exec\":{\"path\":\"%s\",\"argv\":[\"%s\",\"%s\"],"
	    "\"env\":{}},\"expect\":{\"stdout_schema_version\":\"\","
	    "\"stdout_is_single_json_object\":false},\"limits\":{\"wall_ms\":%"
	    PRId64 ",\"stdout_max_bytes\":%" PRId64 ",\"stderr_max_bytes\":%"
	    PRId64 "}}\n", command[0], command[0], command[1],
	    r->wall_ms > 0 ? r->wall_ms : INT64_MAX,
	    r->stdout_bytes > 0 ? r->stdout_bytes : INT64_MAX,
	    r->stderr_bytes > 0 ? r->stderr_bytes : INT64_MAX);
	if (fclose(to) == EOF)
		refuse_errno("%s/in/request.json", r->dir);
}

/* ---- the helper's table ---- */

static const struct part base[] = {
	SETTING(NULL, HELPER, "x07-vz-helper"), END,
};

static const struct part probe[] = { WORD("preflight"), END };

static const struct part run[] = {
	WORD("run"),
	PART(PART_ID, "--run-id"),
	PART(PART_IMAGE, "--bundle"),
	PART(PART_DIR, "--state-dir"),
	PART(PART_MEMORY_BYTES, "--mem-bytes"),
	PART(PART_CPUS, "--cpus"),
	WORD("--net"), WORD("none"),
	PART(PART_WALL_MS, "--wall-ms"),
	PART(PART_GRACE_MS, "--grace-ms"),
	PART(PART_SHARES, "--share"),
	END,
};

/* The machine lives in the helper, and that dies with the driver. */
static const struct runtime vz = {
	.name = "vz", .what = "x07-vz-helper", .base = base, .probe = probe,
	.run = run, .pin = bundle_pin, .prepare = prepare, .image = "directory",
	.is_vm = true,
};

int
main(int argc, char *argv[])
{
	char *beside = getenv(HELPER) == NULL ? vm_find_tool("x07-vz-helper") : NULL;

	if (beside != NULL && setenv(HELPER, beside, 1) == -1)
		refuse_errno("memory");
	return vm_ctr_main(&vz, argc, argv);
}
