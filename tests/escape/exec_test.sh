#!/usr/bin/env atf-sh
# Attempts to get round x07-execgate: classes 12 to 17 and 23 to 26 of the list of
# escapes, each with the twin that is allowed, or that shows that it works without
# the gate.
. "$X07_TESTS/lib.sh"
. "$X07_TESTS/escape/surface.sh"

PY=/usr/bin/python3
LD=$(readelf -l /bin/sh | sed -n 's/.*interpreter: \(.*\)]/\1/p')
LIB=$(ldconfig -p | sed -n 's/.*libz\.so\.1 .*=> //p' | head -n 1)

# need_code: skips where exec_attack.py has no code to write.
need_code()
{
	case $(uname -m) in
	x86_64 | aarch64) ;;
	*) atf_skip "the code is for x86_64 and aarch64" ;;
	esac
}

# stopped OPTIONS -- NAME ARGS: the attempt under the gate is denied.
# works: the same, and it succeeds. bare NAME ARGS: it succeeds without a gate.
stopped() { _try exit:1 denied "$@"; }
works() { _try exit:0 got "$@"; }
_try()
{
	_st=$1 _word=$2
	shift 2
	_opts=
	while [ "$1" != -- ]; do
		_opts="$_opts $1"
		shift
	done
	shift
	atf_check -s "$_st" -o match:"^$_word" -e ignore \
	    $AS x07-execgate $_opts -- $PY "$X07_TESTS/escape/$ATTACK" "$@"
}
bare()
{
	atf_check -o match:'^got' -e ignore \
	    $AS $PY "$X07_TESTS/escape/$ATTACK" "$@"
}

ATTACK=exec_attack.py

# A fresh directory of $AS with files that may be listed or not.
setup()
{
	cd "$HERE" || atf_fail "cd"
	chmod -R u+rwX work 2>/dev/null || :
	rm -rf work
	$AS mkdir work
	cd work || atf_fail "cd work"
	$AS mkdir tools
	for f in busybox.evil tools/good; do
		$AS cp /bin/busybox $f
	done
	$AS cp /bin/echo dynamic
	$AS cp "$LD" own-loader
}
HERE=$PWD

# rules FILE KEY=JSON...: a policy under which programs may be spawned.
rules()
{
	_file=$1
	shift
	$AS x07-policy init --template worker-parallel --out base.json \
	    --force >/dev/null || atf_fail "x07-policy init"
	$AS $PY - "$_file" "$@" <<-'EOF' || atf_fail "policy $_file"
	import json, sys
	p = json.load(open("base.json"))
	for a in sys.argv[2:]:
	    key, value = a.split("=", 1)
	    p["process"][key] = json.loads(value)
	json.dump(p, open(sys.argv[1], "w"))
	EOF
}

atf_test_case loaders
loaders_head()
{
	atf_set descr "12: the loader by name, a copy of it, files mapped as code"
}
do_loaders()
{
	setup
	for attempt in "loader $LD ./dynamic" "loader $LD /bin/echo" \
	    "loader ./own-loader ./dynamic" "written /bin/echo" "mapped $PWD/m" \
	    "dlopen $LIB"; do
		bare $attempt
		stopped -x ./tools/good -- $attempt
		stopped -x ./dynamic -x /bin/echo -- $attempt
		$AS rm -f own.so written m
	done
	# What would allow them: a directory that is written and executed.
	works -W . -- loader ./own-loader ./dynamic
	works -W . -- written /bin/echo
	works -W . -- mapped "$PWD/m"
	works -W . -- dlopen "$LIB"
}
loaders_body() { both do_loaders; }

atf_test_case memory
memory_head()
{
	atf_set descr "12: memory that was written as code, denied by -w"
}
# through OPTIONS -- COMMAND: under the gate, with pipes for standard descriptors, which
# -w wants; the output in out.
through()
{
	$AS sh -c 'x07-execgate "$@" </dev/null 2>&1 | cat' sh "$@" >out
}
do_memory()
{
	setup
	attack="$PY $X07_TESTS/escape/exec_attack.py"
	for attempt in memory shared_memory heap; do
		bare $attempt
		works -- $attempt
		through -w -- $attack $attempt
		atf_check -o match:'^denied' cat out
	done
	through -w -- /bin/echo fine
	atf_check -o inline:"fine\n" cat out
	# A file of the caller's on standard output is on the caller's mounts.
	atf_check $AS sh -c "$attack output >file 2>&1; grep -q got file"
	atf_check $AS sh -c "x07-execgate -- $attack output >file 2>&1; grep -q got file"
	for redirect in '>file' '<file' '2>file'; do
		$AS sh -c "{ x07-execgate -w -- /bin/echo ran $redirect; echo \$?; } 2>&1 |
		    cat; cat file" >out
		atf_check -o match:'^125$' -o not-match:'^ran' \
		    -o match:'descriptor . is a file that could be written' cat out
	done
}
memory_body()
{
	need_code
	both do_memory
}

atf_test_case own_memory
own_memory_head()
{
	atf_set descr "12: code overwritten through /proc, or another /proc elsewhere"
}
do_own_memory()
{
	setup
	bare own_memory /proc
	stopped -- own_memory /proc
}
own_memory_body()
{
	need_code
	both do_own_memory
	[ "$(id -u)" -eq 0 ] || return 0
	AS=
	mkdir proc2
	cat >run.sh <<-'END'
	mount -t proc p proc2
	"$1" "$2" own_memory proc2 && x07-execgate -- "$1" "$2" own_memory proc2
	END
	atf_check -s exit:1 -o match:'^got' -o match:'^denied EROFS' \
	    unshare -m sh run.sh $PY "$X07_TESTS/escape/exec_attack.py"
}

atf_test_case kernels
kernels_head()
{
	atf_set descr "14: files of the kernel that are mounted in other places"
	atf_set require.user root
}
kernels_body()
{
	mkdir k
	cat >run.sh <<-'END'
	# run.sh TYPE FILE: such a file system, with that file.
	mount -t "$1" k k || exit 90
	sh -c ": >>k/$2" || exit 91
	! x07-execgate -- sh -c ": >>k/$2" || exit 1
	# The twin: files are the matter of other gates.
	umount k && mount -t tmpfs k k
	x07-execgate -- sh -c ": >>k/file"
	END
	for f in 'cgroup2 cgroup.procs' 'mqueue queue' 'proc sys/kernel/core_pattern'; do
		# shellcheck disable=SC2086
		atf_check -e match:'Read-only file system' unshare -m -i sh run.sh $f
	done
}

atf_test_case names
names_head()
{
	atf_set descr "13: copies, links, renames, swapped directories, /proc"
}
do_names()
{
	setup
	chmod 755 tools
	for how in link_in rename_in copy_in; do
		bare $how ./busybox.evil ./tools/new
		$AS rm -f tools/new
		setup
		stopped -X tools -- $how ./busybox.evil ./tools/new
		# The name of a listed file for an unlisted one.
		stopped -x ./tools/good -- $how ./busybox.evil ./tools/new
		$AS rm -f tools/new
		[ $how = link_in ] || stopped -x ./tools/good -- $how ./busybox.evil ./tools/good
		setup
	done
	works -W . -- link_in ./busybox.evil ./tools/new
	for path in /proc/self/root/bin/busybox /proc/self/cwd/busybox.evil \
	    tools/../busybox.evil "$PWD/tools/../busybox.evil"; do
		bare run "$path"
		stopped -X tools -- run "$path"
		stopped -x ./tools/good -- run "$path"
	done
	works -x busybox -- run /proc/self/root/bin/busybox
	works -x ./busybox.evil -- run /proc/self/cwd/busybox.evil
	works -X tools -- run tools/../tools/good
	$AS ln -s ../busybox.evil tools/link
	stopped -X tools -- run tools/link
	works -X tools -x ./busybox.evil -- run tools/link

	bare fresh_tmpfs
	stopped -X tools -- fresh_tmpfs
	stopped -W . -- fresh_tmpfs

	$AS mkdir others
	$AS cp /bin/busybox others/good
	bare swapped_directory tools others good
	setup
	$AS mkdir others
	$AS cp /bin/busybox others/good
	stopped -x ./tools/good -- swapped_directory tools others good
}
names_body() { both do_names; }

atf_test_case writing
writing_head()
{
	atf_set descr "16: a listed file is written by its name, or by another name"
}
do_writing()
{
	setup
	$AS cp /bin/true tools/listed
	$AS ln tools/listed other
	$AS cp /bin/true tools/alone
	stopped -x ./tools/alone -- overwrite ./tools/alone ./tools/alone
	# It can be written by its other name, but what runs is what was listed.
	atf_check -o empty -e ignore $AS x07-execgate -x ./tools/listed -- \
	    $PY "$X07_TESTS/escape/exec_attack.py" overwrite other ./tools/listed
	cmp -s other /bin/busybox || atf_fail "other was not written"
	bare run ./tools/listed
	$AS cp /bin/true tools/listed
	rules p.json 'allow_execs=["tools/listed"]' max_live=9
	atf_check -o empty -e ignore $AS x07-execgate -p p.json -- \
	    $PY "$X07_TESTS/escape/exec_attack.py" overwrite other ./tools/listed
	cmp -s other /bin/busybox || atf_fail "other was not written"
	$AS cp /bin/true tools/listed
	bare overwrite other ./tools/listed
	setup
	$AS cp /bin/true tools/listed
	works -W tools -- overwrite tools/listed ./tools/listed
}
writing_body() { both do_writing; }

atf_test_case replaced
replaced_head()
{
	atf_set descr "16: a listed file in a writable root is replaced for the next run"
}
# replace WHAT-BECOMES GATE...: of writing, removing, and renaming two directories.
replace()
{
	_want=$1
	shift
	$AS mkdir -p out/bin out/z
	$AS cp /bin/true out/bin/listed
	atf_check -o inline:"$_want\n" $AS x07-fsgate -q -p p.json -r p.json -- "$@" $PY -c '
import errno, os
def attempt(f, *args):
    try:
        f(*args)
        return "done"
    except OSError as e:
        return errno.errorcode[e.errno]
print(attempt(os.open, "out/bin/listed", os.O_WRONLY), attempt(os.unlink, "out/bin/listed"),
    attempt(os.rename, "out/bin", "out/b"), attempt(os.rename, "out/z", "out/y"))'
	rm -rf out
}
# writable: the policy that was made lets the program write out.
writable()
{
	$AS $PY -c '
import json
p = json.load(open("p.json"))
p["fs"].update(enabled=True, write_roots=["out"], allow_rename=True,
    allow_remove=True, allow_mkdir=True)
json.dump(p, open("p.json", "w"))' || atf_fail "policy"
}
do_replaced()
{
	setup
	rules p.json 'allow_execs=["out/bin/listed"]' max_live=9
	writable
	replace "EROFS EBUSY EBUSY done"
	replace "EROFS EBUSY EBUSY done" x07-execgate -q -p p.json --
	rules p.json 'allow_execs=["/bin/true"]' max_live=9
	writable
	replace "done done done done"
	replace "done done done done" x07-execgate -q -p p.json --
}
replaced_body() { both do_replaced; }

atf_test_case nameless
nameless_head()
{
	atf_set descr "14: memory files, O_TMPFILE, descriptors, binfmt_misc"
}
do_nameless()
{
	setup
	for how in proc empty; do
		bare memfd $how
		stopped -- memfd $how
		stopped -W . -- memfd $how
		bare tmpfile $how
		stopped -- tmpfile $how
	done
	works -W . -- tmpfile proc
	# A program that the caller holds open, on the caller's mounts.
	bare inherited 0 proc <busybox.evil
	stopped -X tools -- inherited 0 proc <busybox.evil
	stopped -X tools -- inherited 0 empty <busybox.evil
	stopped -X tools -- inherited 7 proc 7<busybox.evil

	# The same without a file: on no mount, in no directory.
	give="$PY $X07_TESTS/escape/exec_attack.py give_memory"
	attack="$PY $X07_TESTS/escape/exec_attack.py"
	atf_check -o inline:"got\n" $AS $give exec $attack inherited 0 proc
	atf_check -s exit:125 -e match:'descriptor 0 is a memory file' \
	    $AS $give exec x07-execgate -- $attack inherited 0 proc
	atf_check -s exit:1 -o match:'^denied' $AS $give noexec $attack inherited 0 proc
	atf_check -s exit:1 -o match:'^denied' -e ignore \
	    $AS $give noexec x07-execgate -- $attack inherited 0 proc

	$AS $PY "$X07_TESTS/escape/fs_server.py" socket . 2>/dev/null &
	server=$!
	wait_for 10 test -e socket.ready
	bare received socket busybox.evil
	stopped -X tools -- received socket busybox.evil
	stopped -X tools -- received socket tools/../busybox.evil
	works -x ./busybox.evil -- received socket busybox.evil
	kill $server
	wait $server 2>/dev/null || :

	$AS $give exec $PY "$X07_TESTS/escape/fs_server.py" memory \
	    /proc/self/fd/0 2>/dev/null &
	server=$!
	wait_for 10 test -e memory.ready
	bare received_file memory
	stopped -X tools -- received_file memory
	rules p.json 'allow_execs=["tools/good"]'
	stopped -p p.json -- received_file memory
	kill $server
	wait $server 2>/dev/null || :

	stopped -- binfmt
}
nameless_body()
{
	both do_nameless
	[ "$(id -u)" -eq 0 ] || return 0
	# What else names programs that the kernel starts.
	AS=
	file=/sys/kernel/uevent_helper
	[ -e $file ] || file=/sys/kernel/rcu_expedited
	if cat $file >value && cat value >$file; then
		atf_check -s exit:1 -e match:'Read-only file system' \
		    x07-execgate -x cat -- sh -c "cat value >$file || exit 1"
	else
		echo "/sys is read-only here: not tried"
	fi
	# The twin registers a handler: on a machine of its own.
	AS=
	cd "$HERE" || atf_fail cd
	if unshare -Um --map-root-user sh -c 'mkdir b && mount -t binfmt_misc b b'; then
		rm -rf b
		atf_check -o match:'^got' unshare -Um --map-root-user \
		    $PY "$X07_TESTS/escape/exec_attack.py" binfmt
	else
		echo "no binfmt_misc of one's own on this kernel: no twin"
	fi
}

atf_test_case scripts
scripts_head()
{
	atf_set descr "14: chains of #! do not run what is not listed"
}
do_scripts()
{
	setup
	$AS sh -c 'printf "#!%s/busybox.evil sh\necho got\n" "$PWD" >one
	    printf "#!%s/one\n" "$PWD" >two; chmod 755 one two'
	bare run ./one ./one
	bare run ./two ./two
	atf_check -s exit:125 -o empty -e match:'is not listed; add -x' \
	    $AS x07-execgate -x ./one -- /bin/true
	for s in one two; do
		stopped -x ./busybox.evil -- run ./$s ./$s
		stopped -X tools -- run ./$s ./$s
	done
	$AS sh -c 'mkdir in; cp one two in'
	stopped -X in -- run in/one in/one
	stopped -X in -- run in/two in/two
	works -X in -x ./busybox.evil -- run in/one in/one
	works -x ./one -x ./two -x ./busybox.evil -- run ./two ./two
}
scripts_body() { both do_scripts; }

atf_test_case helpers
helpers_head()
{
	atf_set descr "15: interpreters and LD_* do not start what is not listed"
}
# helper ALLOWED-PROGRAM ARGS: tries to have ./busybox.evil run by another.
helper()
{
	prog=$1
	shift
	atf_check -s ignore -o match:'^got' -e ignore $AS $prog "$@"
	atf_check -s ignore -o not-match:'^got' -e match:'deny exec .*/busybox.evil' \
	    $AS x07-execgate -x sh -x $prog -- $prog "$@"
	atf_check -s ignore -o match:'^got' -e ignore \
	    $AS x07-execgate -x sh -x $prog -x ./busybox.evil -- $prog "$@"
}
do_helpers()
{
	setup
	helper sh -c './busybox.evil echo got'
	helper bash -c 'exec -a echo ./busybox.evil got'
	helper busybox sh -c './busybox.evil echo got'
	helper awk 'BEGIN { system("./busybox.evil echo got") }'
	helper find tools -name good -exec ./busybox.evil echo got ';'
	helper xargs -a /dev/null ./busybox.evil echo got
	helper env ./busybox.evil echo got
	helper perl -e 'exec "./busybox.evil", "echo", "got"'
	helper git -c "alias.x=!$PWD/busybox.evil echo got" x
	helper python3 -c 'import os; os.execv("./busybox.evil", ["echo", "got"])'
	for var in LD_PRELOAD LD_AUDIT; do
		bare preload $var "$LIB" /bin/cat
		$AS rm -f own.so
		stopped -x cat -- preload $var "$LIB" /bin/cat
		$AS rm -f own.so
		works -x cat -W . -- preload $var "$LIB" /bin/cat
		$AS rm -f own.so
	done
}
helpers_body() { both do_helpers; }

atf_test_case races
races_head()
{
	atf_set descr "16: what a thread changes during the exec is judged as it is after"
	atf_set timeout 120
}
do_races()
{
	setup
	$AS cp /bin/echo tools/bad
	$AS cp /bin/true tools/gut
	# Two paths: the unlisted one never runs, whatever was looked at.
	race="$PY $X07_TESTS/escape/exec_attack.py race ./tools/gut ./tools/bad one one 150"
	atf_check -o match:'^one' -e ignore $AS $race
	atf_check -o inline:"raced\n" -e ignore \
	    $AS x07-execgate -x ./tools/gut -- $race
	atf_check -o match:'^one' -o match:raced -e ignore \
	    $AS x07-execgate -X tools -- $race
	# Two arguments: the one that breaks a rule is never passed.
	race="$PY $X07_TESTS/escape/exec_attack.py race /bin/echo /bin/echo one bad 150"
	rules p.json 'allow_execs=["/bin/echo"]' max_spawns=1000 \
	    'allow_args_regex_lite=["one"]'
	rules all.json 'allow_execs=["/bin/echo"]' max_spawns=1000
	atf_check -o match:'^one' -o not-match:bad -o match:raced -e ignore \
	    $AS x07-execgate -p p.json -- $race
	atf_check -o match:'^one' -o match:'^bad' -o match:raced -e ignore \
	    $AS x07-execgate -p all.json -- $race
}
races_body() { both do_races; }

atf_test_case directory
directory_head()
{
	atf_set descr "16: a child is not moved out of its directory after it was judged"
}
do_directory()
{
	setup
	rules p.json 'allow_execs=["/bin/sh","/bin/pwd"]'
	bare shared_directory
	works -x sh -x pwd -- shared_directory
	stopped -p p.json -- shared_directory
}
directory_body() { both do_directory; }

atf_test_case number
number_head()
{
	atf_set descr "16: no more programs than a policy lets, however they are started"
}
# started N POLICY WAY...: so many of 8 attempts run.
started()
{
	_n=$1 _policy=$2
	shift 2
	atf_check -o inline:"$_n run\n" -e ignore $AS x07-execgate -q -p "$_policy" -- \
	    $PY "$X07_TESTS/escape/exec_count.py" 8 "$@"
}
do_number()
{
	setup
	$AS sh -c 'printf "\1\2no program" >garbage; chmod 755 garbage'
	list='allow_execs=["/bin/sleep","/bin/sh","'$PY'","garbage"]'
	rules all.json "$list" max_spawns=100 max_live=100
	rules spawns.json "$list" max_spawns=3 max_live=100
	rules live.json "$list" max_spawns=100 max_live=3
	for ways in "failed fork vfork threads" \
	    "again headless nested orphan threads vfork fork"; do
		started 8 all.json $ways
		started 3 spawns.json $ways
		started 3 live.json $ways
	done
	# Each child has the number of the one before, which was counted.
	cat >reuse.sh <<-'EOF'
	last=/proc/sys/kernel/ns_last_pid
	echo 300 >$last || exit 90
	while :; do echo 300 >$last; done &
	x07-execgate -q -p $1 -- sh -c 'i=0
	while [ $i -lt 15 ]; do i=$((i + 1)); sleep 0.02 && echo ran; done; :'
	kill $!
	EOF
	own="unshare -Upf --map-root-user --mount-proc sh reuse.sh"
	if $AS $own all.json >out 2>/dev/null && [ -s out ]; then
		atf_check_equal 15 "$(grep -c ran out)"
		atf_check -o inline:"ran\nran\nran\n" -e ignore $AS $own spawns.json
	else
		echo "numbers of processes cannot be chosen here: reuse is not tried"
	fi
}
number_body() { both do_number; }

atf_test_case privileges cleanup
privileges_head()
{
	atf_set descr "17: no rights from setuid bits or file capabilities"
	atf_set require.user root
}
privileges_body()
{
	# Where setuid bits count: not in /tmp everywhere.
	cp /usr/bin/id /usr/local/bin/x07-test-setuid
	chmod 4755 /usr/local/bin/x07-test-setuid
	chmod 777 .
	AS=$AS_USER
	bare gain /usr/local/bin/x07-test-setuid
	stopped -x /usr/local/bin/x07-test-setuid -- gain /usr/local/bin/x07-test-setuid
	stopped -X /usr/local/bin -- gain /usr/local/bin/x07-test-setuid
	atf_check -o match:'^0$' $AS /usr/local/bin/x07-test-setuid -u
	atf_check -o match:"^$($AS id -u)\$" \
	    $AS x07-execgate -- /usr/local/bin/x07-test-setuid -u
}
privileges_cleanup()
{
	rm -f /usr/local/bin/x07-test-setuid
}

atf_test_case terminal
terminal_head()
{
	atf_set descr "23: nothing is typed into the terminal, also with high bits set"
}
do_terminal()
{
	pty="$AS $PY $X07_TESTS/escape/fs_pty.py"
	for attempt in tiocsti 'tiocsti 1' 'tiocsti 4294967295' tioclinux; do
		atf_check -s exit:1 -o ignore $pty x07-execgate -q -- \
		    $PY "$X07_TESTS/escape/fs_attack.py" $attempt
	done
	# The twin: root may type into its own terminal.
	[ -n "$AS" ] || [ "$(id -u)" -ne 0 ] ||
	    atf_check -o ignore $pty $PY "$X07_TESTS/escape/fs_attack.py" tiocsti
}
terminal_body() { both do_terminal; }

atf_test_case watcher
watcher_head()
{
	atf_set descr "24: the watcher is out of reach"
}
do_watcher()
{
	setup
	abi=$($PY -c 'import ctypes
print(ctypes.CDLL(None).syscall(444, None, 0, 1))')
	[ "$abi" -ge 6 ] || echo "Landlock ABI $abi: signals are not tried"
	cat >neighbour.py <<-'EOF'
	import ctypes, time
	ctypes.CDLL(None).prctl(0x59616d61, ctypes.c_ulong(-1).value, 0, 0, 0)
	open("ready", "w")
	time.sleep(100)
	EOF
	for t in ptrace memory getfd fds limit signal; do
		[ $t != signal ] || [ "$abi" -ge 6 ] || continue
		stopped -x ./tools/good -- watcher_$t exec-watcher-mark
		# The twin: an ordinary process of the same user is open to all that.
		$AS rm -f ready
		$AS bash -c 'exec -a x07-execgate "$0" neighbour.py exec-watcher-mark' \
		    $PY &
		pid=$!
		wait_for 20 test -f ready
		bare watcher_$t exec-watcher-mark
		kill -CONT $pid 2>/dev/null || :
		kill -KILL $pid 2>/dev/null || :
		wait $pid || :
	done
}
watcher_body() { both do_watcher; }

atf_test_case surface
surface_head()
{
	atf_set descr "25: foreign calls, namespaces, mounts and kernel surface"
}
do_surface()
{
	setup
	ATTACK=surface_attack.py
	surface_of_all -x /bin/true
	surface_of_last
	ATTACK=fs_attack.py
	stopped -- handle "$PWD/busybox.evil"
}
surface_body() { both do_surface; }

# Of the processes of that command line, the one that is not $pid.
watcher_pid()
{
	pgrep -f "^x07-execgate .*$1" | grep -vx "$pid"
}

atf_test_case killed
killed_head()
{
	atf_set descr "26: without the watcher nothing is started, with rules or without"
}
do_killed()
{
	setup
	rules p.json 'allow_execs=["/bin/echo","/bin/true"]' max_spawns=1000
	for opts in "-x /bin/echo" "-p p.json" "--no-spawn"; do
		mark=killed.$$.${AS:+user}
		$AS rm -f go ready
		$AS x07-execgate $opts -- sh -c \
		    ": $mark; : >ready; while ! test -e go; do :; done; /bin/echo got; \
		    exec /bin/echo got" >out 2>err &
		pid=$!
		wait_for 20 test -e ready
		watcher=$(watcher_pid "$mark") || atf_fail "$opts: no watcher"
		kill -9 $watcher
		$AS touch go
		wait $pid && atf_fail "$opts: exec after the watcher's death"
		! grep -q got out || atf_fail "$opts: it ran"
		# The twin: alive, it lets them run.
		[ "$opts" = --no-spawn ] || atf_check -o match:got -e ignore \
		    $AS x07-execgate $opts -- sh -c '/bin/echo got; exit 0'
	done
}
killed_body() { both do_killed; }

atf_test_case reader
reader_head() { atf_set descr "a reader that stands still or is gone ends neither watcher nor program"; }
do_reader()
{
	fill="$PY $X07_TESTS/escape/reader_attack.py exec" gate="$AS x07-execgate -x $PY -x true"
	rm -f wall; mkfifo wall
	exec 9<>wall
	atf_check -o inline:'Permission denied 0\n' timeout 30 sh -c "$gate -- $fill 2>wall"
	atf_check -o inline:'Permission denied 0\n' timeout 30 sh -c "$gate -l fd:2 -- $fill 2>wall"
	exec 9<&-
	# Nobody is there at all.
	(timeout 30 $gate -x sh -- sh -c '/usr/bin/id; /bin/true && echo ran' 2>&7 >out) 7>&1 | true
	atf_check -o inline:'ran\n' cat out
	# The twin: who reads gets the line.
	atf_check -e match:'deny exec /usr/bin/id' $gate -x sh -- sh -c '/usr/bin/id; exit 0'
}
reader_body() { both do_reader; }

atf_init_test_cases()
{
	for t in loaders memory own_memory kernels names writing replaced nameless scripts \
	    helpers races directory number privileges terminal watcher surface killed reader; do
		atf_add_test_case $t
	done
}
