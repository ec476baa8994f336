/* The directory of a job, and the process that removes it when we cannot. */
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "vmrun.h"

#define CLEANUP_MS	30000
#define AFTER_MS	5000	/* the reaper acts that long after our own deadline */

/* Held by us alone: when we are gone the reaper reads its end. */
static int alive = -1;

static const struct own_dir state_dir = { "X07_VM_STATE_DIR", NULL, NULL,
    "/.x07/vm/jobs", "/vm/jobs" };

/* Nothing half-made stays. */
static _Noreturn void
cannot_make(const struct job *j, const char *name)
{
	int err = errno;

	(void)vm_job_end(j->dir, 0);
	errno = err;
	refuse_errno("the job's directory: %s", name);
}

static void
write_text(const struct job *j, int dir, const char *name, const char *text)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd == -1 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) ||
	    close(fd) == -1)
		cannot_make(j, name);
}

/* For people, and locked until we are gone: the descriptor stays open. */
static void
write_job(const struct job *j, int dir)
{
	static const char name[] = "job.json", temporary[] = ".job.json";
	int fd = openat(dir, temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd == -1 || flock(fd, LOCK_EX | LOCK_NB) == -1)
		cannot_make(j, name);
	if (dprintf(fd, "{\"schema_version\":\"x07.vm.job@0.1.0\","
	    "\"run_id\":\"%s\",\"backend\":\"vm.%s\",\"container_id\":\"x07-%s\","
	    "\"pid\":%ld,\"created_unix_ms\":%" PRId64 ",\"deadline_unix_ms\":%"
	    PRId64 ",\"grace_ms\":%" PRId64 ",\"cleanup_ms\":%d}\n", j->id,
	    j->backend.name, j->id, (long)getpid(), clock_ms(CLOCK_REALTIME),
	    j->deadline_ms, j->grace_ms, CLEANUP_MS) < 0 ||
	    renameat(dir, temporary, dir, name) == -1)
		cannot_make(j, name);
}

static _Noreturn void
become_reaper(const struct job *j, int end)
{
	char *job, fd[16], deadline[24], grace[24], cleanup[24];
	char *tool = vm_tool("vm-reaper");
	int null = open("/dev/null", O_RDWR);

	if (asprintf(&job, "%s/job.json", j->dir) == -1)
		refuse_errno("memory");
	snprintf(fd, sizeof(fd), "%d", end);
	snprintf(deadline, sizeof(deadline), "%" PRId64, j->deadline_ms + AFTER_MS);
	snprintf(grace, sizeof(grace), "%" PRId64, j->grace_ms);
	snprintf(cleanup, sizeof(cleanup), "%d", CLEANUP_MS);
	for (int i = 0; i <= 2; i++)
		dup2(null, i);
	if (os_keep_fds(&end, 1) == -1)
		_exit(EXIT_REFUSED);
	execl(tool, tool, "--job", job, "--alive", fd, "--deadline", deadline,
	    "--grace", grace, "--cleanup", cleanup, (char *)NULL);
	_exit(EXIT_REFUSED);
}

/*
 * Twice removed, so that nobody has to wait for it. It is there before the directory
 * is: at no moment can we be killed and leave one behind.
 */
static void
start_reaper(const struct job *j)
{
	int pair[2], wstatus;
	pid_t pid;

	if (pipe2(pair, O_CLOEXEC) == -1 || (pid = fork()) == -1)
		refuse_errno("the reaper");
	if (pid == 0) {
		close(pair[1]);
		pid = fork();
		if (pid == 0)
			become_reaper(j, pair[0]);
		_exit(pid == -1 ? EXIT_REFUSED : 0);
	}
	close(pair[0]);
	alive = pair[1];
	if (waitpid(pid, &wstatus, 0) == -1 || wstatus != 0)
		refuse("the reaper: too many processes");
}

#define INSTANCE_BYTES	16

static bool
is_instance(const char *text, size_t len)
{
	return len == sizeof("ri-") - 1 + 2 * INSTANCE_BYTES &&
	    strncmp(text, "ri-", 3) == 0 &&
	    strspn(text + 3, "0123456789abcdef") == 2 * INSTANCE_BYTES;
}

/* What stands in a file of ours; false when that is none. */
static bool
read_instance(const char *path, char text[64])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	ssize_t n = -1;

	if (fd == -1)
		return false;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid())
		n = read(fd, text, 63);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return is_instance(text, strlen(text));
}

/*
 * The name of all of this user's runs, which stays: beside the directory of jobs. Where
 * none can be kept this run has one of its own.
 */
static void
find_instance(struct job *j)
{
	unsigned char bytes[INSTANCE_BYTES];
	struct outfile o;
	char *path, line[64], found[64];
	int n;

	if (asprintf(&path, "%s/../runner_instance", j->state) == -1)
		refuse_errno("memory");
	if (!read_instance(path, j->instance)) {
		arc4random_buf(bytes, sizeof(bytes));
		strlcpy(j->instance, "ri-", sizeof(j->instance));
		for (size_t i = 0; i < sizeof(bytes); i++)
			snprintf(j->instance + 3 + 2 * i, 3, "%02x", bytes[i]);
		n = snprintf(line, sizeof(line), "%s\n", j->instance);
		if (outfile_open(&o, path, 0600, OUTFILE_WHOLE |
		    OUTFILE_NOFOLLOW) == 0)
			(void)outfile_write(&o, line, (size_t)n);
		/* Somebody else may have been first, or last. */
		if (read_instance(path, found))
			strlcpy(j->instance, found, sizeof(j->instance));
	}
	free(path);
}

void
dir_make(struct job *j)
{
	static const char *const parts[] = { "in", "out", "net" };
	int fd;

	j->state = own_dir(&state_dir);
	find_instance(j);
	vm_job_sweep(j->state);
	backend_sweep(&j->backend);
	/* The number counts the runs of one process, which here are one. */
	snprintf(j->run_id, sizeof(j->run_id), "%" PRId64 "-%ld-1",
	    clock_ms(CLOCK_REALTIME), (long)getpid());
	snprintf(j->id, sizeof(j->id), "%s-%s", j->run_id,
	    j->build ? "build" : "run");
	if (asprintf(&j->dir, "%s/%s", j->state, j->id) == -1)
		refuse_errno("memory");
	start_reaper(j);
	if (mkdir(j->dir, 0700) == -1 ||
	    (fd = open(j->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		refuse_errno("%s", j->dir);
	write_text(j, fd, "driver", j->backend.name);
	if (vm_job_remember(fd) == -1)
		cannot_make(j, "variables");
	write_job(j, fd);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if ((i < 2 || (j->net && j->backend.net_socket)) &&
		    mkdirat(fd, parts[i], 0700) == -1)
			cannot_make(j, parts[i]);
	close(fd);
}

void
dir_remove(struct job *j)
{
	if (vm_job_end(j->dir, 0) == -1)
		note("%s cannot be removed; the reaper goes on trying", j->dir);
	close(alive);
}
