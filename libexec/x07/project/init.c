/* project init: a new manifest. */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "json.h"
#include "project.h"
#include "x07.h"

/* The base policies, and the profile that a project of that kind starts with. */
static const struct template {
	const char	*name;
	const char	*profile;
} templates[] = {
	{ "cli", "os" }, { "http-client", "sandbox" },
	{ "web-service", "sandbox" }, { "fs-tool", "sandbox" },
	{ "sqlite-app", "sandbox" }, { "postgres-client", "sandbox" },
	{ "worker", "sandbox" }, { "worker-parallel", "sandbox" },
	{ NULL, NULL },
};

static const struct template *
find_template(const char *name)
{
	const struct template *t = templates;

	while (t->name != NULL && strcmp(t->name, name) != 0)
		t++;
	if (t->name == NULL)
		die("unknown template '%s'; there are cli, http-client, web-service, "
		    "fs-tool, sqlite-app, postgres-client, worker, worker-parallel",
		    name);
	return t;
}

static struct json_value *
make_profile(struct json *doc, const char *world, const char *policy)
{
	struct json_value *o = json_new(doc, JSON_OBJECT);

	json_set(doc, o, "auto_ffi", json_new_bool(doc, true));
	json_set(doc, o, "world", json_new_string(doc, world));
	if (policy != NULL)
		json_set(doc, o, "policy", json_new_string(doc, policy));
	return o;
}

/* The manifest of spec/run-vm-bundle.md 4.1, in canonical bytes. */
static char *
render(const struct template *t, const char *policy, size_t *len)
{
	struct json_error error;
	struct json *doc = json_parse("{}", 2, &error);
	struct json_value *root, *v;
	char *text;
	FILE *f = open_memstream(&text, len);

	if (doc == NULL || f == NULL)
		die("%s", strerror(errno));
	root = json_root(doc);
	json_set(doc, root, "schema_version",
	    json_new_string(doc, "x07.project@0.5.0"));
	json_set(doc, root, "world", json_new_string(doc, "run-os"));
	json_set(doc, root, "entry", json_new_string(doc, "src/main.x07.json"));
	v = json_new(doc, JSON_ARRAY);
	json_append(v, json_new_string(doc, "src"));
	json_set(doc, root, "module_roots", v);
	json_set(doc, root, "default_profile", json_new_string(doc, t->profile));
	v = json_new(doc, JSON_OBJECT);
	json_set(doc, v, "os", make_profile(doc, "run-os", NULL));
	json_set(doc, v, "sandbox",
	    make_profile(doc, "run-os-sandboxed", policy));
	json_set(doc, root, "profiles", v);
	json_write(f, root, JSON_PRETTY);
	if (fclose(f) == EOF)
		die("%s", strerror(errno));
	return text;
}

/* 0: none is there; 1: the same; -1: another one. */
static int
compare(const char *text, size_t len)
{
	int fd = open(MANIFEST, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char *there = malloc(len + 1);
	size_t have = 0;
	ssize_t n;

	if (fd == -1 && errno == ENOENT)
		return 0;
	if (fd == -1 || there == NULL)
		die("%s: %s", MANIFEST, strerror(errno));
	while (have < len + 1 &&
	    (n = read(fd, there + have, len + 1 - have)) != 0) {
		if (n == -1)
			die("%s: %s", MANIFEST, strerror(errno));
		have += (size_t)n;
	}
	close(fd);
	return have == len && memcmp(there, text, len) == 0 ? 1 : -1;
}

/*
 * By temporary file and link(2): whoever looks sees all of it or nothing, and
 * one that somebody else made meanwhile stays.
 */
static void
write_manifest(const char *text, size_t len)
{
	char temp[64];
	int fd, err;

	snprintf(temp, sizeof(temp), ".%s.%ld.tmp", MANIFEST, (long)getpid());
	fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd == -1)
		die("%s: %s", MANIFEST, strerror(errno));
	if (write(fd, text, len) != (ssize_t)len || fsync(fd) == -1 ||
	    close(fd) == -1 || link(temp, MANIFEST) == -1) {
		err = errno;
		unlink(temp);
		die("%s: %s", MANIFEST, strerror(err));
	}
	unlink(temp);
}

int
cmd_init(int argc, char **argv)
{
	const struct template *t;
	const char *template = NULL;
	char policy[96], *text;
	bool look = false;
	size_t len;
	int ch, there;

	while ((ch = getopt(argc, argv, "nt:")) != -1)
		switch (ch) {
		case 'n':
			look = true;
			break;
		case 't':
			template = optarg;
			break;
		default:
			die("usage: project init [-n] [-t TEMPLATE]");
		}
	t = find_template(template != NULL ? template : "cli");
	snprintf(policy, sizeof(policy),
	    ".x07/policies/base/%s.sandbox.base.policy.json", t->name);
	text = render(t, policy, &len);
	there = compare(text, len);
	if (there == -1) {
		fprintf(stderr, "x07 init: %s is there and differs; it was left as "
		    "it is\n", MANIFEST);
		return EXIT_CONFLICT;
	}
	if (look) {
		/* For the shell: the policy that the manifest needs at once. */
		printf("%s\n", strcmp(t->profile, "sandbox") == 0 ? policy : "");
		return 0;
	}
	if (there == 0)
		write_manifest(text, len);
	printf("%s %s\n", there == 0 ? "created" : "unchanged", MANIFEST);
	return 0;
}
