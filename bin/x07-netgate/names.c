/*
 * Which name an address was answered for. A connection to it is a connection
 * to that name, on the ports of that name's entry.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "netgate.h"

#define BUCKETS		256	/* a power of two */
#define KNOWN_MAX	1024	/* pairs of name and address */

struct names {
	LIST_HEAD(, known)	bucket[BUCKETS];
	TAILQ_HEAD(, known)	age;		/* oldest first */
	size_t			n;
};

void
names_init(struct relay *r)
{
	r->names = calloc(1, sizeof(*r->names));
	if (r->names == NULL)
		refuse_errno("relay");
	TAILQ_INIT(&r->names->age);
}

static unsigned
bucket_of(const unsigned char *addr, size_t len)
{
	unsigned h = 0;

	for (size_t i = 0; i < len; i++)
		h = h * 31 + addr[i];
	return h & (BUCKETS - 1);
}

static bool
has_addr(const struct known *k, int family, const unsigned char *addr)
{
	return k->family == family && memcmp(k->addr, addr, address_len(family)) == 0;
}

static struct known *
find_pair(struct relay *r, const char *name, int family,
    const unsigned char *addr)
{
	struct known *k;

	LIST_FOREACH(k, &r->names->bucket[bucket_of(addr, address_len(family))],
	    by_addr)
		if (has_addr(k, family, addr) && strcmp(k->name, name) == 0)
			return k;
	return NULL;
}

/* Forgets the pair that was not answered for the longest time. */
static void
forget_oldest(struct relay *r)
{
	struct known *k = TAILQ_FIRST(&r->names->age), *same;
	size_t others = 0;

	LIST_FOREACH(same, &r->names->bucket[bucket_of(k->addr,
	    address_len(k->family))], by_addr)
		if (same != k && has_addr(same, k->family, k->addr))
			others++;
	if (others == 0)
		listen_stop(r, k->family, k->addr);
	LIST_REMOVE(k, by_addr);
	TAILQ_REMOVE(&r->names->age, k, by_age);
	r->names->n--;
	free(k);
}

struct opening {
	struct relay	*r;
	struct known	*known;
	int		type;
	int		err;
};

static void
open_port(void *arg, uint16_t port)
{
	struct opening *o = arg;

	/* In use: by the program itself. Its own connections will tell (relay.c). */
	if (listen_on(o->r, o->type, o->known->family, o->known->addr,
	    port) == -1 && errno != EADDRINUSE)
		o->err = errno;
}

int
names_learn(struct relay *r, const char *name, int family,
    const unsigned char *addr, int64_t until)
{
	struct known *k = find_pair(r, name, family, addr);
	struct opening o = { .r = r, .type = SOCK_STREAM };

	if (k == NULL) {
		if (r->names->n >= KNOWN_MAX)
			forget_oldest(r);
		k = calloc(1, sizeof(*k));
		if (k == NULL)
			return -1;
		k->name = name;
		k->family = family;
		memcpy(k->addr, addr, address_len(family));
		LIST_INSERT_HEAD(&r->names->bucket[bucket_of(addr,
		    address_len(family))], k, by_addr);
		r->names->n++;
	} else {
		TAILQ_REMOVE(&r->names->age, k, by_age);
	}
	TAILQ_INSERT_TAIL(&r->names->age, k, by_age);
	if (k->until < until)
		k->until = until;
	o.known = k;
	rules_ports(r->rules, name, false, open_port, &o);
	o.type = SOCK_DGRAM;
	rules_ports(r->rules, name, true, open_port, &o);
	errno = o.err;
	return o.err == 0 ? 0 : -1;
}

const struct known *
names_find(struct relay *r, int family, const unsigned char *addr,
    uint16_t port, bool udp, const struct known **other)
{
	struct known *k;

	*other = NULL;
	LIST_FOREACH(k, &r->names->bucket[bucket_of(addr, address_len(family))],
	    by_addr) {
		bool lists;

		if (!has_addr(k, family, addr))
			continue;
		lists = rules_name(r->rules, k->name, port, udp) != NULL;
		if (lists && k->until > r->now)
			return k;
		/* One that would do if it were fresh says more than one that not. */
		if (*other == NULL || lists)
			*other = k;
	}
	return NULL;
}
