/*
 * words.h - the words of a command line that is put together.
 */
#ifndef WORDS_H
#define WORDS_H

#include <stddef.h>

#define WORDS_MAX	96

struct words {
	char	*list[WORDS_MAX + 1];	/* malloced; ends in NULL */
	size_t	n;
};

/* Appends one word, printf(3)-like. Refuses without memory; too many abort. */
void	words_add(struct words *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
