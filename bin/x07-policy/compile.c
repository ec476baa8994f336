/*
 * compile, seal - the normal form: printed, or in a program's hands.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os.h"
#include "x07-policy.h"

#define SEAL_FD	3	/* where gates look by custom; -f for another */

int
cmd_compile(int argc, char **argv)
{
	const char *root = NULL;
	struct bytes f;
	int ch;

	while ((ch = getopt(argc, argv, "+C:")) != -1)
		switch (ch) {
		case 'C':
			root = optarg;
			break;
		default:
			usage_error();
		}
	if (argc - optind != 1)
		usage_error();
	f = load_form(argv[optind], root);
	fwrite(f.data, 1, f.len, stdout);
	return EXIT_YES;
}

/* Puts the form on descriptor fd, sealed, for the programs to come. */
static void
put_form(const struct bytes *f, int fd)
{
	int sealed;

	if ((sealed = os_seal(f->data, f->len)) == -1 && errno == EPERM)
		die("cannot seal the policy: an outer x07-execgate forbids memory "
		    "files and namespaces, so x07 run and the gates do not run "
		    "inside it");
	if (sealed == -1)
		die_errno("cannot seal the policy");
	/* Gates use pread(2), but a shell script may want to read it too. */
	if (lseek(sealed, 0, SEEK_SET) == -1)
		die_errno("cannot seal the policy");
	if (sealed == fd ? fcntl(fd, F_SETFD, 0) == -1 :
	    dup2(sealed, fd) == -1)
		die_errno("descriptor %d", fd);
	if (sealed != fd)
		close(sealed);
}

/* Of the very bytes that are sealed, whatever was looked at before. */
static void
check_strict(const struct bytes *f, bool vm, bool x07)
{
	char why[256];
	struct form *form = form_parse(f->data, f->len, why, sizeof(why));
	const char *key;

	if (form == NULL)
		die("policy: %s", why);
	key = form_unenforced(form, vm, x07);
	if (key != NULL)
		die("nothing enforces %s (x07-policy explain tells why)", key);
}

int
cmd_seal(int argc, char **argv)
{
	const char *root = NULL, *strict = NULL, *why;
	struct bytes f;
	bool x07 = false;
	int ch, fd = SEAL_FD;

	while ((ch = getopt(argc, argv, "+C:f:s:x")) != -1)
		switch (ch) {
		case 'C':
			root = optarg;
			break;
		case 'f':
			fd = (int)strtonum(optarg, 3, 1 << 20, &why);
			if (why != NULL)
				die("-f %s: a descriptor number is %s, "
				    "it must be 3 or more", optarg, why);
			break;
		case 's':
			strict = optarg;
			if (strcmp(strict, "os") != 0 && strcmp(strict, "vm") != 0)
				die("-s %s: must be os or vm", strict);
			break;
		case 'x':
			x07 = true;
			break;
		default:
			usage_error();
		}
	argc -= optind;
	argv += optind;
	if (argc < 3 || strcmp(argv[1], "--") != 0 || (x07 && strict == NULL))
		usage_error();
	f = load_form(argv[0], root);
	if (strict != NULL)
		check_strict(&f, strcmp(strict, "vm") == 0, x07);
	put_form(&f, fd);
	argv += 2;
	execvp(argv[0], argv);
	note("cannot run %s: %s", argv[0], strerror(errno));
	return errno == ENOENT ? EXIT_NOTFOUND : EXIT_DENIED;
}
