/*
 * report.h - what the parts of report share.
 */
#ifndef REPORT_H
#define REPORT_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>

#include "json.h"

/* ---- denials.c: what the gates decided, from their audit records ---- */

struct denials;

struct denials	*denials_new(void);
/* Takes one record, a JSON line; what is none is counted as lost. */
void		 denials_add(struct denials *, const char *record, size_t len);
/* True when something was denied, or would have been. */
bool		 denials_any(const struct denials *);
/* Puts "denials" and "denials_lost" into object. */
void		 denials_report(const struct denials *, struct json *,
		    struct json_value *object);
/* A line for each thing on standard error, as the gates say them. */
void		 denials_print(const struct denials *);

/* ---- trace.c: from what would have been denied to a policy ---- */

/* Keeps a record for trace_suggest. */
void		 trace_add(const char *record, size_t len);
/*
 * Lets x07-policy suggest what the base policy lacks, and puts the result at
 * out.
 */
void		 trace_suggest(const char *x07_policy, const char *root,
		    const char *base, const char *out);

/* ---- file.c ---- */

/* All of a file in malloced memory with a NUL behind; NULL with errno. */
char		*read_all(int fd, size_t max, size_t *len);

#endif
