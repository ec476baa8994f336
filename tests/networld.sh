#!/bin/sh
# networld.sh DIR SCRIPT: runs "sh -e SCRIPT" on a machine of its own, 192.0.2.1 and
# 2001:db8:1::1, with a network behind it, in which are
#   203.0.113.5, 203.0.113.6, 2001:db8:5::5	"the internet"
#   10.77.0.1, 169.254.169.254, fd00:77::1	private addresses
# "$INET COMMAND..." runs a command there. Names come from DIR/names (dns_server.py), or
# DIR/hosts when there is one; what was asked for is in DIR/asked. Works as root and
# as an ordinary user.
set -eu

dir=$1 script=$2

if [ "${NETWORLD_INSIDE:-}" != yes ]; then
	NETWORLD_INSIDE=yes
	export NETWORLD_INSIDE
	if [ "$(id -u)" -eq 0 ]; then
		exec unshare -n -m "$0" "$dir" "$script"
	fi
	exec unshare -U -r -n -m "$0" "$dir" "$script"
fi

mount --make-rprivate /
unshare -n sleep 1000 &
there=$!
dns=
trap 'kill $there $dns 2>/dev/null' EXIT
INET="nsenter -t $there -n"
export INET
# It is there when it has left our network.
n=0
while [ "$(readlink "/proc/$there/ns/net")" = "$(readlink /proc/self/ns/net)" ]; do
	n=$((n + 1))
	[ "$n" -lt 400 ] || exit 1
	sleep 0.02
done

ip link set lo up
ip link add wan0 type veth peer name lan0 netns "$there"
ip addr add 192.0.2.1/24 dev wan0
ip -6 addr add 2001:db8:1::1/64 dev wan0 nodad
ip link set wan0 up
$INET sh -e <<'SETUP'
ip link set lo up
# What is not there is not answered for.
echo 0 >/proc/sys/net/ipv4/ip_forward
for a in 203.0.113.5 203.0.113.6 10.77.0.1 169.254.169.254; do
	ip addr add "$a/32" dev lo
done
for a in 2001:db8:5::5 fd00:77::1; do
	ip -6 addr add "$a/128" dev lo nodad
done
ip addr add 192.0.2.254/24 dev lan0
ip -6 addr add 2001:db8:1::254/64 dev lan0 nodad
ip link set lan0 up
SETUP
ip route add default via 192.0.2.254
ip -6 route add default via 2001:db8:1::254

printf 'nameserver 192.0.2.254\n' >"$dir/resolv.conf"
mount --bind "$dir/resolv.conf" "$(readlink -f /etc/resolv.conf)"
[ ! -f "$dir/hosts" ] || mount --bind "$dir/hosts" /etc/hosts
rm -f "$dir/asked" "$dir/dns.ready"
: >"$dir/asked"
[ -f "$dir/names" ] || : >"$dir/names"
$INET python3 "$X07_TESTS/dns_server.py" 192.0.2.254 "$dir/names" "$dir/asked" \
    "$dir/dns.ready" >"$dir/dns.log" 2>&1 &
dns=$!
n=0
while [ ! -f "$dir/dns.ready" ]; do
	n=$((n + 1))
	[ "$n" -lt 400 ] || { cat "$dir/dns.log"; exit 1; }
	sleep 0.05
done
sh -e "$script"
