/*
 * vm-apple-container - one program in a machine of Apple's container(1), on
 * macOS 26 and later. See x07-vm-ctr(8).
 */
#include "../vm-ctr/vm-ctr.h"

static const struct part base[] = { WORD("container"), END };

static const struct part probe[] = { WORD("system"), WORD("info"), END };

/* guestrun becomes the user itself: the machine is the program's alone. */
static const struct part run[] = {
	WORD("run"),
	PART(PART_NAME, "--name"),
	WORD("--rm"), WORD("-i"), PART(PART_TTY, "-t"),
	PART(PART_LABELS, "--label"),
	PART(PART_MEMORY_BYTES, "--memory"),
	PART(PART_CPUS, "--cpus"),
	WORD("--network"), WORD("none"),
	WORD("--workdir"), WORD("/"),
	PART(PART_MOUNTS, "--mount"),
	WORD("--entrypoint"), WORD("/x07/bin/guestrun"),
	PART(PART_IMAGE, NULL),
	WORD("/x07/in"), END,
};

/* Its streams come out of the machine, which no socket of this one does. */
static const struct part exec[] = {
	WORD("exec"), WORD("-i"), PART(PART_NAME, NULL),
	WORD("/x07/bin/netmux"), WORD("guest"), WORD("-"), END,
};

static const struct part inspect[] = {
	WORD("image"), WORD("inspect"), PART(PART_DIGEST_OF, NULL), END,
};

static const struct part soft[] = {
	WORD("kill"), WORD("--signal"), WORD("SIGTERM"), PART(PART_NAME, NULL), END,
};

static const struct part hard[] = {
	WORD("kill"), WORD("--signal"), WORD("KILL"), PART(PART_NAME, NULL), END,
};

static const struct part removal[] = {
	WORD("delete"), WORD("--force"), PART(PART_NAME, NULL), END,
};

static const struct part list[] = {
	WORD("list"), WORD("--all"), WORD("--quiet"), END,
};

static const struct part info[] = {
	WORD("inspect"), PART(PART_NAME, NULL), END,
};

static const struct runtime container = {
	.name = "apple-container", .what = "container", .base = base,
	.probe = probe, .run = run, .exec = exec, .inspect = inspect,
	.soft = soft, .hard = hard, .removes = { removal },
	.list = list, .info = info, .pull = "container image pull", .is_vm = true,
};

int
main(int argc, char *argv[])
{
	return vm_ctr_main(&container, argc, argv);
}
