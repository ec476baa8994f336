/* What the host wants to be run. */
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "guestinit.h"
#include "os.h"
#include "x07.h"

/* random(4); the kernel's own header is not for tools. */
#define SEED_BYTES	32
#define ADD_ENTROPY	_IOW('R', 0x03, int[2])
#define RESEED		_IO('R', 0x07)

static void
add(struct strings *s, const char *value)
{
	if (s->n + 2 > s->space) {
		s->space = s->space * 2 + 16;
		s->list = reallocarray(s->list, s->space, sizeof(*s->list));
		if (s->list == NULL)
			fail("the guest is out of memory");
	}
	s->list[s->n] = strdup(value);
	if (s->list[s->n] == NULL)
		fail("the guest is out of memory");
	s->list[++s->n] = NULL;
}

static char *
copy(const char *value)
{
	char *p = strdup(value);

	if (p == NULL)
		fail("the guest is out of memory");
	return p;
}

static int64_t
number(const char *key, const char *value, int64_t max)
{
	const char *why;
	int64_t n = strtonum(value, 0, max, &why);

	if (why != NULL)
		fail("request: %s is %s", key, why);
	return n;
}

static void
add_group(struct request *r, const char *value)
{
	r->groups = reallocarray(r->groups, r->ngroups + 1, sizeof(*r->groups));
	if (r->groups == NULL)
		fail("the guest is out of memory");
	r->groups[r->ngroups++] = (gid_t)number("group", value, UINT32_MAX - 1);
}

enum key {
	KEY_ARG, KEY_AUDIT, KEY_CLOCK, KEY_CWD, KEY_ENV, KEY_GATE, KEY_GID,
	KEY_GROUP, KEY_NET, KEY_PHASE, KEY_READ, KEY_SEED, KEY_SHARE, KEY_TTY, KEY_UID, KEY_USAGE,
	KEY_WALL, KEY_WRITE, KEY_COUNT,
};
static const char *const names[KEY_COUNT] = {
	[KEY_ARG] = "arg", [KEY_AUDIT] = "audit", [KEY_CLOCK] = "clock",
	[KEY_CWD] = "cwd", [KEY_ENV] = "env", [KEY_GATE] = "gate",
	[KEY_GID] = "gid", [KEY_GROUP] = "group", [KEY_NET] = "net", [KEY_PHASE] = "phase",
	[KEY_SEED] = "seed", [KEY_SHARE] = "share", [KEY_TTY] = "tty",
	[KEY_UID] = "uid", [KEY_USAGE] = "usage", [KEY_WALL] = "wall",
	[KEY_READ] = "read", [KEY_WRITE] = "write",
};

static void
take(struct request *r, enum key key, const char *value)
{
	switch (key) {
	case KEY_ARG:
		add(&r->args, value);
		break;
	case KEY_AUDIT:
		r->audit = true;
		break;
	case KEY_CLOCK:
		r->clock = number("clock", value, INT64_MAX);
		break;
	case KEY_CWD:
		r->cwd = copy(value);
		break;
	case KEY_ENV:
		add(&r->env, value);
		break;
	case KEY_GATE:
		add(&r->gates, value);
		break;
	case KEY_GID:
		r->gid = (gid_t)number("gid", value, UINT32_MAX - 1);
		break;
	case KEY_GROUP:
		add_group(r, value);
		break;
	case KEY_READ:
		add(&r->read, value);
		break;
	case KEY_WRITE:
		add(&r->write, value);
		break;
	case KEY_NET:
		r->net = true;
		break;
	case KEY_PHASE:
		r->build = strcmp(value, "build") == 0;
		break;
	case KEY_SEED:
		r->seed = copy(value);
		break;
	case KEY_SHARE:
		r->share = copy(value);
		break;
	case KEY_TTY:
		r->tty = true;
		break;
	case KEY_UID:
		r->uid = (uid_t)number("uid", value, UINT32_MAX - 1);
		break;
	case KEY_USAGE:
		r->usage = true;
		break;
	case KEY_WALL:
		r->wall_ms = number("wall", value, INT64_MAX);
		break;
	default:
		break;
	}
}

/* "key=value" strings, each ended by NUL. */
static void
parse(struct request *r, char *p, size_t len)
{
	char *end = p + len, *value;
	size_t k;

	while (p < end) {
		value = strchr(p, '=');
		if (value == NULL)
			fail("request: no value in '%s'", p);
		*value++ = '\0';
		for (k = 0; k < KEY_COUNT; k++)
			if (strcmp(p, names[k]) == 0)
				break;
		if (k == KEY_COUNT)
			fail("request: unknown key '%s'; the image is older than "
			    "this suite, make a new one: x07-vmrun image", p);
		take(r, (enum key)k, value);
		p = value + strlen(value) + 1;
	}
}

/*
 * Guests restored from one saved state would all draw the same numbers, and one
 * that boots has seen little that is random: the host's seed comes first.
 */
static void
seed_random(const char *hex)
{
	struct {
		int		bits, len;
		unsigned char	bytes[SEED_BYTES];
	} pool = { SEED_BYTES * 8, SEED_BYTES, { 0 } };
	int fd;

	if (hex == NULL || strlen(hex) != 2 * SEED_BYTES)
		fail("request: no seed for the random numbers");
	for (size_t i = 0; i < SEED_BYTES; i++) {
		char two[3] = { hex[2 * i], hex[2 * i + 1], '\0' };

		pool.bytes[i] = (unsigned char)strtoul(two, NULL, 16);
	}
	fd = open("/dev/urandom", O_RDWR | O_CLOEXEC);
	if (fd == -1 || ioctl(fd, ADD_ENTROPY, &pool) == -1 ||
	    ioctl(fd, RESEED) == -1)
		fail_errno("cannot seed the random numbers");
	close(fd);
}

/* The kernel takes no time that is before its own start. */
static void
set_clock(int64_t seconds)
{
	struct timespec ts = { .tv_sec = (time_t)seconds }, up;

	if (clock_gettime(CLOCK_BOOTTIME, &up) == 0 && ts.tv_sec <= up.tv_sec)
		ts.tv_sec = up.tv_sec + 1;
	if (seconds >= 0 && clock_settime(CLOCK_REALTIME, &ts) == -1)
		fail_errno("cannot set the clock");
}

void
request_receive(struct request *r)
{
	static const uint32_t version = PROTO_VERSION;
	struct frame f;
	char *payload;

	memset(r, 0, sizeof(*r));
	r->policy = -1;
	r->clock = -1;
	frame_send(FRAME_HELLO, &version, sizeof(version));
	for (;;) {
		frame_next(&f, &payload, true);
		if (f.type == FRAME_START)
			break;
		if (f.type == FRAME_REQUEST)
			parse(r, payload, f.len);
		else if (f.type == FRAME_POLICY)
			r->policy = os_seal(payload, f.len);
		else if (f.type == FRAME_SIZE && f.len == sizeof(r->size))
			memcpy(&r->size, payload, sizeof(r->size));
		else
			fail("request: unknown frame %u", f.type);
	}
	if (r->args.n == 0 || r->gates.n == 0 || r->policy == -1 ||
	    r->share == NULL || r->cwd == NULL)
		fail("request: incomplete");
	seed_random(r->seed);
	set_clock(r->clock);
}
