/* Capabilities: capabilities(7). */
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <errno.h>
#include <linux/capability.h>
#include <unistd.h>

#include "linux.h"
#include "os.h"

int
caps_limit(uint64_t keep)
{
	/*
	 * The bounding set decides what an exec as uid 0 brings back. Without
	 * CAP_SETPCAP it cannot be cut, but then there is nothing to bring
	 * back that we could hold now. EINVAL: past the last one this kernel has.
	 */
	for (unsigned cap = 0; cap < 64; cap++)
		if ((keep >> cap & 1) == 0 &&
		    prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == -1) {
			if (errno != EPERM && errno != EINVAL)
				return -1;
			break;
		}
	return caps_hold(keep);
}

int
caps_hold(uint64_t keep)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];

	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == -1)
		return -1;
	if (syscall(SYS_capget, &head, data) == -1)
		return -1;
	for (int i = 0; i < 2; i++) {
		uint32_t mask = (uint32_t)(keep >> (32 * i));

		data[i].effective &= mask;
		data[i].permitted &= mask;
		data[i].inheritable = 0;
	}
	return (int)syscall(SYS_capset, &head, data);
}

int
os_drop_caps(void)
{
	return caps_limit(0);
}
