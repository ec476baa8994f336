/* A table of parts becomes a command line. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "vm-ctr.h"
#include "x07.h"

static const char *format(const char *, ...)
    __attribute__((format(printf, 1, 2)));

static const char *
format(const char *fmt, ...)
{
	va_list ap;
	char *text;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n == -1)
		refuse_errno("memory");
	return text;
}

char *
container_name(const char *id)
{
	char *name;

	if (asprintf(&name, "x07-%s", id) == -1)
		refuse_errno("memory");
	return name;
}

const char *
share_tag(const struct job *j, size_t i)
{
	const char *target = j->mounts[i].target;

	return strcmp(target, "/x07/in") == 0 ? "x07in" :
	    strcmp(target, "/x07/out") == 0 ? "x07out" : format("x07m%zu", i);
}

static int64_t
round_up(int64_t n, int64_t unit)
{
	return n / unit + (n % unit != 0);
}

static const char *
setting(const struct part *p)
{
	const char *value = getenv(p->variable);

	return value != NULL && *value != '\0' ? value : p->dflt;
}

/* Milliseconds until the deadline, at least 1. */
static int64_t
left_ms(const struct vm_run *r)
{
	struct timespec ts;
	int64_t left;

	clock_gettime(CLOCK_REALTIME, &ts);
	left = r->deadline_ms - (int64_t)ts.tv_sec * 1000;
	return left > 0 ? left : 1;
}

/* The value that stands behind the word; NULL: neither is said. */
static const char *
value_of(const struct job *j, const struct part *p)
{
	const struct vm_run *r = j->run;

	switch (p->kind) {
	case PART_SETTING:
		return setting(p);
	case PART_NAME:
		return j->name;
	case PART_IMAGE:
		return j->image;
	case PART_DIGEST_OF:
		return j->about;
	case PART_FILTER:
		return format("name==%s", j->about);
	case PART_MEMORY_MIB:
		return r->memory > 0 ?
		    format("%" PRId64 "m", round_up(r->memory, 1 << 20)) : NULL;
	case PART_MEMORY_BYTES:
		return r->memory > 0 ? format("%" PRId64, r->memory) : NULL;
	case PART_CPUS:
		return r->cpus > 0 ? format("%" PRId64, r->cpus) : NULL;
	case PART_GRACE:
		return format("%" PRId64, round_up(j->grace_ms, 1000));
	case PART_SECONDS:
		return format("%" PRId64, round_up(left_ms(r), 1000));
	case PART_WALL_MS:
		return format("%" PRId64, r->wall_ms > 0 ? r->wall_ms : left_ms(r));
	case PART_GRACE_MS:
		return format("%" PRId64, r->grace_ms > 0 ? r->grace_ms : 1);
	case PART_ID:
		return r->id;
	case PART_DIR:
		return r->dir;
	case PART_USER:
		return format("%u:%u", (unsigned)getuid(), (unsigned)getgid());
	case PART_STARTED:
		return j->started;
	default:
		return NULL;
	}
}

static bool
holds(const struct job *j, const struct part *p)
{
	switch (p->kind) {
	case PART_WORD:
		return true;
	case PART_TTY:
		return j->run->tty;
	case PART_IF_ROOT:
		return getuid() == 0;
	case PART_IF_USER:
		return getuid() != 0;
	case PART_IF_NET:
		return vm_has_channel(j->run);
	default:
		return false;
	}
}

static void
add_labels(struct vm_list *w, const struct job *j, const struct part *p)
{
	for (size_t i = 0; i < j->run->labels.n; i++) {
		vm_list_add(w, p->word);
		vm_list_add(w, j->run->labels.list[i]);
		if (p->kind == PART_LABELS_TWICE) {
			vm_list_add(w, "--annotation");
			vm_list_add(w, j->run->labels.list[i]);
		}
	}
}

static void
add_mounts(struct vm_list *w, const struct job *j, const struct part *p)
{
	for (size_t i = 0; i < j->nmounts; i++) {
		const struct vm_mount *m = &j->mounts[i];

		vm_list_add(w, p->word);
		vm_list_add(w, p->kind == PART_MOUNTS ?
		    format("type=bind,source=%s,target=%s%s", m->source,
		    m->target, m->read_only ? ",readonly" : "") :
		    format("type=bind,src=%s,dst=%s,options=rbind%s", m->source,
		    m->target, m->read_only ? ":ro" : ""));
	}
}

static void
add_shares(struct vm_list *w, const struct job *j, const struct part *p)
{
	for (size_t i = 0; i < j->nmounts; i++) {
		vm_list_add(w, p->word);
		vm_list_add(w, share_tag(j, i));
		vm_list_add(w, j->mounts[i].source);
		vm_list_add(w, j->mounts[i].read_only ? "ro" : "rw");
	}
}

/* A limit that the runtime can not hold here; x07-limit in the container does. */
static bool
left_out(const struct job *j, const struct part *p)
{
	return p->controller != NULL && j->controllers != NULL &&
	    strstr(j->controllers, p->controller) == NULL;
}

static void
add(struct vm_list *w, const struct job *j, const struct part *p)
{
	const char *value;

	if (left_out(j, p))
		return;
	if (p->kind == PART_LABELS || p->kind == PART_LABELS_TWICE) {
		add_labels(w, j, p);
	} else if (p->kind == PART_MOUNTS || p->kind == PART_MOUNTS_SHORT) {
		add_mounts(w, j, p);
	} else if (p->kind == PART_SHARES) {
		add_shares(w, j, p);
	} else if ((value = value_of(j, p)) != NULL) {
		if (p->word != NULL)
			vm_list_add(w, p->word);
		vm_list_add(w, value);
	} else if (holds(j, p)) {
		vm_list_add(w, p->word);
	}
}

char **
words(const struct job *j, const struct part *parts)
{
	struct vm_list w = { NULL, 0, 0 };

	for (const struct part *p = j->rt->base; p->kind != PART_END; p++)
		add(&w, j, p);
	for (const struct part *p = parts; p->kind != PART_END; p++)
		add(&w, j, p);
	return (char **)(uintptr_t)w.list;
}
