/*
 * keys.h - the one table of policy keys: what a policy may say, in which
 * range, what holds when it is silent, and which gate makes it true.
 */
#ifndef KEYS_H
#define KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum key_type {
	KEY_BOOL,		/* form: 0 or 1 */
	KEY_INT,		/* form: decimal */
	KEY_STRING,
	KEY_STRINGS,		/* list of strings */
	KEY_INTS,		/* list of integers */
	KEY_HOSTS,		/* list of {host, ports}; form: HOST:PORT[,PORT...] */
};

/* Who makes a key true, in the order of the chain. */
enum key_gate {
	BY_NOBODY,		/* nothing in the suite enforces it */
	BY_FRONT,		/* x07: environment, X07_OS_* variables */
	BY_LIMIT,
	BY_NET,
	BY_FS,
	BY_EXEC,
};

/* When one value of a key grants more than another. */
enum key_sense {
	MORE_NOT,		/* it grants nothing */
	MORE_UP,		/* true more than false, the larger number more */
	MORE_DOWN,		/* false more than true */
	MORE_UP_0_ALL,		/* 0 is no limit */
	MORE_UP_0_ANY,		/* 0 is a default of whoever enforces it */
	MORE_ITEMS,		/* every item */
	MORE_ITEMS_0_ALL,	/* every item, but no items are no limit */
	MORE_WITHOUT,		/* every item less */
	MORE_PATHS,		/* what is below a path comes with it */
	MORE_WRITES,		/* the same, but for fs.read_roots inside */
	MORE_EXECS,		/* the same, below process.allow_exec_prefixes */
	MORE_RANGES,		/* addresses and blocks of them, or other items */
	MORE_HOSTS,		/* net.allow_hosts */
};

enum {
	KEY_REQUIRED = 1 << 0,	/* when the object it is in is there */
	KEY_NOFORM = 1 << 1,	/* not in the normal form */
	KEY_FORMONLY = 1 << 2,	/* only in the normal form */
	KEY_NOSEMI = 1 << 3,	/* no ';' in it, or in an item */
	KEY_ADDRS = 1 << 4,	/* items are hosts without ports */
};

struct key {
	const char	*path;
	enum key_type	 type;
	enum key_gate	 gate;
	enum key_sense	 sense;
	unsigned	 flags;
	int64_t		 min, max;	/* of an integer, or of each integer of a list */
	size_t		 max_items;	/* of a list */
	size_t		 max_len;	/* of a string or an item, code points; 0: no limit */
	const char	*dflt;		/* scalar: value in the form when absent */
};

/* Sorted by path, bytewise. */
extern const struct key	policy_keys[];
extern const size_t	policy_nkeys;

/* An object of the policy that is not a key itself. */
struct key_object {
	const char	*path;		/* "" is the policy */
	bool		 required;	/* when the object it is in is there */
};

/* Sorted by path, bytewise. */
extern const struct key_object	policy_objects[];
extern const size_t		policy_nobjects;

/* The key of that path, or NULL. */
const struct key	*key_find(const char *path);
/* True for lists: more than one line in the form. */
bool			 key_is_list(const struct key *);
/* The name of a gate: "x07-limit", ..., "x07" for the front end, "-". */
const char		*key_gate_name(enum key_gate);
/* The code points of a UTF-8 string of len bytes. */
size_t			 key_strlen(const char *, size_t len);

#endif
