/*
 * Messages of RFC 1035, read from a program that may want to break the reader:
 * every length is checked against the bytes there are, compression is not
 * accepted in a question, and nothing is copied that was not understood.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "netgate.h"
#include "wire.h"

#define HEAD		12
#define LABEL_MAX	63
#define WIRE_NAME_MAX	255
#define TYPE_OPT	41
#define CLASS_IN	1

/* Appends one byte of a label: lower case, odd ones as \ddd. */
static size_t
name_byte(struct dns_query *q, size_t n, unsigned char c)
{
	if (isalnum(c) || c == '-' || c == '_') {
		q->name[n++] = (char)tolower(c);
		return n;
	}
	q->plain = false;
	return n + (size_t)snprintf(q->name + n, 5, "\\%03u", c);
}

/* Reads the question's name; returns its length on the wire, 0 when malformed. */
static size_t
parse_name(struct dns_query *q, const unsigned char *p, size_t len)
{
	size_t at = 0, n = 0;

	q->plain = true;
	for (;;) {
		size_t label;

		if (at >= len || (label = p[at]) > LABEL_MAX ||
		    at + 1 + label > len || at + 1 + label > WIRE_NAME_MAX)
			return 0;
		at++;
		if (label == 0)
			break;
		if (n > 0)
			q->name[n++] = '.';
		for (size_t i = 0; i < label; i++)
			n = name_byte(q, n, p[at + i]);
		at += label;
	}
	if (n == 0)
		q->name[n++] = '.';
	q->name[n] = '\0';
	return at;
}

/* Looks for an EDNS record (RFC 6891) as the only thing behind the question. */
static void
parse_edns(struct dns_query *q, const unsigned char *p, size_t len)
{
	q->room = 512;
	if (len < 11 || p[0] != 0 || get16(p + 1) != TYPE_OPT)
		return;
	q->edns = true;
	q->room = get16(p + 3);
	if (q->room < 512)
		q->room = 512;
	if (q->room > DNS_REPLY_MAX)
		q->room = DNS_REPLY_MAX;
}

int
dns_parse(struct dns_query *q, const unsigned char *p, size_t len)
{
	size_t n;

	memset(q, 0, sizeof(*q));
	q->room = 512;
	/* Too short to answer, or a response: answering those makes loops. */
	if (len < HEAD || (p[2] & 0x80) != 0)
		return -1;
	q->id = (uint16_t)get16(p);
	q->rd = (p[2] & 1) != 0;
	if ((p[2] >> 3 & 15) != 0)
		return DNS_NOTIMP;
	if (get16(p + 4) != 1 || get16(p + 6) != 0 || get16(p + 8) != 0 ||
	    get16(p + 10) > 1)
		return DNS_FORMERR;
	n = parse_name(q, p + HEAD, len - HEAD);
	if (n == 0 || HEAD + n + 4 > len)
		return DNS_FORMERR;
	q->type = (uint16_t)get16(p + HEAD + n);
	q->class = (uint16_t)get16(p + HEAD + n + 2);
	q->qlen = n + 4;
	memcpy(q->question, p + HEAD, q->qlen);
	if (get16(p + 10) == 1)
		parse_edns(q, p + HEAD + q->qlen, len - HEAD - q->qlen);
	return q->class == CLASS_IN ? DNS_OK : DNS_REFUSED;
}

size_t
dns_reply(unsigned char out[DNS_REPLY_MAX], const struct dns_query *q, int rcode,
    const struct dns_answer *a)
{
	size_t n = HEAD, addr = 0, room = q->room - (q->edns ? 11 : 0), count = 0;

	memset(out, 0, HEAD);
	put16(out, q->id);
	out[2] = (unsigned char)(0x80 | (q->rd ? 1 : 0));
	out[3] = (unsigned char)(0x80 | rcode);	/* recursion is available */
	if (q->qlen > 0) {
		put16(out + 4, 1);
		memcpy(out + n, q->question, q->qlen);
		n += q->qlen;
	}
	if (a != NULL)
		addr = a->family == AF_INET ? 4 : 16;
	/* Addresses that do not fit are left out: the ones told are enough. */
	for (size_t i = 0; a != NULL && i < a->naddrs && n + 12 + addr <= room; i++) {
		put16(out + n, 0xc000 | HEAD);	/* the name of the question */
		put16(out + n + 2, a->family == AF_INET ? DNS_A : DNS_AAAA);
		put16(out + n + 4, CLASS_IN);
		put32(out + n + 6, a->ttl);
		put16(out + n + 10, (unsigned)addr);
		memcpy(out + n + 12, a->addrs[i], addr);
		n += 12 + addr;
		count++;
	}
	put16(out + 6, (unsigned)count);
	if (q->edns) {
		put16(out + 10, 1);
		memset(out + n, 0, 11);
		put16(out + n + 1, TYPE_OPT);
		put16(out + n + 3, DNS_REPLY_MAX);
		n += 11;
	}
	return n;
}
