#!/bin/sh
# networld.sh DIR SCRIPT: runs "sh -e SCRIPT" in a network of its own where
#   203.0.113.5, 203.0.113.6, 2001:db8:5::5	are "the internet",
#   10.77.0.1, 169.254.169.254, fd00:77::1	are private,
# and names come from DIR/names (dns_server.py) or DIR/hosts when it is there.
# What was asked for is in DIR/asked. Works as root and as an ordinary user.
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
ip link set lo up
for a in 203.0.113.5/32 203.0.113.6/32 10.77.0.1/32 169.254.169.254/32; do
	ip addr add "$a" dev lo
done
for a in 2001:db8:5::5/128 fd00:77::1/128; do
	ip -6 addr add "$a" dev lo nodad
done
printf 'nameserver 127.0.0.1\n' >"$dir/resolv.conf"
mount --bind "$dir/resolv.conf" "$(readlink -f /etc/resolv.conf)"
[ ! -f "$dir/hosts" ] || mount --bind "$dir/hosts" /etc/hosts
rm -f "$dir/asked" "$dir/dns.ready"
: >"$dir/asked"
[ -f "$dir/names" ] || : >"$dir/names"
python3 "$X07_TESTS/dns_server.py" 127.0.0.1 "$dir/names" "$dir/asked" \
    "$dir/dns.ready" >"$dir/dns.log" 2>&1 &
dns=$!
trap 'kill $dns 2>/dev/null' EXIT
n=0
while [ ! -f "$dir/dns.ready" ]; do
	n=$((n + 1))
	[ "$n" -lt 400 ] || { cat "$dir/dns.log"; exit 1; }
	sleep 0.05
done
sh -e "$script"
