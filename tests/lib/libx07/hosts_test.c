/* hosts.c: what is an entry, what is not, and what an entry covers. */
#include <sys/socket.h>

#include <arpa/inet.h>
#include <atf-c.h>
#include <string.h>

#include "x07.h"

static bool
covers(const char *spec, const char *addr, uint16_t port)
{
	struct hostspec h;
	unsigned char bytes[16];
	const char *why;
	int family = strchr(addr, ':') != NULL ? AF_INET6 : AF_INET;

	if (host_parse(&h, spec, false, &why) == -1)
		atf_tc_fail("%s: %s", spec, why);
	ATF_REQUIRE(inet_pton(family, addr, bytes) == 1);
	host_unwrap(&family, bytes);
	return host_covers(&h, family, bytes) && host_has_port(&h, port);
}

ATF_TC_WITHOUT_HEAD(names);
ATF_TC_BODY(names, tc)
{
	static const struct {
		const char *spec, *name;
	} good[] = {
		{ "example.com:443", "example.com" },
		{ "EXAMPLE.Com.:443", "example.com" },
		{ " example.com : 443 , 80", "example.com" },
		{ "_srv.a-b.example:1", "_srv.a-b.example" },
		{ "xn--bcher-kva.example:443", "xn--bcher-kva.example" },
		{ "0xg.example:1", "0xg.example" },
		{ "a.0xfoo.b:1", "a.0xfoo.b" },
		{ "localhost:8080", "localhost" },
		{ "10.0.0.1x:1", "10.0.0.1x" },
	};
	struct hostspec h;
	const char *why;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		ATF_CHECK_MSG(host_parse(&h, good[i].spec, false, &why) == 0,
		    "%s: %s", good[i].spec, why);
		ATF_CHECK_EQ(h.kind, HOST_NAME);
		ATF_CHECK_STREQ(h.name, good[i].name);
	}
}

ATF_TC_WITHOUT_HEAD(refused);
ATF_TC_BODY(refused, tc)
{
	static const struct {
		const char *spec, *why;
	} bad[] = {
		{ "", "expected HOST:PORT" },
		{ "example.com", "expected HOST:PORT" },
		{ ":443", "empty" },
		{ ".:443", "empty" },
		{ "example..com:443", "1 to 63" },
		{ ".example.com:443", "1 to 63" },
		{ "example.com..:443", "1 to 63" },
		{ "*.example.com:443", "wildcards" },
		{ "exam ple.com:443", "letters, digits" },
		{ "example.com\n:443", "letters, digits" },
		{ "example.com\r:443", "letters, digits" },
		{ "b\303\274cher.example:443", "xn--" },
		{ "example.com;evil:443", "letters, digits" },
		{ "-a.example:443", "'-'" },
		{ "a-.example:443", "'-'" },
		{ "example.com:", "decimal" },
		{ "example.com:0", "decimal" },
		{ "example.com:65536", "decimal" },
		{ "example.com:+443", "decimal" },
		{ "example.com:0443", "decimal" },
		{ "example.com:443,", "decimal" },
		{ "example.com:443,,80", "decimal" },
		{ "example.com:80-90", "decimal" },
		{ "example.com:4294967739", "decimal" },
		{ "example.com:*", "only for deny" },
		{ "https://example.com:443", "brackets" },
		{ "//example.com/:443", "URL" },
		{ "0x7f000001:80", "numeric" },
		{ "0x7f.1:80", "numeric" },
		{ "2130706433:80", "numeric" },
		{ "127.1:80", "numeric" },
		{ "0177.0.0.1:80", "numeric" },
		{ "127.0.0.1.:80", "numeric" },
		{ "256.0.0.1:80", "numeric" },
		{ "1.2.3.4.5:80", "numeric" },
		{ "::1:443", "brackets" },
		{ "[::1]", "[ADDRESS]:PORT" },
		{ "[::1]443", "[ADDRESS]:PORT" },
		{ "[::1:443", "[ADDRESS]:PORT" },
		{ "[fe80::1%eth0]:443", "zone" },
		{ "[fe80::g]:443", "no IPv6" },
		{ "10.0.0.0/33:443", "0 to 32" },
		{ "10.0.0.0/:443", "0 to 32" },
		{ "10.0.0.0/-1:443", "0 to 32" },
		{ "10.0.0.0/08:443", "0 to 32" },
		{ "[2001:db8::/129]:443", "0 to 128" },
		{ "10.0.0.9-10.0.0.1:443", "ends before" },
		{ "[10.0.0.1-::1]:443", "one family" },
		{ "10.0.0.1-foo:443", "behind the '-'" },
		{ "[2002:0a00:0001::1]:443", "6to4" },
		{ "[2002:0a00:0001::/48]:443", "6to4" },
	};
	struct hostspec h;
	const char *why;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		why = NULL;
		ATF_CHECK_MSG(host_parse(&h, bad[i].spec, false, &why) == -1,
		    "%s was taken", bad[i].spec);
		ATF_CHECK_MSG(why != NULL && strstr(why, bad[i].why) != NULL,
		    "%s: %s", bad[i].spec, why != NULL ? why : "(none)");
	}
}

ATF_TC_WITHOUT_HEAD(long_ones);
ATF_TC_BODY(long_ones, tc)
{
	char spec[400];
	struct hostspec h;
	const char *why;

	memset(spec, 'a', sizeof(spec));
	strcpy(spec + 63, ".b:1");
	ATF_CHECK(host_parse(&h, spec, false, &why) == 0);
	memset(spec, 'a', sizeof(spec));
	strcpy(spec + 64, ".b:1");
	ATF_CHECK(host_parse(&h, spec, false, &why) == -1);
	for (int i = 0; i < 254; i++)
		spec[i] = i % 2 ? '.' : 'a';
	strcpy(spec + 253, ":1");
	ATF_CHECK(host_parse(&h, spec, false, &why) == 0);
	strcpy(spec + 253, ".:1");
	ATF_CHECK(host_parse(&h, spec, false, &why) == 0);
	strcpy(spec + 253, "b:1");
	ATF_CHECK(host_parse(&h, spec, false, &why) == -1);
	memset(spec, 'a', sizeof(spec));
	strcpy(spec + 390, ":1");
	ATF_CHECK(host_parse(&h, spec, false, &why) == -1);
}

ATF_TC_WITHOUT_HEAD(ports);
ATF_TC_BODY(ports, tc)
{
	struct hostspec h;
	const char *why;
	char spec[1024] = "h.example:";

	ATF_REQUIRE(host_parse(&h, "h.example:443,80,443,1,65535", false,
	    &why) == 0);
	ATF_REQUIRE_EQ(h.nports, 4);
	ATF_CHECK_EQ(h.ports[0], 1);
	ATF_CHECK_EQ(h.ports[1], 80);
	ATF_CHECK_EQ(h.ports[2], 443);
	ATF_CHECK_EQ(h.ports[3], 65535);
	ATF_CHECK(host_has_port(&h, 443));
	ATF_CHECK(!host_has_port(&h, 444));
	ATF_CHECK(!h.all_ports);

	ATF_REQUIRE(host_parse(&h, "h.example:*", true, &why) == 0);
	ATF_CHECK(h.all_ports);
	ATF_CHECK(host_has_port(&h, 444));

	for (int i = 1; i <= 64; i++)
		snprintf(spec + strlen(spec), 8, "%s%d", i > 1 ? "," : "", i);
	ATF_CHECK(host_parse(&h, spec, false, &why) == 0);
	strcat(spec, ",64");		/* twice the same is one */
	ATF_CHECK(host_parse(&h, spec, false, &why) == 0);
	strcat(spec, ",65");
	ATF_CHECK(host_parse(&h, spec, false, &why) == -1);
}

ATF_TC_WITHOUT_HEAD(addresses);
ATF_TC_BODY(addresses, tc)
{
	ATF_CHECK(covers("127.0.0.1:80", "127.0.0.1", 80));
	ATF_CHECK(!covers("127.0.0.1:80", "127.0.0.1", 81));
	ATF_CHECK(!covers("127.0.0.1:80", "127.0.0.2", 80));
	ATF_CHECK(covers("[::1]:80", "::1", 80));
	ATF_CHECK(!covers("[::1]:80", "127.0.0.1", 80));
	ATF_CHECK(!covers("[::1]:80", "::", 80));

	ATF_CHECK(covers("10.0.0.0/8:443", "10.255.255.255", 443));
	ATF_CHECK(covers("10.9.8.7/8:443", "10.0.0.0", 443));
	ATF_CHECK(!covers("10.0.0.0/8:443", "11.0.0.0", 443));
	ATF_CHECK(!covers("10.0.0.0/8:443", "9.255.255.255", 443));
	ATF_CHECK(covers("10.0.0.128/25:443", "10.0.0.128", 443));
	ATF_CHECK(!covers("10.0.0.128/25:443", "10.0.0.127", 443));
	ATF_CHECK(covers("0.0.0.0/0:443", "255.255.255.255", 443));
	ATF_CHECK(!covers("0.0.0.0/0:443", "2001:db8::1", 443));
	ATF_CHECK(covers("[2001:db8::/33]:443", "2001:db8:7fff::1", 443));
	ATF_CHECK(!covers("[2001:db8::/33]:443", "2001:db8:8000::", 443));
	ATF_CHECK(!covers("[::/0]:443", "10.0.0.1", 443));

	ATF_CHECK(covers("10.0.0.1-10.0.0.9:443", "10.0.0.1", 443));
	ATF_CHECK(covers("10.0.0.1-10.0.0.9:443", "10.0.0.9", 443));
	ATF_CHECK(!covers("10.0.0.1-10.0.0.9:443", "10.0.0.10", 443));
	ATF_CHECK(!covers("10.0.0.1-10.0.0.9:443", "10.0.0.0", 443));
	ATF_CHECK(covers("[fd00::1-fd00::ff]:443", "fd00::80", 443));
}

ATF_TC_WITHOUT_HEAD(carriers);
ATF_TC_BODY(carriers, tc)
{
	/* Entries and destinations meet in IPv4. */
	ATF_CHECK(covers("10.0.0.1:80", "::ffff:10.0.0.1", 80));
	ATF_CHECK(covers("10.0.0.1:80", "64:ff9b::10.0.0.1", 80));
	ATF_CHECK(covers("10.0.0.1:80", "2002:a00:1::5", 80));
	ATF_CHECK(covers("[::ffff:10.0.0.1]:80", "10.0.0.1", 80));
	ATF_CHECK(covers("[::ffff:10.0.0.0/104]:80", "10.1.2.3", 80));
	ATF_CHECK(!covers("[::ffff:10.0.0.0/104]:80", "11.1.2.3", 80));
	ATF_CHECK(covers("[64:ff9b::10.0.0.1]:80", "10.0.0.1", 80));
	/* A wide IPv6 entry does not let IPv4 through in disguise. */
	ATF_CHECK(!covers("[::/0]:80", "::ffff:10.0.0.1", 80));
	ATF_CHECK(!covers("[2000::/3]:80", "2002:7f00:1::", 80));
	ATF_CHECK(!covers("[64:ff9b::/64]:80", "64:ff9b::7f00:1", 80));
	ATF_CHECK(covers("[2000::/3]:80", "2a00::1", 80));
}

ATF_TC_WITHOUT_HEAD(special);
ATF_TC_BODY(special, tc)
{
	static const char *const ordinary[] = {
		"1.1.1.1", "9.255.255.255", "11.0.0.0", "126.255.255.255",
		"128.0.0.1", "172.15.255.255", "172.32.0.0", "192.167.255.255",
		"192.169.0.0", "169.253.255.255", "100.63.255.255",
		"100.128.0.0", "223.255.255.255", "203.0.113.5",
		"2001:db8::1", "2a00::1", "64:ff9b::1.1.1.1", "::ffff:1.1.1.1",
	}, *const kept[] = {
		"0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.255.255",
		"10.0.0.0", "172.16.0.0", "172.31.255.255", "192.168.1.1",
		"169.254.169.254", "100.64.0.1", "100.127.255.255",
		"168.63.129.16", "224.0.0.1", "255.255.255.255", "198.19.0.1",
		"::", "::1", "::7f00:1", "fe80::1", "febf::1", "fec0::1",
		"fc00::1", "fdff::1", "ff02::1", "64:ff9b:1::1", "100::1",
		"2001::1", "::ffff:127.0.0.1", "64:ff9b::169.254.169.254",
		"2002:c0a8:101::1", "::ffff:0:127.0.0.1",
	};
	unsigned char addr[16];

	for (size_t i = 0; i < sizeof(ordinary) / sizeof(ordinary[0]); i++) {
		int family = strchr(ordinary[i], ':') != NULL ? AF_INET6 :
		    AF_INET;

		ATF_REQUIRE(inet_pton(family, ordinary[i], addr) == 1);
		host_unwrap(&family, addr);
		ATF_CHECK_MSG(host_special(family, addr) == NULL, "%s is %s",
		    ordinary[i], host_special(family, addr));
	}
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		int family = strchr(kept[i], ':') != NULL ? AF_INET6 : AF_INET;

		ATF_REQUIRE(inet_pton(family, kept[i], addr) == 1);
		host_unwrap(&family, addr);
		ATF_CHECK_MSG(host_special(family, addr) != NULL,
		    "%s is not special", kept[i]);
	}
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, names);
	ATF_TP_ADD_TC(tp, refused);
	ATF_TP_ADD_TC(tp, long_ones);
	ATF_TP_ADD_TC(tp, ports);
	ATF_TP_ADD_TC(tp, addresses);
	ATF_TP_ADD_TC(tp, carriers);
	ATF_TP_ADD_TC(tp, special);
	return atf_no_error();
}
