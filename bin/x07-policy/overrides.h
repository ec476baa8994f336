/*
 * overrides.h - what a run asks of its base policy: hosts and roots, more or less.
 */
#ifndef OVERRIDES_H
#define OVERRIDES_H

#include <stdio.h>

#include "x07-policy.h"

/* One entry of net.allow_hosts, or of the flags. */
struct entry {
	char		 text[HOST_MAX + 1];	/* the host as a policy writes it */
	struct hostspec	 spec;		/* with the ports, ascending */
	bool		 opaque;	/* matches nothing; told apart by text only */
};

struct entries {
	struct entry	*list;
	size_t		 n, cap;
};

struct strings {
	char	**list;
	size_t	  n, cap;
};

struct overrides {
	struct entries	allow, deny;
	struct strings	read_roots, write_roots;
	bool		hosts;		/* some host flag was given */
};

void	strings_add(struct strings *, const char *);

/*
 * Takes one HOST:PORT[,PORT...] (deny: also HOST:*); where says where it comes from.
 * Dies with one line when it is not one.
 */
void	override_host(struct overrides *, const char *spec, bool deny,
	    const char *where);
/* The same for each line of a file, up to a #; blank ones are skipped. */
void	override_host_file(struct overrides *, const char *path, bool deny);
/* Takes one root. */
void	override_root(struct strings *, const char *path, const char *flag);

/*
 * Changes the tree of a policy. Allows first, then denies, so deny wins. Dies
 * when the base forbids what is asked for or a limit of the format is passed.
 */
void	overrides_apply(struct policy *, const struct overrides *);
/* The same without asking what the base forbids as a whole. */
void	overrides_merge(struct policy *, const struct overrides *);
/* The canonical text that is part of a derived policy's digest. */
void	overrides_write(FILE *, const struct overrides *);

#endif
