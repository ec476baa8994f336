/*
 * The directory beside a bundle for a machine: what spec/run-vm-bundle.md 7 puts
 * there, and the guest. The bundle carries the digest of each file.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "json.h"
#include "vm.h"
#include "x07-bundle.h"

static struct unfinished made;

/* Writes a file of the sidecar, and its line into the bundle's list. */
static void
put_file(FILE *list, const char *name, mode_t mode, const char *data, size_t len)
{
	char *dir = join(made.path, "/"), *path = join(dir, name);
	char hex[DIGEST_HEX];
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	FILE *f = fd != -1 ? fdopen(fd, "w") : NULL;

	if (f == NULL || fwrite(data, 1, len, f) != len || fflush(f) == EOF ||
	    fchmod(fd, mode) == -1 || fclose(f) == EOF)
		die_errno(EXIT_USAGE, "cannot write %s", path);
	fprintf(list, "file %s %s\n", name, digest_of(data, len, hex));
	free(path);
	free(dir);
}

/* Makes the guest's image in DIR/image; returns its digest. */
static char *
put_image(void)
{
	char image[] = "image", o[] = "-o", *dir = join(made.path, "/image");
	char *argv[] = { vm_tool("x07-vmrun"), image, o, dir, NULL };
	struct bytes b;
	int status;

	b = run_tool(argv, &status);
	if (status != 0)
		die(EXIT_COMPILE, "the guest image cannot be made");
	b.data[strcspn(b.data, "\n")] = '\0';
	if (!vm_digest_valid(b.data))
		die(EXIT_COMPILE, "x07-vmrun image told no digest");
	free(dir);
	return b.data;
}

/* The keys and their order are the reference's; the last two are ours. */
static char *
manifest_of(const struct order *o, const char *image, const char *digest,
    const char *payload, const char *policy)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (f == NULL)
		die_errno(EXIT_USAGE, "memory");
	fputs("{\n  \"schema_version\": \"x07.vm.bundle.manifest@0.2.0\",\n"
	    "  \"backend\": ", f);
	json_write_string(f, o->vm_backend);
	fputs(",\n  \"guest_image\": ", f);
	json_write_string(f, image);
	fputs(",\n  \"guest_digest\": ", f);
	json_write_string(f, digest);
	fprintf(f, ",\n  \"payload\": \"payload\",\n  \"workdir\": \"/x07/work\",\n"
	    "  \"policy\": \"policy.json\",\n  \"payload_digest\": \"sha256:%s\",\n"
	    "  \"policy_digest\": \"sha256:%s\"\n}\n", payload, policy);
	if (fclose(f) == EOF)
		die_errno(EXIT_USAGE, "memory");
	return text;
}

static char *
digest_text(const struct bytes *b)
{
	char *hex = malloc(DIGEST_HEX);

	if (hex == NULL)
		die_errno(EXIT_USAGE, "memory");
	return digest_of(b->data, b->len, hex);
}

char *
sidecar_make(const struct order *o, const struct bytes *policy, char **digest)
{
	struct bytes payload = read_file(o->program);
	char *path = join(o->out, ".vm"), *text = NULL, *manifest;
	const char *image = o->vm_image, *slash = strrchr(o->out, '/');
	size_t len = 0;
	FILE *list = open_memstream(&text, &len);

	if (list == NULL || unfinished_dir(&made, path) == -1)
		die_errno(EXIT_USAGE, "cannot write %s", path);
	if (image != NULL)
		*digest = strdup(o->vm_digest);
	else {
		image = "image";
		*digest = put_image();
	}
	fprintf(list, "sidecar %s.vm\nbackend %s\nimage %s\ndigest %s\n",
	    slash != NULL ? slash + 1 : o->out, o->vm_backend, image, *digest);
	put_file(list, "payload", 0555, payload.data, payload.len);
	put_file(list, "policy.json", 0444, policy->data, policy->len);
	manifest = manifest_of(o, image, *digest, digest_text(&payload),
	    digest_text(policy));
	put_file(list, "manifest.json", 0444, manifest, strlen(manifest));
	if (fclose(list) == EOF)
		die_errno(EXIT_USAGE, "memory");
	free(manifest);
	free(path);
	free(payload.data);
	return text;
}

/*
 * Out of the way, to be removed when the new one is there: that takes longer than
 * renaming, and cannot be taken back.
 */
static bool
set_aside(struct unfinished *old, const char *path)
{
	struct stat st;

	if (lstat(path, &st) == -1 && errno == ENOENT)
		return false;
	if (unfinished_dir(old, path) == -1 || (S_ISDIR(st.st_mode) ?
	    rename(path, old->path) : unlink(path)) == -1)
		die_errno(EXIT_USAGE, "cannot write %s", path);
	return true;
}

void
sidecar_place(const struct order *o, mode_t mode)
{
	char *path = join(o->out, ".vm"), *manifest = join(path, "/manifest.json");
	struct unfinished old;
	struct stat st;
	bool replaced;
	int err;

	/* Only what one of us has made is replaced. */
	if (lstat(path, &st) == 0 && access(manifest, F_OK) == -1)
		die(EXIT_USAGE, "%s exists and is no sidecar of a bundle", path);
	if (chmod(made.path, mode) == -1)
		die_errno(EXIT_USAGE, "%s", made.path);
	replaced = set_aside(&old, path);
	if (unfinished_place(&made, path) == -1) {
		err = errno;
		if (replaced)
			rename(old.path, path);
		errno = err;
		die_errno(EXIT_USAGE, "cannot write %s", path);
	}
	if (replaced)
		unfinished_remove(&old);
	free(manifest);
	free(path);
}
