/* What this machine has: asked by x07-policy, which tells people. */
#include <errno.h>

#include "os.h"

int
os_probe(enum os_feature feature)
{
	switch (feature) {
	case OS_HAS_GATES:
		return 0;
	}
	errno = EINVAL;
	return -1;
}
