/* words.c - the words of a command line that is put together. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "words.h"
#include "x07.h"

void
words_add(struct words *w, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (w->n == WORDS_MAX)
		abort();
	va_start(ap, fmt);
	n = vasprintf(&w->list[w->n++], fmt, ap);
	va_end(ap);
	if (n == -1)
		refuse_errno("memory");
	w->list[w->n] = NULL;
}
