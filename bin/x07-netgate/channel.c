/*
 * In a guest there is no network outside. What would go there goes to netmux, which
 * takes it through the guest's byte channel to the host.
 */
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "channel.h"
#include "netgate.h"

#define BIND_MS	5000

static int
connect_mux(bool udp)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
	    .sin_port = htons(CHANNEL_PORT),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = udp ? socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK |
	    SOCK_CLOEXEC, 0) : socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int ret, err;

	if (fd == -1)
		return -1;
	memcpy(un.sun_path + 1, CHANNEL_PACKETS, sizeof(CHANNEL_PACKETS) - 1);
	ret = udp ? connect(fd, (struct sockaddr *)&un, (socklen_t)(offsetof(
	    struct sockaddr_un, sun_path) + sizeof(CHANNEL_PACKETS))) :
	    connect(fd, (struct sockaddr *)&in, sizeof(in));
	/* On loopback it is there at once or not at all. */
	if (ret == 0 && (udp || fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) == 0))
		return fd;
	err = errno;
	close(fd);
	errno = err;
	return -1;
}

/* Says to netmux what is wanted. Returns the socket, -1 with errno. */
static int
ask(int family, const unsigned char *addr, uint16_t port, int kind)
{
	struct channel_place p = { .kind = (uint8_t)kind,
	    .six = family == AF_INET6, .port = port };
	int fd = connect_mux(kind == CHANNEL_DATAGRAMS), err;

	memcpy(p.addr, addr, family == AF_INET6 ? 16 : 4);
	if (fd == -1 ||
	    send(fd, &p, sizeof(p), MSG_NOSIGNAL) == (ssize_t)sizeof(p))
		return fd;
	err = errno;
	close(fd);
	errno = err;
	return -1;
}

int
channel_dial(const struct os_flow *f, bool udp)
{
	return ask(f->family, f->dst, f->dport, udp ? CHANNEL_DATAGRAMS :
	    CHANNEL_STREAM);
}

int
channel_answer(int fd)
{
	int32_t err;
	ssize_t n = recv(fd, &err, sizeof(err), MSG_DONTWAIT);

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return -1;
	return n == (ssize_t)sizeof(err) ? err : EHOSTUNREACH;
}

int
channel_bind(int family, const unsigned char *addr, uint16_t port)
{
	int fd = ask(family, addr, port, CHANNEL_BIND), err = EADDRNOTAVAIL;
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (fd == -1)
		return -1;
	if (poll(&p, 1, BIND_MS) == 1)
		err = channel_answer(fd);
	close(fd);
	errno = err;
	return err == 0 ? 0 : -1;
}
