/* SHA-256, and how it is written. */
#include <stdio.h>

#include "digest.h"

void
digest_start(struct digest *d)
{
	sha256_init(&d->ctx);
}

void
digest_add(struct digest *d, const void *data, size_t len)
{
	sha256_update(&d->ctx, len, data);
}

void
digest_end(struct digest *d, unsigned char value[DIGEST_LEN])
{
	sha256_digest(&d->ctx, DIGEST_LEN, value);
}

char *
digest_end_hex(struct digest *d, char hex[DIGEST_HEX])
{
	unsigned char value[DIGEST_LEN];

	digest_end(d, value);
	return digest_hex(value, hex);
}

void
digest_value(const void *data, size_t len, unsigned char value[DIGEST_LEN])
{
	struct digest d;

	digest_start(&d);
	digest_add(&d, data, len);
	digest_end(&d, value);
}

char *
digest_of(const void *data, size_t len, char hex[DIGEST_HEX])
{
	unsigned char value[DIGEST_LEN];

	digest_value(data, len, value);
	return digest_hex(value, hex);
}

char *
digest_hex(const unsigned char value[DIGEST_LEN], char hex[DIGEST_HEX])
{
	for (size_t i = 0; i < DIGEST_LEN; i++)
		snprintf(hex + 2 * i, 3, "%02x", value[i]);
	return hex;
}
