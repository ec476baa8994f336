#!/bin/sh
# What x07-execgate adds to the start of a program, in one run: sh bench/exec.sh [N].
# Needs cc, python3, x07-execgate and x07-policy in PATH. N times (1000) a static and a
# dynamic program are started: without the gate, by the static layers alone (-q), with
# the watcher that says what is denied, and with rules, where each new program is
# looked at by ptrace(2). In rounds, each of which measures all four, so that a busy
# moment meets all of them. Prints the medians, and what is added to no gate: the median
# of the rounds' differences of their medians, and of their fastest tenths, which a busy
# machine spoils less.
set -eu

n=${1:-1000}
rounds=20
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/x07-bench.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"

cc -O2 -D_GNU_SOURCE -o spawn "$here/exec_spawn.c"
echo 'int main(void) { return 0; }' >nothing.c
cc -O2 -static -o static nothing.c
cc -O2 -o dynamic nothing.c
x07-policy init --template worker-parallel --out base.json >/dev/null
python3 - <<-'EOF'
import json
p = json.load(open("base.json"))
p["process"].update(allow_execs=["static", "dynamic"], max_spawns=1024)
json.dump(p, open("rules.json", "w"))
EOF

each=$((n / rounds))
for program in static dynamic; do
	i=0
	while [ $i -lt $rounds ]; do
		i=$((i + 1))
		echo "$program" \
		    "$(./spawn $each ./$program)" \
		    "$(x07-execgate -q -x ./$program -- ./spawn $each ./$program)" \
		    "$(x07-execgate -x ./$program -- ./spawn $each ./$program)" \
		    "$(x07-execgate -p rules.json -- ./spawn $each ./$program)"
	done
done >measured

# middle FIELD-EXPRESSION PROGRAM: the median of it over the rounds.
middle()
{
	awk -v p="$2" "\$1 == p { print $1 }" measured | sort -n |
	    awk '{ v[NR] = $1 } END { printf "%.0f", v[int((NR + 1) / 2)] }'
}

echo "start of a program, median of $((each * rounds)), microseconds (uid $(id -u)); in brackets:"
echo "added to the median, and to the fastest tenth"
printf '%-9s %10s %24s %24s %24s\n' '' 'no gate' 'static layers' 'with watcher' \
    'with rules'
for program in static dynamic; do
	printf '%-9s %10s' "$program" "$(middle '$2' $program)"
	for field in 4 6 8; do
		printf ' %10s (%+5d,%+5d)' "$(middle "\$$field" $program)" \
		    "$(middle "\$$field - \$2" $program)" \
		    "$(middle "\$$((field + 1)) - \$3" $program)"
	done
	echo
done
