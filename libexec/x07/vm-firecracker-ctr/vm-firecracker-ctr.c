/*
 * vm-firecracker-ctr - one program in a Firecracker machine, by the ctr of
 * firecracker-containerd. See x07-vm-ctr(8).
 */
#include "../vm-ctr/vm-ctr.h"

#define RUNTIME		"X07_VM_FIRECRACKER_RUNTIME"
#define SNAPSHOTTER	"X07_VM_FIRECRACKER_SNAPSHOTTER"
#define AWS		"aws.firecracker"

static const struct part base[] = {
	SETTING(NULL, "X07_VM_FIRECRACKER_CTR_BIN", "firecracker-ctr"),
	SETTING("--address", "X07_VM_FIRECRACKER_CONTAINERD_SOCK",
	    "/run/firecracker-containerd/containerd.sock"),
	SETTING("--namespace", "X07_VM_CONTAINERD_NAMESPACE", "x07"),
	END,
};

static const struct part probe[] = {
	WORD("--timeout"), WORD("2s"), WORD("version"), END,
};

/*
 * guestrun becomes the user itself. Before that it uncovers /proc, for which it takes
 * CAP_SYS_ADMIN: the gates need one of their own.
 */
static const struct part run[] = {
	WORD("run"), WORD("--rm"),
	SETTING("--runtime", RUNTIME, AWS),
	SETTING("--snapshotter", SNAPSHOTTER, "devmapper"),
	PART(PART_LABELS_TWICE, "--label"),
	PART(PART_MEMORY_BYTES, "--memory-limit"),
	PART(PART_CPUS, "--cpus"),
	WORD("--cwd"), WORD("/"),
	WORD("--read-only"),
	WORD("--cap-add"), WORD("CAP_SYS_ADMIN"),
	PART(PART_TTY, "--tty"),
	PART(PART_STARTED, "--pid-file"),
	PART(PART_MOUNTS_SHORT, "--mount"),
	PART(PART_IMAGE, NULL),
	PART(PART_NAME, NULL),
	WORD("/x07/bin/guestrun"), WORD("/x07/in"), END,
};

/* Its streams come out of a machine too, which no socket does. */
static const struct part exec[] = {
	WORD("tasks"), WORD("exec"), WORD("--exec-id"), WORD("x07-net"),
	PART(PART_NAME, NULL),
	WORD("/x07/bin/netmux"), WORD("guest"), WORD("-"), END,
};

static const struct part unexec[] = {
	WORD("--timeout"), WORD("2s"), WORD("tasks"), WORD("kill"),
	WORD("--exec-id"), WORD("x07-net"), WORD("--signal"), WORD("SIGKILL"),
	PART(PART_NAME, NULL), END,
};

static const struct part inspect[] = {
	WORD("--timeout"), WORD("2s"), WORD("images"), WORD("list"),
	PART(PART_FILTER, NULL), END,
};

static const struct part tag[] = {
	WORD("--timeout"), WORD("2s"), WORD("images"), WORD("tag"),
	PART(PART_DIGEST_OF, NULL), PART(PART_IMAGE, NULL), END,
};

static const struct part soft[] = {
	WORD("--timeout"), WORD("2s"), WORD("tasks"), WORD("kill"), WORD("--all"),
	WORD("--signal"), WORD("SIGTERM"), PART(PART_NAME, NULL), END,
};

static const struct part hard[] = {
	WORD("--timeout"), WORD("2s"), WORD("tasks"), WORD("kill"), WORD("--all"),
	WORD("--signal"), WORD("SIGKILL"), PART(PART_NAME, NULL), END,
};

static const struct part task[] = {
	WORD("--timeout"), WORD("2s"), WORD("tasks"), WORD("delete"),
	WORD("--force"), PART(PART_NAME, NULL), END,
};

static const struct part removal[] = {
	WORD("--timeout"), WORD("2s"), WORD("containers"), WORD("delete"),
	PART(PART_NAME, NULL), END,
};

static const struct part list[] = {
	WORD("--timeout"), WORD("2s"), WORD("containers"), WORD("list"),
	WORD("--quiet"), WORD("labels.\"io.x07.schema\"==1"), END,
};

static const struct part info[] = {
	WORD("--timeout"), WORD("2s"), WORD("containers"), WORD("info"),
	PART(PART_NAME, NULL), END,
};

static const struct runtime firecracker = {
	.name = "firecracker-ctr", .what = "firecracker-ctr", .base = base,
	.probe = probe, .run = run, .exec = exec, .unexec = unexec,
	.inspect = inspect, .tag = tag,
	.soft = soft, .hard = hard, .removes = { task, removal },
	.list = list, .info = info, .pull = "firecracker-ctr images pull",
	.late_eof = true, .vm_variable = RUNTIME, .vm_value = AWS,
	.device = "/dev/kvm",
};

int
main(int argc, char *argv[])
{
	return vm_ctr_main(&firecracker, argc, argv);
}
