/* One line per event on stderr, so that logs can be read line by line. */
#include <err.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io.h"
#include "x07.h"

#define LINE_MAX_BYTES	2048	/* of one diagnostic */

char *
diag_vis(char *dst, size_t dstsz, const char *src, size_t len)
{
	static const char digits[] = "01234567";
	size_t n = 0;

	if (dstsz < sizeof("..."))
		abort();
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)src[i];
		bool plain = c >= 0x20 && c < 0x7f && c != '\\';

		if (n + (plain ? 1 : 4) + sizeof("...") > dstsz) {
			memcpy(dst + n, "...", 3);
			n += 3;
			break;
		}
		if (plain) {
			dst[n++] = (char)c;
			continue;
		}
		dst[n++] = '\\';
		dst[n++] = digits[c >> 6];
		dst[n++] = digits[c >> 3 & 7];
		dst[n++] = digits[c & 7];
	}
	dst[n] = '\0';
	return dst;
}

static size_t lost;

size_t
diag_lost(void)
{
	return lost;
}

/* One write(2), so that lines of several processes do not mix. */
static void
say(int err, const char *fmt, va_list ap)
{
	char text[LINE_MAX_BYTES], line[LINE_MAX_BYTES], vis[LINE_MAX_BYTES];
	int n, saved = errno;

	vsnprintf(text, sizeof(text), fmt, ap);
	diag_vis(vis, sizeof(vis) - 128, text, strlen(text));
	if (err != 0)
		n = snprintf(line, sizeof(line), "%s: %s: %s\n", getprogname(),
		    vis, strerror(err));
	else
		n = snprintf(line, sizeof(line), "%s: %s\n", getprogname(), vis);
	if (n >= (int)sizeof(line)) {
		n = (int)sizeof(line) - 1;
		line[n - 1] = '\n';
	}
	/* Else nobody is left to tell, or nobody reads it now. */
	if (n > 0 && write_line(STDERR_FILENO, line, (size_t)n) == -1 &&
	    errno == EAGAIN)
		lost++;
	/* Who says why something failed still has to end accordingly. */
	errno = saved;
}

void
refuse(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(0, fmt, ap);
	va_end(ap);
	_exit(EXIT_REFUSED);
}

void
refuse_errno(const char *fmt, ...)
{
	int err = errno;
	va_list ap;

	va_start(ap, fmt);
	say(err, fmt, ap);
	va_end(ap);
	_exit(EXIT_REFUSED);
}

void
note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(0, fmt, ap);
	va_end(ap);
}
