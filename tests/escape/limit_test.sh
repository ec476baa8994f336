#!/usr/bin/env atf-sh
# Attempts to get round x07-limit: classes 25 and 27 to 30 of the list of escapes, each with
# the twin that is allowed.
. "$X07_TESTS/lib.sh"
. "$X07_TESTS/escape/surface.sh"

ATTACK="/usr/bin/python3 $X07_TESTS/escape/limit_attack.py"

# stopped OPTIONS -- NAME ARGS: the attempt under these limits fails or is killed.
# works: the same, and it succeeds.
stopped()
{
	_split "$@"
	_got=0
	# shellcheck disable=SC2086
	$AS env STAY=20 x07-limit -t 60s $_opts -- $ATTACK $_args >out 2>err || _got=$?
	case $_got in
	1 | 124 | 137 | 152) ;;
	*) atf_fail "status $_got: $_opts -- $_args: $(cat out err)" ;;
	esac
	if grep -q ^got out; then
		atf_fail "got it: $_opts -- $_args: $(cat out err)"
	fi
}
works()
{
	_split "$@"
	# shellcheck disable=SC2086
	atf_check -o match:^got -e ignore $AS x07-limit -t 60s $_opts -- $ATTACK $_args
}
_split()
{
	_opts=
	while [ "$1" != -- ]; do
		_opts="$_opts $1"
		shift
	done
	shift
	_args=$*
}

# nobody MARK: no process has the word among its arguments.
nobody()
{
	! grep -qlsaF "$1" /proc/[0-9]*/cmdline
}

# holds FLAG VALUE: the kernel itself holds that limit for this user; else it has to
# refuse to say so.
holds()
{
	# shellcheck disable=SC2086
	if $AS x07-limit --strict "$1" "$2" -- true 2>err; then
		return 0
	fi
	grep -q 'a control group would hold it' err || atf_fail "$(cat err)"
	return 1
}

atf_test_case class27
class27_head() { atf_set descr "27: daemons, stopped and deaf processes end in time"; }
class27_body() { both class27; }
class27()
{
	for how in deaf stopped renamed chain; do
		mark="$PWD/lived.$$.$how"
		rm -f "$mark"
		stopped -t 700ms -k 50ms -- outlive $how "$mark" 2
		nobody "$mark" || atf_fail "$how: somebody is left"
		sleep 1.7
		[ ! -e "$mark" ] || atf_fail "$how: somebody lived"
		works -t 50s -- outlive $how "$mark" 0.2
		rm -f "$mark"
	done
	# Who holds the output ends with the program, and so does the output.
	# shellcheck disable=SC2086
	atf_check -o match:^got -e empty -x "timeout -k 1 30 $AS x07-limit -o 1M -- $ATTACK hold | cat"
	# shellcheck disable=SC2086
	atf_check -o match:^got -e empty -x "timeout -k 1 30 $AS x07-limit -- $ATTACK hold | cat"
}

atf_test_case class28
class28_head() { atf_set descr "28: threads, many small processes, fork bombs, also root's"; }
class28_body() { both class28; }
class28()
{
	stopped -u 10 -- threads 20
	works -u 30 -- threads 20
	stopped -u 10 -- processes 10
	works -u 10 -- processes 9
	stopped -u 5 -T 10 -- processes 10
	works -u 12 -T 10 -- processes 10
	stopped -u 50 -T 5 -- threads 10
	works -u 50 -T 10 -- threads 10
	# A user namespace does not start from nothing.
	stopped -u 10 -- processes 10 userns
	works -u 10 -- processes 9 userns
	stopped -m 150M -- sum_of 8 40
	works -m 900M -- sum_of 8 40
	# A process whose first thread has ended seems a zombie.
	stopped -u 5 -T 20 -- processes 10 headless
	works -u 12 -T 20 -- processes 10 headless
	stopped -m 150M -- sum_of 8 40 headless
	works -m 900M -- sum_of 8 40 headless
	stopped -u 60 -t 1s -k 10ms -- bomb
	nobody 'limit_attack.py bomb' || atf_fail "the bomb is left"
}

# memory NAME MB ARGS: 150 MB of it are had below 400, and not below 60.
memory()
{
	_name=$1
	shift
	stopped -m 60M -- "$_name" 150 "$@"
	works -m 400M -- "$_name" 150 "$@"
}

atf_test_case class29
class29_head() { atf_set descr "29: memory of files, pipes, sockets and System V; limits raised again"; }
class29_body() { both class29; }
class29()
{
	if holds -m 60M; then
		memory memfd
		memory shm "/dev/shm/x07-limit.$$"
		memory tmpfs
		memory sysv
		memory sockets
		# Pipes hold little more than 64 MB of one user's, unless he is root.
		if [ -z "$AS" ] && [ "$(id -u)" -eq 0 ]; then
			stopped -m 60M -f 20000 -- pipes 100
			works -m 400M -f 20000 -- pipes 100
		fi
	fi
	stopped -m 900M -- rings 64
	works -u 20 -- rings 64
	stopped -f 30 -c 50s -F 1M -- raised
	stopped -f 30 -c 50s -F 1M -- raised userns
	# The twin: below the hard limit all may be raised.
	atf_check -o inline:'20\n' $AS x07-limit -f 30 -- sh -c 'ulimit -S -n 10; ulimit -S -n 20; ulimit -n'
}

atf_test_case class30
class30_head() { atf_set descr "30: leaving the group, lifting its caps, bytes by other roads"; }
class30_body() { both class30; }
class30()
{
	for mine in no own; do
		stopped -u 10 -m 1G -- leave_and $mine processes 20
		works -u 30 -m 1G -- leave_and $mine processes 9
		if holds -m 60M; then
			stopped -u 30 -m 60M -- leave_and $mine memfd 150
		fi
	done
	# A child that starts in another group; without one of ours it may.
	group=$(findmnt -n -t cgroup2 -o TARGET | head -n 1)
	if [ -z "$AS" ] && [ "$(id -u)" -eq 0 ] && [ -n "$group" ] && holds -c 50s; then
		stopped -c 50s -- into_group "$group"
		works -t 50s -- into_group "$group"
	fi
	for how in write reopen sendfile splice vmsplice children; do
		# shellcheck disable=SC2086
		$AS x07-limit -o 10 --on-cap drop -- $ATTACK talk $how 40 >out 2>err || :
		atf_check_equal "$how 10" "$how $(wc -c <out)"
		# shellcheck disable=SC2086
		atf_check -e ignore -o inline:"$(printf %040d 0 | tr 0 y)" \
		    $AS x07-limit -o 40 -- $ATTACK talk $how 40
	done
	# A second descriptor of the caller's output is not handed on.
	# shellcheck disable=SC2086
	$AS x07-limit -o 10 --on-cap drop -- $ATTACK talk inherited 40 9 9>&1 >out 2>err && atf_fail "inherited"
	atf_check_equal 0 "$(wc -c <out)"
	# shellcheck disable=SC2086
	$AS $ATTACK talk inherited 40 9 9>out || atf_fail "the twin without a gate"
	atf_check_equal 40 "$(wc -c <out)"
	# Numbers that do not fit are refused, the largest that does is not.
	for n in 9223372036854775807 9223372036854775808 18446744073709551617 9999999P -1; do
		atf_check -s exit:125 -e match:'^x07-limit: ' $AS x07-limit -o $n -- echo ran
	done
	atf_check -o inline:'ran\n' $AS x07-limit -o 1048576T -m 1048576T -- echo ran
}

atf_test_case surface
surface_head() { atf_set descr "25: foreign calls and kernel surface"; }
do_surface()
{
	ATTACK="/usr/bin/python3 $X07_TESTS/escape/surface_attack.py"
	surface_of_all
}
surface_body() { both do_surface; }

atf_test_case reader
reader_head() { atf_set descr "a reader that stands still or is gone keeps nobody from the limits"; }
do_reader()
{
	rm -f wall used; mkfifo wall
	exec 9<>wall
	fill="/usr/bin/python3 $X07_TESTS/escape/reader_attack.py limit"
	# The first denial has nobody to be told to; the second process ends all the same.
	atf_check -o inline:'-9 -9\n' timeout 30 sh -c "$AS x07-limit -t 25s -x 500ms -- $fill 2>wall"
	exec 9<&-
	# Nor on a terminal that the program has stopped.
	rm -f told
	atf_check timeout 30 script -qec "$AS x07-limit -t 25s -x 500ms -- $fill >told" /dev/null
	atf_check -o inline:'-9 -9\n' cat told
	# Nobody is there at all: the status and the report are.
	for opts in "-t 300ms" "-t 300ms -i" "-t 300ms -l fd:2"; do
		(st=0; $AS x07-limit $opts -r fd:5 -- sleep 20 5>&- 5>used 2>&7 || st=$?
		echo $st >status) 7>&1 | true
		atf_check_equal 124 "$(cat status)"
		atf_check -o inline:'"time"\n' jq .struck used
	done
	# The twin: who is slow, but reads, gets every line.
	atf_check -s exit:124 -o ignore -e ignore sh -c \
	    "$AS x07-limit -i -t 300ms -- sleep 20 2>&1 >/dev/null | (sleep 1; cat) >lines; exit 124"
	atf_check -o match:'deny wall time' -o match:'status 124' cat lines
}
reader_body() { both do_reader; }

atf_init_test_cases()
{
	atf_add_test_case class27
	atf_add_test_case class28
	atf_add_test_case class29
	atf_add_test_case class30
	atf_add_test_case surface
	atf_add_test_case reader
}
