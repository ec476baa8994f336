#!/bin/sh
# lint-none.sh TREE: every gate of a PLATFORM=none build must refuse to run.
set -eu
tree=$1
bad=0
for gate in x07-limit x07-netgate x07-fsgate x07-execgate; do
	status=0
	out=$("$tree/bin/$gate/$gate" -- echo ran 2>&1) || status=$?
	case $status:$out in
	125:*ran*) ;;
	125:$gate:\ *) continue ;;
	esac
	echo "$gate: exit $status: $out" >&2
	bad=1
done
exit "$bad"
