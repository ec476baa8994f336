#!/usr/bin/env atf-sh
# shellcheck disable=SC2086 # $AS, $accept and the like are lists of words
# x07-bundle: bundles run like the program they hold, wherever they are put, and
# under the policy they were made with.
. "$X07_TESTS/lib.sh"

accept="--profile sandbox --sandbox-backend os --i-accept-weaker-isolation"

# program [static|dynamic]: compiles the test program to ./prog.
program()
{
	_link=-static
	[ "${1-static}" = static ] || _link=
	cc -D_GNU_SOURCE -O1 $_link -o prog "$X07_TESTS/bundle_probe.c" ||
	    atf_fail "cc"
}

# policy [JQ]: a policy of the cli template, changed, as ./policy.json.
policy()
{
	x07-policy init --template cli --emit policy |
	    jq "${1-.}" >policy.json || atf_fail "jq"
}

# bundle [OPTION...]: makes ./app of ./prog, sandboxed by ./policy.json.
bundle()
{
	atf_check -o save:report.json -e save:said x07-bundle $accept \
	    --policy policy.json --out app "$@" -- ./prog
	! grep -v "using derived policy" said || atf_fail "it said more than that"
}

# plain_bundle: the same without a policy.
plain_bundle()
{
	atf_check -o save:report.json x07-bundle --profile os --out app -- ./prog
}

# nothing_left: no private directory of a bundle has stayed behind.
nothing_left()
{
	for _d in /tmp /var/tmp /dev/shm "$PWD" "${TMPDIR-/tmp}"; do
		for _f in "$_d"/x07-bundle.*; do
			[ ! -e "$_f" ] || [ ! -O "$_f" ] ||
			    [ -z "$(find "$_f" -newer started -maxdepth 0)" ] ||
			    atf_fail "$_f was left behind"
		done
	done
}

# ---- like the program itself ----

atf_test_case plain
plain_head()
{
	atf_set descr "arguments, streams, status, signals and directory are the program's own"
	atf_set timeout 600
}
# died SIGNAL: what atf_check calls a program's death; behind gates it is a status.
died()
{
	if [ "$kind" = sandboxed ]; then
		echo exit:$((128 + $1))
	else
		echo signal:"$1"
	fi
}
as_the_program()
{
	atf_check -o inline:"hello from the program\n" $AS ./app
	atf_check -o inline:'<><a b><*><--><-h><--help>\n' \
	    $AS ./app args '' 'a b' '*' -- -h --help
	atf_check -o inline:"in\n" -x "echo in | $AS ./app cat"
	atf_check -o empty -e inline:"to stderr\n" $AS ./app err "to stderr"
	for status in 0 1 2 100 124 125 126 127 255; do
		atf_check -s exit:$status -o empty -e empty $AS ./app exit $status
	done
	for sig in 6 9 11 15; do
		atf_check -s "$(died $sig)" $AS ./app kill $sig
	done
	atf_check -o inline:"$PWD\n" $AS ./app cwd
	head -c 1000000 /dev/urandom >big
	atf_check -s exit:0 -x "$AS ./app cat <big | cmp - big"
	# A reader that goes away is no trouble that anybody has to hear of.
	atf_check -o inline:"xxx" -e empty -x "$AS ./app fill 1000000 | head -c 3"
}
# caught SIGNAL: what is sent to the bundle reaches the program.
caught()
{
	rm -f out.txt
	# The shell has SIGINT ignored in the background.
	env --default-signal=INT $AS ./app catch "$1" >out.txt &
	wait_for 60 grep -q ready out.txt
	pid=$!
	if [ -n "$AS" ]; then
		$AS kill -"$1" $pid
	else
		kill -"$1" $pid
	fi
	_st=0
	wait $pid || _st=$?
	[ $_st -eq $((40 + $1)) ] || atf_fail "status $_st after signal $1"
	atf_check -o match:caught cat out.txt
}
do_plain()
{
	touch started
	as_the_program
	for sig in 1 2 10 15; do
		caught $sig
	done
	nothing_left
}
plain_body()
{
	program
	kind=bare
	# The program for itself, or what follows would mean nothing.
	cp prog app
	both do_plain
	plain_bundle
	both do_plain
	policy '.process.max_stdin_bytes = 0 | .limits.wall_ms = 300000'
	bundle
	kind=sandboxed
	both do_plain
}

atf_test_case dynamic
dynamic_head()
{
	atf_set descr "a dynamic program brings its loader and libraries"
	atf_set timeout 600
}
do_dynamic()
{
	atf_check -o inline:"hello from the program\n" $AS ./app
	atf_check -o inline:"<a b>\n" $AS ./app args "a b"
	atf_check -s exit:3 $AS ./app exit 3
}
dynamic_body()
{
	program dynamic
	plain_bundle
	both do_dynamic
	policy
	bundle
	both do_dynamic
	atf_check -o match:'lib/.*libc\.so' x07-bundle inspect app
}

atf_test_case places
places_head()
{
	atf_set descr "a link, another name, another directory, read-only media, another user"
	atf_set timeout 300
}
do_places()
{
	rm -rf place
	$AS mkdir place
	here=$PWD
	$AS ln -s ../app place/link
	$AS ln -s link place/link2
	$AS cp app "place/renamed to this"
	$AS cp app place/-n
	for f in link link2 "renamed to this" -n; do
		atf_check -o inline:"<x>\n" $AS "./place/$f" args x
		(
			cd place || exit 1
			atf_check -o inline:"$here/place\n" $AS "./$f" cwd
		) || atf_fail "in place: $f"
		atf_check -o inline:"<x>\n" env PATH="$here/place:$PATH" $AS "$f" args x
	done
	(
		cd / || exit 1
		atf_check -o inline:"/\n" $AS "$here/app" cwd
	) || atf_fail "in /"
	$AS chmod 555 "place/renamed to this" place
	atf_check -o inline:"<x>\n" $AS "./place/renamed to this" args x
	$AS chmod 755 place
}
places_body()
{
	program
	policy '.fs.write_roots = []'
	plain_bundle
	both do_places
	bundle
	both do_places
}

atf_test_case in_root
in_root_head()
{
	atf_set descr "what cannot be shown in a root of the policy is told, with what to do"
}
# no_place ROOT WHY ADVICE: run in /, ./app says that.
no_place()
{
	_here=$PWD
	(cd / && atf_check -s exit:125 -o empty -e match:"^app: the bundle's /[^ ]* cannot be shown: \
the policy's root \"$1\" is / here, where $2; $3\$" $AS "$_here/app" args x) ||
	    atf_fail "in /"
}
in_root_body()
{
	program dynamic
	policy '.fs.write_roots = []'
	bundle
	atf_check -o inline:"<x>\n" ./app args x
	# There is the library, so it can be shown there; or /lib is a link.
	if [ -L /lib ]; then
		both no_place . "a symbolic link is on the way to it" "start it in another directory"
		policy '.fs.write_roots = [] | .fs.read_roots = ["/"]'
		bundle
		both no_place / "a symbolic link is on the way to it" "bundle it with a narrower root"
	fi
	# A machine's program has its place in /opt.
	program
	policy '.fs.write_roots = []'
	atf_check -o ignore x07-bundle --profile sandbox --policy policy.json --vm-backend podman \
	    --vm-image r/i:1 --vm-image-digest "sha256:$(printf %064d 7)" --out app -- ./prog
	both no_place . "nothing of that name is" "start it in another directory"
}

atf_test_case read_only
read_only_head()
{
	atf_set descr "a bundle on a mount that cannot be written"
	atf_set require.user root
}
read_only_body()
{
	program
	policy '.fs.write_roots = []'
	bundle
	mkdir medium
	cp app medium
	cat >run.sh <<-'END'
	mount --bind medium medium && mount -o remount,bind,ro,nodev,nosuid medium || exit 90
	cd medium
	! touch x 2>/dev/null || exit 91
	./app args ro || exit
	END
	atf_check -o inline:"<ro>\n" unshare -m sh run.sh
	atf_check -o inline:"<ro>\n" unshare -m $AS_USER unshare -Umr sh run.sh
}

atf_test_case empty_root
empty_root_head()
{
	atf_set descr "runs where there is nothing but the kernel and /proc"
	atf_set timeout 300
}
empty_root="python3 $X07_TESTS/emptyroot.py"
do_empty()
{
	for how in '' -t '-r -t'; do
		atf_check -o inline:"<a b>\n" $AS $empty_root $how app app args "a b"
		atf_check -s exit:7 $AS $empty_root $how app moved exit 7
	done
	atf_check -o inline:"in\n" -x "echo in | $AS $empty_root app app cat"
}
empty_root_body()
{
	program
	# It is empty: the test's own tools do not run there.
	atf_check -o inline:"app\ndev\nproc\n" -x \
	    "$empty_root prog app list / | sort"
	plain_bundle
	both do_empty
	policy '.fs.write_roots = []'
	bundle
	both do_empty
	both do_empty_denials
	# Libraries cannot be put into a root of the policy where they are not.
	policy '.fs.write_roots = [] | .fs.read_roots = []'
	program dynamic
	bundle
	both do_empty
}
do_empty_denials()
{
	# The walls stand there as well.
	atf_check -s exit:1 -o match:"denied connect" -e match:"deny connect" \
	    $AS $empty_root -t app app connect 127.0.0.1 9
	atf_check -s exit:1 -o match:"denied /x" $AS $empty_root -t app app write /x y
	atf_check -s exit:1 -o match:"denied fork" -e ignore $AS $empty_root -t app app fork
	atf_check -o inline:"forked\n" $AS $empty_root -t prog app fork
	atf_check $AS $empty_root -t prog app write /x y
}

# ---- under the policy ----

atf_test_case files
files_head() { atf_set descr "files: only what the policy's roots show, from where it is run"; }
do_files()
{
	rm -rf w
	$AS mkdir -p w/data w/out w/other
	echo content | $AS tee w/data/f w/other/f >/dev/null
	cd w || atf_fail "cd"
	atf_check -o inline:"content\n" $AS ../app read data/f
	atf_check -o inline:"content\n" $AS ../app read "$PWD/data/f"
	atf_check -s exit:1 -o match:denied $AS ../app read other/f
	atf_check -s exit:1 -o match:denied $AS ../app read /etc/shadow
	atf_check -s exit:1 -o match:denied $AS ../app read ../prog
	atf_check $AS ../app write out/g new
	atf_check -o inline:new cat out/g
	atf_check -s exit:1 -o match:denied $AS ../app write data/g new
	atf_check -s exit:1 -o match:denied $AS ../app write other/g new
	# The same with a root more.
	atf_check -o inline:"content\n" $AS ../wide read other/f
	atf_check $AS ../wide write other/g new
	atf_check -s exit:1 -o match:denied $AS ../wide read /etc/passwd-
	cd ..
	# Whatever the directory is called that they are relative to.
	for d in "a(b='c'&#!" 'a b%c' '-a;$"b' 'été'; do
		$AS mkdir -p "w/$d"
		$AS cp -R w/data w/other "w/$d"
		cd "w/$d" || atf_fail "cd"
		atf_check -o inline:"content\n" $AS ../../app read data/f
		atf_check -s exit:1 -o match:denied $AS ../../app read other/f
		cd ../..
	done
}
files_body()
{
	program
	policy '.fs.read_roots = ["data"]'
	bundle --allow-read-root other --allow-write-root other
	mv app wide
	bundle
	both do_files
}

atf_test_case net cleanup
net_head() { atf_set descr "the network: only what the policy lists"; }
do_net()
{
	atf_check -o inline:"connected\n" $AS ./allowed connect 127.0.0.1 "$SERVER_PORT"
	atf_check -s exit:1 -o match:"denied connect" -e ignore \
	    $AS ./app connect 127.0.0.1 "$SERVER_PORT"
	atf_check -s exit:1 -o match:"denied connect" \
	    -e match:"deny connect 127.0.0.1:$SERVER_PORT" \
	    $AS ./other connect 127.0.0.1 "$SERVER_PORT"
	atf_check -s exit:1 -o match:"denied connect" -e ignore \
	    $AS ./denied connect 127.0.0.1 "$SERVER_PORT"
}
net_body()
{
	program
	mkdir www
	echo page >www/index.html
	http_server 127.0.0.1 www
	policy
	bundle
	mv app none
	policy '.net.enabled = true | .net.allow_tcp = true'
	bundle --allow-host "127.0.0.1:$SERVER_PORT"
	mv app allowed
	bundle --allow-host "127.0.0.1:$(free_port)"
	mv app other
	bundle --allow-host "127.0.0.1:$SERVER_PORT" --deny-host '127.0.0.1:*'
	mv app denied
	mv none app
	both do_net
}
net_cleanup() { stop_servers; }

atf_test_case programs
programs_head() { atf_set descr "other programs: only what the policy lists"; }
do_programs()
{
	atf_check -s exit:1 -o match:"denied fork" -e ignore $AS ./app fork
	atf_check -o inline:"forked\n" $AS ./spawns fork
	atf_check -s exit:1 -o match:"denied" -e ignore $AS ./spawns exec /bin/echo hi
	atf_check -o inline:"hi\n" $AS ./execs exec /bin/echo hi
	atf_check -s exit:1 -o match:"denied" -e ignore $AS ./execs exec /bin/cat
}
programs_body()
{
	program
	spawn='.process.allow_spawn = true | .process.allow_exec = true |
	    .process.max_spawns = 5 | .process.max_live = 5 |
	    .process.max_runtime_ms = 60000'
	policy "$spawn | .process.allow_execs = [\"/bin/true\"]"
	bundle
	mv app spawns
	policy "$spawn | .process.allow_execs = [\"/bin/echo\"]"
	bundle
	mv app execs
	policy
	bundle
	both do_programs
	# Its own libraries and theirs.
	program dynamic
	policy "$spawn | .process.allow_execs = [\"/bin/echo\"]"
	bundle
	atf_check -o inline:"hi\n" $AS ./app exec /bin/echo hi
	atf_check -s exit:1 -o match:"denied" -e ignore $AS ./app exec /bin/cat
}

atf_test_case limits
limits_head() { atf_set descr "the limits of the policy hold in a bundle"; }
do_limits()
{
	atf_check -s exit:124 -o inline:"ready\n" -e match:"wall" $AS ./brief spin
	# With a group for the whole tree it is killed, else it gets no more.
	atf_check -s not-exit:0 -o not-match:allocated -e ignore $AS ./app alloc 400000000
	atf_check -o match:"allocated" $AS ./roomy alloc 400000000
	atf_check -s not-exit:0 -o save:short -e ignore $AS ./app fill 100000
	[ "$(wc -c <short)" -le 5000 ] || atf_fail "more output than the policy allows"
	atf_check -o save:long $AS ./roomy fill 100000
	[ "$(wc -c <long)" -eq 100000 ] || atf_fail "less output than the policy allows"
}
limits_body()
{
	program
	policy '.limits.wall_ms = 1500'
	bundle
	mv app brief
	policy '.limits.mem_bytes = 1073741824'
	bundle
	mv app roomy
	policy '.limits.mem_bytes = 200000000 | .process.max_stdout_bytes = 5000'
	bundle
	both do_limits
}

atf_test_case environment
environment_head() { atf_set descr "the environment is what the policy lets through"; }
do_environment()
{
	atf_check -o not-match:"^SECRET=" -o not-match:"^LD_PRELOAD=" \
	    -o not-match:"^SHOWN=" \
	    $AS env SECRET=s SHOWN=v LD_PRELOAD=x ./app env
	atf_check -o not-match:"^SECRET=" -o match:"^SHOWN=v" \
	    $AS env SECRET=s SHOWN=v ./shows env
	atf_check -o match:"^SECRET=s" $AS env SECRET=s ./plain env
	# Nothing of the chain is left to the program.
	atf_check -o empty -x "$AS ./app fds 5</dev/null 7</dev/null"
	atf_check -o match:"^5$" -o match:"^7$" \
	    -x "$AS ./plain fds 5</dev/null 7</dev/null"
}
environment_body()
{
	program
	plain_bundle
	mv app plain
	policy '.env.enabled = true | .env.allow_keys = ["SHOWN"]'
	bundle
	mv app shows
	policy
	bundle
	both do_environment
}

# ---- looking at bundles ----

atf_test_case inspect
inspect_head() { atf_set descr "inspect lists the parts, their digests and the policy"; }
inspect_body()
{
	program
	policy
	bundle
	atf_check -o save:out x07-bundle inspect app
	for part in stub program/prog policy.json gate/x07-limit gate/x07-netgate \
	    gate/x07-fsgate gate/x07-execgate; do
		atf_check -o ignore grep -F "$part" out
	done
	sum=$(sha256sum prog)
	atf_check -o ignore grep -F "${sum%% *}" out
	sum=$(sha256sum policy.json)
	atf_check -o match:'fs\.read_roots' cat out
	plain_bundle
	atf_check -o match:'program/prog' -o not-match:'gate/' x07-bundle inspect app
	atf_check -s exit:1 -e match:"footer" -o empty x07-bundle inspect prog
	atf_check -s exit:2 -e match:"nonexistent" -o empty x07-bundle inspect nonexistent
	atf_check -s exit:2 -e ignore -o empty x07-bundle inspect
}

atf_test_case verify
verify_head() { atf_set descr "verify: 0 whole, 1 changed, 2 trouble"; }
do_verify()
{
	atf_check -o ignore $AS x07-bundle verify app
	atf_check -s exit:1 -o ignore -e match:"program/prog" $AS x07-bundle verify changed
	atf_check -s exit:1 -o ignore -e match:"." $AS x07-bundle verify prog
	atf_check -s exit:2 -e match:"nonexistent" $AS x07-bundle verify nonexistent
	atf_check -s exit:2 -e ignore $AS x07-bundle verify
	atf_check -s exit:2 -e ignore $AS x07-bundle verify -Z app
}
verify_body()
{
	program
	policy
	bundle
	python3 "$X07_TESTS/escape/bundle_attack.py" app changed flip program/prog
	both do_verify
}

atf_test_case extract
extract_head() { atf_set descr "extract writes the parts out, as they went in"; }
do_extract()
{
	rm -rf parts
	atf_check -o ignore $AS x07-bundle extract app parts
	atf_check cmp prog parts/program/prog
	atf_check test -x parts/program/prog
	atf_check -o ignore x07-policy check parts/policy.json
	atf_check test -x parts/gate/x07-fsgate
	# A changed bundle leaves nothing half-written.
	atf_check -s not-exit:0 -e match:"program/prog" $AS x07-bundle extract changed bad
	atf_check test ! -e bad
	# What is there is not overwritten.
	atf_check -s exit:2 -e match:parts $AS x07-bundle extract app parts
}
extract_body()
{
	program
	policy
	bundle
	python3 "$X07_TESTS/escape/bundle_attack.py" app changed flip program/prog
	both do_extract
}

atf_test_case reproducible
reproducible_head() { atf_set descr "the same input gives the same bytes, anywhere, any time"; }
reproducible_body()
{
	program
	policy
	bundle
	mkdir -p deep/er
	cp prog policy.json deep/er
	touch -d 2001-01-01 deep/er/prog
	(
		cd deep/er || exit 1
		umask 077
		SOURCE_DATE_EPOCH=1 TZ=Asia/Tokyo LC_ALL=C HOME=/ x07-bundle $accept \
		    --policy policy.json --out app -- ./prog >/dev/null
	) || atf_fail "in another directory"
	atf_check cmp app deep/er/app
	atf_check -o inline:"755\n" stat -c %a app
	mkdir d1 d2
	for epoch in 0 1000000000; do
		SOURCE_DATE_EPOCH=$epoch
		export SOURCE_DATE_EPOCH
		x07-bundle $accept --policy policy.json --out d1/a --oci o1.$epoch -- ./prog >/dev/null
		x07-bundle $accept --policy policy.json --out d2/a --oci o2.$epoch -- ./prog >/dev/null
		atf_check cmp d1/a d2/a
		atf_check diff -r o1.$epoch o2.$epoch
	done
	SOURCE_DATE_EPOCH=tomorrow
	atf_check -s exit:2 -e match:SOURCE_DATE_EPOCH x07-bundle $accept \
	    --policy policy.json --out a3 --oci o3 -- ./prog
	atf_check test ! -e a3 -a ! -e o3
}

# ---- making them ----

atf_test_case report
report_head() { atf_set descr "the report on standard output, as the reference toolchain has it"; }
report_body()
{
	program
	policy
	bundle --allow-read-root .
	for query in '.runner == "host"' '.world == "run-os-sandboxed"' \
	    '.bundle.abi.kind == "argv_v1"' '.bundle.kind == "native"' \
	    '.bundle.guest == null' '.bundle.name == "app"' \
	    '.bundle.out | endswith("app")' \
	    '.bundle.policy.base_policy | endswith("policy.json")' \
	    '.bundle.policy.effective_policy | length > 0' \
	    '.bundle.policy.embedded_env_keys | type == "array"' \
	    '.target | has("kind") and has("path") and has("project_root") and
	      has("lockfile") and has("resolved_module_roots")' \
	    '.schema_version | type == "string"' 'has("report")'; do
		atf_check -o inline:"true\n" jq "$query" report.json
	done
	plain_bundle
	atf_check -o inline:"true\n" jq '.bundle.policy == null and .world == "run-os"' report.json
}

atf_test_case project
project_head() { atf_set descr "x07.json: profiles, the policy's path, the directory as --out"; }
project_body()
{
	mkdir p
	cd p || atf_fail "cd"
	program
	policy
	cat >x07.json <<-'END'
	{ "schema_version": "x07.project@0.5.0", "world": "run-os", "entry": "src/main.x07.json",
	  "module_roots": ["src"], "default_profile": "os",
	  "profiles": { "os": { "world": "run-os", "program": ["./prog"] },
	    "sandbox": { "world": "run-os-sandboxed", "policy": "policy.json",
	      "program": ["./prog"] } } }
	END
	atf_check -o ignore x07 bundle --project x07.json --profile os --out app
	atf_check -o inline:"hello from the program\n" ./app
	atf_check -o ignore x07-bundle --project x07.json --profile os --out same
	atf_check cmp app same
	atf_check -s exit:2 -e match:"x07.json" x07-bundle --project nothing/x07.json --out none
	atf_check -o ignore x07 bundle --project . $accept --out boxed
	atf_check -s exit:1 -o match:denied ./boxed read /etc/shadow
	mkdir dist
	atf_check -o ignore x07 bundle --profile os --out dist/
	atf_check -o inline:"hello from the program\n" dist/p
}

atf_test_case usage
usage_head() { atf_set descr "what is wrong is one line, with the spec's status, and writes nothing"; }
usage_body()
{
	program
	policy
	echo '{' >broken.json
	x07-policy init --template cli --emit policy | jq '.limits.wall_ms = "x"' >bad.json
	while read -r status args; do
		eval "set -- $args"
		x07-bundle "$@" >out 2>err
		st=$?
		[ $st -eq $status ] || atf_fail "x07-bundle $args: exit $st: $(cat err)"
		[ "$(wc -l <err)" -eq 1 ] || atf_fail "x07-bundle $args: $(cat err)"
		[ ! -s out ] || atf_fail "x07-bundle $args wrote to stdout"
		atf_check test ! -e app -a ! -e app.vm
	done <<-END
	2 --profile os -- ./prog
	2 --profile os --out app -- ./nonexistent
	2 --profile os --out app -- .
	2 --profile os --out app
	2 --profile moon --out app -- ./prog
	2 --profile os --policy policy.json --out app -- ./prog
	2 --profile os --sandbox-backend os --out app -- ./prog
	2 --profile os --allow-host a:1 --out app -- ./prog
	2 --profile sandbox --sandbox-backend os --policy policy.json --out app -- ./prog
	2 --profile sandbox --sandbox-backend none --policy policy.json --out app -- ./prog
	2 --profile sandbox --sandbox-backend moon --policy policy.json --out app -- ./prog
	2 $accept --out app -- ./prog
	2 $accept --policy nonexistent --out app -- ./prog
	3 $accept --policy broken.json --out app -- ./prog
	2 --nonsense --out app -- ./prog
	2 --out
	2 --out '' -- ./prog
	2 --profile '' --out app -- ./prog
	2 --policy '' --out app -- ./prog
	2 --oci '' --out app -- ./prog
	2 --emit-dir '' --out app -- ./prog
	END
	atf_check -s exit:3 -o ignore -e match:"wall_ms" x07-bundle $accept \
	    --policy bad.json --allow-read-root . --out app -- ./prog
	atf_check test ! -e app
	# An output that is there stays whole when nothing can be made.
	echo old >app
	atf_check -s not-exit:0 -o ignore -e ignore x07-bundle --profile os --out app -- ./nonexistent
	atf_check -o inline:"old\n" cat app
	plain_bundle
	atf_check -o inline:"hello from the program\n" ./app
	atf_check -o match:"x07-bundle" x07-bundle -h
}

atf_test_case missing_library
missing_library_head() { atf_set descr "a library that is missing is named"; }
missing_library_body()
{
	echo 'int f(void) { return 1; }' >l.c
	echo 'int f(void); int main(void) { return f(); }' >p.c
	cc -shared -fPIC -o libgone.so l.c
	cc -o prog p.c -L. -lgone -Wl,-rpath,"$PWD"
	policy
	bundle
	atf_check -o match:"lib$PWD/libgone.so" x07-bundle inspect app
	mv libgone.so elsewhere
	atf_check -s exit:127 -e match:libgone.so ./prog
	atf_check -s not-exit:0 -o ignore -e match:"libgone.so" x07-bundle $accept \
	    --policy policy.json --out new -- ./prog
	atf_check test ! -e new
}

atf_test_case real
real_head()
{
	atf_set descr "real programs: busybox, curl, python, Go"
	atf_set timeout 600
}
do_real()
{
	atf_check -o inline:"page\n" -e ignore $AS ./curl-app -sS --max-time 60 \
	    "http://127.0.0.1:$SERVER_PORT/index.html"
	atf_check -s not-exit:0 -o empty -e ignore $AS ./curl-app -sS --max-time 60 \
	    "file:///etc/hostname"
	atf_check -o inline:"go a b\n" $AS ./go-app a b
	atf_check -o inline:"script a b\n" $AS ./script-app a b
}
real_cleanup() { stop_servers; }
real_body()
{
	mkdir www
	echo page >www/index.html
	http_server 127.0.0.1 www
	policy '.net.enabled = true | .net.allow_tcp = true |
	    .threads.max_workers = 64 | .limits.procs = 256 | .limits.mem_bytes = 4000000000'
	atf_check -o ignore -e match:derived x07-bundle $accept --policy policy.json \
	    --allow-host "127.0.0.1:$SERVER_PORT" --out curl-app -- curl
	cat >main.go <<-'END'
	package main

	import (
		"fmt"
		"os"
	)

	func main() { fmt.Println("go", os.Args[1], os.Args[2]) }
	END
	HOME=$PWD GOCACHE=$PWD/cache CGO_ENABLED=0 go build -o go-prog main.go || atf_fail go
	atf_check -o ignore x07-bundle $accept --policy policy.json --out go-app -- ./go-prog
	printf '#!/bin/sh\necho script "$1" "$2"\n' >script
	chmod +x script
	atf_check -o ignore x07-bundle --profile os --out script-app -- ./script
	both do_real
}

atf_test_case container cleanup
container_head()
{
	atf_set descr "a bundle for podman runs its image, by digest, once weaker isolation is accepted"
	atf_set timeout 600
}
container_body()
{
	need_root
	command -v podman >/dev/null || atf_skip "no podman here"
	program
	mkdir -p root/bin root/proc root/tmp root/dev root/etc work
	cp /bin/busybox root/bin/
	tar -C root -cf root.tar .
	ran=no
	for runtime in crun runc; do
		podman_with $runtime
		podman import -q root.tar x07test:1 >id 2>err ||
		    atf_skip "podman import: $(tail -n 1 err)"
		podman run --rm --network none x07test:1 /bin/busybox true 2>err </dev/null &&
		    ran=yes && break
	done
	[ $ran = yes ] || atf_skip "podman runs nothing here: $(tail -n 1 err)"
	digest=$(podman image inspect --format '{{.Digest}}' x07test:1)
	mv prog work/
	cd work || atf_fail "cd"
	policy
	atf_check -o ignore x07-bundle --profile sandbox --policy policy.json \
	    --vm-backend podman --vm-image x07test:1 --vm-image-digest "$digest" \
	    --out app -- ./prog
	atf_check -s exit:125 -e match:"i-accept-weaker-isolation" ./app args a
	export X07_I_ACCEPT_WEAKER_ISOLATION=1
	atf_check -o inline:"<a>\n" ./app args a
	atf_check -o ignore x07-bundle --profile sandbox --policy policy.json \
	    --vm-backend podman --vm-image x07test:1 \
	    --vm-image-digest "sha256:$(printf %064d 7)" --out wrong -- ./prog
	atf_check -s exit:125 -o empty -e match:"sha256:0*7" ./wrong args a
}
container_cleanup()
{
	podman_gone
}

atf_test_case whole
whole_head()
{
	atf_set descr "directories appear whole, whatever ends x07-bundle, or not at all"
	atf_set timeout 300
}
# none_of NAME: nothing is left by that name or one that begins with it.
none_of()
{
	[ -z "$(find . -maxdepth 1 -name "$1*")" ]
}
# cut_short BYTES NAME COMMAND...: it may write no longer files. Killed for that, or told of it,
# it leaves nothing by that name.
cut_short()
{
	_limit=$1
	_name=$2
	shift 2
	atf_check -s "signal:$(kill -l XFSZ)" -o ignore prlimit --core=0 --fsize="$_limit" "$@"
	wait_for 10 none_of "$_name"
	atf_check -s exit:2 -o ignore -e match:"$_name.*: File too large" \
	    prlimit --fsize="$_limit" env --ignore-signal=XFSZ "$@"
	none_of "$_name" || atf_fail "left: $(ls)"
}
# ended SIGNAL: while it extracts.
ended()
{
	$AS env --default-signal=INT x07-bundle extract large new 2>said &
	_pid=$!
	for _i in $(seq 2000); do
		none_of new || break
		sleep 0.005
	done
	kill -STOP $_pid
	[ ! -e new ] || atf_fail "a directory that is not whole: $(ls -R new)"
	kill "-$1" $_pid
	kill -CONT $_pid 2>/dev/null
	_st=0
	wait $_pid || _st=$?
	[ $_st -eq $((128 + $(kill -l "$1"))) ] || atf_fail "status $_st after SIG$1"
	wait_for 10 none_of new
}
do_whole()
{
	rm -rf here image* copy
	cut_short 100000 new $AS x07-bundle extract app new
	size=$(stat -c %s app)
	$AS mkdir here || atf_fail mkdir
	cut_short "$size" image $AS x07-bundle $accept --policy policy.json --out here/app \
	    --oci image -- ./prog
	for signal in TERM INT HUP KILL; do
		ended $signal
	done
	# Whole, it has the modes that a new directory has, and a name may end in a slash.
	atf_check $AS sh -c 'umask 027; exec x07-bundle extract app new/'
	atf_check -o inline:'750 new\n' stat -c '%a %n' new
	rm -rf new
	# What is there is refused before anything is made.
	$AS mkdir image
	atf_check -s exit:2 -e inline:'x07-bundle: --oci image: File exists\n' $AS x07-bundle \
	    $accept --policy policy.json --out copy --oci image -- ./prog
	none_of copy || atf_fail "left: $(ls)"
	rmdir image
}
whole_body()
{
	program
	policy
	bundle
	(cat prog && head -c 100000000 /dev/zero) >big
	chmod 755 big
	atf_check -o ignore x07-bundle --profile os --out large -- ./big
	both do_whole
	# shellcheck disable=SC2016 # for the sh inside
	unshare -rm true || atf_skip "no mounts here: a full file system was not tried"
	# shellcheck disable=SC2016
	atf_check -s exit:2 -o empty -e match:"No space left on device" unshare -rm sh -c '
	    mount -t tmpfs -o size=1m none /mnt && x07-bundle extract app /mnt/new
	    status=$?; ls -A /mnt; exit $status'
}

atf_test_case replaced
replaced_head()
{
	atf_set descr "a bundle that cannot be made whole leaves the one that is there as it is"
	atf_set timeout 600
}
# as_before: the bundle and what is beside it, and nothing else.
as_before()
{
	find app app.* -exec sh -c 'for f; do echo "$f"; [ -d "$f" ] || sha256sum <"$f"; done' \
	    sh {} + >after 2>&1 || :
	cmp -s before after
}
vm_bundle()
{
	$AS x07-bundle --profile sandbox --policy policy.json --vm-backend podman --vm-image r/i:1 \
	    --vm-image-digest "sha256:$(printf %064d 7)" --out app -- "$1" >/dev/null
}
do_replaced()
{
	rm -rf app*
	vm_bundle ./prog || atf_fail "x07-bundle"
	find app app.* -exec sh -c 'for f; do echo "$f"; [ -d "$f" ] || sha256sum <"$f"; done' \
	    sh {} + >before
	for signal in default ignore; do
		# shellcheck disable=SC2031 # the limits are for this one only
		(AS="prlimit --core=0 --fsize=20000000 env --$signal-signal=XFSZ $AS" vm_bundle ./big) &&
		    atf_fail "it wrote longer files than it may"
		wait_for 10 as_before
	done
	# While another tool makes the guest's image.
	for signal in TERM KILL; do
		$AS x07-bundle --profile sandbox --policy policy.json --vm-backend qemu --out app \
		    -- ./big >/dev/null 2>said &
		_pid=$!
		for _i in $(seq 2000); do
			[ -z "$(find . -path './app.vm.*/image*')" ] || break
			[ -d /proc/$_pid ] || break
			sleep 0.005
		done
		[ ! -d /proc/$_pid ] || kill -$signal $_pid
		wait $_pid
		wait_for 20 as_before
	done
	# Whole, it replaces both, also when what is beside it is a link.
	mv app.vm elsewhere
	$AS ln -s elsewhere app.vm
	vm_bundle ./big || atf_fail "x07-bundle"
	atf_check cmp big app.vm/payload
	atf_check cmp prog elsewhere/payload
	atf_check -o inline:"app\napp.vm\n" find app* -maxdepth 0
	[ ! -L app.vm ] || atf_fail "the link stayed"
	vm_bundle ./prog || atf_fail "x07-bundle"
	atf_check cmp prog app.vm/payload
	atf_check -o inline:"app\napp.vm\n" find app* -maxdepth 0
	rm -rf app* elsewhere
}
replaced_body()
{
	program
	policy
	(cat prog && head -c 50000000 /dev/zero) >big
	chmod 755 big
	both do_replaced
}

atf_test_case oci cleanup
oci_head()
{
	atf_set descr "--oci writes an image layout that tools of others read"
	atf_set timeout 300
}
oci_body()
{
	program
	policy
	bundle --oci image
	atf_check -o inline:'{"imageLayoutVersion":"1.0.0"}\n' jq -c . image/oci-layout
	digest=$(jq -r '.manifests[0].digest' image/index.json)
	for blob in image/blobs/sha256/*; do
		sum=$(sha256sum "$blob")
		[ "${sum%% *}" = "${blob##*/}" ] || atf_fail "$blob is not what its name says"
	done
	manifest=image/blobs/sha256/${digest#sha256:}
	atf_check -o ignore jq -e '.schemaVersion == 2 and (.layers | length) == 1' "$manifest"
	layer=$(jq -r '.layers[0].digest' "$manifest")
	atf_check -o save:names tar tf "image/blobs/sha256/${layer#sha256:}"
	mkdir root
	tar xf "image/blobs/sha256/${layer#sha256:}" -C root
	found=$(find root -type f)
	atf_check cmp app "$found"
	command -v skopeo >/dev/null || atf_skip "no skopeo here: only jq and tar were tried"
	atf_check -o match:'"Architecture"' skopeo inspect oci:image
	command -v podman >/dev/null || atf_skip "no podman here: skopeo was tried, no run"
	[ "$(id -u)" -eq 0 ] || atf_skip "podman was tried as root only; skopeo was tried"
	ran=no
	for runtime in crun runc; do
		podman_with $runtime
		podman pull -q oci:image >pulled 2>err ||
		    atf_skip "podman cannot pull here: $(tail -n 1 err); skopeo was tried"
		podman run --rm --network none --privileged "$(tail -n 1 pulled)" \
		    args 'a b' >out 2>err </dev/null && ran=yes && break
	done
	[ $ran = yes ] ||
	    atf_skip "podman cannot run here: $(tail -n 1 err); skopeo was tried"
	atf_check -o inline:"<a b>\n" cat out
}
oci_cleanup()
{
	podman_gone
}

atf_test_case completions
completions_head() { atf_set descr "completions and page know every option"; }
completions_body()
{
	completions_ask x07-bundle
	atf_check -o inline:'--vm-backend\n--vm-image\n--vm-image-digest\n' bash ask.bash --vm
	atf_check -o inline:'os\nsandbox\n' bash ask.bash --profile ''
	atf_check -o inline:'os\nsandbox\n' bash ask.bash --profile =
	atf_check -o inline:'qemu\n' bash ask.bash --profile = os --vm-backend = q
	atf_check -o inline:'ask.bash\n' bash ask.bash verify ask
	atf_check -o inline:'-j\n' bash ask.bash inspect -
	atf_check -o match:'^verify$' bash ask.bash ver
	for o in $(x07-bundle -h | grep -oE -- '--[a-z-]+' | sort -u); do
		atf_check -o inline:"$o\\n" -x "bash ask.bash $o | grep -x -- $o"
		atf_check -o ignore grep -e "[{,'*]$o" "$X07_SRC/share/completions/zsh/_x07-bundle"
		atf_check -o ignore grep -e "-l ${o#--} " \
		    "$X07_SRC/share/completions/fish/x07-bundle.fish"
		case $o in
		--help | --version) ;;
		*) atf_check -o ignore grep -e "Fl -${o#--}" "$X07_SRC/man/x07-bundle.1" ;;
		esac
	done
	command -v zsh >/dev/null || atf_skip "no zsh: only bash was tested"
	# shellcheck disable=SC2016 # for zsh
	atf_check -o inline:'_x07-bundle\n' zsh -fc 'fpath=("$X07_SRC/share/completions/zsh" $fpath)
	    autoload -Uz compinit && compinit -u -D && print $_comps[x07-bundle] &&
	    autoload +X _x07-bundle'
}

atf_test_case machine
machine_head()
{
	atf_set descr "a bundle with a machine of its own: runs, renamed too; an edited sidecar and foreign variables are refused"
	atf_set timeout 1200
}
# refuses TEXT COMMAND...: it does, with this text, and nothing has run.
refuses()
{
	_text=$1
	shift
	atf_check -s exit:125 -o empty -e match:"$_text" "$@"
}
machine_once()
{
	firm_work_dir
	rm -rf app* moved jobs
	$AS mkdir moved jobs
	$AS x07-bundle --profile sandbox --policy policy.json --out app -- ./prog >report.json ||
	    atf_fail "x07-bundle"
	atf_check -o inline:"vm linux $(jq -r .guest_digest app.vm/manifest.json)\n" jq -r \
	    '.bundle | "\(.kind) \(.guest.platform.os) \(.guest.image.digest)"' report.json
	atf_check -o inline:'["schema_version","backend","guest_image","guest_digest","payload","workdir","policy","payload_digest","policy_digest"]\n' \
	    jq -c keys_unsorted app.vm/manifest.json
	atf_check -o inline:"x07.vm.bundle.manifest@0.2.0 qemu sha256:$(sha256sum <app.vm/payload | cut -d ' ' -f 1)\n" \
	    jq -r '"\(.schema_version) \(.backend) \(.payload_digest)"' app.vm/manifest.json
	# As it is, and renamed: the sidecar is found by the name it was made with, too.
	atf_check -o inline:"<a b>\n" $AS env X07_VM_STATE_DIR="$PWD/jobs" ./app args 'a b'
	$AS cp app moved/other
	$AS ln -s ../app.vm moved/app.vm
	atf_check -o inline:"<c>\n" $AS env X07_VM_STATE_DIR="$PWD/jobs" moved/other args c
	rm moved/app.vm
	refuses "app.vm is missing" $AS moved/other args c
	# The caller's variables choose no other machine.
	refuses "X07_VM_BACKEND=podman: this bundle is for qemu" \
	    $AS env X07_VM_BACKEND=podman ./app args
	refuses "X07_VM_GUEST_IMAGE=/elsewhere" $AS env X07_VM_GUEST_IMAGE=/elsewhere ./app args
	for file in payload policy.json manifest.json image/kernel image/initramfs image/cmdline; do
		cat "app.vm/$file" >saved
		chmod u+w "app.vm/$file"
		printf x >>"app.vm/$file"
		refuses "was changed|the guest image is" \
		    $AS env X07_VM_STATE_DIR="$PWD/jobs" ./app args
		cat saved >"app.vm/$file"
	done
	atf_check -o inline:"<d>\n" $AS env X07_VM_STATE_DIR="$PWD/jobs" ./app args d
	[ -z "$(ls jobs)" ] || atf_fail "left: $(ls jobs)"
}
machine_body()
{
	program
	policy
	chmod a+rX . policy.json prog
	both machine_once
	# An image of a container runtime is named by its digest.
	atf_check -s exit:2 -e match:"needs --vm-image REF and --vm-image-digest" x07-bundle \
	    --profile sandbox --policy policy.json --vm-backend podman --out other -- ./prog
	atf_check -o ignore x07-bundle --profile sandbox --policy policy.json \
	    --vm-backend podman --vm-image registry.example/guest:1 \
	    --vm-image-digest "sha256:$(printf %064d 7)" --out other -- ./prog
	atf_check -o inline:"podman registry.example/guest:1 sha256:$(printf %064d 7)\n" jq -r \
	    '"\(.backend) \(.guest_image) \(.guest_digest)"' other.vm/manifest.json
	[ ! -e other.vm/image ] || atf_fail "a guest of its own beside an image"
}

atf_init_test_cases()
{
	for t in plain dynamic places in_root read_only empty_root files net programs limits \
	    environment inspect verify extract whole replaced reproducible report project usage \
	    missing_library real machine container oci completions; do
		atf_add_test_case $t
	done
}
