/*
 * derive - a policy made from a base and what one run asks for.
 */
#include <sys/stat.h>

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "digest.h"
#include "overrides.h"

#define NOTES_MAX	4096	/* bytes of notes; a longer text stays as it was */
#define BASE_ID_MAX	54	/* bytes of the base's id in the derived one */

struct derive {
	const char	*root_arg;	/* -C */
	const char	*who;		/* --for: begins the line that users parse */
	const char	*base_arg;
	char		*root;
	char		*base;		/* absolute */
	struct strings	 allow_files, deny_files, allow_specs, deny_specs;
	struct overrides over;
	char		 digest[9];	/* first 4 bytes, hex */
};

static void
parse_options(struct derive *d, int argc, char **argv)
{
	enum { ALLOW = 0x100, ALLOW_FILE, DENY, DENY_FILE, READ, WRITE, FOR };
	static const struct option options[] = {
		{ "allow-host", required_argument, NULL, ALLOW },
		{ "allow-host-file", required_argument, NULL, ALLOW_FILE },
		{ "deny-host", required_argument, NULL, DENY },
		{ "deny-host-file", required_argument, NULL, DENY_FILE },
		{ "allow-read-root", required_argument, NULL, READ },
		{ "allow-write-root", required_argument, NULL, WRITE },
		{ "for", required_argument, NULL, FOR },
		{ NULL, 0, NULL, 0 }
	};
	int ch, given = 0;

	while ((ch = getopt_long(argc, argv, "+C:", options, NULL)) != -1) {
		given += ch != 'C' && ch != FOR;
		switch (ch) {
		case 'C': d->root_arg = optarg; break;
		case FOR: d->who = optarg; break;
		case ALLOW: strings_add(&d->allow_specs, optarg); break;
		case ALLOW_FILE: strings_add(&d->allow_files, optarg); break;
		case DENY: strings_add(&d->deny_specs, optarg); break;
		case DENY_FILE: strings_add(&d->deny_files, optarg); break;
		case READ:
			override_root(&d->over.read_roots, optarg,
			    "--allow-read-root");
			break;
		case WRITE:
			override_root(&d->over.write_roots, optarg,
			    "--allow-write-root");
			break;
		default:
			usage_error();
		}
	}
	if (argc - optind != 1)
		usage_error();
	if (given == 0)
		die("nothing to derive: give at least one of --allow-host, "
		    "--deny-host, --allow-host-file, --deny-host-file, "
		    "--allow-read-root, --allow-write-root");
	d->base_arg = argv[optind];
}

/* A file named on the command line: relative to the project root. */
static char *
rooted(const struct derive *d, const char *path)
{
	char *p;

	if (asprintf(&p, "%s%s%s", *path == '/' ? "" : d->root,
	    *path == '/' || strcmp(d->root, "/") == 0 ? "" : "/", path) == -1)
		die_errno("%s", path);
	return p;
}

/* Files first, then flags, whatever their order: that is how the reference does. */
static void
read_hosts(struct derive *d)
{
	size_t i;

	for (i = 0; i < d->allow_files.n; i++)
		override_host_file(&d->over, rooted(d, d->allow_files.list[i]),
		    false);
	for (i = 0; i < d->allow_specs.n; i++)
		override_host(&d->over, d->allow_specs.list[i], false,
		    "--allow-host");
	for (i = 0; i < d->deny_files.n; i++)
		override_host_file(&d->over, rooted(d, d->deny_files.list[i]),
		    true);
	for (i = 0; i < d->deny_specs.n; i++)
		override_host(&d->over, d->deny_specs.list[i], true,
		    "--deny-host");
}

/* SHA-256 of the base's bytes and the overrides. */
static void
make_digest(struct derive *d, const struct bytes *base)
{
	unsigned char hash[DIGEST_LEN];
	struct bytes over;
	struct digest ctx;
	FILE *fp;

	if ((fp = open_memstream(&over.data, &over.len)) == NULL)
		die_errno("policy");
	overrides_write(fp, &d->over);
	if (fclose(fp) == EOF)
		die_errno("policy");
	digest_start(&ctx);
	digest_add(&ctx, base->data, base->len);
	digest_add(&ctx, over.data, over.len);
	digest_end(&ctx, hash);
	free(over.data);
	snprintf(d->digest, sizeof(d->digest), "%02x%02x%02x%02x", hash[0],
	    hash[1], hash[2], hash[3]);
}

/* The derived policy says what it was made from. */
static void
set_origin(const struct derive *d, struct policy *p)
{
	struct json *doc = policy_json(p);
	const struct json_value *notes = policy_value(p, "notes");
	const char *id = policy_value(p, "policy_id")->string;
	const char *old = notes != NULL ? notes->string : "";
	char newid[POLICY_ID_MAX + 1], *text;

	snprintf(newid, sizeof(newid), "%.*s.g%s", BASE_ID_MAX, id, d->digest);
	json_set(doc, json_root(doc), "policy_id", json_new_string(doc, newid));
	if (asprintf(&text, "%s%sDerived by x07 run from `%s` (g%s)", old,
	    *old != '\0' ? "\n" : "", d->base, d->digest) == -1)
		die_errno("policy");
	/* A path need not be UTF-8, but a policy is; then it says nothing. */
	if (strlen(text) <= NOTES_MAX && json_utf8_valid(text))
		json_set(doc, json_root(doc), "notes", json_new_string(doc, text));
	free(text);
}

/* Writes the derived policy unless it is there already; returns its path. */
static char *
write_derived(const struct derive *d, const char *base_id,
    const struct bytes *b)
{
	struct bytes old;
	struct stat st;
	char *dir, *path;

	dir = rooted(d, ".x07/policies/_generated");
	make_own_dirs(d->root, dir);
	if (asprintf(&path, "%s/%s.g%s.policy.json", dir, base_id,
	    d->digest) == -1)
		die_errno("policy");
	/* A link to the same bytes could lead elsewhere a moment later. */
	if (lstat(path, &st) == -1 || !S_ISREG(st.st_mode) ||
	    try_read_file(path, &old) == -1 || old.len != b->len ||
	    memcmp(old.data, b->data, b->len) != 0)
		replace_file(path, b->data, b->len);
	free(dir);
	return path;
}

/* The line that users of x07 run parse: the path as it is where it can be. */
static void
tell(const struct derive *d, const char *path)
{
	char vis[16384];
	const char *p;

	for (p = path; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			break;
	fprintf(stderr, "%s: using derived policy %s\n", d->who,
	    *p == '\0' ? path : diag_vis(vis, sizeof(vis), path, strlen(path)));
	printf("%s\n", path);
}

int
cmd_derive(int argc, char **argv)
{
	struct derive d = { .who = getprogname() };
	struct bytes base, out;
	struct policy *p;
	char *base_id;

	parse_options(&d, argc, argv);
	d.root = resolve_root(d.root_arg);
	d.base = rooted(&d, d.base_arg);
	if (access(d.base, F_OK) == -1 && errno == ENOENT)
		die("missing policy file: %s", d.base);
	base = read_file(d.base);
	p = parse_policy(d.base, &base);
	read_hosts(&d);
	make_digest(&d, &base);
	if ((base_id = strdup(policy_value(p, "policy_id")->string)) == NULL)
		die_errno("policy");
	overrides_apply(p, &d.over);
	set_origin(&d, p);
	out = canonical(json_root(policy_json(p)));
	parse_policy("derived policy", &out);
	tell(&d, write_derived(&d, base_id, &out));
	free(base_id);
	return EXIT_YES;
}
