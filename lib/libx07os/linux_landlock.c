/* Landlock: landlock(7), Documentation/userspace-api/landlock.rst. */
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "linux.h"
#include "linux_compat.h"

int
landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);

	return abi > 0 ? (int)abi : 0;
}

int
landlock_ruleset(uint64_t fs, uint64_t net, uint64_t scoped)
{
	struct compat_landlock_ruleset_attr attr = { fs, net, scoped };
	size_t size = sizeof(attr);

	/* An older kernel takes a longer structure only when its tail is zero. */
	if (scoped == 0)
		size = net == 0 ? sizeof(attr.handled_access_fs) :
		    offsetof(struct compat_landlock_ruleset_attr, scoped);
	return (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
}

int
landlock_allow_path(int ruleset, int pathfd, uint64_t rights)
{
	struct landlock_path_beneath_attr attr = {
		.allowed_access = rights,
		.parent_fd = pathfd,
	};

	return (int)syscall(SYS_landlock_add_rule, ruleset,
	    LANDLOCK_RULE_PATH_BENEATH, &attr, 0);
}

uint64_t
landlock_scopes(void)
{
	return landlock_abi() < 6 ? 0 : LANDLOCK_SCOPE_SIGNAL |
	    LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET;
}

int
landlock_allow_refer(int ruleset)
{
	int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), ret, err;

	if (fd == -1)
		return -1;
	ret = landlock_allow_path(ruleset, fd, LANDLOCK_ACCESS_FS_REFER);
	err = errno;
	close(fd);
	errno = err;
	return ret;
}

int
landlock_enter(int ruleset)
{
	return (int)syscall(SYS_landlock_restrict_self, ruleset, 0);
}
