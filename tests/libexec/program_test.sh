#!/usr/bin/env atf-sh
# shellcheck disable=SC2086 # $AS and $accept are lists of words
# The forms of a program: a profile's words, a build before it, .c files; and
# where their input comes from (libexec/x07/{build,input}).
. "$X07_TESTS/lib.sh"

AS=
accept="--sandbox-backend os --i-accept-weaker-isolation"
sandbox=.x07/policies/base/cli.sandbox.base.policy.json

# project PROFILES: a project with a policy, open to the ordinary user.
project()
{
	[ -e "$sandbox" ] || x07 policy init --template cli >/dev/null || atf_fail "policy"
	cat >x07.json <<EOF
{"schema_version": "x07.project@0.5.0", "world": "run-os", "entry": "main.c",
 "module_roots": ["src"], "profiles": {$1}}
EOF
	mkdir -p out bin
	cat >main.c <<'EOF'
#include <stdio.h>
int
main(int argc, char **argv)
{
	int c;

	for (int i = 1; i < argc; i++)
		printf("[%s]", argv[i]);
	while ((c = getchar()) != EOF)
		putchar(c);
	return 5;
}
EOF
	chmod -R a+rwX .
}

# world NAME: the members of a profile in that world.
world()
{
	case $1 in
	os) echo '"world": "run-os"' ;;
	sandbox) echo "\"world\": \"run-os-sandboxed\", \"policy\": \"$sandbox\"" ;;
	esac
}

atf_test_case words
words_head() { atf_set descr "a profile's program, with its own words and ours"; }
words_once()
{
	printf '#!/bin/sh\nprintf "[%%s]" "$@"\npwd\n' >tool
	for w in os sandbox; do
		project "\"p\": {$(world $w), \"program\": [\"./tool\", \"a b\", \"it's \$x\", \"\"]},
		    \"q\": {$(world $w), \"program\": [\"echo\", \"-n\", \"x;\"]}"
		chmod 755 tool
		atf_check -o inline:"[a b][it's \$x][]$PWD\n" $AS x07 run -q $accept --profile p
		atf_check -o inline:"[a b][it's \$x][][c d][-v]$PWD\n" \
		    $AS x07 run -q $accept --profile p -- 'c d' -v
		atf_check -o inline:"x; y" $AS x07 run -q $accept --profile q -- y
	done
	rm -rf tool .x07 out bin
}
words_body() { both words_once; }

atf_test_case build
build_head() { atf_set descr "build, then program; a build that fails runs nothing"; }
build_once()
{
	for w in os sandbox; do
		project "\"b\": {$(world $w), \"build\": [\"cc\", \"-o\", \"bin/m\", \"main.c\"],
		    \"program\": [\"bin/m\", \"w\"]},
		  \"bad\": {$(world $w), \"build\": [\"sh\", \"-c\", \"echo no; exit 9\"],
		    \"program\": [\"touch\", \"out/ran\"]},
		  \"none\": {$(world $w), \"build\": [\"true\"]}"
		atf_check -s exit:5 -o inline:"[w][x]in" sh -c \
		    'printf in | "$@"' sh $AS x07 run -q $accept --profile b -- x
		# What a build says is not the program's output.
		atf_check -s exit:1 -o empty -e match:"^no$" \
		    -e match:"the build failed \(exit status 9\); nothing was run" \
		    $AS x07 run -q $accept --profile bad
		[ ! -e out/ran ] || atf_fail "the program was run"
		atf_check -s exit:2 -e match:"profiles.none.build needs a program" \
		    $AS x07 run -q $accept --profile none
		rm -f bin/m
	done
	rm -rf .x07 out bin
}
build_body() { both build_once; }

atf_test_case build_confined cleanup
build_confined_head() { atf_set descr "the build phase reaches the project, and neither network nor home"; }
build_confined_once()
{
	http_server 127.0.0.1 .
	url=http://127.0.0.1:$SERVER_PORT/
	secret=$(mktemp /var/tmp/x07-secret.XXXXXX)
	chmod 644 "$secret"
	project "\"write\": {$(world sandbox), \"build\": [\"touch\", \"made\"], \"program\": [\"true\"]},
	  \"net\": {$(world sandbox), \"build\": [\"curl\", \"-sS\", \"--max-time\", \"20\", \"$url\"], \"program\": [\"true\"]},
	  \"home\": {$(world sandbox), \"build\": [\"ls\", \"$secret\"], \"program\": [\"true\"]},
	  \"fds\": {$(world sandbox), \"build\": [\"sh\", \"-c\", \"ls /proc/self/fd >fds\"], \"program\": [\"true\"]},
	  \"free\": {$(world os), \"build\": [\"curl\", \"-sS\", \"--max-time\", \"20\", \"$url\"], \"program\": [\"true\"]}"
	atf_check $AS x07 run -q $accept --profile write
	[ -e made ] || atf_fail "the build wrote nothing"
	atf_check -s exit:1 -e match:"the build failed" $AS x07 run -q $accept --profile net
	atf_check -s exit:0 -e ignore $AS x07 run --profile free
	atf_check -s exit:1 -e match:"No such file" $AS x07 run -q $accept --profile home
	# Nothing of the chain is open in it: what ls itself opens is the fourth.
	atf_check $AS x07 run -q $accept --profile fds --log log --report r.json
	atf_check -o inline:"0\n1\n2\n3\n" cat fds
	stop_servers
	rm -rf "$secret" .x07 out bin made fds log r.json
}
build_confined_body() { both build_confined_once; }
build_confined_cleanup() { stop_servers; }

atf_test_case build_signal
build_signal_head() { atf_set descr "a build that is interrupted ends at once and leaves nothing"; }
build_signal_body()
{
	project "\"os\": {$(world os)}"
	mkdir tools
	printf '#!/bin/sh\nwhile [ "$1" != -o ]; do shift; done\necho half >"$2"\necho x >started\nexec sleep 60\n' >tools/cc
	chmod 755 tools/cc
	PATH=$PWD/tools:$PATH x07 run &
	pid=$!
	wait_for 20 test -e started
	kill -TERM "$pid"
	wait "$pid"
	status=$?
	[ "$status" -eq 143 ] || atf_fail "status $status"
	atf_check -o empty ls -A .x07/build
}

atf_test_case c_entry
c_entry_head() { atf_set descr "an entry or --program that ends in .c is built with cc"; }
c_entry_once()
{
	for w in os sandbox; do
		project "\"$w\": {$(world $w)}"
		atf_check -s exit:5 -o inline:"[a b]in" sh -c 'printf in | "$@"' sh \
		    $AS x07 run -q $accept --profile $w -- 'a b'
		[ "$(ls .x07/build)" = main ] || atf_fail "left: $(ls .x07/build)"
	done
	rm x07.json
	atf_check -s exit:5 -o inline:"[y]" $AS x07 run --program main.c -- y </dev/null
	atf_check -s exit:5 -o inline:"[y]" $AS x07 run -q --world run-os-sandboxed \
	    --policy "$sandbox" $accept --program main.c -- y </dev/null
	echo 'int main(void) { return x; }' >bad.c
	atf_check -s exit:1 -e match:"the build failed" $AS x07 run --program bad.c
	[ "$(ls .x07/build)" = main ] || atf_fail "left: $(ls .x07/build)"
	for flag in '--module-root src' --auto-ffi '--solve-fuel 1' '--cc-profile size'; do
		atf_check -s exit:2 -e match:"is for X07 programs" \
		    $AS x07 run $flag --program main.c
	done
	rm -rf .x07 out bin bad.c
}
c_entry_body() { both c_entry_once; }

atf_test_case program_file
program_file_head() { atf_set descr "--program FILE that is no source is run as it is"; }
program_file_once()
{
	project "\"os\": {$(world os)}"
	printf '#!/bin/sh\necho script "$@"\n' >./-s
	chmod 755 ./-s
	atf_check -o inline:"script x\n" $AS x07 run --program ./-s -- x
	atf_check -o inline:"script x\n" $AS x07 run --program -s -- x
	atf_check -o inline:"script x\n" $AS x07 run -q --program -s \
	    --world run-os-sandboxed --policy "$sandbox" $accept -- x
	atf_check -s exit:2 -e match:"no such file" $AS x07 run --program nothing
	rm -rf ./-s .x07 out bin
}
program_file_body() { both program_file_once; }

atf_test_case input
input_head() { atf_set descr "--input, --input-b64, the profile's input; else the standard input itself"; }
input_once()
{
	for w in os sandbox; do
		project "\"p\": {$(world $w), \"input\": \"in\"}, \"q\": {$(world $w)}"
		rm main.c
		printf 'of the profile' >in
		printf 'of the flag' >./-in
		run="$AS x07 run -q $accept --profile"
		atf_check -o inline:"of the profile" $run p -- cat </dev/null
		atf_check -o inline:"of the flag" $run p --input -in -- cat </dev/null
		atf_check -o inline:"piped" sh -c 'printf piped | "$@"' sh $run p --stdin -- cat
		atf_check -o inline:"piped" sh -c 'printf piped | "$@"' sh $run q -- cat
		atf_check -o inline:"A\000B" $run q --input-b64 QQBC -- cat
		for bad in Q 'QQ=' 'QQBC!' 'QR=='; do
			atf_check -s exit:125 -e match:"--input-b64" $run q \
			    --input-b64 "$bad" -- cat
		done
		atf_check -s exit:2 -e match:"cannot read the input: .*/nothing" \
		    $run q --input nothing -- touch ran
		rm -f in
		atf_check -s exit:2 -e match:"cannot read the input: $PWD/in" \
		    $run p -- touch ran
	done
	[ ! -e ran ] || atf_fail "a program was run"
	rm -rf .x07 out bin ./-in
}
input_body() { both input_once; }

atf_test_case limits
limits_head() { atf_set descr "limits of a profile and of flags, beside the policy"; }
limits_body()
{
	project "\"o\": {$(world os), \"max_output_bytes\": 5, \"program\": [\"echo\", \"123456789\"]},
	  \"c\": {$(world os), \"cpu_time_limit_seconds\": 1, \"program\": [\"sh\", \"-c\", \"while :; do :; done\"]},
	  \"z\": {$(world os), \"cpu_time_limit_seconds\": 0, \"program\": [\"echo\", \"z\"]}"
	atf_check -s not-exit:0 -o inline:"12345" -e match:"x07-limit" x07 run --profile o
	atf_check -o inline:"123456789\n" x07 run --profile o --max-output-bytes 10
	atf_check -s not-exit:0 -e match:"x07-limit" x07 run --profile c
	atf_check -o inline:"z\n" x07 run --profile z
	rm x07.json
	atf_check -s not-exit:0 -o inline:"123" -e match:"x07-limit" x07 run -q $accept \
	    --world run-os-sandboxed --policy "$sandbox" --max-output-bytes 3 -- echo 12345
}

atf_init_test_cases()
{
	atf_add_test_case words
	atf_add_test_case build
	atf_add_test_case build_confined
	atf_add_test_case build_signal
	atf_add_test_case c_entry
	atf_add_test_case program_file
	atf_add_test_case input
	atf_add_test_case limits
}
