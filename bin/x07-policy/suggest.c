/*
 * suggest - the least a policy must grant so that what was denied is allowed.
 *
 * The log tells what a program wanted, not what it should get: every addition
 * is told with its reason, for somebody to judge. What the log does not show
 * (ports of names that were only asked for, how much longer a program would
 * have run) is never made up.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "form.h"
#include "overrides.h"

#define FIELD_MAX	1500	/* bytes of a field in the log; longer ones are cut */
#define TIMES_MAX	1000000	/* of one line; more is no count of ours */
#define HOST_HINT	"--allow-host "

/* One kind of denial, however often it was logged. */
struct wish {
	char	*key, *verb, *object, *why, *hint, *gate;
	const char *did;	/* "denied", of a dry run "would deny" */
	int64_t	 times;
	bool	 granted;	/* there is an addition for it */
};

struct wishes {
	struct wish	*list;
	size_t		 n, cap;
};

struct suggest {
	struct policy		*policy;
	const struct form	*form;		/* of the base */
	struct wishes		 wishes;
	struct overrides	 over;
	int64_t			 spawns;	/* processes that were denied */
	size_t			 added;
};

/* ---- the log ---- */

static const char *
text_of(const struct json_value *record, const char *key)
{
	const struct json_value *v = json_member(record, key);

	return v != NULL && v->type == JSON_STRING ? v->string : "";
}

static char *
copy(const char *s)
{
	char *p = strdup(s);

	if (p == NULL)
		die_errno("log");
	return p;
}

/* The bytes of a field, which the log writes as code points up to U+00FF. */
static char *
bytes_of(const char *s)
{
	char *out = malloc(strlen(s) + 1), *p = out;

	if (out == NULL)
		die_errno("log");
	for (; *s != '\0'; s++) {
		if (((unsigned char)*s & 0xfc) == 0xc0) {
			*p++ = (char)((s[0] & 3) << 6 | (s[1] & 0x3f));
			s++;
		} else
			*p++ = *s;
	}
	*p = '\0';
	return out;
}

/*
 * The path that the bytes of a field are; NULL when it may have been cut, or is
 * nothing that a policy can hold.
 */
static char *
path_of(const char *s)
{
	size_t field = 0;
	const char *p;

	for (p = s; *p != '\0'; p++)
		field += *p == '"' || *p == '\\' ? 2 :
		    *p < 0x20 || *p == 0x7f ? 6 : 1;
	if (field >= FIELD_MAX || *s != '/' || strchr(s, ';') != NULL ||
	    !json_utf8_valid(s))
		return NULL;
	return copy(s);
}

static void
add_wish(struct wishes *ws, const struct json_value *record, const char *did)
{
	const struct json_value *v = json_member(record, "times");
	const char *key = text_of(record, "key"), *verb = text_of(record, "verb");
	char *object = bytes_of(text_of(record, "object"));
	char *hint = bytes_of(text_of(record, "hint"));
	struct wish *w;
	int64_t times = 1;
	size_t i;

	if (v != NULL && v->type == JSON_NUMBER &&
	    (json_int(v, &times) != JSON_INT_OK || times < 1 ||
	    times > TIMES_MAX))
		times = 1;
	for (i = 0; i < ws->n; i++) {
		w = &ws->list[i];
		if (strcmp(w->key, key) == 0 && strcmp(w->verb, verb) == 0 &&
		    strcmp(w->object, object) == 0 && strcmp(w->hint, hint) == 0) {
			w->times += times;
			free(object);
			free(hint);
			return;
		}
	}
	if (ws->n == ws->cap) {
		ws->cap = ws->cap == 0 ? 64 : ws->cap * 2;
		ws->list = reallocarray(ws->list, ws->cap, sizeof(*ws->list));
		if (ws->list == NULL)
			die_errno("log");
	}
	ws->list[ws->n++] = (struct wish){ .key = copy(key),
	    .verb = copy(verb), .object = object, .hint = hint,
	    .why = copy(text_of(record, "why")),
	    .gate = copy(text_of(record, "gate")), .did = did, .times = times };
}

static void
read_record(struct wishes *ws, const char *line, size_t len, const char *file,
    size_t lineno)
{
	struct json_error e;
	struct json *doc = json_parse(line, len, &e);
	const char *verdict;

	if (doc == NULL || json_root(doc)->type != JSON_OBJECT) {
		/* The last line of a gate that was killed, for one. */
		note("%s:%zu: not a line of an audit log, left out", file, lineno);
		json_free(doc);
		return;
	}
	verdict = text_of(json_root(doc), "verdict");
	if (strcmp(verdict, "deny") == 0)
		add_wish(ws, json_root(doc), "denied");
	else if (strcmp(verdict, "would-deny") == 0)
		add_wish(ws, json_root(doc), "would deny");
	json_free(doc);
}

static void
read_log(struct wishes *ws, const char *file)
{
	FILE *fp = strcmp(file, "-") == 0 ? stdin : fopen(file, "re");
	char *line = NULL;
	size_t size = 0, lineno = 0;
	ssize_t len;

	if (fp == NULL)
		die_errno("cannot read %s", file);
	while ((len = getline(&line, &size, fp)) != -1) {
		lineno++;
		if (len > 0 && line[len - 1] == '\n')
			len--;
		if (len > 0)
			read_record(ws, line, (size_t)len, file, lineno);
	}
	if (ferror(fp))
		die_errno("cannot read %s", file);
	free(line);
}

/* ---- additions ---- */

static void comment(const char *, ...) __attribute__((format(printf, 1, 2)));

/* A line for people; what comes from the log is not to be trusted. */
static void
comment(const char *fmt, ...)
{
	char *text, *vis;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) == -1 ||
	    (vis = malloc(4 * strlen(text) + 4)) == NULL)
		die_errno("log");
	va_end(ap);
	fprintf(stderr, "# %s\n", diag_vis(vis, 4 * strlen(text) + 4, text,
	    strlen(text)));
	free(text);
	free(vis);
}

/* Tells an addition and why it is there. */
static void
tell(struct suggest *s, const char *key, const char *what, const struct wish *w)
{
	s->added++;
	if (w->times > 1)
		comment("%s: %s: %s %s %s %s %lld times", key, what, w->gate,
		    w->did, w->verb, w->object, (long long)w->times);
	else
		comment("%s: %s: %s %s %s %s", key, what, w->gate, w->did,
		    w->verb, w->object);
}

/* Makes a boolean true, told once. */
static void
turn_on(struct suggest *s, const char *object, const char *key,
    const struct wish *w)
{
	struct json *doc = policy_json(s->policy);
	struct json_value *o = json_member(json_root(doc), object);
	char path[64];

	if (json_member(o, key)->boolean)
		return;
	json_set(doc, o, key, json_new_bool(doc, true));
	snprintf(path, sizeof(path), "%s.%s", object, key);
	tell(s, path, "false -> true", w);
}

/* Raises an integer to what is needed at least. */
static void
raise_to(struct suggest *s, const char *key, int64_t least, const struct wish *w)
{
	struct json *doc = policy_json(s->policy);
	struct json_value *o = json_member(json_root(doc), "process");
	struct json_value *v = json_member(o, key);
	char path[64], what[64];
	int64_t n = 0;

	snprintf(path, sizeof(path), "process.%s", key);
	if (v == NULL || json_int(v, &n) != JSON_INT_OK)
		n = 0;
	if (n >= least)
		return;
	json_set(doc, o, key, json_new_int(doc, least));
	snprintf(what, sizeof(what), "%lld -> %lld", (long long)n,
	    (long long)least);
	tell(s, path, what, w);
}

/*
 * The HOST:PORT that would have been needed: the gate's own hint, else the
 * object, be it "1.2.3.4:80" or "name:80 [1.2.3.4]".
 */
static bool
wanted_host(const struct wish *w, char *spec, size_t specsz, struct hostspec *hs)
{
	const char *why;

	if (strncmp(w->hint, HOST_HINT, strlen(HOST_HINT)) == 0) {
		strlcpy(spec, w->hint + strlen(HOST_HINT), specsz);
		if (host_parse(hs, spec, false, &why) == 0)
			return true;
	}
	strlcpy(spec, w->object, specsz);
	spec[strcspn(spec, " ")] = '\0';
	return host_parse(hs, spec, false, &why) == 0;
}

static void
want_host(struct suggest *s, struct wish *w)
{
	char spec[FIELD_MAX];
	struct hostspec hs;
	size_t i;
	bool udp = strcmp(w->verb, "send") == 0, missing = false;

	if (!wanted_host(w, spec, sizeof(spec), &hs)) {
		/* The entry is there, only names are not answered. */
		if (strcmp(w->key, "net.allow_dns") == 0) {
			turn_on(s, "net", "allow_dns", w);
			w->granted = true;
		}
		return;
	}
	w->granted = true;
	turn_on(s, "net", "enabled", w);
	turn_on(s, "net", udp ? "allow_udp" : "allow_tcp", w);
	/* A name is of no use without names being answered. */
	if (strcmp(w->key, "net.allow_dns") == 0 || hs.kind == HOST_NAME)
		turn_on(s, "net", "allow_dns", w);
	for (i = 0; i < hs.nports; i++)
		missing |= !form_allows(s->form, &hs, hs.ports[i]);
	if (!missing)
		return;
	override_host(&s->over, spec, false, "log");
	tell(s, "net.allow_hosts", spec, w);
}

static void
allow_spawn(struct suggest *s, struct wish *w)
{
	turn_on(s, "process", "enabled", w);
	turn_on(s, "process", "allow_spawn", w);
	/* The least that a policy with allow_spawn may say. */
	raise_to(s, "max_live", 1, w);
	raise_to(s, "max_spawns", s->spawns < 1024 ? s->spawns : 1024, w);
	if (form_int(s->form, "process.max_runtime_ms", 0) == 0)
		raise_to(s, "max_runtime_ms",
		    form_int(s->form, "limits.wall_ms", 1), w);
}

/*
 * The program that would have to be listed: of a script, it may be the
 * interpreter, so the gate's hint counts. A loader has none: it cannot be listed.
 */
static char *
wanted_path(const struct wish *w)
{
	static const char behind[] = " in process.allow_execs", flag[] = "-x ";
	size_t len = strlen(w->hint), n = strlen(behind);
	char *field, *path;

	if (strcmp(w->key, "process.allow_spawn") == 0)
		return path_of(w->object);
	if (strncmp(w->hint, flag, strlen(flag)) == 0)
		return path_of(w->hint + strlen(flag));
	if (len <= n || strcmp(w->hint + len - n, behind) != 0)
		return NULL;
	if ((field = strndup(w->hint, len - n)) == NULL)
		die_errno("log");
	path = path_of(field);
	free(field);
	return path;
}

/* Lists a program, unless the policy has it. */
static void
list_program(struct suggest *s, const char *path, const struct wish *w)
{
	struct json *doc = policy_json(s->policy);
	struct json_value *process = json_member(json_root(doc), "process");
	struct json_value *list = json_member(process, "allow_execs"), *v;

	if (form_executes(s->form, path))
		return;
	if (list == NULL) {
		list = json_new(doc, JSON_ARRAY);
		json_set(doc, process, "allow_execs", list);
	}
	for (v = list->child; v != NULL; v = v->next)
		if (strcmp(v->string, path) == 0)
			return;
	json_append(list, json_new_string(doc, path));
	tell(s, "process.allow_execs", path, w);
}

static void
want_exec(struct suggest *s, struct wish *w)
{
	char *path = wanted_path(w);

	if (path == NULL)
		return;
	w->granted = true;
	allow_spawn(s, w);
	list_program(s, path, w);
	free(path);
}

static bool
has_items(const struct json_value *list)
{
	return list != NULL && list->n > 0;
}

/*
 * A fork: which program was to follow, the log does not tell. So this comes after
 * all else, and helps only when some program is listed.
 */
static void
want_spawn(struct suggest *s, struct wish *w)
{
	struct json_value *process = json_member(json_root(policy_json(s->policy)),
	    "process");

	if (!has_items(json_member(process, "allow_execs")) &&
	    !has_items(json_member(process, "allow_exec_prefixes")))
		return;
	w->granted = true;
	allow_spawn(s, w);
}

/* What can be done about a denial of which key. */
static const struct {
	const char	*key, *verb;	/* verb "" stands for any */
	void		(*grant)(struct suggest *, struct wish *);
} grants[] = {
	{ "net.allow_hosts", "", want_host },
	{ "net.enabled", "", want_host },
	{ "net.allow_tcp", "", want_host },
	{ "net.allow_udp", "", want_host },
	{ "net.allow_dns", "", want_host },
	{ "process.allow_execs", "exec", want_exec },
	{ "process.allow_spawn", "exec", want_exec },
	{ "process.allow_spawn", "spawn", want_spawn },
};
#define NGRANTS	(sizeof(grants) / sizeof(grants[0]))

static void
grant(struct suggest *s, struct wish *w)
{
	size_t i;

	for (i = 0; i < NGRANTS; i++)
		if (strcmp(w->key, grants[i].key) == 0 &&
		    (*grants[i].verb == '\0' ||
		    strcmp(w->verb, grants[i].verb) == 0)) {
			grants[i].grant(s, w);
			return;
		}
}

/* What is left is told too, so that nobody takes it for allowed. */
static void
tell_rest(const struct wishes *ws)
{
	const struct wish *w;
	size_t i;

	for (i = 0; i < ws->n; i++) {
		w = &ws->list[i];
		if (!w->granted)
			comment("nothing for: %s %s %s %s (%s)", w->gate,
			    w->did, w->verb, w->object, w->why);
	}
}

/* How many processes were to be started: a fork and its exec are one. */
static void
count_spawns(struct suggest *s)
{
	int64_t execs = 0, spawns = 0;
	size_t i;

	for (i = 0; i < s->wishes.n; i++)
		if (strcmp(s->wishes.list[i].verb, "exec") == 0)
			execs += s->wishes.list[i].times;
		else if (strcmp(s->wishes.list[i].verb, "spawn") == 0)
			spawns += s->wishes.list[i].times;
	s->spawns = execs > spawns ? execs : spawns;
}

int
cmd_suggest(int argc, char **argv)
{
	struct suggest s = { 0 };
	struct policy_errors es;
	const char *root = NULL;
	struct bytes b, out;
	size_t i;
	int ch;

	while ((ch = getopt(argc, argv, "+C:")) != -1)
		switch (ch) {
		case 'C':
			root = optarg;
			break;
		default:
			usage_error();
		}
	argc -= optind;
	argv += optind;
	if (argc != 2)
		usage_error();
	if (strcmp(argv[1], "-") == 0)
		die("the base policy must be a file");
	b = read_file(argv[1]);
	s.policy = parse_policy(argv[1], &b);
	s.form = load_parsed_form(argv[1], root);
	read_log(&s.wishes, argv[0]);

	count_spawns(&s);
	for (i = 0; i < s.wishes.n; i++)
		if (strcmp(s.wishes.list[i].verb, "spawn") != 0)
			grant(&s, &s.wishes.list[i]);
	for (i = 0; i < s.wishes.n; i++)
		if (strcmp(s.wishes.list[i].verb, "spawn") == 0)
			grant(&s, &s.wishes.list[i]);
	tell_rest(&s.wishes);
	if (s.added == 0) {
		note("%s shows nothing that this policy denies and could allow",
		    argv[0]);
		return EXIT_NO;
	}
	overrides_merge(s.policy, &s.over);
	out = canonical(json_root(policy_json(s.policy)));
	if (policy_parse(out.data, out.len, &es) == NULL) {
		print_errors(stderr, "suggested policy", &es);
		return EXIT_TROUBLE;
	}
	fwrite(out.data, 1, out.len, stdout);
	return EXIT_YES;
}
