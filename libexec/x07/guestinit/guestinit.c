/*
 * guestinit - the first and only process that the guest's kernel starts.
 *
 * It mounts, takes one request from the host, runs one program behind the gates
 * that the same policy asks for, carries its streams, tells the host how it ended,
 * and is done: the host throws the machine away. See vm-qemu(8).
 */
#include <sys/reboot.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guestinit.h"
#include "x07.h"

/* The host ends the machine when it has read all, which takes it its time. */
static _Noreturn void
wait_for_end(void)
{
	for (;;)
		pause();
}

void
power_off(void)
{
	sync();
	/* QEMU runs with -no-reboot: a reset ends it at once. */
	reboot(RB_AUTOBOOT);
	wait_for_end();
}

static _Noreturn void
vfail(int err, const char *fmt, va_list ap)
{
	char text[1024];
	int n = vsnprintf(text, sizeof(text), fmt, ap);

	if (n < 0)
		n = 0;
	if ((size_t)n < sizeof(text) && err != 0)
		snprintf(text + n, sizeof(text) - (size_t)n, ": %s",
		    strerror(err));
	if (port_fd(PORT_CONTROL) != -1)
		frame_send(FRAME_FAILED, text, (uint32_t)strlen(text));
	else
		dprintf(STDERR_FILENO, "guestinit: %s\n", text);
	wait_for_end();
}

void
fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfail(0, fmt, ap);
}

void
fail_errno(const char *fmt, ...)
{
	int err = errno;
	va_list ap;

	va_start(ap, fmt);
	vfail(err, fmt, ap);
}

/* Standard descriptors, so that no file of ours takes their numbers. */
static void
open_console(void)
{
	int fd = open("/dev/console", O_RDWR | O_NOCTTY);

	if (fd == -1)
		fd = open("/dev/null", O_RDWR);
	for (int i = 0; i <= 2; i++)
		if (fd != i)
			dup2(fd, i);
	if (fd > 2)
		close(fd);
}

int
main(void)
{
	struct request request;
	struct program program;

	setprogname("guestinit");
	umask(022);
	signal(SIGPIPE, SIG_IGN);
	files_system();
	open_console();
	files_modules();
	ports_open();
	files_root();
	request_receive(&request);
	files_devices();
	files_share(&request);
	program_start(&program, &request);
	relay(&program, &request);
	wait_for_end();
}
