/* Denial lines and the audit log. */
#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netgate.h"

#define SLOTS		256	/* objects remembered, a power of two */
#define OBJECT_MAX	512
#define AGAIN_MS	10000	/* before the same line on stderr again */
#define AUDIT_AGAIN_MS	1000	/* before the same record again */
#define LINES_MAX	200	/* lines per AGAIN_MS, of all objects */

struct slot {
	char		*object;
	int64_t		said, logged;
	unsigned	times;		/* since the last record */
};

static char command[128] = "\"command\":\"\"";	/* JSON member of every record */
static struct slot slots[SLOTS];
static int64_t window;
static unsigned lines;

void
report_command(const char *argv0)
{
	const char *base = strrchr(argv0, '/');
	size_t n = (size_t)snprintf(command, sizeof(command), "\"command\":\"");

	for (base = base != NULL ? base + 1 : argv0; *base != '\0' &&
	    n < sizeof(command) - 8; base++) {
		unsigned char c = (unsigned char)*base;

		if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
			n += (size_t)snprintf(command + n, 7, "\\u%04x", c);
		else
			command[n++] = (char)c;
	}
	command[n++] = '"';
	command[n] = '\0';
}

const char *
addr_text(char buf[ADDR_TEXT], int family, const unsigned char *addr,
    uint16_t port)
{
	char ip[INET6_ADDRSTRLEN];

	inet_ntop(family, addr, ip, sizeof(ip));
	snprintf(buf, ADDR_TEXT, family == AF_INET6 ? "[%s]:%u" : "%s:%u", ip,
	    port);
	return buf;
}

const char *
named_text(char buf[NAMED_TEXT], const char *name, int family,
    const unsigned char *addr, uint16_t port)
{
	char ip[INET6_ADDRSTRLEN];

	if (name == NULL)
		return addr_text(buf, family, addr, port);
	inet_ntop(family, addr, ip, sizeof(ip));
	snprintf(buf, NAMED_TEXT, "%s:%u [%s]", name, port, ip);
	return buf;
}

static struct slot *
slot_of(const char *verb, const char *object, int64_t now)
{
	char key[OBJECT_MAX];
	unsigned h = 5381;
	struct slot *s;

	snprintf(key, sizeof(key), "%s %s", verb, object);
	for (const char *p = key; *p != '\0'; p++)
		h = h * 33 + (unsigned char)*p;
	s = &slots[h & (SLOTS - 1)];
	if (s->object != NULL && strcmp(s->object, key) == 0)
		return s;
	free(s->object);
	*s = (struct slot){ .object = strdup(key), .said = now - AGAIN_MS,
	    .logged = now - AUDIT_AGAIN_MS };
	return s;
}

/*
 * Would a line go out at once? A stopped terminal, or a pipe that nobody reads, must not
 * hold up the network.
 */
static bool
heard(void)
{
	struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };

	return poll(&p, 1, 0) == 1 && (p.revents & POLLOUT) != 0;
}

/* A program that tries everything must not fill the terminal. */
static bool
too_many(struct relay *r)
{
	if (r->now - window >= AGAIN_MS) {
		window = r->now;
		lines = 0;
	}
	if (++lines <= LINES_MAX)
		return false;
	if (lines == LINES_MAX + 1)
		note("more denials than lines to print; use -l for all");
	return true;
}

void
report_deny(struct relay *r, const char *verb, const char *object,
    const char *why, const char *key, const char *hint)
{
	struct slot *s = slot_of(verb, object, r->now);
	bool say = r->now - s->said >= AGAIN_MS;
	bool log = r->chain->audit_fd >= 0 &&
	    r->now - s->logged >= AUDIT_AGAIN_MS;
	char flag[OBJECT_MAX], extra[sizeof(command) + 32];
	struct verdict v = {
		.verb = verb, .object = object, .why = why, .key = key,
		.pid = r->program,
	};

	s->times++;
	if (say && (r->chain->quiet || !heard() || too_many(r)))
		say = false;
	if (!say && !log)
		return;
	if (hint != NULL) {
		snprintf(flag, sizeof(flag), "--allow-host %s", hint);
		v.hint = flag;
	}
	snprintf(extra, sizeof(extra), "%s,\"times\":%u", command, s->times);
	audit_verdict(log ? r->chain->audit_fd : -1, &v, !say,
	    r->chain->dry_run, extra);
	if (say)
		s->said = r->now;
	if (log) {
		s->logged = r->now;
		s->times = 0;
	}
}

void
report_allow(struct relay *r, const char *verb, const char *object,
    const char *extra)
{
	char all[OBJECT_MAX + sizeof(command)];
	struct verdict v = {
		.verb = verb, .object = object, .pid = r->program,
		.allowed = true,
	};

	if (r->chain->audit_fd < 0)
		return;
	snprintf(all, sizeof(all), "%s,%s", command, extra);
	audit_verdict(r->chain->audit_fd, &v, true, false, all);
}

void
report_flow(struct relay *r, const char *verb, const struct os_flow *f,
    const char *name, bool udp, const char *more)
{
	char object[NAMED_TEXT], ip[INET6_ADDRSTRLEN], extra[HOST_MAX + 256];

	if (r->chain->audit_fd < 0)
		return;
	inet_ntop(f->family, f->dst, ip, sizeof(ip));
	snprintf(extra, sizeof(extra), "%s%s%s\"addr\":\"%s\",\"port\":%u,"
	    "\"proto\":\"%s\"%s", name != NULL ? "\"name\":\"" : "",
	    name != NULL ? name : "", name != NULL ? "\"," : "", ip, f->dport,
	    udp ? "udp" : "tcp", more);
	report_allow(r, verb, named_text(object, name, f->family, f->dst,
	    f->dport), extra);
}
