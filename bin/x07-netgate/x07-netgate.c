/*
 * x07-netgate - run a program that can reach only the listed hosts and ports.
 *
 * The process becomes the program itself; the relay that stays outside is
 * nobody's child by then, so status, signals and terminal pass untouched.
 */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netgate.h"

enum {
	OPT_ALLOW = 'a',
	OPT_ALLOW_FILE = 'A',
	OPT_DENY = 'd',
	OPT_DENY_FILE = 'D',
	OPT_UDP = 'u',
	OPT_CONNS = 'c',
	OPT_BYTES = 'b',
	OPT_TIMEOUT = 't',
	OPT_CHANNEL = CHAIN_OPT_OWN,
};

static const struct option longopts[] = {
	{ "allow",	required_argument, NULL, OPT_ALLOW },
	{ "allow-host",	required_argument, NULL, OPT_ALLOW },
	{ "allow-file",	required_argument, NULL, OPT_ALLOW_FILE },
	{ "allow-host-file", required_argument, NULL, OPT_ALLOW_FILE },
	{ "deny",	required_argument, NULL, OPT_DENY },
	{ "deny-host",	required_argument, NULL, OPT_DENY },
	{ "deny-file",	required_argument, NULL, OPT_DENY_FILE },
	{ "deny-host-file", required_argument, NULL, OPT_DENY_FILE },
	{ "udp",	no_argument, NULL, OPT_UDP },
	{ "max-conns",	required_argument, NULL, OPT_CONNS },
	{ "max-bytes",	required_argument, NULL, OPT_BYTES },
	{ "connect-timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "channel",	no_argument, NULL, OPT_CHANNEL },
	CHAIN_LONGOPTS,
	{ NULL, 0, NULL, 0 },
};

static _Noreturn void
usage(void)
{
	fputs(
"usage: x07-netgate [options] [--] program [argument ...]\n"
"Runs a program that can reach only the listed hosts and ports.\n"
"\n"
"  -a, --allow HOST:PORT[,PORT]  list a name, address, CIDR block or lo-hi range\n"
"  -A, --allow-file FILE         the same from a file, one a line\n"
"  -d, --deny HOST:*|HOST:PORT   take it away again; wins over every -a\n"
"  -D, --deny-file FILE          the same from a file\n"
"  -u, --udp                     the list is for UDP too\n"
"  -c, --max-conns N             connections at once\n"
"  -b, --max-bytes SIZE          bytes relayed in all, both ways\n"
"  -t, --connect-timeout TIME    give a connection up after that long\n"
"  --channel                     in a guest: reach the host through netmux\n"
"  -p, --policy FILE             enforce net.* and db.net.* of a policy\n"
"  -P, --policy-fd FD            the same, compiled, on a descriptor\n"
"  -l, --log FILE|fd:N           audit log, JSON lines\n"
"  -n, --dry-run                 say what would be denied, deny nothing\n"
"  --i-accept-weaker-isolation   needed by -n\n"
"  -q, --quiet                   no denial lines\n"
"  -v, --verbose                 say what is set up\n"
"  -h, --help    --version\n", stdout);
	exit(0);
}

static int64_t
count_option(const char *opt, const char *arg)
{
	const char *why;
	long long n = strtonum(arg, 1, 1000000, &why);

	if (why != NULL)
		refuse("%s %s: %s (1 to 1000000)", opt, arg, why);
	return n;
}

static int64_t
size_option(const char *opt, const char *arg)
{
	int64_t n;

	if (parse_size(arg, &n) == -1 || n < 1)
		refuse("%s %s: not a size such as 4096, 512K or 1G", opt, arg);
	return n;
}

static int64_t
time_option(const char *opt, const char *arg)
{
	int64_t ms;

	if (parse_duration(arg, &ms) == -1 || ms < 1 || ms > 600000)
		refuse("%s %s: not a duration from 1ms to 10m, such as 500ms "
		    "or 5s", opt, arg);
	return ms;
}

/* What the options say; the policy comes later. */
struct options {
	bool	allows;		/* -a, -A or -u were given */
	int64_t	conns, bytes, ms;
};

static bool
own_option(struct rules *r, struct options *o, int opt, const char *arg)
{
	switch (opt) {
	case OPT_ALLOW:
		o->allows = true;
		rules_add(r, "-a", arg, false);
		return true;
	case OPT_ALLOW_FILE:
		o->allows = true;
		rules_add_file(r, "-A", arg, false);
		return true;
	case OPT_DENY:
		rules_add(r, "-d", arg, true);
		return true;
	case OPT_DENY_FILE:
		rules_add_file(r, "-D", arg, true);
		return true;
	case OPT_UDP:
		o->allows = true;
		r->udp = true;
		return true;
	case OPT_CONNS:
		o->conns = count_option("-c", arg);
		return true;
	case OPT_BYTES:
		o->bytes = size_option("-b", arg);
		return true;
	case OPT_CHANNEL:
		r->channel = true;
		return true;
	case OPT_TIMEOUT:
		o->ms = time_option("-t", arg);
		return true;
	default:
		return false;
	}
}

/* A limit of the options can only make one of the policy smaller. */
static int64_t
smaller(int64_t a, int64_t b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

static void
settle(struct rules *r, const struct options *o, const struct form *form)
{
	r->ask[GROUP_NET] = true;
	if (form != NULL) {
		if (o->allows)
			refuse("-a, -A and -u cannot widen a policy: put it in "
			    "there (x07-policy derive)");
		rules_add_form(r, form);
	}
	for (size_t i = 0; i < r->nallow && form == NULL; i++)
		r->allow[i].udp = r->udp;
	for (int g = 0; g < GROUP_COUNT; g++) {
		r->max_live[g] = smaller(r->max_live[g], o->conns);
		r->connect_ms[g] = smaller(r->connect_ms[g], o->ms);
	}
	r->max_bytes = o->bytes;
}

static void
hand_over(const struct os_net *net, int relay)
{
	const int all[] = { os_process_fd(getpid()), net->userns, net->netns,
	    net->tcp[0], net->icmp[0], net->tcp[1], net->icmp[1], net->stray,
	    net->routes };
	int fds[9];
	size_t n = 0;

	if (all[0] == -1)
		refuse_errno("a descriptor of this process");
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i] >= 0)
			fds[n++] = all[i];
	if (os_send_fds(relay, fds, n) == -1)
		refuse_errno("passing the network to the relay");
}

/* Is this the name of another such gate? */
static bool
same_gate(const char *program)
{
	const char *slash = strrchr(program, '/');

	return strcmp(slash != NULL ? slash + 1 : program, getprogname()) == 0;
}

static void
enter(const struct chain *c, const struct rules *r, const char *program)
{
	struct os_net net;
	pid_t between;
	int relay = relay_start(c, r, same_gate(program), &between), status = 0;

	if (os_net_enter(&net, c->dry_run) == -1) {
		int err = errno;

		refuse("cannot make an empty network (%s): %s", strerror(err),
		    os_namespace_hint(err));
	}
	hand_over(&net, relay);
	if (r->nserve > 0) {
		int tables[2];

		if (os_net_tables(tables) == -1 ||
		    os_send_fds(relay, tables, tables[1] >= 0 ? 2 : 1) == -1)
			refuse_errno("watching for listeners");
	}
	listen_first(r, net.tcp[1] >= 0, relay);
	if (os_net_names(STUB_ADDRESS) == -1)
		refuse_errno("giving the program its own resolv.conf");
	while (waitpid(between, &status, 0) == -1 && errno == EINTR)
		continue;
	if (status != 0)
		refuse("cannot start the relay: too many processes");
	if (c->verbose)
		note("network ready: %zu entries allowed, %zu denied, IPv6 %s",
		    r->nallow, r->ndeny, net.tcp[1] >= 0 ? "on" : "off");
}

/* A Unix socket that is connected, and stays so: what is behind it was chosen. */
static bool
leads_one_way(int fd)
{
	struct sockaddr_storage sa = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof(sa), typelen = sizeof(int);
	int type = SOCK_DGRAM;

	if (getsockname(fd, (struct sockaddr *)&sa, &len) == -1 ||
	    sa.ss_family != AF_UNIX)
		return false;
	len = sizeof(sa);
	return getpeername(fd, (struct sockaddr *)&sa, &len) == 0 &&
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &typelen) == 0 &&
	    type != SOCK_DGRAM;
}

/*
 * A socket belongs to the network it was made in, and a connected one can be
 * connected to somewhere else (AF_UNSPEC): passed on, it would be a way out.
 */
static void
check_stdio(const struct chain *c)
{
	static const char *const name[] = { "input", "output", "error" };
	struct stat st;

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (!c->dry_run && fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode) &&
		    !leads_one_way(fd))
			refuse("standard %s is a socket of the network outside, which "
			    "the program could connect anywhere; put a pipe in "
			    "between (cat | x07-netgate ... | cat)", name[fd]);
}

int
main(int argc, char *argv[])
{
	struct chain chain = CHAIN_INIT;
	struct rules rules = { 0 };
	struct options options = { 0 };
	int opt, keep[2];
	size_t nkeep;

	setprogname(argv[0]);
	chain_hold_stdio(false);
	while ((opt = getopt_long(argc, argv, "+a:A:d:D:uc:b:t:" CHAIN_SHORTOPTS,
	    longopts, NULL)) != -1) {
		if (opt == 'h')
			usage();
		if (!own_option(&rules, &options, opt, optarg) &&
		    !chain_option(&chain, opt, optarg))
			/* getopt(3) has said what is wrong, in one line. */
			exit(EXIT_REFUSED);
	}
	argv += optind;
	chain_program(&chain, argv - optind, argv);
	check_stdio(&chain);
	settle(&rules, &options, chain.form);
	report_command(argv[0]);
	serve_plan(&rules);
	if (chain.dry_run)
		listen_plan_dry();
	enter(&chain, &rules, argv[0]);
	if (os_confine(OS_DENY_DEFAULT | OS_MAY_NEST |
	    (chain.dry_run ? 0 : OS_DENY_FAMILIES) |
	    (chain.next_is_gate ? OS_GATE_FOLLOWS : 0)) == -1)
		refuse_errno("confining the program");
	nkeep = chain_keep_fds(&chain, keep);
	if (os_keep_fds(keep, nkeep) == -1)
		refuse_errno("closing descriptors");
	chain_exec(argv);
}
