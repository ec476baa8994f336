/*
 * linux_compat.h - constants of newer kernels than the headers we build with, and what
 * the C libraries make different. Each constant has the kernel version that brought it.
 */
#ifndef LINUX_COMPAT_H
#define LINUX_COMPAT_H

#include <sys/prctl.h>
#include <sys/syscall.h>

#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <unistd.h>

#ifndef SYS_memfd_secret		/* 5.14 */
#define SYS_memfd_secret	447
#endif
#ifndef SYS_process_mrelease		/* 5.15 */
#define SYS_process_mrelease	448
#endif
#ifndef SYS_fchmodat2			/* 6.6 */
#define SYS_fchmodat2		452
#endif
#ifndef SYS_open_tree_attr		/* 6.15 */
#define SYS_open_tree_attr	467
#endif

/* Landlock of ABI 7 (6.15); the header of 6.1 knows ABI 2. */
struct compat_landlock_ruleset_attr {
	uint64_t	handled_access_fs;
	uint64_t	handled_access_net;	/* ABI 4, 6.7 */
	uint64_t	scoped;			/* ABI 6, 6.12 */
};
#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER	(1ULL << 13)	/* ABI 2, 5.19 */
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE	(1ULL << 14)	/* ABI 3, 6.2 */
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV	(1ULL << 15)	/* ABI 5, 6.10 */
#endif
#ifndef LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET
#define LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET	(1ULL << 0)	/* ABI 6 */
#define LANDLOCK_SCOPE_SIGNAL			(1ULL << 1)	/* ABI 6 */
#endif

#ifndef MNT_DETACH			/* in libc's header, which hides linux/mount.h */
#define MNT_DETACH	2
#endif

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS	/* 6.6 */
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS	SECCOMP_IOW(4, uint64_t)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP	(1UL << 0)
#endif

#ifndef MFD_NOEXEC_SEAL			/* 6.3 */
#define MFD_NOEXEC_SEAL	0x0008U
#define MFD_EXEC	0x0010U
#endif

#ifndef F_SEAL_EXEC			/* 6.3 */
#define F_SEAL_EXEC	0x0020
#endif

#ifndef PR_SET_MDWE			/* 6.3 */
#define PR_SET_MDWE		65
#define PR_MDWE_REFUSE_EXEC_GAIN	(1UL << 0)
#endif

/* ioctl(2) for requests that read: musl's takes an int, which they do not fit in. */
static inline int
compat_ioctl(int fd, unsigned long request, void *arg)
{
	return (int)syscall(SYS_ioctl, fd, request, arg);
}

#endif
