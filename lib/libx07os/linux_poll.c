/* epoll(7), poll(2) and splice(2). */
#include <sys/epoll.h>
#include <sys/ioctl.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "os.h"

#define BATCH	128

static uint32_t
to_epoll(unsigned what)
{
	return ((what & OS_POLL_IN) != 0 ? (uint32_t)EPOLLIN | EPOLLPRI |
	    EPOLLRDHUP : 0) |
	    ((what & OS_POLL_OUT) != 0 ? (uint32_t)EPOLLOUT : 0) |
	    ((what & OS_POLL_EDGE) != 0 ? EPOLLET : 0);
}

int
os_poll_open(void)
{
	return epoll_create1(EPOLL_CLOEXEC);
}

static int
control(int poll, int op, int fd, unsigned what, void *data)
{
	struct epoll_event ev = { .events = to_epoll(what), .data.ptr = data };

	return epoll_ctl(poll, op, fd, &ev);
}

int
os_poll_add(int poll, int fd, unsigned what, void *data)
{
	return control(poll, EPOLL_CTL_ADD, fd, what, data);
}

int
os_poll_change(int poll, int fd, unsigned what, void *data)
{
	return control(poll, EPOLL_CTL_MOD, fd, what, data);
}

int
os_poll_remove(int poll, int fd)
{
	return control(poll, EPOLL_CTL_DEL, fd, 0, NULL);
}

int
os_poll_wait(int poll, struct os_poll_event *out, int max, int ms)
{
	struct epoll_event ev[BATCH];
	int n = epoll_wait(poll, ev, max < BATCH ? max : BATCH, ms);

	for (int i = 0; i < n; i++) {
		out[i].data = ev[i].data.ptr;
		out[i].what = 0;
		if ((ev[i].events & (EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP |
		    EPOLLERR)) != 0)
			out[i].what |= OS_POLL_IN;
		if ((ev[i].events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0)
			out[i].what |= OS_POLL_OUT;
		if ((ev[i].events & (EPOLLPRI | EPOLLRDHUP | EPOLLHUP |
		    EPOLLERR)) != 0)
			out[i].what |= OS_POLL_HUP;
	}
	return n;
}

bool
os_poll_closed(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLRDHUP };

	return poll(&p, 1, 0) == 1;
}

int64_t
os_unsent(int fd)
{
	struct pollfd p = { .fd = fd };
	int n = 0;

	if (poll(&p, 1, 0) != 0 || ioctl(fd, TIOCOUTQ, &n) == -1)
		return -1;
	return n;
}

ssize_t
os_splice(int from, int to, size_t len)
{
	return splice(from, NULL, to, NULL, len,
	    SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
}
