/* What the list and the answered names say of an address and port together. */
#include <stdlib.h>
#include <string.h>

#include "netgate.h"

static void
denied(struct relay *r, const struct os_flow *f, bool udp,
    const struct judgement *j, const struct known *other)
{
	char text[ADDR_TEXT], object[NAMED_TEXT], why[96], hint[HOST_MAX + 16];
	const char *verb = udp ? "send" : "connect";

	addr_text(text, f->family, f->dst, f->dport);
	if (other == NULL || j->entry != NULL) {
		report_deny(r, verb, text, j->why, j->key,
		    j->entry == NULL ? text : NULL);
		return;
	}
	named_text(object, other->name, f->family, f->dst, f->dport);
	snprintf(hint, sizeof(hint), "%s:%u", other->name, f->dport);
	snprintf(why, sizeof(why), "port %u of this name is not in "
	    "net.allow_hosts", f->dport);
	report_deny(r, verb, object, why, "net.allow_hosts", hint);
}

void
judge_denied(struct relay *r, const struct os_flow *f, const char *name,
    bool udp, const char *why, const char *key)
{
	char object[NAMED_TEXT];

	report_deny(r, udp ? "send" : "connect", named_text(object, name,
	    f->family, f->dst, f->dport), why, key, NULL);
}

/* What allows everything in a dry run. */
static const struct entry anything = { .group = GROUP_NET, .udp = true };

struct verdict_on
judge(struct relay *r, const struct os_flow *f, bool udp)
{
	struct verdict_on v = { NULL, NULL, NULL };
	const struct known *known, *other = NULL;
	struct judgement j;

	if (rules_addr(r->rules, f->family, f->dst, f->dport, udp, &j)) {
		v.entry = j.entry;
		return v;
	}
	/* A denied address stays denied, whatever its name. */
	known = names_find(r, f->family, f->dst, f->dport, udp, &other);
	if (known == NULL && r->chain->dry_run)
		known = other;
	if (known != NULL && j.entry == NULL && rules_name(r->rules, known->name,
	    f->dport, udp) != NULL) {
		v.entry = rules_name(r->rules, known->name, f->dport, udp);
		v.name = known->name;
		return v;
	}
	if (other != NULL && j.entry == NULL &&
	    rules_name(r->rules, other->name, f->dport, udp) != NULL) {
		v.stale = other->name;
		return v;
	}
	denied(r, f, udp, &j, other);
	if (r->chain->dry_run)
		v.entry = &anything;
	return v;
}
