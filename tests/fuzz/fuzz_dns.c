/* Queries to the stub resolver, and answers to them, read by the C library's parser. */
#include <arpa/nameser.h>

#include <string.h>

#include "fuzz.h"
#include "netgate.h"

static void
check_query(const struct dns_query *q)
{
	size_t len = strnlen(q->name, sizeof(q->name));

	MUST(len < sizeof(q->name) && q->qlen <= sizeof(q->question));
	MUST(q->room >= 512 && q->room <= DNS_REPLY_MAX);
	MUST(len > 0 && len <= 4 * 255);
	for (size_t i = 0; i < len; i++)
		MUST(q->name[i] > 0x20 && q->name[i] < 0x7f &&
		    (q->name[i] < 'A' || q->name[i] > 'Z'));
	if (q->plain)
		MUST(len == 1 || strspn(q->name,
		    "abcdefghijklmnopqrstuvwxyz0123456789-_.") == len);
}

/* What is answered must be what was asked, and readable. */
static void
check_reply(const struct dns_query *q, const unsigned char *p, size_t n, int rcode,
    const struct dns_answer *a)
{
	ns_msg msg;
	ns_rr rr;
	int got;

	MUST(n >= 12 && n <= q->room);
	MUST(ns_initparse(p, (int)n, &msg) == 0);
	MUST(ns_msg_id(msg) == q->id && ns_msg_getflag(msg, ns_f_qr) == 1);
	MUST(ns_msg_getflag(msg, ns_f_rcode) == rcode);
	MUST(ns_msg_count(msg, ns_s_qd) == (q->qlen > 0));
	got = ns_msg_count(msg, ns_s_an);
	MUST(a == NULL ? got == 0 : got >= 1 && got <= (int)a->naddrs);
	for (int i = 0; i < got; i++) {
		MUST(ns_parserr(&msg, ns_s_an, i, &rr) == 0);
		MUST(ns_rr_rdlen(rr) == (a->family == AF_INET ? 4 : 16));
		MUST(memcmp(ns_rr_rdata(rr), a->addrs[i], ns_rr_rdlen(rr)) == 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dns_answer a = { .rcode = DNS_OK, .naddrs = 16, .ttl = 60 };
	unsigned char out[DNS_REPLY_MAX];
	struct dns_query q;
	int rcode = dns_parse(&q, data, size);

	if (rcode < 0)
		return 0;
	MUST(rcode < 16);
	check_reply(&q, out, dns_reply(out, &q, rcode, NULL), rcode, NULL);
	if (rcode != DNS_OK)
		return 0;
	check_query(&q);
	memset(a.addrs, 7, sizeof(a.addrs));
	for (int i = 0; i < 2; i++) {
		a.family = i == 0 ? AF_INET : AF_INET6;
		check_reply(&q, out, dns_reply(out, &q, DNS_OK, &a), DNS_OK, &a);
	}
	return 0;
}
