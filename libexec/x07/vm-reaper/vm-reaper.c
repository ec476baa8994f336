/*
 * vm-reaper: outlives x07-vmrun when that is killed, and does what it had still to
 * do. See x07-vm-reaper(8).
 */
#include <sys/stat.h>

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "os.h"
#include "vm.h"
#include "x07.h"

#define EXIT_USAGE	2
#define FIRST_MS	100	/* between tries to end the job, doubled */
#define LAST_MS		1000

static _Noreturn void
usage(void)
{
	fputs("usage: vm-reaper --job DIR/job.json --alive FD --deadline UNIX_MS "
	    "--grace MS --cleanup MS\nx07-vmrun(1) runs it; see "
	    "x07-vm-reaper(8)\n", stderr);
	exit(EXIT_USAGE);
}

static int64_t
number(const char *arg)
{
	const char *why;
	int64_t n = strtonum(arg, 0, INT64_MAX, &why);

	if (why != NULL)
		usage();
	return n;
}

/* Until nobody holds the other end of the pipe: true. Or the deadline: false. */
static bool
wait_for_end(int alive, int64_t deadline)
{
	struct pollfd p = { .fd = alive };
	int64_t left;

	while ((left = deadline - clock_ms(CLOCK_REALTIME)) > 0)
		if (poll(&p, 1, left < 60000 ? (int)left : 60000) == 1)
			return true;
	return false;
}

static bool
is_there(const char *dir)
{
	struct stat st;

	return lstat(dir, &st) == 0;
}

/*
 * One who starts a run may have found the job before us: then it is for him to end it,
 * and we look again later.
 */
static int
end(const char *dir, int64_t grace, bool orphan)
{
	int lock = orphan ? vm_job_take(dir) : -1, ret;

	if (orphan && lock == -1 && errno == EWOULDBLOCK)
		return -1;
	ret = vm_job_end(dir, grace);
	if (lock != -1)
		close(lock);
	return ret;
}

/* Tries until the job is gone or until says to give up. */
static void
reap(const char *dir, int64_t grace, bool orphan, int64_t until)
{
	int64_t nap = FIRST_MS;

	while (is_there(dir) && end(dir, grace, orphan) == -1 &&
	    clock_ms(CLOCK_REALTIME) < until) {
		nanosleep(&(struct timespec){ nap / 1000, nap % 1000 * 1000000 },
		    NULL);
		nap = nap * 2 > LAST_MS ? LAST_MS : nap * 2;
		grace = 0;
	}
}

int
main(int argc, char *argv[])
{
	static const struct option longopts[] = {
		{ "job",	required_argument, NULL, 'j' },
		{ "alive",	required_argument, NULL, 'a' },
		{ "deadline",	required_argument, NULL, 'd' },
		{ "grace",	required_argument, NULL, 'g' },
		{ "cleanup",	required_argument, NULL, 'c' },
		{ NULL, 0, NULL, 0 },
	};
	int64_t deadline = 0, grace = 0, cleanup = 0;
	char *job = NULL, *slash;
	int opt, alive = -1;
	bool orphan;

	setprogname("vm-reaper");
	while ((opt = getopt_long(argc, argv, "", longopts, NULL)) != -1) {
		switch (opt) {
		case 'j':
			job = optarg;
			break;
		case 'a':
			alive = (int)number(optarg);
			break;
		case 'd':
			deadline = number(optarg);
			break;
		case 'g':
			grace = number(optarg);
			break;
		case 'c':
			cleanup = number(optarg);
			break;
		default:
			usage();
		}
	}
	if (job == NULL || *job != '/' || alive < 3 || deadline == 0 ||
	    optind != argc)
		usage();
	slash = strrchr(job, '/');
	*slash = '\0';
	/* A session of its own: no terminal's signal is meant for it. */
	setsid();
	signal(SIGPIPE, SIG_IGN);
	if (chdir("/") == -1)
		refuse_errno("/");
	orphan = wait_for_end(alive, deadline);
	if (is_there(job))
		reap(job, orphan ? 0 : grace, orphan,
		    clock_ms(CLOCK_REALTIME) + cleanup);
	return 0;
}
