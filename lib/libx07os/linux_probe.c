/* What this machine has: asked by x07-policy, which tells people. */
#include <sys/wait.h>

#include <errno.h>
#include <sched.h>
#include <unistd.h>

#include "linux.h"

/* Makes a process in namespaces of its own, which ends at once. */
static int
try_namespaces(void)
{
	int gate;
	pid_t pid = ns_fork(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID, &gate);

	if (pid == -1)
		return -1;
	if (pid == 0) {
		ns_mapped(gate);
		_exit(0);
	}
	while (waitpid(pid, NULL, 0) == -1 && errno == EINTR)
		continue;
	return 0;
}

int
os_probe(enum os_feature feature)
{
	switch (feature) {
	case OS_HAS_GATES:
		return 0;
	case OS_HAS_NAMESPACES:
		return try_namespaces();
	case OS_HAS_EXEC_RULES:
		if (landlock_abi() > 0)
			return 0;
		errno = ENOTSUP;
		return -1;
	case OS_HAS_OWN_IDS:
		return ids_own() ? 0 : -1;
	}
	errno = EINVAL;
	return -1;
}
