# shellcheck shell=sh
# Helpers for the sh tests. Sourced; needs X07_TESTS (the tests directory) from mk/check.sh.

# The ordinary user of the tests: made when we are root, else whoever runs them.
TEST_USER=x07test

# In $AS_USER the words that run a command as the ordinary user, with no supplementary
# groups; empty when we are one. Use it unquoted, in atf_check too:
# atf_check $AS_USER id -u.
AS_USER=
if [ "$(id -u)" -eq 0 ]; then
	AS_USER="setpriv --reuid $(id -u "$TEST_USER") --regid $(id -g "$TEST_USER") \
--clear-groups env HOME=/tmp USER=$TEST_USER"
fi

# as_user COMMAND...: the same as a function.
as_user()
{
	$AS_USER "$@"
}

# both FUNCTION: runs it as root (where we are root) and as the ordinary user:
# its commands go through $AS, unquoted. It leaves nothing behind that would be in the
# way of the second run.
both()
{
	if [ "$(id -u)" -eq 0 ]; then
		chmod 777 .
		AS='' "$@"
	fi
	AS=$AS_USER "$@"
}

# as_root: do commands that go through $AS run as root? For twins that need it.
as_root()
{
	[ -z "$AS" ] && [ "$(id -u)" -eq 0 ]
}

# need_root: skips the test, with the reason, when we are not root.
need_root()
{
	[ "$(id -u)" -eq 0 ] || atf_skip "needs root"
}

# wait_for SECONDS COMMAND...: until it succeeds; fails the test otherwise.
wait_for()
{
	_n=$(($1 * 20))
	shift
	while ! "$@" >/dev/null 2>&1; do
		_n=$((_n - 1))
		[ "$_n" -gt 0 ] || atf_fail "gave up waiting for: $*"
		sleep 0.05
	done
}

# http_server ADDRESS [DIR]: serves DIR (default: here) on a free port of ADDRESS;
# sets SERVER_PORT and SERVER_PID. End it with stop_server.
http_server()
{
	rm -f server.port
	python3 "$X07_TESTS/http_server.py" "$1" "${2:-.}" server.port \
	    >server.log 2>&1 &
	SERVER_PID=$!
	echo "$SERVER_PID" >>server.pids
	wait_for 20 test -s server.port
	# shellcheck disable=SC2034 # for the caller
	SERVER_PORT=$(cat server.port)
}

# stop_servers: ends every server of this test; safe in a cleanup routine.
stop_servers()
{
	[ -f server.pids ] || return 0
	while read -r _pid; do
		kill "$_pid" 2>/dev/null || :
	done <server.pids
	rm -f server.pids
}

# free_port: prints a TCP port that nobody listens on now.
free_port()
{
	python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}
