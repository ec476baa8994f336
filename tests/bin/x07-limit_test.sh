#!/usr/bin/env atf-sh
# x07-limit: nothing outlives, outgrows or outnumbers its limits, as root and as
# a user, in a terminal and without one.

. "$X07_TESTS/lib.sh"
. "$X07_TESTS/machine.sh"

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

# core_size: blocks that a core dump may have here: 100, or none where the caller of the
# tests allows none (sudo does that), and then the twin shows nothing.
core_size()
{
	[ "$(bash -c 'ulimit -Hc')" = 0 ] && echo 0 || echo 100
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

# A word for the command lines of this test's processes and of nobody else's.
new_marker()
{
	MARK=x07mark$$_$(od -An -N6 -tx1 /dev/urandom | tr -d ' ')
}

# marked: how many processes carry the marker; a pattern that is not itself one.
marked()
{
	grep -lae "[x]${MARK#x}" /proc/[0-9]*/cmdline 2>/dev/null | wc -l
}

# no_children PID: it has none any more.
no_children()
{
	[ -z "$(cat "/proc/$1/task/$1/children")" ]
}

none_marked()
{
	[ "$(marked)" -eq 0 ]
}

some_marked()
{
	[ "$(marked)" -ge "$1" ]
}

# no_groups: every control group of ours that had to go is gone.
no_groups()
{
	[ -z "$(find /sys/fs/cgroup -name "x07-$1-*" 2>/dev/null)" ]
}

# policy KEY=VALUE...: writes policy.json, the cli template with these changes.
policy()
{
	rm -f base.json policy.json
	x07-policy init --template cli --emit policy --out "$PWD/base.json" \
	    >/dev/null
	"$PYTHON" - "$@" <<'EOF'
import json, sys
p = json.load(open("base.json"))
p["limits"].update(cpu_ms=600000, wall_ms=600000, mem_bytes=1 << 34,
    fds=1024, procs=1024)
for arg in sys.argv[1:]:
    key, value = arg.split("=", 1)
    at = p
    for part in key.split(".")[:-1]:
        at = at[part]
    at[key.split(".")[-1]] = json.loads(value)
json.dump(p, open("policy.json", "w"))
EOF
	chmod 644 policy.json
}

atf_test_case transparent
transparent_head()
{
	atf_set descr "Within its limits a program runs as without them"
}
transparent_body()
{
	both transparent_run
}
transparent_run()
{
	run 0 x07-limit -t 1m -- echo one two
	[ "$(cat out)" = "one two" ] || atf_fail "out: $(cat out)"
	[ ! -s err ] || atf_fail "err: $(cat err)"
	run 7 x07-limit -t 1m -- sh -c 'exit 7'
	run 137 x07-limit -t 1m -- sh -c 'kill -9 $$'
	run 143 x07-limit -t 1m -- sh -c 'kill $$'
	run 127 x07-limit -t 1m -- /nonexistent
	says err '/nonexistent: No such file'
	run 127 x07-limit -t 1m -- ''
	says err "'': No such file"
	echo 'x' >notexec
	run 126 x07-limit -t 1m -- ./notexec
	rm -f notexec
	# Input and output are the caller's own.
	echo some input | $AS x07-limit -t 1m -- cat >out
	says out 'some input'
	# The caller's descriptors, and nothing of ours, are in the program's hands.
	run 0 sh -c 'ls /proc/self/fd 7</dev/null'
	cp out plain
	grep -qx 7 plain || atf_fail "the twin without us: $(cat plain)"
	run 0 sh -c 'x07-limit -t 1m -c 1m -m 1G -u 50 -l log.json -r report.json -- \
	    ls /proc/self/fd 7</dev/null'
	cmp plain out || atf_fail "descriptors: $(cat out)"
	run 0 sh -c 'x07-limit -l fd:5 -r fd:6 -- ls /proc/self/fd 5>log.json 6>report.json 7</dev/null'
	cmp plain out || atf_fail "with ours: $(cat out)"
	run 1 bash -c 'x07-limit -t 1m -- diff <(echo a) <(echo b)'
	# Where they could be a way around there are three.
	policy process.max_stdout_bytes=0
	for _t in '-o 1K' '-e 1K' '-b 1K' '-I 1K' '-p policy.json'; do
		run 0 sh -c "x07-limit $_t -- ls /proc/self/fd 7</dev/null"
		[ "$(tr '\n' ' ' <out)" = "0 1 2 3 " ] || atf_fail "$_t: $(cat out)"
	done
	rm -f log.json report.json plain
	# Its own /proc, where it finds itself and init and nobody else.
	run 0 x07-limit -- sh -c 'echo /proc/[0-9]*; cat /proc/$$/comm'
	says out '/proc/1 /proc/2'
	says out sh
	# Renaming between directories and kill 0 go on working.
	run 0 x07-limit -- sh -c 'mkdir a b && touch a/f && mv a/f b/f && rm -r a b'
	run 0 x07-limit -- "$PYTHON" -c 'import os
os.mkdir("a"); os.mkdir("b"); os.mkdir("a/d")
os.rename("a/d", "b/d")
os.rmdir("b/d"); os.rmdir("a"); os.rmdir("b")'
	run 143 setsid -w x07-limit -- sh -c 'kill 0; sleep 5'
}

atf_test_case usage
usage_head()
{
	atf_set descr "What makes no sense is refused with one line"
}
usage_body()
{
	AS=
	for _t in 0 -1 1x 1.s s '' 1e3 99999999999999999999 10000000d 0ms; do
		run 125 x07-limit -t "$_t" -- echo ran
		says err 'x07-limit: --time'
		[ "$(wc -l <err)" -eq 1 ] || atf_fail "lines: $(cat err)"
	done
	for _t in 1023K 5X 1.5.1M -4M 0 9999999999999G .M 2000000.5 2000000.5B; do
		run 125 x07-limit -m "$_t" -- echo ran
		says err 'x07-limit: --mem'
	done
	run 125 x07-limit -o 0.3 -- echo ran
	says err 'x07-limit: --stdout 0.3: not a size'
	run 125 x07-limit -u 0 -- echo ran
	run 125 x07-limit -u 1s -- echo ran
	run 125 x07-limit -f -5 -- echo ran
	run 125 x07-limit -k 11m -- echo ran
	run 125 x07-limit -s NONSENSE -- echo ran
	run 125 x07-limit --nonsense -- echo ran
	run 125 x07-limit -t
	run 125 x07-limit -t 1s
	says err 'no program given'
	run 125 x07-limit -n -- echo ran
	says err '--i-accept-weaker-isolation'
	run 125 x07-limit -p /nonexistent -- echo ran
	shut out ran
	run 0 x07-limit -h
	says out '--kill-after'
	run 0 x07-limit --version
	# Units as people write them.
	for _t in 1m30s 1.5s .5s .5 500ms 2h 1d 10; do
		run 0 x07-limit -t "$_t" -c "$_t" -- true
	done
	for _t in 512M 0.5G .5G 1GiB 1073741824 600000K 1073741824.0; do
		run 0 x07-limit -m "$_t" -- true
	done
	# Signals too: by any name, and by number.
	for _t in SEGV sigsegv 11; do
		run 124 x07-limit -q -t 100ms -s "$_t" -r report.json -- sleep 60
		report_says 'r["signal"] == 11'
	done
	rm -f report.json
}

atf_test_case wall
wall_head()
{
	atf_set descr "The wall clock ends the program: 124, one line"
}
wall_body()
{
	both wall_run
}
wall_run()
{
	new_marker
	run 124 x07-limit -t 300ms -- sh -c 'sleep 60; : '"$MARK"
	says err 'x07-limit: deny wall time sh (limits.wall_ms of 300ms reached; allow with a larger -t)'
	[ "$(wc -l <err)" -eq 1 ] || atf_fail "lines: $(cat err)"
	none_marked || atf_fail "left: $(marked)"
	run 0 x07-limit -t 30s -- sh -c 'sleep 0.4; : '"$MARK"
	# The soft signal is heard, and the time is up all the same.
	run 124 x07-limit -t 2s -k 60s -- sh -c \
	    'trap "echo bye; exit 0" TERM; while :; do sleep 0.05; done'
	says out bye
	run 124 x07-limit -t 2s -k 60s -s USR1 -- sh -c \
	    'trap "echo usr1; exit 0" USR1; while :; do sleep 0.05; done'
	says out usr1
	# Who does not listen is killed after the grace.
	run 124 x07-limit -t 300ms -k 100ms -- sh -c \
	    'trap "" TERM; : '"$MARK"'; while :; do sleep 0.05; done'
	none_marked || atf_fail "left: $(marked)"
	# Somebody stopped us: the time is up all the same, and that is said.
	$AS x07-limit -t 500ms -k 10ms -- sh -c 'sleep 60; : '"$MARK" 2>err &
	wait_for 60 some_marked 2
	pkill -STOP -x -f "x07-limit -t 500ms.*$MARK"
	_got=0
	wait $! || _got=$?
	[ $_got -eq 124 ] || atf_fail "status $_got of one that was stopped: $(cat err)"
	says err 'deny wall time'
	none_marked || atf_fail "left: $(marked)"
	# A stopped program wakes to hear it, a stopped child dies with it.
	run 124 x07-limit -t 300ms -- sh -c 'kill -STOP $$; : '"$MARK"
	none_marked || atf_fail "left: $(marked)"
}

atf_test_case tree
tree_head()
{
	atf_set descr "Nothing outlives the program, however it hides"
}
tree_body()
{
	both tree_run
}
tree_run()
{
	new_marker
	cat >daemon.py <<'EOF'
import os, signal, sys, time
def fork():
    if os.fork() != 0:
        os._exit(0)
first = os.fork()
if first == 0:
    os.setsid()
    fork()
    os.setsid() if os.getpid() != os.getsid(0) else None
    for s in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        try:
            signal.signal(s, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    for i in range(5):
        if os.fork() == 0:
            break
    if len(sys.argv) > 2:
        open(sys.argv[2], "a").write("lived\n")
    if os.fork() == 0:
        os.kill(os.getpid(), signal.SIGSTOP)
    while True:
        time.sleep(1)
os.waitpid(first, 0)
print("up", flush=True)
end = time.monotonic() + 60
while len(sys.argv) > 2 and not os.path.exists(sys.argv[2]) and time.monotonic() < end:
    time.sleep(0.02)
time.sleep(float(os.environ.get("STAY", "60")))
EOF
	chmod 644 daemon.py
	# At the end of time.
	run 124 x07-limit -t 3s -- "$PYTHON" daemon.py "$MARK"
	says out up
	none_marked || atf_fail "left after the wall limit: $(marked)"
	# At the end of the program.
	run 0 env STAY=0.2 x07-limit -- "$PYTHON" daemon.py "$MARK"
	none_marked || atf_fail "left after the program: $(marked)"
	# While the program lives they live too.
	rm -f daemon.out
	run 0 env STAY=0 x07-limit -t 2m -- "$PYTHON" daemon.py "$MARK" daemon.out
	says daemon.out lived
	none_marked || atf_fail "left: $(marked)"
	rm -f daemon.out daemon.py
	# A grandchild that holds the output open does not hold us.
	$AS timeout -k 1 50 x07-limit -t 40s -- sh -c 'sleep 60 & echo fine' |
	    { read -r _line; cat >/dev/null; echo "$_line" >held; }
	says held fine
	rm -f held
}

atf_test_case orphans
orphans_head()
{
	atf_set descr "The supervisor's SIGKILL leaves no process and no control group"
}
orphans_body()
{
	both orphans_run
}
orphans_run()
{
	for _what in supervisor init; do
		new_marker
		$AS x07-limit -t 1m -m 512M -u 50 -c 30s -- sh -c \
		    'setsid sleep 50 & setsid sh -c "sleep 51; : '"$MARK"'" & sleep 52; : '"$MARK" \
		    >out 2>err &
		_pid=$!
		wait_for 60 some_marked 3
		# as_user runs it below other processes of ours.
		_sup=$("$PYTHON" - $_pid <<'EOF'
import sys
pid = int(sys.argv[1])
while open("/proc/%d/comm" % pid).read().strip() != "x07-limit":
    kids = open("/proc/%d/task/%d/children" % (pid, pid)).read().split()
    pid = int(kids[0])
print(pid)
EOF
)
		_init=$(cat "/proc/$_sup/task/$_sup/children")
		if [ $_what = supervisor ]; then
			kill -KILL "$_sup"
		else
			kill -KILL $_init
		fi
		wait $_pid && atf_fail "status 0 after SIGKILL of $_what"
		wait_for 60 none_marked
		wait_for 60 no_groups "$_sup"
	done
}

atf_test_case halfway
halfway_head()
{
	atf_set descr "What is not the program yet, in init's memory, ends and holds nothing up"
}
halfway_body()
{
	both halfway_run
}
halfway_run()
{
	# It has to say something where nobody reads.
	new_marker
	mkfifo full
	exec 3<>full
	dd if=/dev/zero of=full bs=64k count=1 oflag=nonblock status=none
	_got=0
	$AS x07-limit -q -v -t 300ms -- sh -c "echo ran; : $MARK" >out 2>&3 || _got=$?
	[ "$_got" -eq 124 ] || atf_fail "halfway at the end of time: status $_got"
	none_marked || atf_fail "left halfway: $(marked)"
	$AS x07-limit -q -v -t 1m -- sh -c "echo ran; : $MARK" >out 2>&3 &
	_pid=$!
	wait_for 60 some_marked 3
	kill -KILL "$(pgrep -of "^x07-limit .*$MARK")"
	wait $_pid && atf_fail "status 0 after SIGKILL"
	wait_for 60 none_marked
	shut out ran
	# The same where somebody reads.
	$AS x07-limit -q -v -t 1m -- sh -c "echo ran; : $MARK" >out 2>&3 &
	_pid=$!
	wait_for 60 some_marked 3
	dd if=full of=/dev/null bs=64k count=1 status=none
	wait $_pid || atf_fail "status $? with a reader"
	says out ran
	exec 3>&-
	rm -f full
	# Many arguments, which execvp(3) copies when it is a script without a name.
	echo 'echo $# $1' >script
	chmod 755 script
	run 0 "$PYTHON" -c 'import os
os.execvp("x07-limit", ["x07-limit", "--", "./script"] + ["a"] * 150000)'
	says out '150000 a'
	# init is shut from the first moment; what is one's own is not.
	run 1 x07-limit -- cat /proc/1/maps
	run 0 x07-limit -- cat /proc/self/maps
}

atf_test_case swept
swept_head()
{
	atf_set descr "Without namespaces everything is looked for and killed"
}
swept_body()
{
	both swept_run
}
swept_run()
{
	_no="$PYTHON $X07_TESTS/no_namespaces.py"
	new_marker
	run 0 $_no x07-limit -v -- sh -c 'mkdir a b; : >a/f; mv a/f b/f; rm -r a b; echo fine'
	says out fine
	says err 'the tree: SIGKILL of all that is found below a subreaper'
	run 3 $_no x07-limit -- sh -c 'exit 3'
	# The supervisors are out of the program's reach.
	run 0 $_no x07-limit -t 1m -- sh -c 'kill -KILL $PPID || echo refused'
	says out refused
	run 125 $_no x07-limit --strict -- echo ran
	says err '--strict: starting a process tree'
	shut out ran
	run 0 x07-limit --strict -- echo ran
	# Daemons, stopped and deaf, at the end of time and of the program.
	_left='trap "" TERM HUP; setsid sh -c "sleep 600; : '"$MARK"'" & (setsid sh -c "kill -STOP \$\$; : '"$MARK"'" &)'
	run 124 $_no x07-limit -t 1s -k 100ms -- sh -c "$_left; sleep 600; : $MARK"
	none_marked || atf_fail "left after the wall limit: $(marked)"
	run 0 $_no x07-limit -- sh -c "$_left; : $MARK"
	none_marked || atf_fail "left after the program: $(marked)"
	# SIGKILL of the supervisor, the subreaper or init.
	for _who in supervisor reaper init; do
		$AS $_no x07-limit -t 5m -- sh -c "$_left; sleep 600; : $MARK" >out 2>err &
		_pid=$!
		wait_for 60 some_marked 3
		_reaper=$(pgrep -P $_pid)
		case $_who in
		supervisor)	kill -KILL $_pid ;;
		reaper)		kill -KILL "$_reaper" ;;
		init)		kill -KILL "$(pgrep -P "$_reaper")" ;;
		esac
		wait $_pid && atf_fail "status 0 after SIGKILL of the $_who"
		wait_for 60 none_marked
	done
	# A fork bomb in as many sessions as it has processes. The kernel keeps root's
	# from no number, so that there is only an ordinary user's.
	if ! as_root; then
		cat >bomb.sh <<-'EOF'
		setsid sh "$0" "$1" &
		setsid sh "$0" "$1" &
		sleep 600
		EOF
		_guard='prlimit --nproc=1500'
		run 137 $_guard $_no x07-limit -u 50 -t 5m -- sh bomb.sh "$MARK"
		says err 'processes'
		none_marked || atf_fail "left of a bomb: $(marked | wc -l)"
		run 124 $_guard $_no x07-limit -t 1s -k 10ms -- sh bomb.sh "$MARK"
		none_marked || atf_fail "left of a bomb in time: $(marked | wc -l)"
		run 0 $_no x07-limit -u 50 -- sh -c 'setsid sleep 0.1 & setsid sleep 0.1 & wait'
	fi
	# Root that may make the other namespaces has them all the same.
	if as_root; then
		run 0 $_no -a x07-limit --strict -v -- sh -c 'echo $$'
		says out 2
		says err 'SIGKILL of a pid namespace'
	fi
}

atf_test_case cpu
cpu_head()
{
	atf_set descr "CPU time is counted over all processes, also those gone"
}
cpu_body()
{
	both cpu_run
}
cpu_run()
{
	new_marker
	run 152 x07-limit -c 500ms -t 1m -- sh -c 'while :; do :; done; : '"$MARK"
	says err 'x07-limit: deny CPU time sh (limits.cpu_ms of 500ms reached; allow with a larger -c)'
	none_marked || atf_fail "left: $(marked)"
	# None of them uses it up alone.
	run 152 x07-limit -c 600ms -t 1m -- sh -c \
	    'for i in 1 2 3 4; do (while :; do :; done) & done; wait; : '"$MARK"
	none_marked || atf_fail "left: $(marked)"
	# One after the other, each gone before the limit; reaped or ignored.
	cat >burn.py <<'EOF'
import os, signal, sys, time
if sys.argv[1] == "ignored":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for i in range(int(sys.argv[2])):
    pid = os.fork()
    if pid == 0:
        while time.process_time() < 0.1:
            pass
        os._exit(0)
    try:
        os.waitpid(pid, 0)
    except ChildProcessError:
        pass
EOF
	chmod 644 burn.py
	run 152 x07-limit -c 600ms -t 1m -- "$PYTHON" burn.py reaped 60
	run 152 x07-limit -c 600ms -t 1m -- "$PYTHON" burn.py ignored 60
	# Twins: the same work within the limit, and much time but no CPU.
	run 0 x07-limit -c 20s -t 1m -- "$PYTHON" burn.py reaped 6
	run 0 x07-limit -c 20s -t 1m -- "$PYTHON" burn.py ignored 6
	run 0 x07-limit -c 500ms -t 1m -- sleep 1
	rm -f burn.py
}

atf_test_case memory
memory_head()
{
	atf_set descr "Memory beyond the limit is not had"
}
memory_body()
{
	both memory_run
}
memory_run()
{
	_take='import sys; b = bytearray(int(sys.argv[1]) << 20); print("had", len(b))'
	run 0 x07-limit -m 400M -- "$PYTHON" -c "$_take" 200
	says out had
	_got=0
	$AS x07-limit -m 100M -- "$PYTHON" -c "$_take" 200 >out 2>err || _got=$?
	# MemoryError where the kernel refuses, SIGKILL where it kills.
	[ $_got -eq 1 ] || [ $_got -eq 137 ] || atf_fail "status $_got"
	shut out had
	$AS x07-limit -v -m 100M -- true 2>err
	grep -Eq 'memory: 100M, (cgroup v[12]|of each process by itself)' err ||
	    atf_fail "does not say how: $(cat err)"
}

atf_test_case memory_tree
memory_tree_head()
{
	atf_set descr "Memory is counted over all processes, and for files in memory"
	atf_set require.user root
}
memory_tree_body()
{
	x07-limit -v -m 100M -- true 2>err
	grep -q 'memory: 100M, cgroup' err || atf_skip "no memory control group to use: $(cat err)"
	AS=
	# Address space is not what is counted here.
	run 0 x07-limit -m 100M -- "$PYTHON" -c 'import mmap; mmap.mmap(-1, 1 << 33); print("had")'
	says out had
	cat >many.py <<'EOF'
import os, sys, time
r, w = os.pipe()
for i in range(6):
    if os.fork() == 0:
        b = bytearray(int(sys.argv[1]) << 20)
        for k in range(0, len(b), 4096):
            b[k] = 1
        os.write(w, b"x")
        time.sleep(600)
os.set_blocking(r, False)
had = 0
while had < 6:
    try:
        had += len(os.read(r, 6))
    except BlockingIOError:
        time.sleep(0.02)
    if os.waitpid(-1, os.WNOHANG)[0] != 0:
        sys.exit(1)
EOF
	run 0 x07-limit -m 600M -- "$PYTHON" many.py 40
	run 1 x07-limit -m 120M -- "$PYTHON" many.py 40
	says err 'deny memory'
	says err 'limits.mem_bytes of 120M reached'
	# Memory that belongs to no process.
	_fill='import os,sys
fd = os.memfd_create("x")
for i in range(int(sys.argv[1])):
    os.write(fd, b"x" * (1 << 20))
print("had")'
	run 0 x07-limit -m 400M -- "$PYTHON" -c "$_fill" 150
	run 137 x07-limit -m 100M -- "$PYTHON" -c "$_fill" 150
	shut out had
	_shm="x07-limit-test.$$"
	run 0 x07-limit -m 400M -- dd if=/dev/zero of="/dev/shm/$_shm" bs=1M count=150
	rm -f "/dev/shm/$_shm"
	run 137 x07-limit -m 100M -- dd if=/dev/zero of="/dev/shm/$_shm" bs=1M count=150
	rm -f "/dev/shm/$_shm"
}

atf_test_case procs
procs_head()
{
	atf_set descr "Processes beyond the limit are not had, also by root"
}
procs_body()
{
	both procs_run
}
procs_run()
{
	cat >forks.py <<'EOF'
import os, sys, threading, time
made = 1
want = int(sys.argv[1])
for i in range(want - 1):
    try:
        if sys.argv[2] == "threads":
            threading.Thread(target=time.sleep, args=(600,)).start()
        elif os.fork() == 0:
            time.sleep(600)
            os._exit(0)
        made += 1
    except (OSError, RuntimeError):
        break
print("made%d" % made, flush=True)
os._exit(0)
EOF
	chmod 644 forks.py
	for _kind in processes threads; do
		run 0 x07-limit -u 10 -- "$PYTHON" forks.py 10 $_kind
		says out made10
		run 0 x07-limit -u 10 -- "$PYTHON" forks.py 11 $_kind
		says out made10
		run 0 x07-limit -u 1 -- "$PYTHON" forks.py 3 $_kind
		says out made1
	done
	rm -f forks.py
	# A fork bomb: bounded, and gone in time. A shell that cannot fork gives up.
	new_marker
	run 124 x07-limit -u 30 -t 700ms -k 10ms -- sh -c \
	    'f() { f & f & wait; }; f 2>/dev/null & : '"$MARK"'; exec sleep 60'
	none_marked || atf_fail "left: $(marked)"
}

atf_test_case descriptors
descriptors_head()
{
	atf_set descr "Descriptors and core dumps are limited, for good"
}
descriptors_body()
{
	both descriptors_run
}
descriptors_run()
{
	run 0 x07-limit -f 12 -- "$PYTHON" -c 'import os
n = 0
try:
    while True:
        os.dup(1); n += 1
except OSError: pass
print("last", max(int(x) for x in range(64) if os.path.lexists("/dev/fd/0") or 1) and n)'
	run 0 x07-limit -f 5 -- sh -c 'exec 3</dev/null 4</dev/null && echo five'
	says out five
	run 2 x07-limit -f 5 -- sh -c 'exec 3</dev/null 4</dev/null 5</dev/null; echo six'
	shut out six
	# Not raised again, whoever one is.
	run 0 x07-limit -f 64 -u 20 -m 1G -c 1m -- "$PYTHON" -c 'import resource as r
for what in (r.RLIMIT_NOFILE, r.RLIMIT_CPU, r.RLIMIT_NPROC):
    soft, hard = r.getrlimit(what)
    if hard == r.RLIM_INFINITY:
        continue
    try:
        r.setrlimit(what, (hard + 1, hard + 1))
        print("raised", what)
    except (ValueError, PermissionError):
        pass
print("tried")'
	says out tried
	shut out raised
	# No core by default; --core leaves what the caller allows.
	run 0 sh -c 'ulimit -c "$0"; x07-limit -- sh -c "ulimit -c"' "$(core_size)"
	[ "$(cat out)" = 0 ] || atf_fail "core: $(cat out)"
	run 0 sh -c 'ulimit -c "$0"; x07-limit --core -- sh -c "ulimit -c"' "$(core_size)"
	[ "$(cat out)" = "$(core_size)" ] || atf_fail "core: $(cat out)"
}

atf_test_case from_policy
from_policy_head()
{
	atf_set descr "A policy gives the limits; flags only narrow them"
}
from_policy_body()
{
	both from_policy_run
}
from_policy_run()
{
	policy limits.wall_ms=400
	run 124 x07-limit -p policy.json -- sleep 60
	says err 'limits.wall_ms of 400ms reached; allow with a larger limits.wall_ms in the policy'
	run 124 x07-limit -p policy.json -t 1m -- sleep 60
	says err 'limits.wall_ms of 400ms'
	policy limits.wall_ms=60000
	run 0 x07-limit -p policy.json -- sleep 0.5
	run 124 x07-limit -p policy.json -t 300ms -- sleep 60
	says err 'limits.wall_ms of 300ms reached; allow with a larger -t'
	policy limits.fds=7
	run 0 x07-limit -p policy.json -- sh -c 'ulimit -n'
	says out 7
	run 0 x07-limit -f 100 -p policy.json -- sh -c 'ulimit -n'
	[ "$(cat out)" = 7 ] || atf_fail "fds: $(cat out)"
	policy limits.cpu_ms=400
	run 152 x07-limit -p policy.json -- sh -c 'while :; do :; done'
	policy limits.procs=0
	run 0 x07-limit -p policy.json -- sh -c 'echo alone'
	says out alone
	run 2 x07-limit -p policy.json -- sh -c '(echo forked); (echo again)'
	shut out forked
	policy limits.core_dumps=false
	run 0 sh -c 'ulimit -c "$0"; x07-limit --core -p policy.json -- sh -c "ulimit -c"' "$(core_size)"
	[ "$(cat out)" = 0 ] || atf_fail "core: $(cat out)"
	policy limits.core_dumps=true
	run 0 sh -c 'ulimit -c "$0"; x07-limit --core -p policy.json -- sh -c "ulimit -c"' "$(core_size)"
	[ "$(cat out)" = "$(core_size)" ] || atf_fail "core: $(cat out)"
	policy limits.wall_ms=0
	run 125 x07-limit -p policy.json -- echo ran
	shut out ran
}

atf_test_case helpers
helpers_head()
{
	atf_set descr "what a gate needs to start is not counted, and no more than that"
}
helpers_body()
{
	# A gate with so many helpers, which take their time, and one process that lasts.
	mkdir gate
	{
		echo "#!$PYTHON"
		cat <<-'EOF'
		import os, sys, time
		def child(seconds):
		    pid = os.fork()
		    if pid == 0:
		        time.sleep(seconds)
		        os._exit(0)
		    return pid
		child(60)
		for pid in [child(0.5) for i in range(int(sys.argv[1]))]:
		    os.waitpid(pid, 0)
		os.execvp(sys.argv[3], sys.argv[3:])
		EOF
	} >gate/x07-execgate
	# One whose child takes the name of a gate.
	cat >named.py <<-'EOF'
	import os, time
	time.sleep(0.5)
	if os.fork() == 0:
	    open("/proc/self/comm", "w").write("x07-execgate")
	    time.sleep(60)
	os.wait()
	EOF
	chmod -R a+rX .
	chmod 755 gate/x07-execgate
	both helpers_run
}
helpers_run()
{
	run 0 x07-limit -u 1 -T 4 -- gate/x07-execgate 1 -- echo ran
	says out ran
	run 137 x07-limit -u 1 -T 4 -- gate/x07-execgate 2 -- echo ran
	says err 'limits.procs of 1 reached'
	run 137 x07-limit -u 1 -T 4 -- gate/x07-execgate 0 -- "$PYTHON" named.py
	says err 'limits.procs of 1 reached'
	run 0 x07-limit -x 100ms -- gate/x07-execgate 1 -- echo ran
	shut err deny
	run 0 x07-limit -x 100ms -- gate/x07-execgate 2 -- echo ran
	says err 'deny'
}

atf_test_case nested
nested_head()
{
	atf_set descr "Limits nest, and stand outermost in a chain"
}
nested_body()
{
	both nested_run
}
nested_run()
{
	run 124 x07-limit -t 1m -- x07-limit -t 300ms -- sleep 60
	run 124 x07-limit -t 300ms -- x07-limit -t 1m -- sleep 60
	run 152 x07-limit -c 300ms -- x07-limit -t 1m -- sh -c 'while :; do :; done'
	run 5 x07-limit -m 512M -u 20 -c 1m -- x07-limit -m 256M -u 10 -c 30s -- sh -c 'exit 5'
	# An inner one cannot give back what the outer took.
	run 0 x07-limit -f 20 -- x07-limit -f 100 -- sh -c 'ulimit -n'
	[ "$(cat out)" = 20 ] || atf_fail "fds: $(cat out)"
	# Not only next to each other: a shell inside may start one.
	run 124 x07-limit -t 1m -- sh -c 'x07-limit -t 300ms -- sleep 60'
	# What the gates need comes on top of the program's own.
	for _gate in 'x07-netgate -a 127.0.0.1:9' 'x07-fsgate -r /' 'x07-execgate'; do
		# shellcheck disable=SC2086 # options, not file names
		run 0 x07-limit -t 1m -u 1 -- $_gate -- "$PYTHON" -c 'print("gate")'
		says out gate
	done
	run 0 x07-limit -t 1m -u 1 -- x07-netgate -a 127.0.0.1:9 -- x07-fsgate -r / -- \
	    x07-execgate -- "$PYTHON" -c 'print("chain")'
	says out chain
	run 125 x07-execgate -x x07-limit -- x07-limit -t 1s -- true
	says err 'the order that works'
}

atf_test_case log
log_head()
{
	atf_set descr "What struck is in the log; a dry run denies nothing"
}
log_body()
{
	both log_run
}
log_run()
{
	rm -f log.json
	run 124 x07-limit -q -l log.json -t 200ms -- sleep 60
	[ ! -s err ] || atf_fail "err: $(cat err)"
	"$PYTHON" - <<'EOF' || atf_fail "log: $(cat log.json)"
import json
(line,) = open("log.json")
d = json.loads(line)
assert d["gate"] == "x07-limit" and d["verdict"] == "deny", d
assert d["object"] == "sleep" and d["key"] == "limits.wall_ms", d
EOF
	rm -f log.json
	run 0 x07-limit -n --i-accept-weaker-isolation -l log.json -t 200ms -c 100ms -- \
	    sh -c 'i=0; while [ $i -lt 300000 ]; do i=$((i + 1)); done; sleep 0.5; echo end'
	says out end
	says err 'would deny wall time'
	says log.json would-deny
	rm -f log.json
}

# report_says EXPRESSION: what must be true of r, the report.
report_says()
{
	"$PYTHON" -c 'import json
r = json.load(open("report.json"))
assert '"$1"', r' || atf_fail "report: not $1"
}

atf_test_case output_caps
output_caps_head()
{
	atf_set descr "Of the output exactly the cap is delivered, and then as told"
}
output_caps_body()
{
	both output_caps_run
}
output_caps_run()
{
	printf '#!/bin/sh\necho three\nexit 3\n' >three
	chmod 755 three
	# Numbered lines: what comes out must be a true beginning.
	seq 100000 >numbers
	chmod 644 numbers
	for _cap in 1 1000 65536 70001 500000; do
		head -c $_cap numbers >want
		run 137 x07-limit -o $_cap -- cat numbers
		cmp -s want out || atf_fail "kill, $_cap: $(wc -c <out) bytes"
		says err "x07-limit: deny standard output cat (process.max_stdout_bytes of"
		run 143 x07-limit -o $_cap --on-cap stop -- sh -c 'cat numbers; sleep 60'
		cmp -s want out || atf_fail "stop, $_cap: $(wc -c <out) bytes"
		run 6 x07-limit -o $_cap --on-cap drop -- sh -c 'cat numbers; exit 6'
		cmp -s want out || atf_fail "drop, $_cap: $(wc -c <out) bytes"
		says err "deny standard output"
		[ "$(wc -l <err)" -eq 1 ] || atf_fail "lines: $(cat err)"
	done
	# Exactly the cap is not beyond it.
	run 0 x07-limit -o "$(wc -c <numbers)" -- cat numbers
	cmp -s numbers out || atf_fail "twin: $(wc -c <out) bytes"
	[ ! -s err ] || atf_fail "err: $(cat err)"
	# The soft signal can be heard, what it says is beyond the cap.
	rm -f heard
	run 143 x07-limit -o 10 -k 20s --on-cap stop -- sh -c \
	    'trap ": >heard; exit 0" TERM; echo 123456789; echo more; while :; do sleep 0.05; done'
	[ -e heard ] || atf_fail "the program did not hear"
	rm -f heard
	# Standard error by itself, and both together.
	run 137 x07-limit -e 5 -- sh -c 'echo out; echo 123456789 >&2; sleep 60'
	says err 12345
	shut err 123456
	says err 'process.max_stderr_bytes of 5'
	run 0 x07-limit -e 5 -- sh -c 'echo 1234567890; echo 1234 >&2'
	run 137 x07-limit -b 8 -q -- sh -c 'echo 1234; sleep 0.3; echo 567890 >&2; sleep 60'
	[ "$(cat out err | wc -c)" -eq 8 ] || atf_fail "total: $(cat out err)"
	run 0 x07-limit -b 10 -q -- sh -c 'echo 1234; sleep 0.3; echo 5678 >&2'
	[ "$(cat out err | wc -c)" -eq 10 ] || atf_fail "total: $(cat out err)"
	# A dry run says it and lets all through.
	run 0 x07-limit -n --i-accept-weaker-isolation -o 10 -- cat numbers
	cmp -s numbers out || atf_fail "dry run: $(wc -c <out) bytes"
	says err 'would deny standard output'
	# Files take it, appended to or not; who stops reading is told as without us.
	$AS x07-limit -o 1M -- cat numbers >file
	cmp -s numbers file || atf_fail "file: $(wc -c <file)"
	echo first >file
	$AS x07-limit -o 1M -- cat numbers >>file
	[ "$(wc -c <file)" -eq $(($(wc -c <numbers) + 6)) ] || atf_fail "append: $(wc -c <file)"
	run 0 x07-limit -o 1M -- true
	$AS x07-limit -o 1G -- yes 2>err | head -n 1 >out
	says out y
	# A full disk is told, also of what the program wrote last, or all, before it ended.
	for _what in 'yes:141' 'seq 5:125' './three:3'; do
		_got=0
		$AS x07-limit -o 1M -- ${_what%:*} >/dev/full 2>err || _got=$?
		[ $_got -eq "${_what#*:}" ] || atf_fail "full, $_what: $_got: $(cat err)"
		says err 'standard output: No space left'
	done
	for _what in 'seq 5:0' './three:3'; do
		_got=0
		$AS x07-limit -o 1M -- ${_what%:*} >/dev/null 2>err || _got=$?
		[ $_got -eq "${_what#*:}" ] || atf_fail "not full, $_what: $_got: $(cat err)"
		[ ! -s err ] || atf_fail "err: $(cat err)"
	done
	rm -f numbers want file three
}

atf_test_case output_held
output_held_head()
{
	atf_set descr "Who holds the output open or reads slowly does not hold the end"
}
output_held_body()
{
	both output_held_run
}
output_held_run()
{
	new_marker
	run 0 timeout -k 1 60 x07-limit -o 1M -- sh -c \
	    'setsid sh -c "sleep 60; : '"$MARK"'" & echo fine'
	says out fine
	none_marked || atf_fail "left: $(marked)"
	run 124 timeout -k 1 60 x07-limit -t 2s -o 1M -- sh -c \
	    'trap "" TERM; setsid sh -c "sleep 60; : '"$MARK"'" & echo fine; sleep 60'
	says out fine
	none_marked || atf_fail "left: $(marked)"
	# All of the output arrives, also what a slow reader gets after the end.
	$AS x07-limit -o 10M -- seq 100000 | { sleep 0.5; cat; } >out
	seq 100000 | cmp -s - out || atf_fail "slow reader: $(wc -c <out) bytes"
	# A reader that never reads keeps neither a limit nor a signal from striking.
	mkfifo pipe
	sleep 60 <>pipe &
	_holder=$!
	rm -f full
	$AS x07-limit -o 1G -r full.json -- sh -c 'head -c 1500000 /dev/zero; : >full' >pipe 2>err &
	_pid=$!
	wait_for 60 test -e full
	wait_for 60 no_children $_pid
	kill -0 $_pid || atf_fail "did not wait for the reader"
	kill -TERM $_pid
	wait $_pid
	_status=$?
	[ $_status -eq 143 ] || atf_fail "status $_status"
	[ -s full.json ] || atf_fail "no report"
	rm -f full full.json
	# Nor does what it did not take in time look as if it had taken it.
	$AS x07-limit -t 1s -k 1s -o 1G head -c 1500000 /dev/zero >pipe 2>err
	_status=$?
	kill $_holder
	[ $_status -eq 124 ] || atf_fail "status $_status"
	atf_check -o match:"deny wall time head .* of 1s reached" cat err
	sleep 60 <>pipe &
	_holder=$!
	_got=0
	$AS timeout -k 1 60 x07-limit -t 700ms -o 1G -- yes 2>err >pipe || _got=$?
	kill $_holder
	[ $_got -eq 124 ] || atf_fail "status $_got: $(cat err)"
	rm -f pipe
}

atf_test_case input_cap
input_cap_head()
{
	atf_set descr "Of the input exactly the cap can be read"
}
input_cap_body()
{
	both input_cap_run
}
# read_cap WHAT CAP: the program had just so much to read. It was killed then, and may not
# have written all that.
read_cap()
{
	head -c "$2" numbers | head -c "$(wc -c <out)" | cmp -s - out ||
	    atf_fail "$1: $(wc -c <out) bytes"
	report_says "r[\"stdin_bytes\"] == $2"
}
input_cap_run()
{
	seq 100000 >numbers
	for _cap in 10 70001; do
		head -c $_cap numbers >want
		for _on in kill:137 stop:143 drop:0; do
			_got=0
			tail -c +1 numbers 2>/dev/null | $AS x07-limit -I $_cap \
			    -r report.json --on-cap ${_on%:*} -- cat >out 2>err || _got=$?
			[ $_got -eq ${_on#*:} ] || atf_fail "$_on: status $_got: $(cat err)"
			read_cap "$_on, $_cap" $_cap
			[ $_on != drop:0 ] || cmp -s want out ||
			    atf_fail "$_on, $_cap: $(wc -c <out) bytes"
			says err 'deny standard input cat (process.max_stdin_bytes of'
		done
	done
	# A file, and one that does not tell its size.
	_got=0
	$AS x07-limit -I 10 -r report.json -- cat <numbers >out 2>err || _got=$?
	[ $_got -eq 137 ] || atf_fail "file: $_got: $(cat err)"
	read_cap file 10
	_got=0
	$AS x07-limit -I 10 -r report.json -- cat </dev/zero >out 2>err || _got=$?
	[ $_got -eq 137 ] || atf_fail "device: $_got: $(cat err)"
	[ "$(wc -c <out)" -le 10 ] || atf_fail "device: $(wc -c <out)"
	report_says 'r["stdin_bytes"] == 10'
	# It takes little of a stack: one of 64 kilobytes is enough.
	run 0 prlimit --stack=65536 x07-limit -I 10 -- cat
	# Twins: all of it within the cap, and somebody who wants no more.
	for _from in 'cat numbers' 'cat <numbers'; do
		sh -c "$_from" | $AS x07-limit -I 1M -- cat >out
		cmp -s numbers out || atf_fail "twin: $(wc -c <out) bytes"
	done
	$AS x07-limit -I 1M -- "$PYTHON" -c 'import os
os.lseek(0, -7, os.SEEK_END)
os.write(1, os.read(0, 99))' <numbers >out
	says out 100000
	_size=$(wc -c <numbers)
	sh -c 'cat numbers' | $AS x07-limit -I "$_size" -- cat >out 2>err
	cmp -s numbers out || atf_fail "exactly: $(wc -c <out) bytes"
	[ ! -s err ] || atf_fail "err: $(cat err)"
	yes 2>/dev/null | $AS x07-limit -I 100000 -- head -n 1 >out 2>err ||
	    atf_fail "head: $?"
	[ ! -s err ] || atf_fail "err: $(cat err)"
	rm -f numbers want report.json
}

atf_test_case streams_untouched
streams_untouched_head()
{
	atf_set descr "Without caps the descriptors are the caller's, with them pipes"
}
streams_untouched_body()
{
	both streams_untouched_run
}
streams_untouched_run()
{
	_pty="$PYTHON $X07_TESTS/limit_pty.py"
	run 0 $_pty end x07-limit -t 1m -- sh -c 'test -t 0 && test -t 1 && test -t 2 && echo all'
	says out all
	# A flag is a cap on a terminal too; a policy's cap leaves it alone.
	run 0 $_pty end x07-limit -t 1m -o 1M -- sh -c 'test -t 1 || echo pipe'
	says out pipe
	policy process.max_stdout_bytes=1000000 process.max_total_bytes=1000000 \
	    process.max_stdin_bytes=1000
	run 0 $_pty end x07-limit -p policy.json -- sh -c \
	    'test -t 0 && test -t 1 && test -t 2 && echo all'
	says out all
	run 0 $_pty end x07-limit -p policy.json -o 1M -- sh -c 'test -t 1 || echo pipe'
	says out pipe
	# Strictly it does not, where --strict can be had.
	if $AS x07-limit -p policy.json --strict -- true 2>/dev/null; then
		run 0 $_pty end x07-limit -p policy.json --strict -- sh -c \
		    'test -t 1 || echo pipe'
		says out pipe
	fi
	# The other end of standard input is no way past the cap on the output.
	run 0 $_pty end x07-limit -t 1m -o 3 --on-cap drop -- sh -c \
	    '(echo leaked >&0); echo 123456789'
	says out 123
	shut out leaked
	shut out 1234
	run 0 $_pty end x07-limit -t 1m -- sh -c 'echo leaked >&0'
	says out leaked
	# With all of them closed too it holds.
	run 124 sh -c 'exec x07-limit -l log.json -t 300ms -- sleep 60 <&- >&- 2>&-'
	says log.json limits.wall_ms
	rm -f log.json
	# A closed descriptor stays closed.
	run 0 sh -c 'x07-limit -o 10 -- sh -c "echo x || echo closed >&2" >&-'
	says err closed
}

atf_test_case file_size
file_size_head()
{
	atf_set descr "A file does not grow beyond its limit"
}
file_size_body()
{
	both file_size_run
}
file_size_run()
{
	rm -f big
	run 153 x07-limit -F 64K -- dd if=/dev/zero of=big bs=1K count=100
	[ "$(wc -c <big)" -eq 65536 ] || atf_fail "size: $(wc -c <big)"
	says err 'deny file size dd (--fsize of 64K reached; allow with a larger -F)'
	rm -f big
	run 0 x07-limit -F 64K -- dd if=/dev/zero of=big bs=1K count=64
	run 1 x07-limit -F 64K -- fallocate --keep-size -l 1M big
	run 0 x07-limit -- fallocate --keep-size -l 1M big
	rm -f big
}

atf_test_case threads
threads_head()
{
	atf_set descr "Threads have a number of their own"
}
threads_body()
{
	cat >threads.py <<'EOF'
import os, sys, threading, time
made = 0
for i in range(int(sys.argv[1])):
    try:
        threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
        made += 1
    except RuntimeError:
        break
print("made%d" % made, flush=True)
time.sleep(float(sys.argv[2]))
os._exit(0)
EOF
	chmod 644 threads.py
	both threads_run
}
threads_run()
{
	# None: by a filter, for processes that are more than one too.
	run 0 x07-limit -T 0 -- "$PYTHON" threads.py 3 0.1
	says out made0
	run 0 x07-limit -T 0 -- sh -c '(echo forked)'
	says out forked
	# Of one process that cannot fork: exactly.
	run 0 x07-limit -u 1 -T 4 -- "$PYTHON" threads.py 4 0.5
	says out made4
	run 0 x07-limit -u 1 -T 4 -- "$PYTHON" threads.py 9 0.5
	says out made4
	run 2 x07-limit -u 1 -T 4 -- sh -c '(echo forked); (echo again)'
	shut out forked
	# Beside processes: together by the kernel, one by one by looking.
	run 0 x07-limit -u 3 -T 4 -- "$PYTHON" threads.py 4 0.5
	says out made4
	run 137 x07-limit -u 3 -T 4 -- "$PYTHON" threads.py 6 60
	says err 'deny threads'
	run 137 x07-limit -u 3 -T 9 -- sh -c 'sleep 60 & sleep 60 & sleep 60 & sleep 60'
	says err 'deny processes'
	run 0 x07-limit -u 3 -T 9 -- sh -c 'sleep 0.2 & sleep 0.2 & wait'
	run 137 x07-limit -T 4 -- "$PYTHON" threads.py 6 60
	# Strictly: so few of both that neither can be passed.
	run 125 x07-limit --strict -T 4 -- echo ran
	says err 'add -u'
	run 0 x07-limit --strict -u 9 -T 4 -- "$PYTHON" threads.py 9 0.5
	says out made4
	# The policy's own words.
	policy threads='{"enabled": true, "max_workers": 2, "max_blocking": 1, "max_queue": 0}' \
	    limits.procs=1
	run 0 x07-limit -p policy.json -- "$PYTHON" threads.py 9 0.5
	says out made3
	policy threads='{"enabled": false, "max_workers": 2, "max_blocking": 1, "max_queue": 0}'
	run 0 x07-limit -p policy.json -- "$PYTHON" threads.py 9 0.5
	says out made0
}

atf_test_case child_time
child_time_head()
{
	atf_set descr "A process that the program starts ends in time, the program does not"
}
child_time_body()
{
	both child_time_run
}
child_time_run()
{
	new_marker
	run 0 x07-limit -x 500ms -t 1m -- sh -c \
	    'sh -c "sleep 60; : '"$MARK"'"; echo went on'
	says out 'went on'
	says err 'deny child sh (process.max_runtime_ms of 500ms reached; allow with a larger -x)'
	none_marked || atf_fail "left: $(marked)"
	run 0 x07-limit -x 20s -t 1m -- sh -c 'sleep 1; echo slept'
	says out slept
	shut err deny
	# Who waits for a child that is as old does not see its end first.
	run 0 x07-limit -q -x 500ms -t 1m -- sh -c '(sleep 60; echo saw); echo $?'
	says out 137
	shut out saw
	if [ -e /proc/sys/user/max_user_namespaces ]; then
		run 0 "$PYTHON" "$X07_TESTS/no_namespaces.py" x07-limit -q -x 500ms -t 1m -- \
		    sh -c '(sleep 60; echo saw); echo $?'
		says out 137
		shut out saw
	fi
	run 0 x07-limit -q -x 20s -t 1m -- sh -c '(sleep 1; echo saw); echo $?'
	says out saw
	# A child whose first thread has ended, while another lives on.
	cat >headless.py <<'EOF'
import ctypes, os, sys, threading, time
if os.fork() == 0:
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    ctypes.CDLL(None).pthread_exit(None)
if sys.argv[1] == "wait":
    os.wait()
time.sleep(0.5)
EOF
	chmod 644 headless.py
	run 0 x07-limit -x 500ms -t 1m -- "$PYTHON" headless.py wait
	says err 'deny child python3'
	run 0 x07-limit -x 20s -t 1m -- "$PYTHON" headless.py go
	shut err deny
	# The program itself has no such limit.
	run 0 x07-limit -x 300ms -t 1m -- sleep 1
	policy process.max_runtime_ms=400
	run 0 x07-limit -p policy.json -- sh -c 'sleep 60; echo went on'
	says out 'went on'
	says err 'deny child sleep'
	# Behind gates too, whose own processes stay.
	run 0 x07-limit -x 500ms -t 1m -- x07-netgate -a 127.0.0.1:9 -- sh -c \
	    'sleep 60; echo went on'
	says out 'went on'
}

atf_test_case pid_again
pid_again_head()
{
	atf_set descr "A child whose time is over ends with its own, whatever numbers were used again"
}
pid_again_body()
{
	cc -std=c11 -D_GNU_SOURCE -O1 -I "$X07_SRC/bin/x07-limit" -I "$X07_SRC/lib/libx07" \
	    -I "$X07_SRC/lib/libx07os" -o sums "$X07_TESTS/bin/x07-limit_sums.c" \
	    "$X07_SRC/bin/x07-limit/sums.c" || atf_fail "cc"
	atf_check -o inline:"30\n10\n20\n40\n60\n80\n" ./sums
}

atf_test_case niceness
niceness_head()
{
	atf_set descr "The nice value is the program's"
}
niceness_body()
{
	both niceness_run
}
niceness_run()
{
	run 0 x07-limit -N 7 -- nice
	[ "$(cat out)" -eq $(($(nice) > 7 ? $(nice) : 7)) ] || atf_fail "nice: $(cat out)"
	# Who is nicer stays so, and may be nicer yet.
	run 0 nice -n 9 x07-limit -N 3 -- nice
	[ "$(cat out)" -eq $(($(nice) + 9 > 19 ? 19 : $(nice) + 9)) ] || atf_fail "9 of 3: $(cat out)"
	run 0 nice -n 9 x07-limit -N 19 -- nice
	says out 19
	for _n in 20 -1 x 1.5 ''; do
		run 125 x07-limit -N "$_n" -- echo ran
		says err '--nice'
	done
}

atf_test_case report
report_head()
{
	atf_set descr "What was used of what is told, as JSON and in a line"
}
report_body()
{
	both report_run
}
report_run()
{
	rm -f report.json
	_got=0
	printf 1234567 | $AS x07-limit -r report.json -t 1m -c 1m -m 1G -u 50 -o 1K -e 1K -I 1K -- \
	    sh -c 'cat; echo 12 >&2; exit 3' >out 2>err || _got=$?
	[ $_got -eq 3 ] || atf_fail "status $_got: $(cat err)"
	report_says 'r["schema_version"] == "x07.limit.report@0.1.0"'
	report_says '(r["program"], r["status"], r["exit"], r["signal"], r["struck"]) == ("sh", 3, 3, None, None)'
	report_says '(r["stdin_bytes"], r["stdout_bytes"], r["stderr_bytes"]) == (7, 7, 3)'
	report_says 'r["peak_memory_bytes"] > 100000 and 0 <= r["wall_ms"] < 60000'
	report_says 'r["limits"]["time"]["value"] == 60000 and r["limits"]["mem"]["value"] == 1 << 30'
	report_says 'all(v["by"] for v in r["limits"].values())'
	# Which limit struck.
	for _t in '124 time -t 300ms' '152 cpu -c 200ms' '137 stdout -o 5'; do
		# shellcheck disable=SC2086 # words
		set -- $_t
		run "$1" x07-limit -q -r report.json "$3" "$4" -- sh -c 'while :; do echo 1234567; done'
		report_says 'r["struck"] == "'"$2"'" and r["status"] == '"$1"' and r["exit"] is None'
	done
	run 7 x07-limit -q -r report.json -o 5 --on-cap drop -- sh -c 'echo 1234567; exit 7'
	report_says '(r["struck"], r["status"], r["stdout_bytes"]) == ("stdout", 7, 5)'
	# A signal, and CPU time that was used.
	run 137 x07-limit -r report.json -- sh -c \
	    'i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done; kill -9 $$'
	report_says 'r["signal"] == 9 and r["user_ms"] + r["sys_ms"] > 20 and r["cpu_ms"] > 20'
	report_says 'r["stdout_bytes"] is None and r["limits"] == {}'
	# Through a descriptor; names that JSON has to hide.
	run 0 sh -c 'x07-limit -r fd:5 -- true 5>report.json'
	report_says 'r["exit"] == 0'
	printf '#!/bin/sh\n' >'a"b\c'
	chmod 755 'a"b\c'
	run 0 x07-limit -r report.json -- './a"b\c'
	report_says 'r["program"] == "./a\"b\\c"'
	# The program's name, not that of a gate.
	run 124 x07-limit -t 300ms -r report.json -- x07-netgate -a 127.0.0.1:9 -- \
	    x07-execgate -x sleep -- sleep 60
	says err 'deny wall time sleep '
	report_says 'r["program"] == "sleep"'
	run 0 x07-limit -r report.json -- x07-netgate true
	report_says 'r["program"] == "x07-netgate"'
	rm -f 'a"b\c'
	run 125 x07-limit -r /nonexistent/r -- echo ran
	says err 'x07-limit: -r /nonexistent/r'
	run 125 x07-limit -r fd:77 -- echo ran
	# For people.
	run 0 x07-limit -i -t 1m -m 1G -- true
	says err 'x07-limit: status 0, wall '
	says err ' of 60s, CPU '
	says err ' of 1G'
	[ "$(wc -l <err)" -eq 1 ] || atf_fail "lines: $(cat err)"
	run 124 x07-limit -i -t 300ms -- sleep 60
	says err 'status 124 (wall time limit)'
	run 0 x07-limit -i -b 9 -- sh -c 'echo 123; echo 5678 >&2'
	says err 'status 0, '
	says err ', output 9 of 9'
	run 0 x07-limit -q -i -b 8 --on-cap drop -- sh -c 'echo 123; echo 5678 >&2'
	says err 'status 0 (output limit), '
	says err ', output 8 of 8'
	rm -f report.json
}

atf_test_case report_file
report_file_head()
{
	atf_set descr "An old report stays until the new one is whole"
}
report_file_body()
{
	both report_file_run
}
report_file_run()
{
	_top=$PWD
	rm -rf there
	$AS mkdir there
	cd there || atf_fail "there"
	# Until the program has ended the old one is there, and nothing else.
	$AS sh -c 'echo old >report.json; chmod 640 report.json'
	run 0 x07-limit -r report.json -- sh -c 'cat report.json; ls -A'
	[ "$(tr '\n' ' ' <out)" = 'old err out report.json ' ] || atf_fail "while it ran: $(cat out)"
	report_says 'r["exit"] == 0'
	[ "$(stat -c %a report.json)" = 640 ] || atf_fail "mode: $(stat -c %a report.json)"
	# Replaced, not written over: who has the old one open keeps it.
	run 0 sh -c 'exec 5<report.json; x07-limit -r report.json -- sh -c "exit 0"; cmp - report.json <&5 || echo other'
	says out other
	# A new one is there only at the end.
	rm -f report.json
	run 0 x07-limit -r ./report.json -- ls -A
	shut out report
	report_says 'r["exit"] == 0'
	# Killed: the old one stays, and nothing beside it.
	$AS sh -c 'echo old >report.json'
	$AS x07-limit -r report.json -- sh -c ': >up; sleep 60' 2>err &
	_pid=$!
	wait_for 60 test -e up
	kill -KILL $_pid
	wait $_pid && atf_fail "status 0 after SIGKILL"
	rm -f up
	[ "$(cat report.json)" = old ] || atf_fail "killed: $(cat report.json)"
	[ "$(ls -A)" = "$(printf 'err\nout\nreport.json')" ] || atf_fail "left: $(ls -A)"
	# What the program puts in its place is not followed.
	echo precious >precious
	run 0 x07-limit -r report.json -- sh -c 'rm report.json; ln -s precious report.json'
	[ "$(cat precious)" = precious ] || atf_fail "followed"
	report_says 'r["exit"] == 0'
	# But the caller's own link is.
	rm -f report.json
	$AS sh -c 'echo old >real.json; ln -s real.json report.json'
	run 0 x07-limit -r report.json -- true
	[ "$(readlink report.json)" = real.json ] || atf_fail "the link was replaced"
	report_says 'r["exit"] == 0'
	rm -f report.json real.json precious
	# What is no ordinary file is written as it is.
	run 3 sh -c 'x07-limit -r /dev/stdout -- sh -c "echo first; exit 3"'
	[ "$(sed q out)" = first ] || atf_fail "standard output: $(cat out)"
	sed 1d out >report.json
	report_says 'r["exit"] == 3'
	rm -f report.json
	run 0 sh -c 'x07-limit -r /dev/fd/7 -- true 7>report.json'
	report_says 'r["exit"] == 0'
	rm -f report.json
	$AS mkfifo pipe
	cat pipe >report.json &
	_pid=$!
	run 0 x07-limit -r pipe -- true
	wait $_pid
	[ -p pipe ] || atf_fail "the pipe was replaced"
	report_says 'r["exit"] == 0'
	run 0 x07-limit -r /dev/null -- true
	[ -c /dev/null ] || atf_fail "/dev/null was replaced"
	# A file in a directory where none can be made.
	$AS sh -c 'mkdir shut; echo old and longer >shut/report.json; chmod 555 shut'
	run 0 x07-limit -r shut/report.json -- true
	mv shut/report.json report.json
	report_says 'r["exit"] == 0'
	chmod 755 shut
	# The error comes before the program runs.
	chmod 555 shut
	for _r in nowhere/report.json report.json/x '' shut/ nowhere/ /proc/report.json; do
		run 125 x07-limit -r "$_r" -- sh -c 'echo ran; : >ran'
		says err "x07-limit: -r $_r: "
		[ ! -e ran ] || atf_fail "ran"
	done
	as_root || run 125 x07-limit -r shut/new.json -- sh -c 'echo ran'
	shut out ran
	chmod 755 shut
	# Root's report where another user owns the directory, with what root may do.
	if as_root; then
		rm -f report.json
		chown "$TEST_USER" .
		chmod 755 .
		run 0 x07-limit -r report.json -- true
		report_says 'r["exit"] == 0'
	fi
	cd "$_top" || atf_fail "$_top"
	rm -rf there
}

# away STATUS COMMAND...: run, where root finds no control group to use either.
away()
{
	_want=$1
	shift
	if [ -n "$AS" ] || [ "$(id -u)" -ne 0 ]; then
		run "$_want" "$@"
	else
		run "$_want" unshare -m sh -c \
		    'mount -t tmpfs none /sys/fs/cgroup && exec "$@"' - "$@"
	fi
}

atf_test_case weaker
weaker_head()
{
	atf_set descr "Without control groups the limits hold by less, which is said"
}
weaker_body()
{
	cat >many.py <<'EOF'
import os, sys, time
for i in range(5):
    if os.fork() == 0:
        b = bytearray(int(sys.argv[1]) << 20)
        for k in range(0, len(b), 4096):
            b[k] = 1
        time.sleep(float(sys.argv[2]))
        os._exit(0)
for i in range(5):
    os.wait()
EOF
	chmod 644 many.py
	both weaker_run
}
weaker_run()
{
	away 0 x07-limit -v -c 1m -m 1G -u 20 -- true
	if grep -q cgroup err; then
		atf_skip "this user has control groups: $(cat err)"
	fi
	says err 'CPU time: 60s, by looking at the processes'
	says err 'memory: 1G, of each process by itself (RLIMIT_AS), and their sum by looking'
	for _l in '-c 1m' '-m 1G'; do
		# shellcheck disable=SC2086 # words
		away 125 x07-limit --strict $_l -- echo ran
		says err 'a control group would hold it'
		shut out ran
	done
	# Each process by itself, and their sum.
	away 0 x07-limit -m 400M -- "$PYTHON" many.py 40 0.3
	away 137 x07-limit -m 120M -- "$PYTHON" many.py 40 60
	says err 'deny memory'
	away 1 x07-limit -m 100M -- "$PYTHON" -c 'b = bytearray(200 << 20)'
	# Processes: of root by looking, of others by the kernel.
	_four='sleep 60 & sleep 60 & sleep 60 & sleep 60'
	if [ -z "$AS" ] && [ "$(id -u)" -eq 0 ]; then
		_how='by looking'
		away 125 x07-limit --strict -u 10 -- echo ran
		away 137 x07-limit -u 3 -- sh -c "$_four"
		says err 'deny processes'
	else
		_how='RLIMIT_NPROC in a user namespace'
		away 0 x07-limit --strict -u 10 -- true
		away 2 x07-limit -u 3 -- sh -c "$_four"
	fi
	away 0 x07-limit -v -u 10 -- true
	says err "processes: 10, $_how"
	away 152 x07-limit -c 300ms -- sh -c 'while :; do :; done'
	away 0 x07-limit -c 1m -u 3 -- sh -c 'sleep 0.2 & sleep 0.2 & wait'
}

atf_test_case ids
ids_head()
{
	atf_set descr "Root's fork bomb finds no more process ids while nobody looks"
	atf_set require.user root
}
ids_body()
{
	case $(uname -r) in
	[0-5].*|6.[0-9].*|6.1[0-3].*)
		atf_skip "before Linux 6.14 all pid namespaces have one number of ids" ;;
	esac
	[ -w /proc/sys/kernel/pid_max ] || atf_skip "/proc/sys is read-only here"
	AS=''
	away 0 x07-limit -v -c 1m -u 20 -- true
	if grep -q cgroup err; then
		atf_skip "this user has control groups: $(cat err)"
	fi
	cat >forks.py <<-'EOF'
	import os, signal, time
	open("up", "w").close()
	while not os.path.exists("go"):
	    time.sleep(0.01)
	made = 0
	try:
	    while made < 700:
	        pid = os.fork()
	        if pid == 0:
	            signal.pause()
	        made += 1
	except OSError as e:
	    print("errno", e.errno)
	signal.signal(signal.SIGTERM, signal.SIG_IGN)
	os.kill(0, signal.SIGTERM)
	# None is left to be seen by who looks again.
	for _ in range(made):
	    os.wait()
	print("made", made, flush=True)
	EOF
	# Stopped by SIGSTOP, of which it hears nothing, it does not look. 700 can be had.
	for _limit in 20 700; do
		rm -f go up
		unshare -m sh -c 'mount -t tmpfs none /sys/fs/cgroup && exec "$@"' - \
		    x07-limit -r report -u $_limit -- "$PYTHON" forks.py >out 2>err &
		_pid=$!
		wait_for 60 test -e up
		kill -STOP $_pid
		: >go
		wait_for 60 grep -q made out
		kill -CONT $_pid
		wait $_pid || atf_fail "status $? with $_limit: $(cat err)"
		if [ $_limit -eq 700 ]; then
			says out 'made 700'
		else
			says out 'errno 11'
			_made=$(sed -n 's/made //p' out)
			if [ "$_made" -lt 20 ] || [ "$_made" -ge 520 ]; then
				atf_fail "$_made processes with a limit of 20"
			fi
			says report 'no numbers for more than 519 (pid_max'
		fi
	done
	# Nothing is in the way of inner gates, which want a /proc of their own.
	away 0 x07-limit -u 20 -- x07-fsgate -- cat /proc/self/comm
	says out cat
	# Without the limit the number is the machine's.
	away 0 x07-limit -- cat /proc/sys/kernel/pid_max
	[ "$(cat out)" -gt 520 ] || atf_fail "pid_max is $(cat out)"
	policy limits.procs=20
	away 0 x07-policy explain policy.json
	says out 'a pid namespace has few more process ids'
	away 0 unshare -m sh -c 'mount -o remount,ro,bind /proc && exec "$@"' - \
	    x07-policy explain policy.json
	shut out 'process ids'
	away 125 x07-limit --strict -u 20 -- echo ran
	shut out ran
	# Of the machine's own nothing has changed.
	[ "$(cat /proc/sys/kernel/pid_max)" -gt 520 ] || atf_fail "the machine's pid_max"
}

atf_test_case terminal
terminal_head()
{
	atf_set descr "Interrupt, stop and continue work as in a shell"
}
terminal_body()
{
	cat >count.py <<'EOF'
import os, signal, sys, time
n = 0
# print() may not be in the middle of itself.
def hit(sig, frame):
    global n
    n += 1
    os.write(1, b"hit%d\n" % n)
for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
    signal.signal(s, hit)
os.write(1, b"ready\n")
end = time.monotonic() + 50
while n < int(sys.argv[1]) and time.monotonic() < end:
    time.sleep(0.05)
# For one too many.
time.sleep(0.3)
print("total%d" % n, flush=True)
EOF
	chmod 644 count.py
	both terminal_run
}
terminal_run()
{
	_pty="$PYTHON $X07_TESTS/limit_pty.py"
	# Each signal once, whether of the terminal, to the group or to us.
	run 0 $_pty wait:ready,key:c,wait:hit1,sup:TERM,wait:hit2,kill:HUP,wait:hit3,end \
	    x07-limit -t 1m -- "$PYTHON" count.py 3
	says out total3
	says out 'status 0'
	# Stopped and continued, signals while stopped arrive once.
	run 0 $_pty wait:ready,key:z,stopped,kill:INT,cont,wait:hit1,end \
	    x07-limit -t 1m -- "$PYTHON" count.py 1
	says out total1
	# So they do where the tree's init comes to it when all is over.
	run 0 $_pty wait:ready,tree:STOP,key:z,stopped,kill:INT,cont,wait:hit1,end \
	    x07-limit -t 20s -- "$PYTHON" count.py 1
	says out total1
	says out 'status 0'
	# The terminal is the program's.
	run 0 $_pty wait:ready,key:d,end x07-limit -t 1m -- sh -c 'tty; echo ready; cat'
	says out /dev/pts/
	says out 'status 0'
	# Not a shell: dash loses the key between its echo and the exec of the last command.
	run 0 $_pty wait:ready,key:c,end x07-limit -t 1m -- "$PYTHON" -c 'import signal, time
signal.signal(signal.SIGINT, signal.SIG_DFL)
print("ready", flush=True)
time.sleep(60)'
	says out 'status 130'
	# A stopped job still ends in time; its busy children too, by CPU.
	new_marker
	run 0 $_pty wait:ready,key:z,stopped,end \
	    x07-limit -t 4s -- sh -c 'echo ready; sleep 60; : '"$MARK"
	says out 'status 124'
	# That child is ready once it has left the terminal's reach.
	run 0 $_pty wait:ready,key:z,stopped,end \
	    x07-limit -t 1m -c 2s -- sh -c \
	    'setsid sh -c "echo ready; while :; do :; done; : '"$MARK"'" & sleep 60'
	says out 'status 152'
	none_marked || atf_fail "left: $(marked)"
	# Everything is stopped, and nobody left who looks at the time. With a group and
	# without.
	for _limit in '' '-u 50'; do
		# shellcheck disable=SC2086 # words
		run 0 $_pty wait:ready,kill:STOP,stopped,end \
		    sh -c 'echo $$ >sup; exec "$@"' - x07-limit -t 1s -k 1ms $_limit -- \
		    sh -c 'setsid sleep 60 & echo ready; sleep 60; : '"$MARK"
		says out 'status 137'
		wait_for 60 none_marked || atf_fail "left: $(marked)"
		wait_for 60 no_groups "$(cat sup)" || atf_fail "a group is left"
		rm -f sup
	done
	run 0 $_pty wait:ready,kill:STOP,stopped,cont,end \
	    x07-limit -t 50s -- sh -c 'echo ready; sleep 0.3; echo done'
	says out 'done'
	says out 'status 0'
	# The program cannot signal the group that it shares with us.
	run 0 $_pty end x07-limit -t 1m -- sh -c 'kill -STOP 0; kill 0; echo alive'
	says out 'alive'
	says out 'status 0'
}

atf_test_case signals
signals_head()
{
	atf_set descr "Without a terminal signals reach the program once too"
}
signals_body()
{
	both signals_run
}
signals_run()
{
	# Signals that come when the program has ended do not change its status.
	cat >late.py <<-'EOF'
	import signal, subprocess, time
	p = subprocess.Popen(["x07-limit", "--", "sh", "-c", "setsid sleep 60 & exit 3"])
	while p.poll() is None:
	    p.send_signal(signal.SIGWINCH)
	    time.sleep(0.001)
	print("status", p.returncode)
	EOF
	run 0 "$PYTHON" late.py
	says out 'status 3'
	cat >count.py <<'EOF'
import os, signal, sys, time
seen = []
for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT,
    signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH):
    signal.signal(s, lambda sig, frame: seen.append(sig))
open("ready", "w")
end = time.monotonic() + 20
while len(seen) < 7 and time.monotonic() < end:
    time.sleep(0.02)
time.sleep(0.3)
print("seen", len(seen), len(set(seen)))
EOF
	cat >send.py <<'EOF'
import os, signal, subprocess, sys, time
job = subprocess.Popen(sys.argv[2:], start_new_session=True)
while not os.path.exists("ready"):
    time.sleep(0.02)
for s in "INT TERM HUP QUIT USR1 USR2 WINCH".split():
    number = getattr(signal, "SIG" + s)
    if sys.argv[1] == "group":
        os.killpg(job.pid, number)
    else:
        os.kill(job.pid, number)
    time.sleep(0.15)
sys.exit(job.wait())
EOF
	chmod 644 count.py send.py
	for _to in alone group; do
		rm -f ready
		run 0 "$PYTHON" send.py $_to x07-limit -t 1m -- "$PYTHON" count.py
		says out 'seen 7 7'
	done
	rm -f ready count.py send.py
}

atf_test_case groups_v2
groups_v2_head()
{
	atf_set descr "Control groups version 2: of root, delegated, beside others (in a machine of its own)"
	atf_set timeout 400
}
groups_v2_body()
{
	machine_new
	machine_put "$(command -v x07-limit)"
	cat >root/init <<'EOF'
#!/bin/sh
. /machine_guest.sh
guest_mount
# limits NAME COMMAND...: what must hold when the command puts x07-limit in a place.
limits()
{
	at=$1
	shift
	try "$at: strict" 0 'memory: 100M, cgroup v2' "$@" x07-limit --strict -v -m 100M -u 8 -c 5s -- true
	try "$at: memory" 137 'deny memory dd' "$@" x07-limit -m 40M -- dd if=/dev/zero of=/tmp/file bs=1M count=80
	try "$at: memory, twin" 0 '80+0 records out' "$@" x07-limit -m 200M -- dd if=/dev/zero of=/tmp/file bs=1M count=80
	try "$at: processes" 2 'deny processes sh' "$@" x07-limit -u 3 -- sh -c 'sleep 9 & sleep 9 & sleep 9 & wait'
	try "$at: processes, twin" 0 '' "$@" x07-limit -u 4 -- sh -c 'sleep 1 & sleep 1 & sleep 1 & wait'
	try "$at: CPU" 152 'deny CPU time sh' "$@" x07-limit -c 300ms -- sh -c 'while :; do :; done'
	try "$at: nested" 5 '' "$@" x07-limit -m 100M -u 20 -- x07-limit -m 50M -u 5 -- sh -c 'exit 5'
	try "$at: shut" 0 'Read-only' "$@" x07-limit -m 100M -- sh -c \
	    'f=$(find $0/* -name cgroup.procs | sed q); (echo 0 >$f); :' $G
}
# A fresh group each time, as every scope of systemd's is one.
N=0
enter()
{
	N=$((N + 1))
	mkdir $1/$N
	[ $1 != $G/given ] || chown -R 1000:1000 $1/$N
	at_group=$1/$N
	shift
	sh -c 'echo 0 >$0/cgroup.procs && exec "$@"' $at_group "$@"
}
session() { enter $G/session "$@"; }
as_one() { enter $G/given su -s /bin/sh one -c 'exec "$0" "$@"' -- "$@"; }
limits root env
mkdir $G/session $G/given
echo '+memory +pids' >$G/cgroup.subtree_control
echo '+memory +pids' >$G/given/cgroup.subtree_control
limits session session
limits delegated as_one
try 'beside others' 0 'of each process by itself' as_one sh -c 'sleep 2 & x07-limit -v -m 100M -- true; wait'
try 'beside others: processes' 2 'fork' as_one sh -c \
    'sleep 2 & x07-limit -u 3 -- sh -c "sleep 9 & sleep 9 & sleep 9 & wait"'
try 'not delegated' 125 'a control group would hold it' su -s /bin/sh one -c 'x07-limit --strict -m 100M -- true'
# What is left is only ourselves stepping aside, for the next to sweep.
none_left groups ! -name '*-self'
guest_end
EOF
	chmod 755 root/init
	machine_run 28
}

atf_test_case manual
manual_head()
{
	atf_set descr "Every option is in the manual page and in the completions"
}
manual_body()
{
	completions_ask x07-limit
	completions_break x07-limit
	_share=$X07_SRC/share/completions
	_n=0
	for _o in $(x07-limit -h | sed 1,2d | grep -oE -- '(^|[ ,])--[a-z-]{2,}' | sort -u); do
		_n=$((_n + 1))
		atf_check -o inline:"$_o\\n" -x "bash ask.bash $_o | grep -x -- $_o"
		atf_check -o ignore grep -e "$_o\\>" "$_share/zsh/_x07-limit"
		atf_check -o ignore grep -e "-l ${_o#--}\\>" "$_share/fish/x07-limit.fish"
		atf_check -o ignore grep -e "^.It Fl.* ${_o#-}\\>" "$X07_SRC/man/x07-limit.1"
	done
	[ $_n -ge 28 ] || atf_fail "only $_n options"
	for _o in $(x07-limit -h | grep -oE '^ +-[A-Za-z]\b'); do
		atf_check -o ignore grep -e "^.It Fl ${_o#-}\\>" "$X07_SRC/man/x07-limit.1"
	done
	for _k in limits.wall_ms limits.cpu_ms limits.mem_bytes limits.procs limits.fds \
	    limits.core_dumps threads.enabled threads.max_workers threads.max_blocking \
	    process.max_runtime_ms process.max_stdout_bytes process.max_stderr_bytes \
	    process.max_total_bytes process.max_stdin_bytes; do
		atf_check -o ignore grep -e "$_k" "$X07_SRC/man/x07-limit.1"
	done
	atf_check -o inline:'drop\nkill\nstop\n' bash ask.bash --on-cap ''
	atf_check -o match:'^XCPU$' bash ask.bash -s X
	# bash breaks words at "=" too.
	atf_check -o inline:'kill\n' bash ask.bash --on-cap = k
	atf_check -o inline:'drop\nkill\nstop\n' bash ask.bash -t 5 --on-cap =
	command -v zsh >/dev/null || atf_skip "no zsh: only bash was tested"
	# shellcheck disable=SC2016 # for zsh
	atf_check -o inline:'_x07-limit\n' zsh -fc 'fpath=("$X07_SRC/share/completions/zsh" $fpath)
	    autoload -Uz compinit && compinit -u -D && print $_comps[x07-limit] &&
	    autoload +X _x07-limit'
}

atf_init_test_cases()
{
	atf_add_test_case transparent
	atf_add_test_case usage
	atf_add_test_case wall
	atf_add_test_case tree
	atf_add_test_case orphans
	atf_add_test_case halfway
	atf_add_test_case swept
	atf_add_test_case cpu
	atf_add_test_case memory
	atf_add_test_case memory_tree
	atf_add_test_case procs
	atf_add_test_case descriptors
	atf_add_test_case from_policy
	atf_add_test_case helpers
	atf_add_test_case nested
	atf_add_test_case log
	atf_add_test_case output_caps
	atf_add_test_case output_held
	atf_add_test_case input_cap
	atf_add_test_case streams_untouched
	atf_add_test_case file_size
	atf_add_test_case threads
	atf_add_test_case child_time
	atf_add_test_case pid_again
	atf_add_test_case niceness
	atf_add_test_case report
	atf_add_test_case report_file
	atf_add_test_case weaker
	atf_add_test_case ids
	atf_add_test_case terminal
	atf_add_test_case groups_v2
	atf_add_test_case manual
	atf_add_test_case signals
}
