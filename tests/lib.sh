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

# firm_work_dir: the work directory is that of who runs the program, and nobody else may write
# to it: below another x07-vmrun keeps nothing.
firm_work_dir()
{
	chmod 755 .
	[ "$(id -u)" -eq 0 ] || return 0
	if [ -z "$AS" ]; then
		chown root .
	else
		chown "$TEST_USER" .
	fi
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

# wait_for SECONDS COMMAND...: until it succeeds; fails the test otherwise, with what the
# command says.
wait_for()
{
	_n=$(($1 * 20))
	shift
	while ! "$@" >/dev/null 2>&1; do
		_n=$((_n - 1))
		[ "$_n" -gt 0 ] ||
		    atf_fail "gave up waiting for: $*: $("$@" 2>&1 | tr '\n' '|')"
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

# completions_ask TOOL: makes ask.bash WORD..., which tells what the last word may become;
# with PACKAGE= as in a shell without the package bash-completion.
completions_ask()
{
	cat >ask.bash <<-EOF
	. "\$X07_SRC/share/completions/bash/$1"
	compopt() { :; }
	_command_offset() { COMPREPLY=("a program at \$1"); }
	[ "\${PACKAGE-yes}" ] || unset -f _command_offset
	COMP_WORDS=($1 "\$@") COMP_CWORD=\$#
	_$(printf %s "$1" | tr - _)
	[ \${#COMPREPLY[@]} -eq 0 ] || printf '%s\n' "\${COMPREPLY[@]}" | LC_ALL=C sort
	EOF
}

# completions_break TOOL [COMMAND]: bash breaks words at "=" and ":", so that "--log=l" is
# three; behind the options a program follows, and without the package names do.
completions_break()
{
	_dir=$X07_SRC/share/completions/bash
	sed -n '/^_x07_program()/,/^}/p' "$_dir/x07-limit" >expected
	atf_check -s exit:0 test -s expected
	atf_check -o file:expected sed -n '/^_x07_program()/,/^}/p' "$_dir/$1"
	shift
	: >some.json
	atf_check -o inline:'some.json\n' bash ask.bash "$@" --policy some
	atf_check -o inline:'some.json\n' bash ask.bash "$@" --policy = some
	atf_check -o match:'^some.json$' bash ask.bash "$@" -q --policy =
	atf_check -o empty bash ask.bash "$@" --log = l : s
	atf_check -o match:'^--policy$' bash ask.bash "$@" --log = l --pol
	atf_check -o match:'^bash$' bash ask.bash "$@" --log = l bas
	atf_check -o inline:"a program at $(($# + 2))\\n" bash ask.bash "$@" -- x
	atf_check -o inline:"a program at $(($# + 3))\\n" bash ask.bash "$@" --log l prog x
	atf_check -o inline:"a program at $(($# + 4))\\n" bash ask.bash "$@" --log = l prog x
	atf_check -o inline:"a program at $(($# + 6))\\n" bash ask.bash "$@" --log = l : 1 prog x
	completions_alone "$@" -q
	completions_alone "$@" --
}

# completions_alone WORD...: where a program may follow, without the package, commands do,
# and files behind one.
completions_alone()
{
	: >some.json
	export PACKAGE=
	atf_check -o match:'^bash$' bash ask.bash "$@" bas
	atf_check -o inline:'some.json\n' bash ask.bash "$@" prog some
	atf_check -o match:'^some.json$' bash ask.bash "$@" prog --opt =
	unset PACKAGE
}

# completions_hold TOOL: every long option that its page has is one of the tool, and is
# completed by bash, zsh and fish; words behind the options are the program's.
completions_hold()
{
	completions_ask "$1"
	_n=0
	sed -nE 's/^\.It Fl (. , )?-([a-z0-9-]+).*/\2/p' "$X07_SRC/man/$1.1" >options
	while read -r _o; do
		_n=$((_n + 1))
		atf_check -s ignore -o ignore -e not-match:'unrecognized|unknown' \
		    "$1" "--$_o"
		[ "$_o" != landlock-fd ] || continue	# from gate to gate
		atf_check -o match:"^--$_o\$" bash ask.bash "--$_o"
		atf_check -o ignore grep -e "[{,'*]--${_o}=\\?[]}'[]" \
		    "$X07_SRC/share/completions/zsh/_$1"
		atf_check -o ignore grep -e "-l $_o " \
		    "$X07_SRC/share/completions/fish/$1.fish"
	done <options
	[ "$_n" -gt 5 ] || atf_fail "no options in the page"
	completions_break "$1"
	command -v zsh >/dev/null || return 0
	# shellcheck disable=SC2016 # for zsh
	atf_check -o inline:"_$1\\n" zsh -fc 'fpath=("$X07_SRC/share/completions/zsh" $fpath)
	    autoload -Uz compinit && compinit -u -D && print $_comps[$1] &&
	    autoload +X _$1' zsh "$1"
}

# podman_with RUNTIME: podman keeps what it has in the current directory, and runs
# containers by RUNTIME. End it with podman_gone.
podman_with()
{
	cat >storage.conf <<-EOF
	[storage]
	driver = "vfs"
	graphroot = "$PWD/graph"
	runroot = "$PWD/podrun"
	EOF
	# What containers are given by default may be more than this machine has.
	cat >containers.conf <<-EOF
	[containers]
	default_ulimits = ["nofile=1024:1024", "nproc=500:500"]
	[engine]
	runtime = "$1"
	cgroup_manager = "cgroupfs"
	events_logger = "none"
	EOF
	export CONTAINERS_STORAGE_CONF="$PWD/storage.conf"
	export CONTAINERS_CONF="$PWD/containers.conf"
}

# podman_gone: nothing of podman is left here; safe in a cleanup routine.
podman_gone()
{
	[ -e storage.conf ] || return 0
	export CONTAINERS_STORAGE_CONF="$PWD/storage.conf"
	export CONTAINERS_CONF="$PWD/containers.conf"
	podman rm -f -t 0 -a >/dev/null 2>&1 || :
	podman umount -a >/dev/null 2>&1 || :
	grep -F "$PWD/" /proc/self/mountinfo | cut -d' ' -f5 | sort -r |
	    while read -r m; do umount "$m" || :; done
	rm -rf graph podrun
}
