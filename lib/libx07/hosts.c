/* Host entries: names, addresses, blocks and ranges, with ports. */
#include <sys/socket.h>

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "x07.h"

#define LABEL_MAX	63	/* bytes of one label, RFC 1035 */
#define NAME_MAX_TEXT	253	/* bytes of a name as text, RFC 1035 */

/* ---- special ranges ---- */

struct block {
	int		family;
	unsigned char	prefix[16];
	unsigned	bits;
	const char	*what;
};

static bool
in_block(const struct block *b, const unsigned char *addr)
{
	unsigned whole = b->bits / 8, rest = b->bits % 8;

	if (memcmp(addr, b->prefix, whole) != 0)
		return false;
	return rest == 0 ||
	    ((addr[whole] ^ b->prefix[whole]) & (0xff00U >> rest) & 0xff) == 0;
}

/* IANA special-purpose registries, RFC 6890 and what was added since. */
static const struct block special[] = {
	{ AF_INET, { 0 }, 8, "an unspecified address" },
	{ AF_INET, { 127 }, 8, "a loopback address" },
	{ AF_INET, { 169, 254 }, 16, "a link-local or metadata address" },
	{ AF_INET, { 10 }, 8, "a private address" },
	{ AF_INET, { 172, 16 }, 12, "a private address" },
	{ AF_INET, { 192, 168 }, 16, "a private address" },
	{ AF_INET, { 100, 64 }, 10, "a carrier-private address" },
	{ AF_INET, { 192, 0, 0 }, 24, "a protocol assignment address" },
	{ AF_INET, { 198, 18 }, 15, "a benchmark address" },
	{ AF_INET, { 168, 63, 129, 16 }, 32, "a metadata address" },
	{ AF_INET, { 224 }, 4, "a multicast address" },
	{ AF_INET, { 240 }, 4, "a reserved address" },
	{ AF_INET6, { 0 }, 96, "an unspecified or loopback address" },
	{ AF_INET6, { 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff }, 96,
	    "a translated address" },
	{ AF_INET6, { 0xfe, 0x80 }, 10, "a link-local address" },
	{ AF_INET6, { 0xfe, 0xc0 }, 10, "a site-local address" },
	{ AF_INET6, { 0xfc }, 7, "a private address" },
	{ AF_INET6, { 0xff }, 8, "a multicast address" },
	{ AF_INET6, { 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01 }, 48,
	    "a private NAT64 address" },
	{ AF_INET6, { 0x01, 0x00 }, 64, "a discard address" },
	{ AF_INET6, { 0x20, 0x01 }, 32, "a tunnel address" },
};

const char *
host_special(int family, const unsigned char *addr)
{
	for (size_t i = 0; i < sizeof(special) / sizeof(special[0]); i++)
		if (special[i].family == family && in_block(&special[i], addr))
			return special[i].what;
	return NULL;
}

/* Where IPv6 forms carry an IPv4 address. */
static const struct {
	struct block	block;
	unsigned	at;
} carriers[] = {
	{ { AF_INET6, { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff }, 96, NULL },
	    12 },					/* IPv4-mapped */
	{ { AF_INET6, { 0x00, 0x64, 0xff, 0x9b }, 96, NULL }, 12 }, /* NAT64 */
	{ { AF_INET6, { 0x20, 0x02 }, 16, NULL }, 2 },	/* 6to4 */
};
#define NCARRIERS	(sizeof(carriers) / sizeof(carriers[0]))
#define CARRIER_6TO4	2

bool
host_unwrap(int *family, unsigned char *addr)
{
	if (*family != AF_INET6)
		return false;
	for (size_t i = 0; i < NCARRIERS; i++) {
		if (!in_block(&carriers[i].block, addr))
			continue;
		memmove(addr, addr + carriers[i].at, 4);
		memset(addr + 4, 0, 12);
		*family = AF_INET;
		return true;
	}
	return false;
}

/* ---- addresses, blocks, ranges ---- */

static bool
parse_addr(const char *text, size_t len, int *family, unsigned char addr[16])
{
	char buf[INET6_ADDRSTRLEN];

	if (len == 0 || len >= sizeof(buf))
		return false;
	memcpy(buf, text, len);
	buf[len] = '\0';
	memset(addr, 0, 16);
	*family = memchr(buf, ':', len) != NULL ? AF_INET6 : AF_INET;
	return inet_pton(*family, buf, addr) == 1;
}

/* Decimal digits without a leading zero, lo..hi; -1 when it is not that. */
static long
parse_number(const char *text, size_t len, long lo, long hi)
{
	long n = 0;

	if (len == 0 || len > 5 || (text[0] == '0' && len > 1))
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		n = n * 10 + (text[i] - '0');
	}
	return n >= lo && n <= hi ? n : -1;
}

/*
 * Ranges inside the IPv4-mapped and NAT64 blocks become IPv4 ranges, because
 * destinations are judged as the IPv4 address inside. One inside 6to4 names
 * hosts behind a router that IPv4 cannot name: refused.
 */
static int
unwrap_range(struct hostspec *h, const char **why)
{
	int family = h->family;

	if (family != AF_INET6)
		return 0;
	for (size_t i = 0; i < NCARRIERS; i++) {
		if (!in_block(&carriers[i].block, h->lo) ||
		    !in_block(&carriers[i].block, h->hi))
			continue;
		if (i == CARRIER_6TO4) {
			*why = "6to4 addresses are judged as the IPv4 address "
			    "inside: list that one";
			return -1;
		}
		host_unwrap(&family, h->lo);
		family = AF_INET6;
		host_unwrap(&family, h->hi);
		h->family = family;
		return 0;
	}
	return 0;
}

static int
parse_block(struct hostspec *h, const char *text, const char *slash,
    const char **why)
{
	const char *bits_text = slash + 1;
	long bits;

	if (!parse_addr(text, (size_t)(slash - text), &h->family, h->lo)) {
		*why = "no address before the '/' of the CIDR block";
		return -1;
	}
	bits = parse_number(bits_text, strlen(bits_text), 0,
	    (long)address_len(h->family) * 8);
	if (bits == -1) {
		*why = h->family == AF_INET ?
		    "the prefix length of an IPv4 block is 0 to 32" :
		    "the prefix length of an IPv6 block is 0 to 128";
		return -1;
	}
	for (size_t i = 0; i < address_len(h->family); i++) {
		long left = bits - (long)i * 8;
		unsigned mask = left >= 8 ? 0xff : left <= 0 ? 0 :
		    (0xff00U >> left) & 0xff;

		h->lo[i] = (unsigned char)(h->lo[i] & mask);
		h->hi[i] = (unsigned char)(h->lo[i] | (~mask & 0xff));
	}
	h->kind = HOST_RANGE;
	return unwrap_range(h, why);
}

static int
parse_range(struct hostspec *h, const char *text, const char *dash,
    const char **why)
{
	int family;

	if (!parse_addr(dash + 1, strlen(dash + 1), &family, h->hi)) {
		*why = "no address behind the '-' of the range";
		return -1;
	}
	(void)parse_addr(text, (size_t)(dash - text), &h->family, h->lo);
	if (family != h->family) {
		*why = "a range needs two addresses of one family";
		return -1;
	}
	if (memcmp(h->lo, h->hi, address_len(family)) > 0) {
		*why = "the range ends before it begins";
		return -1;
	}
	h->kind = HOST_RANGE;
	return unwrap_range(h, why);
}

/* ---- names ---- */

static bool
label_is_number(const char *label, size_t len)
{
	if (len >= 2 && label[0] == '0' && label[1] == 'x')
		return true;
	for (size_t i = 0; i < len; i++)
		if (label[i] < '0' || label[i] > '9')
			return false;
	return true;
}

static const char *
bad_byte(const char *host, size_t len)
{
	if (memchr(host, '%', len) != NULL)
		return "zone ids are not supported";
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)host[i];

		if (c == '*')
			return "wildcards do not exist here: list each name";
		if (c >= 0x80)
			return "a name has ASCII letters only: write the "
			    "xn-- form of an international name";
		if (c == '/')
			return "that is no address block, and a name has no '/' "
			    "(give the host, not a URL)";
		if (c == ':')
			return "that is no IPv6 address, and a name has no ':'";
		if (!isalnum(c) && c != '-' && c != '_' && c != '.')
			return "a name has letters, digits, '-', '_' and '.' "
			    "only";
	}
	return NULL;
}

static int
parse_name(struct hostspec *h, const char *host, size_t len, const char **why)
{
	size_t start = 0;

	if (len > 0 && host[len - 1] == '.')
		len--;
	if (len == 0 || len > NAME_MAX_TEXT) {
		*why = len == 0 ? "the host is empty" :
		    "a name has at most 253 bytes";
		return -1;
	}
	if ((*why = bad_byte(host, len)) != NULL)
		return -1;
	for (size_t i = 0; i < len; i++)
		h->name[i] = (char)tolower((unsigned char)host[i]);
	h->name[len] = '\0';
	for (size_t i = 0; i <= len; i++) {
		if (i < len && h->name[i] != '.')
			continue;
		if (i == start || i - start > LABEL_MAX) {
			*why = "a label of a name has 1 to 63 bytes";
			return -1;
		}
		if (h->name[start] == '-' || h->name[i - 1] == '-') {
			*why = "a label does not begin or end with '-'";
			return -1;
		}
		if (i == len && label_is_number(h->name + start, i - start)) {
			*why = "numeric aliases are refused: write an IPv4 "
			    "address as four decimal numbers";
			return -1;
		}
		start = i + 1;
	}
	h->kind = HOST_NAME;
	return 0;
}

/* ---- entries ---- */

int
host_parse_host(struct hostspec *h, const char *host, const char **why)
{
	char text[HOST_MAX + 1];
	const char *sep;
	unsigned char addr[16];
	size_t len = strlen(host);
	int family;

	memset(h, 0, sizeof(*h));
	if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
		host++;
		len -= 2;
	}
	if (len > HOST_MAX) {
		*why = "a host has at most 255 bytes";
		return -1;
	}
	memcpy(text, host, len);
	text[len] = '\0';
	if (parse_addr(text, len, &h->family, h->lo)) {
		memcpy(h->hi, h->lo, sizeof(h->hi));
		h->kind = HOST_RANGE;
		return unwrap_range(h, why);
	}
	if ((sep = strchr(text, '/')) != NULL &&
	    parse_addr(text, (size_t)(sep - text), &family, addr))
		return parse_block(h, text, sep, why);
	if ((sep = strchr(text, '-')) != NULL &&
	    parse_addr(text, (size_t)(sep - text), &family, addr))
		return parse_range(h, text, sep, why);
	return parse_name(h, text, len, why);
}

static bool
blank(char c)
{
	return c == ' ' || c == '\t';
}

static void
trim(const char **text, size_t *len)
{
	while (*len > 0 && blank(**text))
		(*text)++, (*len)--;
	while (*len > 0 && blank((*text)[*len - 1]))
		(*len)--;
}

/* Keeps the ports ascending and each only once. */
static int
add_port(struct hostspec *h, uint16_t port, const char **why)
{
	size_t at = 0;

	while (at < h->nports && h->ports[at] < port)
		at++;
	if (at < h->nports && h->ports[at] == port)
		return 0;
	if (h->nports == HOST_PORTS_MAX) {
		*why = "an entry has at most 64 ports";
		return -1;
	}
	memmove(&h->ports[at + 1], &h->ports[at],
	    (h->nports - at) * sizeof(h->ports[0]));
	h->ports[at] = port;
	h->nports++;
	return 0;
}

static int
parse_ports(struct hostspec *h, const char *text, bool deny, const char **why)
{
	size_t len = strlen(text);

	trim(&text, &len);
	if (len == 1 && *text == '*') {
		if (deny) {
			h->all_ports = true;
			return 0;
		}
		*why = "'*' for all ports is only for deny entries: list the "
		    "ports";
		return -1;
	}
	for (;;) {
		const char *comma = memchr(text, ',', len), *item = text;
		size_t n = comma != NULL ? (size_t)(comma - text) : len;
		long port;

		len -= n;
		trim(&item, &n);
		port = parse_number(item, n, 1, 65535);
		if (port == -1) {
			*why = "a port is a decimal number from 1 to 65535";
			return -1;
		}
		if (add_port(h, (uint16_t)port, why) == -1)
			return -1;
		if (comma == NULL)
			return 0;
		text = comma + 1;
		len--;
	}
}

int
host_parse(struct hostspec *h, const char *spec, bool deny, const char **why)
{
	char host[HOST_MAX + 3];	/* with brackets */
	const char *colon, *close;
	size_t len;

	while (blank(*spec))
		spec++;
	if (*spec == '[') {
		close = strchr(spec, ']');
		if (close == NULL || close[1] != ':') {
			*why = "expected [ADDRESS]:PORT";
			return -1;
		}
		colon = close + 1;
	} else {
		colon = strchr(spec, ':');
		if (colon == NULL) {
			*why = "expected HOST:PORT";
			return -1;
		}
		if (strchr(colon + 1, ':') != NULL) {
			*why = "write an IPv6 address in brackets: "
			    "[ADDRESS]:PORT";
			return -1;
		}
	}
	len = (size_t)(colon - spec);
	trim(&spec, &len);
	if (len >= sizeof(host)) {
		*why = "a host has at most 255 bytes";
		return -1;
	}
	memcpy(host, spec, len);
	host[len] = '\0';
	if (host_parse_host(h, host, why) == -1)
		return -1;
	return parse_ports(h, colon + 1, deny, why);
}

bool
host_has_port(const struct hostspec *h, uint16_t port)
{
	if (h->all_ports)
		return true;
	for (size_t i = 0; i < h->nports; i++)
		if (h->ports[i] == port)
			return true;
	return false;
}

bool
host_covers(const struct hostspec *h, int family, const unsigned char *addr)
{
	return h->kind == HOST_RANGE && h->family == family &&
	    memcmp(h->lo, addr, address_len(family)) <= 0 &&
	    memcmp(addr, h->hi, address_len(family)) <= 0;
}

bool
host_is_here(const struct hostspec *h)
{
	static const unsigned char any[16], one[16] = { [15] = 1 };
	size_t len = address_len(h->family);

	return h->kind == HOST_RANGE && memcmp(h->lo, h->hi, len) == 0 &&
	    (memcmp(h->lo, any, len) == 0 || (h->family == AF_INET ?
	    h->lo[0] == 127 : memcmp(h->lo, one, len) == 0));
}
