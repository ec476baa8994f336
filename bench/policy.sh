#!/bin/sh
# policy.sh [RUNS]: how long x07-policy takes for the largest policy that the format
# allows hosts in (256 of 64 ports each), beside "jq ." on the same file in the same
# run. Prints medians in milliseconds. The tools are those of PATH.
set -eu
runs=${1:-50}
for tool in x07-policy jq hyperfine python3; do
	command -v "$tool" >/dev/null || {
		echo "policy.sh: $tool is missing" >&2
		exit 1
	}
done
work=$(mktemp -d "${TMPDIR:-/tmp}/x07-bench.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
cd "$work"

x07-policy init --template http-client --emit policy >base.json
jq '.net.allow_hosts = [range(256) | {host: "h\(.).example",
    ports: [range(64) | . * 1000 + 1]}]' base.json >large.json
x07-policy check large.json

# derive leaves a file of the same bytes alone; the first run writes it.
hyperfine -N --style none --warmup 5 --runs "$runs" --export-json result.json \
    -n 'jq .' 'jq . large.json' \
    -n 'check' 'x07-policy check large.json' \
    -n 'compile' 'x07-policy compile large.json' \
    -n 'fmt' 'x07-policy fmt large.json' \
    -n 'derive' 'x07-policy derive --deny-host h1.example:1 large.json' \
    -n 'diff' 'x07-policy diff large.json large.json' \
    -n 'check (template)' 'x07-policy check base.json' \
    -n 'jq . (template)' 'jq . base.json' >/dev/null 2>&1
python3 - <<'EOF'
import json
rows = json.load(open("result.json"))["results"]
size = len(open("large.json").read())
print("policy of %d bytes, medians of %d runs" % (size, len(rows[0]["times"])))
for r in rows:
    print("%-18s %7.2f ms" % (r["command"], r["median"] * 1000))
EOF
