/*
 * check - everything that is wrong with policies.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "x07-policy.h"

static void
print_json(const char *file, const struct policy_errors *es)
{
	size_t i;

	printf("{\"file\":");
	json_write_string(stdout, file);
	printf(",\"valid\":%s,\"errors\":[", es->n == 0 ? "true" : "false");
	for (i = 0; i < es->n; i++) {
		printf("%s{\"line\":%zu,\"column\":%zu,\"path\":",
		    i > 0 ? "," : "", es->list[i].line, es->list[i].column);
		json_write_string(stdout, es->list[i].path);
		printf(",\"message\":");
		json_write_string(stdout, es->list[i].message);
		printf("}");
	}
	printf("]}\n");
}

/* Checks one file; returns what it means for the exit status. */
static int
check_file(const char *file, bool json)
{
	struct policy_errors es;
	struct policy *p;
	struct bytes b;
	int status;

	if (try_read_file(file, &b) == -1) {
		note("cannot read %s: %s", file, strerror(errno));
		return EXIT_TROUBLE;
	}
	p = policy_parse(b.data, b.len, &es);
	status = p != NULL ? EXIT_YES : EXIT_NO;
	if (json)
		print_json(file, &es);
	else
		print_errors(stderr, file, &es);
	policy_errors_free(&es);
	policy_free(p);
	free(b.data);
	return status;
}

int
cmd_check(int argc, char **argv)
{
	bool json = false;
	int ch, i, s, status = EXIT_YES;

	while ((ch = getopt(argc, argv, "+j")) != -1)
		switch (ch) {
		case 'j':
			json = true;
			break;
		default:
			usage_error();
		}
	if (optind == argc)
		usage_error();
	for (i = optind; i < argc; i++)
		if ((s = check_file(argv[i], json)) > status)
			status = s;
	return status;
}
