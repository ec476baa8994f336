#!/usr/bin/env atf-sh
# x07-fsgate: only these files. Every denial has its allowed twin.

. "$X07_TESTS/lib.sh"

GATE=x07-fsgate
PY=/usr/bin/python3

enter()
{
	cd "$1" || atf_fail "cd $1"
}

# denied SENTENCE COMMAND...: fails, and says so on standard error.
denied()
{
	_re=$1
	shift
	atf_check -s not-exit:0 -o ignore -e match:"$_re" -x "$*"
}

# refused SENTENCE COMMAND...: one line, 125, nothing run.
refused()
{
	_re=$1
	shift
	atf_check -s exit:125 -o empty -e match:"^x07-fsgate: .*$_re" "$@"
	atf_check -s exit:125 -o empty -e save:stderr "$@"
	atf_check_equal 1 "$(wc -l <stderr | tr -d ' ')"
}

atf_test_case var_tmp cleanup
var_tmp_head()
{
	atf_set descr "/var/tmp is /tmp, unless a root lies in it"
}
do_var_tmp()
{
	dir=$($AS mktemp -d /var/tmp/x07-test.XXXXXX)
	echo "$dir" >>dirs
	$AS sh -c "echo seen >$dir/f"
	atf_check -o inline:"seen\n" $AS $GATE -q -r "$dir" -- cat "$dir/f"
	atf_check -s not-exit:0 -e match:"Read-only" $AS $GATE -q -r "$dir" -- \
	    sh -c "echo x >$dir/g"
	atf_check $AS $GATE -q -w "$dir" -- sh -c "echo x >$dir/g"
	[ -e "$dir/g" ] || atf_fail "nothing was written"
	# What else is there is private, and gone afterwards.
	atf_check -o inline:"y\n" $AS $GATE -q -r "$dir" -- \
	    sh -c 'echo y >/var/tmp/x07-private && cat /var/tmp/x07-private'
	[ ! -e /var/tmp/x07-private ] || atf_fail "/var/tmp was written"
	atf_check -o inline:"/tmp\n" $AS $GATE -q -- readlink /var/tmp
	# Where the machine's would be seen too.
	for opts in "-r /" "-r /var" "-w /var" "--closure root"; do
		atf_check -o inline:"x07-private\n" $AS $GATE -q $opts -- \
		    sh -c 'echo y >/var/tmp/x07-private && ls -A /var/tmp'
		[ ! -e /var/tmp/x07-private ] || atf_fail "/var/tmp was written"
		atf_check -o inline:"seen\n" $AS $GATE -q $opts -r "$dir" -- \
		    cat "$dir/f"
	done
	# A tree that has no such directory.
	$AS mkdir "$dir/var"
	atf_check $AS $GATE -q -r "$dir/var:/var" -- test ! -e /var/tmp
}
var_tmp_body() { both do_var_tmp; }
var_tmp_cleanup()
{
	[ ! -f dirs ] || while read -r dir; do rm -rf "$dir"; done <dirs
}

atf_test_case read_root
read_root_head()
{
	atf_set descr "a read root is read, not written; the rest is not there"
}
do_read_root()
{
	rm -rf in out; mkdir in out; chmod 777 in out
	echo hello >in/f; echo other >out/f; chmod 666 in/f out/f
	atf_check -o inline:"hello\n" $AS $GATE -r in -- cat in/f
	denied "No such file" $AS $GATE -q -r in -- cat out/f
	atf_check -o inline:"other\n" $AS $GATE -r in -r out -- cat out/f
	denied "Read-only" $AS $GATE -q -r in -- sh -c "'echo x >in/f'"
	denied "Read-only" $AS $GATE -q -r in -- touch in/new
	denied "Read-only" $AS $GATE -q -r in -- rm -f in/f
	denied "Read-only" $AS $GATE -q -r in -- chmod 600 in/f
	denied "Read-only" $AS $GATE -q -r in -- mv in/f in/g
	denied "Read-only" $AS $GATE -q -r in -- ln in/f in/g
	denied "Read-only" $AS $GATE -q -r in -- mkfifo in/g
	denied "Read-only" $AS $GATE -q -r in -- truncate -s 0 in/f
	atf_check -o inline:"hello\n" cat in/f
}
read_root_body()
{
	both do_read_root
}

atf_test_case write_root
write_root_head()
{
	atf_set descr "a write root is written, also through a temporary file"
}
do_write_root()
{
	rm -rf w; $AS mkdir w
	atf_check $AS $GATE -w w -- sh -c \
	    'echo a >w/t && mv w/t w/f && mkdir w/d && ln -s f w/l &&
	    ln w/f w/h && chmod 600 w/h && rm w/h && mkfifo w/p && rmdir w/d'
	atf_check -o inline:"a\n" cat w/f
	atf_check -o inline:"f\nl\np\n" ls w
	# a rename(2) between directories, not a copy
	$AS mkdir w/from w/to; $AS touch w/from/x
	atf_check $AS $GATE -w w -- $PY -c \
	    'import os; os.rename("w/from/x", "w/to/y"); os.link("w/to/y", "w/from/z")'
	denied "Read-only" $AS $GATE -q -r w -- sh -c "'echo b >w/f'"
	atf_check -o inline:"a\n" cat w/f
}
write_root_body()
{
	both do_write_root
}

atf_test_case overlap
overlap_head()
{
	atf_set descr "a root in a root: the inner one decides, write wins at one place"
}
do_overlap()
{
	rm -rf p; $AS mkdir -p p/out/keep
	atf_check $AS $GATE -r p -w p/out -r p/out/keep -- touch p/out/f
	denied "Read-only" $AS $GATE -q -r p -w p/out -r p/out/keep -- touch p/f
	denied "Read-only" $AS $GATE -q -r p -w p/out -r p/out/keep -- \
	    touch p/out/keep/f
	atf_check $AS $GATE -w p/out/keep -r p -r p/out/keep -- touch p/out/keep/f
	atf_check $AS $GATE -w p -- touch p/f
}
overlap_body()
{
	both do_overlap
}

atf_test_case nothing_else
nothing_else_head()
{
	atf_set descr "without roots: no home, no /sys, nothing writable but /tmp"
}
do_nothing_else()
{
	for d in /home /root /sys /run /var/log /boot /mnt /media /srv; do
		denied "No such file" $AS $GATE -- ls "$d"
	done
	atf_check -s not-exit:0 $AS $GATE -- test -e "$PWD"
	for f in /x /etc/x /usr/x /dev/x /var/x; do
		denied "Read-only|Permission denied" $AS $GATE -- touch $f
	done
	atf_check $AS $GATE -- sh -c 'echo x >/tmp/f && mkdir /tmp/d &&
	    mv /tmp/f /tmp/d/g && rm -r /tmp/d && echo y >/dev/shm/f &&
	    ln -s a /tmp/l && rm /dev/shm/f && touch /var/tmp/z'
	# private: gone with the program, and not the machine's
	atf_check -o inline:"\n" $AS $GATE -- sh -c 'echo $(ls -A /tmp)'
	atf_check -s not-exit:0 $AS $GATE -- grep -q '^daemon:' /etc/passwd
	atf_check -o inline:"$($AS id -un)\n" $AS $GATE -- id -un
}
nothing_else_body()
{
	both do_nothing_else
}

atf_test_case accounts
accounts_head()
{
	atf_set descr "names of the user and the group, however their lines look"
}
accounts_body()
{
	need_root
	# No password, and lines that are none.
	printf '+::::\n\nnone\nroot::0:\nemployed::1234:\n' >group
	printf '+::::::\nroot:x:0:0::/root:/bin/sh\nclerk::4321:1234::/:/bin/sh\n' >passwd
	atf_check -o inline:"clerk employed\n" unshare -m sh -c '
	    mount --bind group /etc/group; mount --bind passwd /etc/passwd
	    exec setpriv --reuid 4321 --regid 1234 --clear-groups \
	    x07-fsgate -- sh -c "echo \$(id -un) \$(id -gn)"'
	# an id of which there is no line
	atf_check -o inline:"user group1235\n" unshare -m sh -c '
	    mount --bind group /etc/group; mount --bind passwd /etc/passwd
	    exec setpriv --reuid 4322 --regid 1235 --clear-groups \
	    x07-fsgate -- sh -c "echo \$(id -un) \$(id -gn)"'
}

atf_test_case programs
programs_head()
{
	atf_set descr "real programs start: dynamic, static, script, Go, JVM"
}
do_programs()
{
	atf_check -o match:"^curl" $AS $GATE -- curl --version
	atf_check -o match:"^git" $AS $GATE -- git --version
	atf_check -o inline:"static\n" $AS $GATE -- busybox echo static
	atf_check -o inline:"6\n" $AS $GATE -- $PY -c \
	    'import ssl, json, hashlib; print(1 + 2 + 3)'
	printf '#!/bin/sh\necho script "$1"\n' >s.sh; chmod 755 s.sh
	atf_check -o inline:"script a\n" $AS $GATE -q -- ./s.sh a
	mkdir -p static; cp "$(command -v busybox)" static/busybox
	chmod 755 static/busybox
	atf_check -o inline:"bare\n" $AS $GATE --closure none -- \
	    static/busybox echo bare
	if command -v go >/dev/null; then
		atf_check -o match:"^go version" $AS $GATE -- go version
	fi
	if command -v node >/dev/null; then
		atf_check -o inline:"2\n" $AS $GATE -- node -e 'console.log(1+1)'
	fi
	if command -v java >/dev/null; then
		atf_check -e match:"Runtime" $AS $GATE -- java -version
	fi
}
programs_body()
{
	both do_programs
}

atf_test_case git_work
git_work_head()
{
	atf_set descr "git makes a repository and commits in a write root"
}
do_git_work()
{
	rm -rf repo; $AS mkdir repo; echo 1 >repo/f
	atf_check -o ignore -e ignore $AS $GATE -w repo -- sh -c 'cd repo && git init -q . &&
	    git add f && git -c user.name=a -c user.email=a@b commit -qm m &&
	    git -c gc.auto=0 log --oneline'
	atf_check -o match:" m$" git -c safe.directory='*' -C repo log --oneline
	rm -rf repo
}
git_work_body()
{
	both do_git_work
}

atf_test_case refusals
refusals_head()
{
	atf_set descr "bad roots and options: one line, 125, nothing run"
}
do_refusals()
{
	mkdir -p real; ln -sfn real link; ln -sfn /etc away
	refused "absent: does not exist" $AS $GATE -r absent -- echo ran
	refused "/nonexistent/w: does not exist" $AS $GATE -w /nonexistent/w -- echo ran
	refused "link: is a symbolic link to real" $AS $GATE -r link -- echo ran
	refused "away/ssl: leads out of" $AS $GATE -r away/ssl -- echo ran
	refused "a /proc of its own" $AS $GATE -r /proc/sys -- echo ran
	for root in /dev /dev/null /dev/null:/x real:/dev; do
		refused "a /dev of its own" $AS $GATE -r $root -- echo ran
	done
	refused "must be an absolute path" $AS $GATE -r real:x -- echo ran
	refused "no path" $AS $GATE -r "" -- echo ran
	refused "closure some" $AS $GATE --closure some -- echo ran
	refused "not a size" $AS $GATE --tmp-size lots -- echo ran
	refused "no program given" $AS $GATE -r real
	refused "cannot run inside" $AS $GATE -- x07-netgate -- echo ran
	refused "add --i-accept" $AS $GATE -n -- echo ran
	atf_check -s exit:125 -e match:"^x07-fsgate: (unrecognized|invalid)" \
	    $AS $GATE --nonsense -- echo ran
	atf_check -s exit:127 -e match:"nosuchprogram" $AS $GATE -- nosuchprogram
	refused "standard input is a directory" sh -c "$AS $GATE -- echo ran </"
	# the twins
	atf_check -o inline:"ran\n" $AS $GATE -r real -- echo ran
	atf_check -o inline:"ran\n" $AS $GATE -q -r /etc/ssl -- echo ran
	atf_check -o inline:"ran\n" $AS $GATE -q -r /dev/shm -- sh -c 'echo ran; : >/dev/null'
}
refusals_body()
{
	# $AS in a sh -c has to be a command.
	printf '#!/bin/sh\n. "$X07_TESTS/lib.sh"\nas_user "$@"\n' >as_user
	printf '#!/bin/sh\nexec "$@"\n' >as_root
	chmod 755 as_user as_root
	PATH=$PWD:$PATH
	both do_refusals
}

atf_test_case made
made_head()
{
	atf_set descr "a missing write root is made below the current directory"
}
do_made()
{
	rm -rf a
	atf_check $AS $GATE -w a/b/c -- touch a/b/c/f
	atf_check test -f a/b/c/f
	rm -rf a
}
made_body()
{
	both do_made
}

atf_test_case mapped
mapped_head()
{
	atf_set descr "SRC:DST shows a directory elsewhere; \\: is a colon"
}
do_mapped()
{
	rm -rf src a:b; $AS mkdir src a:b; echo x >src/f; echo y >a:b/f
	atf_check -o inline:"x\n" $AS $GATE -q -r src:/data/in -- cat /data/in/f
	atf_check -s not-exit:0 $AS $GATE -q -r src:/data/in -- test -e "$PWD/src"
	atf_check $AS $GATE -q -w src:/data/out -- touch /data/out/g
	atf_check test -f src/g
	atf_check -o inline:"y\n" $AS $GATE -q -r 'a\:b:/c' -- cat /c/f
	atf_check -o inline:"y\n" $AS $GATE -q -r 'a\:b' -- cat a:b/f
}
mapped_body()
{
	both do_mapped
}

atf_test_case rights
rights_head()
{
	atf_set descr "each finer right, denied and allowed"
}
# right FLAG COMMAND: works without the flag, fails with it; starts with w/f, w/e/.
right()
{
	for flag in "" "$1"; do
		rm -rf w; $AS mkdir -p w/e; $AS touch w/f
		if [ -z "$flag" ]; then
			atf_check $AS $GATE -w w -- sh -c "$2"
		else
			atf_check -s not-exit:0 -e match:"not permitted|Permission denied" \
			    $AS $GATE -w w $flag -- sh -c "$2"
			# what remains allowed
			atf_check $AS $GATE -w w $flag -- sh -c "$3"
		fi
	done
}
do_rights()
{
	right --no-symlinks 'ln -s f w/l' 'mkdir w/d; rm w/f; touch w/g; mv w/g w/h'
	right --no-mkdir 'mkdir w/d' 'ln -s f w/l; rm w/f; touch w/g; mv w/g w/h'
	right --no-remove 'rm w/f' 'mkdir w/d; touch w/g; mv w/g w/h; echo x >w/h'
	right --no-remove 'rmdir w/e' 'mkdir w/d; mv w/f w/e/h'
	right --no-rename 'mv w/f w/g' 'mkdir w/d; rm w/f; ln -s a w/l'
	right --no-rename 'ln w/f w/g' 'mkdir w/d; rm w/f'
	right --no-rename\ --no-remove 'mv w/f w/g' 'mkdir w/d; echo x >w/f'
	right --no-rename\ --no-remove 'rm w/f' 'touch w/g'
	# /tmp is not a root: where none lies in it, it keeps all rights
	atf_check $AS $GATE -r w --no-mkdir --no-symlinks -- sh -c \
	    'mkdir /tmp/d && ln -s a /tmp/d/l'
	atf_check -s exit:1 -e match:"Permission" $AS $GATE -w w --no-mkdir -- mkdir w/d
	for flag in --no-symlinks --no-mkdir "--no-rename --no-remove"; do
		atf_check $AS $GATE -q -w w:/data $flag -- sh -c 'cd /tmp; mkdir d &&
		    ln -s a d/l && rm d/l && rmdir d'
	done
}
rights_body()
{
	both do_rights
}

atf_test_case hidden
hidden_head()
{
	atf_set descr "--deny-hidden covers dot entries in roots, unless named"
}
do_hidden()
{
	rm -rf h; $AS mkdir -p h/.d h/sub/.e; echo s >h/.f; echo s >h/.d/f
	echo s >h/sub/.e/f; echo ok >h/sub/plain; chmod -R a+rwX h
	atf_check -o inline:"s\ns\ns\n" $AS $GATE -r h -- cat h/.f h/.d/f h/sub/.e/f
	for f in h/.f h/.d/f h/sub/.e/f; do
		atf_check -s not-exit:0 -o empty -e ignore \
		    $AS $GATE -r h --deny-hidden -- grep s $f
		atf_check -s not-exit:0 -o empty -e ignore \
		    $AS $GATE -w h --deny-hidden -- sh -c "echo x >$f"
		atf_check -s not-exit:0 -o empty -e ignore \
		    $AS $GATE -w h --deny-hidden -- rm $f
	done
	atf_check -o inline:"s\ns\ns\n" cat h/.f h/.d/f h/sub/.e/f
	atf_check -o inline:"ok\n" $AS $GATE -r h --deny-hidden -- cat h/sub/plain
	atf_check -o inline:"s\n" $AS $GATE -r h -r h/.d --deny-hidden -- cat h/.d/f
}
hidden_body()
{
	both do_hidden
}

atf_test_case max_write
max_write_head()
{
	atf_set descr "--max-write caps a file, --tmp-size all of /tmp"
}
do_max_write()
{
	rm -rf w; $AS mkdir w
	atf_check -e ignore $AS $GATE -w w --max-write 64K -- \
	    dd if=/dev/zero of=w/f bs=1K count=64
	atf_check -s exit:1 -e match:"File too large" $AS $GATE -w w \
	    --max-write 64K -- dd if=/dev/zero of=w/f bs=1K count=65
	# Room beyond the end of a file is room as well, whoever asks.
	cat >reserve.py <<-'END'
	import ctypes, fcntl, os, struct, sys
	libc = ctypes.CDLL(None, use_errno=True)
	fd = os.open("w/g", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
	os.write(fd, b"x" * 8192)
	def fallocate(mode, at, n):
	    if libc.fallocate(fd, mode, ctypes.c_long(at), ctypes.c_long(n)) != 0:
	        raise OSError(ctypes.get_errno(), "")
	def resv(nr):
	    fcntl.ioctl(fd, 1 << 30 | 48 << 16 | ord("X") << 8 | nr,
	        struct.pack("=hhxxxxqqiI4i", 0, 0, 0, 1 << 20, *[0] * 6))
	def error(f, *args):
	    try:
	        f(*args)
	    except OSError as e:
	        return e.errno
	    return 0
	print(error(fallocate, 1, 0, 1 << 20), error(resv, 40), error(resv, 42),
	    error(fallocate, 0, 0, 1 << 20), error(fallocate, 0, 0, 1 << 14),
	    error(fallocate, 3, 0, 4096), error(fallocate, 0x20, 0, 4096))
	END
	atf_check -o match:"^95 95 95 27 0 0 95$" $AS $GATE -q -w w -r reserve.py \
	    --max-write 64K -- $PY reserve.py
	# Not each file system can insert.
	atf_check -o match:"^0 0 0 0 0 0 (0|95)$" $AS $GATE -q -w w -r reserve.py -- \
	    $PY reserve.py
	atf_check -e ignore $AS $GATE --tmp-size 64K -- \
	    dd if=/dev/zero of=/tmp/f bs=1K count=64
	atf_check -s exit:1 -e match:"No space" $AS $GATE --tmp-size 64K -- \
	    dd if=/dev/zero of=/tmp/f bs=1K count=65
}
max_write_body()
{
	both do_max_write
}

atf_test_case status
status_head()
{
	atf_set descr "exit status and signals pass through; nothing is left behind"
}
# idle PID: no tick of CPU time in a second?
idle()
{
	_before=$(cut -d' ' -f14,15 "/proc/$1/stat")
	sleep 1
	[ "$_before" = "$(cut -d' ' -f14,15 "/proc/$1/stat")" ]
}
do_status()
{
	atf_check -s exit:7 $AS $GATE -- sh -c 'exit 7'
	atf_check -s exit:143 $AS $GATE -- sh -c 'kill -TERM $$'
	atf_check -s exit:126 -e ignore $AS $GATE -- /etc/ssl
	rm -f mark
	$AS $GATE -w . -- sh -c ': >mark; exec sleep 30' &
	pid=$!
	wait_for 20 test -e mark
	read -r init _ </proc/$pid/task/$pid/children
	kill -9 "$init"
	wait $pid && st=0 || st=$?
	atf_check_equal 137 $st
	rm -f mark up
	atf_check -o inline:"in\n" -x "echo in | $AS $GATE -- cat"
	$AS $GATE -r . -- sh -c 'trap "exit 9" TERM; echo up >&2; while :; do sleep 0.05; done' \
	    2>up &
	pid=$!
	wait_for 20 grep -q up up
	kill -TERM $pid
	wait $pid && st=0 || st=$?
	atf_check_equal 9 $st
	# Waiting costs nothing, once it has come to that.
	rm -f mark
	$AS $GATE -w . -- sh -c ': >mark; exec sleep 60' &
	pid=$!
	wait_for 20 test -e mark
	wait_for 20 idle $pid
	kill -9 $pid
	wait $pid 2>/dev/null || :
	rm -f mark
	$AS $GATE -w . -- sh -c 'setsid sleep 300 & echo $! >mark; exec sleep 300' &
	pid=$!
	wait_for 20 test -s mark
	kill -9 $pid
	wait $pid 2>/dev/null || :
	rm -f mark
	wait_for 20 sh -c "! grep -lzs '^300$' /proc/[0-9]*/cmdline"
}
status_body()
{
	both do_status
}

atf_test_case cwd
cwd_head()
{
	atf_set descr "the program starts where it was started, or is told otherwise"
}
do_cwd()
{
	mkdir -p c
	atf_check -o inline:"$PWD\n" $AS $GATE -r . -- pwd
	atf_check -o inline:"$PWD\n" $AS $GATE -r c -- pwd
	atf_check -o inline:"c\n" $AS $GATE -r c -- ls
	atf_check -o inline:"/\n" $AS $GATE -- pwd
	atf_check -e match:"^x07-fsgate: write $PWD/c .root.$" \
	    -e match:"^x07-fsgate: read /usr$" -e match:"^x07-fsgate: private /tmp$" \
	    $AS $GATE -v -w c -- true
	atf_check -o inline:"/\n" -e match:"not in the view" \
	    $AS $GATE -r /etc/ssl -- pwd
	atf_check -o inline:"/\n" $AS $GATE -q -r /etc/ssl -- sh -c 'echo $PWD'
}
cwd_body()
{
	both do_cwd
}

# policy FILE FS-MEMBERS [PROCESS-MEMBERS]: a policy for the project in its directory.
policy()
{
	cat >"$1" <<-END
	{ "schema_version": "x07.run-os-policy@0.1.0", "policy_id": "t",
	  "limits": { "cpu_ms": 60000, "wall_ms": 60000, "mem_bytes": 1073741824,
	    "fds": 64, "procs": 64 },
	  "fs": { "enabled": true, "deny_hidden": false, $2 },
	  "net": { "enabled": false, "allow_dns": false, "allow_tcp": false,
	    "allow_udp": false, "allow_hosts": [] },
	  "env": { "enabled": false, "allow_keys": [], "deny_keys": [] },
	  "time": { "enabled": true, "allow_monotonic": true, "allow_wall_clock": true,
	    "allow_sleep": true, "max_sleep_ms": 1000, "allow_local_tzid": true },
	  "process": { "enabled": true, "allow_exec": true, "allow_exit": true,
	    "max_runtime_ms": 1000, ${3:-"\"allow_spawn\": false, \"max_live\": 0, \"max_spawns\": 0"} } }
	END
	chmod 644 "$1"
}

atf_test_case policy_roots
policy_roots_head()
{
	atf_set descr "the policy's roots, relative to the project, and its rights"
}
do_policy_roots()
{
	rm -rf pr; $AS mkdir pr; enter pr
	$AS mkdir in in/d; echo 1 >in/f; echo hid >in/.h
	chmod -R a+rwX .
	P="$AS $GATE -q -p p.json --"
	policy p.json '"read_roots": ["in"], "write_roots": ["out/deep"]'
	atf_check -o inline:"1\n" $P cat "$PWD/in/f"
	atf_check $P touch "$PWD/out/deep/new"
	atf_check test -e out/deep/new
	atf_check -s exit:1 -e match:"Read-only" $P touch "$PWD/in/new"
	atf_check -s exit:1 -e match:"No such file" $P cat "$PWD/p.json"
	# without a right stated it is denied, listing as well
	for try in "mkdir $PWD/out/deep/d" "ln -s a $PWD/out/deep/l" \
	    "rm $PWD/out/deep/new" "mv $PWD/out/deep/new $PWD/out/deep/o" \
	    "ls $PWD/in"; do
		atf_check -s not-exit:0 -e match:"not permitted|Permission denied" $P $try
	done
	policy p.json '"read_roots": ["in"], "write_roots": ["out/deep"],
	    "allow_symlinks": true, "allow_mkdir": true, "allow_remove": true,
	    "allow_rename": true, "allow_walk": true'
	for try in "mkdir $PWD/out/deep/d" "ln -s a $PWD/out/deep/l" \
	    "mv $PWD/out/deep/new $PWD/out/deep/o" "rm $PWD/out/deep/o" \
	    "ls $PWD/in"; do
		atf_check -o ignore $P $try
	done
	# the rest of the keys
	atf_check -o inline:"hid\n" $P cat "$PWD/in/.h"
	policy p.json '"read_roots": ["in"], "write_roots": ["out"],
	    "deny_hidden": true, "max_write_bytes": 1000'
	sed -i 's/"deny_hidden": false, //' p.json
	atf_check -s not-exit:0 -o not-match:hid -e ignore $P grep hid "$PWD/in/.h"
	atf_check -e ignore $P dd if=/dev/zero "of=$PWD/out/f" bs=1000 count=1
	atf_check -s exit:1 -e match:"File too large" \
	    $P dd if=/dev/zero "of=$PWD/out/f" bs=1001 count=1
	# the flags widen roots, and narrow rights
	atf_check -o match:policy_id $AS $GATE -q -p p.json -r p.json -- \
	    cat "$PWD/p.json"
	sed -i 's/"enabled": true, "read/"enabled": false, "read/' p.json
	atf_check -s exit:1 -e match:"No such file" $P cat "$PWD/in/f"
	enter ..
}
policy_roots_body()
{
	both do_policy_roots
}

atf_test_case policy_refused
policy_refused_head()
{
	atf_set descr "roots of a policy that cannot be: the line names the key"
}
do_policy_refused()
{
	rm -rf pr; $AS mkdir pr; enter pr
	ln -s /etc away; ln -s . self
	policy p.json '"read_roots": ["gone"], "write_roots": []'
	refused "fs.read_roots .*/gone: does not exist" \
	    $AS $GATE -p p.json -- echo ran
	policy p.json '"read_roots": [], "write_roots": ["/nonexistent/w"]'
	refused "fs.write_roots /nonexistent/w: does not exist" \
	    $AS $GATE -p p.json -- echo ran
	policy p.json '"read_roots": ["away/ssl"], "write_roots": []'
	refused "fs.read_roots .*away/ssl: leads out" $AS $GATE -p p.json -- echo ran
	policy p.json '"read_roots": [], "write_roots": ["away/x07"]'
	refused "fs.write_roots .*away/x07: leads out" $AS $GATE -p p.json -- echo ran
	policy p.json '"read_roots": ["self"], "write_roots": []'
	refused "self: is a symbolic link to ." $AS $GATE -p p.json -- echo ran
	policy p.json '"read_roots": [], "write_roots": ["w"]'
	atf_check -o inline:"ran\n" $AS $GATE -q -p p.json -- echo ran
	# the audit log tells of both
	rm -f log; $AS touch log
	policy p.json '"read_roots": ["."], "write_roots": ["away/x07"]'
	atf_check -s exit:125 -e ignore $AS $GATE -l log -p p.json -- echo ran
	atf_check -o match:'"verdict":"allow","verb":"read root"' \
	    -o match:'"verdict":"deny","verb":"write root".*"key":"fs.write_roots"' cat log
	atf_check -o inline:"ran\n" -e match:"would refuse fs.write_roots" \
	    $AS $GATE -n --i-accept-weaker-isolation -p p.json -- echo ran
	# a run would make a write root below the project, and none elsewhere
	policy p.json '"read_roots": [], "write_roots": ["made/of", "/nonexistent/w"]'
	atf_check -o inline:"ran\n" -e match:"would refuse fs.write_roots /nonexistent/w" \
	    -e not-match:"made/of" \
	    $AS $GATE -n --i-accept-weaker-isolation -p p.json -- echo ran
	atf_check test ! -e made
	policy p.json '"read_roots": ["made/of"], "write_roots": []'
	atf_check -o inline:"ran\n" -e match:"would refuse fs.read_roots .*made/of" \
	    $AS $GATE -n --i-accept-weaker-isolation -p p.json -- echo ran
	enter ..
}
policy_refused_body()
{
	both do_policy_refused
}

atf_test_case policy_execs
policy_execs_head()
{
	atf_set descr "programs that the policy lets start are seen, and only those"
}
do_policy_execs()
{
	rm -rf pr; $AS mkdir pr; enter pr; $AS mkdir -p deps/bin other
	for f in deps/bin/a other/b; do
		$AS sh -c "printf '#!/bin/sh\necho $f\n' >$f; chmod 755 $f"
	done
	spawn='"allow_spawn": true, "max_live": 4, "max_spawns": 4'
	policy p.json '"read_roots": [], "write_roots": []' \
	    "$spawn, \"allow_exec_prefixes\": [\"deps/\"]"
	P="$AS $GATE -q -p p.json --"
	atf_check -o inline:"deps/bin/a\n" $P sh -c "$PWD/deps/bin/a"
	atf_check -s exit:127 -e ignore $P sh -c "$PWD/other/b"
	policy p.json '"read_roots": [], "write_roots": []' \
	    "$spawn, \"allow_execs\": [\"other/b\", \"$PWD/deps/bin/a\", \"/\"]"
	atf_check -o inline:"other/b\n" $P sh -c "$PWD/other/b"
	atf_check -s exit:1 -e match:"Read-only" $P touch "$PWD/other/b"
	# what is no program is not shown that way
	$AS chmod 644 other/b
	atf_check -s exit:1 $P test -e "$PWD/other/b"
	enter ..
}
policy_execs_body()
{
	both do_policy_execs
}

atf_test_case listing
listing_head()
{
	atf_set descr "--no-list: names are not told, known names are opened"
}
do_listing()
{
	rm -rf l; $AS mkdir -p l/d; $AS sh -c 'echo x >l/d/f'
	atf_check -o inline:"d\n" $AS $GATE -r l -- ls l
	for r in -r -w; do
		denied "Permission denied" $AS $GATE -q $r l --no-list -- ls l
		denied "Permission denied" $AS $GATE -q $r l:/data --no-list -- ls /data/d
		atf_check -o inline:"x\n" $AS $GATE -q $r l --no-list -- cat l/d/f
	done
	atf_check -o match:"sh" $AS $GATE -q -r l --no-list -- ls /usr/bin
	atf_check $AS $GATE -q -r l:/data --no-list -- ls /tmp
}
listing_body()
{
	both do_listing
}

atf_test_case closures
closures_head()
{
	atf_set descr "--closure minimal and none show no more than needed"
}
do_closures()
{
	M="$AS $GATE -q --closure minimal"
	atf_check -o match:"^curl" $M -- curl --version
	atf_check -o match:"^git" $M -- git --version
	atf_check -s exit:127 -e ignore $M -- sh -c 'exec ls /'
	atf_check -o ignore $M --with ls -- sh -c 'exec ls /'
	refused "with nosuch" $AS $GATE --with nosuch -- echo ran
	atf_check -o match:"etc" -o not-match:"bin|root|home" \
	    $M -- ls --format=commas /
	# what a program asks for is judged: a library must be one
	rm -rf m; $AS mkdir m m/lib m/out
	cat >m/l.c <<-'END'
		const char *l(void) { return "found"; }
	END
	cat >m/p.c <<-'END'
		#include <stdio.h>
		const char *l(void);
		int main(void) { return puts(l()) < 0; }
	END
	chmod -R a+rwX m
	cc -shared -fPIC -o m/lib/libl.so m/l.c
	cc -o m/p m/p.c -Lm/lib -ll -Wl,-rpath,'$ORIGIN/lib'
	cc -o m/q m/p.c -Lm/lib -ll -Wl,-rpath,"$PWD/m/lib"
	cc -o m/r m/p.c -Lm/lib -ll
	chmod -R a+rX m
	atf_check -o inline:"found\n" $M -- m/p
	atf_check -o inline:"found\n" $M -- m/q
	atf_check -s exit:127 -e match:"libl.so" $M -- m/r
	atf_check -o inline:"found\n" $AS env LD_LIBRARY_PATH="$PWD/m/lib" \
	    $GATE -q --closure minimal -- m/r
	echo "no library" >m/lib/libl.so
	atf_check -s exit:127 -e match:"libl.so: cannot open" $M -- m/p
	rm m/lib/libl.so; ln -s /etc/hostname m/lib/libl.so
	atf_check -s exit:127 -e match:"libl.so: cannot open" $M -- m/p
	# none: the program file alone
	atf_check -s exit:127 -e match:"its loader or interpreter is not in the view" \
	    $AS $GATE -q --closure none -- ls /
	atf_check -o inline:"dev\nproc\ntmp\nusr\nvar\n" \
	    $AS $GATE -q --closure none -- "$(command -v busybox)" ls /
	# root: all that a root has which somebody put together, but nothing to write
	$AS sh -c 'echo word >m/out/.word'
	echo 'mount --bind m/out /mnt && exec "$@"' >mnt
	N="$AS unshare -rm sh mnt $GATE -q"
	atf_check -o inline:"word\n" $N --closure root --deny-hidden -- cat /mnt/.word
	atf_check -s exit:1 -e match:"No such file" $N -- cat /mnt/.word
	atf_check -s exit:1 -e match:"Read-only" $N --closure root -- touch /mnt/.word
	atf_check $N --closure root -w /mnt -- touch /mnt/.word
	atf_check -o match:"^usr" -o not-match:"^(sys|run)" \
	    $AS $GATE -q --closure root -- ls /
	atf_check -o empty $AS $GATE -q --closure root -- ls /tmp
	if command -v musl-gcc >/dev/null; then
		printf 'int puts(const char *);int main(){return puts("musl")<0;}\n' >m/m.c
		musl-gcc -o m/musl m/m.c
		atf_check -o inline:"musl\n" $M -- m/musl
	else
		echo "no musl-gcc here: musl programs were not tried"
	fi
}
closures_body()
{
	both do_closures
}

atf_test_case hostile_elf
hostile_elf_head()
{
	atf_set descr "broken ELF files do not break the gate"
}
do_hostile_elf()
{
	$PY - <<-'END'
		import random
		random.seed(7)
		whole = open("/bin/true", "rb").read()
		for i in range(40):
		    b = bytearray(whole[:random.choice([64, 100, 4096, len(whole)])])
		    for _ in range(random.choice([1, 8, 64])):
		        b[random.randrange(18, min(len(b), 1000))] = random.randrange(256)
		    open("elf%d" % i, "wb").write(b)
	END
	chmod 755 elf*
	for i in $(seq 0 39); do
		$AS $GATE -q --closure minimal -- ./elf$i >/dev/null 2>&1 && st=0 || st=$?
		# ours would be 125 (refused); theirs is anything, but no crash of ours
		$AS $GATE -q --closure minimal --with ./elf$i -- /bin/true ||
		    atf_fail "elf$i breaks the gate"
	done
}
hostile_elf_body()
{
	both do_hostile_elf
}

atf_test_case slash
slash_head()
{
	atf_set descr "a root of /: all is read, /proc /dev /tmp stay private, /sys /run covered"
}
do_slash()
{
	echo x >seen
	atf_check -o inline:"\n" $AS $GATE -q -r / -- sh -c 'echo $(ls -A /tmp /sys /run | grep -v :)'
	atf_check -o match:"^root:" $AS $GATE -q -r / -- cat /etc/passwd
	denied "Read-only|Permission" $AS $GATE -q -r / -- touch /x07-test
	atf_check -o inline:"x\n" $AS $GATE -q -r / -r . -- cat "$PWD/seen"
	atf_check $AS $GATE -q -r / -w . -- touch "$PWD/made"
	rm -f made
	atf_check -s not-exit:0 $AS $GATE -q -r / -- test -e /proc/$$
}
slash_body()
{
	both do_slash
}

atf_test_case descriptors_few
descriptors_few_head()
{
	atf_set descr "the gate works within few descriptors, which x07-limit leaves it"
}
do_descriptors_few()
{
	atf_check -o match:"^curl" $AS prlimit --nofile=24:24 $GATE -- curl --version
	atf_check -o match:"^curl" $AS prlimit --nofile=24:24 $GATE \
	    --closure minimal -r . -- curl --version
	atf_check -s exit:125 -e match:"too few descriptors may be open" \
	    $AS prlimit --nofile=6:6 $GATE -r . -- curl --version
}
descriptors_few_body()
{
	both do_descriptors_few
}

atf_test_case masked_proc
masked_proc_head()
{
	atf_set descr "where /proc is masked, as in containers: refused, or --no-proc"
	atf_set require.user root
}
masked_proc_body()
{
	AS=
	cat >run.sh <<-'END'
		mount --bind /dev/null /proc/uptime
		exec unshare -U --map-current-user -m "$@"
	END
	atf_check -s exit:125 -e match:"no fresh /proc here.*--no-proc" \
	    unshare -m sh run.sh $GATE -- echo ran
	atf_check -o inline:"ran\n" unshare -m sh run.sh $GATE --no-proc -- echo ran
	atf_check -s exit:1 unshare -m sh run.sh $GATE --no-proc -- test -e /proc/self
}

atf_test_case chain
chain_head()
{
	atf_set descr "in the chain: x07-execgate inside, x07-limit and x07-netgate outside"
}
do_chain()
{
	rm -rf c; $AS mkdir c c/a c/b; $AS touch c/a/f
	E="x07-execgate -X /usr/bin/ -X /bin/"
	atf_check -o inline:"a\nb\n" $AS $GATE -r c -- x07-execgate -x /bin/ls -- ls c
	denied "Read-only" $AS $GATE -r c -- $E -- touch c/x
	denied "No such file" $AS $GATE -q -- $E -- ls /home
	atf_check $AS $GATE -w c -- $E -- $PY -c \
	    'import os; os.rename("c/a/f", "c/b/f")'
	denied "Permission denied" $AS $GATE -w c --no-mkdir -- $E -- mkdir c/d
	atf_check $AS $GATE -w c -- $E -- mkdir c/d
	denied "not permitted" $AS $GATE -w c --no-rename -- $E -- mv c/d c/e
	denied "not permitted|denied" $AS $GATE -- $E -- unshare -m true
	denied "not permitted|Read-only|denied" $AS $GATE -- $E -- \
	    sh -c "'echo 1 >/proc/sys/kernel/printk'"
	# a program outside of everything is still started
	mkdir -p static; cp "$(command -v busybox)" static/busybox
	chmod 755 static static/busybox
	atf_check -o inline:"in\n" $AS $GATE -q -- \
	    x07-execgate -x "$PWD/static/busybox" -- "$PWD/static/busybox" echo in
	atf_check -o match:"[0-9]" $AS x07-limit -t 20s -- $GATE -w c -- $E -- id -u
	atf_check -s exit:124 -e ignore $AS x07-limit -t 300ms -- $GATE -- sleep 60
	# the policy file of the next gate is seen by it
	policy c/p.json '"read_roots": ["."], "write_roots": [], "allow_walk": true' \
	    '"allow_spawn": true, "max_live": 4, "max_spawns": 4, "allow_execs": ["/bin/ls"]'
	atf_check -o match:"^a" $AS $GATE -q -p c/p.json -- \
	    x07-execgate -p c/p.json -- ls "$PWD/c"
}
chain_body()
{
	both do_chain
}

atf_test_case network
network_head()
{
	atf_set descr "behind x07-netgate: its resolver's file is carried over"
	atf_set has.cleanup true
}
do_network()
{
	http_server 127.0.0.1 .
	atf_check -o inline:"served\n" $AS x07-netgate -a "127.0.0.1:$SERVER_PORT" -- \
	    $GATE -- curl -sS "http://127.0.0.1:$SERVER_PORT/f"
	atf_check -s not-exit:0 -e ignore $AS x07-netgate -a 127.0.0.1:1 -- \
	    $GATE -- curl -sS "http://127.0.0.1:$SERVER_PORT/f"
	# an outer gate's Landlock domain must not deny what this one allows
	rm -rf n; $AS mkdir n n/a n/b; $AS touch n/a/f
	atf_check $AS x07-netgate -a 127.0.0.1:1 -- $GATE -w n -- $PY -c \
	    'import os; os.rename("n/a/f", "n/b/f")'
	atf_check $AS x07-limit -t 20s -- x07-netgate -a 127.0.0.1:1 -- $GATE -w n -- \
	    x07-execgate -x $PY -- $PY -c 'import os; os.rename("n/b/f", "n/a/f")'
	atf_check -o match:"nameserver 127.0.0.1" $AS \
	    x07-netgate -a "127.0.0.1:$SERVER_PORT" -- $GATE -- cat /etc/resolv.conf
	stop_servers
}
network_body()
{
	echo served >f
	both do_network
}
network_cleanup()
{
	stop_servers
}

atf_test_case hidden_program
hidden_program_head()
{
	atf_set descr "a program in a hidden directory starts, and nothing beside it is seen"
}
do_hidden_program()
{
	rm -rf v; $AS mkdir -p v/.venv/bin
	$AS ln -s "$PY" v/.venv/bin/python
	$AS sh -c 'printf "#!/bin/sh\necho tool\n" >v/.tool; chmod 755 v/.tool; echo s >v/.venv/cfg
	    ln -s /etc/ssl/openssl.cnf v/.link'
	H="$AS $GATE --deny-hidden -r v --"
	atf_check -o inline:"1\n" $H v/.venv/bin/python -c 'print(1)'
	atf_check -o inline:"tool\n" $H v/.tool
	atf_check -s exit:1 $H v/.venv/bin/python -c \
	    'import os, sys; sys.exit(not os.path.exists("v/.venv/cfg"))'
	atf_check -s exit:1 $H test -s v/.tool
	atf_check -s exit:1 $H test -s v/.link
	atf_check $AS $GATE -r v -- test -s v/.link
}
hidden_program_body()
{
	both do_hidden_program
}

atf_test_case mounts_below
mounts_below_head()
{
	atf_set descr "what is mounted in a root has the root's mode"
	atf_set require.user root
}
mounts_below_body()
{
	mkdir -p r/m
	cat >run.sh <<-'END'
		mount -t tmpfs t r/m && echo below >r/m/f && chmod 777 r/m || exit 9
		"$@"
	END
	for AS in "" "$AS_USER"; do
		atf_check -o inline:"below\n" \
		    unshare -m sh run.sh $AS $GATE -r r -- cat r/m/f
		atf_check -s exit:1 -e match:"Read-only" \
		    unshare -m sh run.sh $AS $GATE -r r -- touch r/m/g
		atf_check unshare -m sh run.sh $AS $GATE -w r -- touch r/m/g
		# not even where it is unmounted
		atf_check -s not-exit:0 -e ignore \
		    unshare -m sh run.sh $AS $GATE -w r -- umount r/m
	done
}

atf_test_case nothing_inherited
nothing_inherited_head()
{
	atf_set descr "descriptors, capabilities, old mounts: none of ours in the program"
}
do_nothing_inherited()
{
	rm -rf pr; $AS mkdir pr; enter pr
	policy p.json '"read_roots": ["."], "write_roots": []'
	atf_check -o inline:"0\n1\n2\n3\n" sh -c \
	    "$AS $GATE -p p.json -l /dev/null -- ls /proc/self/fd 5</etc 9>&1"
	enter ..
	atf_check -s exit:1 $AS $GATE -- grep -E " /(old|oldroot|newroot)" /proc/self/mountinfo
	atf_check -o inline:"0\n" $AS_USER $GATE -- sh -c \
	    'grep -c "CapEff:.*[1-9a-f]" /proc/self/status || :'
	# as root: files and identities at most, nothing over mounts or processes
	atf_check -o match:"^CapEff:	00000000000005ff|^CapEff:	0000000000000000" \
	    $AS $GATE -- grep CapEff /proc/self/status
	atf_check -o match:"^NoNewPrivs:	1" $AS $GATE -- grep NoNewPrivs /proc/self/status
}
nothing_inherited_body()
{
	both do_nothing_inherited
}

# without_landlock N WHICH COMMAND...: the calls WHICH (as strace says it) of
# landlock_create_ruleset(2) return N.
without_landlock()
{
	_ret=$1 _when=$2
	shift 2
	strace -f -qq -o trace -e trace=landlock_create_ruleset \
	    -e inject=landlock_create_ruleset:"$_ret:$_when" "$@"
}

atf_test_case old_kernels
old_kernels_head()
{
	atf_set descr "without Landlock: refused; with the first ABI: stricter, not looser"
	atf_set require.progs strace
}
old_kernels_body()
{
	mkdir w w/a; echo 1 >w/f; echo given >given
	for err in ENOSYS EOPNOTSUPP; do
		without_landlock error=$err when=1+ $GATE -w w -- touch w/ran \
		    2>said && atf_fail "ran without Landlock"
		atf_check -o match:"^x07-fsgate: Landlock .* is needed" cat said
		atf_check test ! -e w/ran
	done
	# The ABI is asked for twice before the ruleset is made, and once after.
	old="without_landlock retval=1 when=1..2"
	$old $GATE -w w -- mv w/f w/g || atf_fail "rename in a directory"
	$old $GATE -w w -- $PY -c 'import os; os.rename("w/g", "w/a/g")' 2>/dev/null &&
	    atf_fail "the first ABI allows no rename between directories"
	$old $GATE -w w -- $PY -c 'import os; os.truncate("/proc/self/fd/0", 0)' \
	    <given 2>/dev/null && atf_fail "truncated what was given to be read"
	atf_check -o inline:"given\n" cat given
	$old $GATE -w w -- $PY -c 'open("w/g", "w").write("2")' ||
	    atf_fail "writing fails with the first ABI"
	$old $GATE -w w --no-mkdir -- mkdir w/d 2>/dev/null && atf_fail "made a directory"
	$old $GATE -w w -- mkdir w/d || atf_fail "made no directory"
}

atf_test_case completions
completions_head()
{
	atf_set descr "bash, zsh and fish complete the options of the page"
}
completions_body()
{
	completions_hold x07-fsgate
}

atf_init_test_cases()
{
	for t in read_root var_tmp write_root overlap nothing_else accounts programs git_work \
	    refusals made mapped rights hidden max_write status cwd policy_roots \
	    policy_refused policy_execs listing closures hostile_elf slash \
	    descriptors_few masked_proc chain network hidden_program \
	    mounts_below nothing_inherited old_kernels completions; do
		atf_add_test_case $t
	done
}
