/*
 * get - one value of a policy, for shells.
 */
#include <string.h>
#include <unistd.h>

#include "form.h"
#include "x07-policy.h"

/* notes and schema_version, which the normal form leaves out. */
static int
get_text(const char *file, const char *path)
{
	const struct json_value *v = policy_value(load_policy(file), path);

	if (v == NULL)
		return EXIT_NO;
	printf("%s\n", v->string);
	return EXIT_YES;
}

static int
get_value(const struct form *f, const struct key *key)
{
	const char *const *items;
	size_t i, n;

	if (key_is_list(key)) {
		n = form_list(f, key->path, &items);
		for (i = 0; i < n; i++)
			printf("%s\n", items[i]);
	} else if (key->type == KEY_BOOL)
		printf("%s\n", form_bool(f, key->path, false) ? "true" : "false");
	else
		printf("%s\n", form_get(f, key->path));
	return EXIT_YES;
}

/* Says what a path that is no key may have been meant to be. */
static _Noreturn void
no_key(const char *path)
{
	const char *dot = strrchr(path, '.');
	char object[64] = "", meant[64];
	size_t i, n = strlen(path);

	for (i = 0; i < policy_nkeys; i++)
		if (strncmp(policy_keys[i].path, path, n) == 0 &&
		    policy_keys[i].path[n] == '.')
			die("%s is an object; ask for one of its keys, such as %s",
			    path, policy_keys[i].path);
	if (dot != NULL && (size_t)(dot - path) < sizeof(object))
		strlcpy(object, path, (size_t)(dot - path) + 1);
	if (policy_nearest(object, dot == NULL ? path : dot + 1, meant,
	    sizeof(meant)))
		die("no key %s; did you mean %s?", path, meant);
	die("no key %s; x07-policy explain FILE lists them", path);
}

int
cmd_get(int argc, char **argv)
{
	const char *root = NULL, *path;
	const struct key *key;
	int ch;

	while ((ch = getopt(argc, argv, "+C:")) != -1)
		switch (ch) {
		case 'C':
			root = optarg;
			break;
		default:
			usage_error();
		}
	argc -= optind;
	argv += optind;
	if (argc != 2)
		usage_error();
	path = argv[1];
	if (strncmp(path, "policy.", 7) == 0)
		path += 7;
	if ((key = key_find(path)) == NULL)
		no_key(path);
	if ((key->flags & KEY_NOFORM) != 0)
		return get_text(argv[0], path);
	return get_value(load_parsed_form(argv[0], root), key);
}
