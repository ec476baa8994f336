/*
 * fmt - canonical bytes.
 */
#include <sys/wait.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "x07-policy.h"

/* Shows how two texts differ: diff(1) knows best. */
static void
show_diff(const char *file, const struct bytes *old, const struct bytes *new)
{
	char *labels[2], fd[2][32];
	const struct bytes *texts[2] = { old, new };
	int i, status;
	pid_t pid;
	FILE *fp;

	for (i = 0; i < 2; i++) {
		if ((fp = tmpfile()) == NULL ||
		    fwrite(texts[i]->data, 1, texts[i]->len, fp) != texts[i]->len ||
		    fflush(fp) == EOF)
			die_errno("temporary file");
		rewind(fp);
		snprintf(fd[i], sizeof(fd[i]), "/dev/fd/%d", dup(fileno(fp)));
		if (asprintf(&labels[i], "--label=%s%s", file,
		    i == 0 ? "" : " (canonical)") == -1)
			die_errno("%s", file);
	}
	fflush(stdout);
	if ((pid = fork()) == -1)
		die_errno("fork");
	if (pid == 0) {
		execlp("diff", "diff", "-u", labels[0], labels[1], fd[0], fd[1],
		    (char *)NULL);
		die_errno("cannot run diff");
	}
	if (waitpid(pid, &status, 0) == -1 || !WIFEXITED(status) ||
	    WEXITSTATUS(status) > 1)
		die("diff failed");
}

int
cmd_fmt(int argc, char **argv)
{
	bool write = false, diff = false, same;
	struct bytes old, new;
	const char *file;
	int ch;

	while ((ch = getopt(argc, argv, "+dw")) != -1)
		switch (ch) {
		case 'd':
			diff = true;
			break;
		case 'w':
			write = true;
			break;
		default:
			usage_error();
		}
	if (argc - optind != 1 || (write && diff))
		usage_error();
	file = argv[optind];
	if (write && strcmp(file, "-") == 0)
		die("-w needs a file, not the standard input");
	old = read_file(file);
	new = canonical(json_root(policy_json(parse_policy(file, &old))));
	same = old.len == new.len && memcmp(old.data, new.data, new.len) == 0;
	if (diff && !same)
		show_diff(file, &old, &new);
	/* The file itself, when it is reached by a link. */
	if (write && !same && (file = realpath(file, NULL)) == NULL)
		die_errno("%s", argv[optind]);
	if (write && !same)
		replace_file(file, new.data, new.len);
	if (!write && !diff)
		fwrite(new.data, 1, new.len, stdout);
	return diff && !same ? EXIT_NO : EXIT_YES;
}
