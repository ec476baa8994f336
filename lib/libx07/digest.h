/*
 * digest.h - SHA-256. By nettle, which uses the instructions that the processor has
 * for it: a bundle checks some ten megabytes before it starts anything.
 */
#ifndef DIGEST_H
#define DIGEST_H

#include <nettle/sha2.h>
#include <stddef.h>

#define DIGEST_LEN	32			/* bytes */
#define DIGEST_HEX	(2 * DIGEST_LEN + 1)	/* as text, with the NUL */

struct digest {
	struct sha256_ctx	ctx;
};

void	digest_start(struct digest *);
void	digest_add(struct digest *, const void *data, size_t len);
/* The digest of what was added; start again before adding more. */
void	digest_end(struct digest *, unsigned char value[DIGEST_LEN]);
/* The same as text. Returns hex. */
char	*digest_end_hex(struct digest *, char hex[DIGEST_HEX]);

/* The digest of len bytes. */
void	digest_value(const void *data, size_t len, unsigned char value[DIGEST_LEN]);
/* The same as text. Returns hex. */
char	*digest_of(const void *data, size_t len, char hex[DIGEST_HEX]);

/* A digest as lower-case hexadecimal digits. Returns hex. */
char	*digest_hex(const unsigned char value[DIGEST_LEN], char hex[DIGEST_HEX]);

#endif
