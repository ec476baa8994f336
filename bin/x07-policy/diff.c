/*
 * diff - whether a policy grants anything that another does not.
 *
 * Key by key, on normal forms, and in doubt it does: a CI gate that says no too
 * often is a nuisance, one that says yes once is a hole. What the keys' order
 * of more and less is, keys.c tells.
 */
#include <sys/socket.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "form.h"
#include "places.h"

#define ENTRIES_MAX	256	/* of lists of hosts; form_parse sees to it */

/* ---- items ---- */

static bool
has_item(const struct form *f, const char *key, const char *item)
{
	const char *const *items;
	size_t i, n = form_list(f, key, &items);

	for (i = 0; i < n; i++)
		if (strcmp(items[i], item) == 0)
			return true;
	return false;
}

/* True when a program is listed, or lies below a listed prefix. */
static bool
exec_covered(const struct form *f, const struct place *b)
{
	struct places execs = places_of(f, "process.allow_execs");
	struct places prefixes = places_of(f, "process.allow_exec_prefixes");
	bool covered = places_have(&execs, b) || places_hold(&prefixes, b, false);

	places_free(&execs);
	places_free(&prefixes);
	return covered;
}

/* ---- addresses ---- */

/*
 * True when the ranges (of those with the port, unless it is 0) together hold every address
 * of r. Each round goes to the end of the range that reaches farthest from
 * where the last one ended.
 */
static bool
range_covered(const struct hostspec *r, const struct hostspec *const *ranges,
    size_t n, uint16_t port)
{
	size_t i, j, len = r->family == AF_INET ? 4 : 16;
	unsigned char next[16], end[16];
	size_t rounds;

	memcpy(next, r->lo, len);
	for (rounds = 0; rounds <= n; rounds++) {
		bool found = false;

		for (i = 0; i < n; i++)
			if (memcmp(ranges[i]->lo, next, len) <= 0 &&
			    memcmp(ranges[i]->hi, next, len) >= 0 &&
			    (!found || memcmp(ranges[i]->hi, end, len) > 0) &&
			    (port == 0 || host_has_port(ranges[i], port))) {
				memcpy(end, ranges[i]->hi, len);
				found = true;
			}
		if (!found)
			return false;
		if (memcmp(end, r->hi, len) >= 0)
			return true;
		memcpy(next, end, len);
		for (j = len; j-- > 0 && ++next[j] == 0;)
			;
	}
	return false;
}

/*
 * The entries of a list that have to do with b: the same name, or ranges of its
 * family.
 */
static size_t
relevant(const struct hostspec *list, size_t n, const struct hostspec *b,
    const struct hostspec **out)
{
	size_t i, nout = 0;

	for (i = 0; i < n; i++)
		if (list[i].kind == b->kind && (b->kind == HOST_NAME ?
		    strcmp(list[i].name, b->name) == 0 :
		    list[i].family == b->family))
			out[nout++] = &list[i];
	return nout;
}

static bool
cidr_covered(const struct form *f, const char *key, const char *item)
{
	const char *const *items, *why;
	size_t i, nranges = 0, n = form_list(f, key, &items);
	const struct hostspec *rel[ENTRIES_MAX];
	struct hostspec r, *ranges;
	bool covered;

	if (has_item(f, key, item))
		return true;
	if (host_parse_host(&r, item, &why) == -1 || r.kind != HOST_RANGE)
		return false;
	if ((ranges = calloc(n + 1, sizeof(*ranges))) == NULL)
		die_errno("policy");
	for (i = 0; i < n; i++)
		if (host_parse_host(&ranges[nranges], items[i], &why) == 0)
			nranges++;
	covered = range_covered(&r, rel, relevant(ranges, nranges, &r, rel), 0);
	free(ranges);
	return covered;
}

/* True when these entries, relevant ones, let all of b be reached on a port. */
static bool
port_covered(const struct hostspec *const *rel, size_t n,
    const struct hostspec *b, uint16_t port)
{
	size_t i;

	if (b->kind == HOST_RANGE)
		return range_covered(b, rel, n, port);
	for (i = 0; i < n; i++)
		if (host_has_port(rel[i], port))
			return true;
	return false;
}

/*
 * True when nothing more is granted by b on a port, or the program may listen there
 * already: some entry is that address alone.
 */
static bool
listens_alike(const struct hostspec *const *rel, size_t n,
    const struct hostspec *b, uint16_t port)
{
	size_t i;

	if (!host_is_here(b))
		return true;
	for (i = 0; i < n; i++)
		if (host_is_here(rel[i]) && host_has_port(rel[i], port) &&
		    host_covers(rel[i], b->family, b->lo))
			return true;
	return false;
}

static struct hostspec *
parse_hosts(const struct form *f, size_t *n)
{
	const char *const *items, *why;
	struct hostspec *list;
	size_t i;

	*n = form_list(f, "net.allow_hosts", &items);
	if ((list = calloc(*n + 1, sizeof(*list))) == NULL)
		die_errno("policy");
	/* form_parse has seen to it that they are good. */
	for (i = 0; i < *n; i++)
		if (host_parse(&list[i], items[i], false, &why) == -1)
			die("net.allow_hosts %s: %s", items[i], why);
	return list;
}

bool
form_allows(const struct form *f, const struct hostspec *hs, uint16_t port)
{
	const struct hostspec *rel[ENTRIES_MAX];
	struct hostspec *list;
	bool allowed;
	size_t n;

	list = parse_hosts(f, &n);
	allowed = port_covered(rel, relevant(list, n, hs, rel), hs, port);
	free(list);
	return allowed;
}

bool
form_executes(const struct form *f, const char *path)
{
	struct place pl = place_of(f, path);
	bool covered = exec_covered(f, &pl);

	place_free(&pl);
	return covered;
}

/* ---- what one form grants beyond another ---- */

struct out {
	FILE	*fp;
	size_t	 n;
};

static void
put(struct out *o, const char *text, const char *ports)
{
	char vis[4 * 4096 + 1];

	fprintf(o->fp, "%s%s%s", o->n++ > 0 ? ", " : "",
	    diag_vis(vis, sizeof(vis), text, strlen(text)), ports);
}

static void
hosts_beyond(struct out *o, const struct form *a, const struct form *b)
{
	const char *const *items;
	const struct hostspec *rel[ENTRIES_MAX];
	struct hostspec *old, *new;
	char host[HOST_MAX + 4], ports[HOST_PORTS_MAX * 7];
	size_t i, j, nold, nnew, nrel, at;

	old = parse_hosts(a, &nold);
	new = parse_hosts(b, &nnew);
	form_list(b, "net.allow_hosts", &items);
	for (i = 0; i < nnew; i++) {
		at = 0;
		nrel = relevant(old, nold, &new[i], rel);
		for (j = 0; j < new[i].nports; j++)
			if (!port_covered(rel, nrel, &new[i], new[i].ports[j]) ||
			    !listens_alike(rel, nrel, &new[i], new[i].ports[j]))
				at += (size_t)snprintf(ports + at,
				    sizeof(ports) - at, "%c%u",
				    at > 0 ? ',' : ':',
				    (unsigned)new[i].ports[j]);
		if (at == 0)
			continue;
		strlcpy(host, items[i], sizeof(host));
		*strrchr(host, ':') = '\0';
		put(o, host, ports);
	}
	free(old);
	free(new);
}

static bool
item_covered(const struct key *key, const struct form *a, const char *item)
{
	return key->sense == MORE_RANGES ? cidr_covered(a, key->path, item) :
	    has_item(a, key->path, item);
}

static void
list_beyond(struct out *o, const struct key *key, const struct form *a,
    const struct form *b)
{
	const char *const *items;
	size_t i, n = form_list(b, key->path, &items);

	if (key->sense == MORE_ITEMS_0_ALL) {
		const char *const *olds;
		size_t nold = form_list(a, key->path, &olds);

		if (nold == 0)
			return;
		if (n == 0)
			put(o, "anything (the list is empty)", "");
	}
	for (i = 0; i < n; i++)
		if (!item_covered(key, a, items[i]))
			put(o, items[i], "");
}

/* fs.deny_hidden hides what starts with a dot below roots, not roots. */
static bool
hides(const struct form *f)
{
	return form_bool(f, "fs.deny_hidden", true);
}

static void
paths_beyond(struct out *o, const struct key *key, const struct form *a,
    const struct form *b)
{
	struct places old = places_of(a, key->path);
	struct places new = places_of(b, key->path);
	bool hidden = strcmp(key->path, "fs.read_roots") == 0 && hides(a);
	size_t i;

	for (i = 0; i < new.n; i++)
		if (!places_hold(&old, &new.list[i], hidden))
			put(o, new.list[i].item, "");
	places_free(&old);
	places_free(&new);
}

/*
 * A read root inside a write root cannot be written to. So what b may write
 * changes at its own write roots, and where a had such read roots.
 */
static void
writes_beyond(struct out *o, const struct form *a, const struct form *b)
{
	struct places old = places_of(a, "fs.write_roots");
	struct places new = places_of(b, "fs.write_roots");
	struct places old_reads = places_of(a, "fs.read_roots");
	struct places new_reads = places_of(b, "fs.read_roots");
	const struct place *p;

	for (p = new.list; p < new.list + new.n; p++)
		if (!place_writable(p, &old, &old_reads, hides(a), SURELY))
			put(o, p->item, "");
	for (p = old_reads.list; p < old_reads.list + old_reads.n; p++)
		if (!place_writable(p, &old, &old_reads, hides(a), SURELY) &&
		    place_writable(p, &new, &new_reads, hides(b), PERHAPS) &&
		    !places_have(&new, p) && !places_have(&new_reads, p))
			put(o, p->item, "");
	places_free(&old);
	places_free(&new);
	places_free(&old_reads);
	places_free(&new_reads);
}

static void
execs_beyond(struct out *o, const struct form *a, const struct form *b)
{
	struct places new = places_of(b, "process.allow_execs");
	bool same_root = strcmp(form_get(a, "project_root"),
	    form_get(b, "project_root")) == 0;
	const struct place *p;

	for (p = new.list; p < new.list + new.n; p++) {
		/* A bare name may be one in PATH: only the same name covers it. */
		bool bare = strchr(p->item, '/') == NULL;

		if (bare ? !same_root || !has_item(a, "process.allow_execs",
		    p->item) : !exec_covered(a, p))
			put(o, p->item, "");
	}
	places_free(&new);
}

/* True when a scalar's value in b grants more than in a. */
static bool
scalar_beyond(const struct key *key, const struct form *a, const struct form *b)
{
	int64_t x = form_int(a, key->path, 0), y = form_int(b, key->path, 0);

	if (x == y)
		return false;
	switch (key->sense) {
	case MORE_UP:
		return y > x;
	case MORE_DOWN:
		return y < x;
	case MORE_UP_0_ALL:
		return y == 0 || (x != 0 && y > x);
	case MORE_UP_0_ANY:
		return x == 0 || y == 0 || y > x;
	default:
		return false;
	}
}

static const char *
scalar_text(const struct key *key, const struct form *f, char *vis, size_t vissz)
{
	const char *v = form_get(f, key->path);

	if (key->type == KEY_BOOL)
		return strcmp(v, "1") == 0 ? "true" : "false";
	return diag_vis(vis, vissz, v, strlen(v));
}

/* Tells what b has beyond a in one key, behind a word; true when there is any. */
static bool
tell_list(const char *word, char sign, const struct key *key,
    const struct form *a, const struct form *b, FILE *fp)
{
	struct out o = { NULL, 0 };
	char *text;
	size_t len;

	if ((o.fp = open_memstream(&text, &len)) == NULL)
		die_errno("policy");
	switch (key->sense) {
	case MORE_HOSTS:
		hosts_beyond(&o, a, b);
		break;
	case MORE_PATHS:
		paths_beyond(&o, key, a, b);
		break;
	case MORE_WRITES:
		writes_beyond(&o, a, b);
		break;
	case MORE_EXECS:
		execs_beyond(&o, a, b);
		break;
	case MORE_WITHOUT:
		list_beyond(&o, key, b, a);
		break;
	default:
		list_beyond(&o, key, a, b);
	}
	if (fclose(o.fp) == EOF)
		die_errno("policy");
	if (key->sense == MORE_WITHOUT)
		sign = sign == '+' ? '-' : '+';
	if (o.n > 0 && fp != NULL)
		fprintf(fp, "%s %s: %c %s\n", word, key->path, sign, text);
	free(text);
	return o.n > 0;
}

static bool
tell_scalar(const struct key *key, const struct form *a, const struct form *b,
    FILE *fp)
{
	char x[4 * 4096 + 1], y[4 * 4096 + 1];
	const char *word;
	bool wider = scalar_beyond(key, a, b);

	if (strcmp(form_get(a, key->path), form_get(b, key->path)) == 0)
		return false;
	word = wider ? "wider" : key->sense == MORE_NOT ? "changed" : "narrower";
	if (fp != NULL)
		fprintf(fp, "%s %s: %s -> %s\n", word, key->path,
		    scalar_text(key, a, x, sizeof(x)),
		    scalar_text(key, b, y, sizeof(y)));
	return wider;
}

/*
 * Writes a line per key that differs (fp may be NULL); returns whether b
 * grants anything beyond a.
 */
static bool
form_diff(const struct form *a, const struct form *b, FILE *fp)
{
	const struct key *key;
	bool wider = false;

	for (key = policy_keys; key < policy_keys + policy_nkeys; key++) {
		if ((key->flags & KEY_NOFORM) != 0)
			continue;
		if (!key_is_list(key)) {
			wider |= tell_scalar(key, a, b, fp);
			continue;
		}
		wider |= tell_list("wider", '+', key, a, b, fp);
		tell_list("narrower", '-', key, b, a, fp);
	}
	return wider;
}

int
cmd_diff(int argc, char **argv)
{
	const char *root = NULL;
	bool quiet = false;
	int ch;

	while ((ch = getopt(argc, argv, "+C:q")) != -1)
		switch (ch) {
		case 'C':
			root = optarg;
			break;
		case 'q':
			quiet = true;
			break;
		default:
			usage_error();
		}
	argc -= optind;
	argv += optind;
	if (argc != 2)
		usage_error();
	if (strcmp(argv[0], "-") == 0 && strcmp(argv[1], "-") == 0)
		die("only one of the two can be the standard input");
	return form_diff(load_parsed_form(argv[0], root),
	    load_parsed_form(argv[1], root), quiet ? NULL : stdout) ?
	    EXIT_NO : EXIT_YES;
}
