/*
 * overrides.c - hosts and roots merged into a base policy.
 */
#include <sys/socket.h>

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "overrides.h"

#define HOSTS_MAX	256	/* entries of net.allow_hosts */
#define ROOTS_MAX	128	/* entries of fs.read_roots, fs.write_roots */
#define ROOT_LEN_MAX	4096	/* characters of a root */

void
strings_add(struct strings *s, const char *string)
{
	if (s->n == s->cap) {
		s->cap = s->cap == 0 ? 16 : s->cap * 2;
		s->list = reallocarray(s->list, s->cap, sizeof(*s->list));
		if (s->list == NULL)
			die_errno("policy");
	}
	if ((s->list[s->n++] = strdup(string)) == NULL)
		die_errno("policy");
}

/* Copies at most len bytes of a host, in lower case. */
static void
lower_case(char text[HOST_MAX + 1], const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len && i < HOST_MAX && s[i] != '\0'; i++)
		text[i] = (char)tolower((unsigned char)s[i]);
	text[i] = '\0';
}

/* ---- entries ---- */

static bool
same_host(const struct entry *a, const struct entry *b)
{
	if (a->opaque || b->opaque)
		return a->opaque && b->opaque && strcmp(a->text, b->text) == 0;
	if (a->spec.kind != b->spec.kind)
		return false;
	if (a->spec.kind == HOST_NAME)
		return strcmp(a->spec.name, b->spec.name) == 0;
	return a->spec.family == b->spec.family &&
	    memcmp(a->spec.lo, b->spec.lo, sizeof(a->spec.lo)) == 0 &&
	    memcmp(a->spec.hi, b->spec.hi, sizeof(a->spec.hi)) == 0;
}

static struct entry *
find_entry(const struct entries *es, const struct entry *e)
{
	size_t i;

	for (i = 0; i < es->n; i++)
		if (same_host(&es->list[i], e))
			return &es->list[i];
	return NULL;
}

static void
insert_entry(struct entries *es, size_t at, const struct entry *e)
{
	if (es->n == es->cap) {
		es->cap = es->cap == 0 ? 16 : es->cap * 2;
		es->list = reallocarray(es->list, es->cap, sizeof(*es->list));
		if (es->list == NULL)
			die_errno("policy");
	}
	memmove(&es->list[at + 1], &es->list[at],
	    (es->n - at) * sizeof(*es->list));
	es->list[at] = *e;
	es->n++;
}

static void
remove_entry(struct entries *es, size_t at)
{
	es->n--;
	memmove(&es->list[at], &es->list[at + 1],
	    (es->n - at) * sizeof(*es->list));
}

/* Puts a port where it belongs; returns false when the entry is full. */
static bool
add_port(struct hostspec *hs, uint16_t port)
{
	size_t i;

	for (i = 0; i < hs->nports && hs->ports[i] < port; i++)
		;
	if (i < hs->nports && hs->ports[i] == port)
		return true;
	if (hs->nports == HOST_PORTS_MAX)
		return false;
	memmove(&hs->ports[i + 1], &hs->ports[i],
	    (hs->nports - i) * sizeof(hs->ports[0]));
	hs->ports[i] = port;
	hs->nports++;
	return true;
}

/* Adds an entry's ports to that of the same host, or the entry at the end. */
static void
merge_entry(struct entries *es, const struct entry *e)
{
	struct entry *old = find_entry(es, e);
	size_t i;

	if (old == NULL) {
		insert_entry(es, es->n, e);
		return;
	}
	if (e->spec.all_ports) {
		old->spec.all_ports = true;
		old->spec.nports = 0;
	}
	for (i = 0; i < e->spec.nports && !old->spec.all_ports; i++)
		if (!add_port(&old->spec, e->spec.ports[i]))
			die("host %s would exceed %d allowed ports", e->text,
			    HOST_PORTS_MAX);
}

/* ---- denies ---- */

/* Splits off the ports of e that deny names; e keeps the others. */
static struct hostspec
split_ports(struct hostspec *e, const struct hostspec *deny)
{
	struct hostspec denied = *e;
	size_t i, kept = 0;

	denied.nports = 0;
	for (i = 0; i < e->nports; i++)
		if (host_has_port(deny, e->ports[i]))
			denied.ports[denied.nports++] = e->ports[i];
		else
			e->ports[kept++] = e->ports[i];
	e->nports = kept;
	return denied;
}

static size_t
addr_size(int family)
{
	return family == AF_INET ? 4 : 16;
}

/* The address before (by -1) or after (by 1); the caller knows there is one. */
static void
addr_step(unsigned char *addr, int family, int by)
{
	size_t i = addr_size(family);

	while (i-- > 0) {
		addr[i] = (unsigned char)(addr[i] + by);
		if (addr[i] != (by > 0 ? 0 : 0xff))
			break;
	}
}

/*
 * Writes an entry of addresses anew; false when it would say more than before. Where
 * one address is left of a range, it could be listened on. And an IPv6 range that lies
 * in a block of forms of IPv4 addresses is read as the IPv4 range inside, which the one
 * that was cut never held.
 */
static bool
range_text(char text[HOST_MAX + 1], const struct hostspec *hs)
{
	char lo[INET6_ADDRSTRLEN], hi[INET6_ADDRSTRLEN];
	struct hostspec again;
	const char *why;
	bool one;

	inet_ntop(hs->family, hs->lo, lo, sizeof(lo));
	inet_ntop(hs->family, hs->hi, hi, sizeof(hi));
	one = strcmp(lo, hi) == 0;
	snprintf(text, HOST_MAX + 1, "%s%s%s", lo, one ? "" : "-",
	    one ? "" : hi);
	return host_parse_host(&again, text, &why) == 0 &&
	    again.family == hs->family && !host_is_here(&again);
}

/*
 * Takes a denied range out of the entry at i: what is below and above it keeps
 * the denied ports, all of it keeps the others. Returns how many entries
 * stand in its place.
 */
static size_t
subtract_range(struct entries *es, size_t i, const struct hostspec *deny)
{
	struct entry whole = es->list[i], below, above;
	int family = whole.spec.family;
	size_t len = addr_size(family), n = 0;

	below.opaque = above.opaque = false;
	below.spec = split_ports(&whole.spec, deny);
	if (below.spec.nports == 0)
		return 1;
	above.spec = below.spec;
	remove_entry(es, i);
	if (whole.spec.nports > 0)
		insert_entry(es, i + n++, &whole);
	if (memcmp(below.spec.lo, deny->lo, len) < 0) {
		memcpy(below.spec.hi, deny->lo, len);
		addr_step(below.spec.hi, family, -1);
		if (range_text(below.text, &below.spec))
			insert_entry(es, i + n++, &below);
	}
	if (memcmp(above.spec.hi, deny->hi, len) > 0) {
		memcpy(above.spec.lo, deny->hi, len);
		addr_step(above.spec.lo, family, 1);
		if (range_text(above.text, &above.spec))
			insert_entry(es, i + n++, &above);
	}
	return n;
}

static bool
overlap(const struct hostspec *a, const struct hostspec *b)
{
	size_t len = addr_size(a->family);

	return a->kind == HOST_RANGE && b->kind == HOST_RANGE &&
	    a->family == b->family && memcmp(a->lo, b->hi, len) <= 0 &&
	    memcmp(b->lo, a->hi, len) <= 0;
}

static void
deny_entry(struct entries *es, const struct entry *deny)
{
	size_t i = 0;

	while (i < es->n) {
		struct entry *e = &es->list[i];

		if (!e->opaque && overlap(&e->spec, &deny->spec)) {
			i += subtract_range(es, i, &deny->spec);
			continue;
		}
		if (same_host(e, deny))
			split_ports(&e->spec, &deny->spec);
		if (e->spec.nports == 0)
			remove_entry(es, i);
		else
			i++;
	}
}

/* ---- flags ---- */

/* The host of a spec that host_parse took: lower case, no brackets, no final dot. */
static void
spec_host(char text[HOST_MAX + 1], const char *spec, const struct hostspec *hs)
{
	size_t len;

	if (hs->kind == HOST_NAME) {
		lower_case(text, hs->name, HOST_MAX);
		return;
	}
	spec += strspn(spec, " \t");
	len = *spec == '[' ? strcspn(++spec, "]") : strcspn(spec, ":");
	while (len > 0 && isspace((unsigned char)spec[len - 1]))
		len--;
	lower_case(text, spec, len);
}

void
override_host(struct overrides *o, const char *spec, bool deny,
    const char *where)
{
	const char *why, *colon = strrchr(spec, ':');
	struct entry e = { 0 };

	if (!deny && colon != NULL && strcmp(colon, ":*") == 0)
		die("%s %s: '*' is only for --deny-host; list the ports", where,
		    spec);
	if (host_parse(&e.spec, spec, deny, &why) == -1)
		die("%s %s: %s", where, spec, why);
	spec_host(e.text, spec, &e.spec);
	merge_entry(deny ? &o->deny : &o->allow, &e);
	o->hosts = true;
}

void
override_host_file(struct overrides *o, const char *path, bool deny)
{
	struct bytes b = read_file(path);
	char *line, *rest = b.data, *end, where[4200];
	size_t lineno = 0;

	o->hosts = true;
	if (strlen(b.data) != b.len)
		die("%s: NUL byte in a list of hosts", path);
	while ((line = strsep(&rest, "\n")) != NULL) {
		lineno++;
		line[strcspn(line, "#")] = '\0';
		line += strspn(line, " \t\r");
		for (end = line + strlen(line); end > line &&
		    strchr(" \t\r", end[-1]) != NULL; end--)
			;
		*end = '\0';
		if (*line == '\0')
			continue;
		snprintf(where, sizeof(where), "%s:%zu:", path, lineno);
		override_host(o, line, deny, where);
	}
	free(b.data);
}

void
override_root(struct strings *roots, const char *path, const char *flag)
{
	char *copy, *p, *end;

	if ((copy = p = strdup(path)) == NULL)
		die_errno("policy");
	p += strspn(p, " \t\r\n\v\f");
	for (end = p + strlen(p); end > p && isspace((unsigned char)end[-1]); end--)
		;
	*end = '\0';
	if (*p == '\0')
		die("%s: empty path", flag);
	if (key_strlen(p, strlen(p)) > ROOT_LEN_MAX)
		die("%s: longer than %d characters", flag, ROOT_LEN_MAX);
	if (strchr(p, ';') != NULL)
		die("%s %s: a root must not contain ';'", flag, p);
	if (!json_utf8_valid(p))
		die("%s %s: a policy cannot hold a root that is not UTF-8", flag, p);
	strings_add(roots, p);
	free(copy);
}

/* ---- the base ---- */

static struct json_value *
member(struct policy *p, const char *object)
{
	return json_member(json_root(policy_json(p)), object);
}

static void
need_true(struct policy *p, const char *object, const char *key,
    const char *message)
{
	if (!json_member(member(p, object), key)->boolean)
		die("base policy %s (%s.%s=false)", message, object, key);
}

/* The base's entries: repeated hosts in one, ports ascending, each once. */
static void
read_entries(struct entries *es, const struct json_value *list)
{
	const struct json_value *item, *port;
	const char *why;
	struct entry e;
	int64_t n;

	for (item = list->child; item != NULL; item = item->next) {
		memset(&e, 0, sizeof(e));
		lower_case(e.text, json_member(item, "host")->string, HOST_MAX);
		e.opaque = host_parse_host(&e.spec, e.text, &why) == -1;
		e.spec.nports = 0;
		for (port = json_member(item, "ports")->child; port != NULL;
		    port = port->next)
			if (json_int(port, &n) == JSON_INT_OK)
				add_port(&e.spec, (uint16_t)n);
		merge_entry(es, &e);
	}
}

static void
write_entries(struct policy *p, const struct entries *es)
{
	struct json *doc = policy_json(p);
	struct json_value *list = json_new(doc, JSON_ARRAY), *item, *ports;
	size_t i, j;

	for (i = 0; i < es->n; i++) {
		item = json_new(doc, JSON_OBJECT);
		ports = json_new(doc, JSON_ARRAY);
		for (j = 0; j < es->list[i].spec.nports; j++)
			json_append(ports,
			    json_new_int(doc, es->list[i].spec.ports[j]));
		json_set(doc, item, "host",
		    json_new_string(doc, es->list[i].text));
		json_set(doc, item, "ports", ports);
		json_append(list, item);
	}
	json_set(doc, member(p, "net"), "allow_hosts", list);
}

static void
apply_hosts(struct policy *p, const struct overrides *o)
{
	struct entries es = { 0 };
	bool names = false;
	size_t i;

	read_entries(&es, json_member(member(p, "net"), "allow_hosts"));
	for (i = 0; i < o->allow.n; i++)
		merge_entry(&es, &o->allow.list[i]);
	for (i = 0; i < o->deny.n; i++)
		deny_entry(&es, &o->deny.list[i]);
	if (es.n > HOSTS_MAX)
		die("policy net.allow_hosts would exceed %d entries", HOSTS_MAX);
	for (i = 0; i < o->allow.n; i++)
		if (o->allow.list[i].spec.kind == HOST_NAME &&
		    find_entry(&es, &o->allow.list[i]) != NULL)
			names = true;
	write_entries(p, &es);
	/*
	 * A name asked for is of no use without names being answered. Those of
	 * the base alone turn nothing on: a run that only denies gets no more.
	 */
	if (names && !json_member(member(p, "net"), "allow_dns")->boolean)
		json_set(policy_json(p), member(p, "net"), "allow_dns",
		    json_new_bool(policy_json(p), true));
	free(es.list);
}

static void
apply_roots(struct policy *p, const char *key, const struct strings *roots)
{
	struct json *doc = policy_json(p);
	struct json_value *list = json_member(member(p, "fs"), key), *v;
	size_t i;

	for (i = 0; i < roots->n; i++) {
		for (v = list->child; v != NULL; v = v->next)
			if (strcmp(v->string, roots->list[i]) == 0)
				break;
		if (v == NULL)
			json_append(list, json_new_string(doc, roots->list[i]));
	}
	if (list->n > ROOTS_MAX)
		die("policy fs.%s would exceed %d entries", key, ROOTS_MAX);
}

void
overrides_merge(struct policy *p, const struct overrides *o)
{
	apply_hosts(p, o);
	apply_roots(p, "read_roots", &o->read_roots);
	apply_roots(p, "write_roots", &o->write_roots);
}

void
overrides_apply(struct policy *p, const struct overrides *o)
{
	if (o->hosts) {
		need_true(p, "net", "enabled", "disables networking");
		need_true(p, "net", "allow_tcp", "forbids TCP");
	}
	if (o->read_roots.n + o->write_roots.n > 0)
		need_true(p, "fs", "enabled", "disables the file system");
	overrides_merge(p, o);
}

/* ---- the digest ---- */

static int
text_cmp(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->text,
	    ((const struct entry *)b)->text);
}

static void
write_hosts(FILE *fp, const struct entries *es, bool deny)
{
	struct entry *sorted;
	size_t i, j;

	if ((sorted = calloc(es->n + 1, sizeof(*sorted))) == NULL)
		die_errno("policy");
	if (es->n > 0) {
		memcpy(sorted, es->list, es->n * sizeof(*sorted));
		qsort(sorted, es->n, sizeof(*sorted), text_cmp);
	}
	putc('[', fp);
	for (i = 0; i < es->n; i++) {
		fputs(i > 0 ? ",{" : "{", fp);
		if (deny)
			fprintf(fp, "\"all_ports\":%s,",
			    sorted[i].spec.all_ports ? "true" : "false");
		fputs("\"host\":", fp);
		json_write_string(fp, sorted[i].text);
		fputs(",\"ports\":[", fp);
		for (j = 0; j < sorted[i].spec.nports; j++)
			fprintf(fp, "%s%u", j > 0 ? "," : "",
			    (unsigned)sorted[i].spec.ports[j]);
		fputs("]}", fp);
	}
	putc(']', fp);
	free(sorted);
}

static int
string_cmp(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
write_roots(FILE *fp, const struct strings *roots)
{
	char **sorted;
	size_t i, n = 0;

	if ((sorted = calloc(roots->n + 1, sizeof(*sorted))) == NULL)
		die_errno("policy");
	if (roots->n > 0) {
		memcpy(sorted, roots->list, roots->n * sizeof(*sorted));
		qsort(sorted, roots->n, sizeof(*sorted), string_cmp);
	}
	putc('[', fp);
	for (i = 0; i < roots->n; i++) {
		if (i > 0 && strcmp(sorted[i], sorted[i - 1]) == 0)
			continue;
		if (n++ > 0)
			putc(',', fp);
		json_write_string(fp, sorted[i]);
	}
	putc(']', fp);
	free(sorted);
}

void
overrides_write(FILE *fp, const struct overrides *o)
{
	fputs("{\"allow_hosts\":", fp);
	write_hosts(fp, &o->allow, false);
	fputs(",\"allow_read_roots\":", fp);
	write_roots(fp, &o->read_roots);
	fputs(",\"allow_write_roots\":", fp);
	write_roots(fp, &o->write_roots);
	fputs(",\"deny_hosts\":", fp);
	write_hosts(fp, &o->deny, true);
	putc('}', fp);
}
