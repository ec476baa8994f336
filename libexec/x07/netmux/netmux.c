/*
 * netmux: one end of a guest's byte channel to the network. See netmux.h, x07-vmrun(1).
 *
 *	netmux guest CHANNEL	in the guest; goes to the background once it listens
 *	netmux guest -		the same in the foreground; the channel is standard
 *				input and output
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

#include "io.h"
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

/* The guest's only network interface; most container runtimes did it already. */
static void
raise_loopback(void)
{
	struct ifreq ifr = { .ifr_flags = 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	strlcpy(ifr.ifr_name, "lo", sizeof(ifr.ifr_name));
	if (fd == -1 || ioctl(fd, SIOCGIFFLAGS, &ifr) == -1)
		refuse_errno("the guest's loopback interface");
	if ((ifr.ifr_flags & IFF_UP) == 0) {
		ifr.ifr_flags |= IFF_UP;
		if (ioctl(fd, SIOCSIFFLAGS, &ifr) == -1)
			refuse_errno("the guest's loopback interface");
	}
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
	fputs("usage: netmux guest CHANNEL | netmux guest - | netmux host\n", stderr);
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
	bool ours = guest && strcmp(argv[2], "-") == 0;
	int fd = STDIN_FILENO;

	setprogname("netmux");
	if (!guest && (argc != 2 || strcmp(argv[1], "host") != 0))
		usage();
	signal(SIGPIPE, SIG_IGN);
	fd_limit_raise();
	poller = os_poll_open();
	if (poller == -1)
		refuse_errno("epoll");
	stream_side(guest);
	if (guest) {
		if (!ours)
			fd = open_channel(argv[2]);
		channel_open(fd, ours ? STDOUT_FILENO : fd);
		raise_loopback();
		listen_guest();
		listen_tables();
		if (!ours)
			background();
	} else {
		channel_open(fd, fd);
	}
	if (os_hide() == -1 || os_relay_confine() == -1)
		refuse_errno("cannot confine the relay");
	if (ours)
		fputs(CHANNEL_READY, stderr);
	serve(guest);
}
