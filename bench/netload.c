/*
 * netload.c - client and server for measuring a network gate.
 *	netload serve ADDRESS PORT		until killed
 *	netload seq ADDRESS PORT N		N connections with one request each
 *	netload many ADDRESS PORT N		N connections at once, a request on each
 *	netload bulk ADDRESS PORT BYTES		that many bytes, received
 * A request is 8 bytes: how many bytes to send back (big endian). Prints one line:
 * what was done, seconds, failures.
 */
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char block[1 << 18];

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static struct sockaddr_in
address(const char *ip, const char *port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
	    .sin_port = htons((uint16_t)atoi(port)) };

	if (inet_pton(AF_INET, ip, &sa.sin_addr) != 1)
		errx(1, "%s: not an address", ip);
	return sa;
}

static int
read_all(int fd, void *buf, size_t len)
{
	for (char *p = buf; len > 0; ) {
		ssize_t n = read(fd, p, len);

		if (n <= 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int
send_bytes(int fd, uint64_t bytes)
{
	while (bytes > 0) {
		size_t want = bytes < sizeof(block) ? (size_t)bytes : sizeof(block);
		ssize_t n = send(fd, block, want, MSG_NOSIGNAL);

		if (n <= 0)
			return -1;
		bytes -= (uint64_t)n;
	}
	return 0;
}

static uint64_t
decode(const unsigned char b[8])
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | b[i];
	return v;
}

static void *
serve_one(void *arg)
{
	int fd = (int)(intptr_t)arg;
	unsigned char req[8];

	while (read_all(fd, req, 8) == 0 && send_bytes(fd, decode(req)) == 0)
		continue;
	close(fd);
	return NULL;
}

/* Small requests are answered in the loop, large ones by a thread each. */
static void
serve(const struct sockaddr_in *sa)
{
	int s = socket(AF_INET, SOCK_STREAM, 0), ep = epoll_create1(0), on = 1;
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = s }, got[256];

	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(s, (const struct sockaddr *)sa, sizeof(*sa)) == -1 ||
	    listen(s, 4096) == -1)
		err(1, "listen");
	epoll_ctl(ep, EPOLL_CTL_ADD, s, &ev);
	for (;;) {
		int n = epoll_wait(ep, got, 256, -1);

		for (int i = 0; i < n; i++) {
			unsigned char req[8];
			int fd = got[i].data.fd;
			pthread_t t;

			if (fd == s) {
				ev.data.fd = accept(s, NULL, NULL);
				setsockopt(ev.data.fd, IPPROTO_TCP, TCP_NODELAY,
				    &on, sizeof(on));
				epoll_ctl(ep, EPOLL_CTL_ADD, ev.data.fd, &ev);
			} else if (read_all(fd, req, 8) != 0) {
				close(fd);
			} else if (decode(req) <= 4096) {
				send_bytes(fd, decode(req));
			} else {
				epoll_ctl(ep, EPOLL_CTL_DEL, fd, NULL);
				/* The request that was read goes first. */
				send_bytes(fd, decode(req));
				pthread_create(&t, NULL, serve_one,
				    (void *)(intptr_t)fd);
				pthread_detach(t);
			}
		}
	}
}

static int
request(int fd, uint64_t bytes)
{
	unsigned char req[8];

	for (int i = 0; i < 8; i++)
		req[i] = (unsigned char)(bytes >> (56 - 8 * i));
	return send(fd, req, 8, MSG_NOSIGNAL) == 8 ? 0 : -1;
}

static int
sequential(const struct sockaddr_in *sa, int n)
{
	int failed = 0, on = 1;
	char b[64];

	for (int i = 0; i < n; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		if (connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) == -1 ||
		    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == -1 ||
		    request(fd, sizeof(b)) == -1 ||
		    read_all(fd, b, sizeof(b)) == -1)
			failed++;
		close(fd);
	}
	return failed;
}

static int
concurrent(const struct sockaddr_in *sa, int n)
{
	int *fds = calloc((size_t)n, sizeof(*fds)), failed = 0, open_ones = 0;
	char b[64];

	for (int i = 0; i < n; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		if (fds[i] == -1)
			err(1, "socket");
		if (connect(fds[i], (const struct sockaddr *)sa, sizeof(*sa)) == -1 &&
		    errno != EINPROGRESS)
			warn("connect");
	}
	/* All of them open, then a request on each, then the answers. */
	for (int i = 0; i < n; i++) {
		int e = 0, ep = epoll_create1(0);
		socklen_t len = sizeof(e);
		struct epoll_event ev = { .events = EPOLLOUT }, got;

		epoll_ctl(ep, EPOLL_CTL_ADD, fds[i], &ev);
		if (epoll_wait(ep, &got, 1, 30000) != 1 ||
		    getsockopt(fds[i], SOL_SOCKET, SO_ERROR, &e, &len) == -1 ||
		    e != 0) {
			close(fds[i]);
			fds[i] = -1;
			failed++;
		} else
			open_ones++;
		close(ep);
	}
	for (int i = 0; i < n; i++)
		if (fds[i] != -1) {
			fcntl(fds[i], F_SETFL, 0);
			if (request(fds[i], sizeof(b)) == -1)
				failed++;
		}
	for (int i = 0; i < n; i++)
		if (fds[i] != -1 && read_all(fds[i], b, sizeof(b)) == -1)
			failed++;
	for (int i = 0; i < n; i++)
		if (fds[i] != -1)
			close(fds[i]);
	printf("open at once %d\n", open_ones);
	return failed;
}

static int
bulk(const struct sockaddr_in *sa, uint64_t bytes)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) == -1 ||
	    request(fd, bytes) == -1)
		return 1;
	while (bytes > 0) {
		ssize_t n = read(fd, block, sizeof(block));

		if (n <= 0)
			return 1;
		bytes -= (uint64_t)n;
	}
	close(fd);
	return 0;
}

int
main(int argc, char *argv[])
{
	struct sockaddr_in sa;
	struct rlimit lim;
	double start;
	int failed;

	if (argc < 4)
		errx(1, "usage: see the source");
	if (getrlimit(RLIMIT_NOFILE, &lim) == 0) {
		lim.rlim_cur = lim.rlim_max;
		setrlimit(RLIMIT_NOFILE, &lim);
	}
	sa = address(argv[2], argv[3]);
	if (strcmp(argv[1], "serve") == 0)
		serve(&sa);
	if (argc < 5)
		errx(1, "how many?");
	start = now();
	if (strcmp(argv[1], "seq") == 0)
		failed = sequential(&sa, atoi(argv[4]));
	else if (strcmp(argv[1], "many") == 0)
		failed = concurrent(&sa, atoi(argv[4]));
	else
		failed = bulk(&sa, strtoull(argv[4], NULL, 10));
	printf("%s %s %.3f s, %d failed\n", argv[1], argv[4], now() - start, failed);
	return failed != 0;
}
