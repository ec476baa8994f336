/*
 * A bundle as an OCI image layout: one layer with the one file, for runtimes that
 * take images (containerd, Kubernetes). The same bundle gives the same bytes.
 * https://github.com/opencontainers/image-spec
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "json.h"
#include "x07-bundle.h"

#define BLOCK		512
#define MEDIA		"application/vnd.oci.image."
#define OPTION		"--oci "

/* A blob: its digest names its file. */
struct blob {
	char	digest[DIGEST_HEX];
	size_t	len;
};

static void
write_file(const char *dir, const char *name, const char *data, size_t len)
{
	char *path;
	int fd;
	FILE *f;

	if (asprintf(&path, "%s/%s", dir, name) == -1)
		die_errno(EXIT_USAGE, "memory");
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	f = fd != -1 ? fdopen(fd, "w") : NULL;
	if (f == NULL || fwrite(data, 1, len, f) != len || fclose(f) == EOF)
		die_errno(EXIT_USAGE, "cannot write %s", path);
	free(path);
}

static struct blob
write_blob(const char *dir, const char *data, size_t len)
{
	struct blob b = { .len = len };
	char name[sizeof("blobs/sha256/") + DIGEST_HEX];

	digest_of(data, len, b.digest);
	snprintf(name, sizeof(name), "blobs/sha256/%s", b.digest);
	write_file(dir, name, data, len);
	return b;
}

/*
 * The date of an image: SOURCE_DATE_EPOCH, else the beginning of time, never the
 * clock. Exits when the variable is no date.
 */
static int64_t
created(void)
{
	const char *v = getenv("SOURCE_DATE_EPOCH"), *why;
	int64_t n;

	if (v == NULL || *v == '\0')
		return 0;
	n = strtonum(v, 0, INT64_C(253402300799), &why);
	if (why != NULL)
		die(EXIT_USAGE, "SOURCE_DATE_EPOCH=%s: must be seconds since 1970",
		    v);
	return n;
}

void
oci_check(const struct order *o)
{
	(void)created();
	refuse_old(OPTION, o->oci);
}

/* ---- the layer: a tar archive, POSIX.1-1988 ustar ---- */

static void
put_member(FILE *f, const char *name, char type, unsigned mode, const char *data,
    size_t len)
{
	static const char zero[BLOCK];
	char head[BLOCK] = "", field[13];
	unsigned sum = 0;

	if (strlcpy(head, name, 100) >= 100)
		die(EXIT_USAGE, "%s: too long a name for an image", name);
	snprintf(head + 100, 8, "%07o", mode);
	memcpy(head + 108, "0000000\0" "0000000", 16);
	snprintf(field, sizeof(field), "%011" PRIo64, (uint64_t)len);
	memcpy(head + 124, field, 12);
	snprintf(field, sizeof(field), "%011" PRIo64, (uint64_t)created());
	memcpy(head + 136, field, 12);
	memset(head + 148, ' ', 8);
	head[156] = type;
	strlcpy(head + 257, "ustar", 6);
	head[263] = head[264] = '0';
	for (size_t i = 0; i < BLOCK; i++)
		sum += (unsigned char)head[i];
	snprintf(head + 148, 8, "%06o", sum);
	fwrite(head, 1, BLOCK, f);
	fwrite(data, 1, len, f);
	fwrite(zero, 1, (BLOCK - len % BLOCK) % BLOCK, f);
}

static struct blob
put_layer(const char *dir, const char *name, const struct bytes *bundle)
{
	static const char end[2 * BLOCK];
	char *tar = NULL;
	size_t len = 0;
	struct blob b;
	FILE *f = open_memstream(&tar, &len);

	if (f == NULL)
		die_errno(EXIT_USAGE, "memory");
	/* Where the runtime mounts, and where parts are put. */
	put_member(f, "proc/", '5', 0755, "", 0);
	put_member(f, "tmp/", '5', 01777, "", 0);
	put_member(f, name, '0', 0755, bundle->data, bundle->len);
	fwrite(end, 1, sizeof(end), f);
	if (fclose(f) == EOF)
		die_errno(EXIT_USAGE, "memory");
	b = write_blob(dir, tar, len);
	free(tar);
	return b;
}

/* ---- the documents ---- */

static struct json_value *
descriptor(struct json *doc, const char *type, const struct blob *b)
{
	struct json_value *v = json_new(doc, JSON_OBJECT);
	char text[sizeof("sha256:") + DIGEST_HEX];

	snprintf(text, sizeof(text), "sha256:%s", b->digest);
	json_set(doc, v, "mediaType", json_new_string(doc, type));
	json_set(doc, v, "digest", json_new_string(doc, text));
	json_set(doc, v, "size", json_new_int(doc, (int64_t)b->len));
	return v;
}

static struct json_value *
list_of(struct json *doc, struct json_value *v)
{
	struct json_value *list = json_new(doc, JSON_ARRAY);

	json_append(list, v);
	return list;
}

static char *
text_of(struct json *doc, size_t *len)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, len);

	if (f == NULL)
		die_errno(EXIT_USAGE, "memory");
	json_write(f, json_root(doc), JSON_COMPACT);
	if (fclose(f) == EOF)
		die_errno(EXIT_USAGE, "memory");
	return text;
}

static struct json *
document(void)
{
	struct json_error e;

	return json_parse("{}", 2, &e);
}

static struct blob
put_document(const char *dir, struct json *doc)
{
	size_t len;
	char *text = text_of(doc, &len);
	struct blob b = write_blob(dir, text, len);

	free(text);
	json_free(doc);
	return b;
}

static struct blob
put_config(const char *dir, const struct order *o, const char *name,
    const struct blob *layer)
{
	struct json *doc = document();
	struct json_value *root = json_root(doc), *v;
	char text[128];
	time_t t = (time_t)created();
	struct tm tm;

	snprintf(text, sizeof(text), "/%s", name);
	v = json_new(doc, JSON_OBJECT);
	json_set(doc, v, "Entrypoint", list_of(doc, json_new_string(doc, text)));
	json_set(doc, v, "WorkingDir", json_new_string(doc, "/"));
	json_set(doc, root, "config", v);
	gmtime_r(&t, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	json_set(doc, root, "created", json_new_string(doc, text));
	json_set(doc, root, "architecture", json_new_string(doc,
	    strcmp(o->arch, "x86_64") == 0 ? "amd64" :
	    strcmp(o->arch, "aarch64") == 0 ? "arm64" : o->arch));
	json_set(doc, root, "os", json_new_string(doc, "linux"));
	v = json_new(doc, JSON_OBJECT);
	json_set(doc, v, "type", json_new_string(doc, "layers"));
	snprintf(text, sizeof(text), "sha256:%s", layer->digest);
	json_set(doc, v, "diff_ids", list_of(doc, json_new_string(doc, text)));
	json_set(doc, root, "rootfs", v);
	return put_document(dir, doc);
}

static struct blob
put_manifest(const char *dir, const struct blob *config, const struct blob *layer)
{
	struct json *doc = document();
	struct json_value *root = json_root(doc);

	json_set(doc, root, "schemaVersion", json_new_int(doc, 2));
	json_set(doc, root, "mediaType", json_new_string(doc,
	    MEDIA "manifest.v1+json"));
	json_set(doc, root, "config", descriptor(doc, MEDIA "config.v1+json",
	    config));
	json_set(doc, root, "layers", list_of(doc, descriptor(doc,
	    MEDIA "layer.v1.tar", layer)));
	return put_document(dir, doc);
}

static void
put_index(const char *dir, const char *name, const struct blob *manifest)
{
	struct json *doc = document();
	struct json_value *root = json_root(doc), *v, *notes;
	size_t len;
	char *text;

	v = descriptor(doc, MEDIA "manifest.v1+json", manifest);
	notes = json_new(doc, JSON_OBJECT);
	json_set(doc, notes, "org.opencontainers.image.ref.name",
	    json_new_string(doc, name));
	json_set(doc, v, "annotations", notes);
	json_set(doc, root, "schemaVersion", json_new_int(doc, 2));
	json_set(doc, root, "mediaType", json_new_string(doc,
	    MEDIA "index.v1+json"));
	json_set(doc, root, "manifests", list_of(doc, v));
	text = text_of(doc, &len);
	write_file(dir, "index.json", text, len);
	free(text);
	json_free(doc);
}

void
oci_write(const struct order *o)
{
	static const char layout[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
	const char *slash = strrchr(o->out, '/');
	const char *name = slash != NULL ? slash + 1 : o->out;
	struct bytes bundle = read_file(o->out);
	struct blob layer, config, manifest;
	struct unfinished made;
	char *blobs, *digests;

	begin_dir(&made, OPTION, o->oci);
	blobs = join(made.path, "/blobs");
	digests = join(blobs, "/sha256");
	if (mkdir(blobs, 0777) == -1 || mkdir(digests, 0777) == -1)
		die_errno(EXIT_USAGE, OPTION "%s", o->oci);
	layer = put_layer(made.path, name, &bundle);
	config = put_config(made.path, o, name, &layer);
	manifest = put_manifest(made.path, &config, &layer);
	put_index(made.path, name, &manifest);
	write_file(made.path, "oci-layout", layout, strlen(layout));
	place_dir(&made, OPTION, o->oci);
	free(digests);
	free(blobs);
	free(bundle.data);
}
