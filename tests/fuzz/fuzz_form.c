/* The normal form: a form that is read has the only bytes it can have. */
#include <string.h>

#include "form.h"
#include "fuzz.h"
#include "keys.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *const *items;
	struct form *f;
	char *text, err[256] = "";
	size_t i, j, n, len;

	if ((f = form_parse((const char *)data, size, err, sizeof(err))) == NULL) {
		MUST(err[0] != '\0' && err[strcspn(err, "\n\033\177")] == '\0');
		return 0;
	}
	for (i = 0; i < policy_nkeys; i++) {
		const struct key *k = &policy_keys[i];

		if ((k->flags & KEY_NOFORM) != 0)
			continue;
		n = form_list(f, k->path, &items);
		MUST(key_is_list(k) ? n <= k->max_items : n == 1);
		for (j = 0; j < n; j++)
			MUST(*items[j] != '\0');
		if (k->type == KEY_INT)
			MUST(form_int(f, k->path, -1) >= k->min &&
			    form_int(f, k->path, -1) <= k->max);
	}
	text = form_text(f, &len);
	MUST(len == size && memcmp(text, data, size) == 0);
	free(text);
	form_free(f);
	return 0;
}
