/*
 * The wire's end: raw(7) sockets inside the empty network through which the
 * relay sees connections open and answers for the outside. A socket filter on
 * each listener (socket(7), SO_ATTACH_FILTER) drops opening packets that
 * the relay did not put there itself, which it marks (SO_MARK). The program
 * has no CAP_NET_RAW or CAP_NET_ADMIN over this network and can neither
 * send raw packets nor set marks.
 */
#include <sys/socket.h>

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/icmp.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/icmpv6.h>
#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netlink.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "address.h"
#include "linux.h"
#include "os.h"
#include "wire.h"

/* From <netinet/in.h>, whose structures clash with the kernel's headers. */
#ifndef IPV6_RECVPKTINFO
#define IPV6_RECVPKTINFO	49
#define IPV6_PKTINFO		50
#endif
#ifndef IPV6_HDRINCL
#define IPV6_HDRINCL		36
#endif

#define ADMIT_MARK	NET_ADMIT_MARK
#define TTL		64

#define TCP_FLAGS	13		/* offset of the flags in the header */
#define FLAG_SYN	0x02
#define FLAG_RST	0x04
#define FLAG_ACK	0x10

/* ---- filters ---- */

#define LOAD_MARK \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_MARK))
#define PASS	BPF_STMT(BPF_RET | BPF_K, 0xffffffffU)
#define DROP	BPF_STMT(BPF_RET | BPF_K, 0)

/* A listener sees the TCP header at 0: opening packets need the mark. */
static struct sock_filter hold_filter[] = {
	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, TCP_FLAGS),
	BPF_STMT(BPF_ALU | BPF_AND | BPF_K, FLAG_SYN | FLAG_ACK),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FLAG_SYN, 0, 2),
	LOAD_MARK,
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ADMIT_MARK, 0, 1),
	PASS,
	DROP,
};

/*
 * What the relay wants of all the TCP traffic: opening packets, and the
 * kernel's answer to one that found no listener, which alone carries RST with
 * sequence number 0. An IPv4 raw socket sees the IP header first, an IPv6
 * one does not. Own packets (marked) are no news.
 */
#define TCP_FILTER(load_header_length, size) { \
	LOAD_MARK, \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ADMIT_MARK, 8, 0), \
	load_header_length, \
	BPF_STMT(BPF_LD | BPF_B | BPF_IND, TCP_FLAGS), \
	BPF_STMT(BPF_ALU | BPF_AND | BPF_K, FLAG_SYN | FLAG_RST | FLAG_ACK), \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FLAG_SYN, 3, 0), \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FLAG_RST | FLAG_ACK, 0, 3), \
	BPF_STMT(BPF_LD | BPF_W | BPF_IND, 4), \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1), \
	BPF_STMT(BPF_RET | BPF_K, size), \
	DROP, \
}
static struct sock_filter tcp4_filter[] =
	TCP_FILTER(BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0), 160);
static struct sock_filter tcp6_filter[] =
	TCP_FILTER(BPF_STMT(BPF_LDX | BPF_W | BPF_IMM, 0), 160);

/* Destination unreachable, port unreachable: a datagram that found no socket. */
static struct sock_filter icmp4_filter[] = {
	BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
	BPF_STMT(BPF_LD | BPF_H | BPF_IND, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
	    ICMP_DEST_UNREACH << 8 | ICMP_PORT_UNREACH, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, 160),
	DROP,
};
static struct sock_filter icmp6_filter[] = {
	BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
	    ICMPV6_DEST_UNREACH << 8 | ICMPV6_PORT_UNREACH, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, 160),
	DROP,
};

/*
 * Of everything that comes in on lo, by whatever protocol: opening packets of TCP,
 * datagrams of UDP. Network headers first; a packet we put there is no news.
 */
#define AD(what)	(uint32_t)(SKF_AD_OFF + SKF_AD_ ## what)
static struct sock_filter stray_filter[] = {
	/* 0 */ LOAD_MARK,
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ADMIT_MARK, 16, 0),
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, AD(PKTTYPE)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_HOST, 0, 14),
	/* 4 */ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, AD(PROTOCOL)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 4, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 0, 11),
	BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
	/* 8 */ BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),
	BPF_STMT(BPF_JMP | BPF_JA, 2),
	/* A header in between is not looked behind. */
	/* 10 */ BPF_STMT(BPF_LDX | BPF_W | BPF_IMM, 40),
	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 6),
	/* 12 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 4, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 0, 4),
	BPF_STMT(BPF_LD | BPF_B | BPF_IND, TCP_FLAGS),
	BPF_STMT(BPF_ALU | BPF_AND | BPF_K, FLAG_SYN | FLAG_RST | FLAG_ACK),
	/* 16 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FLAG_SYN, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, 160),
	/* 18 */ DROP,
};

static int
attach(int fd, struct sock_filter *insn, size_t n)
{
	struct sock_fprog prog = { (unsigned short)n, insn };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog));
}
#define ATTACH(fd, filter)	attach(fd, filter, sizeof(filter) / sizeof((filter)[0]))

/* ---- opening ---- */

static int
open_wire(int family, int protocol, struct sock_filter *filter, size_t n)
{
	int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    protocol), on = 1, size = 4 << 20;
	unsigned mark = ADMIT_MARK;

	if (fd == -1)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) == -1 ||
	    attach(fd, filter, n) == -1)
		goto fail;
	/* As much room as we may have; what does not fit comes again in a second. */
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO,
	    &on, sizeof(on)) == -1)
		goto fail;
	if (family == AF_INET ? setsockopt(fd, IPPROTO_IP, IP_HDRINCL, &on,
	    sizeof(on)) == -1 : setsockopt(fd, IPPROTO_IPV6, IPV6_HDRINCL, &on,
	    sizeof(on)) == -1)
		goto fail;
	return fd;
fail:
	close(fd);
	return -1;
}
#define OPEN_WIRE(family, protocol, filter) \
	open_wire(family, protocol, filter, sizeof(filter) / sizeof((filter)[0]))

static int
open_stray(struct os_net *net)
{
	net->stray = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    htons(ETH_P_ALL));
	net->routes = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (net->stray == -1 || net->routes == -1)
		return -1;
	return ATTACH(net->stray, stray_filter);
}

int
net_open_wires(struct os_net *net, bool ipv6, bool open)
{
	net->tcp[1] = net->icmp[1] = net->stray = net->routes = -1;
	if (open && open_stray(net) == -1)
		return -1;
	net->tcp[0] = OPEN_WIRE(AF_INET, IPPROTO_TCP, tcp4_filter);
	net->icmp[0] = OPEN_WIRE(AF_INET, IPPROTO_ICMP, icmp4_filter);
	if (net->tcp[0] == -1 || net->icmp[0] == -1)
		return -1;
	if (!ipv6)
		return 0;
	net->tcp[1] = OPEN_WIRE(AF_INET6, IPPROTO_TCP, tcp6_filter);
	net->icmp[1] = OPEN_WIRE(AF_INET6, IPPROTO_ICMPV6, icmp6_filter);
	return net->tcp[1] == -1 || net->icmp[1] == -1 ? -1 : 0;
}

/* Asks for the destination of each datagram. */
static int
datagrams(int fd, const struct sockaddr *sa)
{
	static const unsigned char any[16];
	bool v4 = sa->sa_family == AF_INET;
	const void *addr = v4 ?
	    (const void *)&((const struct sockaddr_in *)sa)->sin_addr :
	    (const void *)&((const struct sockaddr_in6 *)sa)->sin6_addr;
	int on = 1;

	if (memcmp(addr, any, v4 ? 4 : 16) == 0 && setsockopt(fd, SOL_SOCKET,
	    SO_REUSEADDR, &on, sizeof(on)) == -1)
		return -1;
	return v4 ? setsockopt(fd, SOL_IP, IP_PKTINFO, &on, sizeof(on)) :
	    setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
}

int
os_net_listen(int fd, const struct sockaddr *sa, bool hold)
{
	socklen_t len = sa->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) :
	    sizeof(struct sockaddr_in);
	struct linger now = { .l_onoff = 1, .l_linger = 0 };
	int on = 1, type;
	socklen_t typelen = sizeof(type);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &typelen) == -1 ||
	    setsockopt(fd, SOL_IP, IP_FREEBIND, &on, sizeof(on)) == -1)
		return -1;
	/* In an open network the address is not in the table of local ones. */
	if (sa->sa_family == AF_INET)
		setsockopt(fd, SOL_IP, IP_TRANSPARENT, &on, sizeof(on));
	if (sa->sa_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6,
	    IPV6_V6ONLY, &on, sizeof(on)) == -1)
		return -1;
	if (type == SOCK_DGRAM)
		return datagrams(fd, sa) == -1 ? -1 : bind(fd, sa, len);
	/* The sockets that are accepted inherit it. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
	if (hold && (ATTACH(fd, hold_filter) == -1 || setsockopt(fd, SOL_SOCKET,
	    SO_LINGER, &now, sizeof(now)) == -1))
		return -1;
	return bind(fd, sa, len) == -1 ? -1 : listen(fd, 4096);
}

/* ---- reading packets ---- */

/* The flow as the sender of a packet from src to dst means it, or turned round. */
static void
set_flow(struct os_flow *f, int family, const unsigned char *src,
    const unsigned char *dst, uint16_t sport, uint16_t dport)
{
	size_t len = family == AF_INET ? 4 : 16;

	memset(f, 0, sizeof(*f));
	f->family = family;
	memcpy(f->src, src, len);
	memcpy(f->dst, dst, len);
	f->sport = sport;
	f->dport = dport;
}

static int
parse_tcp(struct os_net_event *ev, int family, const unsigned char *src,
    const unsigned char *dst, const unsigned char *tcp, size_t len)
{
	size_t head;

	if (len < 20)
		return 0;
	head = (size_t)(tcp[12] >> 4) * 4;
	if (head < 20 || head > len)
		return 0;
	if ((tcp[TCP_FLAGS] & FLAG_RST) != 0) {
		ev->kind = OS_NET_REFUSED;
		set_flow(&ev->flow, family, dst, src, get16(tcp + 2), get16(tcp));
		return 1;
	}
	ev->kind = OS_NET_OPENS;
	set_flow(&ev->flow, family, src, dst, get16(tcp), get16(tcp + 2));
	ev->len = head;
	memcpy(ev->tcp, tcp, head);
	return 1;
}

/* What an ICMP error quotes: the IP header and the datagram it is about. */
static int
parse_quote(struct os_net_event *ev, int family, const unsigned char *p, size_t len)
{
	size_t head = family == AF_INET ? 20 : 40;

	if (len < head + 4)
		return 0;
	ev->kind = OS_NET_NO_PORT;
	if (family == AF_INET) {
		size_t ihl = (size_t)(p[0] & 15) * 4;

		if (p[0] >> 4 != 4 || p[9] != IPPROTO_UDP || ihl < 20 ||
		    len < ihl + 4)
			return 0;
		set_flow(&ev->flow, family, p + 12, p + 16, get16(p + ihl),
		    get16(p + ihl + 2));
		return 1;
	}
	if (p[0] >> 4 != 6 || p[6] != IPPROTO_UDP)
		return 0;
	set_flow(&ev->flow, family, p + 8, p + 24, get16(p + 40), get16(p + 42));
	return 1;
}

static int
parse_ip4(struct os_net_event *ev, const unsigned char *p, size_t len)
{
	size_t head;

	if (len < 20 || p[0] >> 4 != 4)
		return 0;
	head = (size_t)(p[0] & 15) * 4;
	if (head < 20 || head > len)
		return 0;
	if (p[9] == IPPROTO_TCP)
		return parse_tcp(ev, AF_INET, p + 12, p + 16, p + head, len - head);
	if (p[9] == IPPROTO_ICMP && len >= head + 8)
		return parse_quote(ev, AF_INET, p + head + 8, len - head - 8);
	return 0;
}

/* struct in6_pktinfo of <netinet/in.h>, which see above */
struct pktinfo6 {
	unsigned char	addr[16];
	unsigned	ifindex;
};

/* The control message's data, NULL when there is none of len bytes. cmsg(3) */
static const unsigned char *
control_data(struct msghdr *msg, int level, int type, size_t len)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);

	while (c != NULL && (c->cmsg_level != level || c->cmsg_type != type ||
	    c->cmsg_len < CMSG_LEN(len))) {
/* musl's macro mixes signs. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wsign-compare"
		c = CMSG_NXTHDR(msg, c);
#pragma GCC diagnostic pop
	}
	return c != NULL ? CMSG_DATA(c) : NULL;
}

static const unsigned char *
destination6(struct msghdr *msg)
{
	return control_data(msg, IPPROTO_IPV6, IPV6_PKTINFO,
	    sizeof(struct pktinfo6));
}

/* A packet that came by and is lost. */
static int
parse_stray(struct os_net_event *ev, const unsigned char *p, size_t len)
{
	int family = len > 0 && p[0] >> 4 == 6 ? AF_INET6 : AF_INET;
	size_t head = 40;
	unsigned protocol;

	if (len < (family == AF_INET ? 20U : 40U))
		return 0;
	if (family == AF_INET)
		head = (size_t)(p[0] & 15) * 4;
	protocol = family == AF_INET ? p[9] : p[6];
	if (head < 20 || len < head + 8)
		return 0;
	if (protocol == IPPROTO_TCP && parse_tcp(ev, family,
	    p + (family == AF_INET ? 12 : 8), p + (family == AF_INET ? 16 : 24),
	    p + head, len - head) == 0)
		return 0;
	if (protocol == IPPROTO_UDP)
		set_flow(&ev->flow, family, p + (family == AF_INET ? 12 : 8),
		    p + (family == AF_INET ? 16 : 24), get16(p + head),
		    get16(p + head + 2));
	ev->udp = protocol == IPPROTO_UDP;
	ev->kind = OS_NET_STRAY;
	return 1;
}

struct packet {
	unsigned char		buf[256], control[128];
	struct sockaddr_in6	from;
	struct iovec		iov;
};

static int
parse_packet(const struct os_net *net, int fd, struct msghdr *msg, size_t len,
    struct os_net_event *ev)
{
	const struct packet *p = msg->msg_iov->iov_base;
	const unsigned char *dst;

	if (fd == net->stray)
		return parse_stray(ev, p->buf, len);
	if (fd == net->tcp[0] || fd == net->icmp[0])
		return parse_ip4(ev, p->buf, len);
	dst = destination6(msg);
	if (dst == NULL || msg->msg_namelen < sizeof(p->from))
		return 0;
	if (fd == net->icmp[1])
		return len < 8 ? 0 : parse_quote(ev, AF_INET6, p->buf + 8, len - 8);
	return parse_tcp(ev, AF_INET6, (const unsigned char *)&p->from.sin6_addr,
	    dst, p->buf, len);
}

int
os_net_events(const struct os_net *net, int fd,
    struct os_net_event ev[OS_NET_BATCH])
{
	static struct packet packet[OS_NET_BATCH];
	struct mmsghdr vec[OS_NET_BATCH];
	int n;

	for (int i = 0; i < OS_NET_BATCH; i++) {
		struct packet *p = &packet[i];

		p->iov = (struct iovec){ p->buf, sizeof(p->buf) };
		vec[i].msg_hdr = (struct msghdr){
			.msg_name = &p->from, .msg_namelen = sizeof(p->from),
			.msg_iov = &p->iov, .msg_iovlen = 1,
			.msg_control = p->control,
			.msg_controllen = sizeof(p->control),
		};
	}
	n = recvmmsg(fd, vec, OS_NET_BATCH, 0, NULL);
	for (int i = 0; i < n; i++) {
		ev[i].udp = false;
		if (parse_packet(net, fd, &vec[i].msg_hdr, vec[i].msg_len,
		    &ev[i]) == 0)
			ev[i].kind = OS_NET_NOTHING;
	}
	return n;
}

/* ---- making packets ---- */

/* RFC 1071 */
static uint32_t
sum(uint32_t acc, const unsigned char *p, size_t len)
{
	for (; len > 1; p += 2, len -= 2)
		acc += get16(p);
	return len == 1 ? acc + (uint32_t)(p[0] << 8) : acc;
}

static unsigned
fold(uint32_t acc)
{
	while (acc >> 16 != 0)
		acc = (acc & 0xffff) + (acc >> 16);
	return ~acc & 0xffff;
}

/* Checksum of a transport packet with its pseudo header (the same sum for both IPs). */
static unsigned
checksum(int family, const unsigned char *src, const unsigned char *dst,
    unsigned protocol, const unsigned char *p, size_t len)
{
	uint32_t acc = sum(0, src, address_len(family));

	acc = sum(acc, dst, address_len(family));
	return fold(sum(acc + protocol + (uint32_t)len, p, len));
}

/* Writes an IP header for len bytes behind it; returns its length. */
static size_t
ip_header(unsigned char *p, int family, const unsigned char *src,
    const unsigned char *dst, unsigned protocol, size_t len)
{
	if (family == AF_INET) {
		memset(p, 0, 20);
		p[0] = 0x45;
		put16(p + 2, (unsigned)(20 + len));
		p[8] = TTL;
		p[9] = (unsigned char)protocol;
		memcpy(p + 12, src, 4);
		memcpy(p + 16, dst, 4);
		put16(p + 10, fold(sum(0, p, 20)));
		return 20;
	}
	memset(p, 0, 40);
	p[0] = 0x60;
	put16(p + 4, (unsigned)len);
	p[6] = (unsigned char)protocol;
	p[7] = TTL;
	memcpy(p + 8, src, 16);
	memcpy(p + 24, dst, 16);
	return 40;
}

static int
send_packet(const struct os_net *net, int family, const unsigned char *dst,
    const unsigned char *packet, size_t len)
{
	struct sockaddr_in6 to;
	socklen_t tolen = address_fill(&to, family, dst, 0);

	return sendto(net->tcp[family == AF_INET6], packet, len, 0,
	    (struct sockaddr *)&to, tolen) == (ssize_t)len ? 0 : -1;
}

/*
 * The program's opening packet as it was, without IP options and data. The
 * kernel left the checksum unfinished on loopback.
 */
int
os_net_admit(const struct os_net *net, const struct os_net_event *ev)
{
	const struct os_flow *f = &ev->flow;
	unsigned char p[40 + sizeof(ev->tcp)];
	size_t n = ip_header(p, f->family, f->src, f->dst, IPPROTO_TCP, ev->len);

	memcpy(p + n, ev->tcp, ev->len);
	put16(p + n + 16, 0);
	put16(p + n + 16, checksum(f->family, f->src, f->dst, IPPROTO_TCP, p + n,
	    ev->len));
	return send_packet(net, f->family, f->dst, p, n + ev->len);
}

/* RFC 9293, 3.10.7.1: RST, sequence 0, acknowledging the SYN. */
static int
send_reset(const struct os_net *net, const struct os_net_event *ev)
{
	const struct os_flow *f = &ev->flow;
	unsigned char p[40 + 20];
	size_t n = ip_header(p, f->family, f->dst, f->src, IPPROTO_TCP, 20);
	unsigned char *tcp = p + n;

	memset(tcp, 0, 20);
	put16(tcp, f->dport);
	put16(tcp + 2, f->sport);
	put32(tcp + 8, get32(ev->tcp + 4) + 1);
	tcp[12] = 5 << 4;
	tcp[TCP_FLAGS] = FLAG_RST | FLAG_ACK;
	put16(tcp + 16, checksum(f->family, f->dst, f->src, IPPROTO_TCP, tcp, 20));
	return send_packet(net, f->family, f->src, p, n + 20);
}

/* An ICMP error from the destination itself, quoting what it is about. */
static int
send_unreachable(const struct os_net *net, const struct os_flow *f,
    unsigned protocol, const unsigned char *quote, size_t quote_len, int err)
{
	unsigned char p[40 + 8 + 40 + 60];
	bool v4 = f->family == AF_INET;
	unsigned icmp_protocol = v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	size_t head = v4 ? 20 : 40, len = 8 + head + quote_len;
	unsigned char *icmp = p + head;

	ip_header(p, f->family, f->dst, f->src, icmp_protocol, len);
	memset(icmp, 0, 8);
	icmp[0] = v4 ? ICMP_DEST_UNREACH : ICMPV6_DEST_UNREACH;
	if (err == ECONNREFUSED)
		icmp[1] = v4 ? ICMP_PORT_UNREACH : ICMPV6_PORT_UNREACH;
	else if (err == ENETUNREACH)
		/* NOLINTNEXTLINE(bugprone-branch-clone): both happen to be 0 */
		icmp[1] = v4 ? ICMP_NET_UNREACH : ICMPV6_NOROUTE;
	else
		icmp[1] = v4 ? ICMP_HOST_UNREACH : ICMPV6_ADDR_UNREACH;
	ip_header(icmp + 8, f->family, f->src, f->dst, protocol, quote_len);
	memcpy(icmp + 8 + head, quote, quote_len);
	put16(icmp + 2, v4 ? fold(sum(0, icmp, len)) :
	    checksum(f->family, f->dst, f->src, icmp_protocol, icmp, len));
	return send_packet(net, f->family, f->src, p, head + len);
}

int
os_net_unreachable(const struct os_net *net, const struct os_flow *f, int err)
{
	unsigned char udp[8] = { 0 };

	put16(udp, f->sport);
	put16(udp + 2, f->dport);
	put16(udp + 4, sizeof(udp));
	return send_unreachable(net, f, IPPROTO_UDP, udp, sizeof(udp), err);
}

int
os_net_reject(const struct os_net *net, const struct os_net_event *ev, int err)
{
	switch (err) {
	case ECONNREFUSED:
	case ECONNRESET:
	case EPIPE:
		return send_reset(net, ev);
	default:
		return send_unreachable(net, &ev->flow, IPPROTO_TCP, ev->tcp,
		    ev->len, err);
	}
}

/* ---- sockets of the program's side ---- */

/* struct in_pktinfo of <netinet/in.h> */
struct pktinfo4 {
	int		ifindex;
	unsigned char	spec_dst[4], addr[4];
};

/* The destination address of a received datagram. */
static const unsigned char *
destination(struct msghdr *msg)
{
	const unsigned char *info = control_data(msg, SOL_IP, IP_PKTINFO,
	    sizeof(struct pktinfo4));

	return info != NULL ? info + offsetof(struct pktinfo4, addr) :
	    destination6(msg);
}

ssize_t
os_net_recv(int fd, void *buf, size_t len, struct os_flow *f)
{
	unsigned char control[128];
	struct sockaddr_in6 from = { 0 }, self = { 0 };
	struct sockaddr_in *from4 = (struct sockaddr_in *)&from;
	struct sockaddr_in *self4 = (struct sockaddr_in *)&self;
	struct iovec iov = { buf, len };
	struct msghdr msg = {
		.msg_name = &from, .msg_namelen = sizeof(from),
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	socklen_t selflen = sizeof(self);
	const unsigned char *dst;
	ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT);

	if (n == -1 || getsockname(fd, (struct sockaddr *)&self, &selflen) == -1)
		return -1;
	dst = destination(&msg);
	if (dst == NULL) {
		errno = EINVAL;
		return -1;
	}
	/* The ports are at the same place in both kinds of address. */
	set_flow(f, from.sin6_family, from.sin6_family == AF_INET ?
	    (const unsigned char *)&from4->sin_addr :
	    (const unsigned char *)&from.sin6_addr, dst,
	    ntohs(from4->sin_port), ntohs(self4->sin_port));
	return n;
}

ssize_t
os_net_answer(int fd, const void *buf, size_t len, const struct os_flow *f)
{
	union {
		struct cmsghdr	align;
		unsigned char	buf[CMSG_SPACE(sizeof(struct pktinfo6))];
	} control;
	struct pktinfo4 from4 = { 0 };
	struct pktinfo6 from6 = { 0 };
	struct sockaddr_in6 to;
	struct iovec iov = { (void *)(uintptr_t)buf, len };
	bool v4 = f->family == AF_INET;
	struct msghdr msg = {
		.msg_name = &to, .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = v4 ? CMSG_SPACE(sizeof(from4)) :
		    CMSG_SPACE(sizeof(from6)),
	};
	struct cmsghdr *c;

	memset(&control, 0, sizeof(control));
	c = CMSG_FIRSTHDR(&msg);
	c->cmsg_level = v4 ? SOL_IP : IPPROTO_IPV6;
	c->cmsg_type = v4 ? IP_PKTINFO : IPV6_PKTINFO;
	c->cmsg_len = v4 ? CMSG_LEN(sizeof(from4)) : CMSG_LEN(sizeof(from6));
	memcpy(from4.spec_dst, f->dst, 4);
	memcpy(from6.addr, f->dst, 16);
	if (v4)
		memcpy(CMSG_DATA(c), &from4, sizeof(from4));
	else
		memcpy(CMSG_DATA(c), &from6, sizeof(from6));
	msg.msg_namelen = address_fill(&to, f->family, f->src, f->sport);
	return sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

int
os_net_connect(int fd, const struct os_flow *f)
{
	struct sockaddr_in6 sa;
	socklen_t len = address_fill(&sa, f->family, f->src, f->sport);
	int on = 1;

	/*
	 * The peer that the program sees is the real one, as every address is local
	 * there; where that pair is taken, loopback has to do.
	 */
	if (setsockopt(fd, SOL_IP, IP_FREEBIND, &on, sizeof(on)) == -1)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0)
		(void)bind(fd, (struct sockaddr *)&sa, len);
	len = address_fill(&sa, f->family, f->dst, f->dport);
	return connect(fd, (struct sockaddr *)&sa, len);
}
