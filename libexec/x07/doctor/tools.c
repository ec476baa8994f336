/* Programs beside the kernel, and the commands that would install them. */
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "child.h"
#include "clock.h"
#include "doctor.h"
#include "remove.h"
#include "x07.h"

#define TRY_SECONDS	10

enum manager { APT, APK, PKG, NMANAGERS };

static const struct {
	const char	*program, *install;
} managers[NMANAGERS] = {
	[APT] = { "apt-get", "apt-get install" },
	[APK] = { "apk", "apk add" },
	[PKG] = { "pkg", "pkg install" },
};

/* Each is looked for in PATH, or at an absolute place; the first found counts. */
static const struct program {
	const char	*name;
	const char	*machine;		/* as uname(1) says it; NULL: any */
	const char	*places[4];
	const char	*what;			/* it is for */
	const char	*package[NMANAGERS];	/* NULL: there is none */
	const char	*try;			/* its argument that needs its daemon */
	const char	*elsewhere;		/* when there is no package */
} programs[] = {
	{ "QEMU", "x86_64", { "qemu-system-x86_64", NULL }, "virtual machines",
	    { "qemu-system-x86", "qemu-system-x86_64", "qemu" }, NULL, NULL },
	{ "QEMU", "aarch64", { "qemu-system-aarch64", NULL }, "virtual machines",
	    { "qemu-system-arm", "qemu-system-aarch64", "qemu" }, NULL, NULL },
	{ "virtiofsd", NULL, { "/usr/lib/qemu/virtiofsd", "/usr/libexec/virtiofsd",
	    "virtiofsd", NULL }, "directories in virtual machines",
	    { "qemu-system-common", "virtiofsd", NULL }, NULL, NULL },
	{ "podman", NULL, { "podman", NULL }, "virtual machines and containers",
	    { "podman", "podman", "podman" }, "info", NULL },
	{ "docker", NULL, { "docker", NULL }, "containers",
	    { "docker.io", "docker", NULL }, "info", NULL },
	{ "containerd", NULL, { "containerd", NULL }, "the firecracker-ctr backend",
	    { "containerd", "containerd", NULL }, NULL, NULL },
	{ "firecracker", NULL, { "firecracker-ctr", "firecracker", NULL },
	    "the firecracker-ctr backend", { NULL, "firecracker", NULL }, NULL,
	    "build it: https://github.com/firecracker-microvm/firecracker-containerd" },
	{ "C compiler", NULL, { "cc", NULL }, "entries that end in .c",
	    { "gcc", "gcc", NULL }, NULL, NULL },
	{ "X07 toolchain", NULL, { "x07-os-runner", NULL },
	    "entries that end in .x07.json", { NULL, NULL, NULL }, NULL,
	    "put the x07-os-runner of an X07 toolchain on PATH" },
};

static bool
machine_is(const char *name)
{
	struct utsname u;

	return uname(&u) == 0 && strcmp(u.machine, name) == 0;
}

static const char *
find(const char *const *places)
{
	char *found;

	for (; *places != NULL; places++) {
		found = chain_lookup(*places);
		if (found != NULL)
			return found;
	}
	return NULL;
}

/* "sudo apt-get install NAME", or NULL. */
static const char *
install_command(const char *const package[NMANAGERS], bool root,
    char text[TEXT_MAX])
{
	for (int m = 0; m < NMANAGERS; m++) {
		char *tool = chain_lookup(managers[m].program);

		free(tool);
		if (tool == NULL)
			continue;
		if (package[m] == NULL)
			return NULL;
		snprintf(text, TEXT_MAX, "%s%s %s", root ? "" : "sudo ",
		    managers[m].install, package[m]);
		return text;
	}
	return NULL;
}

/* The kernel that guests would boot: as told, else the distribution's. */
static void
examine_guest_kernel(bool root)
{
	const char *const package[NMANAGERS] = { machine_is("aarch64") ?
	    "linux-image-cloud-arm64" : "linux-image-cloud-amd64",
	    "linux-virt", NULL };
	/* Where x07-vmrun looks. */
	static const char *const places[] = {
		"/boot/vmlinuz*", "/usr/lib/modules/*/vmlinuz",
		"/usr/local/lib/x07/kernel/boot/vmlinuz*",
		"/usr/lib/x07/kernel/boot/vmlinuz*",
	};
	const char *told = getenv("X07_VM_KERNEL");
	char fix[TEXT_MAX];
	glob_t g = { 0 };

	if (told != NULL) {
		bool ok = access(told, R_OK) == 0;

		tell("guest kernel", ok ? OS_STATE_OK : STATE_ABSENT,
		    ok ? told : "X07_VM_KERNEL names a file that cannot be read",
		    ok ? NULL : "unset X07_VM_KERNEL");
		return;
	}
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		glob(places[i], i > 0 ? GLOB_APPEND : 0, NULL, &g);
	for (size_t i = 0; i < g.gl_pathc; i++)
		if (access(g.gl_pathv[i], R_OK) == 0) {
			tell("guest kernel", OS_STATE_OK, g.gl_pathv[i], NULL);
			globfree(&g);
			return;
		}
	snprintf(fix, sizeof(fix), "%schmod a+r %s", root ? "" : "sudo ",
	    g.gl_pathc > 0 ? g.gl_pathv[0] : "");
	if (g.gl_pathc > 0)
		tell("guest kernel", STATE_ABSENT, "cannot be read", fix);
	else
		tell("guest kernel", STATE_ABSENT,
		    "none in /boot and no X07_VM_KERNEL; needed by the qemu backend",
		    install_command(package, root, fix));
	globfree(&g);
}

/* What makes an installed program answer, or NULL. */
static const char *
wake_command(const struct program *p, const char *said, bool root,
    char text[TEXT_MAX])
{
	static const char *const uidmap[NMANAGERS] = { "uidmap", "shadow-uidmap", NULL };
	const char *sudo = root ? "" : "sudo ";
	struct stat st;
	char *daemon;

	if (strstr(said, "newuidmap") != NULL)
		return install_command(uidmap, root, text);
	if (strcmp(p->name, "docker") != 0)
		return NULL;
	daemon = chain_lookup("dockerd");
	if (strstr(said, "permission denied") != NULL)
		snprintf(text, TEXT_MAX, "%susermod -aG docker \"$USER\", and log in "
		    "again", sudo);
	else if (daemon == NULL)
		return install_command(p->package, root, text);
	else if (stat("/run/systemd/system", &st) == 0)
		snprintf(text, TEXT_MAX, "%ssystemctl start docker", sudo);
	else
		snprintf(text, TEXT_MAX, "%s%s", sudo, daemon);
	free(daemon);
	return text;
}

/* Installed is not enough for what talks to a daemon. */
static void
try_program(const struct program *p, const char *found, bool root)
{
	char *argv[] = { strdup(found), NULL, NULL }, said[TEXT_MAX] = "";
	char text[TEXT_MAX * 2], fix[TEXT_MAX];
	int status = 0;

	if (p->try != NULL) {
		argv[1] = strdup(p->try);
		status = run_quietly(argv, TRY_SECONDS, said);
	}
	if (status == 0) {
		tell(p->name, OS_STATE_OK, found, NULL);
		return;
	}
	snprintf(text, sizeof(text), "%s is installed, but not usable: %s", found,
	    status == EXIT_TIMELIMIT ? "it does not answer" :
	    *said != '\0' ? said : "it does not say why");
	tell(p->name, STATE_ABSENT, text, wake_command(p, said, root, fix));
}

void
examine_programs(bool root)
{
	char text[TEXT_MAX], fix[TEXT_MAX];

	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		const struct program *p = &programs[i];
		const char *found = find(p->places), *command;

		if (p->machine != NULL && !machine_is(p->machine))
			continue;
		if (found != NULL) {
			try_program(p, found, root);
			continue;
		}
		snprintf(text, sizeof(text), "not installed; for %s", p->what);
		command = install_command(p->package, root, fix);
		tell(p->name, STATE_ABSENT, text,
		    command != NULL ? command : p->elsewhere);
	}
	examine_guest_kernel(root);
}

/* ---- trying ---- */

/*
 * Appends what a program said to text, whose last line alone is kept: warnings come
 * first. Whether the line is over is in *over.
 */
static void
keep_last_line(char text[TEXT_MAX], bool *over, const char *said, size_t n)
{
	size_t len = strlen(text);

	for (; n > 0; said++, n--) {
		if (*said == '\n') {
			*over = true;
			continue;
		}
		if (*over)
			len = 0;
		*over = false;
		if (len < TEXT_MAX - 1)
			text[len++] = *said;
		text[len] = '\0';
	}
}

/* The last line of what comes from fd until its end or the deadline. */
static bool
read_until(int fd, int64_t deadline, char text[TEXT_MAX])
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char buf[1024];
	bool over = false;
	ssize_t n;

	for (;;) {
		int64_t left = deadline - clock_ms(CLOCK_MONOTONIC);

		if (left <= 0 || poll(&p, 1, (int)left) == 0)
			return false;
		n = read(fd, buf, sizeof(buf));
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return true;
		keep_last_line(text, &over, buf, (size_t)n);
	}
}

void
remove_scratch(const char *dir)
{
	const struct timespec moment = { .tv_nsec = 50000000 };

	/* What was killed in it may take a moment to be gone. */
	for (int i = 0; i < 100 && remove_tree(dir) == -1; i++)
		nanosleep(&moment, NULL);
}

static volatile sig_atomic_t	running, stopped;

/* What runs is ended, and the caller of run_quietly goes on to tidy up. */
static void
on_signal(int sig)
{
	int err = errno;

	stopped = sig;
	if (running > 0)
		kill(-running, SIGKILL);
	errno = err;
}

void
hold_signals(void)
{
	static const int sigs[] = { SIGHUP, SIGINT, SIGTERM };
	struct sigaction sa = { .sa_handler = on_signal };

	sigemptyset(&sa.sa_mask);
	for (size_t i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
		sigaction(sigs[i], &sa, NULL);
}

void
release_signals(void)
{
	if (stopped == 0)
		return;
	signal(stopped, SIG_DFL);
	raise(stopped);
}

int
run_quietly(char *const argv[], unsigned seconds, char text[TEXT_MAX])
{
	int pair[2], null, wstatus;
	bool ended;
	pid_t pid;

	text[0] = '\0';
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null == -1 || pipe2(pair, O_CLOEXEC) == -1 || (pid = fork()) == -1)
		refuse_errno("%s", argv[0]);
	if (pid == 0) {
		setpgid(0, 0);
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		dup2(pair[1], STDERR_FILENO);
		execv(argv[0], argv);
		chain_exec_failed(argv[0]);
	}
	running = pid;
	if (stopped != 0)
		kill(pid, SIGKILL);
	close(null);
	close(pair[1]);
	ended = read_until(pair[0], clock_ms(CLOCK_MONOTONIC) +
	    (int64_t)seconds * 1000, text);
	close(pair[0]);
	if (!ended)
		kill(-pid, SIGKILL);
	while (waitpid(pid, &wstatus, 0) == -1)
		if (errno != EINTR)
			return EXIT_REFUSED;
	running = 0;
	if (!ended)
		return EXIT_TIMELIMIT;
	return child_status(wstatus);
}
