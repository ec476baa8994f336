/* Looking into bundles. */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "json.h"
#include "os.h"
#include "vm.h"
#include "x07-bundle.h"

enum { VERIFIED = 0, NOT_VERIFIED = 1, TROUBLE = 2 };

/* Opens a bundle; NOT_VERIFIED when it is damaged, TROUBLE when it cannot be read. */
static int
open_file(struct bundle *b, const char *path)
{
	char err[256];
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd == -1) {
		note("%s: %s", path, strerror(errno));
		return TROUBLE;
	}
	if (bundle_open(b, fd, err, sizeof(err)) == 0)
		return VERIFIED;
	note("%s: %s", path, err);
	close(fd);
	return NOT_VERIFIED;
}

static int
verify_file(struct bundle *b, const char *path)
{
	int ret = open_file(b, path);

	for (size_t i = 0; ret == VERIFIED && i < b->n; i++) {
		if (bundle_copy(b, &b->parts[i], -1) == 0)
			continue;
		ret = errno == EBADMSG ? NOT_VERIFIED : TROUBLE;
		note("%s: part %s: %s", path, b->parts[i].name,
		    errno == EBADMSG ? "was changed" : strerror(errno));
	}
	return ret;
}

static int
take_options(int argc, char *argv[], const char *options, bool *json, int min,
    int max, const char *usage)
{
	int ch;

	optind = 1;
	while ((ch = getopt(argc, argv, options)) != -1)
		switch (ch) {
		case 'j':
			*json = true;
			break;
		case 'h':
			printf("usage: x07-bundle %s\n", usage);
			exit(0);
		default:
			exit(TROUBLE);
		}
	if (argc - optind < min || argc - optind > max)
		die(TROUBLE, "usage: x07-bundle %s", usage);
	return optind;
}

int
cmd_verify(int argc, char *argv[])
{
	bool json = false;
	int worst = VERIFIED, at = take_options(argc, argv, "+h", &json, 1, argc,
	    "verify FILE...");

	for (; at < argc; at++) {
		struct bundle b;
		int ret = verify_file(&b, argv[at]);

		if (ret == VERIFIED)
			close(b.fd);
		if (ret > worst)
			worst = ret;
	}
	return worst;
}

/* ---- inspect ---- */

static void
list_json(const struct bundle *b)
{
	struct json_error e;
	struct json *doc = json_parse("{}", 2, &e);
	struct json_value *root = json_root(doc), *parts, *v;
	char hex[DIGEST_HEX], mode[8];

	parts = json_new(doc, JSON_ARRAY);
	for (size_t i = 0; i < b->n; i++) {
		const struct bundle_part *p = &b->parts[i];

		v = json_new(doc, JSON_OBJECT);
		snprintf(mode, sizeof(mode), "%04o", p->mode);
		json_set(doc, v, "name", json_new_string(doc, p->name));
		json_set(doc, v, "bytes", json_new_int(doc, (int64_t)p->len));
		json_set(doc, v, "mode", json_new_string(doc, mode));
		json_set(doc, v, "sha256",
		    json_new_string(doc, digest_hex(p->digest, hex)));
		json_append(parts, v);
	}
	json_set(doc, root, "schema_version",
	    json_new_string(doc, "x07.bundle.inspect@0.1.0"));
	json_set(doc, root, "digest",
	    json_new_string(doc, digest_hex(b->digest, hex)));
	json_set(doc, root, "parts", parts);
	json_write(stdout, root, JSON_PRETTY);
	json_free(doc);
}

static void
list_text(const struct bundle *b)
{
	char hex[DIGEST_HEX];

	printf("digest sha256:%s\n", digest_hex(b->digest, hex));
	for (size_t i = 0; i < b->n; i++)
		printf("%s %10" PRIu64 " %s\n", digest_hex(b->parts[i].digest,
		    hex), b->parts[i].len, b->parts[i].name);
}

/* The policy, and what enforces it: x07-policy explain. */
static void
explain(const struct bundle *b, const struct bundle_part *p)
{
	char *data = bundle_load(b, p), name[] = "explain", path[32];
	char *argv[] = { vm_tool("x07-policy"), name, path, NULL };
	struct bytes out;
	int fd, status;

	fd = data != NULL ? os_seal(data, (size_t)p->len) : -1;
	if (fd == -1 || fcntl(fd, F_SETFD, 0) == -1)
		die_errno(TROUBLE, "%s", p->name);
	snprintf(path, sizeof(path), "/dev/fd/%d", fd);
	fflush(stdout);
	out = run_tool(argv, &status);
	close(fd);
	if (status > 1)
		exit(TROUBLE);
	printf("\npolicy, and what enforces it on this machine:\n%s", out.data);
	free(out.data);
	free(data);
}

int
cmd_inspect(int argc, char *argv[])
{
	bool json = false;
	int at = take_options(argc, argv, "+hj", &json, 1, 1, "inspect [-j] FILE");
	const struct bundle_part *policy;
	struct bundle b;
	int ret = verify_file(&b, argv[at]);

	if (ret != VERIFIED)
		return ret;
	if (json) {
		list_json(&b);
	} else {
		list_text(&b);
		policy = bundle_find(&b, BUNDLE_POLICY);
		if (policy != NULL)
			explain(&b, policy);
	}
	if (fflush(stdout) == EOF)
		die_errno(TROUBLE, "standard output");
	return VERIFIED;
}

/* ---- extract ---- */

/* Makes the directories that the part's name has, below dir. */
static char *
place(const char *dir, const char *name)
{
	char *path;

	if (asprintf(&path, "%s/%s", dir, name) == -1)
		die_errno(TROUBLE, "memory");
	for (char *p = path + strlen(dir) + 1; (p = strchr(p, '/')) != NULL; p++) {
		*p = '\0';
		if (mkdir(path, 0777) == -1 && errno != EEXIST)
			die_errno(TROUBLE, "%s", path);
		*p = '/';
	}
	return path;
}

int
cmd_extract(int argc, char *argv[])
{
	bool json = false;
	int at = take_options(argc, argv, "+h", &json, 2, 2, "extract FILE DIR");
	struct bundle b;
	int ret = verify_file(&b, argv[at]), fd;
	const char *dir = argv[at + 1];
	struct unfinished made;

	if (ret != VERIFIED)
		return ret;
	begin_dir(&made, "", dir);
	for (size_t i = 0; i < b.n; i++) {
		const struct bundle_part *p = &b.parts[i];
		char *path = place(made.path, p->name);

		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
		    O_CLOEXEC, p->mode | 0200);
		if (fd == -1 || bundle_copy(&b, p, fd) == -1 || close(fd) == -1)
			die_errno(TROUBLE, "%s", path);
		free(path);
	}
	place_dir(&made, "", dir);
	return VERIFIED;
}
