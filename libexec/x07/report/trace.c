/* From what would have been denied to a policy that would not. */
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report.h"
#include "x07.h"

#define RECORDS_MAX	(16L << 20)	/* bytes that are kept */

static FILE	*records;
static bool	 full;

void
trace_add(const char *record, size_t len)
{
	if (records == NULL && (records = tmpfile()) == NULL)
		refuse_errno("--trace");
	if (full)
		return;
	if (ftell(records) + (long)len > RECORDS_MAX) {
		full = true;
		note("--trace: more than %ld bytes of records; the rest is left out",
		    RECORDS_MAX);
		return;
	}
	fwrite(record, 1, len, records);
}

/* Opens what replaces out when it is whole. */
static int
open_temp(const char *out, char **temp)
{
	const char *slash = strrchr(out, '/');

	if (asprintf(temp, "%.*s.%s.%ld.tmp", (int)(slash - out) + 1, out,
	    slash + 1, (long)getpid()) == -1)
		return -1;
	return open(*temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
}

static void
become_suggest(const char *x07_policy, const char *root, const char *base,
    int fd)
{
	char log[32];
	int in = fileno(records);

	snprintf(log, sizeof(log), "/dev/fd/%d", in);
	if (lseek(in, 0, SEEK_SET) == -1 || fcntl(in, F_SETFD, 0) == -1 ||
	    dup2(fd, STDOUT_FILENO) == -1)
		refuse_errno("--trace");
	execl(x07_policy, x07_policy, "suggest", "-C", root, "--", log, base,
	    (char *)NULL);
	chain_exec_failed(x07_policy);
}

void
trace_suggest(const char *x07_policy, const char *root, const char *base,
    const char *out)
{
	int fd, wstatus = 0;
	char *temp = NULL;
	pid_t pid;

	fflush(records);
	fd = open_temp(out, &temp);
	if (fd == -1) {
		note("--trace: %s: %s; the policy follows on standard error", out,
		    strerror(errno));
		fd = STDERR_FILENO;
	}
	pid = fork();
	if (pid == 0)
		become_suggest(x07_policy, root, base, fd);
	while (pid > 0 && waitpid(pid, &wstatus, 0) == -1 && errno == EINTR)
		continue;
	if (fd == STDERR_FILENO)
		return;
	if (pid > 0 && wstatus == 0 && close(fd) == 0 && rename(temp, out) == 0)
		note("the policy with these additions: %s (judge it, then use it "
		    "with --policy)", out);
	else
		unlink(temp);
	free(temp);
}
