#!/bin/sh
# x07-netgate beside nothing, and beside peers that work here (pasta, slirp4netns), in
# one run: sh bench/net.sh [ROUNDS]. Needs cc, hyperfine and x07-netgate in PATH. The
# server is on loopback; each round measures everything once, so that a busy moment
# meets all of them. Prints medians, and what they are to the same without a gate.
# The peers translate addresses and know no names; they are here for speed alone.
set -eu

rounds=${1:-5}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/x07-bench.XXXXXX")
server=
trap '[ -z "$server" ] || kill $server; rm -rf "$work"' EXIT
chmod 755 "$work"
cd "$work"
cc -O2 -o netload "$here/netload.c" -lpthread
gate=$(command -v x07-netgate)
port=19090
while ./netload seq 127.0.0.1 $port 1 >/dev/null 2>&1; do port=$((port + 1)); done
./netload serve 127.0.0.1 $port &
server=$!
sleep 0.5

# It gives root up, and then may not open the tunnel.
pasta="pasta --config-net -q"
[ "$(id -u)" -ne 0 ] || pasta="$pasta --runas 0:0"

# Peers reach loopback outside through an address of their own.
pasta_at=$(ip route 2>/dev/null | awk '/^default/ { print $3; exit }')
slirp()
{
	rm -f pid go
	unshare -r -n sh -c 'echo $$ >pid; until [ -f go ]; do sleep 0.01; done
	    exec timeout 60 "$@"' sh "$@" &
	inside=$!
	until [ -s pid ]; do sleep 0.01; done
	slirp4netns --configure --mtu=65520 "$(cat pid)" tap0 >/dev/null 2>&1 &
	outside=$!
	until nsenter -t "$(cat pid)" -U -n --preserve-credentials \
	    ip addr show tap0 2>/dev/null | grep -q 10.0.2; do
		kill -0 $outside 2>/dev/null || { kill $inside; return 1; }
		sleep 0.01
	done
	touch go
	wait $inside || :
	kill $outside
	wait $outside || :
}
# shellcheck disable=SC2086 # $pasta is words
run()	# WHO WHAT HOW-MANY
{
	case $1 in
	none) ./netload "$2" 127.0.0.1 $port "$3" ;;
	x07-netgate) "$gate" -a 127.0.0.1:$port -- ./netload "$2" 127.0.0.1 $port "$3" ;;
	twice) "$gate" -a 127.0.0.1:$port -- "$gate" -a 127.0.0.1:$port -- \
	    ./netload "$2" 127.0.0.1 $port "$3" ;;
	pasta) timeout -k 5 60 $pasta -- ./netload "$2" "$pasta_at" $port "$3" 2>/dev/null ;;
	slirp4netns) slirp ./netload "$2" 10.0.2.2 $port "$3" ;;
	esac
}

who="none x07-netgate twice"
if command -v pasta >/dev/null && [ -n "$pasta_at" ] &&
    run pasta seq 1 >/dev/null 2>&1; then
	who="$who pasta"
fi
if command -v slirp4netns >/dev/null && run slirp4netns seq 1 >/dev/null 2>&1; then
	who="$who slirp4netns"
fi

measure()	# TITLE WHAT HOW-MANY
{
	rm -f times.*
	i=0
	while [ $i -lt "$rounds" ]; do
		for w in $who; do
			[ -f "times.$w" ] || : >"times.$w"
			run "$w" "$2" "$3" 2>&1 | awk -v what="$2" \
			    '$1 == what { print $3, $5 }' >>"times.$w"
		done
		i=$((i + 1))
	done
	echo "$1"
	for w in $who; do
		sort -n "times.$w" | awk -v w="$w" -v rounds="$rounds" \
		    -v out="base" '{ t[NR] = $1; failed += $2 }
		END {
			if (NR < rounds) {
				printf "  %-12s gave up after 60 s\n", w
				exit
			}
			m = t[int((NR + 1) / 2)]
			if (w == "none") { base = m; print m >out }
			else getline base <out
			printf "  %-12s %8.3f s  %5.2f times none, %d failed\n", w, m,
			    m / base, failed
		}'
	done
}

echo "uid $(id -u), $(nproc) processors, median of $rounds"
measure "10000 connections, one request each" seq 10000
measure "2000 connections at once" many 2000
measure "1 GiB through one connection" bulk 1073741824

echo "start-up of /bin/true, to unshare -Urn"
rm -f start.*
i=0
while [ $i -lt $((rounds * 2)) ]; do
	set -- -n "unshare -Urn" "unshare -Urn /bin/true" -n none /bin/true \
	    -n "x07-netgate -a ADDRESS" "$gate -a 203.0.113.5:443 -- /bin/true" \
	    -n "x07-netgate -a NAME" "$gate -a good.example:443 -- /bin/true"
	case $who in
	*pasta*) set -- "$@" -n pasta "$pasta -- /bin/true" ;;
	esac
	hyperfine -N -w 3 -r 25 --export-csv start.$i "$@" >/dev/null 2>&1
	i=$((i + 1))
done
awk -F, '$1 != "command" { n[$1]++; ms[$1, n[$1]] = $4 * 1000; order[FNR] = $1 }
function median(name,	i, j, v) {
	for (i = 1; i <= n[name]; i++)
		for (j = i + 1; j <= n[name]; j++)
			if (ms[name, j] < ms[name, i]) {
				v = ms[name, i]; ms[name, i] = ms[name, j]; ms[name, j] = v
			}
	return ms[name, int((n[name] + 1) / 2)]
}
END {
	base = median("unshare -Urn")
	for (i = 2; i in order; i++)
		printf "  %-24s %7.2f ms  %5.2f times unshare\n", order[i],
		    median(order[i]), median(order[i]) / base
}' start.*
