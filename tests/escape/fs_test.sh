#!/usr/bin/env atf-sh
# Attempts to get round x07-fsgate: classes 18 to 26 of the list of escapes that
# are about files, each with the twin that is allowed.

. "$X07_TESTS/lib.sh"
. "$X07_TESTS/escape/surface.sh"

GATE="x07-fsgate -q"
PY=/usr/bin/python3
ATTACK=fs_attack.py

enter()
{
	cd "$1" || atf_fail "cd $1"
}

# The attempts are a root of their own in the view.
# stopped GATE-OPTIONS -- NAME ARGS: made, and denied by the kernel.
# works: the same, and it succeeds.
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
	atf_check -s "$_st" -o match:"$_word" \
	    $AS $GATE -r "$X07_TESTS/escape:/a" $_opts -- $PY /a/$ATTACK "$@"
}
# The attempt without any gate succeeds, or the denial above would mean nothing.
bare()
{
	atf_check -s exit:0 -o ignore $AS $PY "$X07_TESTS/escape/fs_attack.py" "$@"
}

setup()
{
	chmod -R u+rwX ro rw outside 2>/dev/null || :
	rm -rf ro rw outside
	$AS mkdir ro rw outside
	for d in ro rw outside; do
		$AS sh -c "echo content >$d/f; mkdir $d/sub; echo s >$d/sub/g"
	done
}

atf_test_case swap
swap_head()
{
	atf_set descr "18: a directory on the way swapped with a link during set-up"
}
do_swap()
{
	setup
	$AS sh -c 'echo secret >outside/sub/g; mkdir ro/d; echo fine >ro/d/g; ln -s ../outside/sub ro/link'
	$AS $PY -c '
import ctypes, time
libc = ctypes.CDLL(None)
end = time.time() + 30
while time.time() < end:
    libc.renameat2(-100, b"ro/d", -100, b"ro/link", 2)' &
	racer=$!
	fine=0; refused=0
	for i in $(seq 60); do
		out=$(cd ro && $AS $GATE -r d -- cat d/g 2>err) && st=0 || st=$?
		case $out in
		*secret*) kill $racer; atf_fail "run $i showed what the link leads to" ;;
		fine) fine=$((fine + 1)) ;;
		*) refused=$((refused + 1)); [ $st -ne 0 ] || atf_fail "no output, no refusal" ;;
		esac
	done
	kill $racer
	wait $racer 2>/dev/null || :
	echo "fine $fine, refused $refused"
	[ -L ro/d ] && $AS $PY -c 'import ctypes; ctypes.CDLL(None).renameat2(-100, b"ro/d", -100, b"ro/link", 2)'
	enter ro
	atf_check -o inline:"fine\n" $AS $GATE -r d -- cat d/g
	enter ..
	# an intermediate link out, and one that stays inside
	$AS sh -c 'ln -s ../outside ro/out; ln -s sub ro/in; mkdir ro/sub/deep; echo d >ro/sub/deep/f'
	enter ro
	atf_check -s exit:125 -e match:"leads out" $AS $GATE -r out/sub -- true
	atf_check -o inline:"d\n" $AS $GATE -r in/deep -- cat in/deep/f
	enter ..
}
swap_body() { both do_swap; }

atf_test_case dotdot
dotdot_head()
{
	atf_set descr "18: .. and links in a root lead nowhere"
}
do_dotdot()
{
	setup
	$AS ln -s "$PWD/outside/f" ro/abs
	$AS ln -s ../outside/f ro/rel
	for f in ro/../outside/f ro/abs ro/rel ro/sub/../../outside/f; do
		stopped -r ro -- read $f
		works -r ro -r outside -- read $f
	done
}
dotdot_body() { both do_dotdot; }

atf_test_case wishes
wishes_head()
{
	atf_set descr "18: what a program asks to be started with shows no secrets"
}
# elf_type FILE TYPE: makes it 3 (a library) or 4 (a core dump).
elf_type()
{
	printf '%b' "\\0$2\\0" | $AS dd of="$1" bs=1 seek=16 conv=notrunc status=none
}
do_wishes()
{
	setup
	f=$PWD/outside/asked
	see="--with ./prog -- cat $f"
	# An interpreter: a program of the caller's that is a script.
	$AS sh -c "printf '#!%s x\n' $f >prog; printf '#!/bin/sh\necho secret\n' >$f
	    chmod 755 prog $f"
	atf_check -o match:secret $AS ./prog
	for closure in system minimal; do
		atf_check -s exit:1 -e match:"No such file" $AS $GATE --closure $closure \
		    --with cat $see
		atf_check -o match:secret $AS $GATE --closure $closure -r outside \
		    --with cat $see
	done
	atf_check -s exit:127 -e match:"interpreter is not in the view" $AS $GATE -- ./prog
	atf_check -o match:secret $AS $GATE -r outside -- ./prog
	# An ELF file as interpreter, which holds none, and a script of the system.
	$AS cp /bin/echo "$f"
	atf_check -o match:"^x .*prog" $AS $GATE -- ./prog
	$AS sh -c 'printf "#!/bin/sh\n" >prog'
	atf_check $AS $GATE -- ./prog

	# A library: something else of that kind.
	$AS sh -c "echo 'int f(void) { return 0; }' >f.c
	    echo 'int f(void); int main(void) { return f(); }' >p.c
	    cc -shared -fPIC -Wl,-soname,$f -o lib.so f.c && cc -o prog p.c ./lib.so
	    cp lib.so $f" || atf_fail "cc"
	atf_check $AS $GATE --closure minimal -- ./prog
	elf_type "$f" 4
	atf_check -s exit:1 -e match:"No such file" $AS $GATE --closure minimal \
	    --with cat $see
	atf_check -o ignore $AS $GATE --closure minimal -r outside --with cat $see
	elf_type "$f" 3
	atf_check -o ignore $AS $GATE --closure minimal --with cat $see
	atf_check -o ignore $AS rm -f f.c p.c lib.so prog
}
wishes_body() { both do_wishes; }

atf_test_case planted
planted_head()
{
	atf_set descr "18: a project's standard input, replaced by a link to what is not granted"
}
do_planted()
{
	rm -rf project outside
	$AS mkdir -p project outside
	$AS sh -c 'echo secret >outside/in; cd project; mkdir out data; echo fine >data/in
	    x07 policy init --template cli' >/dev/null
	cat >project/x07.json <<-EOF
	{ "schema_version": "x07.project@0.5.0", "world": "run-os-sandboxed",
	  "default_profile": "sandbox", "profiles": {
	    "sandbox": { "world": "run-os-sandboxed",
	      "program": ["cat"], "input": "out/in",
	      "policy": ".x07/policies/base/cli.sandbox.base.policy.json" },
	    "os": { "world": "run-os", "program": ["cat"],
	      "input": "out/in" } } }
	EOF
	[ "$AS" != "$AS_USER" ] || chown x07test project/x07.json
	enter project
	run="x07 run -q --sandbox-backend os --i-accept-weaker-isolation"
	$AS ln -s ../../outside/in out/in
	atf_check -s exit:125 -e match:"out/in is a symbolic link" $AS $run
	atf_check -o inline:"secret\n" $AS x07 run --profile os
	atf_check -o inline:"secret\n" $AS $run --input ../outside/in
	$AS sh -c 'rmdir out 2>/dev/null || rm -r out; ln -s ../outside out'
	atf_check -s exit:125 -e match:"leads out of the project" $AS $run
	$AS sh -c 'rm out; mkdir out; echo fine >out/in'
	atf_check -o inline:"fine\n" $AS $run
	$AS sh -c 'rm -r out; ln -s data out'
	atf_check -s exit:125 -e match:"out: is a symbolic link to data" $AS $run
	sed -i 's,"out/in","data/in",' x07.json
	[ "$AS" != "$AS_USER" ] || chown x07test x07.json
	$AS sh -c 'rm out; mkdir out'
	atf_check -o inline:"fine\n" $AS $run
	enter ..
}
planted_body() { both do_planted; }

atf_test_case later
later_head()
{
	atf_set descr "18: what is mounted in a root later is not seen"
	atf_set require.user root
	atf_set timeout 60
}
later_body()
{
	AS=
	setup
	cat >run.sh <<-'END'
		mount --make-rshared /
		: >err
		x07-fsgate -q -r "$PWD/ro" -- sh -c 'echo started >&2; read x; cat ro/sub/late' \
		    <fifo >out 2>err &
		exec 5>fifo
		while ! grep -q started err; do sleep 0.05; done
		mount -t tmpfs t ro/sub
		echo late >ro/sub/late
		x07-fsgate -q -r "$PWD/ro" -- cat ro/sub/late || exit 9
		echo >&5
		wait
	END
	mkfifo fifo
	atf_check -o inline:"late\n" unshare -m sh run.sh
	atf_check -o match:"No such file" cat err
	atf_check -o empty cat out
}

atf_test_case descriptors
descriptors_head()
{
	atf_set descr "19: descriptors and the working directory do not lead out"
}
do_descriptors()
{
	setup
	bare open_at 5 f 5<outside
	stopped -- open_at 5 f 5<outside
	# the working directory is not in the view: neither it nor what is above
	for f in f ../outside/f /proc/self/cwd/f; do
		(cd outside && stopped -- read $f)
	done
	(cd outside && works -r . -- read f)
	# what was given to be read is not written, but may be read again
	stopped -- reopen_write 0 <outside/f
	stopped -- reopen_truncate 0 <outside/f
	atf_check -o inline:"content\n" cat outside/f
	works -- reopen_read 0 <outside/f
	bare reopen_write 0 <outside/f
	$AS sh -c 'echo content >outside/f'
	atf_check -s exit:125 -e match:"is a directory" \
	    $AS $GATE -- cat f <outside
	atf_check -o inline:"content\n" $AS $GATE -- cat <outside/f
}
descriptors_body() { both do_descriptors; }

atf_test_case handed_in
handed_in_head()
{
	atf_set descr "19: a directory handed in through a socket opens nothing"
}
do_handed_in()
{
	setup
	$AS $PY "$X07_TESTS/escape/fs_server.py" rw/s outside 2>/dev/null &
	server=$!
	wait_for 10 test -e rw/s.ready
	bare receive rw/s f
	stopped -w rw -- receive rw/s f
	kill $server
	wait $server 2>/dev/null || :
	rm -f rw/s rw/s.ready
	$AS $PY "$X07_TESTS/escape/fs_server.py" rw/s rw 2>/dev/null &
	server=$!
	wait_for 10 test -e rw/s.ready
	works -w rw -- receive rw/s f
	kill $server
	wait $server 2>/dev/null || :
}
handed_in_body() { both do_handed_in; }

atf_test_case sockets
sockets_head()
{
	atf_set descr "10: sockets outside of the view cannot be reached"
}
do_sockets()
{
	setup
	rm -f ./*.ready
	name=x07fs$$
	$AS $PY "$X07_TESTS/escape/fs_server.py" @$name 2>/dev/null &
	a=$!
	$AS $PY "$X07_TESTS/escape/fs_server.py" outside/s 2>/dev/null &
	b=$!
	wait_for 10 test -e $name.ready
	wait_for 10 test -e outside/s.ready
	bare connect @$name
	stopped -- connect @$name
	bare connect outside/s
	stopped -w rw -- connect outside/s
	works -w outside -- connect outside/s
	# of a read root the socket is covered where hidden entries are searched for
	stopped -r outside --deny-hidden -- connect outside/s
	kill $a $b
	wait $a $b 2>/dev/null || :
	rm -f ./*.ready
}
sockets_body()
{
	chmod 777 .
	both do_sockets
}

atf_test_case ipc
ipc_head()
{
	atf_set descr "10, 29: shared memory and queues of others"
	atf_set has.cleanup true
}
end_ipc()
{
	[ -f keys ] || return 0
	while read -r k n; do
		$PY -c '
import ctypes, sys
libc = ctypes.CDLL(None)
libc.shmctl(libc.shmget(int(sys.argv[1], 0), ctypes.c_size_t(4096), 0), 0, None)
libc.mq_unlink(sys.argv[2].encode())' "$k" "$n"
	done <keys
	rm keys
}
do_ipc()
{
	key=0x7807$(printf %04x $(($$ & 65535)))
	echo $key /x07$$ >keys
	$AS $PY -c '
import ctypes, sys
libc = ctypes.CDLL(None)
key, name = int(sys.argv[1], 0), sys.argv[2].encode()
sys.exit(libc.shmget(key, ctypes.c_size_t(4096), 0o1600) == -1 or
    libc.mq_open(name, 0o102, 0o600, None) == -1)' $key /x07$$ || atf_fail "cannot make them"
	bare shm $key
	bare mq /x07$$
	stopped -- shm $key
	stopped -- mq /x07$$
	# inside they work
	atf_check $AS $GATE -- $PY -c '
import ctypes, sys
libc = ctypes.CDLL(None)
sys.exit(libc.shmget(7, ctypes.c_size_t(4096), 0o1600) == -1 or
    libc.shmget(7, ctypes.c_size_t(4096), 0o600) == -1)'
	end_ipc
}
ipc_body() { both do_ipc; }
ipc_cleanup() { end_ipc; }

atf_test_case proc
proc_head()
{
	atf_set descr "20: /proc of others, /proc/sys, /sys and devices"
}
do_proc()
{
	for what in mem environ fd root cwd exe; do
		stopped -- proc_of 1 $what
		works -- child $what
	done
	atf_check -s not-exit:0 $AS $GATE -- test -e /proc/$$
	bare proc_of $$ status
	for f in /proc/sys/kernel/hostname /proc/sysrq-trigger \
	    /proc/self/oom_score_adj /proc/self/mem /proc/self/uid_map; do
		stopped -- write $f
	done
	works -- read /proc/sys/kernel/hostname
	works -- read /proc/cpuinfo
	for f in /proc/kcore /proc/kmsg /proc/keys /proc/timer_list /sys/kernel/notes \
	    /dev/mem /dev/kmsg /dev/kvm /dev/vda /dev/fuse; do
		atf_check -s not-exit:0 -o ignore -e ignore \
		    $AS $GATE -- sh -c "test -s $f || dd if=$f count=1 bs=1 status=none | grep -q ."
	done
	for f in /dev/null /dev/zero /dev/full /dev/random /dev/urandom; do
		atf_check $AS $GATE -- test -c $f
		stopped -- chmod $f
	done
	works -- write /dev/null
}
proc_body() { both do_proc; }

# In $MACHINE what runs a command with mounts and message queues of its own.
machine()
{
	MACHINE="$AS unshare -U -r -m -i"
	! as_root || MACHINE="unshare -m -i"
}

atf_test_case kernels
kernels_head()
{
	atf_set descr "20: /proc and its like mounted below a root"
}
do_kernels()
{
	setup
	machine
	rm -f out
	cat >run.sh <<-'END'
	# run.sh TYPE FILE: such a file system, which has that file.
	mount -t "$1" k rw/sub || exit 90
	[ -e "rw/sub/$2" ] || : >"rw/sub/$2" || exit 91
	try() { want=$1; shift; got=0
	    x07-fsgate -q "$@" >out 2>&1 || got=$?
	    [ "$got" -eq "$want" ] || { echo "$got, not $want: $*"; cat out; exit 1; }; }
	for mode in -r -w; do
		try 1 $mode rw -- cat "rw/sub/$2"
		try 2 $mode rw -- sh -c ": >>rw/sub/$2"
		try 1 $mode rw:/mnt -- cat "/mnt/sub/$2"
		try 2 $mode / -- ls "$PWD/rw/sub/"
		# The twin: it is what was asked for.
		try 0 $mode rw/sub -- cat "rw/sub/$2"
		try 0 $mode rw -r rw/sub -- cat "rw/sub/$2"
	done
	try 0 -w rw/sub -- sh -c ": >>rw/sub/$2"
	# The twin: a file system that holds files is shown.
	umount rw/sub
	mount -t tmpfs t rw/sub
	echo text >"rw/sub/${2##*/}"
	try 0 -w rw -- sh -c "cat rw/sub/${2##*/} && : >>rw/sub/${2##*/}"
	# In the root directory, as a root of the program's own has it.
	mount -t tmpfs t /mnt
	echo text >"/mnt/${2##*/}"
	try 0 --closure root -- cat "/mnt/${2##*/}"
	mount -t "$1" k /mnt
	[ -e "/mnt/$2" ] || : >"/mnt/$2" || exit 92
	try 2 --closure root -- ls "/mnt/"
	try 0 --closure root -r /mnt -- cat "/mnt/$2"
	END
	atf_check $MACHINE sh run.sh mqueue queue
	! as_root || atf_check $MACHINE sh run.sh proc sys/kernel/core_pattern
}
kernels_body() { both do_kernels; }

atf_test_case keys
keys_head()
{
	atf_set descr "20: private keys beside the certificates of the system"
}
do_keys()
{
	setup
	machine
	rm -rf ssl
	cat >run.sh <<-'END'
	mkdir -p ssl/private ssl/certs
	echo key >ssl/private/key
	echo key >ssl/certs/own.key
	echo certificate >ssl/certs/certificate
	chmod 700 ssl/private
	chmod 600 ssl/certs/own.key
	mount --bind ssl /etc/ssl || exit 90
	for k in private/key certs/own.key; do
		for c in system minimal; do
			# Root reads a cover, which is empty.
			x07-fsgate -q --closure $c -- cat /etc/ssl/$k |
			    grep key && exit 1
		done
		for r in /etc /etc/ssl /etc/ssl/$k; do
			x07-fsgate -q -r $r -- grep key /etc/ssl/$k || exit 2
		done
	done
	x07-fsgate -q -- cat /etc/ssl/certs/certificate
	END
	[ -d /etc/ssl ] || atf_skip "no /etc/ssl here"
	atf_check -e match:"No such file|Permission denied" -o match:certificate \
	    $MACHINE sh run.sh
}
keys_body() { both do_keys; }

atf_test_case across
across_head()
{
	atf_set descr "21: rename, link, truncate, chmod, flags, nodes, handles across rules"
}
do_across()
{
	setup
	both_roots="-r ro -w rw"
	stopped $both_roots -- link ro/f rw/l
	works $both_roots -- link rw/f rw/l
	stopped $both_roots -- rename ro/f rw/m
	stopped $both_roots -- rename rw/f ro/m
	works $both_roots -- rename rw/f rw/sub/m
	$AS sh -c 'echo content >rw/f'
	stopped $both_roots -- exchange rw/f ro/f
	works $both_roots -- exchange rw/f rw/sub/g
	for what in truncate chmod utime setxattr setflags write o_path_reopen; do
		stopped $both_roots -- $what ro/f
		works $both_roots -- $what rw/f
	done
	atf_check -o inline:"content\n" cat ro/f
	stopped $both_roots -- fifo ro/p
	works $both_roots -- fifo rw/p
	stopped $both_roots -- mknod rw/null c 1 3
	stopped $both_roots -- mknod rw/disk b 8 0
	stopped $both_roots -- handle "$PWD/rw/f"
	# a link made in the writable root leads nowhere either
	works $both_roots -- link rw/f rw/l2
	$AS ln -s "$PWD/outside/f" rw/out
	stopped $both_roots -- write rw/out
	atf_check -o inline:"content\n" cat outside/f
}
across_body() { both do_across; }

atf_test_case above
above_head()
{
	atf_set descr "21: what is read-only replaced by way of the directory above it"
}
do_above()
{
	setup
	$AS sh -c 'mkdir -p rw/a/b/keep rw/a/c rw/z; echo content >rw/a/b/keep/f; echo c >rw/a/c/f'
	nested="-w rw -r rw/a/b/keep"
	for way in rename exchange; do
		stopped $nested -- $way rw/a rw/z
		stopped $nested -- $way rw/a/b rw/a/c
		stopped $nested -- $way rw/z rw/a
	done
	stopped $nested -r rw/a/c/f -- rename rw/a/c rw/z
	stopped -w rw -w rw/a/b -r rw/a/b/keep/f -- rename rw/a/b/keep rw/z
	stopped -w rw -w rw/a/b -r rw/a/b/keep/f -- rename rw/a rw/z
	# the next gate has mounts of its own
	atf_check -s exit:1 -o match:"^denied" $AS $GATE -r "$X07_TESTS/escape:/a" \
	    $nested -- x07-execgate -q -- $PY /a/fs_attack.py rename rw/a rw/z
	atf_check -o inline:"content\n" cat rw/a/b/keep/f
	# and they are no borders
	works $nested -- rename rw/a/c/f rw/f2
	works $nested -- link rw/f2 rw/a/b/f3
	works $nested -- rename rw/a/c rw/c
	works -w rw -- rename rw/a rw/z
}
above_body() { both do_above; }

atf_test_case hidden
hidden_head()
{
	atf_set descr "22: dot entries by other ways"
}
do_hidden()
{
	setup
	$AS sh -c 'mkdir rw/d rw/d/.h; echo secret >rw/d/.h/f; echo secret >rw/.f
	    ln -s .f rw/link; ln -s d/.h rw/dlink'
	h="-w rw --deny-hidden"
	for f in rw/.f rw/link rw/d/.h/f rw/dlink/f; do
		works -w rw -- read $f
		atf_check -s not-exit:0 -o not-match:secret -e ignore \
		    $AS $GATE $h -- grep secret $f
	done
	stopped $h -- rename rw/.f rw/plain
	stopped $h -- rename rw/d/.h rw/d/plain
	stopped $h -- exchange rw/.f rw/f
	stopped $h -- link rw/.f rw/plain
	# the directory above renamed: the cover goes with it
	atf_check -s not-exit:0 -o empty -e ignore $AS $GATE $h -- \
	    sh -c 'mv rw/d rw/e && grep -r secret rw/e'
	atf_check -o inline:"secret\n" cat rw/e/.h/f
	ATTACK=surface_attack.py
	stopped $h -- mount umount
	ATTACK=fs_attack.py
}
hidden_body() { both do_hidden; }

atf_test_case unlisted
unlisted_head()
{
	atf_set descr "22: dot entries of a directory that cannot be listed"
	atf_set require.user root
}
unlisted_body()
{
	AS=$AS_USER
	chmod 777 .
	setup
	mkdir outside/d
	echo secret | tee outside/d/.s >outside/d/s
	chmod 711 outside/d
	atf_check -o inline:"secret\n" $AS cat outside/d/.s
	works -r outside -- read outside/d/.s
	stopped -r outside --deny-hidden -- read outside/d/.s
	stopped -r outside --deny-hidden -- read outside/d/s
	atf_check -s exit:125 -e match:"cannot be searched for hidden entries" \
	    $AS $GATE -r outside/d --deny-hidden -- true
	works -r outside --deny-hidden -r outside/d/s -- read outside/d/s
	# What is closed to the user is closed to the program.
	chmod 700 outside/d
	works -r outside --deny-hidden -- read outside/f
}

atf_test_case terminal
terminal_head()
{
	atf_set descr "23: typing into the terminal of the caller"
}
do_terminal()
{
	pty="$PY $X07_TESTS/escape/fs_pty.py"
	for try in "tiocsti" "tiocsti 1" "tiocsti 4294967295" "tioclinux"; do
		atf_check -s exit:1 $AS $pty $GATE -r "$X07_TESTS/escape:/a" -- \
		    $PY /a/fs_attack.py $try
	done
	atf_check -s exit:0 $AS $pty $GATE -- sh -c 'test -t 0 && stty -a && echo >/dev/tty'
}
terminal_body()
{
	both do_terminal
	# newer kernels let root alone do it without a gate
	if [ "$(id -u)" -eq 0 ]; then
		atf_check $PY "$X07_TESTS/escape/fs_pty.py" $PY \
		    "$X07_TESTS/escape/fs_attack.py" tiocsti
	fi
}

atf_test_case neighbours
neighbours_head()
{
	atf_set descr "24: signals, ptrace and limits at init and supervisor"
}
do_neighbours()
{
	$AS sleep 60 &
	other=$!
	stopped -- kill $other 0
	stopped -- ptrace 1
	stopped -- pidfd_getfd 1 0
	atf_check -e ignore $AS $GATE -- sh -c 'kill -9 1; kill -TERM 1; sleep 0.1; true'
	atf_check -s exit:137 -e ignore $AS $GATE -- sh -c 'kill -9 $$'
	kill -9 $other
	wait $other 2>/dev/null || :
}
neighbours_body() { both do_neighbours; }

atf_test_case surface
surface_head()
{
	atf_set descr "25: foreign calls, namespaces, mounts and kernel surface"
}
do_surface()
{
	ATTACK=surface_attack.py
	surface_of_all
	surface_of_last
}
surface_body() { both do_surface; }

atf_init_test_cases()
{
	for t in swap dotdot wishes planted later descriptors handed_in sockets ipc proc kernels keys \
	    across above hidden unlisted terminal neighbours surface; do
		atf_add_test_case $t
	done
}
