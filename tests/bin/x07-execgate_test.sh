#!/usr/bin/env atf-sh
# x07-execgate: only the listed programs, alone, as root and as a user.

. "$X07_TESTS/lib.sh"

# Absolute names: what PATH finds first may be somebody's wrapper.
PATH=$PATH:/usr/bin:/bin
PYTHON=/usr/bin/python3

# run STATUS COMMAND...: runs it as $AS, output in out and err, checks its status.
run()
{
	_want=$1
	shift
	_got=0
	$AS "$@" >out 2>err </dev/null || _got=$?
	[ "$_got" -eq "$_want" ] || atf_fail \
	    "status $_got, not $_want: $AS $* (out: $(cat out); err: $(cat err))"
}

# says FILE TEXT: the file must have a line with TEXT in it.
says()
{
	grep -Fq -e "$2" "$1" || atf_fail "no '$2' in $1: $(cat "$1")"
}

shut()
{
	if grep -Fq -e "$2" "$1"; then
		atf_fail "'$2' in $1: $(cat "$1")"
	fi
}

atf_test_case listed
listed_head()
{
	atf_set descr "A listed file may be executed, an unlisted one may not"
}
listed_body()
{
	both listed_run
}
listed_run()
{
	run 0 x07-execgate -x /bin/echo -- sh -c '/bin/echo one'
	says out one
	run 126 x07-execgate -- sh -c '/bin/echo one'
	shut out one
	says err 'Permission denied'
	# A bare name is looked up; a link stands for its file.
	run 0 x07-execgate -x env -- sh -c '/usr/bin/env true_is_builtin=1 >/dev/null'
	# The program's own file may be started again, nothing else.
	run 0 x07-execgate -- sh -c '/bin/sh -c "exit 0"'
}

atf_test_case prefix
prefix_head()
{
	atf_set descr "A prefix is a directory, not a string"
}
prefix_body()
{
	mkdir -p tools toolsmith
	cp /bin/echo tools/say
	cp /bin/echo toolsmith/say
	chmod -R a+rX .
	both prefix_run
}
prefix_run()
{
	run 0 x07-execgate -X tools/ -- sh -c './tools/say hello'
	says out hello
	run 126 x07-execgate -X tools/ -- sh -c './toolsmith/say hello'
	run 126 x07-execgate -X tools/ -- sh -c './tools/../toolsmith/say hello'
	run 126 x07-execgate -X tools/ -- sh -c './tools/../../../../../../bin/echo hello'
	run 126 x07-execgate -- sh -c './tools/say hello'
}

atf_test_case loader
loader_head()
{
	atf_set descr "The loader does not start what is not listed, or anything at all"
}
loader_body()
{
	LD=$(readelf -l /bin/sh | sed -n 's/.*interpreter: \(.*\)]/\1/p')
	cp /bin/echo evil
	chmod -R a+rX .
	both loader_run
}
loader_run()
{
	# The twin: without the gate this works.
	run 0 sh -c "$LD ./evil hello"
	says out hello
	run 126 x07-execgate -- sh -c "$LD ./evil hello"
	run 126 x07-execgate -- sh -c "$LD /bin/echo hello"
	run 126 x07-execgate -x /bin/echo -- sh -c "$LD /bin/echo hello"
	run 0 x07-execgate -x /bin/echo -- sh -c "/bin/echo hello"
	# Asked for by name, it is refused before anything runs.
	run 125 x07-execgate -x "$LD" -- sh -c :
	says err 'is a loader'
	run 125 x07-execgate -- "$LD" ./evil hello
	says err 'is a loader'
}

atf_test_case no_spawn
no_spawn_head()
{
	atf_set descr "--no-spawn: threads, but no child and no second exec"
}
no_spawn_body()
{
	cat >spawn.py <<'EOF'
import os, sys, threading
what = sys.argv[1]
if what == "thread":
    t = threading.Thread(target=lambda: print("thread"))
    t.start()
    t.join()
elif what == "fork":
    if os.fork() == 0:
        os._exit(0)
    os.wait()
    print("forked")
elif what == "exec":
    for i in range(1000):
        try:
            os.execv("/usr/bin/python3", ["python3", "-c", "print('execed')"])
        except PermissionError:
            pass
    sys.exit(3)
EOF
	chmod -R a+rX .
	both no_spawn_run
}
no_spawn_run()
{
	run 0 x07-execgate --no-spawn -- "$PYTHON" spawn.py thread
	says out thread
	run 1 x07-execgate --no-spawn -- "$PYTHON" spawn.py fork
	says err 'Operation not permitted'
	run 0 x07-execgate -- "$PYTHON" spawn.py fork
	says out forked
	run 3 x07-execgate --no-spawn -- "$PYTHON" spawn.py exec
	run 0 x07-execgate -- "$PYTHON" spawn.py exec
	says out execed
}

atf_test_case script
script_head()
{
	atf_set descr "A listed script needs its interpreter listed"
}
script_body()
{
	printf '#!/bin/sh\necho script ran\n' >job
	chmod 755 job
	chmod -R a+rX .
	both script_run
}
script_run()
{
	run 125 x07-execgate -x ./job -- "$PYTHON" -c 'pass'
	says err 'is not listed; add -x'
	run 0 x07-execgate -x ./job -x sh -- "$PYTHON" -c \
	    'import subprocess; subprocess.check_call(["./job"])'
	says out 'script ran'
	run 1 x07-execgate -x sh -- "$PYTHON" -c \
	    'import subprocess; subprocess.check_call(["./job"])'
	says err PermissionError
	# As the program itself it brings its interpreter.
	run 0 x07-execgate ./job
	says out 'script ran'
	run 0 x07-execgate --no-spawn ./job
	says out 'script ran'
}

atf_test_case git
git_head()
{
	atf_set descr "git with its helpers, and without them"
}
git_body()
{
	both git_run
}
git_run()
{
	$AS rm -rf repo copy
	$AS git init -q repo
	$AS git -C repo -c user.name=t -c user.email=t@example.org commit -q \
	    --allow-empty -m one
	run 0 x07-execgate -x git -x sh -X /usr/lib/git-core -- \
	    git clone -q repo copy
	$AS test -d copy/.git || atf_fail "no clone"
	$AS rm -rf copy
	run 128 x07-execgate -- git clone -q repo copy
	$AS rm -rf repo copy
}

atf_test_case busybox
busybox_head()
{
	atf_set descr "A static program with many names"
}
busybox_body()
{
	both busybox_run
}
busybox_run()
{
	run 0 x07-execgate -x busybox -- sh -c 'busybox echo hello'
	says out hello
	run 126 x07-execgate -- sh -c 'busybox echo hello'
	run 0 x07-execgate -- busybox sh -c 'busybox echo hello'
	run 0 x07-execgate --no-spawn -- busybox echo hello
}

atf_test_case kept_in
kept_in_head()
{
	atf_set descr "No capabilities, no new privileges, no descriptors, no namespaces"
}
kept_in_body()
{
	both kept_in_run
}
kept_in_run()
{
	exec 7</dev/null
	run 0 x07-execgate -x /bin/grep -x /bin/ls -- sh -c \
	    'grep -E "^(Cap|NoNewPrivs)" /proc/self/status; ls /proc/self/fd'
	exec 7<&-
	says out 'NoNewPrivs:	1'
	grep '^Cap' out | grep -v '0000000000000000$' && atf_fail "capabilities left"
	grep -qx 7 out && atf_fail "descriptor 7 leaked"
	run 1 x07-execgate -x unshare -- sh -c 'unshare -Ur true'
	run 0 x07-execgate -x unshare -- sh -c 'unshare --version'
}

atf_test_case lines
lines_head()
{
	atf_set descr "A denial is one line with object, key and flag; -q and -l"
}
lines_body()
{
	chmod 777 .
	cp /bin/echo "$(printf 'b\033[31m')"
	both lines_run
}
lines_run()
{
	run 126 x07-execgate -- sh -c 'exec /bin/echo one'
	says err 'x07-execgate: deny exec /usr/bin/echo (not in process.allow_execs; allow with -x /usr/bin/echo)'
	# PATH finds it twice where /bin is a link; it is said once.
	run 126 x07-execgate -- sh -c 'exec ls'
	[ "$(grep -c 'deny exec' err)" -eq 1 ] || atf_fail "$(cat err)"
	run 126 x07-execgate -q -- sh -c 'exec ls'
	shut err 'x07-execgate'
	run 2 x07-execgate --no-spawn -- sh -c 'ls; exit 2'
	says err 'deny spawn /usr/bin/'
	says err '(--no-spawn was given)'
	run 126 x07-execgate --no-spawn -- sh -c 'exec ls'
	says err 'deny exec /usr/bin/ls (--no-spawn was given)'
	$AS rm -f log
	run 126 x07-execgate -q -l log -- sh -c 'exec ls'
	says log '"verdict":"deny","verb":"exec","object":"/usr/bin/ls"'
	shut err 'x07-execgate'
	$AS rm -f log
	run 0 x07-execgate -l log -x ls -- sh -c 'exec ls'
	says log '"verdict":"allow","verb":"exec","object":"/usr/bin/ls"'
	# Bytes of the program's choosing do not reach the terminal.
	run 126 x07-execgate -- sh -c 'exec "$(printf "./b\033[31m")"'
	grep x07-execgate err >ours
	says ours 'b\033[31m (not in'
	shut ours "$(printf '\033')"
	rm -f ours
	$AS rm -f log
}

atf_test_case dry_run
dry_run_head()
{
	atf_set descr "-n says what would be denied and denies nothing"
}
dry_run_body()
{
	both dry_run_run
}
dry_run_run()
{
	run 125 x07-execgate -n -- sh -c '/bin/echo one'
	says err 'i-accept-weaker-isolation'
	run 0 x07-execgate -n --i-accept-weaker-isolation -- sh -c '/bin/echo one'
	says out one
	says err 'would deny exec /usr/bin/echo'
	run 0 x07-execgate -n --i-accept-weaker-isolation --no-spawn -- sh -c \
	    '/bin/echo one; true'
	says out one
	says err 'would deny spawn'
	run 0 x07-execgate -n --i-accept-weaker-isolation -x /bin/echo -- \
	    sh -c '/bin/echo one'
	shut err 'would deny'
}

# The watchers of this test: processes of our name whose parent is not the test.
watchers()
{
	for _p in /proc/[0-9]*; do
		[ "$(cat "$_p/comm" 2>/dev/null)" = x07-execgate ] || continue
		tr '\0' ' ' <"$_p/cmdline" 2>/dev/null | grep -Fq -e "$1" &&
		    echo "${_p#/proc/}"
	done
	:
}

has_watcher()
{
	[ -n "$(watchers "$1")" ]
}

no_watcher()
{
	! has_watcher "$1"
}

atf_test_case watcher
watcher_head()
{
	atf_set descr "The watcher ends with the program; killed, it takes exec with it"
}
watcher_body()
{
	both watcher_run
}
watcher_run()
{
	mark=mark.$$.$(id -u).$AS
	run 0 x07-execgate -x /bin/echo -- sh -c ": $mark; exit 0"
	wait_for 5 no_watcher "$mark"

	# Standard error closes with the program, whatever it leaves behind.
	cat >late.sh <<-'EOF'
	sleep 3 >/dev/null 2>&1 </dev/null &
	echo done
	EOF
	start=$(date +%s)
	got=$($AS x07-execgate -x sleep -- sh late.sh 2>&1)
	[ "$got" = "done" ] || atf_fail "got '$got'"
	[ $(($(date +%s) - start)) -lt 3 ] || atf_fail "waited for the daemon"

	rm -f go
	$AS x07-execgate -x /bin/echo -- sh -c \
	    "# $mark
	    while ! test -e go; do :; done; /bin/echo one" >out 2>err &
	pid=$!
	wait_for 10 has_watcher "$mark"
	for w in $(watchers "$mark"); do
		kill -9 "$w"
	done
	touch go
	wait "$pid" && atf_fail "exec after the watcher's death"
	shut out one
	rm -f go
}

atf_test_case usage
usage_head()
{
	atf_set descr "Faults are one line and 125; 126 and 127 for the program"
}
usage_body()
{
	mkdir dir
	: >plain
	chmod -R a+rX .
	both usage_run
}
usage_run()
{
	run 125 x07-execgate
	run 125 x07-execgate --no-such-flag -- true
	run 125 x07-execgate -x /no/such/file -- true
	says err 'No such file'
	run 125 x07-execgate -x ./dir -- true
	run 125 x07-execgate -X /bin/echo -- true
	says err 'not a directory'
	run 125 x07-execgate --landlock-fd 0 -- true
	run 125 x07-execgate --landlock-fd 9 -- true
	says err 'not a Landlock ruleset'
	run 127 x07-execgate -- ./missing
	run 126 x07-execgate -- ./plain
	run 125 x07-execgate -- x07-execgate -- true
	says err 'cannot run inside'
	run 0 x07-execgate --help
	run 0 x07-execgate --version
}

atf_test_case directory_stdin
directory_stdin_head()
{
	atf_set descr "A directory as standard input would be a way round the mounts"
}
directory_stdin_body()
{
	atf_check -s exit:125 -e match:'descriptor 0 is a directory' \
	    x07-execgate -- true </
	atf_check x07-execgate -- true </dev/null
}

atf_init_test_cases()
{
	atf_add_test_case listed
	atf_add_test_case prefix
	atf_add_test_case loader
	atf_add_test_case no_spawn
	atf_add_test_case script
	atf_add_test_case git
	atf_add_test_case busybox
	atf_add_test_case kept_in
	atf_add_test_case lines
	atf_add_test_case dry_run
	atf_add_test_case watcher
	atf_add_test_case usage
	atf_add_test_case directory_stdin
}
