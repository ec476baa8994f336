/*
 * plan - the chain of gates that enforces a policy.
 */
#include <unistd.h>

#include "os.h"
#include "x07-policy.h"

/*
 * Outermost first: limits cover the supervisors of the others, namespaces are
 * made before Landlock forbids it, and with execgate last the gates need no
 * allowlisting. Every policy gets all of them: what a policy does not mention
 * is denied, and denying is work too.
 */
static const enum key_gate chain[] = { BY_LIMIT, BY_NET, BY_FS, BY_EXEC };

int
cmd_plan(int argc, char **argv)
{
	size_t i;

	if (getopt(argc, argv, "+") != -1 || optind != argc)
		usage_error();
	if (os_probe(OS_HAS_GATES) == -1)
		die_errno("no gate of this suite can enforce a policy on this "
		    "platform");
	for (i = 0; i < sizeof(chain) / sizeof(chain[0]); i++)
		printf("%s\n", key_gate_name(chain[i]));
	return EXIT_YES;
}
