/*
 * x07-policy - the policy as a file: made, checked, compiled, compared.
 */
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "x07-policy.h"

static const struct command commands[] = {
	{ "init", "--template NAME [--project FILE] [--policy-id ID] [--out PATH] "
	    "[--mkdir-out] [--force] [--emit report|policy]",
	    "make a base policy", EXIT_TROUBLE, EXIT_SCHEMA, cmd_init },
	{ "check", "[-j] FILE...", "tell everything that is wrong with policies",
	    EXIT_TROUBLE, EXIT_NO, cmd_check },
	{ "fmt", "[-d | -w] FILE", "print canonical bytes, or write them, or the "
	    "difference", EXIT_TROUBLE, EXIT_TROUBLE, cmd_fmt },
	{ "get", "[-C ROOT] FILE KEY", "print one value as gates get it",
	    EXIT_TROUBLE, EXIT_TROUBLE, cmd_get },
	{ "explain", "[-ju] [-b os|vm] [-C ROOT] FILE",
	    "tell what enforces each key on this machine, and what does not",
	    EXIT_TROUBLE, EXIT_SCHEMA, cmd_explain },
	{ "diff", "[-q] [-C ROOT] OLD NEW",
	    "tell what NEW grants beyond OLD; exit 0 when nothing",
	    EXIT_TROUBLE, EXIT_TROUBLE, cmd_diff },
	{ "derive", "[-C ROOT] [--allow-host HOST:PORT[,PORT]] [--deny-host HOST:*|"
	    "HOST:PORT[,PORT]] [--allow-host-file FILE] [--deny-host-file FILE] "
	    "[--allow-read-root PATH] [--allow-write-root PATH] [--for NAME] FILE",
	    "make a policy from a base and what one run needs",
	    EXIT_TROUBLE, EXIT_SCHEMA, cmd_derive },
	{ "suggest", "[-C ROOT] LOG FILE",
	    "print the policy that allows what a gates' log shows as denied",
	    EXIT_TROUBLE, EXIT_TROUBLE, cmd_suggest },
	{ "compile", "[-C ROOT] FILE", "print the normal form that gates read",
	    EXIT_TROUBLE, EXIT_NO, cmd_compile },
	{ "plan", "", "print the chain of gates, outermost first",
	    EXIT_TROUBLE, EXIT_NO, cmd_plan },
	{ "seal", "[-C ROOT] [-f FD] [-s os|vm [-x]] FILE -- PROGRAM [ARGUMENT...]",
	    "run a program with the sealed normal form on a descriptor",
	    EXIT_REFUSED, EXIT_REFUSED, cmd_seal },
};
#define NCOMMANDS	(sizeof(commands) / sizeof(commands[0]))

const struct command *command;

static void
say(const char *fmt, va_list ap, int error)
{
	char msg[1024], vis[2048];

	vsnprintf(msg, sizeof(msg), fmt, ap);
	fprintf(stderr, "%s: %s%s%s\n", getprogname(),
	    diag_vis(vis, sizeof(vis), msg, strlen(msg)),
	    error != 0 ? ": " : "", error != 0 ? strerror(error) : "");
}

void
die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap, 0);
	va_end(ap);
	exit(command != NULL ? command->trouble : EXIT_TROUBLE);
}

void
die_errno(const char *fmt, ...)
{
	int error = errno;
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap, error);
	va_end(ap);
	exit(command != NULL ? command->trouble : EXIT_TROUBLE);
}

void
usage_error(void)
{
	fprintf(stderr, "%s: usage: %s %s%s%s\n", getprogname(), getprogname(),
	    command->name, *command->args != '\0' ? " " : "", command->args);
	exit(command->trouble);
}

static void
print_help(FILE *fp)
{
	size_t i;

	fprintf(fp, "usage: %s COMMAND [ARGUMENT...]\n\n", getprogname());
	for (i = 0; i < NCOMMANDS; i++)
		fprintf(fp, "  %-8s %s\n", commands[i].name, commands[i].what);
	fprintf(fp, "\n%s COMMAND -h shows the arguments; FILE may be - for the "
	    "standard input.\n", getprogname());
}

/* The output of a subcommand counts only when all of it was written. */
static int
finish(int status)
{
	if (fflush(stdout) == EOF || ferror(stdout))
		die_errno("standard output");
	return status;
}

int
main(int argc, char *argv[])
{
	size_t i;

	setprogname("x07-policy");
	opterr = 0;	/* usage_error says it in one line */
	if (argc < 2) {
		print_help(stderr);
		return EXIT_TROUBLE;
	}
	if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0) {
		print_help(stdout);
		return finish(0);
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("%s %s\n", getprogname(), X07_VERSION);
		return finish(0);
	}
	for (i = 0; i < NCOMMANDS; i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			command = &commands[i];
	if (command == NULL)
		die("unknown command %s (%s -h lists them)", argv[1],
		    getprogname());
	if (argc > 2 && (strcmp(argv[2], "-h") == 0 ||
	    strcmp(argv[2], "--help") == 0)) {
		printf("usage: %s %s%s%s\n", getprogname(), command->name,
		    *command->args != '\0' ? " " : "", command->args);
		return finish(0);
	}
	return finish(command->run(argc - 1, argv + 1));
}
