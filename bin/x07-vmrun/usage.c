/*
 * What the program used: the report of the guest's x07-limit. The guest may have been
 * taken over, so what comes from it is passed on only when it is, to the last
 * byte, a text that x07-limit can have written.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmrun.h"

#define TEXT_MAX	16384	/* of the report, FRAME_MAX_TO_HOST of proto.h */
#define WORD_MAX	256	/* of a string in it */
#define DIGITS_MAX	18
#define LIMITS_MAX	16

#define SCHEMA		"x07.limit.report@0.1.0"

/* In the order in which x07-limit writes them. */
static const struct member {
	const char	*name;
	bool		is_text;
} members[] = {
	{ "schema_version", true }, { "program", true }, { "status", false },
	{ "exit", false }, { "signal", false }, { "struck", true },
	{ "wall_ms", false }, { "user_ms", false }, { "sys_ms", false },
	{ "cpu_ms", false }, { "peak_memory_bytes", false },
	{ "peak_memory_of", true }, { "peak_tasks", false },
	{ "stdin_bytes", false }, { "stdout_bytes", false },
	{ "stderr_bytes", false },
};
#define NMEMBERS	(sizeof(members) / sizeof(members[0]))

/* ---- is it a report? Each takes what it names off the text. ---- */

static bool
literal(const char **p, const char *what)
{
	size_t len = strlen(what);

	if (strncmp(*p, what, len) != 0)
		return false;
	*p += len;
	return true;
}

static bool
count(const char **p)
{
	size_t n = strspn(*p, "0123456789");

	if (n == 0 || n > DIGITS_MAX || (n > 1 && **p == '0'))
		return false;
	*p += n;
	return true;
}

/* Printable ASCII; what would need a backslash is none of x07-limit's words. */
static bool
word(const char **p)
{
	size_t n = 0;

	if (!literal(p, "\""))
		return false;
	while ((*p)[n] >= ' ' && (*p)[n] <= '~' && strchr("\"\\", (*p)[n]) == NULL)
		n++;
	*p += n;
	return n <= WORD_MAX && literal(p, "\"");
}

static bool
name(const char **p, const char *what)
{
	return literal(p, "\"") && literal(p, what) && literal(p, "\": ");
}

static bool
one_limit(const char **p)
{
	return literal(p, "\n    ") && word(p) && literal(p, ": {") &&
	    name(p, "value") && count(p) && literal(p, ", ") && name(p, "by") &&
	    word(p) && literal(p, "}");
}

static bool
limits(const char **p)
{
	if (!name(p, "limits") || !literal(p, "{"))
		return false;
	if (literal(p, "}"))
		return true;
	for (int i = 0; i < LIMITS_MAX; i++) {
		if (!one_limit(p))
			return false;
		if (!literal(p, ","))
			return literal(p, "\n  }");
	}
	return false;
}

static bool
is_report(const char *p)
{
	if (!literal(&p, "{\n  "))
		return false;
	for (size_t i = 0; i < NMEMBERS; i++)
		if (!name(&p, members[i].name) || !(literal(&p, "null") ||
		    (members[i].is_text ? word(&p) : count(&p))) ||
		    !literal(&p, ",\n  "))
			return false;
	return limits(&p) && literal(&p, "\n}\n") && *p == '\0';
}

/* ---- the file ---- */

/* What the driver put into the job's directory, in malloced memory; NULL: nothing. */
static char *
load(const struct job *j)
{
	char *path, *text = calloc(1, TEXT_MAX + 2);
	struct stat st;
	ssize_t n = -1;
	int fd;

	if (text == NULL || asprintf(&path, "%s/out/usage", j->dir) == -1)
		refuse_errno("memory");
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd != -1 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		n = read(fd, text, TEXT_MAX + 1);
	if (fd != -1)
		close(fd);
	free(path);
	if (n > 0)
		return text;
	free(text);
	return NULL;
}

/* The machine was ended with what it had to tell: only this is known. */
static void
put_struck(FILE *to)
{
	fprintf(to, "{\n");
	for (size_t i = 0; i < NMEMBERS; i++) {
		const char *name = members[i].name;

		fprintf(to, "  \"%s\": ", name);
		if (strcmp(name, "schema_version") == 0)
			fprintf(to, "\"" SCHEMA "\",\n");
		else if (strcmp(name, "status") == 0)
			fprintf(to, "%d,\n", EXIT_TIMELIMIT);
		else if (strcmp(name, "struck") == 0)
			fprintf(to, "\"time\",\n");
		else
			fprintf(to, "null,\n");
	}
	fprintf(to, "  \"limits\": {}\n}\n");
}

void
usage_write(struct job *j, int status)
{
	char *told, *text = NULL;
	size_t len = 0;
	FILE *f;

	if (!outfile_wanted(&j->usage))
		return;
	told = load(j);
	f = open_memstream(&text, &len);
	if (told != NULL && (strlen(told) > TEXT_MAX || !is_report(told)))
		note("the guest's report of what was used is damaged, and dropped");
	else if (f != NULL && told != NULL)
		fputs(told, f);
	else if (f != NULL && status == EXIT_TIMELIMIT)
		put_struck(f);
	/* Without one the file is empty: what was there told of another run. */
	if (f == NULL || fclose(f) == EOF ||
	    outfile_write(&j->usage, text, len) == -1)
		note("cannot write what was used: %s", strerror(errno));
	free(told);
	free(text);
}
