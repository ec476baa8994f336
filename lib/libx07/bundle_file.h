/*
 * bundle_file.h - bytes of a bundle that its reader and its writer share.
 */
#ifndef BUNDLE_FILE_H
#define BUNDLE_FILE_H

#include <stdint.h>

#include "bundle.h"

#define BUNDLE_MAGIC	"x07bndl1"
#define BUNDLE_HEADER	"x07-bundle 1"
#define BUNDLE_LOAD_MAX	(64 << 20)	/* bytes of a part that is kept in memory */

/* The last 48 bytes. */
struct bundle_footer {
	char		magic[8];
	uint64_t	len;		/* of the table before it; little-endian */
	unsigned char	digest[DIGEST_LEN];
};

/* To little-endian, and from it. */
static inline uint64_t
bundle_le64(uint64_t n)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return n;
#else
	return __builtin_bswap64(n);
#endif
}

#endif
