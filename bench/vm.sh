#!/bin/sh
# A machine of x07-vmrun beside the same gates without one, and one that starts from a
# kept guest beside one that boots (ratios are to the line before): sh bench/vm.sh [RUNS]. Time to
# the first byte of a static program, which it writes soon after its first instruction, and
# to the exit; memory of what runs on the host, and how fast the program reads a file of a
# root. Needs the tools in PATH, python3, and busybox or another static program in ECHO.
set -eu

runs=${1:-5}
work=$(mktemp -d "${TMPDIR:-/tmp}/x07-bench.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
X07_VM_STATE_DIR=$work/jobs X07_VM_BACKEND=${X07_VM_BACKEND:-qemu}
export X07_VM_STATE_DIR X07_VM_BACKEND
x07-policy init --template cli >/dev/null
policy=.x07/policies/base/cli.sandbox.base.policy.json
x07-vmrun image >/dev/null
head -c 67108864 /dev/urandom >data
cat >measure.py <<'END'
import os
import statistics
import subprocess
import sys
import time


def run(words):
    start = time.monotonic()
    child = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    first = child.stdout.read(1)
    seen = time.monotonic() - start
    child.stdout.read()
    if child.wait() != 0 or not first:
        sys.exit("failed: " + " ".join(words))
    return seen, time.monotonic() - start


def memory(pid):
    """MiB that a process and all that descends from it have resident now."""
    parents, pages = {}, {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            fields = open("/proc/%s/stat" % name).read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        parents[int(name)], pages[int(name)] = int(fields[1]), int(fields[21])
    family = {pid}
    while True:
        more = {p for p, up in parents.items() if up in family} - family
        if not more:
            return sum(pages.get(p, 0) for p in family) * 4096 / 2**20
        family |= more


def peak(words):
    child = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    most = 0
    while child.poll() is None:
        most = max(most, memory(child.pid))
        time.sleep(0.01)
    return most


runs = int(sys.argv[1])
policy = sys.argv[2]
echo = os.environ.get("ECHO", "/bin/busybox echo").split() + ["x"]
gates = ["x07-policy", "seal", "-f", "3", policy, "--", "x07-limit", "-P", "3", "--",
         "x07-netgate", "-P", "3", "--", "x07-fsgate", "-P", "3", "--",
         "x07-execgate", "-P", "3", "--"]
machine = ["x07-vmrun", "-q", "-p", policy, "--"]
kept = ["x07-vmrun", "-q", "--snapshot", "-p", policy, "--"]
print("%-10s %14s %10s %12s %12s" % (
    "", "first byte ms", "exit ms", "read MB/s", "peak MiB"))
base = None
run(kept + echo)
for name, chain in (("gates", gates), ("machine", machine), ("kept", kept)):
    times = [run(chain + echo) for _ in range(runs)]
    first, end = (statistics.median(t[i] for t in times) for i in (0, 1))
    reads = []
    for _ in range(max(1, runs // 2)):
        seen, done = run(chain + ["/usr/bin/md5sum", "data"])
        reads.append(max(done - first, 0.001))
    rate = 67.1 / statistics.median(reads)
    print("%-10s %14.0f %10.0f %12.0f %12.0f" % (
        name, first * 1000, end * 1000, rate,
        peak(chain + echo)))
    if base:
        print("%-10s %14.2f %10.2f %12.3f" % (
            "ratio", first / base[0], end / base[1], rate / base[2]))
    base = (first, end, rate)
END
python3 measure.py "$runs" "$policy"
