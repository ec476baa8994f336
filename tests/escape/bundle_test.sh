#!/usr/bin/env atf-sh
# shellcheck disable=SC2086 # $AS and $accept are lists of words
# Attempts to make a bundle run what it was not made of, or under less than its
# policy: class 35, each with the twin that is allowed.
. "$X07_TESTS/lib.sh"

accept="--profile sandbox --sandbox-backend os --i-accept-weaker-isolation"
attack="python3 $X07_TESTS/escape/bundle_attack.py"

# make_bundles: ./app under a policy, ./plain without one, ./other of another policy.
make_bundles()
{
	cc -D_GNU_SOURCE -O1 -static -o prog "$X07_TESTS/bundle_probe.c" || atf_fail "cc"
	x07-policy init --template cli --emit policy |
	    jq '.fs.read_roots = ["data"] | .fs.write_roots = []' >policy.json
	x07-policy init --template cli --emit policy |
	    jq '.fs.read_roots = ["data", "/etc"]' >wide.json
	atf_check -o ignore x07-bundle $accept --policy policy.json --out app -- ./prog
	atf_check -o ignore x07-bundle $accept --policy wide.json --out other -- ./prog
	atf_check -o ignore x07-bundle --profile os --out plain -- ./prog
	mkdir data
	echo d >data/f
}

# refused WORD FILE [ARG...]: the bundle says WORD in one line and runs nothing.
refused()
{
	_word=$1
	shift
	atf_check -s exit:125 -o empty -e save:err "$@"
	[ "$(wc -l <err)" -eq 1 ] || atf_fail "more than a line: $(cat err)"
	grep -q -e "$_word" err || atf_fail "not about $_word: $(cat err)"
}

# changed BUNDLE WORD DEED...: a changed copy refuses, and verify says so too.
changed()
{
	_from=$1 _about=$2
	shift 2
	rm -f bad
	$attack $_from bad "$@" || atf_fail "no attack: $*"
	! cmp -s $_from bad || atf_fail "the attack changed nothing: $*"
	refused "$_about" $AS ./bad
	atf_check -s exit:1 -o empty -e not-empty $AS x07-bundle verify bad
}

# ---- the file ----

atf_test_case tampered
tampered_head()
{
	atf_set descr "35: stripped, cut, extended, changed, exchanged parts: nothing runs"
	atf_set timeout 600
}
do_tampered()
{
	for b in app plain; do
		atf_check -o inline:"hello from the program\n" $AS ./$b
		atf_check -o ignore $AS x07-bundle verify $b
		changed $b footer strip
		for n in 1 8 47 48 49 100 4096; do
			changed $b "footer\|table" cut $n
		done
		changed $b footer append x
		$attack $b bad prepend x
		atf_check -s exit:1 -e match:table $AS x07-bundle verify bad
		changed $b table footer
		changed $b table table
		for part in stub bundle.json program/prog; do
			[ $part = stub ] || changed $b "$part" flip $part
		done
		changed $b "bundle.json\|program" swap bundle.json program/prog
		for len in 0 1 0xffffffffffffffff 0x7fffffffffffffff 0x400001; do
			changed $b "footer\|table" retable $len
		done
	done
	for part in policy policy.json gate/environ gate/x07-limit gate/x07-netgate \
	    gate/x07-fsgate gate/x07-execgate; do
		changed app "$part" flip $part
	done
	changed app "policy" swap policy policy.json
	changed app "gate/" swap gate/x07-fsgate gate/x07-limit
	changed app "policy\|table" graft other policy
	changed app "policy\|table" graft other policy.json
	# The other policy in its own bundle is in force.
	atf_check -s exit:1 -o match:denied $AS ./app read /etc/passwd
	atf_check -o match:root $AS ./other read /etc/passwd
}
tampered_body()
{
	make_bundles
	both do_tampered
}

atf_test_case stub_changed
stub_changed_head() { atf_set descr "35: a part of the stub that is not run is checked too"; }
do_stub_changed()
{
	# In the last bytes of the stub: debug names, which execution never reaches.
	python3 - <<-'END'
	import json, os, subprocess
	data = bytearray(open("app", "rb").read())
	out = subprocess.run(["x07-bundle", "inspect", "-j", "app"], capture_output=True).stdout
	size = [p["bytes"] for p in json.loads(out)["parts"] if p["name"] == "stub"][0]
	data[size - 1] ^= 1
	open("bad", "wb").write(data)
	os.chmod("bad", 0o755)
	END
	refused stub $AS ./bad
	atf_check -o inline:"hello from the program\n" $AS ./app
}
stub_changed_body()
{
	make_bundles
	both do_stub_changed
}

atf_test_case forged
forged_head()
{
	atf_set descr "35: tables with right digests that do not describe the file"
	atf_set timeout 600
}
do_forged()
{
	# The machinery forges well: a table that is as it was is taken.
	$attack app bad forge 'text'
	atf_check -o inline:"hello from the program\n" $AS ./bad
	while read -r expr; do
		changed app "table\|footer" forge "$expr"
	done <<-'END'
	text.replace("x07-bundle 1", "x07-bundle 2")
	text.replace("end ", "end 0")
	text.replace("end ", "end 1")
	text[:-1]
	text + "x"
	text + "\0"
	text.replace("program/prog", "program/../prog")
	text.replace("program/prog", "/program/prog")
	text.replace("program/prog", "program//prog")
	text.replace("program/prog", "../../tmp/prog")
	text.replace("program/prog", "program/\x01\x1b[2J")
	text.replace("program/prog", "program/")
	text.replace("program/prog", "stub")
	text.replace("program/prog 555", "program/prog 4755")
	text.replace("program/prog 555", "program/prog 999")
	text.replace("program/prog 555 ", "program/prog 555 1")
	text.replace("program/prog 555 ", "program/prog 555 -")
	text.replace("program/prog 555 ", "program/prog 555 0")
	text.replace("program/prog 555 ", "program/prog 555 99999999999999999999999")
	text.replace("program/prog 555 ", "program/prog 555  ")
	text.replace("stub ", "stubs ", 1)
	"x07-bundle 1\nend 0\n"
	"x07-bundle 1\n"
	""
	"\n" * 4000000
	"x07-bundle 1\n" + "a 0 0 " + "0" * 64 + "\n" * 5000
	END
	# Parts that a sandboxed run cannot do without.
	for name in program/prog gate/x07-limit gate/x07-netgate gate/x07-fsgate \
	    gate/x07-execgate gate/environ; do
		$attack app bad forge "text.replace('$name ', 'spare/x ')"
		refused "${name%%/*}" $AS ./bad
	done
	# A policy that is none.
	$attack app bad forge "text.replace('policy.json ', 'p ').replace('policy ', 'q ').replace('bundle.json ', 'policy ')"
	refused policy $AS ./bad
	find /tmp -maxdepth 1 -name 'x07-bundle.*' -user "$($AS id -u)" \
	    -newer policy.json >left
	atf_check -o empty cat left
}
forged_body()
{
	make_bundles
	both do_forged
}

atf_test_case extracted
extracted_head() { atf_set descr "35: extract follows no link and leaves its directory for nothing"; }
extracted_body()
{
	make_bundles
	for name in ../evil /tmp/evil a/../../evil; do
		$attack app bad forge "text.replace('bundle.json ', '$name ')"
		atf_check -s exit:1 -o ignore -e not-empty x07-bundle extract bad parts
		atf_check test ! -e parts -a ! -e evil -a ! -e /tmp/evil
	done
	mkdir elsewhere
	ln -s elsewhere parts
	atf_check -s exit:2 -o ignore -e match:parts x07-bundle extract app parts
	atf_check test ! -e elsewhere/stub
	rm parts
	atf_check -o ignore x07-bundle extract app parts
	# A terminal is not written to with what is in a name.
	$attack app bad forge "text.replace('bundle.json ', 'x\\x1b]0;y ')"
	atf_check -s exit:1 -e not-match:"$(printf '\033')" x07-bundle inspect bad
}

# ---- the caller's environment ----

atf_test_case loosened
loosened_head()
{
	atf_set descr "35: no variable, argument, descriptor or directory loosens a bundle"
	atf_set timeout 600
}
do_loosened()
{
	rm -rf fake
	$AS mkdir fake
	for t in environ x07-limit x07-netgate x07-fsgate x07-execgate x07-policy sh program prog; do
		printf '#!/bin/sh\necho loose\nexit 0\n' | $AS tee fake/$t >/dev/null
		$AS chmod 755 fake/$t
	done
	for var in X07_I_ACCEPT_WEAKER_ISOLATION=1 X07_SANDBOX_BACKEND=none X07_WORLD=run-os \
	    X07_OS_FS=1 X07_OS_FS_READ_ROOTS=/ X07_OS_SANDBOXED=0 X07_POLICY=$PWD/wide.json \
	    "PATH=$PWD/fake:$PATH" "TMPDIR=$PWD/fake" "XDG_RUNTIME_DIR=$PWD/fake" \
	    "LD_PRELOAD=$PWD/fake/prog" LD_LIBRARY_PATH=$PWD/fake LD_AUDIT=x \
	    GLIBC_TUNABLES=glibc.malloc.check=3 MALLOC_PERTURB_=1 "PWD=/etc" HOME=/etc \
	    "POSIXLY_CORRECT=1" "RESOLV_HOST_CONF=/etc/passwd"; do
		atf_check -s exit:1 -o match:"^denied /etc/passwd" $AS env "$var" ./app read /etc/passwd
		atf_check -o inline:"d\n" $AS env "$var" ./app read data/f
		atf_check -o match:root $AS env "$var" ./other read /etc/passwd
	done
	atf_check -s exit:1 -o match:"^denied" $AS env -i ./app read /etc/passwd
	# Arguments are the program's.
	for arg in -n --i-accept-weaker-isolation "-r /etc" "--policy wide.json" "-- /bin/cat" -P; do
		atf_check -o match:"^<$(printf %s "$arg" | sed 's/ /></g')>$" $AS ./app args $arg
		atf_check -s exit:98 -e match:"no deed" $AS ./app $arg read /etc/passwd
	done
	# argv[0] names nothing.
	for zero in /etc/passwd other x07-fsgate ../other; do
		atf_check -s exit:1 -o match:"^denied" -e ignore $AS python3 -c '
import os, sys
os.execv("./app", [sys.argv[1], "read", "/etc/passwd"])' "$zero"
	done
	# Descriptors of the caller, the policy's number among them, are not the program's.
	atf_check -s exit:1 -o match:"^denied" -x "$AS ./app read /proc/self/fd/3 3</etc/passwd"
	atf_check -s exit:1 -o match:"^denied" -x "$AS ./app read /etc/passwd 3<wide.json 4<wide.json"
	atf_check -s exit:1 -o match:"^denied" -x "$AS ./app read /etc/passwd <&- 2>&-"
	# Roots count from where it is run, and lead nowhere else.
	rm -rf w
	$AS mkdir w
	$AS ln -s /etc w/data
	cd w || atf_fail cd
	atf_check -s not-exit:0 -o empty -e ignore $AS ../app read data/passwd
	cd ..
	# A directory that is gone is no root.
	atf_check -s exit:125 -e match:"directory" $AS python3 -c '
import os
app = os.open("app", os.O_RDONLY)
os.mkdir("gone"); os.chdir("gone"); os.rmdir("../gone")
os.execve(app, ["app", "read", "/etc/passwd"], {})'
}
loosened_body()
{
	make_bundles
	both do_loosened
}

atf_test_case shortage
shortage_head()
{
	atf_set descr "35: limits of the caller stop a bundle, they take nothing off it"
	atf_set timeout 600
}
do_shortage()
{
	for lim in --nofile=8 --nofile=3 --fsize=1000 --as=3000000 --data=100000 --memlock=0 \
	    --core=0 --sigpending=0 --stack=65536; do
		$AS prlimit $lim ./app read /etc/passwd >out 2>err && _st=0 || _st=$?
		[ $_st -ne 0 ] || atf_fail "$lim: it ran: $(cat out)"
		! grep -q root: out || atf_fail "$lim: it read"
	done
	atf_check -o inline:"d\n" $AS prlimit --core=0 --memlock=0 ./app read data/f
	# Signals that the caller ignores or blocks.
	for sig in CHLD TERM PIPE XFSZ; do
		atf_check -o inline:"d\n" $AS env --ignore-signal=$sig ./app read data/f
		atf_check -o inline:"d\n" $AS env --block-signal=$sig ./app read data/f
		atf_check -s exit:1 -o match:"^denied" $AS env --ignore-signal=$sig \
		    ./app read /etc/passwd
	done
}
shortage_body()
{
	make_bundles
	both do_shortage
}

atf_test_case neighbour
neighbour_head()
{
	atf_set descr "35: another program of the user cannot reach the parts between check and start"
	atf_set timeout 300
}
do_neighbour()
{
	# It sees every name that appears in the usual places, and exchanges what it finds.
	rm -rf t
	$AS mkdir t
	cat >racer.py <<-'END'
	import os, sys, time
	print("ready", flush=True)
	seen = set()
	end = time.time() + float(sys.argv[1])
	while time.time() < end and not os.path.exists("stop"):
	    for d in sys.argv[2:]:
	        for n in os.listdir(d):
	            if n.startswith("x07-bundle.") and os.stat(os.path.join(d, n)).st_uid == os.getuid():
	                seen.add(os.path.join(d, n))
	    time.sleep(0.001)
	for n in sorted(seen):
	    print(n)
	END
	rm -f stop seen
	$AS env TMPDIR="$PWD/t" python3 racer.py 120 "$PWD/t" /dev/shm /var/tmp >seen &
	racer=$!
	wait_for 60 grep -q ready seen
	for f in data/f ./data/f "$PWD/data/f"; do
		atf_check -o inline:"d\n" $AS env TMPDIR="$PWD/t" ./app read "$f"
	done
	touch stop
	wait $racer
	atf_check -o inline:"ready\n" cat seen
	# Nothing stays behind one that is killed.
	rm -f ready
	$AS env TMPDIR="$PWD/t" ./app spin >ready &
	pid=$!
	wait_for 60 grep -q ready ready
	kill -9 $pid
	wait $pid 2>/dev/null || :
	atf_check -o empty ls -A t
}
neighbour_body()
{
	make_bundles
	both do_neighbour
}

atf_init_test_cases()
{
	for t in tampered stub_changed forged extracted loosened shortage neighbour; do
		atf_add_test_case $t
	done
}
