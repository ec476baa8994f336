/*
 * places.h - paths of a policy: where they are, and which of them hold others.
 */
#ifndef PLACES_H
#define PLACES_H

#include "x07-policy.h"

struct place {
	const char	*item;	/* as the policy has it; the form's */
	char		*path;	/* absolute, without //, /./ and a final / */
	char		*real;	/* the same with the links of this machine followed */
	bool		 exact;	/* has a "..", which only the kernel can follow */
};

struct places {
	struct place	*list;
	size_t		 n;
};

/* Asked in doubt, in the one direction or the other. */
enum surety { SURELY, PERHAPS };

struct place	 place_of(const struct form *, const char *item);
void		 place_free(struct place *);
/* The items of a list. */
struct places	 places_of(const struct form *, const char *key);
void		 places_free(struct places *);

/* True when the place itself is among them. */
bool		 places_have(const struct places *, const struct place *);
/*
 * True when it surely is, or is below one of them; with hidden, no name on the
 * way down begins with a dot.
 */
bool		 places_hold(const struct places *, const struct place *,
		    bool hidden);
/*
 * True when the nearest root above a place, or the place, is a write root, not
 * a read root; with hidden, as above.
 */
bool		 place_writable(const struct place *, const struct places *writes,
		    const struct places *reads, bool hidden, enum surety);

#endif
