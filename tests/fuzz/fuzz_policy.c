/*
 * The policy reader: what it takes compiles, gates read what was compiled, and
 * canonical bytes mean the same.
 */
#include <stdio.h>
#include <string.h>

#include "form.h"
#include "fuzz.h"
#include "policy.h"

static void
check_errors(const struct policy_errors *es)
{
	size_t i;

	for (i = 0; i < es->n; i++) {
		MUST(i == 0 || es->list[i].at >= es->list[i - 1].at);
		MUST(es->list[i].line >= 1 && es->list[i].column >= 1);
		MUST(strncmp(es->list[i].path, "policy", 6) == 0);
		/* Nothing that a terminal would obey. */
		MUST(es->list[i].path[strcspn(es->list[i].path,
		    "\n\033\177")] == '\0');
		MUST(es->list[i].message[strcspn(es->list[i].message,
		    "\n\033\177")] == '\0');
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct policy_errors es;
	struct policy *p, *again;
	struct form *f;
	char *form, *form2, *text, err[256];
	size_t len, len2, n;
	FILE *fp;

	p = policy_parse((const char *)data, size, &es);
	MUST((p == NULL) == (es.n > 0));
	check_errors(&es);
	policy_errors_free(&es);
	if (p == NULL)
		return 0;

	form = policy_form(p, "/root dir", &len, NULL, NULL);
	f = form_parse(form, len, err, sizeof(err));
	MUST(f != NULL);
	text = form_text(f, &n);
	MUST(n == len && memcmp(text, form, n) == 0);
	free(text);

	fp = open_memstream(&text, &n);
	MUST(fp != NULL);
	json_write(fp, json_root(policy_json(p)), JSON_PRETTY);
	MUST(fclose(fp) == 0);
	again = policy_parse(text, n, &es);
	MUST(again != NULL);
	form2 = policy_form(again, "/root dir", &len2, NULL, NULL);
	MUST(len == len2 && memcmp(form, form2, len) == 0);

	free(form);
	free(form2);
	free(text);
	form_free(f);
	policy_free(p);
	policy_free(again);
	return 0;
}
