/* Descriptors and processes of ours: sealed copies, and none in the program's hands. */
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <unistd.h>

#include "linux_compat.h"
#include "os.h"

#define SEALS	(F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

int
os_seal(const void *buf, size_t len)
{
	const char *p = buf;
	ssize_t n;
	int fd, err;

	/* Nobody executes it; older kernels know no way to say so for good. */
	fd = memfd_create("x07", MFD_CLOEXEC | MFD_ALLOW_SEALING |
	    MFD_NOEXEC_SEAL);
	if (fd == -1 && errno == EINVAL)
		fd = memfd_create("x07", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd == -1)
		return -1;
	for (; len > 0; p += n, len -= (size_t)n) {
		n = write(fd, p, len);
		if (n == -1)
			goto fail;
	}
	if (fcntl(fd, F_ADD_SEALS, SEALS) == -1)
		goto fail;
	return fd;
fail:
	err = errno;
	close(fd);
	errno = err;
	return -1;
}

int
os_program_open(void)
{
	int fd = memfd_create("x07", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);

	if (fd == -1 && errno == EINVAL)
		fd = memfd_create("x07", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return fd;
}

void
os_program_exec(int fd, char *const argv[], char *const envp[])
{
	if (fcntl(fd, F_ADD_SEALS, SEALS) == 0)
		fexecve(fd, argv, envp);
}

/* Calls close_range(2) on every gap between the descriptors of keep. */
static int
each_gap(const int *keep, size_t n, unsigned flags)
{
	unsigned lo = 3;

	for (;;) {
		unsigned next = ~0U;

		for (size_t i = 0; i < n; i++)
			if ((unsigned)keep[i] >= lo && (unsigned)keep[i] < next)
				next = (unsigned)keep[i];
		if (next > lo && syscall(SYS_close_range, lo,
		    next == ~0U ? ~0U : next - 1, flags) == -1)
			return -1;
		if (next == ~0U)
			return 0;
		lo = next + 1;
	}
}

int
os_close_fds(const int *keep, size_t n)
{
	return each_gap(keep, n, 0);
}

int
os_keep_fds(const int *keep, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (fcntl(keep[i], F_SETFD, 0) == -1)
			return -1;
	return each_gap(keep, n, CLOSE_RANGE_CLOEXEC);
}

int
os_hide(void)
{
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

int
os_die_with_parent(pid_t ppid)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == -1)
		return -1;
	if (getppid() != ppid) {
		errno = ESRCH;
		return -1;
	}
	return 0;
}
