/* Numbers as people write them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "x07.h"

struct unit {
	const char	*name;
	int64_t		factor;
};

static const struct unit durations[] = {
	{ "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 },
	{ "d", 86400000 }, { NULL, 0 },
};

static const struct unit sizes[] = {
	{ "B", 1 },
	{ "K", INT64_C(1) << 10 }, { "KiB", INT64_C(1) << 10 },
	{ "M", INT64_C(1) << 20 }, { "MiB", INT64_C(1) << 20 },
	{ "G", INT64_C(1) << 30 }, { "GiB", INT64_C(1) << 30 },
	{ "T", INT64_C(1) << 40 }, { "TiB", INT64_C(1) << 40 },
	{ NULL, 0 },
};

/* The unit that the letters at s name; the longest of them decides. */
static const struct unit *
find_unit(const struct unit *u, const char *s, size_t len)
{
	for (; u->name != NULL; u++)
		if (strlen(u->name) == len && strncmp(u->name, s, len) == 0)
			return u;
	return NULL;
}

static bool
digit(char c)
{
	return c >= '0' && c <= '9';
}

/*
 * One "digits[.digits]unit" or ".digitsunit" at *s, added to *sum in the smallest
 * unit. A bare number counts in bare.
 */
static int
parse_term(const char **s, const struct unit *units, int64_t bare, int64_t *sum)
{
	int64_t whole = 0, part = 0, scale = 1, factor = bare, v;
	const char *p = *s, *letters;
	const struct unit *u;

	if (!digit(*p) && (*p != '.' || !digit(p[1])))
		goto invalid;
	for (; digit(*p); p++)
		if (__builtin_mul_overflow(whole, 10, &whole) ||
		    __builtin_add_overflow(whole, *p - '0', &whole))
			goto range;
	if (*p == '.') {
		if (!digit(p[1]))
			goto invalid;
		for (p++; digit(*p); p++)
			if (scale < 1000000) {
				part = part * 10 + (*p - '0');
				scale *= 10;
			}
	}
	for (letters = p; (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z');)
		p++;
	if (p > letters) {
		u = find_unit(units, letters, (size_t)(p - letters));
		if (u == NULL)
			goto invalid;
		factor = u->factor;
	} else if (*p != '\0')
		goto invalid;
	/* Nobody means a part of a byte. */
	if (part != 0 && factor == 1 && units == sizes)
		goto invalid;
	if (__builtin_mul_overflow(whole, factor, &v) ||
	    __builtin_add_overflow(v, part * (factor / scale) +
	    part * (factor % scale) / scale, &v) ||
	    __builtin_add_overflow(*sum, v, sum))
		goto range;
	*s = p;
	return 0;
invalid:
	errno = EINVAL;
	return -1;
range:
	errno = ERANGE;
	return -1;
}

int
parse_duration(const char *s, int64_t *ms)
{
	*ms = 0;
	do {
		if (parse_term(&s, durations, 1000, ms) == -1)
			return -1;
	} while (*s != '\0');
	return 0;
}

int
parse_size(const char *s, int64_t *bytes)
{
	*bytes = 0;
	if (parse_term(&s, sizes, 1, bytes) == -1)
		return -1;
	if (*s != '\0') {
		errno = EINVAL;
		return -1;
	}
	return 0;
}
