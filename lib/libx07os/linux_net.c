/*
 * A network with nobody in it: network_namespaces(7), AnyIP local routes
 * (ip-route(8), type local), rtnetlink(7) through libnl.
 */
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/mount.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/route.h>
#include <netlink/route/rule.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "linux.h"
#include "linux_compat.h"
#include "os.h"

/* ---- entering ---- */

/*
 * "TYPE default dev lo". Of type local: every address is ours. Of type unicast:
 * it is sent out of lo and, coming back, belongs to nobody: lost. (IPv6 has no such
 * routes.) Connections come from the loopback address, not from the destination
 * itself, so that no socket can connect to itself by chance of its port.
 */
static int
add_route(struct nl_sock *nl, int lo, int family, uint32_t table, uint8_t type)
{
	static const unsigned char loop4[4] = { 127, 0, 0, 1 }, any[16];
	size_t len = family == AF_INET ? 4 : 16;
	bool local = type == RTN_LOCAL;
	struct rtnl_route *route = rtnl_route_alloc();
	struct rtnl_nexthop *hop = rtnl_route_nh_alloc();
	struct nl_addr *dst = nl_addr_build(family, any, len);
	struct nl_addr *src = nl_addr_build(family, loop4, 4);
	int err = -NLE_NOMEM;

	if (route == NULL || hop == NULL || dst == NULL || src == NULL)
		goto out;
	nl_addr_set_prefixlen(dst, 0);
	rtnl_route_nh_set_ifindex(hop, lo);
	rtnl_route_add_nexthop(route, hop);
	hop = NULL;
	rtnl_route_set_family(route, (uint8_t)family);
	rtnl_route_set_table(route, table);
	rtnl_route_set_type(route, type);
	rtnl_route_set_scope(route, local ? RT_SCOPE_HOST : RT_SCOPE_LINK);
	rtnl_route_set_protocol(route, RTPROT_STATIC);
	if (rtnl_route_set_dst(route, dst) < 0)
		goto out;
	if (family == AF_INET && rtnl_route_set_pref_src(route, src) < 0)
		goto out;
	err = rtnl_route_add(nl, route, NLM_F_CREATE | NLM_F_EXCL);
out:
	if (hop != NULL)
		rtnl_route_nh_free(hop);
	nl_addr_put(dst);
	nl_addr_put(src);
	rtnl_route_put(route);
	return err;
}

static int
loopback_up(struct nl_sock *nl, int lo)
{
	struct rtnl_link *link = rtnl_link_alloc(), *up = rtnl_link_alloc();
	int err = -NLE_NOMEM;

	if (link != NULL && up != NULL) {
		rtnl_link_set_ifindex(link, lo);
		rtnl_link_set_flags(up, IFF_UP);
		err = rtnl_link_change(nl, link, up, 0);
	}
	rtnl_link_put(link);
	rtnl_link_put(up);
	return err;
}

/*
 * An address that is not loopback, on lo: getaddrinfo(3) with AI_ADDRCONFIG knows no
 * addresses of a family that has none. Dummies of RFC 7600 and RFC 6666.
 */
static int
add_dummy(struct nl_sock *nl, int lo, int family)
{
	static const unsigned char four[4] = { 192, 0, 0, 8 },
	    six[16] = { 1, [15] = 1 };
	bool v4 = family == AF_INET;
	struct rtnl_addr *a = rtnl_addr_alloc();
	struct nl_addr *local = nl_addr_build(family, v4 ? four : six,
	    v4 ? sizeof(four) : sizeof(six));
	int err = -NLE_NOMEM;

	if (a != NULL && local != NULL) {
		nl_addr_set_prefixlen(local, v4 ? 32 : 128);
		rtnl_addr_set_ifindex(a, lo);
		/* Usable at once. */
		rtnl_addr_set_flags(a, v4 ? 0 : IFA_F_NODAD);
		err = rtnl_addr_set_local(a, local);
	}
	if (err == 0)
		err = rtnl_addr_add(nl, a, 0);
	nl_addr_put(local);
	rtnl_addr_put(a);
	return err;
}

/* Is there a way out for IPv6? Connecting a datagram socket sends nothing. */
static bool
routes_ipv6(void)
{
	struct sockaddr_in6 sa = { .sin6_family = AF_INET6, .sin6_port = htons(9),
	    .sin6_addr.s6_addr = { 0x20, 0x01, [15] = 1 } };
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool routed = fd != -1 &&
	    connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0;

	if (fd != -1)
		close(fd);
	return routed;
}

static int
have_ipv6(void)
{
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd != -1)
		close(fd);
	return fd != -1;
}

#define TAKEN_TABLE	7007	/* of an open network: what is local nevertheless */

/* "from all [to ADDR dport PORT] [fwmark MARK] lookup TAKEN_TABLE" */
static int
add_rule(struct nl_sock *nl, const struct os_flow *f, bool udp, uint32_t mark)
{
	struct rtnl_rule *rule = rtnl_rule_alloc();
	struct nl_addr *dst = f == NULL ? NULL : nl_addr_build(AF_INET, f->dst, 4);
	int err = -NLE_NOMEM;

	if (rule == NULL || (f != NULL && dst == NULL))
		goto out;
	rtnl_rule_set_family(rule, AF_INET);
	rtnl_rule_set_action(rule, FR_ACT_TO_TBL);
	rtnl_rule_set_table(rule, TAKEN_TABLE);
	if (mark != 0)
		rtnl_rule_set_mark(rule, mark);
	if (f != NULL) {
		err = rtnl_rule_set_dst(rule, dst);
		if (err < 0)
			goto out;
		rtnl_rule_set_ipproto(rule, udp ? IPPROTO_UDP : IPPROTO_TCP);
		rtnl_rule_set_dport(rule, f->dport);
	}
	err = rtnl_rule_add(nl, rule, NLM_F_CREATE | NLM_F_EXCL);
out:
	nl_addr_put(dst);
	rtnl_rule_put(rule);
	return err;
}

static int
nl_errno(int err)
{
	return err == -NLE_PERM ? EPERM : err == -NLE_NOMEM ? ENOMEM :
	    err == -NLE_EXIST ? EEXIST : EIO;
}

/* Lost by default; ours what a rule says, or what the relay itself sends. */
static int
make_open_routes(struct nl_sock *nl, int lo)
{
	int err = add_route(nl, lo, AF_INET, RT_TABLE_MAIN, RTN_UNICAST);

	if (err == 0)
		err = add_route(nl, lo, AF_INET, TAKEN_TABLE, RTN_LOCAL);
	return err == 0 ? add_rule(nl, NULL, false, NET_ADMIT_MARK) : err;
}

/* Sets *ipv6 to whether this network has it; routed says whether it leads anywhere. */
static int
make_routes(bool open, bool routed, bool *ipv6)
{
	struct nl_sock *nl = nl_socket_alloc();
	int lo = (int)if_nametoindex("lo"), err = -NLE_NOMEM;

	/* Answers are small: no need to look at each before it is read. */
	if (nl != NULL)
		nl_socket_disable_msg_peek(nl);
	if (nl != NULL && (err = nl_connect(nl, NETLINK_ROUTE)) == 0 &&
	    (err = loopback_up(nl, lo)) == 0 &&
	    (err = add_dummy(nl, lo, AF_INET)) == 0)
		err = open ? make_open_routes(nl, lo) :
		    add_route(nl, lo, AF_INET, RT_TABLE_LOCAL, RTN_LOCAL);
	/* Without IPv6 (switched off) nothing there is reachable, which is safe. */
	*ipv6 = err == 0 && have_ipv6() &&
	    add_route(nl, lo, AF_INET6, RT_TABLE_LOCAL, RTN_LOCAL) == 0;
	/* Without it some programs prefer IPv4, no more. */
	if (*ipv6 && routed)
		(void)add_dummy(nl, lo, AF_INET6);
	nl_socket_free(nl);
	if (err == 0)
		return 0;
	errno = nl_errno(err);
	return -1;
}

int
os_net_take(const struct os_net *net, const struct os_flow *f, bool udp)
{
	struct nl_sock *nl = nl_socket_alloc();
	int fd = dup(net->routes), err = -NLE_NOMEM;

	/* Closed with the structure: hence the copy. */
	if (nl != NULL && fd != -1 &&
	    (err = nl_socket_set_fd(nl, NETLINK_ROUTE, fd)) == 0)
		err = add_rule(nl, f, udp, 0);
	else if (fd != -1)
		close(fd);
	nl_socket_free(nl);
	if (err == 0)
		return 0;
	errno = nl_errno(err);
	return -1;
}

static int
open_ns(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

int
os_net_enter(struct os_net *net, bool open)
{
	bool ipv6, routed = routes_ipv6();

	if (ns_unshare(CLONE_NEWNET | CLONE_NEWNS) == -1 ||
	    mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) == -1 ||
	    make_routes(open, routed, &ipv6) == -1)
		return -1;
	net->userns = open_ns("user");
	net->netns = open_ns("net");
	if (net->userns == -1 || net->netns == -1)
		return -1;
	return net_open_wires(net, ipv6, open);
}

/* ---- names ---- */

#define SCRATCH_DIRS	{ "/tmp", "/mnt", "/run", "/dev", "/var" }

/*
 * A file system in memory to take small files from, mounted over some
 * directory of our private view for as long as we need its name.
 */
static const char *
mount_scratch(void)
{
	static const char *const dirs[] = SCRATCH_DIRS;

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		if (mount("x07", dirs[i], "tmpfs", MS_NOSUID | MS_NODEV |
		    MS_NOEXEC, "size=64k,nr_inodes=16,mode=755") == 0)
			return dirs[i];
	return NULL;
}

/* The text as a file of the scratch file system; returns a detached mount of it. */
static int
scratch_file(const char *dir, const char *name, const char *text)
{
	char path[128];
	size_t len = strlen(text);
	int fd, tree = -1;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	if (fd == -1)
		return -1;
	if (fchmod(fd, 0444) == 0 && write(fd, text, len) == (ssize_t)len)
		tree = (int)syscall(SYS_open_tree, AT_FDCWD, path,
		    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	close(fd);
	return tree;
}

/*
 * Mounts the file over path, which may be a link. A path that does not exist is
 * no way to a resolver.
 */
static int
cover(int tree, const char *path)
{
	if (syscall(SYS_move_mount, tree, "", AT_FDCWD, path,
	    MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS) == 0)
		return 0;
	return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
}

#define NSSWITCH	"/etc/nsswitch.conf"

/*
 * The text of nsswitch.conf with "hosts: files dns" for whatever else it says
 * there (resolve, mdns, myhostname ask daemons outside). Returns 1 when it
 * differs from the file, 0 when the file may stay.
 */
static int
nsswitch_text(char *text, size_t size)
{
	static const char want[] = "hosts: files dns\n";
	char line[512];
	FILE *f = fopen(NSSWITCH, "re");
	size_t n = 0;
	int differs = 0;

	if (f == NULL)
		return 0;
	while (fgets(line, sizeof(line), f) != NULL) {
		const char *p = line + strspn(line, " \t"), *put = line;

		if (strncmp(p, "hosts:", 6) == 0) {
			char word[2][16] = { "", "" };
			char more;
			int got = sscanf(p + 6, "%15s %15s %c", word[0], word[1],
			    &more);

			if (got != 2 || strcmp(word[0], "files") != 0 ||
			    strcmp(word[1], "dns") != 0) {
				differs = 1;
				put = want;
			}
		}
		if (n + strlen(put) >= size)
			break;
		n += strlcpy(text + n, put, size - n);
	}
	fclose(f);
	text[n] = '\0';
	return differs;
}

/* Sockets of daemons that would ask the network for names on behalf of others. */
static const char *const resolver_sockets[] = {
	"/run/nscd/socket",
	"/var/run/nscd/socket",
	"/run/systemd/resolve/io.systemd.Resolve",
	"/run/systemd/resolve/io.systemd.Resolve.Monitor",
	"/run/avahi-daemon/socket",
};
#define NSOCKETS	(sizeof(resolver_sockets) / sizeof(resolver_sockets[0]))

/* Copies of one empty file, because a detached mount can be used only once. */
static int
cover_sockets(const char *dir)
{
	struct stat st;
	char name[16];

	for (size_t i = 0; i < NSOCKETS; i++) {
		int tree, err;

		if (stat(resolver_sockets[i], &st) != 0 || !S_ISSOCK(st.st_mode))
			continue;
		snprintf(name, sizeof(name), "socket%zu", i);
		tree = scratch_file(dir, name, "");
		if (tree == -1)
			return -1;
		err = cover(tree, resolver_sockets[i]);
		close(tree);
		if (err == -1)
			return -1;
	}
	return 0;
}

int
os_net_names(const char *address)
{
	char resolv[128], nsswitch[4096];
	int tree[2] = { -1, -1 }, ret = -1, err;
	const char *dir;

	/* "search .": else the C library appends the domain of this machine. */
	snprintf(resolv, sizeof(resolv), "nameserver %s\nsearch .\n", address);
	dir = mount_scratch();
	if (dir == NULL)
		return -1;
	tree[0] = scratch_file(dir, "resolv.conf", resolv);
	if (tree[0] == -1)
		goto out;
	if (nsswitch_text(nsswitch, sizeof(nsswitch)) == 1) {
		tree[1] = scratch_file(dir, "nsswitch.conf", nsswitch);
		if (tree[1] == -1)
			goto out;
	}
	/* The sockets first look through the mounts of the host: /run may be dir. */
	if (strcmp(dir, "/run") != 0 && strcmp(dir, "/var") != 0 &&
	    cover_sockets(dir) == -1)
		goto out;
	if (umount2(dir, MNT_DETACH) == -1)
		goto out;
	dir = NULL;
	if (cover(tree[0], "/etc/resolv.conf") == -1 ||
	    (tree[1] != -1 && cover(tree[1], NSSWITCH) == -1))
		goto out;
	ret = 0;
out:
	err = errno;
	if (dir != NULL)
		umount2(dir, MNT_DETACH);
	for (int i = 0; i < 2; i++)
		if (tree[i] != -1)
			close(tree[i]);
	errno = err;
	return ret;
}

/* ---- sockets inside, made from outside ---- */

int
os_send_fds(int sock, const int *fds, size_t n)
{
	char data = 0, control[CMSG_SPACE(sizeof(int) * OS_FDS_MAX)];
	struct iovec iov = { &data, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;

	if (n > 0) {
		memset(control, 0, sizeof(control));
		msg.msg_control = control;
		msg.msg_controllen = (socklen_t)CMSG_SPACE(sizeof(int) * n);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = (socklen_t)CMSG_LEN(sizeof(int) * n);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * n);
	}
	return sendmsg(sock, &msg, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

int
os_recv_fds(int sock, int fds[OS_FDS_MAX])
{
	char data, control[CMSG_SPACE(sizeof(int) * OS_FDS_MAX)];
	struct iovec iov = { &data, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
	    .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	ssize_t got;
	size_t len;

	do
		got = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (got == -1 && errno == EINTR);
	if (got == 0)
		errno = EPIPE;
	if (got != 1)
		return -1;
	c = CMSG_FIRSTHDR(&msg);
	len = c != NULL ? c->cmsg_len - CMSG_LEN(0) : 0;
	if (len > 0)
		memcpy(fds, CMSG_DATA(c), len);
	if ((msg.msg_flags & MSG_CTRUNC) != 0) {
		/* Those that there was room for have arrived. */
		for (size_t i = 0; i < len / sizeof(int); i++)
			close(fds[i]);
		errno = EMFILE;
		return -1;
	}
	return (int)(len / sizeof(int));
}

/* Ends with 0, or with the errno of what failed. */
static _Noreturn void
make_sockets(const struct os_net *net, int family, int type, int sock, size_t n)
{
	int fds[OS_FDS_MAX];

	if (setns(net->userns, CLONE_NEWUSER) == -1 || os_hide() == -1 ||
	    setns(net->netns, CLONE_NEWNET) == -1)
		_exit(errno);
	for (size_t i = 0; i < n; i++) {
		fds[i] = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (fds[i] == -1)
			_exit(errno);
	}
	_exit(os_send_fds(sock, fds, n) == -1 ? errno : 0);
}

static int
make_batch(const struct os_net *net, int family, int type, int *fds, size_t n)
{
	int pair[2], got[OS_FDS_MAX], ret = -1, status = 0, err;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
		return -1;
	pid = fork();
	if (pid == 0)
		make_sockets(net, family, type, pair[1], n);
	err = errno;
	close(pair[1]);
	if (pid != -1) {
		ret = os_recv_fds(pair[0], got);
		err = errno;
	}
	close(pair[0]);
	while (pid != -1 && waitpid(pid, &status, 0) == -1 && errno == EINTR)
		continue;
	if (ret == (int)n) {
		memcpy(fds, got, sizeof(int) * n);
		return 0;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
		err = WEXITSTATUS(status);
	while (ret > 0)
		close(got[--ret]);
	errno = err;
	return -1;
}

int
os_net_sockets(const struct os_net *net, int family, int type, int *fds, size_t n)
{
	for (size_t done = 0; done < n; ) {
		size_t batch = n - done < OS_FDS_MAX ? n - done : OS_FDS_MAX;

		if (make_batch(net, family, type, fds + done, batch) == -1) {
			int err = errno;

			while (done > 0)
				close(fds[--done]);
			errno = err;
			return -1;
		}
		done += batch;
	}
	return 0;
}

/* ---- who listens ---- */

int
os_net_tables(int fds[2])
{
	fds[0] = open("/proc/self/net/tcp", O_RDONLY | O_CLOEXEC);
	fds[1] = open("/proc/self/net/tcp6", O_RDONLY | O_CLOEXEC);
	return fds[0] == -1 ? -1 : 0;
}

#define LISTENING	0x0a	/* TCP_LISTEN in the table */

/*
 * One line "  0: 0100007F:1F90 00000000:0000 0A ...": the address as 32-bit
 * words in host order. Returns false when it is no listener: those come first.
 */
static bool
table_line(const char *line, int family, unsigned char addr[16], uint16_t *port)
{
	unsigned words = family == AF_INET ? 1 : 4;
	const char *s = strchr(line, ':');
	char digits[9] = "", *rest;

	if (s == NULL || strlen(++s) < 8 * words + 20)
		return false;
	s += strspn(s, " ");
	for (unsigned i = 0; i < words; i++, s += 8) {
		uint32_t w;

		memcpy(digits, s, 8);
		w = (uint32_t)strtoul(digits, NULL, 16);
		memcpy(addr + i * 4, &w, 4);
	}
	if (*s != ':')
		return false;
	*port = (uint16_t)strtoul(s + 1, &rest, 16);
	/* The other side's address and port lie between. */
	rest = *rest == ' ' ? strchr(rest + 1, ' ') : NULL;
	return rest != NULL && strtoul(rest, NULL, 16) == LISTENING;
}

/* Tells of the listeners in one table; the kernel hands it out page by page. */
static int
read_table(int fd, int family, void (*fn)(void *, int family,
    const unsigned char *addr, uint16_t port), void *arg)
{
	char buf[16384], *line, *end;
	size_t have = 0;
	off_t at = 0;
	bool first = true;	/* has the names of the columns */
	ssize_t n;

	while ((n = pread(fd, buf + have, sizeof(buf) - 1 - have, at)) > 0) {
		at += n;
		have += (size_t)n;
		buf[have] = '\0';
		for (line = buf; (end = strchr(line, '\n')) != NULL;
		    line = end + 1) {
			unsigned char addr[16] = { 0 };
			uint16_t port;

			*end = '\0';
			if (!first && !table_line(line, family, addr, &port))
				return 0;
			if (!first)
				fn(arg, family, addr, port);
			first = false;
		}
		have = strlen(line);
		memmove(buf, line, have);
	}
	return n == -1 ? -1 : 0;
}

int
os_net_listeners(const int fds[2], void (*fn)(void *, int family,
    const unsigned char *addr, uint16_t port), void *arg)
{
	for (int i = 0; i < 2; i++)
		if (fds[i] != -1 && read_table(fds[i],
		    i == 0 ? AF_INET : AF_INET6, fn, arg) == -1)
			return -1;
	return 0;
}

/* ---- the relay's own walls ---- */

/*
 * Read what the resolver library reads (links into /run and, of resolv.conf, to anywhere
 * included); no other file, nothing written, nothing executed.
 */
static int
files_of_resolver(void)
{
	static const struct {
		const char	*path;
		uint64_t	rights;
	} files[] = {
		{ "/etc", LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR },
		{ "/run", LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR },
		{ "/etc/resolv.conf", LANDLOCK_ACCESS_FS_READ_FILE },
	};
	const uint64_t all = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
	int ruleset = landlock_ruleset(all, 0, 0), ret = -1;

	if (ruleset == -1)
		return -1;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		int fd = open(files[i].path, O_PATH | O_CLOEXEC);

		if (fd == -1)
			continue;
		ret = landlock_allow_path(ruleset, fd, files[i].rights);
		close(fd);
		if (ret == -1)
			goto out;
	}
	ret = landlock_enter(ruleset);
out:
	close(ruleset);
	return ret;
}

int
os_relay_confine(void)
{
	static const struct filter_row rows[] = {
		{ SYS_execve, FILTER_ANY, EPERM },
		{ SYS_execveat, FILTER_ANY, EPERM },
		{ SYS_ptrace, FILTER_ANY, EPERM },
		{ SYS_process_vm_readv, FILTER_ANY, EPERM },
		{ SYS_process_vm_writev, FILTER_ANY, EPERM },
		{ SYS_mount, FILTER_ANY, EPERM },
		{ SYS_move_mount, FILTER_ANY, EPERM },
		{ SYS_bpf, FILTER_ANY, EPERM },
		{ SYS_io_uring_setup, FILTER_ANY, EPERM },
		{ SYS_memfd_create, FILTER_ANY, EPERM },
		{ SYS_keyctl, FILTER_ANY, EPERM },
		{ SYS_perf_event_open, FILTER_ANY, EPERM },
		{ SYS_userfaultfd, FILTER_ANY, EPERM },
	};
	/*
	 * What listening outside on a low port needs; over the network
	 * of the program, which it owns, the relay has every capability anyway.
	 */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
	    caps_limit(UINT64_C(1) << CAP_NET_BIND_SERVICE) == -1)
		return -1;
	if (landlock_abi() > 0 && files_of_resolver() == -1)
		return -1;
	return filter_install(rows, sizeof(rows) / sizeof(rows[0]));
}
