/* netgate.h - what the files of x07-netgate share. */
#ifndef NETGATE_H
#define NETGATE_H

#include <sys/queue.h>
#include <sys/socket.h>

#include <netinet/in.h>

#include "os.h"
#include "x07.h"

/* ---- rules.c: what is listed ---- */

enum group { GROUP_NET, GROUP_DB, GROUP_COUNT };

struct entry {
	struct hostspec	spec;
	enum group	group;
	bool		udp;		/* also for datagrams */
};

/* A listed address of this machine on which the program may listen, serve.c. */
struct serve {
	int		family;
	unsigned char	addr[16];
	uint16_t	port;
};

struct rules {
	struct entry	*allow, *deny;
	size_t		nallow, ndeny;
	struct serve	*serve;
	size_t		nserve;
	bool		ask[GROUP_COUNT];	/* names of this group may be resolved */
	const char	*closed;	/* key that shuts all of net.*, or NULL */
	bool		udp;		/* -u, net.allow_udp */
	bool		no_tcp;		/* net.allow_tcp is false, net.allow_udp true */
	int64_t		max_live[GROUP_COUNT];	/* connections at once, 0: any */
	int64_t		connect_ms[GROUP_COUNT];	/* 0: as long as the kernel tries */
	bool		channel;	/* outside is netmux, see channel.c */
	int64_t		max_bytes;	/* of all connections together, 0: any */
};

/* ---- channel.c ---- */

/*
 * Asks netmux for a connection, or for datagrams, to where the flow leads. Returns the
 * socket, -1 with errno.
 */
int	channel_dial(const struct os_flow *, bool udp);
/* What became of a connection: 0 or an errno; -1: not known yet. */
int	channel_answer(int fd);
/* What bind(2) says there on the host: 0, or -1 with errno. Waits for it. */
int	channel_bind(int family, const unsigned char *addr, uint16_t port);

/* ---- rules.c, continued ---- */

/* Adds the entry of a -a or -d option, or the lines of a -A or -D file. */
void	rules_add(struct rules *, const char *opt, const char *spec, bool deny);
void	rules_add_file(struct rules *, const char *opt, const char *path,
	    bool deny);
/* Adds what a policy says. */
void	rules_add_form(struct rules *, const struct form *);

struct judgement {
	bool			allowed;
	const struct entry	*entry;	/* that allowed or denied it, or NULL */
	const char		*why;	/* when denied */
	const char		*key;
};

/*
 * Judges an address and port by the address alone (names are names.c's). An address
 * that carries an IPv4 address is judged as that.
 */
bool	rules_addr(const struct rules *, int family, const unsigned char *addr,
	    uint16_t port, bool udp, struct judgement *);
/* The entry that lets a name's addresses be reached on the port, or NULL. */
const struct entry	*rules_name(const struct rules *, const char *name,
			    uint16_t port, bool udp);
/* Is the name in the list, with any port that is not denied? */
bool	rules_ask(const struct rules *, const char *name, struct judgement *);
/* Calls fn for each port that the list has for the name. */
void	rules_ports(const struct rules *, const char *name, bool udp,
	    void (*fn)(void *, uint16_t), void *arg);

/* ---- relay.c: the loop of the process outside ---- */

struct relay;

/* Something that waits for a descriptor. */
struct watch {
	int	fd;
	void	(*fn)(struct relay *, struct watch *, unsigned what);
};

/* Something that happens later; all timers of a queue wait equally long. */
struct timer {
	TAILQ_ENTRY(timer)	link;
	struct timer_queue	*queue;		/* NULL: not set */
	int64_t			at;
	void			(*fn)(struct relay *, struct timer *);
};
struct timer_queue {
	int64_t			ms;
	TAILQ_HEAD(, timer)	timers;
};

struct flow;
struct listeners;
struct names;
struct resolver;
struct served;

TAILQ_HEAD(flow_list, flow);

struct relay {
	const struct chain	*chain;
	const struct rules	*rules;
	struct os_net		net;
	int			poll;
	pid_t			program;
	int64_t			now;		/* ms, monotonic */
	struct watch		ended;		/* the program */
	struct watch		wire[5];
	struct timer_queue	queues[12];
	struct flow_list	busy;		/* flows with bytes left to move */
	void			**trash;	/* freed after this round of events */
	size_t			ntrash;
	int			reserve;	/* a descriptor for when there are no more */
	struct listeners	*listeners;
	struct names		*names;
	struct resolver		*resolver;
	struct served		*served;
	int			tables[2];	/* who listens inside */
	int64_t			live[GROUP_COUNT];
	int64_t			bytes;		/* moved so far */
	bool			gate_inside;	/* the program is another such gate */
	struct timer		last_words;
	bool			quit;
	bool			leaving;	/* the program is gone */
};

/*
 * Splits off the relay, which stays outside. Returns the socket on which it
 * waits for a descriptor of this process and the network (os_send_fds: process,
 * userns, netns, wires), its first sockets and an empty message. *between is a child
 * to reap before the program runs; it fails when there is no relay.
 *
 * Nobody waits for the relay: what the program sends before it is ready stays
 * in its sockets. If it fails it says so, and there is no network.
 *
 * gate_inside: the program is a netgate, too, whose relay ends at the same moment: this
 * one then listens a little longer.
 */
int	relay_start(const struct chain *, const struct rules *, bool gate_inside,
	    pid_t *between);

void	watch_add(struct relay *, struct watch *, int fd, unsigned what,
	    void (*)(struct relay *, struct watch *, unsigned));
/* Closes the descriptor. */
void	watch_close(struct watch *);
void	timer_set(struct relay *, struct timer *, int64_t ms,
	    void (*)(struct relay *, struct timer *));
void	timer_clear(struct timer *);
/* Frees it when no event of this round can still point to it. */
void	free_later(struct relay *, void *);

/* ---- listen.c: listeners inside the network ---- */

#define STUB_ADDRESS	"127.0.0.1"
#define STUB_PORT	53

/*
 * Opens all listeners that the list asks for by address, and the resolver's
 * sockets, and passes them to the relay. Runs inside the network.
 */
void	listen_first(const struct rules *, bool ipv6, int relay);
void	listen_init(struct relay *);
/* For a dry run: services of this machine on loopback get listeners, too. */
void	listen_plan_dry(void);
/* The relay's side of it: takes over one of those. */
void	listen_adopt(struct relay *, int fd);
/*
 * Makes sure that the relay listens on an address and port inside, for type SOCK_STREAM
 * or SOCK_DGRAM. Returns -1 with errno when it cannot.
 */
int	listen_on(struct relay *, int type, int family,
	    const unsigned char *addr, uint16_t port);
/* Stops listening on an address, on all ports but those it is listed with itself. */
void	listen_stop(struct relay *, int family, const unsigned char *addr);
/* The descriptor with which the relay listens there, or -1. */
int	listening(const struct relay *, int type, int family,
	    const unsigned char *addr, uint16_t port);
/* Do datagrams from there come from the relay? */
bool	answers_from(const struct relay *, int family, const unsigned char *addr,
	    uint16_t port);
/* A fresh stream socket of the network, or -1 with errno. */
int	spare_socket(struct relay *, int family);

/* ---- serve.c: what the program listens on, reached from outside ---- */

/*
 * Finds the entries that name an address of this machine on which nobody listens
 * now: there the program may. Runs outside, before the relay starts.
 */
void	serve_plan(struct rules *);
bool	serve_planned(const struct rules *, int family,
	    const unsigned char *addr, uint16_t port);
/* The relay's part: watches for the program to listen. */
void	serve_start(struct relay *);
/* Nobody is let in any more. */
void	serve_stop(struct relay *);
/*
 * Somebody inside found nobody listening on a planned address: if there is one
 * outside by now, it was meant, and is reached from now on.
 */
void	serve_refused(struct relay *, const struct os_flow *);

/* ---- move.c: bytes of one direction of a connection ---- */

struct half {
	struct watch	*from, *to;
	struct half	*other;
	char		*rest;		/* what a buffer held and did not get rid of */
	size_t		rest_at, rest_len;
	int		pipe[2];
	size_t		queued;		/* in the pipe */
	uint64_t	bytes;		/* handed on */
	bool		much;		/* worth a pipe */
	bool		drain;		/* read until there is nothing */
	bool		ended;		/* end of file seen */
	bool		done;		/* and passed on */
};

enum moved {
	MOVED_ALL,		/* that there was, or that the other side takes */
	MOVED_SHARE,		/* its share of this round; there may be more */
	MOVE_FAILED,		/* a side is gone, or the byte limit reached */
};

void		half_init(struct half *, struct watch *from, struct watch *to,
		    struct half *other);
/*
 * Moves bytes. With drain, reads until there is nothing, else until a short read:
 * what comes later is told of.
 */
enum moved	half_move(struct relay *, struct half *);
/* Are there bytes that the other side did not take yet? */
bool		half_holds(const struct half *);
void		half_end(struct half *);
/* How much more may be relayed in all, for one read; 0 is the end. */
size_t		relay_allowance(const struct relay *);

/* ---- flow.c: connections ---- */

void	flow_open(struct relay *, const struct os_net_event *);
void	flow_accept(struct relay *, int listener);
/*
 * accept(2) failed. Without a free descriptor it would again and again: makes one, and
 * says no.
 */
void	flow_refuse(struct relay *, int listener, int err);
/*
 * Takes over a connection accepted outside because of entry, and makes it inside, where
 * the program may be about to listen: tries again until then (ms, monotonic).
 */
void	flow_serve(struct relay *, int fd, const struct os_flow *,
	    const struct entry *entry, int64_t until);
/* Moves bytes of flows that had more than their share last round. */
void	flow_work(struct relay *);
/*
 * The program is gone. Ends every flow but those where something that it had written is
 * still to be handed on: these are watched by the new poll. True when there are any.
 */
bool	flow_leave(struct relay *);
/* Ends those of them that are through. Returns how long to wait for others, -1: none. */
int	flow_left(struct relay *);

/* ---- udp.c: datagrams ---- */

void	udp_read(struct relay *, int listener);

/* ---- judge.c: one answer for an address and port ---- */

struct verdict_on {
	const struct entry	*entry;		/* that allows it, or NULL */
	const char		*name;		/* it was answered for, or NULL */
	const char		*stale;		/* the same, too long ago: ask again */
};

/*
 * Judges a connection or datagram by the list and the names. A denial is
 * reported, unless it is stale: that is not decided yet.
 */
struct verdict_on	judge(struct relay *, const struct os_flow *, bool udp);
/* Reports a denial of something that the list allows as such. */
void	judge_denied(struct relay *, const struct os_flow *, const char *name,
	    bool udp, const char *why, const char *key);

/* ---- dns.c: messages of RFC 1035 ---- */

#define DNS_NAME_TEXT	1024		/* a name with every byte encoded */
#define DNS_REPLY_MAX	1232
enum { DNS_A = 1, DNS_AAAA = 28 };
enum { DNS_OK = 0, DNS_FORMERR = 1, DNS_SERVFAIL = 2, DNS_NXDOMAIN = 3,
    DNS_NOTIMP = 4, DNS_REFUSED = 5 };

struct dns_query {
	uint16_t	id;
	uint16_t	type, class;
	bool		rd, edns;
	bool		plain;		/* the name is letters, digits, - and _ */
	size_t		room;		/* bytes the asker can take over UDP */
	size_t		qlen;		/* bytes of the question as it came */
	unsigned char	question[260];
	char		name[DNS_NAME_TEXT];	/* lower case; odd bytes as \ddd */
};

/*
 * Parses one query. Returns the response code it deserves so far (DNS_OK: it
 * is well formed), or -1 when it deserves no answer.
 */
int	dns_parse(struct dns_query *, const unsigned char *, size_t len);

struct dns_answer {
	int		rcode;
	int		family;
	size_t		naddrs;
	unsigned char	addrs[16][16];
	uint32_t	ttl;
};

/* Writes the response; returns its length. answer may be NULL: just the code. */
size_t	dns_reply(unsigned char out[DNS_REPLY_MAX], const struct dns_query *,
	    int rcode, const struct dns_answer *);

/* ---- names.c: which name an address was answered for ---- */

struct known {
	LIST_ENTRY(known)	by_addr;
	TAILQ_ENTRY(known)	by_age;
	int			family;
	unsigned char		addr[16];
	const char		*name;		/* of the list */
	int64_t			until;		/* ms, monotonic */
};

void		names_init(struct relay *);
/* Remembers an answer until then, and listens on the name's ports. */
int		names_learn(struct relay *, const char *name, int family,
		    const unsigned char *addr, int64_t until);
/*
 * The name through which an address may be reached on a port, fresh ones
 * first; when there is none, any name it was answered for, in *other.
 */
const struct known	*names_find(struct relay *, int family,
			    const unsigned char *addr, uint16_t port, bool udp,
			    const struct known **other);

/* ---- resolver.c ---- */

/* Takes over one of the resolver's sockets. */
void	resolver_adopt(struct relay *, int fd, int type);
/* When the resolver library wants to be called again, ms; at most max. */
int	resolver_timeout(struct relay *, int max);
void	resolver_tick(struct relay *);
/* Asks again for a name; fn is told when the memory is up to date. */
void	resolver_refresh(struct relay *, const char *name, int family,
	    void (*fn)(struct relay *, void *), void *arg);

/* ---- report.c ---- */

/* Text of an address and port: "10.0.0.1:80", "[::1]:80". */
#define ADDR_TEXT	(INET6_ADDRSTRLEN + 9)
const char	*addr_text(char buf[ADDR_TEXT], int family,
		    const unsigned char *addr, uint16_t port);
/* The same with the name it was answered for: "example.com:80 [10.0.0.1]". */
#define NAMED_TEXT	(HOST_MAX + ADDR_TEXT + 8)
const char	*named_text(char buf[NAMED_TEXT], const char *name, int family,
		    const unsigned char *addr, uint16_t port);

/* Names the program in every record of the audit log. */
void	report_command(const char *argv0);

/*
 * One line for a denial and a record in the audit log, but not again for
 * the same object at once: a program may try as often as it likes. hint is
 * the HOST:PORT to allow, or NULL.
 */
void	report_deny(struct relay *, const char *verb, const char *object,
	    const char *why, const char *key, const char *hint);
/* A record in the audit log alone. */
void	report_allow(struct relay *, const char *verb, const char *object,
	    const char *extra);
/* The same for a flow that is allowed; more starts with a comma or is empty. */
void	report_flow(struct relay *, const char *verb, const struct os_flow *,
	    const char *name, bool udp, const char *more);

#endif
