#!/bin/sh
# templates.sh FILE.json...: prints the C table of the base policies.
set -eu

echo '/* Made by templates.sh from share/templates. */'
echo '#include <stddef.h>'
echo
echo '#include "x07-policy.h"'
echo
echo 'const struct template templates[] = {'
for f; do
	name=${f##*/}
	printf '\t{ "%s",\n' "${name%.json}"
	sed 's/[\\"]/\\&/g; s/^/	    "/; s/$/\\n"/' "$f"
	printf '\t},\n'
done
echo '	{ NULL, NULL }'
echo '};'
