/*
 * guestbin - everything that runs in a guest before the program, in one file: which
 * of it is meant, its name tells, as with programs that crunchgen(1) puts together.
 *
 * An emulated processor translates code anew in each run, and where the same page
 * of the same file is mapped at the same place, once for all. So this is one file for
 * all, and not position-independent: of what an attacker in the guest has to guess
 * that takes nothing but the addresses of gates that have not seen the program yet,
 * and of the relay and the watchers beside it.
 */
#include <stdio.h>
#include <string.h>

int	main_guestinit(int, char **);
int	main_netmux(int, char **);
int	main_x07_execgate(int, char **);
int	main_x07_fsgate(int, char **);
int	main_x07_limit(int, char **);
int	main_x07_netgate(int, char **);

static const struct {
	const char	*name;
	int		(*main)(int, char **);
} programs[] = {
	{ "init",		main_guestinit },
	{ "netmux",		main_netmux },
	{ "x07-execgate",	main_x07_execgate },
	{ "x07-fsgate",		main_x07_fsgate },
	{ "x07-limit",		main_x07_limit },
	{ "x07-netgate",	main_x07_netgate },
};

int
main(int argc, char *argv[])
{
	const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
	const char *name = slash != NULL ? slash + 1 : argc > 0 ? argv[0] : "";

	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		if (strcmp(name, programs[i].name) == 0)
			return programs[i].main(argc, argv);
	fprintf(stderr, "guestbin: '%s' is none of the guest's programs\n", name);
	return 125;
}
