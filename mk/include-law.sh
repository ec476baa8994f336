#!/bin/sh
# The include law of the house: who may include what. It keeps the platform in one
# place and untrusted JSON in one parser.
set -eu
cd "$(dirname "$0")/.."
bad=0

# law WHY PATTERN FILE...: no file may match.
law()
{
	_why=$1 _pattern=$2
	shift 2
	[ $# -gt 0 ] || return 0
	if grep -nE "$_pattern" "$@"; then
		echo "include law: $_why" >&2
		bad=1
	fi
}

files()
{
	git ls-files --cached --others --exclude-standard "$@" |
	    while read -r f; do [ ! -e "$f" ] || echo "$f"; done
}

# shellcheck disable=SC2046 # our file names have no blanks
{
	law 'only lib/libx07/json.c includes cJSON' '#[[:space:]]*include.*cJSON' \
	    $(files '*.c' '*.h' | grep -v '^lib/libx07/json\.c$')
	law 'only linux_*.[ch] include <linux/...> or libnl' \
	    '#[[:space:]]*include[[:space:]]*<(linux|netlink|asm)/' \
	    $(files 'bin/*.c' 'bin/*.h' 'lib/*.c' 'lib/*.h' 'libexec/*.c' 'libexec/*.h' |
	    grep -v '^lib/libx07os/linux[_a-z0-9]*\.[ch]$')
	law 'libx07 never includes os.h' '#[[:space:]]*include.*"os\.h"' \
	    $(files 'lib/libx07/*.c' 'lib/libx07/*.h')
	law 'make chooses the platform, not the preprocessor' \
	    '#[[:space:]]*(if|elif).*__(linux|FreeBSD|OpenBSD|NetBSD|APPLE)__' \
	    $(files 'bin/*.c' 'bin/*.h' 'lib/*.c' 'lib/*.h' 'libexec/*.c' 'libexec/*.h')
}
exit "$bad"
