/* The watcher's part: a line for what the kernel denies. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "execgate.h"

static const char	no_spawn_flag[] = "--no-spawn was given";
static const char	no_spawn_policy[] = "process.allow_spawn is false";

/* The flag for path, or what to write where there is a policy. */
static const char *
hint(const char *path)
{
	static char buf[4200];

	if (chain.form != NULL)
		snprintf(buf, sizeof(buf), "%s in process.allow_execs", path);
	else
		snprintf(buf, sizeof(buf), "-x %s", path);
	return buf;
}

/* The copy that covers a loader is another file, at the same place. */
static bool
is_loader(const struct os_exec_item *it)
{
	for (size_t i = 0; i < plan.n; i++)
		if (plan.items[i].kind == OS_EXEC_LOADER &&
		    strcmp(plan.items[i].path, it->path) == 0)
			return true;
	return false;
}

/* A listed script is denied when its interpreter is not listed. */
static void
judge_script(const struct os_exec_item *it, struct verdict *v)
{
	static dev_t dev;
	static ino_t ino;
	struct os_exec_item interp;
	struct image im;

	/* The last one that needed no interpreter, because most come often. */
	if (it->dev == dev && it->ino == ino)
		return;
	image_read(&im, it->path);
	if (im.kind != IMAGE_SCRIPT) {
		dev = it->dev;
		ino = it->ino;
		return;
	}
	if (os_exec_open(&interp, im.interp) == -1)
		return;
	close(interp.fd);
	v->allowed = is_listed(&interp);
	v->why = "its interpreter is not in process.allow_execs";
	v->hint = hint(interp.path);
	free(interp.path);
}

/*
 * A search of PATH tries the same file under several names; one line will do.
 */
static bool
said_already(const struct os_event *ev)
{
	static pid_t pid;
	static dev_t dev;
	static ino_t ino;
	bool same = ev->pid == pid && ev->object->dev == dev &&
	    ev->object->ino == ino;

	pid = ev->pid;
	dev = ev->object->dev;
	ino = ev->object->ino;
	return same;
}

static int
judge_exec(const struct os_event *ev)
{
	static bool started;
	const struct os_exec_item *it = ev->object;
	struct verdict v = { .verb = "exec", .pid = ev->pid,
	    .key = "process.allow_execs" };
	int answer = 0;

	/*
	 * What is not there, or no program, fails without us; but with rules
	 * nothing may go on unseen that was not there a moment ago.
	 */
	if (it == NULL)
		return plan.trace ? ev->error : 0;
	if (!it->is_file || !it->is_exec)
		return plan.trace ? EACCES : 0;
	v.object = it->path;
	if (plan.once && chain.dry_run && !started) {
		/* Of all execs, the program's own would not be denied. */
		started = true;
		v.allowed = true;
	} else if (plan.once) {
		v.key = "process.allow_spawn";
		v.why = chain.form != NULL ? no_spawn_policy : no_spawn_flag;
		answer = EACCES;
	} else if (is_loader(it)) {
		v.why = "a loader would run any file";
	} else if (!is_listed(it)) {
		v.why = "not in process.allow_execs";
		v.hint = hint(it->path);
	} else {
		v.allowed = true;
		judge_script(it, &v);
	}
	if (v.allowed && ev->spawn)
		answer = rules_spawn(&v);
	/* A memory file is beyond the other layers, so this one says no. */
	if (!v.allowed && answer == 0 && (plan.trace || os_exec_is_memory(it->fd)))
		answer = EACCES;
	audit_verdict(chain.audit_fd, &v, chain.quiet || said_already(ev),
	    chain.dry_run, NULL);
	return answer;
}

static int
judge_spawn(const struct os_event *ev)
{
	char link[64], exe[4096];
	struct verdict v = { .verb = "spawn", .object = exe, .pid = ev->pid,
	    .key = "process.allow_spawn",
	    .why = chain.form != NULL ? no_spawn_policy : no_spawn_flag };
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%ld/exe", (long)ev->pid);
	n = readlink(link, exe, sizeof(exe) - 1);
	exe[n > 0 ? n : 0] = '\0';
	audit_verdict(chain.audit_fd, &v, chain.quiet, chain.dry_run, NULL);
	return EPERM;
}

static int
judge_started(const struct os_event *ev)
{
	struct verdict v = { .verb = "exec", .object = ev->object->path,
	    .pid = ev->pid };
	int answer = rules_started(ev, &v);

	/* What is allowed was in the log when it was asked for. */
	if (!v.allowed)
		audit_verdict(chain.audit_fd, &v, chain.quiet, false, NULL);
	return answer;
}

int
watch_judge(const struct os_event *ev, void *arg)
{
	static int (*const judges[])(const struct os_event *) = {
		[OS_EVENT_EXEC] = judge_exec,
		[OS_EVENT_SPAWN] = judge_spawn,
		[OS_EVENT_STARTED] = judge_started,
	};
	int answer = judges[ev->kind](ev);

	(void)arg;
	return chain.dry_run ? 0 : answer;
}
