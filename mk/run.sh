#!/bin/sh
# make run: builds, installs into a private stage, and runs one real program
# (curl) under one real policy, so that one sees an allowed and a denied access.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
: "${MAKE:=make}"
"$MAKE" -s -C "$top" all >&2

stage=$(mktemp -d "${TMPDIR:-/tmp}/x07-run.XXXXXX")
server=
finish()
{
	[ -z "$server" ] || kill "$server" 2>/dev/null || :
	rm -rf "$stage"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
"$MAKE" -s -C "$top" install DESTDIR="$stage" PREFIX=/usr >/dev/null
PATH=$stage/usr/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
mkdir "$stage/project" "$stage/www"
cd "$stage/project"
echo 'hello from the allowed server' >"$stage/www/index.html"

serve()
{
	rm -f "$stage/port"
	python3 "$top/tests/http_server.py" 127.0.0.1 "$stage/www" "$stage/port" \
	    >/dev/null 2>&1 &
	server=$!
	_n=0
	while [ ! -s "$stage/port" ]; do
		_n=$((_n + 1))
		[ "$_n" -lt 200 ] || { echo "the server did not start" >&2; exit 1; }
		sleep 0.05
	done
	port=$(cat "$stage/port")
}

# show WANT COMMAND...: runs it in sight; WANT is ok or fail.
show()
{
	_want=$1
	shift
	echo
	echo "\$ $*"
	_got=ok
	"$@" || _got=fail
	if [ "$_got" != "$_want" ]; then
		echo "make run: this should have been: $_want" >&2
		exit 1
	fi
}

serve
policy=.x07/policies/base/http-client.sandbox.base.policy.json
sandbox="--profile sandbox --policy $policy --sandbox-backend os --i-accept-weaker-isolation"

show ok x07 policy init --template http-client

echo
echo "# A server listens on 127.0.0.1:$port; the policy gets exactly that destination."
# shellcheck disable=SC2086 # the options are words
show ok x07 run $sandbox --allow-host "127.0.0.1:$port" -- \
    curl -sS --max-time 20 "http://127.0.0.1:$port/"

echo
echo "# Any other port is refused, and a line says why and what would allow it."
# shellcheck disable=SC2086
show fail x07 run $sandbox --allow-host "127.0.0.1:$port" -- \
    curl -sS --max-time 20 "http://127.0.0.1:$((port > 1024 ? port - 1 : port + 1))/"

echo
echo "# Files: the project is read-only, except for out."
# shellcheck disable=SC2086
show ok x07 run $sandbox -- \
    python3 -c 'open("out/result", "w").write("written\n")'
show ok cat out/result
# shellcheck disable=SC2086
show fail x07 run $sandbox -- \
    python3 -c 'open("result", "w").write("written\n")'

echo
echo "# The gates of this kernel alone are weaker than a machine of its own, and say so."
show fail x07 run --profile sandbox --policy "$policy" --sandbox-backend os -- true

echo
echo "make run: all as it should be."
