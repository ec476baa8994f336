#!/usr/bin/env atf-sh
# x07-fsgate: only these files. Every denial has its allowed twin.

. "$X07_TESTS/lib.sh"

GATE=x07-fsgate
PY=/usr/bin/python3

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
	refused "must be an absolute path" $AS $GATE -r real:x -- echo ran
	refused "no path" $AS $GATE -r "" -- echo ran
	refused "closure some" $AS $GATE --closure some -- echo ran
	refused "not a size" $AS $GATE --tmp-size lots -- echo ran
	refused "no program given" $AS $GATE -r real
	refused "cannot run inside" $AS $GATE -- x07-netgate -- echo ran
	refused "add --i-accept" $AS $GATE -n -- echo ran
	atf_check -s exit:125 -e match:"^usage" -e match:"unrecognized|invalid" \
	    $AS $GATE --nonsense -- echo ran
	atf_check -s exit:127 -e match:"nosuchprogram" $AS $GATE -- nosuchprogram
	refused "standard input is a directory" sh -c "$AS $GATE -- echo ran </"
	# the twins
	atf_check -o inline:"ran\n" $AS $GATE -r real -- echo ran
	atf_check -o inline:"ran\n" $AS $GATE -q -r /etc/ssl -- echo ran
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
do_status()
{
	atf_check -s exit:7 $AS $GATE -- sh -c 'exit 7'
	atf_check -s exit:143 $AS $GATE -- sh -c 'kill -TERM $$'
	atf_check -s exit:126 -e ignore $AS $GATE -- /etc/hosts
	atf_check -o inline:"in\n" -x "echo in | $AS $GATE -- cat"
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
	atf_check -o inline:"/\n" -e match:"not in the view" \
	    $AS $GATE -r /etc/ssl -- pwd
	atf_check -o inline:"/\n" $AS $GATE -q -r /etc/ssl -- sh -c 'echo $PWD'
}
cwd_body()
{
	both do_cwd
}

atf_init_test_cases()
{
	for t in read_root write_root overlap nothing_else programs git_work \
	    refusals made mapped rights hidden max_write status cwd; do
		atf_add_test_case $t
	done
}
