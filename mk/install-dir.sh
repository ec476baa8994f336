#!/bin/sh
# install-dir.sh FROM TO: installs the files of FROM into TO, executables as
# such. Nothing to do when FROM has none.
set -eu
for f in "$1"/*; do
	[ -f "$f" ] || continue
	install -d "$2"
	if [ -x "$f" ]; then mode=755; else mode=644; fi
	install -m "$mode" "$f" "$2/${f##*/}"
done
