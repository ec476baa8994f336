/*
 * form.h - writing the normal form. Reading it is in x07.h.
 */
#ifndef FORM_H
#define FORM_H

#include <stdbool.h>
#include <stddef.h>

#include "x07.h"

#define FORM_HEADER	"x07-policy 1\n"
#define FORM_MAX	(64 << 20)	/* bytes of a form; more is refused */

/* True for a byte that stands for itself in a value; every other is %XX. */
bool	form_plain(unsigned char);

struct form_writer;

struct form_writer	*form_writer_new(void);
/* Adds a value of a key, encoding it; the same one twice counts once. */
int			 form_writer_add(struct form_writer *, const char *key,
			    const char *value);
/*
 * The finished form in malloced memory, NUL-terminated, *len bytes before
 * the NUL. Frees the writer. NULL with errno when memory is short.
 */
char			*form_writer_finish(struct form_writer *, size_t *len);

/* Writes a parsed form again; the bytes are those it was parsed from. */
char			*form_text(const struct form *, size_t *len);

void			 form_free(struct form *);

#endif
