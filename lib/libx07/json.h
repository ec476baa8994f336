/*
 * json.h - JSON read strictly, every value with its place in the text.
 */
#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define JSON_TEXT_MAX	(16 << 20)	/* bytes of a text */
#define JSON_DEPTH_MAX	64		/* arrays and objects inside each other */
/*
 * Values of a text. The largest valid policy has some 20000; without a cap a
 * text of "[1,1,1," takes forty times its size in memory.
 */
#define JSON_VALUES_MAX	65536

enum json_type {
	JSON_NULL,
	JSON_BOOL,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT,
};

struct json_value {
	enum json_type		 type;
	bool			 boolean;	/* JSON_BOOL */
	const char		*key;		/* name, when member of an object */
	const char		*string;	/* JSON_STRING; JSON_NUMBER: its text */
	size_t			 at, end;	/* where in the text it stands */
	size_t			 key_at;	/* where its name stands; else at */
	const struct json_value	*first;		/* earlier member of that name, or NULL */
	struct json_value	*child, *next;	/* members or elements, in order */
	size_t			 n;		/* how many */
};

/* A text and its values; all are freed with it. */
struct json;

struct json_error {
	size_t	at;			/* offset in the text */
	char	message[120];
};

/*
 * Reads len bytes of RFC 8259 text and nothing beside it: no BOM, no NUL (raw or
 * as \u0000), no bad UTF-8, no lone surrogate, within the limits above. Keeps
 * no reference to buf. Returns NULL with *error set.
 */
struct json		*json_parse(const char *buf, size_t len, struct json_error *);
struct json_value	*json_root(struct json *);
void			 json_free(struct json *);

/* The member of that name, or NULL. */
struct json_value	*json_member(const struct json_value *, const char *key);

/*
 * The integer a number's text spells, without rounding: JSON_INT_OK;
 * JSON_INT_NOT for 1.0, 1e3, -0; JSON_INT_HUGE beyond int64_t.
 */
enum json_int { JSON_INT_OK, JSON_INT_NOT, JSON_INT_HUGE };
enum json_int		 json_int(const struct json_value *, int64_t *);

/*
 * New values; they belong to the document. These refuse (exit 125) when memory
 * is short, as does all below.
 */
struct json_value	*json_new(struct json *, enum json_type);
struct json_value	*json_new_bool(struct json *, bool);
struct json_value	*json_new_int(struct json *, int64_t);
struct json_value	*json_new_string(struct json *, const char *);
/* Puts value behind the elements of an array. */
void			 json_append(struct json_value *array, struct json_value *);
/* Makes value the member of that name, in place of one that is there. */
void			 json_set(struct json *, struct json_value *object,
			    const char *key, struct json_value *);

/*
 * Canonical bytes: members sorted bytewise, two spaces, a final newline; or
 * all on one line without spaces or newline.
 */
enum json_style { JSON_PRETTY, JSON_COMPACT };
void			 json_write(FILE *, const struct json_value *, enum json_style);
/*
 * A string with its quotes, as json_write writes it. Those from elsewhere, such as
 * names of files, need not be UTF-8; U+FFFD stands for each byte that is not.
 */
void			 json_write_string(FILE *, const char *);

/* True when a string is UTF-8, as texts must be. */
bool			 json_utf8_valid(const char *);

/* Line and column (code points), from 1, of offsets asked for in rising order. */
struct json_place {
	const char	*text;
	size_t		 at, line, column;
};
void			 json_place(struct json_place *, size_t at);

#endif
