/* What there is on this machine: the emulator, its helper, the processor's help. */
#include <sys/utsname.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vm-qemu.h"

/*
 * An emulated processor takes some seconds for what a real one does in a tenth of
 * one, and more when other work is going on.
 */
#define BOOT_MS_KVM	20000
#define BOOT_MS_TCG	120000

static const struct arch arches[] = {
	{ "x86_64", "qemu-system-x86_64", "qemu-system-x86", "pc", "max", "ttyS0",
	    " acpi=noirq", true },
	/* The signatures of pointers by an algorithm that is quick to emulate. */
	{ "aarch64", "qemu-system-aarch64", "qemu-system-arm", "virt",
	    "max,pauth-impdef=on", "ttyAMA0", "", false },
};

const struct arch *
arch_find(void)
{
	struct utsname u;

	if (uname(&u) == 0)
		for (size_t i = 0; i < sizeof(arches) / sizeof(arches[0]); i++)
			if (strcmp(u.machine, arches[i].machine) == 0)
				return &arches[i];
	return NULL;
}

/* Fixed places: the caller's PATH is not asked what runs outside of every gate. */
static char *
find(const char *name, const char *const *dirs)
{
	char *path;

	for (; *dirs != NULL; dirs++) {
		if (asprintf(&path, "%s/%s", *dirs, name) == -1)
			refuse_errno("memory");
		if (access(path, X_OK) == 0)
			return path;
		free(path);
	}
	return NULL;
}

/* What the variable names, or what is found. */
static char *
find_or(const char *variable, const char *name, const char *const *dirs)
{
	const char *given = getenv(variable);

	if (given == NULL || *given == '\0')
		return find(name, dirs);
	if (access(given, X_OK) == -1)
		refuse_errno("%s=%s", variable, given);
	return strdup(given);
}

char *
find_emulator(const struct arch *a)
{
	static const char *const dirs[] = { "/usr/bin", "/usr/local/bin", NULL };

	return find_or("X07_VM_QEMU_BIN", a->emulator, dirs);
}

char *
find_virtiofsd(void)
{
	static const char *const dirs[] = { "/usr/libexec", "/usr/lib/qemu",
	    "/usr/lib/virtiofsd", "/usr/bin", "/usr/local/libexec",
	    "/usr/local/bin", NULL };

	return find_or("X07_VM_VIRTIOFSD_BIN", "virtiofsd", dirs);
}

char *
find_mksquashfs(void)
{
	static const char *const dirs[] = { "/usr/bin", "/usr/sbin",
	    "/usr/local/bin", NULL };

	return find_or("X07_VM_MKSQUASHFS_BIN", "mksquashfs", dirs);
}

static bool
find_kvm(void)
{
	const char *given = getenv("X07_VM_ACCEL");

	if (given == NULL || *given == '\0' || strcmp(given, "auto") == 0)
		return os_vm_accel() == 0;
	if (strcmp(given, "tcg") == 0)
		return false;
	if (strcmp(given, "kvm") != 0)
		refuse("X07_VM_ACCEL=%s: must be auto, kvm or tcg", given);
	if (os_vm_accel() == -1)
		refuse_errno("X07_VM_ACCEL=kvm: /dev/kvm runs no guest here");
	return true;
}

bool
probe_kvm(void)
{
	static enum { UNKNOWN, NO, YES } known;

	if (known == UNKNOWN)
		known = find_kvm() ? YES : NO;
	return known == YES;
}

int
probe(bool verbose)
{
	const struct arch *a = arch_find();
	char *emulator = a != NULL ? find_emulator(a) : NULL;
	bool kvm;

	if (a == NULL)
		note("no machine is known for this processor");
	else if (emulator == NULL)
		note("%s is not installed (Debian: apt-get install %s)",
		    a->emulator, a->package);
	if (emulator == NULL)
		return 1;
	kvm = probe_kvm();
	if (verbose && !kvm)
		note("no KVM: %s", errno == ETIME ?
		    "/dev/kvm is emulated here" : strerror(errno));
	printf("backend vm.qemu\ndetail %s, %s\nisolation vm\nimage directory\n"
	    "network fd\nboot_ms %d\n", emulator, kvm ? "KVM" : "TCG",
	    kvm ? BOOT_MS_KVM : BOOT_MS_TCG);
	return 0;
}
