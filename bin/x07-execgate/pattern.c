/*
 * The patterns of process.allow_args_regex_lite: bytes, "." for any byte, "\x"
 * for the byte x, each with or without "*" behind it (zero or more); the
 * whole argument must match. All ways are followed at once, so that no
 * pattern takes longer than its length times the argument's.
 */
#include <stdlib.h>
#include <string.h>

#include "execgate.h"

#define TOKENS_MAX	256	/* of the policy format */

struct token {
	unsigned char	byte;
	bool		any;
	bool		star;
};

/* Returns the number of tokens, or -1: not a pattern. */
static int
tokens(struct token *t, const char *pat)
{
	int n = 0;

	for (; *pat != '\0'; pat++, n++) {
		if (n == TOKENS_MAX || *pat == '*')
			return -1;
		t[n] = (struct token){ .any = *pat == '.' };
		if (*pat == '\\' && *++pat == '\0')
			return -1;
		t[n].byte = (unsigned char)*pat;
		if (pat[1] == '*') {
			t[n].star = true;
			pat++;
		}
	}
	return n;
}

/* A starred token may be passed without any byte. */
static void
pass_stars(bool *at, const struct token *t, int n)
{
	for (int i = 0; i < n; i++)
		if (at[i] && t[i].star)
			at[i + 1] = true;
}

bool
pattern_match(const char *pat, const char *s)
{
	struct token t[TOKENS_MAX];
	bool at[TOKENS_MAX + 1] = { true }, next[TOKENS_MAX + 1];
	int n = tokens(t, pat);

	if (n <= 0)
		return false;
	pass_stars(at, t, n);
	for (; *s != '\0'; s++) {
		memset(next, 0, sizeof(next));
		for (int i = 0; i < n; i++)
			if (at[i] && (t[i].any || t[i].byte == (unsigned char)*s))
				next[t[i].star ? i : i + 1] = true;
		memcpy(at, next, sizeof(at));
		pass_stars(at, t, n);
	}
	return at[n];
}
