/*
 * x07.h - what every tool of the suite shares, on any platform.
 *
 * Nothing here depends on the operating system; what does is in os.h.
 */
#ifndef X07_H
#define X07_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define X07_VERSION	"0.1.0"

/* Exit statuses of the chain tools; timeout(1) and env(1) use the same ones. */
enum {
	EXIT_TIMELIMIT = 124,	/* the wall clock limit struck */
	EXIT_REFUSED = 125,	/* the gate refused or failed; nothing was run */
	EXIT_DENIED = 126,	/* the program was found but may not be executed */
	EXIT_NOTFOUND = 127,	/* the program was not found */
	EXIT_SIGNAL = 128,	/* plus n: the program was killed by signal n */
};

/* ---- diag.c: one line per event on stderr, untrusted bytes encoded ---- */

/*
 * Encodes len bytes of src for one line of output, vis(3) style: control
 * characters, backslash and bytes that are not printable ASCII become \ooo.
 * Writes at most dstsz bytes with the final NUL (a longer text ends in
 * "..."). Returns dst.
 */
char	*diag_vis(char *dst, size_t dstsz, const char *src, size_t len);

/* Says "prog: message" and exits 125. The message is encoded as a whole. */
_Noreturn void	refuse(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));

/* The same with ": strerror(errno)" behind it. */
_Noreturn void	refuse_errno(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));

/* Says "prog: message" and goes on. */
void	note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* How many lines were not said, because nobody took them and we did not wait. */
size_t	diag_lost(void);

/* ---- form.c: the normal form of a policy ---- */

/*
 * A policy in normal form: "x07-policy 1", sorted "key value" lines with
 * percent-encoded values, "end N" (N counts the lines between). A list key
 * has one line per item, a missing list key is the empty list.
 */
struct form;

/*
 * Parses len bytes of a whole form. Returns NULL with one line in err (errsz
 * bytes) when it is truncated, unsorted, of another version, has an unknown key,
 * a scalar twice, a value of the wrong type or bytes behind the end. The form is
 * the caller's, never freed by tools.
 */
struct form	*form_parse(const char *buf, size_t len, char *err, size_t errsz);

/*
 * Reads the form from fd with pread(2) from offset 0, because the offset is
 * shared by all gates of a chain. Refuses (exit 125) on any fault.
 */
struct form	*form_load(int fd);

/*
 * The value of a scalar key, decoded; NULL when the policy has no such line
 * (only keys of optional objects can be absent). Owned by the form.
 */
const char	*form_get(const struct form *, const char *key);
/* A boolean key; dflt when absent. */
bool	form_bool(const struct form *, const char *key, bool dflt);
/* An integer key; dflt when absent. */
int64_t	form_int(const struct form *, const char *key, int64_t dflt);
/* fs.max_write_bytes, of which 0 means 16 MiB. */
int64_t	form_write_bytes(const struct form *);
/*
 * The items of a list key, decoded. Sets *items to an array owned by the form
 * and returns their number.
 */
size_t	form_list(const struct form *, const char *key, const char *const **items);

/* ---- hosts.c: HOST:PORT[,PORT...] ---- */

#define HOST_MAX	255	/* bytes of a name, RFC 1035 and policy format */
#define HOST_PORTS_MAX	64	/* ports of one entry, policy format */

struct hostspec {
	enum { HOST_NAME, HOST_RANGE } kind;
	char		name[HOST_MAX + 1];	/* HOST_NAME: lower case, no final dot */
	int		family;			/* HOST_RANGE: AF_INET or AF_INET6 */
	unsigned char	lo[16], hi[16];		/* HOST_RANGE: first and last address */
	bool		all_ports;		/* only of deny entries: HOST:* */
	size_t		nports;
	uint16_t	ports[HOST_PORTS_MAX];	/* ascending, host byte order */
};

/*
 * Parses the host part alone: a name, an IPv4 or IPv6 address (brackets
 * optional here), a CIDR block or a lo-hi range. IPv4-mapped IPv6 addresses become
 * IPv4. Returns 0, or -1 with a constant sentence in *why: wildcards, numeric
 * aliases such as 0x7f000001 or 127.1, empty or over-long labels, ';', white
 * space and control bytes are errors, because they would match nothing or
 * something else than they seem to.
 */
int	host_parse_host(struct hostspec *, const char *host, const char **why);

/*
 * Parses HOST:PORT[,PORT...]; with deny also HOST:*. An IPv6 address needs
 * brackets. Ports are decimal 1..65535 without sign or leading zero. Returns
 * as above.
 */
int	host_parse(struct hostspec *, const char *spec, bool deny, const char **why);

/* True when the entry lists the port (host byte order). */
bool	host_has_port(const struct hostspec *, uint16_t port);
/* True when a HOST_RANGE entry covers the address (network byte order bytes). */
bool	host_covers(const struct hostspec *, int family, const unsigned char *addr);

/*
 * An address that carries an IPv4 address (IPv4-mapped, NAT64, 6to4) becomes
 * that address; returns true then. Judge destinations after this. addr has 16 bytes.
 */
bool	host_unwrap(int *family, unsigned char *addr);

/*
 * True when the entry is one address that every machine has: loopback, or the unspecified
 * one, which stands for all. Where x07-netgate has such an entry, the program may
 * listen; a range does not say that.
 */
bool	host_is_here(const struct hostspec *);

/*
 * What kind of special range the address lies in ("a loopback address", "a
 * private address", ...), NULL for an ordinary one. A name must not open
 * these by itself: DNS rebinding.
 */
const char	*host_special(int family, const unsigned char *addr);

/* ---- audit.c: one JSON line per decision ---- */

struct verdict {
	const char	*verb;		/* "connect", "resolve", "exec", ... */
	const char	*object;	/* what was asked for; untrusted bytes */
	const char	*why;		/* "not in net.allow_hosts" */
	const char	*key;		/* policy key, "net.allow_hosts" */
	const char	*hint;		/* flag that would allow it, or NULL */
	pid_t		pid;		/* of the program, 0 when not known */
	bool		allowed;
};

/*
 * Opens the audit log named by a flag: FILE (appended, mode 0600, created) or
 * fd:N (inherited). Refuses when it cannot. Returns the descriptor.
 */
int	audit_open(const char *flag, const char *spec);

/*
 * Reports a verdict: a JSON line to fd (when >= 0), and for a denial the line
 * "prog: deny VERB OBJECT (WHY; allow with HINT)" on stderr unless quiet. One
 * write(2) each, so lines of several gates do not mix. dry marks a dry run:
 * the verdict is "would-deny". extra is NULL or more JSON members ("\"a\":1").
 */
void	audit_verdict(int fd, const struct verdict *, bool quiet, bool dry,
	    const char *extra);

/* ---- chain.c: what all gates do alike ---- */

struct chain {
	const char	*policy_file;	/* -p */
	int		policy_fd;	/* -P, else -1 */
	struct form	*form;		/* parsed policy, NULL without -p and -P */
	int		audit_fd;	/* -l, else -1 */
	bool		dry_run;	/* -n */
	bool		weaker_ok;	/* --i-accept-weaker-isolation */
	bool		quiet;		/* -q */
	bool		verbose;	/* -v */
	bool		next_is_gate;	/* set by chain_program */
};

/* The options all gates share, for optstring and long option table. */
#define CHAIN_SHORTOPTS	"P:hl:np:qv"
enum { CHAIN_OPT_WEAKER = 0x1000, CHAIN_OPT_VERSION, CHAIN_OPT_OWN };
#define CHAIN_LONGOPTS \
	{ "policy",	required_argument, NULL, 'p' }, \
	{ "policy-fd",	required_argument, NULL, 'P' }, \
	{ "log",	required_argument, NULL, 'l' }, \
	{ "dry-run",	no_argument, NULL, 'n' }, \
	{ "quiet",	no_argument, NULL, 'q' }, \
	{ "verbose",	no_argument, NULL, 'v' }, \
	{ "help",	no_argument, NULL, 'h' }, \
	{ "version",	no_argument, NULL, CHAIN_OPT_VERSION }, \
	{ "i-accept-weaker-isolation", no_argument, NULL, CHAIN_OPT_WEAKER }

#define CHAIN_INIT	{ .policy_fd = -1, .audit_fd = -1 }

/*
 * Takes one option that getopt_long(3) returned. Returns false when it is
 * not one of the shared ones. 'h' is the tool's own (its usage text).
 */
bool	chain_option(struct chain *, int opt, const char *arg);

/*
 * Called once after the options: argv is what follows them. Checks that there
 * is a program, that -n comes with acceptance, that the next gate may stand
 * inside this one (order: x07-limit, x07-netgate, x07-fsgate, x07-execgate),
 * and loads the policy: -P by form_load; -p by executing
 * "x07-policy seal -- FILE -- SELF -P FD ...", so no gate links a JSON parser.
 * orig_argv is main's argv. Refuses on any fault.
 */
void	chain_program(struct chain *, char *const orig_argv[], char *const argv[]);

/*
 * Called first of all: where one of the first three descriptors is closed a file of ours
 * would take its number, so /dev/null does. What is executed later gets that when it is to
 * pass on, and else finds the descriptor closed as before. Exits 125 where it cannot be.
 */
void	chain_hold_stdio(bool pass_on);

/*
 * The path execvp(3) would take for name under PATH; NULL with errno ENOENT
 * or EACCES. In malloced memory.
 */
char	*chain_lookup(const char *name);

/*
 * The descriptors from 3 up that must survive into the next gate, at most 2:
 * the policy and the audit log; none when the program is next.
 */
size_t	chain_keep_fds(const struct chain *, int keep[2]);

/*
 * The tool of that name beside this executable, in malloced memory; NULL when
 * there is none.
 */
char	*chain_sibling(const char *name);

/*
 * Becomes the program argv[0], searched for in PATH. A file without #! is read by sh, as
 * POSIX wants of execvp(3), which musl's does not. When that fails, as below.
 */
_Noreturn void	chain_exec(char *const argv[]);

/*
 * Called when exec of name failed with errno: one line, then exit 127 when
 * there is no such file, else 126.
 */
_Noreturn void	chain_exec_failed(const char *name);

/* ---- paths.c: paths as text ---- */

/*
 * The absolute form of path, against the absolute directory base when it is
 * relative, without ".", ".." and repeated slashes. Text only: what is a symbolic
 * link is not asked. In malloced memory; NULL with errno EINVAL (empty, or base not
 * absolute), ENAMETOOLONG or ENOMEM.
 */
char	*path_normalise(const char *base, const char *path);
/* dir/name in malloced memory. Refuses. */
char	*path_in(const char *dir, const char *name);
/* True when path is dir or below it; both as path_normalise makes them. */
bool	path_within(const char *path, const char *dir);

/* ---- units.c: numbers as people write them ---- */

/*
 * Reads a duration ("1500ms", "2s", "1m30s", "2h", plain number: seconds,
 * decimals allowed) into milliseconds, or a size ("512M", "1GiB", "4096"; powers
 * of 1024) into bytes. Return 0, or -1 with errno EINVAL or ERANGE.
 */
int	parse_duration(const char *, int64_t *ms);
int	parse_size(const char *, int64_t *bytes);

#endif
