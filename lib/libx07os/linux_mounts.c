/* Where the kernel's own files are mounted. */
#include <errno.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>

#include "os.h"

/*
 * What is in these is no data but the kernel itself: processes of others, names of
 * programs that it starts, switches, queues.
 */
static const char *const kernels[] = {
	"binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs",
	"efivarfs", "fusectl", "mqueue", "nfsd", "proc", "pstore", "resctrl",
	"rpc_pipefs", "securityfs", "selinuxfs", "smackfs", "sysfs", "tracefs",
};

static bool
is_kernels(const char *type)
{
	for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++)
		if (strcmp(type, kernels[i]) == 0)
			return true;
	return false;
}

int
os_kernel_mounts(int (*f)(const char *point, void *), void *arg)
{
	FILE *file = setmntent("/proc/self/mounts", "re");
	struct mntent *m;
	int ret = 0, err;

	if (file == NULL)
		return -1;
	while (ret == 0 && (m = getmntent(file)) != NULL)
		if (is_kernels(m->mnt_type))
			ret = f(m->mnt_dir, arg);
	err = errno;
	endmntent(file);
	errno = err;
	return ret;
}
