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

# policy FILE KEY=JSON...: a policy that lets spawn, with these keys of process,
# or of another SECTION.KEY.
policy()
{
	_file=$1
	shift
	(mkdir -p base && cd base && x07-policy init --template worker-parallel \
	    --out p.json --force >/dev/null) || atf_fail "x07-policy init"
	"$PYTHON" - "$_file" "$@" <<-'EOF' || atf_fail "policy $_file"
	import json, sys
	p = json.load(open("base/p.json"))
	for a in sys.argv[2:]:
	    key, value = a.split("=", 1)
	    section, _, key = key.rpartition(".")
	    p[section or "process"][key] = json.loads(value)
	json.dump(p, open(sys.argv[1], "w"))
	EOF
	chmod -R a+rX .
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
	# All there is, which nobody can then change; or can, where the caller wants that.
	run 0 x07-execgate -X / -- sh -c 'pwd; ./toolsmith/say hello'
	[ "$(cat out)" = "$PWD
hello" ] || atf_fail "-X /: $(cat out)"
	run 2 x07-execgate -X / -- sh -c 'echo new >written'
	says err 'Read-only file system'
	$AS rm -f written
	run 0 x07-execgate -W / -- sh -c 'echo new >written'
	run 2 x07-execgate -W / -- sh -c 'echo new >/proc/self/comm'
	[ "$(cat written)" = new ] || atf_fail "-W /: $(cat written)"
	policy all.json 'allow_exec_prefixes=["/"]'
	run 0 x07-execgate -p all.json -- ./toolsmith/say hello
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

atf_test_case policy_lists
policy_lists_head()
{
	atf_set descr "A policy lists files and directories, relative to the project"
}
policy_lists_body()
{
	mkdir -p deps/x07 other
	cp /bin/echo deps/x07/say
	cp /bin/echo other/say
	policy p.json 'allow_execs=["/bin/cat","other/say","/no/such/file"]'
	policy none.json allow_spawn=false
	policy disabled.json enabled=false 'allow_execs=["/bin/cat"]'
	both policy_lists_run
}
policy_lists_run()
{
	run 0 x07-execgate -p p.json -- sh -c \
	    '/bin/cat /dev/null && ./other/say two && deps/x07/say one; exit 0'
	says out one
	says out two
	run 126 x07-execgate -p p.json -- sh -c 'exec /bin/echo three'
	says err 'deny exec /usr/bin/echo (not in process.allow_execs; allow with /usr/bin/echo in process.allow_execs)'
	run 0 x07-execgate -p p.json -x /bin/echo -- sh -c '/bin/echo three; exit 0'
	says out three
	run 126 x07-execgate -p p.json -- sh -c 'exec /bin/../bin/echo x'
	for p in none disabled; do
		run 2 x07-execgate -p $p.json -- sh -c '/bin/cat /dev/null'
		says err 'deny spawn /usr/bin/'
		says err '(process.allow_spawn is false)'
		run 126 x07-execgate -p $p.json -- sh -c 'exec /bin/cat /dev/null'
		says err 'deny exec /usr/bin/cat (process.allow_spawn is false)'
	done
	run 125 x07-execgate -p none.json -x /bin/cat -- sh -c :
	says err 'process.allow_spawn is false, and a flag cannot widen it'
	run 125 x07-execgate -p missing.json -- sh -c :
}

atf_test_case write_roots
write_roots_head()
{
	atf_set descr "What can be executed cannot be written, but in write roots"
}
write_roots_body()
{
	mkdir -p tools
	cp /bin/echo tools/say
	chmod 777 tools tools/say
	policy rw.json 'allow_exec_prefixes=["tools"]' 'allow_execs=["/bin/cp"]' \
	    'fs.write_roots=["tools"]'
	policy ro.json 'allow_exec_prefixes=["tools"]' 'allow_execs=["/bin/cp"]'
	# More write roots than descriptors; the last one is of programs.
	for i in $(seq 100); do
		mkdir -p "roots/$i"
	done
	policy many.json 'allow_exec_prefixes=["tools"]' 'allow_execs=["/bin/cp"]' \
	    "fs.write_roots=[$(seq -s, -f '"roots/%g"' 100),\"tools\"]"
	both write_roots_run
}
write_roots_run()
{
	put='cp /bin/cat ./tools/new && ./tools/new /dev/null'
	run 1 x07-execgate -X tools -x cp -- sh -c "$put"
	says err 'Read-only file system'
	run 2 x07-execgate -X tools -- sh -c 'echo evil >>tools/say'
	# A directory below that could be written beside the mount.
	run 1 x07-execgate -X tools -x cp -- sh -c "cd tools && cp /bin/cat new"
	run 0 sh -c 'cd tools && exec x07-execgate -X . -x touch -- \
	    sh -c "touch new 2>/dev/null || echo closed"'
	says out closed
	run 0 x07-execgate -W tools -x cp -- sh -c "$put; exit"
	says err 'warning: '
	says err 'can be written and executed'
	run 0 sh -c 'exec rm tools/new'
	# The policy's write roots stay writable, and it says so.
	run 0 x07-execgate -p rw.json -- sh -c "$put; exit"
	says err 'can be written and executed'
	run 0 sh -c 'exec rm tools/new'
	run 0 sh -c "ulimit -n 64; exec x07-execgate -p many.json -- sh -c '$put; exit'"
	says err 'can be written and executed'
	run 0 sh -c 'exec rm tools/new'
	run 1 x07-execgate -p ro.json -- sh -c "$put; exit 1"
	shut err warning
	says err 'Read-only file system'
	# A listed file is read-only, its directory is not.
	run 1 x07-execgate -x ./tools/say -x cp -- sh -c 'cp /bin/cat tools/say'
	run 0 x07-execgate -x ./tools/say -x touch -x rm -- sh -c \
	    'touch tools/x && rm tools/x'
}

atf_test_case rules
rules_head()
{
	atf_set descr "Rules for arguments, environment, directory and number"
}
rules_body()
{
	mkdir -p sub
	printf '#!/bin/sh\necho job "$@"\n' >job
	# An interpreter with two names runs from a copy, where we may write it.
	cp /bin/sh own-sh
	ln own-sh own-sh2
	printf '#!%s/own-sh\necho job "$@"\n' "$PWD" >own-job
	chmod 755 job own-job
	ls='"/bin/ls","/bin/sleep","/usr/bin/env"'
	policy args.json \
	    "allow_execs=[$ls,\"/bin/sh\",\"job\",\"own-sh\",\"own-job\"]" \
	    'allow_args_regex_lite=["-d","/","a.c\\.*","word","x*y"]'
	policy few.json "allow_execs=[$ls]" max_args=2 max_arg_bytes=5
	policy long.json "allow_execs=[$ls]" max_arg_bytes=90000
	policy env.json "allow_execs=[$ls]" 'allow_env_keys=["WANTED"]'
	policy nenv.json "allow_execs=[$ls]" 'allow_env_keys=["A","B","A2345678"]' \
	    max_env=40 max_env_key_bytes=8 max_env_val_bytes=400
	policy exe.json "allow_execs=[$ls]" max_exe_bytes=12
	policy count.json "allow_execs=[$ls]" max_spawns=3 max_live=3
	policy live.json "allow_execs=[$ls]" max_spawns=50 max_live=2
	policy place.json "allow_execs=[$ls]"
	# The same variable many times, as no shell passes it on.
	cat >spawnv.py <<-'EOF'
	import ctypes, os, sys
	n, var = int(sys.argv[1]), sys.argv[2].encode()
	libc = ctypes.CDLL(None)
	argv = (ctypes.c_char_p * 2)(b"env", None)
	envp = (ctypes.c_char_p * (n + 1))(*([var] * n), None)
	pid = ctypes.c_int()
	libc.posix_spawn(ctypes.byref(pid), b"/usr/bin/env", None, None, argv, envp)
	os.waitpid(pid.value, 0)
	EOF
	policy cwd.json "allow_execs=[$ls]" allow_cwd=true 'allow_cwd_roots=["sub"]'
	both rules_run
}

# killed COMMAND-LINE POLICY TEXT: the child is killed before it does anything.
killed()
{
	run 0 x07-execgate -p "$2" -- sh -c "$1; [ \$? -eq 137 ]"
	[ ! -s out ] || atf_fail "it ran: $(cat out)"
	says err "$3"
}

passes()
{
	run 0 x07-execgate -p "$2" -- sh -c "$1; [ \$? -eq 0 ]"
	[ -s out ] || atf_fail "no output"
	shut err deny
}

# spawns TEXT N VARIABLE: env runs with N times the variable. killed_env: it is killed.
spawns()
{
	run 0 x07-execgate -p nenv.json -- "$PYTHON" spawnv.py "$2" "$3"
	says out "$1"
}

killed_env()
{
	run 0 x07-execgate -p nenv.json -- "$PYTHON" spawnv.py "$2" "$3"
	[ ! -s out ] || atf_fail "it ran: $(cat out)"
	says err "$1"
}

rules_run()
{
	passes 'ls -d /' args.json
	killed 'ls -l /' args.json 'argument -l matches nothing'
	killed 'ls -d /etc' args.json 'argument /etc matches nothing'
	killed 'ls -dd /' args.json 'argument -dd matches'
	passes 'ls -d -d -d /' args.json
	# A script brings its own name, which is no argument of anybody's.
	passes "$PWD/job word" args.json
	passes "$PWD/job xxxy" args.json
	passes "$PWD/own-job word" args.json
	killed "$PWD/own-job other" args.json 'argument other matches'
	killed "$PWD/job other" args.json 'argument other matches'
	killed "sh -c word" args.json 'argument -c matches'
	killed "sh $PWD/job -c" args.json 'argument -c matches'

	passes 'ls / /' few.json
	killed 'ls / / /' few.json 'more arguments than process.max_args'
	killed 'ls /usr/bin' few.json 'longer than process.max_arg_bytes'
	# The program's stack, as many pages of it as there are, whatever their size.
	for _n in 1000 6000 11000 16000 40000 89998; do
		passes "env A=$(printf "%0${_n}d" 0)" long.json
	done
	killed "env A=$(printf '%089999d' 0)" long.json 'longer than process.max_arg_bytes'

	passes 'WANTED=1 env' env.json
	passes 'env' env.json
	killed 'UNWANTED=1 env' env.json 'variable UNWANTED not in process.allow_env_keys'
	killed 'HOME=/elsewhere env' env.json 'variable HOME not in'

	# No variables but these, through no shell.
	spawns 'A=1' 40 A=1
	killed_env 'more variables than process.max_env' 41 A=1
	spawns 'A2345678=1' 1 A2345678=1
	killed_env 'longer than process.max_env_key_bytes' 1 A23456789=1
	spawns "B=$(printf '%0400d' 0)" 1 "B=$(printf '%0400d' 0)"
	killed_env 'longer than process.max_env_val_bytes' 1 "B=$(printf '%0401d' 0)"
	killed_env 'variable C not in' 1 C=1

	passes 'ls -d /' exe.json
	killed 'sleep 0' exe.json 'its path is longer than process.max_exe_bytes'

	passes 'ls -d /; ls -d /; ls -d /' count.json
	run 126 x07-execgate -p count.json -- sh -c 'for i in 1 2 3 4; do ls -d /; done'
	[ "$(wc -l <out)" -eq 3 ] || atf_fail "$(cat out)"
	says err 'deny spawn /usr/bin/ls (process.max_spawns is reached; allow with a larger process.max_spawns)'
	# What starts nothing, or another in its place, is no further one.
	passes '(:); (exec env env env ls -d /); ls -d / && (ls -d /)' count.json

	# One after the other there may be many; at a time only two.
	passes 'for i in 1 2 3 4 5 6 7 8; do ls -d /; done' live.json
	run 0 x07-execgate -p live.json -- sh -c \
	    'sleep 2 & sleep 2 & sleep 2 & wait; ls -d /'
	says err 'deny spawn /usr/bin/sleep (process.max_live is reached; allow with a larger process.max_live)'
	[ "$(grep -c Resource err)" -eq 1 ] || atf_fail "$(cat err)"
	says out /

	killed 'cd / && ls -d /' place.json 'process.allow_cwd is false'
	passes 'cd sub && ls -d /' cwd.json
	killed 'cd / && ls -d /' cwd.json 'not in process.allow_cwd_roots'
}

atf_test_case forks
forks_head()
{
	atf_set descr "With rules, a fork is not interrupted by the death of another child"
}
forks_body()
{
	policy p.json 'allow_execs=["/bin/cat"]' max_spawns=1000 max_live=100
	cat >forks.py <<-'EOF'
	import os, signal
	signal.signal(signal.SIGCHLD, lambda *a: None)
	signal.siginterrupt(signal.SIGCHLD, True)
	for i in range(400):
	    if os.fork() == 0:
	        os._exit(0)
	print("all")
	EOF
	both forks_run
}
forks_run()
{
	run 0 x07-execgate -p p.json -- "$PYTHON" forks.py
	says out all
	run 0 x07-execgate -p p.json -- sh -c \
	    'i=0; while [ $i -lt 100 ]; do no-such-program | cat; i=$((i + 1)); done'
	shut err fork
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
	sleep 20 >/dev/null 2>&1 </dev/null &
	echo done
	EOF
	start=$(date +%s)
	got=$($AS x07-execgate -x sleep -- sh late.sh 2>&1)
	[ "$got" = "done" ] || atf_fail "got '$got'"
	[ $(($(date +%s) - start)) -lt 19 ] || atf_fail "waited for the daemon"

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

atf_test_case descriptors
descriptors_head()
{
	atf_set descr "Many programs need few descriptors; too few are refused"
}
descriptors_body()
{
	mkdir many
	for i in $(seq 40); do
		cp /bin/echo many/$i
	done
	both descriptors_run
}
descriptors_run()
{
	list=$(seq -f '-x many/%g' 40)
	run 0 prlimit --nofile=72:72 x07-execgate $list -- sh -c 'many/1 one; many/40 two'
	says out one
	says out two
	run 0 prlimit --nofile=24:24 x07-execgate -x many/1 -- sh -c 'many/1 one; exit'
	says out one
	run 125 prlimit --nofile=40:40 x07-execgate $list -- sh -c 'many/1 one'
	says err 'more programs than descriptors: raise their number'
	shut out one
}

atf_test_case completions
completions_head()
{
	atf_set descr "bash, zsh and fish complete the options of the page"
}
completions_body()
{
	completions_hold x07-execgate
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
	atf_add_test_case policy_lists
	atf_add_test_case write_roots
	atf_add_test_case rules
	atf_add_test_case forks
	atf_add_test_case watcher
	atf_add_test_case usage
	atf_add_test_case directory_stdin
	atf_add_test_case descriptors
	atf_add_test_case completions
}
