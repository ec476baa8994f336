/* Does the processor itself run guests? */
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "linux_compat.h"
#include "os.h"

/*
 * A /dev/kvm that can be opened proves nothing: there are machines where it emulates
 * each guest instruction, a thousand times slower than QEMU's own translator. So a guest
 * is run: a loop that a processor runs in microseconds.
 */
#define GUEST_MEMORY	0x10000		/* a page of the largest there are */
#define LOOPS		1000
#define TRIES		5
#define SLOW_MAX	2
#define FAST_US		300		/* 300 ns a turn; processors need one */
#define SLOW_US		1500		/* what no processor needs, unless it was taken away */
#define GIVE_UP_S	2

struct vm {
	int		kvm, vm, cpu;
	unsigned char	*memory;
	struct kvm_run	*run;
	size_t		run_size;
};

/*
 * Of each processor: what KVM_CREATE_VM is asked for, what the guest's memory holds, how
 * the processor gets to the start of the loop once it is there and before each run,
 * and how the guest tells the loop's end.
 */
#if defined(__x86_64__)

#define VM_TYPE		0
#define LOOP_ENDS	KVM_EXIT_HLT
#define AT_PML4		0x1000
#define AT_PDPT		0x2000
#define AT_PD		0x3000
#define AT_CODE		0x4000
#define AT_STACK	0x8000
#define PRESENT		0x3		/* and writable */
#define LARGE		0x80

static const unsigned char guest_code[] = {
	0xb9, LOOPS & 0xff, LOOPS >> 8 & 0xff, LOOPS >> 16, 0,
					/*	mov	ecx, LOOPS */
	0x48, 0xff, 0xc8,		/* 1:	dec	rax */
	0xff, 0xc9,			/*	dec	ecx */
	0x75, 0xf9,			/*	jnz	1b */
	0x0f, 0xa2,			/*	cpuid */
	0xf4,				/*	hlt */
};

static void
put64(unsigned char *at, uint64_t value)
{
	memcpy(at, &value, sizeof(value));
}

/* Page tables that map the memory one to one, and the loop. */
static void
guest_write(unsigned char *memory)
{
	put64(memory + AT_PML4, AT_PDPT | PRESENT);
	put64(memory + AT_PDPT, AT_PD | PRESENT);
	put64(memory + AT_PD, LARGE | PRESENT);
	memcpy(memory + AT_CODE, guest_code, sizeof(guest_code));
}

static int
cpu_init(struct vm *v)
{
	(void)v;
	return 0;
}

/* Puts the processor into 64-bit mode at the start of the code. */
static int
cpu_reset(struct vm *v)
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

#elif defined(__aarch64__)

/* The least that a guest's addresses can have; some processors lack the usual 40 bits. */
#define VM_TYPE		KVM_VM_TYPE_ARM_IPA_SIZE(32)
#define LOOP_ENDS	KVM_EXIT_MMIO

/* The processor starts at address 0, without page tables. */
static const uint32_t guest_code[] = {
	0xd2800000 | LOOPS << 5,	/* 1:	mov	x0, LOOPS */
	0xd1000421,			/* 2:	sub	x1, x1, 1 */
	0xf1000400,			/*	subs	x0, x0, 1 */
	0x54ffffc1,			/*	b.ne	2b */
	0xd2a00000 | GUEST_MEMORY >> 16 << 5 | 2,
					/*	mov	x2, GUEST_MEMORY */
	0xb9000040,			/*	str	w0, [x2] */
	0x17fffffa,			/*	b	1b */
};

static void
guest_write(unsigned char *memory)
{
	memcpy(memory, guest_code, sizeof(guest_code));
}

static int
cpu_init(struct vm *v)
{
	struct kvm_vcpu_init init;

	if (compat_ioctl(v->vm, KVM_ARM_PREFERRED_TARGET, &init) == -1)
		return -1;
	return ioctl(v->cpu, KVM_ARM_VCPU_INIT, &init);
}

/* Behind the end of the loop is its start. */
static int
cpu_reset(struct vm *v)
{
	(void)v;
	return 0;
}

#else

#define VM_TYPE		0
#define LOOP_ENDS	KVM_EXIT_HLT

static void
guest_write(unsigned char *memory)
{
	(void)memory;
}

/* None of our drivers knows how to make a machine of this processor. */
static int
cpu_init(struct vm *v)
{
	(void)v;
	errno = ENOTSUP;
	return -1;
}

static int
cpu_reset(struct vm *v)
{
	(void)v;
	return 0;
}

#endif

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
	guest_write(v->memory);
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
	return v->run == MAP_FAILED ? -1 : cpu_init(v);
}

/* One run of the code, in microseconds; -1 when it did not end as it should. */
static int64_t
vm_run(struct vm *v)
{
	struct timespec from, to;

	if (cpu_reset(v) == -1)
		return -1;
	clock_gettime(CLOCK_MONOTONIC, &from);
	if (ioctl(v->cpu, KVM_RUN, 0) == -1)
		return -1;
	clock_gettime(CLOCK_MONOTONIC, &to);
	if (v->run->exit_reason != LOOP_ENDS) {
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
	if (v.kvm != -1 && (v.vm = ioctl(v.kvm, KVM_CREATE_VM, VM_TYPE)) != -1 &&
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
