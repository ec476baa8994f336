/*
 * The static system call filter: seccomp(2), one classic BPF program made from
 * rows. It decides by numbers and scalar arguments only, never by
 * memory that another thread could change.
 */
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/falloc.h>
#include <linux/filter.h>
#include <linux/ioprio.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "linux.h"
#include "linux_compat.h"
#include "os.h"

#if defined(__x86_64__)
#define NATIVE_ARCH	AUDIT_ARCH_X86_64
#define X32_BIT		0x40000000U
#elif defined(__aarch64__)
#define NATIVE_ARCH	AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define NATIVE_ARCH	AUDIT_ARCH_RISCV64
#else
#error "no AUDIT_ARCH for this machine: add it here"
#endif

#define LOAD_NR		offsetof(struct seccomp_data, nr)
#define LOAD_ARCH	offsetof(struct seccomp_data, arch)
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define HIGH_HALF	4
#else
#define HIGH_HALF	0
#endif
#define LOAD_ARG(n, high) \
	(offsetof(struct seccomp_data, args) + 8 * (unsigned)(n) + \
	((high) ? HIGH_HALF : 4 - HIGH_HALF))

#define PROG_MAX	BPF_MAXINSNS
#define BLOCK_ROWS	4

struct prog {
	struct sock_filter	insn[PROG_MAX];
	size_t			len;
};

static void
emit(struct prog *p, unsigned code, uint32_t k, unsigned jt, unsigned jf)
{
	if (p->len < PROG_MAX)
		p->insn[p->len] = (struct sock_filter){ (uint16_t)code,
		    (uint8_t)jt, (uint8_t)jf, k };
	p->len++;
}

static unsigned
cond_insns(const struct filter_row *r)
{
	unsigned n = 0;

	for (int i = 0; i < 2; i++)
		if (r->cond[i].arg >= 0)
			n += 3;
	return n;
}

static uint32_t
action(int err)
{
	switch (err) {
	case 0:
		return SECCOMP_RET_ALLOW;
	case FILTER_NOTIFY:
		return SECCOMP_RET_USER_NOTIF;
	case FILTER_TRACE:
		return SECCOMP_RET_TRACE;
	case FILTER_NOTHING:
		return SECCOMP_RET_ERRNO;
	default:
		return SECCOMP_RET_ERRNO | ((uint32_t)err & SECCOMP_RET_DATA);
	}
}

/*
 * One row: skipped whole unless the number matches; the number is loaded again
 * when a condition has used the accumulator.
 */
static void
emit_row(struct prog *p, const struct filter_row *r)
{
	unsigned body = cond_insns(r) + 1, left;

	emit(p, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)r->nr, 0,
	    body + (body > 1));
	left = body;
	for (int i = 0; i < 2; i++) {
		const struct filter_cond *c = &r->cond[i];

		if (c->arg < 0)
			continue;
		left -= 3;
		emit(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)LOAD_ARG(c->arg & 7,
		    (c->arg & FILTER_HIGH) != 0), 0, 0);
		emit(p, BPF_ALU | BPF_AND | BPF_K, c->mask, 0, 0);
		if ((c->arg & FILTER_NOT) != 0)
			emit(p, BPF_JMP | BPF_JEQ | BPF_K, c->value, left, 0);
		else
			emit(p, BPF_JMP | BPF_JEQ | BPF_K, c->value, 0, left);
	}
	emit(p, BPF_RET | BPF_K, action(r->err), 0, 0);
	if (body > 1)
		emit(p, BPF_LD | BPF_W | BPF_ABS, LOAD_NR, 0, 0);
}

/*
 * A signal must not interrupt the wait for an answer, or programs that live on
 * signals (Go) would ask again for ever; before 5.19 the kernel cannot.
 */
static long
install(const struct sock_fprog *fprog, bool listener)
{
	long ret;

	if (!listener)
		return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, fprog);
	ret = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
	    SECCOMP_FILTER_FLAG_NEW_LISTENER |
	    SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, fprog);
	if (ret == -1 && errno == EINVAL)
		ret = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		    SECCOMP_FILTER_FLAG_NEW_LISTENER, fprog);
	return ret;
}

/* By number; those of one number stay in their order, as the first match decides. */
static int
by_number(const void *a, const void *b)
{
	const struct filter_row *x = *(const struct filter_row *const *)a;
	const struct filter_row *y = *(const struct filter_row *const *)b;

	if (x->nr != y->nr)
		return x->nr < y->nr ? -1 : 1;
	return (x > y) - (x < y);
}

/* Where the rows are best cut in two, all of one number together; n: nowhere. */
static size_t
middle(const struct filter_row *const *row, size_t n)
{
	size_t k = n / 2;

	while (k < n && row[k]->nr == row[k - 1]->nr)
		k++;
	if (k < n)
		return k;
	for (k = n / 2; k > 0 && row[k]->nr == row[k - 1]->nr; k--)
		continue;
	return k > 0 ? k : n;
}

/*
 * The rows, sorted, as a tree of halves: the kernel tries a new filter on each number
 * it has, and many calls are made later. The offset of a conditional jump is a byte,
 * that of the other jump is not.
 */
static void
emit_rows(struct prog *p, const struct filter_row *const *row, size_t n)
{
	size_t k = n > BLOCK_ROWS ? middle(row, n) : n, jump;

	if (k < n) {
		emit(p, BPF_JMP | BPF_JGE | BPF_K, (uint32_t)row[k]->nr, 0, 1);
		jump = p->len;
		emit(p, BPF_JMP | BPF_JA, 0, 0, 0);
		emit_rows(p, row, k);
		if (jump < PROG_MAX)
			p->insn[jump].k = (uint32_t)(p->len - jump - 1);
		emit_rows(p, row + k, n - k);
		return;
	}
	for (size_t i = 0; i < n; i++)
		emit_row(p, row[i]);
	emit(p, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
}

static void
emit_all(struct prog *p, const struct filter_row *const *row, size_t n)
{
	emit(p, BPF_LD | BPF_W | BPF_ABS, LOAD_ARCH, 0, 0);
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, NATIVE_ARCH, 1, 0);
	emit(p, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
	emit(p, BPF_LD | BPF_W | BPF_ABS, LOAD_NR, 0, 0);
#ifdef X32_BIT
	emit(p, BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1);
	emit(p, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
#endif
	emit_rows(p, row, n);
}

int
filter_install(const struct filter_row *row, size_t n)
{
	/* Most of it stays untouched: not cleared, which would take all its pages. */
	struct prog *p = malloc(sizeof(*p));
	/* An array of pointers: NOLINTNEXTLINE(bugprone-sizeof-expression) */
	const struct filter_row **sorted = calloc(n + 1, sizeof(*sorted));
	struct sock_fprog fprog;
	bool listener = false;
	int ret = -1;

	if (p == NULL || sorted == NULL)
		goto out;
	p->len = 0;
	for (size_t i = 0; i < n; i++) {
		sorted[i] = &row[i];
		listener = listener || row[i].err == FILTER_NOTIFY;
	}
	/* NOLINTNEXTLINE(bugprone-sizeof-expression) */
	qsort(sorted, n, sizeof(*sorted), by_number);
	emit_all(p, sorted, n);
	if (p->len > PROG_MAX) {
		errno = E2BIG;
		goto out;
	}
	fprog.len = (unsigned short)p->len;
	fprog.filter = p->insn;
	ret = (int)install(&fprog, listener);
out:
	free(sorted);
	free(p);
	return ret;
}

/* ---- what os_confine(3) can refuse ---- */

#define ALWAYS(call, e)		{ SYS_##call, FILTER_ANY, e }
#define ARG(call, a, m, v, e) \
	{ SYS_##call, { { a, m, v }, { -1, 0, 0 } }, e }
#define ALL32			0xffffffffU

static const struct filter_row deny_default[] = {
	/* Typing into the caller's terminal. */
	ARG(ioctl, 1, ALL32, TIOCSTI, EPERM),
	ARG(ioctl, 1, ALL32, TIOCLINUX, EPERM),
	/*
	 * The limits of another process, such as a relay or supervisor that runs as the
	 * same user: without descriptors or CPU time it would be as good as killed.
	 */
	ARG(prlimit64, 0 | FILTER_NOT, ALL32, 0, EPERM),
	/* Calls by another road than the one the filter watches. */
	ALWAYS(io_uring_setup, ENOSYS),
	ALWAYS(io_uring_enter, ENOSYS),
	ALWAYS(io_uring_register, ENOSYS),
	/* Kernel surface that no program under a policy needs. */
	ALWAYS(bpf, EPERM),
	ALWAYS(perf_event_open, EPERM),
	ALWAYS(userfaultfd, EPERM),
	ALWAYS(add_key, EPERM),
	ALWAYS(request_key, EPERM),
	ALWAYS(keyctl, EPERM),
	ALWAYS(init_module, EPERM),
	ALWAYS(finit_module, EPERM),
	ALWAYS(delete_module, EPERM),
	ALWAYS(kexec_load, EPERM),
#ifdef SYS_kexec_file_load
	ALWAYS(kexec_file_load, EPERM),
#endif
	ALWAYS(reboot, EPERM),
	ALWAYS(swapon, EPERM),
	ALWAYS(swapoff, EPERM),
	ALWAYS(acct, EPERM),
	ALWAYS(quotactl, EPERM),
	ALWAYS(open_by_handle_at, EPERM),
	ALWAYS(fanotify_init, EPERM),
	ALWAYS(lookup_dcookie, EPERM),
	ALWAYS(settimeofday, EPERM),
	ALWAYS(clock_settime, EPERM),
	ALWAYS(adjtimex, EPERM),
	ALWAYS(clock_adjtime, EPERM),
	ALWAYS(syslog, EPERM),
#ifdef SYS_iopl
	ALWAYS(iopl, EPERM),
	ALWAYS(ioperm, EPERM),
	ALWAYS(modify_ldt, EPERM),
#endif
};

/*
 * A file that is set-user-ID would keep the caller's rights for whoever runs it
 * outside, after us. The mode of an open counts when it may create.
 */
#define ANY_OF(a, bits)		{ (a) | FILTER_NOT, bits, 0 }
#define SETID_BITS		(S_ISUID | S_ISGID)
#define CREATES			(O_CREAT | (O_TMPFILE & ~O_DIRECTORY))
#define SETID(call, a) \
	{ SYS_##call, { ANY_OF(a, SETID_BITS), { -1, 0, 0 } }, EPERM }
#define SETID_OPEN(call, f, m) \
	{ SYS_##call, { ANY_OF(f, CREATES), ANY_OF(m, SETID_BITS) }, EPERM }

static const struct filter_row deny_setid[] = {
#ifdef SYS_chmod
	SETID(chmod, 1),
	SETID(creat, 1),
	SETID(mknod, 1),
	SETID_OPEN(open, 1, 2),
#endif
	SETID(fchmod, 1),
	SETID(fchmodat, 2),
	SETID(fchmodat2, 2),
	SETID(mknodat, 2),
	SETID_OPEN(openat, 2, 3),
	/* Its mode is in memory. Who knows of it goes on with openat(2). */
	ALWAYS(openat2, ENOSYS),
};

static const struct filter_row deny_ptrace[] = {
	ALWAYS(ptrace, EPERM),
	ALWAYS(process_vm_readv, EPERM),
	ALWAYS(process_vm_writev, EPERM),
	ALWAYS(pidfd_getfd, EPERM),
	ALWAYS(kcmp, EPERM),
	ALWAYS(process_madvise, EPERM),
};

static const struct filter_row deny_threads[] = {
	ARG(clone, 0, CLONE_THREAD, CLONE_THREAD, EAGAIN),
	ALWAYS(clone3, ENOSYS),
};

/* Its arguments are in memory; libc falls back to clone(2) on ENOSYS. */
static const struct filter_row deny_clone3[] = {
	ALWAYS(clone3, ENOSYS),
};

/* The process group may hold processes from outside the pid namespace. */
static const struct filter_row deny_group[] = {
	ARG(kill, 0, ALL32, 0, EPERM),
	{ SYS_setpriority, { { 0, ALL32, PRIO_PGRP }, { 1, ALL32, 0 } }, EPERM },
	{ SYS_ioprio_set, { { 0, ALL32, IOPRIO_WHO_PGRP }, { 1, ALL32, 0 } }, EPERM },
};

/*
 * Who makes a network namespace has the right to these in it, and each may have
 * gigabytes of the kernel's memory.
 */
static const struct filter_row deny_rings[] = {
	ARG(socket, 0, ALL32, AF_PACKET, EAFNOSUPPORT),
	ARG(socket, 0, ALL32, AF_XDP, EAFNOSUPPORT),
};

/* Families that a network namespace does not hold (AF_VSOCK) or nobody needs. */
static const struct filter_row deny_families[] = {
	ARG(socket, 0, ALL32, AF_UNIX, 0),
	ARG(socket, 0, ALL32, AF_INET, 0),
	ARG(socket, 0, ALL32, AF_INET6, 0),
	{ SYS_socket, { { 0, ALL32, AF_NETLINK }, { 2, ALL32, NETLINK_ROUTE } }, 0 },
	ALWAYS(socket, EAFNOSUPPORT),
	ARG(socketpair, 0, ALL32, AF_UNIX, 0),
	ALWAYS(socketpair, EAFNOSUPPORT),
};

static const struct filter_row deny_userns[] = {
	ARG(unshare, 0, CLONE_NEWUSER, CLONE_NEWUSER, EPERM),
	ARG(clone, 0, CLONE_NEWUSER, CLONE_NEWUSER, EPERM),
	/* Its flags are in memory; libc falls back to clone(2) on ENOSYS. */
	ALWAYS(clone3, ENOSYS),
	ALWAYS(setns, EPERM),
};

static const struct filter_row deny_memexec[] = {
	ALWAYS(memfd_create, EPERM),
	ALWAYS(memfd_secret, EPERM),
	ARG(execveat, 4, AT_EMPTY_PATH, AT_EMPTY_PATH, EPERM),
};

static const struct filter_row deny_fork[] = {
	ARG(clone, 0, CLONE_THREAD, CLONE_THREAD, 0),
	ALWAYS(clone, EPERM),
	ALWAYS(clone3, ENOSYS),
#ifdef SYS_fork
	ALWAYS(fork, EPERM),
	ALWAYS(vfork, EPERM),
#endif
};

static const struct filter_row deny_rename[] = {
#ifdef SYS_rename
	ALWAYS(rename, EPERM),
	ALWAYS(link, EPERM),
#endif
	ALWAYS(renameat, EPERM),
	ALWAYS(renameat2, EPERM),
	ALWAYS(linkat, EPERM),
};

static const struct filter_row deny_mount[] = {
	ALWAYS(mount, EPERM),
	ALWAYS(umount2, EPERM),
	ALWAYS(pivot_root, EPERM),
	ALWAYS(move_mount, EPERM),
	ALWAYS(open_tree, EPERM),
	ALWAYS(open_tree_attr, EPERM),
	ALWAYS(fsopen, EPERM),
	ALWAYS(fsmount, EPERM),
	ALWAYS(fspick, EPERM),
	ALWAYS(fsconfig, EPERM),
	ALWAYS(mount_setattr, EPERM),
	ALWAYS(chroot, EPERM),
};

static const struct filter_row deny_symlink[] = {
#ifdef SYS_symlink
	ALWAYS(symlink, EPERM),
#endif
	ALWAYS(symlinkat, EPERM),
};

static const struct filter_row deny_remove[] = {
#ifdef SYS_unlink
	ALWAYS(unlink, EPERM),
	ALWAYS(rmdir, EPERM),
#endif
	ALWAYS(unlinkat, EPERM),
};

static const struct filter_row deny_truncate[] = {
	ALWAYS(truncate, EPERM),
};

static const struct filter_row deny_mkdir[] = {
#ifdef SYS_mkdir
	ALWAYS(mkdir, EPERM),
#endif
	ALWAYS(mkdirat, EPERM),
};

/*
 * A limit of file sizes (RLIMIT_FSIZE) is held where a file is written and cut. These
 * give it room beyond its end, or push that on: as much as the disk has. The ioctl(2)s
 * are for all file systems the same as fallocate(2), with FALLOC_FL_KEEP_SIZE.
 */
#define SPACE_RESV_BYTES	48	/* of struct space_resv, which has no header */
#define SPACE(nr)	_IOC(_IOC_WRITE, 'X', nr, SPACE_RESV_BYTES)

static const struct filter_row deny_reserve[] = {
	ARG(fallocate, 1, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE,
	    FALLOC_FL_KEEP_SIZE, EOPNOTSUPP),
	ARG(fallocate, 1, FALLOC_FL_INSERT_RANGE, FALLOC_FL_INSERT_RANGE, EOPNOTSUPP),
	ARG(ioctl, 1, ALL32, SPACE(40), EOPNOTSUPP),	/* FS_IOC_RESVSP */
	ARG(ioctl, 1, ALL32, SPACE(42), EOPNOTSUPP),	/* FS_IOC_RESVSP64 */
	ARG(ioctl, 1, ALL32, SPACE(57), EOPNOTSUPP),	/* FS_IOC_ZERO_RANGE */
};

static const struct {
	unsigned			bit;
	const struct filter_row		*rows;
	size_t				n;
} sets[] = {
#define SET(bit, rows)	{ bit, rows, sizeof(rows) / sizeof((rows)[0]) }
	SET(OS_DENY_DEFAULT, deny_default),
	SET(OS_DENY_SETID, deny_setid),
	SET(OS_DENY_PTRACE, deny_ptrace),
	SET(OS_DENY_GROUP, deny_group),
	SET(OS_DENY_CLONE3, deny_clone3),
	/* Before OS_DENY_FORK's clone row, which allows threads. */
	SET(OS_DENY_THREADS, deny_threads),
	SET(OS_DENY_RINGS, deny_rings),
	SET(OS_DENY_FAMILIES, deny_families),
	/* Before OS_DENY_USERNS's clone row: the first match decides. */
	SET(OS_DENY_USERNS, deny_userns),
	SET(OS_DENY_FORK, deny_fork),
	SET(OS_DENY_MEMEXEC, deny_memexec),
	SET(OS_DENY_RENAME, deny_rename),
	SET(OS_DENY_MOUNT, deny_mount),
	SET(OS_DENY_SYMLINK, deny_symlink),
	SET(OS_DENY_REMOVE, deny_remove),
	SET(OS_DENY_MKDIR, deny_mkdir),
	SET(OS_DENY_TRUNCATE, deny_truncate),
	SET(OS_DENY_RESERVE, deny_reserve),
};
#define NSETS	(sizeof(sets) / sizeof(sets[0]))

/*
 * One filter of all the rows: a second filter would cost every system call
 * a second run.
 */
int
filter_deny(unsigned deny, const struct filter_row *more, size_t nmore)
{
	struct filter_row *rows;
	size_t n = nmore;
	int ret;

	for (size_t i = 0; i < NSETS; i++)
		if ((deny & sets[i].bit) != 0)
			n += sets[i].n;
	rows = calloc(n + 1, sizeof(*rows));
	if (rows == NULL)
		return -1;
	for (n = 0; n < nmore; n++)
		rows[n] = more[n];
	for (size_t i = 0; i < NSETS; i++)
		for (size_t k = 0; (deny & sets[i].bit) != 0 && k < sets[i].n; k++)
			rows[n++] = sets[i].rows[k];
	ret = filter_install(rows, n);
	free(rows);
	return ret;
}

#define CAP(c)	(UINT64_C(1) << (c))

/* What files and identities need; nothing over mounts, networks, other processes. */
#define CAPS_KEPT \
	(CAP(CAP_CHOWN) | CAP(CAP_DAC_OVERRIDE) | CAP(CAP_DAC_READ_SEARCH) | \
	CAP(CAP_FOWNER) | CAP(CAP_FSETID) | CAP(CAP_KILL) | CAP(CAP_SETGID) | \
	CAP(CAP_SETUID) | CAP(CAP_SETPCAP) | CAP(CAP_NET_BIND_SERVICE))
/* What a gate inside needs to map uid 0 into a namespace of its own. */
#define CAPS_GATE	CAP(CAP_SETFCAP)

int
os_confine(unsigned deny)
{
	return confine(deny, NULL, 0);
}

int
confine(unsigned deny, const struct filter_row *more, size_t n)
{
	uint64_t scope = landlock_scopes();
	int ruleset, err;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
	    caps_hold(CAPS_KEPT |
	    ((deny & (OS_GATE_FOLLOWS | OS_MAY_NEST)) != 0 ? CAPS_GATE :
	    0)) == -1)
		return -1;
	/*
	 * A Landlock domain also keeps ptrace(2) inside itself, and one with file
	 * rights does on every kernel. Where Landlock is too old for a domain
	 * without them, and no other comes, the filter says no. It must not when
	 * a gate follows: x07-execgate's watcher has to trace.
	 */
	if ((deny & (OS_SCOPED_ELSEWHERE | OS_GATE_FOLLOWS)) != 0) {
		;
	} else if (scope == 0) {
		deny |= OS_DENY_PTRACE;
	} else {
		ruleset = landlock_ruleset(0, 0, scope);
		if (ruleset == -1)
			return -1;
		err = landlock_enter(ruleset);
		close(ruleset);
		if (err == -1)
			return -1;
	}
	if ((deny & OS_DENY_DEFAULT) != 0 && (deny & OS_GATE_FOLLOWS) == 0)
		deny |= OS_DENY_SETID;
	return filter_deny(deny, more, n);
}
