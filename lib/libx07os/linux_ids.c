/* The process ids of a pid namespace: pid_namespaces(7), proc_sys_kernel(5). */
#include <sys/utsname.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "linux.h"
#include "os.h"

#define PID_MAX		"/proc/sys/kernel/pid_max"
#define PID_MAX_LIMIT	((int64_t)4 << 20)	/* the kernel's own */
/*
 * Numbers go round, and below this one they are given only once: of so many the program
 * has no use when it has run for a while.
 */
#define RESERVED	300

bool
ids_own(void)
{
	struct utsname u;
	char *end;
	long major, minor = 0;

	if (uname(&u) == -1)
		return false;
	major = strtol(u.release, &end, 10);
	if (*end == '.')
		minor = strtol(end + 1, NULL, 10);
	/* Before Linux 6.14 there is one number for the machine: not for us to change. */
	if (major < 6 || (major == 6 && minor < 14)) {
		errno = ENOTSUP;
		return false;
	}
	return access(PID_MAX, W_OK) == 0;
}

static int64_t
get(void)
{
	char text[32];
	int fd = open(PID_MAX, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd == -1 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd != -1)
		close(fd);
	if (n <= 0)
		return -1;
	text[n] = '\0';
	return strtoll(text, NULL, 10);
}

static int
put(int64_t value)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%lld", (long long)value);
	int fd = open(PID_MAX, O_WRONLY | O_CLOEXEC), err;
	ssize_t n;

	if (fd == -1)
		return -1;
	n = write(fd, text, (size_t)len);
	err = errno;
	close(fd);
	errno = err;
	return n == len ? 0 : -1;
}

/*
 * All tasks alive have numbers below pid_max, each its own; and when the numbers have
 * gone round, n are left above those that are given only once. Inside, uid 0 can raise
 * it: a cover over the file would keep inner gates from a /proc of their own.
 */
int64_t
ids_limit(int64_t n)
{
	int64_t outside = get(), value = n + RESERVED;

	if (outside == -1 || !ids_own())
		return 0;
	/* The kernel has a least value, by the number of its processors. */
	for (; value < outside && value < PID_MAX_LIMIT; value *= 2) {
		if (put(value) == 0)
			break;
		if (errno != EINVAL)
			return 0;
	}
	if (value >= outside || value >= PID_MAX_LIMIT)
		return 0;
	return value - 1;
}
