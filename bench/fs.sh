#!/bin/sh
# Start-up of the gates, alone and x07-fsgate with x07-execgate, beside bubblewrap with the
# same mounts, in one run: sh bench/fs.sh [RUNS]. Needs hyperfine, bwrap and the tools in
# PATH. Prints medians. One bwrap makes the namespaces that x07-fsgate makes, the other
# all it can, as --unshare-all.
set -eu

runs=${1:-300}
gate=$(command -v x07-fsgate)
exec_gate=$(command -v x07-execgate)
work=$(mktemp -d "${TMPDIR:-/tmp}/x07-bench.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"

# What the gate shows is asked of the gate, so that both have the same to do.
"$gate" -q -w . -- /bin/cat /proc/self/mounts >mounts
"$gate" -q -w . -- /bin/sh -c 'for l in /bin /sbin /lib*; do
	[ -L $l ] && echo "--symlink $(readlink $l) $l"; done; :' >links
same="--die-with-parent $(tr '\n' ' ' <links)"
while read -r _ at type _; do
	case $type:$at in
	*:/ | *:/dev/* | proc:*/proc/* | tmpfs:/proc/*) ;;
	proc:/proc) same="$same --proc /proc" ;;
	tmpfs:/dev) same="$same --dev /dev" ;;
	tmpfs:/tmp) same="$same --tmpfs /tmp" ;;
	*:"$work") same="$same --bind $work $work" ;;
	*) same="$same --ro-bind $at $at" ;;
	esac
done <mounts
same="$same --ro-bind /etc/passwd /etc/passwd --ro-bind /etc/group /etc/group --chdir $work"

set -- -n "no gate" "/bin/true" \
    -n "bwrap with the same mounts" \
    "bwrap --unshare-user --unshare-pid --unshare-ipc $same /bin/true" \
    -n "bwrap --unshare-all" "bwrap --unshare-all $same /bin/true" \
    -n "x07-fsgate" "$gate -w . -- /bin/true" \
    -n "x07-fsgate --closure minimal" "$gate -w . --closure minimal -- /bin/true" \
    -n "x07-execgate" "$exec_gate -- /bin/true" \
    -n "x07-execgate -q" "$exec_gate -q -- /bin/true" \
    -n "x07-fsgate and x07-execgate" "$gate -w . -- $exec_gate -- /bin/true" \
    -n "x07-limit" "$(command -v x07-limit) -- /bin/true" \
    -n "x07-netgate" "$(command -v x07-netgate) -- /bin/true"
hyperfine -N -w 10 -r "$runs" --export-csv times "$@" >/dev/null 2>errors || {
	cat errors >&2
	exit 1
}

echo "start-up, median of $runs, milliseconds ($(grep -c . mounts) mounts in the view, uid $(id -u))"
awk -F, 'NR > 1 { printf "%-32s %6.2f  (fastest %.2f)\n", $1, $4 * 1000, $7 * 1000 }' times
