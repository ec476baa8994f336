#!/bin/sh
# make check: builds, installs into a private stage, runs the tests on what
# was installed through Kyua. Arguments are Kyua test filters.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
: "${MAKE:=make}"

"$MAKE" -s -C "$top" build-tests >&2

# Out of the tree and open to all: the tests run as other users too.
stage=$(mktemp -d "${TMPDIR:-/tmp}/x07-stage.XXXXXX")
trap 'rm -rf "$stage"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
chmod 755 "$stage"
"$MAKE" -s -C "$top" install DESTDIR="$stage" PREFIX=/usr >/dev/null
# Test programs and helpers too, since the checkout may be closed to others.
cp -R "$top/tests" "$stage/tests"
chmod -R a+rX "$stage"

if [ "$(id -u)" -eq 0 ] && ! id x07test >/dev/null 2>&1; then
	useradd --system --no-create-home --shell /bin/sh x07test
fi

# System directories only: tools under root's home do not run as other users.
PATH=$stage/usr/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
X07_TESTS=$stage/tests
X07_SRC=$top
export PATH X07_TESTS X07_SRC
# The tests call both makes: none must hear of the one that started us.
unset MAKE MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL

results=$stage/results.db
status=0
cd "$stage"
kyua -v parallelism=2 test -k "$stage/tests/Kyuafile" \
    --results-file "$results" "$@" || status=$?
if [ "$status" -ne 0 ]; then
	kyua report --results-file "$results" --verbose \
	    --results-filter broken,failed || :
fi
kyua report --results-file "$results" --results-filter skipped || :

# Kyua's own summary, in one line.
kyua report --results-file "$results" --results-filter '' |
awk '/^Test cases:/ {
	gsub(",", "")
	for (i = 3; i <= NF; i++) n[$(i + 1)] = $i
	for (i = 3; i <= NF; i++)
		if ($i == "failures") n["expected"] = $(i - 2)
	bad = n["failed"] + n["broken"]
	ok = $3 - bad - n["skipped"]
	printf "%d passed, %d failed, %d skipped\n", ok, bad, n["skipped"]
	exit(bad > 0 || ok < 1)
}' || status=1
exit "$status"
