/*
 * x07-policy.h - what the subcommands of x07-policy share.
 */
#ifndef X07_POLICY_H
#define X07_POLICY_H

#include <stddef.h>

#include "policy.h"
#include "x07.h"

/* Exit statuses of query tools. */
enum {
	EXIT_YES = 0,
	EXIT_NO = 1,
	EXIT_TROUBLE = 2,
	EXIT_SCHEMA = 3,	/* init, derive: a policy that is not valid */
};

struct command {
	const char	*name;
	const char	*args;		/* for usage */
	const char	*what;		/* for -h */
	int		 trouble;	/* exit status when it cannot do its work */
	int		 invalid;	/* exit status when the policy is not valid */
	int		(*run)(int argc, char **argv);
};

/* The running subcommand. */
extern const struct command	*command;

int	cmd_check(int, char **);
int	cmd_compile(int, char **);
int	cmd_derive(int, char **);
int	cmd_diff(int, char **);
int	cmd_explain(int, char **);
int	cmd_fmt(int, char **);
int	cmd_get(int, char **);
int	cmd_init(int, char **);
int	cmd_plan(int, char **);
int	cmd_seal(int, char **);
int	cmd_suggest(int, char **);

/* The base policies, ended by a NULL name. */
struct template {
	const char	*name;
	const char	*text;
};
extern const struct template	templates[];

/* "x07-policy: message", exit with the trouble status of the subcommand. */
_Noreturn void	die(const char *, ...) __attribute__((format(printf, 1, 2)));
/* The same with ": strerror(errno)". */
_Noreturn void	die_errno(const char *, ...) __attribute__((format(printf, 1, 2)));
/* The usage line of the subcommand, exit with its trouble status. */
_Noreturn void	usage_error(void);

/* ---- io.c ---- */

struct bytes {
	char	*data;		/* NUL behind len */
	size_t	 len;
};

/* A whole file; "-" is the standard input. Dies when it cannot. */
struct bytes	 read_file(const char *);
/* The same; returns -1 with errno when it cannot. */
int		 try_read_file(const char *, struct bytes *);
/*
 * Replaces or makes a file so that readers see the old or the new bytes, never
 * part of them. An existing file keeps its mode, and its owner where that is
 * allowed; a symbolic link is replaced itself. Dies when it cannot.
 */
void		 replace_file(const char *path, const char *data, size_t len);
/* Makes a directory and those above it. */
int		 make_dirs(const char *path);
/*
 * The same for a directory below the project's root. None of them may be a link, which a
 * project can come with. Dies when it cannot. dir is as it was afterwards.
 */
void		 make_own_dirs(const char *root, char *dir);
/* Prints errors as FILE:LINE:COL: path: message. */
void		 print_errors(FILE *, const char *file, const struct policy_errors *);
/* A valid policy; else prints what is wrong and exits. */
struct policy	*load_policy(const char *file);
struct policy	*parse_policy(const char *file, const struct bytes *);
/*
 * A policy, or a normal form already, as normal form. root is the -C argument,
 * NULL for the working directory.
 */
struct bytes	 load_form(const char *file, const char *root);
/* The same, parsed. */
struct form	*load_parsed_form(const char *file, const char *root);
/* The directory that relative roots are relative to: absolute, resolved. */
char		*resolve_root(const char *root);
/* Canonical bytes of a tree. */
struct bytes	 canonical(const struct json_value *);

/* ---- explain.c ---- */

/*
 * The first key that nothing enforces, or NULL: under the backend os or vm, for
 * a program that the X07 compiler made or for any other. The path is static.
 */
const char	*form_unenforced(struct form *, bool vm, bool x07);

/* ---- diff.c ---- */

/* True when net.allow_hosts holds all of a host, on that port. */
bool		 form_allows(const struct form *, const struct hostspec *,
		    uint16_t port);
/* True when process.allow_execs or allow_exec_prefixes hold the path. */
bool		 form_executes(const struct form *, const char *path);

#endif
