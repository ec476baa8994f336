/* The list: what may be reached, from options, files and a policy. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netgate.h"

static void
append(struct entry **list, size_t *n, const struct hostspec *spec,
    enum group group, bool udp)
{
	struct entry *grown = reallocarray(*list, *n + 1, sizeof(**list));

	if (grown == NULL)
		refuse_errno("list of hosts");
	*list = grown;
	grown[(*n)++] = (struct entry){ .spec = *spec, .group = group, .udp = udp };
}

/*
 * "localhost" is an address, not a name: /etc/hosts inside says so before
 * anyone is asked.
 */
static void
append_localhost(struct entry **list, size_t *n, struct hostspec spec,
    enum group group, bool udp)
{
	static const char *const addrs[] = { "127.0.0.1", "::1" };

	for (int i = 0; i < 2; i++) {
		memset(spec.lo, 0, sizeof(spec.lo));
		spec.kind = HOST_RANGE;
		spec.family = i == 0 ? AF_INET : AF_INET6;
		inet_pton(spec.family, addrs[i], spec.lo);
		memcpy(spec.hi, spec.lo, sizeof(spec.hi));
		append(list, n, &spec, group, udp);
	}
}

static void
add(struct rules *r, const struct hostspec *spec, bool deny, enum group group,
    bool udp)
{
	struct entry **list = deny ? &r->deny : &r->allow;
	size_t *n = deny ? &r->ndeny : &r->nallow;

	append(list, n, spec, group, udp);
	if (spec->kind == HOST_NAME && strcmp(spec->name, "localhost") == 0)
		append_localhost(list, n, *spec, group, udp);
}

void
rules_add(struct rules *r, const char *opt, const char *text, bool deny)
{
	struct hostspec spec;
	const char *why;

	if (host_parse(&spec, text, deny, &why) == -1)
		refuse("%s %s: %s", opt, text, why);
	add(r, &spec, deny, GROUP_NET, false);
}

void
rules_add_file(struct rules *r, const char *opt, const char *path, bool deny)
{
	FILE *f = fopen(path, "re");
	char *line = NULL;
	size_t size = 0, n = 0;
	ssize_t len;

	if (f == NULL)
		refuse_errno("%s %s", opt, path);
	while ((len = getline(&line, &size, f)) != -1) {
		struct hostspec spec;
		const char *why;
		size_t col;

		n++;
		if (memchr(line, '\0', (size_t)len) != NULL)
			refuse("%s:%zu:%zu: a zero byte", path, n,
			    strlen(line) + 1);
		line[strcspn(line, "#\r\n")] = '\0';
		col = strspn(line, " \t");
		if (line[col] == '\0')
			continue;
		if (host_parse(&spec, line + col, deny, &why) == -1)
			refuse("%s:%zu:%zu: %s", path, n, col + 1, why);
		add(r, &spec, deny, GROUP_NET, false);
	}
	if (ferror(f))
		refuse_errno("%s %s", opt, path);
	free(line);
	fclose(f);
}

/* ---- the policy ---- */

static void
add_net(struct rules *r, const struct form *form)
{
	bool tcp = form_bool(form, "net.allow_tcp", false);
	bool udp = form_bool(form, "net.allow_udp", false);
	const char *const *item, *why;
	struct hostspec spec;
	size_t n;

	if (!form_bool(form, "net.enabled", false))
		r->closed = "net.enabled";
	else if (!tcp && !udp)
		r->closed = "net.allow_tcp";
	if (r->closed != NULL)
		return;
	r->ask[GROUP_NET] = form_bool(form, "net.allow_dns", false);
	r->udp = udp;
	r->no_tcp = !tcp;
	n = form_list(form, "net.allow_hosts", &item);
	for (size_t i = 0; i < n; i++) {
		if (host_parse(&spec, item[i], false, &why) == -1)
			refuse("policy: net.allow_hosts[%zu]: %s", i, why);
		add(r, &spec, false, GROUP_NET, udp);
	}
}

/* An entry holds 64 ports, db.net.allow_ports up to 256. */
static void
add_db_host(struct rules *r, struct hostspec *spec, const char *const *port,
    size_t nports)
{
	for (size_t i = 0; i < nports; ) {
		for (spec->nports = 0; i < nports &&
		    spec->nports < HOST_PORTS_MAX; i++)
			spec->ports[spec->nports++] =
			    (uint16_t)strtoul(port[i], NULL, 10);
		add(r, spec, false, GROUP_DB, false);
	}
}

static void
add_db(struct rules *r, const struct form *form)
{
	static const char *const keys[] = {
		"db.net.allow_dns", "db.net.allow_cidrs",
	};
	const char *const *item, *const *port, *why;
	struct hostspec spec;
	size_t nports, n;

	if (!form_bool(form, "db.enabled", false) ||
	    !(form_bool(form, "db.drivers.postgres", false) ||
	    form_bool(form, "db.drivers.mysql", false) ||
	    form_bool(form, "db.drivers.redis", false)))
		return;
	nports = form_list(form, "db.net.allow_ports", &port);
	for (size_t k = 0; k < 2; k++) {
		n = form_list(form, keys[k], &item);
		for (size_t i = 0; i < n; i++) {
			if (host_parse_host(&spec, item[i], &why) == -1)
				refuse("policy: %s[%zu]: %s", keys[k], i, why);
			add_db_host(r, &spec, port, nports);
		}
	}
	r->ask[GROUP_DB] = true;
	r->max_live[GROUP_DB] = form_int(form, "db.max_live_conns", 0);
	r->connect_ms[GROUP_DB] = form_int(form, "db.connect_timeout_ms", 0);
}

void
rules_add_form(struct rules *r, const struct form *form)
{
	r->ask[GROUP_NET] = false;
	add_net(r, form);
	add_db(r, form);
}

/* ---- judging ---- */

static bool
denied_name(const struct rules *r, const char *name, uint16_t port)
{
	for (size_t i = 0; i < r->ndeny; i++) {
		const struct hostspec *s = &r->deny[i].spec;

		if (s->kind == HOST_NAME && strcmp(s->name, name) == 0 &&
		    host_has_port(s, port))
			return true;
	}
	return false;
}

static const struct entry *
denied_addr(const struct rules *r, int family, const unsigned char *addr,
    uint16_t port)
{
	for (size_t i = 0; i < r->ndeny; i++)
		if (host_covers(&r->deny[i].spec, family, addr) &&
		    host_has_port(&r->deny[i].spec, port))
			return &r->deny[i];
	return NULL;
}

/* True when an entry is for datagrams, or for connections. */
static bool
is_for(const struct rules *r, const struct entry *e, bool udp)
{
	return udp ? e->udp : !r->no_tcp || e->group != GROUP_NET;
}

bool
rules_addr(const struct rules *r, int family, const unsigned char *addr,
    uint16_t port, bool udp, struct judgement *j)
{
	unsigned char inner[16] = { 0 };
	int inner_family = family;

	memcpy(inner, addr, family == AF_INET ? 4 : 16);
	host_unwrap(&inner_family, inner);
	*j = (struct judgement){ .key = "net.allow_hosts" };
	j->entry = denied_addr(r, inner_family, inner, port);
	if (j->entry == NULL)
		j->entry = denied_addr(r, family, addr, port);
	if (j->entry != NULL) {
		j->why = "denied by --deny-host";
		return false;
	}
	for (size_t i = 0; i < r->nallow; i++) {
		const struct entry *e = &r->allow[i];

		if (!is_for(r, e, udp) || !host_has_port(&e->spec, port) ||
		    !host_covers(&e->spec, inner_family, inner))
			continue;
		j->entry = e;
		j->allowed = true;
		return true;
	}
	j->why = "not in net.allow_hosts";
	if (r->closed != NULL || (!udp && r->no_tcp)) {
		j->key = r->closed != NULL ? r->closed : "net.allow_tcp";
		j->why = strcmp(j->key, "net.enabled") == 0 ?
		    "net.enabled is false" : "net.allow_tcp is false";
	}
	return false;
}

const struct entry *
rules_name(const struct rules *r, const char *name, uint16_t port, bool udp)
{
	if (denied_name(r, name, port))
		return NULL;
	for (size_t i = 0; i < r->nallow; i++) {
		const struct entry *e = &r->allow[i];

		if (e->spec.kind == HOST_NAME && is_for(r, e, udp) &&
		    strcmp(e->spec.name, name) == 0 &&
		    host_has_port(&e->spec, port))
			return e;
	}
	return NULL;
}

void
rules_ports(const struct rules *r, const char *name, bool udp,
    void (*fn)(void *, uint16_t), void *arg)
{
	for (size_t i = 0; i < r->nallow; i++) {
		const struct hostspec *s = &r->allow[i].spec;

		if (s->kind != HOST_NAME || strcmp(s->name, name) != 0 ||
		    (udp && !r->allow[i].udp))
			continue;
		for (size_t p = 0; p < s->nports; p++)
			if (!denied_name(r, name, s->ports[p]))
				fn(arg, s->ports[p]);
	}
}

static void
count_port(void *n, uint16_t port)
{
	(void)port;
	++*(size_t *)n;
}

bool
rules_ask(const struct rules *r, const char *name, struct judgement *j)
{
	size_t ports = 0;

	*j = (struct judgement){ .key = "net.allow_hosts",
	    .why = "not in net.allow_hosts" };
	for (size_t i = 0; i < r->nallow && j->entry == NULL; i++) {
		const struct entry *e = &r->allow[i];

		if (e->spec.kind == HOST_NAME && strcmp(e->spec.name, name) == 0 &&
		    r->ask[e->group])
			j->entry = e;
		else if (e->spec.kind == HOST_NAME &&
		    strcmp(e->spec.name, name) == 0) {
			j->why = "net.allow_dns is false";
			j->key = "net.allow_dns";
		}
	}
	if (j->entry == NULL) {
		if (r->closed != NULL) {
			j->key = r->closed;
			j->why = strcmp(r->closed, "net.enabled") == 0 ?
			    "net.enabled is false" : "net.allow_tcp is false";
		}
		return false;
	}
	rules_ports(r, name, false, count_port, &ports);
	if (ports == 0)
		j->why = "denied by --deny-host";
	j->allowed = ports > 0;
	return j->allowed;
}
