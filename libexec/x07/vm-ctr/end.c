/* The end of a container, and of those that earlier jobs left. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "vm-ctr.h"
#include "x07.h"

#define SWEEP_MAX	512
#define TRIES		10		/* a removal that is under way already */
#define NAP_MS		100
#define LATE_TRIES	20		/* 2 s or more for what may yet appear */
#define CLIENT_TRIES	100		/* then it is killed: 10 s or more */
#define DEADLINE	"io.x07.deadline_unix_ms"
#define SCHEMA		"io.x07.schema"

static void
nap(int64_t ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&ts, &ts) == -1 && errno == EINTR)
		continue;
}

static void
ask_to_end(const struct job *j)
{
	static struct said s;

	/* docker stop waits so long itself, in whole seconds. */
	control(words(j, j->rt->soft), CONTROL_MS +
	    (j->rt->soft_waits ? (j->grace_ms + 999) / 1000 * 1000 : 0), &s);
	if (s.status == 0 && !j->rt->soft_waits)
		nap(j->grace_ms);
}

/* True when nothing is left; else s tells why. */
static bool
remove_all(const struct job *j, struct said *s)
{
	for (size_t i = 0; i < REMOVES && j->rt->removes[i] != NULL; i++) {
		control(words(j, j->rt->removes[i]), CONTROL_MS, s);
		if (s->status != 0 && !control_gone(s))
			return false;
	}
	return true;
}

/*
 * Ends what runs, again and again while one of the runtime's programs is still there:
 * it may be making the container only now. s is what the last word was. True when
 * something ran.
 */
static bool
end_running(const struct job *j, const char *dir, struct said *s)
{
	bool ran = false;
	pid_t pid;

	for (int i = 0; ; i++) {
		/* Fails where it runs no more: what counts is whether it can be
		 * removed. */
		control(words(j, j->rt->hard), CONTROL_MS, s);
		ran = ran || s->status == 0;
		pid = dir != NULL ? client_of(dir) : 0;
		if (pid <= 0)
			return ran;
		if (i >= CLIENT_TRIES)
			kill(pid, SIGKILL);
		nap(NAP_MS);
	}
}

int
job_end(const struct runtime *rt, const char *name, const char *dir,
    int64_t grace_ms)
{
	struct job j = { .rt = rt, .name = name, .grace_ms = grace_ms };
	static struct said s;
	bool ran;

	if (rt->hard == NULL)
		return 0;
	if (grace_ms > 0)
		ask_to_end(&j);
	ran = end_running(&j, dir, &s);
	if (control_gone(&s) && rt->removes[1] == NULL)
		return 0;
	for (int i = 0; !remove_all(&j, &s); i++) {
		if (i == TRIES || s.slow) {
			note("%s: %s", name, control_why(&s));
			return -1;
		}
		nap(NAP_MS);
	}
	return ran && rt->hard_tells ? 1 : 0;
}

int
job_end_late(const struct runtime *rt, const char *name, const char *dir)
{
	struct job j = { .rt = rt, .name = name };
	static struct said s;

	/* What one of them has removed is what the daemon made. */
	for (int i = 0; i < LATE_TRIES && rt->hard != NULL; i++) {
		control(words(&j, rt->removes[0]), CONTROL_MS, &s);
		if (s.status == 0)
			break;
		nap(NAP_MS);
	}
	return job_end(rt, name, dir, 0);
}

/* ---- sweep ---- */

/* The string that JSON text has for a key, in place; NULL when there is none. */
static char *
json_string(char *text, const char *key)
{
	char quoted[64], *p;

	snprintf(quoted, sizeof(quoted), "\"%s\"", key);
	p = strstr(text, quoted);
	if (p == NULL)
		return NULL;
	p += strlen(quoted);
	p += strspn(p, " \t\r\n:");
	return *p == '"' ? p + 1 : NULL;
}

/* When the job of that name had to be over; -1 when it is none of ours. */
static int64_t
deadline_of(const struct runtime *rt, const char *name)
{
	static struct said s;
	struct job j = { .rt = rt, .name = name };
	const char *schema, *deadline;

	control(words(&j, rt->info), CONTROL_MS, &s);
	if (s.status != 0)
		return -1;
	schema = json_string(s.out, SCHEMA);
	deadline = json_string(s.out, DEADLINE);
	if (schema == NULL || strncmp(schema, "1\"", 2) != 0 || deadline == NULL)
		return -1;
	return strtoll(deadline, NULL, 10);
}

static bool
is_ours(const char *name)
{
	return strncmp(name, "x07-", 4) == 0 && vm_id_valid(name + 4);
}

/* One line of the list: "NAME DEADLINE" or "NAME". */
static int
sweep_one(const struct runtime *rt, char *line)
{
	const char *name = strsep(&line, " \t\r"), *why;
	int64_t deadline;

	if (!is_ours(name))
		return 0;
	if (rt->info != NULL) {
		deadline = deadline_of(rt, name);
	} else {
		deadline = line != NULL ? strtonum(line, 1, INT64_MAX, &why) : 0;
		if (line == NULL || why != NULL)
			return 0;
	}
	if (deadline <= 0 || deadline > clock_ms(CLOCK_REALTIME))
		return 0;
	return job_end(rt, name, NULL, 0);
}

int
sweep_all(const struct runtime *rt)
{
	static struct said s;
	struct job j = { .rt = rt };
	char *p = s.out, *line;
	int status = 0;

	if (rt->list == NULL)
		return 0;
	control(words(&j, rt->list), CONTROL_MS, &s);
	if (s.status != 0) {
		note("%s: %s", rt->what, control_why(&s));
		return 1;
	}
	for (int i = 0; i < SWEEP_MAX && (line = strsep(&p, "\n")) != NULL; i++)
		if (sweep_one(rt, line) == -1)
			status = 1;
	return status;
}
