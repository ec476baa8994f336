/* vm-podman - one program in a container of podman's. See x07-vm-ctr(8). */
#include "../vm-ctr/vm-ctr.h"

static const struct part base[] = { WORD("podman"), END };

static const struct part probe[] = {
	WORD("info"), WORD("--format"), WORD("{{.Version.Version}}"), END,
};

static const struct part controllers[] = {
	WORD("info"), WORD("--format"), WORD("{{json .Host.CgroupControllers}}"), END,
};

/*
 * The gates in the container make namespaces and a /proc of their own, for which
 * nothing of the container's may be covered. podman's filter lets them.
 */
static const struct part run[] = {
	WORD("run"), WORD("--rm"),
	PART(PART_NAME, "--name"),
	WORD("-i"), PART(PART_TTY, "-t"),
	PART(PART_LABELS_TWICE, "--label"),
	LIMIT(PART_MEMORY_MIB, "--memory", "\"memory\""),
	LIMIT(PART_CPUS, "--cpus", "\"cpu\""),
	WORD("--network"), WORD("none"),
	/* netmux and the gates listen there, without a capability. */
	PART(PART_IF_NET, "--sysctl=net.ipv4.ip_unprivileged_port_start=0"),
	WORD("--workdir"), WORD("/"),
	WORD("--pull"), WORD("never"),
	/* Else podman keeps on its disk what the program writes, without a limit. */
	WORD("--log-driver"), WORD("none"),
	WORD("--read-only"), WORD("--read-only-tmpfs=true"),
	WORD("--http-proxy=false"),
	/* Should all of us be killed, conmon ends it. */
	PART(PART_SECONDS, "--timeout"),
	WORD("--cap-drop"), WORD("ALL"),
	/* The gates map uid 0 into namespaces of theirs. */
	PART(PART_IF_ROOT, "--cap-add=SETFCAP"),
	WORD("--security-opt"), WORD("no-new-privileges"),
	WORD("--security-opt"), WORD("unmask=ALL"),
	LIMIT(PART_WORD, "--pids-limit=4096", "\"pids\""),
	PART(PART_USER, "--user"),
	PART(PART_IF_USER, "--userns=keep-id"),
	PART(PART_MOUNTS, "--mount"),
	WORD("--entrypoint"), WORD("/x07/bin/guestrun"),
	PART(PART_IMAGE, NULL),
	WORD("/x07/in"), END,
};

static const struct part list[] = {
	WORD("ps"), WORD("-a"), WORD("--no-trunc"),
	WORD("--filter"), WORD("label=io.x07.schema=1"), WORD("--format"),
	WORD("{{.Names}} {{index .Labels \"io.x07.deadline_unix_ms\"}}"), END,
};

static const struct runtime podman = {
	.name = "podman", .what = "podman", .base = base, .probe = probe,
	.controllers = controllers, .run = run,
	.inspect = docker_inspect, .names_digest = true,
	.socket = true, .soft = docker_soft, .soft_waits = true,
	.hard = docker_hard, .hard_tells = true, .removes = { docker_removal },
	.list = list, .pull = "podman pull",
};

int
main(int argc, char *argv[])
{
	return vm_ctr_main(&podman, argc, argv);
}
