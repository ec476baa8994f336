#!/bin/sh
# limit.sh [RUNS]: x07-limit beside timeout(1), prlimit(1) and s6-softlimit at start-up,
# and a pipe with a cap beside a plain one and beside pv(1). They take turns in one
# run, so that whoever shares the machine slows all alike. Prints medians, and the
# fastest of each, both also as ratio to the first. The tools are those of PATH.
set -eu
runs=${1:-300}
for tool in x07-limit timeout prlimit s6-softlimit pv python3 taskset; do
	command -v "$tool" >/dev/null || {
		echo "limit.sh: $tool is missing" >&2
		exit 1
	}
done
exec python3 - "$runs" "$(command -v x07-limit)" <<'EOF'
import os, statistics, subprocess, sys, time

runs, limit = int(sys.argv[1]), sys.argv[2]


def turns(title, n, rows):
    times = {name: [] for name, _ in rows}
    for i in range(n + 2):
        for name, command in rows:
            begin = time.perf_counter()
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
            if i >= 2:
                times[name].append((time.perf_counter() - begin) * 1000)
    print("%s, uid %d: median of %d (ms), ratio, fastest (ms), ratio" % (title, os.getuid(), n))
    first = times[rows[0][0]]
    for name, t in times.items():
        print("%-32s %8.2f %6.2f %10.2f %6.2f" % (name, statistics.median(t),
              statistics.median(t) / statistics.median(first), min(t), min(t) / min(first)))


true = ["/bin/true"]
turns("start-up", runs, [
    ("timeout 60", ["timeout", "60"] + true),
    ("no tool", true),
    ("prlimit", ["prlimit", "--nofile=100:100", "--core=0"] + true),
    ("s6-softlimit", ["s6-softlimit", "-o", "100", "-c", "0"] + true),
    ("x07-limit -t", [limit, "-t", "60s", "--"] + true),
    ("x07-limit -t -f -c", [limit, "-t", "60s", "-f", "100", "-c", "10s", "--"] + true),
    ("x07-limit -t -f -c -m -u", [limit, "-t", "60s", "-f", "100", "-c", "10s",
                                  "-m", "1G", "-u", "50", "--"] + true),
    ("x07-limit -t -o -e", [limit, "-t", "60s", "-o", "1G", "-e", "1G", "--"] + true),
])
zeros, sink = "head -c 2G /dev/zero", "cat >/dev/null"
pipes = [
    ("plain", "%s | %s" % (zeros, sink)),
    ("x07-limit -o", "%s -o 100G -- %s | %s" % (limit, zeros, sink)),
    ("x07-limit -b", "%s -b 100G -- %s | %s" % (limit, zeros, sink)),
    ("x07-limit -I", "%s | %s -I 100G -- %s" % (zeros, limit, "cat") + " >/dev/null"),
    ("pv", "%s | pv -q | %s" % (zeros, sink)),
]
# Where the scheduler puts two ends of a pipe decides more than what is between them.
one = ["taskset", "-c", str(min(os.sched_getaffinity(0)))]
for title, before in ("2G through a pipe", []), ("the same on one processor", one):
    turns(title, runs // 20 + 3, [(name, before + ["sh", "-c", command])
                                  for name, command in pipes])
EOF
