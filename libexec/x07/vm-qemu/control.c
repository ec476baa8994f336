/* The control port: frames out, frames in. */
#include <sys/random.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "vm-qemu.h"

#define SEED_BYTES	32

void
control_send(struct control *c, enum frame_type type, const void *payload,
    size_t len)
{
	struct frame f = { (uint32_t)type, (uint32_t)len };

	if (len > FRAME_MAX_TO_GUEST)
		refuse("arguments, environment or policy are too long for the "
		    "guest (%zu bytes)", len);
	if (c->out_len + sizeof(f) + len > c->out_space) {
		c->out_space = (c->out_len + sizeof(f) + len) * 2;
		c->out = realloc(c->out, c->out_space);
		if (c->out == NULL)
			refuse_errno("memory");
	}
	memcpy(c->out + c->out_len, &f, sizeof(f));
	if (len > 0)
		memcpy(c->out + c->out_len + sizeof(f), payload, len);
	c->out_len += sizeof(f) + len;
}

/* ---- the request ---- */

/* Guests of one image would all draw the same random numbers. */
static void
send_seed(struct control *c)
{
	static const char key[] = "seed=";
	unsigned char seed[SEED_BYTES];
	char text[sizeof(key) + 2 * SEED_BYTES];

	if (getrandom(seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		refuse_errno("no random numbers");
	memcpy(text, key, sizeof(key));
	for (size_t i = 0; i < sizeof(seed); i++)
		snprintf(text + sizeof(key) - 1 + 2 * i, 3, "%02x", seed[i]);
	control_send(c, FRAME_REQUEST, text, sizeof(text));
}

void
control_request(struct control *c, const struct vm_run *r,
    const struct image *im)
{
	char clock[64], *text;
	size_t len;
	int n;

	text = vm_request(r, im->share, &len);
	control_send(c, FRAME_REQUEST, text, len);
	free(text);
	if (r->clock < 0) {
		n = snprintf(clock, sizeof(clock), "clock=%jd",
		    (intmax_t)time(NULL));
		control_send(c, FRAME_REQUEST, clock, (size_t)n + 1);
	}
	send_seed(c);
	text = vm_load_fd(r->policy_fd, &len);
	control_send(c, FRAME_POLICY, text, len);
	free(text);
}

/* ---- bytes ---- */

bool
control_flush(struct control *c)
{
	ssize_t n;

	while (c->out_len > 0) {
		n = write(c->fd, c->out, c->out_len);
		if (n == -1)
			return errno == EAGAIN || errno == EINTR;
		c->out_len -= (size_t)n;
		memmove(c->out, c->out + n, c->out_len);
	}
	return true;
}

bool
control_read(struct control *c)
{
	ssize_t n = read(c->fd, c->in + c->in_len, sizeof(c->in) - c->in_len);

	if (n == -1)
		return errno == EAGAIN || errno == EINTR;
	c->in_len += (size_t)n;
	return n > 0;
}

bool
control_next(struct control *c, struct frame *f, char *payload)
{
	if (c->in_len < sizeof(*f))
		return false;
	memcpy(f, c->in, sizeof(*f));
	if (f->len > FRAME_MAX_TO_HOST)
		refuse("the guest sent a frame of %u bytes, which none may have",
		    f->len);
	if (c->in_len - sizeof(*f) < f->len)
		return false;
	memcpy(payload, c->in + sizeof(*f), f->len);
	payload[f->len] = '\0';
	c->in_len -= sizeof(*f) + f->len;
	memmove(c->in, c->in + sizeof(*f) + f->len, c->in_len);
	return true;
}
