/* The JSON reader: what is read and written again is the same. */
#include <stdio.h>
#include <string.h>

#include "fuzz.h"
#include "json.h"

static char *
write_text(const struct json_value *v, enum json_style style, size_t *len)
{
	char *text;
	FILE *fp = open_memstream(&text, len);

	MUST(fp != NULL);
	json_write(fp, v, style);
	MUST(fclose(fp) == 0);
	return text;
}

/* Every value stands where it says, members and elements in order. */
static void
check_places(const struct json_value *v, size_t from, size_t to)
{
	const struct json_value *child;
	size_t n = 0;

	MUST(from <= v->key_at && v->key_at <= v->at && v->at < v->end &&
	    v->end <= to);
	from = v->at + 1;
	for (child = v->child; child != NULL; child = child->next, n++) {
		check_places(child, from, v->end - 1);
		from = child->end;
	}
	MUST(n == v->n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum json_style styles[] = { JSON_PRETTY, JSON_COMPACT };
	struct json_error e;
	struct json *doc, *again;
	char *text, *text2;
	size_t i, len, len2;

	if ((doc = json_parse((const char *)data, size, &e)) == NULL) {
		MUST(e.at <= size && *e.message != '\0');
		return 0;
	}
	check_places(json_root(doc), 0, size);
	for (i = 0; i < 2; i++) {
		text = write_text(json_root(doc), styles[i], &len);
		/* Escapes can make a text longer than is read. */
		if ((again = json_parse(text, len, &e)) == NULL) {
			MUST(len > JSON_TEXT_MAX);
		} else {
			text2 = write_text(json_root(again), styles[i], &len2);
			MUST(len == len2 && memcmp(text, text2, len) == 0);
			free(text2);
		}
		json_free(again);
		free(text);
	}
	json_free(doc);
	return 0;
}
