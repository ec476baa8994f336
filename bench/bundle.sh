#!/bin/sh
# bundle.sh [RUNS]: what a bundle of a static hello world adds in bytes, and its start-up
# beside "x07 run" of the same program under the same policy, in one run. Needs
# hyperfine, cc and the tools in PATH. Prints medians and their ratio to x07 run.
set -eu

runs=${1:-50}
for tool in x07 x07-bundle hyperfine cc; do
	command -v "$tool" >/dev/null || {
		echo "bundle.sh: $tool is missing" >&2
		exit 1
	}
done
work=$(mktemp -d "${TMPDIR:-/tmp}/x07-bench.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
export X07_SANDBOX_BACKEND=os X07_I_ACCEPT_WEAKER_ISOLATION=1

printf '#include <stdio.h>\nint main(void) { return puts("hello") < 0; }\n' >hello.c
cc -O2 -static -s -o hello hello.c
x07-policy init --template cli >/dev/null
policy=.x07/policies/base/cli.sandbox.base.policy.json
mkdir out
x07-bundle --profile os --out app.os ./hello >/dev/null
x07-bundle --profile sandbox --policy "$policy" --out app ./hello >/dev/null

size()
{
	wc -c <"$1"
}
echo "bytes: program $(size hello), --profile os +$(($(size app.os) - $(size hello))), \
--profile sandbox +$(($(size app) - $(size hello)))"

hyperfine -N -w 3 -r "$runs" --export-csv times \
    -n "x07 run" "x07 run -q --profile sandbox --policy $policy -- ./hello" \
    -n "bundle (sandbox)" ./app \
    -n "bundle (os)" ./app.os \
    -n "the program itself" ./hello >/dev/null 2>errors || {
	cat errors >&2
	exit 1
}
echo "start-up, median of $runs, milliseconds, and ratio (uid $(id -u))"
awk -F, 'NR == 2 { first = $4 }
NR > 1 { printf "%-20s %8.2f %6.2f\n", $1, $4 * 1000, $4 / first }' times
