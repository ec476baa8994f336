/*
 * policy.h - a policy as people write it: the one reader behind check,
 * compile, derive and all else. It takes what the schema AND the cross-field
 * rules allow.
 */
#ifndef POLICY_H
#define POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json.h"
#include "keys.h"

#define POLICY_SCHEMA	"x07.run-os-policy@0.1.0"
#define POLICY_ID_MAX	64

struct policy_error {
	size_t	at, line, column;	/* offset; both from 1 */
	char	*path;			/* "policy.fs.deny_hiden", printable */
	char	*message;		/* printable */
};

struct policy_errors {
	struct policy_error	*list;	/* in document order */
	size_t			 n, cap;
};

struct policy;

/*
 * Reads a policy. NULL when it is not valid in any way; then errors holds every
 * fault. Refuses (exit 125) only when memory is short.
 */
struct policy		*policy_parse(const char *buf, size_t len,
			    struct policy_errors *);
void			 policy_free(struct policy *);
void			 policy_errors_free(struct policy_errors *);

/* The tree; changing it and reading it again is up to the caller. */
struct json		*policy_json(struct policy *);
/* What the policy says at a path; NULL when it is silent. */
const struct json_value	*policy_value(const struct policy *, const char *path);

/*
 * The normal form, relative roots to be taken from project_root (absolute);
 * malloced, *len bytes. Host entries that can match nothing (wildcards, 127.1)
 * are left out, which grants less, never more; skipped, unless NULL, is told.
 */
typedef void	policy_skipped(void *arg, const char *key, size_t index,
		    const char *host, const char *why);
char	*policy_form(const struct policy *, const char *project_root, size_t *len,
	    policy_skipped *, void *arg);

/* True when s is a policy_id: 1..64 of A-Z a-z 0-9 _ . - */
bool	 policy_id_valid(const char *s);

/*
 * Writes into buf the path that an unknown member of an object was meant to
 * be. Returns false when nothing is near enough.
 */
bool	 policy_nearest(const char *object, const char *name, char *buf,
	    size_t bufsz);

#endif
