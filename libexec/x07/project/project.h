/*
 * project.h - what the parts of project share.
 */
#ifndef PROJECT_H
#define PROJECT_H

#define EXIT_USAGE	2	/* wrong usage or manifest */
#define EXIT_NONE	4	/* there is no manifest */
#define EXIT_CONFLICT	20	/* init: another one is there */

#define MANIFEST	"x07.json"
#define MANIFEST_MAX	(1 << 20)

/* "x07 COMMAND: message", exit 2. */
_Noreturn void	die(const char *, ...) __attribute__((format(printf, 1, 2)));

/* project init: makes a manifest in the current directory. */
int	cmd_init(int argc, char **argv);

#endif
