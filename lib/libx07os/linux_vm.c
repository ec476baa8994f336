/* Virtual machines: whether the processor runs guests, and boxing an emulator. */
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/kvm.h>
#include <linux/landlock.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "linux.h"
#include "linux_compat.h"
#include "os.h"

/* ---- does the processor itself run guests? ---- */

/*
 * The guest of the probe: page tables that map its memory one to one, and in 64-bit
 * mode a loop that a processor runs in microseconds. A /dev/kvm that can be
 * opened proves nothing: there are machines where it emulates each guest
 * instruction, a thousand times slower than QEMU's own translator.
 */
#define GUEST_MEMORY	0x10000
#define AT_PML4		0x1000
#define AT_PDPT		0x2000
#define AT_PD		0x3000
#define AT_CODE		0x4000
#define AT_STACK	0x8000
#define PRESENT		0x3		/* and writable */
#define LARGE		0x80
#define LOOPS		1000
#define TRIES		5
#define SLOW_MAX	2
#define FAST_US		300		/* 300 ns a turn; processors need one */
#define SLOW_US		1500		/* what no processor needs, unless it was taken away */
#define GIVE_UP_S	2

static const unsigned char guest_code[] = {
	0xb9, LOOPS & 0xff, LOOPS >> 8 & 0xff, LOOPS >> 16, 0,
					/*	mov	ecx, LOOPS */
	0x48, 0xff, 0xc8,		/* 1:	dec	rax */
	0xff, 0xc9,			/*	dec	ecx */
	0x75, 0xf9,			/*	jnz	1b */
	0x0f, 0xa2,			/*	cpuid */
	0xf4,				/*	hlt */
};

struct vm {
	int		kvm, vm, cpu;
	unsigned char	*memory;
	struct kvm_run	*run;
	size_t		run_size;
};

static void
put64(unsigned char *at, uint64_t value)
{
	memcpy(at, &value, sizeof(value));
}

static int
vm_memory(struct vm *v)
{
	struct kvm_userspace_memory_region region = {
		.memory_size = GUEST_MEMORY,
	};

	v->memory = mmap(NULL, GUEST_MEMORY, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (v->memory == MAP_FAILED)
		return -1;
	put64(v->memory + AT_PML4, AT_PDPT | PRESENT);
	put64(v->memory + AT_PDPT, AT_PD | PRESENT);
	put64(v->memory + AT_PD, LARGE | PRESENT);
	memcpy(v->memory + AT_CODE, guest_code, sizeof(guest_code));
	region.userspace_addr = (uint64_t)(uintptr_t)v->memory;
	return ioctl(v->vm, KVM_SET_USER_MEMORY_REGION, &region);
}

static int
vm_cpu(struct vm *v)
{
	int size = ioctl(v->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);

	v->cpu = ioctl(v->vm, KVM_CREATE_VCPU, 0);
	if (v->cpu == -1 || size <= 0)
		return -1;
	v->run_size = (size_t)size;
	v->run = mmap(NULL, v->run_size, PROT_READ | PROT_WRITE, MAP_SHARED,
	    v->cpu, 0);
	return v->run == MAP_FAILED ? -1 : 0;
}

/* Puts the processor into 64-bit mode at the start of the code. */
static int
vm_reset(struct vm *v)
{
	struct kvm_segment code = { .limit = 0xffffffff, .selector = 8, .type = 11,
	    .present = 1, .s = 1, .l = 1, .g = 1 };
	struct kvm_segment data = { .limit = 0xffffffff, .selector = 16, .type = 3,
	    .present = 1, .s = 1, .db = 1, .g = 1 };
	struct kvm_regs regs = { .rip = AT_CODE, .rsp = AT_STACK, .rflags = 2 };
	struct kvm_sregs s;

	if (compat_ioctl(v->cpu, KVM_GET_SREGS, &s) == -1)
		return -1;
	s.cr3 = AT_PML4;
	s.cr4 = 0x20;			/* PAE */
	s.cr0 = 0x80000011;		/* PG, ET, PE */
	s.efer = 0x500;			/* LMA, LME */
	s.cs = code;
	s.ds = s.es = s.fs = s.gs = s.ss = data;
	if (ioctl(v->cpu, KVM_SET_SREGS, &s) == -1)
		return -1;
	return ioctl(v->cpu, KVM_SET_REGS, &regs);
}

/* One run of the code, in microseconds; -1 when it did not end as it should. */
static int64_t
vm_run(struct vm *v)
{
	struct timespec from, to;

	if (vm_reset(v) == -1)
		return -1;
	clock_gettime(CLOCK_MONOTONIC, &from);
	if (ioctl(v->cpu, KVM_RUN, 0) == -1)
		return -1;
	clock_gettime(CLOCK_MONOTONIC, &to);
	if (v->run->exit_reason != KVM_EXIT_HLT) {
		errno = EIO;
		return -1;
	}
	return (int64_t)(to.tv_sec - from.tv_sec) * 1000000 +
	    (to.tv_nsec - from.tv_nsec) / 1000;
}

static void
on_alarm(int sig)
{
	(void)sig;
}

/*
 * The best of a few, because another process may have had the processor; it will not
 * have had it each time for long.
 */
static int
vm_measure(struct vm *v)
{
	int64_t us;
	int slow = 0;

	for (int i = 0; i < TRIES && slow < SLOW_MAX; i++) {
		us = vm_run(v);
		if (us == -1)
			return -1;
		if (us < FAST_US)
			return 0;
		slow += us > SLOW_US;
	}
	errno = ETIME;
	return -1;
}

/* As many tries as it takes to tell, but not for ever. */
static int
vm_timed(struct vm *v)
{
	struct sigaction sa = { .sa_handler = on_alarm }, old;
	unsigned left;
	int ret, err;

	sigaction(SIGALRM, &sa, &old);
	left = alarm(GIVE_UP_S);
	ret = vm_measure(v);
	err = errno == EINTR ? ETIME : errno;
	alarm(left);
	sigaction(SIGALRM, &old, NULL);
	errno = err;
	return ret;
}

int
os_vm_accel(void)
{
	struct vm v = { -1, -1, -1, MAP_FAILED, MAP_FAILED, 0 };
	int ret = -1, err;

	v.kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (v.kvm != -1 && (v.vm = ioctl(v.kvm, KVM_CREATE_VM, 0)) != -1 &&
	    vm_memory(&v) == 0 && vm_cpu(&v) == 0)
		ret = vm_timed(&v);
	err = errno;
	if (v.run != MAP_FAILED)
		munmap(v.run, v.run_size);
	if (v.memory != MAP_FAILED)
		munmap(v.memory, GUEST_MEMORY);
	if (v.cpu != -1)
		close(v.cpu);
	if (v.vm != -1)
		close(v.vm);
	if (v.kvm != -1)
		close(v.kvm);
	errno = err;
	return ret;
}

/* ---- the emulator's box ---- */

int
os_vm_enclose(void)
{
	return unshare(CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS);
}

/* What the server takes up, and what it needs to get into its tree. */
static const int server_caps[] = { CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER,
    CAP_FSETID, CAP_MKNOD, CAP_SETFCAP, CAP_SETGID, CAP_SETPCAP, CAP_SETUID,
    CAP_SYS_CHROOT };

static int
keep_caps(void)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data) == -1)
		return -1;
	for (size_t i = 0; i < sizeof(server_caps) / sizeof(server_caps[0]); i++)
		data[server_caps[i] / 32].inheritable |=
		    1U << (server_caps[i] % 32);
	if (syscall(SYS_capset, &head, data) == -1)
		return -1;
	for (size_t i = 0; i < sizeof(server_caps) / sizeof(server_caps[0]); i++)
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, server_caps[i], 0,
		    0) == -1)
			return -1;
	return 0;
}

int
os_vm_serve(unsigned deny)
{
	static const struct filter_row rows[] = {
		{ SYS_setgroups, FILTER_ANY, FILTER_NOTHING },
	};
	bool root = geteuid() == 0;

	if (!root && keep_caps() == -1)
		return -1;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return -1;
	return filter_deny(deny | OS_DENY_SETID, rows,
	    root ? 0 : sizeof(rows) / sizeof(rows[0]));
}

#define FS(right)	((uint64_t)LANDLOCK_ACCESS_FS_##right)
#define FS_READ		(FS(EXECUTE) | FS(READ_FILE) | FS(READ_DIR))
#define FS_ALL		(FS_READ | FS(WRITE_FILE) | FS(REMOVE_DIR) | \
			FS(REMOVE_FILE) | FS(MAKE_CHAR) | FS(MAKE_DIR) | \
			FS(MAKE_REG) | FS(MAKE_SOCK) | FS(MAKE_FIFO) | \
			FS(MAKE_BLOCK) | FS(MAKE_SYM))

static int
allow(int ruleset, const char *path, uint64_t rights)
{
	struct stat st;
	int fd = open(path, O_PATH | O_CLOEXEC), ret, err;

	if (fd == -1)
		return errno == ENOENT ? 0 : -1;
	ret = fstat(fd, &st);
	if (ret == 0 && !S_ISDIR(st.st_mode))
		rights &= ~FS(READ_DIR);
	if (ret == 0)
		ret = landlock_allow_path(ruleset, fd, rights);
	err = errno;
	close(fd);
	errno = err;
	return ret;
}

int
os_vm_confine(const char *const *reads, const char *const *writes,
    const char *serves, unsigned deny)
{
	uint64_t truncate = landlock_abi() >= 3 ? FS(TRUNCATE) : 0;
	uint64_t all = FS_ALL | (landlock_abi() >= 2 ? FS(REFER) : 0) | truncate;
	int ruleset, ret = -1, err;

	if (landlock_abi() == 0) {
		errno = ENOTSUP;
		return -1;
	}
	ruleset = landlock_ruleset(all, 0, landlock_scopes());
	if (ruleset == -1)
		return -1;
	for (; *reads != NULL; reads++)
		if (allow(ruleset, *reads, FS_READ) == -1)
			goto out;
	for (; *writes != NULL; writes++)
		if (allow(ruleset, *writes, FS(READ_FILE) | FS(WRITE_FILE) |
		    truncate) == -1)
			goto out;
	if (serves != NULL && allow(ruleset, serves, all) == -1)
		goto out;
	if (os_confine(OS_DENY_DEFAULT | OS_DENY_FAMILIES | OS_DENY_USERNS |
	    OS_DENY_MOUNT | OS_DENY_PTRACE | OS_SCOPED_ELSEWHERE | deny |
	    (serves != NULL ? OS_DENY_SETID : 0)) == 0 &&
	    /* The first version lets nothing move from one directory to another. */
	    (landlock_abi() == 1 && serves != NULL ? 0 :
	    landlock_enter(ruleset)) == 0)
		ret = serves != NULL ? 0 : os_drop_caps();
out:
	err = errno;
	close(ruleset);
	errno = err;
	return ret;
}
