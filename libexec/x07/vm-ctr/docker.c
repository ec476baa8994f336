/* What docker has, and podman in the same words. */
#include "vm-ctr.h"

const struct part docker_inspect[] = {
	WORD("image"), WORD("inspect"), WORD("--format"),
	WORD("{{json .RepoDigests}} {{.Id}}"), PART(PART_DIGEST_OF, NULL), END,
};

const struct part docker_soft[] = {
	WORD("stop"), PART(PART_GRACE, "--time"), PART(PART_NAME, NULL), END,
};

const struct part docker_hard[] = {
	WORD("kill"), WORD("--signal"), WORD("SIGKILL"), PART(PART_NAME, NULL), END,
};

const struct part docker_removal[] = {
	WORD("rm"), WORD("-f"), PART(PART_NAME, NULL), END,
};
