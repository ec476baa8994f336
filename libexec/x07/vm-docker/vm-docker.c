/* vm-docker - one program in a container of docker's. See x07-vm-ctr(8). */
#include "../vm-ctr/vm-ctr.h"

static const struct part base[] = { WORD("docker"), END };

static const struct part probe[] = {
	/* docker info fails without a daemon too, but says only that its own format does. */
	WORD("version"), WORD("--format"), WORD("{{.Server.Version}}"), END,
};

/*
 * The gates in the container make namespaces, which docker's own filter and
 * covers of /proc forbid; what the program may do, the gates' filter and an empty
 * set of capabilities decide.
 */
static const struct part run[] = {
	WORD("run"), WORD("--rm"),
	PART(PART_NAME, "--name"),
	WORD("-i"), PART(PART_TTY, "-t"),
	PART(PART_LABELS, "--label"),
	PART(PART_MEMORY_MIB, "--memory"),
	PART(PART_CPUS, "--cpus"),
	WORD("--network"), WORD("none"),
	/* netmux and the gates listen there, without a capability. */
	PART(PART_IF_NET, "--sysctl=net.ipv4.ip_unprivileged_port_start=0"),
	WORD("--workdir"), WORD("/"),
	WORD("--pull"), WORD("never"),
	/* Else the daemon keeps on its disk what the program writes, without a limit. */
	WORD("--log-driver"), WORD("none"),
	WORD("--read-only"), WORD("--tmpfs"), WORD("/tmp"),
	WORD("--tmpfs"), WORD("/run"),
	WORD("--cap-drop"), WORD("ALL"),
	/* The gates map uid 0 into namespaces of theirs. */
	PART(PART_IF_ROOT, "--cap-add=SETFCAP"),
	WORD("--security-opt"), WORD("no-new-privileges"),
	WORD("--security-opt"), WORD("seccomp=unconfined"),
	WORD("--security-opt"), WORD("apparmor=unconfined"),
	WORD("--security-opt"), WORD("systempaths=unconfined"),
	WORD("--pids-limit"), WORD("4096"),
	PART(PART_USER, "--user"),
	PART(PART_MOUNTS, "--mount"),
	WORD("--entrypoint"), WORD("/x07/bin/guestrun"),
	PART(PART_IMAGE, NULL),
	WORD("/x07/in"), END,
};

static const struct part list[] = {
	WORD("ps"), WORD("-a"), WORD("--no-trunc"),
	WORD("--filter"), WORD("label=io.x07.schema=1"), WORD("--format"),
	WORD("{{.Names}} {{.Label \"io.x07.deadline_unix_ms\"}}"), END,
};

static const struct runtime docker = {
	.name = "docker", .what = "docker", .base = base, .probe = probe,
	.run = run, .inspect = docker_inspect, .names_digest = true,
	.socket = true, .soft = docker_soft, .soft_waits = true,
	.hard = docker_hard, .hard_tells = true, .removes = { docker_removal },
	.list = list, .pull = "docker pull",
};

int
main(int argc, char *argv[])
{
	return vm_ctr_main(&docker, argc, argv);
}
