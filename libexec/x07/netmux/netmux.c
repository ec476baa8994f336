/*
 * netmux: one end of a guest's byte channel to the network. See netmux.h, x07-vmrun(1).
 *
 *	netmux guest CHANNEL	in the guest; goes to the background once it listens
 *	netmux host		behind x07-netgate; the channel is standard input
 */
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <net/if.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netmux.h"

#define EVENTS		64
#define LOOK_MS		200

/* A character device of the machine, or in a container a socket. */
static int
open_channel(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct stat st;
	int fd;

	if (stat(path, &st) == -1)
		refuse_errno("%s", path);
	if (!S_ISSOCK(st.st_mode)) {
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd == -1)
			refuse_errno("%s", path);
		return fd;
	}
	if (strlcpy(sun.sun_path, path, sizeof(sun.sun_path)) >=
	    sizeof(sun.sun_path))
		refuse("%s: too long", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1 || connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1)
		refuse_errno("%s", path);
	return fd;
}

/* Standard input is the channel, or listens for the one connection that is. */
static int
host_channel(void)
{
	socklen_t len = sizeof(int);
	int listens = 0, fd = STDIN_FILENO;

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == -1)
		refuse_errno("the byte channel");
	if (!listens)
		return fd;
	fd = accept4(STDIN_FILENO, NULL, NULL, SOCK_CLOEXEC);
	if (fd == -1)
		refuse_errno("the byte channel");
	close(STDIN_FILENO);
	return fd;
}

/* The guest's only network interface. */
static void
raise_loopback(void)
{
	struct ifreq ifr = { .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	strlcpy(ifr.ifr_name, "lo", sizeof(ifr.ifr_name));
	if (fd == -1 || ioctl(fd, SIOCSIFFLAGS, &ifr) == -1)
		refuse_errno("the guest's loopback interface");
	close(fd);
}

static _Noreturn void
serve(bool guest)
{
	struct os_poll_event ev[EVENTS];
	bool more = false;
	int n;

	for (;;) {
		n = os_poll_wait(poller, ev, EVENTS, more ? 0 : guest ? LOOK_MS :
		    -1);
		for (int i = 0; i < n; i++) {
			struct watch *w = ev[i].data;

			w->event(w, ev[i].what);
		}
		if (guest)
			listen_look();
		channel_work();
		more = stream_work();
		channel_work();
	}
}

static _Noreturn void
usage(void)
{
	fputs("usage: netmux guest CHANNEL | netmux host\n", stderr);
	exit(2);
}

static void
background(void)
{
	pid_t pid = fork();

	if (pid == -1)
		refuse_errno("fork");
	if (pid != 0)
		_exit(0);
	setsid();
}

int
main(int argc, char *argv[])
{
	bool guest = argc == 3 && strcmp(argv[1], "guest") == 0;

	setprogname("netmux");
	if (!guest && (argc != 2 || strcmp(argv[1], "host") != 0))
		usage();
	signal(SIGPIPE, SIG_IGN);
	poller = os_poll_open();
	if (poller == -1)
		refuse_errno("epoll");
	stream_side(guest);
	if (guest) {
		channel_open(open_channel(argv[2]));
		raise_loopback();
		listen_guest();
		listen_tables();
		background();
	} else {
		channel_open(host_channel());
	}
	if (os_hide() == -1 || os_relay_confine() == -1)
		refuse_errno("cannot confine the relay");
	serve(guest);
}
