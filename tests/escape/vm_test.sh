#!/usr/bin/env atf-sh
# shellcheck disable=SC2086 # $AS is a list of words
# Class 34: out of the machine through what it shares with this one.
. "$X07_TESTS/lib.sh"

AS=

atf_test_case links
links_head()
{
	atf_set descr "links in a shared root lead nowhere else, whoever made them; inside of it they work"
	atf_set timeout 1200
}
try_links()
{
	export X07_VM_STATE_DIR="$PWD/jobs" X07_VM_CACHE_DIR="$PWD/cache" X07_VM_BACKEND=qemu
	firm_work_dir
	rm -rf jobs cache rw ro secret ./*.json .x07 out err
	$AS mkdir jobs cache rw ro secret
	$AS x07-policy init --template cli >/dev/null || atf_fail "cannot make the base policy"
	$AS python3 "$X07_TESTS/bin/x07-vmrun_policy.py" policy.json \
	    "fs.read_roots=[\"$PWD/ro\",\"$PWD/rw/a/keep\"]" fs.allow_symlinks=true \
	    fs.allow_rename=true fs.allow_remove=true fs.allow_mkdir=true
	$AS mkdir -p rw/a/keep rw/b
	$AS sh -c 'echo hidden >secret/f; echo shown >ro/f; echo mine >rw/f
	    ln -s "$PWD/secret/f" rw/absolute; ln -s ../secret/f rw/relative
	    ln -s "$PWD/secret" rw/dir; ln -s /proc/1/root rw/root; ln -s f rw/inside'
	$AS timeout 300 x07-vmrun -p policy.json -r "$PWD/l.sh" -- /bin/sh l.sh "$PWD" >out 2>err ||
	    atf_fail "failed: $(cat out err)"
	atf_check -o inline:"mine\nmine\nshown\nfree\nend\n" cat out
	# What the guest left is a link here too, and went nowhere.
	atf_check -o inline:"hidden\n" cat secret/f
	atf_check -o inline:"shown\n" cat ro/f
	atf_check -o inline:"f\n" ls secret
	atf_check test -L rw/made
	# Nothing else came where a root is that can only be read.
	atf_check test -d rw/a/keep -a -d rw/c
}
links_body()
{
	cat >l.sh <<'END'
w=$1/rw
cat $w/absolute $w/relative $w/dir/f "$w/root$1/secret/f" $w/../secret/f
echo bad >$w/absolute
echo bad >$w/relative
echo bad >$w/dir/g
echo bad >"$w/root$1/secret/g"
ln -s "$1/secret/f" $w/made
cat $w/made
echo bad >$w/made
ln "$1/ro/f" $w/hard && echo bad >$w/hard
mv $w/dir $w/moved
echo bad >$w/moved/g
cat $w/inside
ln -s inside $w/again
cat $w/again
cat "$1/ro/f"
mv $w/a $w/elsewhere && echo moved
mv $w/b $w/c && echo free
echo end
END
	chmod 644 l.sh
	both try_links
}

atf_test_case inside
inside_head()
{
	atf_set descr "a program that goes for the guest's first process, kernel, devices and memory"
	atf_set timeout 1200
}
try_inside()
{
	export X07_VM_STATE_DIR="$PWD/jobs" X07_VM_CACHE_DIR="$PWD/cache" X07_VM_BACKEND=qemu
	firm_work_dir
	rm -rf jobs cache rw ./*.json .x07 out err
	$AS mkdir jobs cache rw
	$AS x07-policy init --template cli >/dev/null || atf_fail "cannot make the base policy"
	$AS python3 "$X07_TESTS/bin/x07-vmrun_policy.py" policy.json limits.mem_bytes=100663296 \
	    threads.enabled=false
	$AS timeout 300 x07-vmrun -p policy.json -r "$PWD/vm_inside.py" -- \
	    /usr/bin/python3 vm_inside.py "$PWD/rw" >out 2>err ||
	    atf_fail "the program was ended: $(cat out err)"
	atf_check -o inline:"end\n" tail -n 1 out
	# All is denied but what is a program's own.
	printf '%s done\n' "mkfifo in $PWD/rw" "mkfifo in /tmp" "a few forks" \
	    "some memory" "some in /tmp" >expected
	grep -v -e ' denied$' -e '^signals$' -e '^end$' out >rest
	atf_check -o file:expected cat rest
	[ "$(grep -c ' denied$' out)" -gt 50 ] || atf_fail "too few attempts: $(cat out)"
	atf_check -o match:"x07-limit: deny memory" cat err
	[ -z "$(ls jobs)" ] || atf_fail "left: $(ls jobs)"
}
inside_body()
{
	cp "$X07_TESTS/escape/vm_inside.py" .
	chmod 644 vm_inside.py
	both try_inside
}

atf_init_test_cases()
{
	atf_add_test_case inside
	atf_add_test_case links
}
