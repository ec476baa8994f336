/*
 * init - a base policy from a template.
 */
#include <sys/stat.h>

#include <errno.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "x07-policy.h"

#define REPORT_SCHEMA	"x07.policy.init.report@0.1.0"

struct init {
	const struct template	*template;
	const char		*policy_id;
	const char		*project;	/* x07.json */
	const char		*out;		/* as given, else NULL */
	char			*root;
	char			*path;		/* of the policy, absolute */
	bool			 force, mkdir_out, emit_policy;
};

static const struct template *
find_template(const char *name)
{
	const struct template *t;

	for (t = templates; t->name != NULL; t++)
		if (strcmp(t->name, name) == 0)
			return t;
	die("unknown template %s; there are cli, http-client, web-service, fs-tool, "
	    "sqlite-app, postgres-client, worker, worker-parallel", name);
}

static void
parse_options(struct init *in, int argc, char **argv)
{
	enum { TEMPLATE, PROJECT, POLICY_ID, FORCE, EMIT, MKDIR_OUT, OUT };
	static const struct option options[] = {
		{ "template", required_argument, NULL, TEMPLATE },
		{ "project", required_argument, NULL, PROJECT },
		{ "policy-id", required_argument, NULL, POLICY_ID },
		{ "force", no_argument, NULL, FORCE },
		{ "emit", required_argument, NULL, EMIT },
		{ "mkdir-out", no_argument, NULL, MKDIR_OUT },
		{ "out", required_argument, NULL, OUT },
		{ NULL, 0, NULL, 0 }
	};
	const char *template = NULL;
	int ch;

	while ((ch = getopt_long(argc, argv, "+", options, NULL)) != -1)
		switch (ch) {
		case TEMPLATE: template = optarg; break;
		case PROJECT: in->project = optarg; break;
		case POLICY_ID: in->policy_id = optarg; break;
		case FORCE: in->force = true; break;
		case MKDIR_OUT: in->mkdir_out = true; break;
		case OUT: in->out = optarg; break;
		case EMIT:
			in->emit_policy = strcmp(optarg, "policy") == 0;
			if (!in->emit_policy && strcmp(optarg, "report") != 0)
				die("--emit %s: must be report or policy", optarg);
			break;
		default:
			usage_error();
		}
	if (optind != argc)
		usage_error();
	if (in->policy_id != NULL && !policy_id_valid(in->policy_id))
		die("--policy-id %s: must be 1..64 characters of A-Z a-z 0-9 _ . -",
		    in->policy_id);
	if (template == NULL)
		usage_error();
	in->template = find_template(template);
}

/*
 * The directory of --project; else the first one with x07.json, going up
 * from here; else here.
 */
static char *
find_root(const char *project)
{
	char path[PATH_MAX], *copy, *here;
	struct stat st;
	size_t len;

	if (project != NULL) {
		if (stat(project, &st) == -1 || !S_ISREG(st.st_mode))
			die("--project is not a file: %s", project);
		if ((copy = strdup(project)) == NULL)
			die_errno("%s", project);
		here = resolve_root(dirname(copy));
		free(copy);
		return here;
	}
	here = resolve_root(NULL);
	len = strlen(here);
	for (;;) {
		if (snprintf(path, sizeof(path), "%.*s/x07.json", (int)len,
		    here) < (int)sizeof(path) && stat(path, &st) == 0 &&
		    S_ISREG(st.st_mode))
			break;
		if (len == 0)
			return here;
		while (here[--len] != '/')
			;
	}
	here[len == 0 ? 1 : len] = '\0';
	return here;
}

static char *
join_path(const char *dir, const char *name)
{
	char *path;

	if (asprintf(&path, "%s/%s", strcmp(dir, "/") == 0 ? "" : dir, name) == -1)
		die_errno("%s", name);
	return path;
}

static void
find_path(struct init *in)
{
	char name[128];

	in->root = find_root(in->project);
	if (in->out == NULL) {
		snprintf(name, sizeof(name),
		    ".x07/policies/base/%s.sandbox.base.policy.json",
		    in->template->name);
		in->path = join_path(in->root, name);
	} else if (*in->out == '\0')
		die("--out: empty path");
	else if (in->out[strlen(in->out) - 1] == '/')
		die("--out %s: must be a file, not a directory", in->out);
	else if (*in->out == '/') {
		if ((in->path = strdup(in->out)) == NULL)
			die_errno("%s", in->out);
	} else
		in->path = join_path(in->root, in->out);
}

static void
make_parent(const struct init *in)
{
	char *copy, *dir;
	struct stat st;

	if ((copy = strdup(in->path)) == NULL)
		die_errno("%s", in->path);
	dir = dirname(copy);
	if (in->out != NULL && !in->mkdir_out && stat(dir, &st) == -1)
		die("refusing to create output dir %s (pass --mkdir-out to allow)",
		    dir);
	if (in->out == NULL)
		make_own_dirs(in->root, dir);
	else if (make_dirs(dir) == -1)
		die_errno("cannot make directory %s", dir);
	free(copy);
}

/* The template with the wanted policy_id, in canonical bytes. */
static struct bytes
render(const struct init *in)
{
	struct bytes text, out;
	struct policy *p;
	struct json *doc;

	if ((text.data = strdup(in->template->text)) == NULL)
		die_errno("%s", in->template->name);
	text.len = strlen(text.data);
	p = parse_policy(in->template->name, &text);
	doc = policy_json(p);
	if (in->policy_id != NULL)
		json_set(doc, json_root(doc), "policy_id",
		    json_new_string(doc, in->policy_id));
	out = canonical(json_root(doc));
	parse_policy(in->template->name, &out);
	return out;
}

static const char *
write_policy(const struct init *in, const struct bytes *b)
{
	struct bytes old;
	struct stat st;
	bool there = stat(in->path, &st) == 0;

	if (there && !S_ISREG(st.st_mode))
		die("%s: not a regular file", in->path);
	if (there) {
		old = read_file(in->path);
		if (old.len == b->len && memcmp(old.data, b->data, b->len) == 0)
			return "unchanged";
		if (!in->force)
			return "exists_different";
	}
	make_parent(in);
	replace_file(in->path, b->data, b->len);
	return there ? "overwritten" : "created";
}

static void
print_report(const struct init *in, const char *status)
{
	const char *out = in->path, *id = in->policy_id;
	size_t n = strlen(in->root);
	char dflt[128];

	/* Below the root: as seen from it. */
	if (strncmp(out, in->root, n) == 0 && (out[n] == '/' || n == 1))
		out += n == 1 ? 1 : n + 1;
	if (id == NULL) {
		snprintf(dflt, sizeof(dflt), "sandbox.%s.base",
		    in->template->name);
		id = dflt;
	}
	printf("{\"schema_version\":\"" REPORT_SCHEMA "\",\"template\":\"%s\","
	    "\"project_root\":", in->template->name);
	json_write_string(stdout, in->root);
	printf(",\"out\":");
	json_write_string(stdout, out);
	printf(",\"status\":\"%s\",\"policy_id\":\"%s\"}\n", status, id);
}

int
cmd_init(int argc, char **argv)
{
	struct init in = { 0 };
	const char *status;
	struct bytes b;
	bool different;

	parse_options(&in, argc, argv);
	find_path(&in);
	b = render(&in);
	status = write_policy(&in, &b);
	different = strcmp(status, "exists_different") == 0;
	if (in.emit_policy)
		fwrite(b.data, 1, b.len, stdout);
	else
		print_report(&in, status);
	if (different)
		note("%s exists and differs; --force overwrites it", in.path);
	free(in.path);
	free(in.root);
	return different ? EXIT_TROUBLE : EXIT_YES;
}
