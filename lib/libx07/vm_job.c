/*
 * vm_job.c - the directory of a job, and its end.
 *
 * job.json is locked by x07-vmrun and, once that is gone, by who ends the job: a job
 * whose lock can be had belongs to nobody any more. No process number and no clock is
 * asked, so nothing that is alive is ever taken for dead.
 */
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "io.h"
#include "remove.h"
#include "vm.h"
#include "x07.h"

#define NEW_S		60	/* a directory this young may still be in the making */

/* The name of the job's driver, "qemu"; NULL when it is not to be had. */
static char *
driver_of(const char *dir)
{
	char *path = path_in(dir, "driver"), name[64];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n;

	free(path);
	n = fd == -1 ? -1 : read(fd, name, sizeof(name) - 1);
	if (fd != -1)
		close(fd);
	if (n <= 0)
		return NULL;
	name[n] = '\0';
	name[strcspn(name, "\n")] = '\0';
	return strchr(name, '/') == NULL ? strdup(name) : NULL;
}

/* ---- its runtime ---- */

#define VARIABLES	"variables"
#define VARIABLES_MAX	65536
#define OUR_VARIABLES	"X07_VM_"

/* Beside ours, those of the runtimes; none of them is a secret. */
static const char *const runtimes[] = {
	"CONTAINERS_CONF", "CONTAINERS_CONF_OVERRIDE", "CONTAINERS_STORAGE_CONF",
	"CONTAINER_CONNECTION", "CONTAINER_HOST", "CONTAINER_SSHKEY",
	"DOCKER_CERT_PATH", "DOCKER_CONFIG", "DOCKER_CONTEXT", "DOCKER_HOST",
	"DOCKER_TLS_VERIFY", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR",
};

extern char **environ;

/* The length of the name in "NAME=VALUE" when it is one that decides; else 0. */
static size_t
decides(const char *variable)
{
	size_t len = strcspn(variable, "=");

	if (variable[len] == '\0')
		return 0;
	if (strncmp(variable, OUR_VARIABLES, strlen(OUR_VARIABLES)) == 0)
		return len;
	for (size_t i = 0; i < sizeof(runtimes) / sizeof(runtimes[0]); i++)
		if (strlen(runtimes[i]) == len &&
		    strncmp(variable, runtimes[i], len) == 0)
			return len;
	return 0;
}

int
vm_job_remember(int dir)
{
	int fd = openat(dir, VARIABLES, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
	    0600), ret = 0, err;

	if (fd == -1)
		return -1;
	for (char **v = environ; ret == 0 && *v != NULL; v++)
		if (decides(*v) > 0)
			ret = write_all(fd, *v, strlen(*v) + 1);
	err = errno;
	if (close(fd) == -1 && ret == 0)
		return -1;
	errno = err;
	return ret;
}

/* Makes them those of the job again. */
static void
recall(const char *dir)
{
	char *path = path_in(dir, VARIABLES), *text = calloc(1, VARIABLES_MAX + 1);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = -1;
	size_t len;

	if (fd != -1 && text != NULL)
		n = read(fd, text, VARIABLES_MAX);
	if (fd != -1)
		close(fd);
	free(path);
	if (n == -1)
		return;
	for (char **v = environ; *v != NULL;) {
		len = decides(*v);
		path = len > 0 ? strndup(*v, len) : NULL;
		/* The list becomes another one under us. */
		if (path != NULL && unsetenv(path) == 0)
			v = environ;
		else
			v++;
		free(path);
	}
	for (char *p = text; p < text + n; p += strlen(p) + 1)
		if (decides(p) > 0)
			putenv(p);
}

/* vm-NAME kill --id ID --dir DIR --grace MS. Returns its status. */
static int
run_kill(const char *driver, const char *id, const char *dir, int64_t grace_ms)
{
	char name[80], grace[24], *tool;
	int wstatus = -1;
	pid_t pid;

	snprintf(name, sizeof(name), "vm-%s", driver);
	snprintf(grace, sizeof(grace), "%lld", (long long)grace_ms);
	pid = fork();
	if (pid == 0) {
		recall(dir);
		tool = vm_tool(name);
		execl(tool, name, "kill", "--id", id, "--dir", dir, "--grace",
		    grace, (char *)NULL);
		refuse_errno("%s", tool);
	}
	while (pid > 0 && waitpid(pid, &wstatus, 0) == -1 && errno == EINTR)
		continue;
	return pid > 0 && WIFEXITED(wstatus) ? WEXITSTATUS(wstatus) : -1;
}

int
vm_job_end(const char *dir, int64_t grace_ms)
{
	const char *id = strrchr(dir, '/');
	char *driver = driver_of(dir);
	int status = 0;

	if (id != NULL && driver != NULL)
		status = run_kill(driver, id + 1, dir, grace_ms);
	free(driver);
	if (status != 0)
		return -1;
	return remove_tree(dir);
}

/* ---- what others left ---- */

int
vm_job_take(const char *dir)
{
	char *path = path_in(dir, "job.json");
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	free(path);
	if (fd != -1 && flock(fd, LOCK_EX | LOCK_NB) == -1) {
		close(fd);
		errno = EWOULDBLOCK;
		return -1;
	}
	return fd;
}

/* Has no job.json, though it is not in the making either. */
static bool
was_left_half_made(const char *dir)
{
	struct stat st;

	return stat(dir, &st) == 0 && time(NULL) - st.st_mtime > NEW_S;
}

static void
sweep_one(const char *dir)
{
	int lock = vm_job_take(dir);

	if (lock == -1 && (errno != ENOENT || !was_left_half_made(dir)))
		return;
	if (vm_job_end(dir, 0) == -1)
		note("%s: left by an earlier run, and cannot be removed", dir);
	if (lock != -1)
		close(lock);
}

void
vm_job_sweep(const char *state)
{
	struct dirent *de;
	DIR *d = opendir(state);
	char *path;

	while (d != NULL && (de = readdir(d)) != NULL) {
		if (!vm_id_valid(de->d_name))
			continue;
		path = path_in(state, de->d_name);
		sweep_one(path);
		free(path);
	}
	if (d != NULL)
		closedir(d);
}
