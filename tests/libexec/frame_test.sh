#!/usr/bin/env atf-sh
# shellcheck disable=SC2086 # $AS and $accept are lists of words
# X07 programs: what x07-os-runner is asked to compile, their frames, and the
# environment they read (libexec/x07/{frame,input,environ}).
. "$X07_TESTS/lib.sh"

AS=
accept="--sandbox-backend os --i-accept-weaker-isolation"
sandbox=.x07/policies/base/web-service.sandbox.base.policy.json

# A project with an X07 program, and on PATH what stands for its compiler: it makes
# a program that does what its input says, and notes how it was called.
project()
{
	x07 init --template web-service >/dev/null || atf_fail "init"
	mkdir -p src out tools
	echo '{}' >src/main.x07.json
	cat >src/main.c <<'EOF'
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;
static char in[70000], out[70000];

static void
put_frame(size_t n, size_t claimed)
{
	unsigned char h[4] = { (unsigned char)claimed, (unsigned char)(claimed >> 8),
	    (unsigned char)(claimed >> 16), (unsigned char)(claimed >> 24) };

	fwrite(h, 1, 4, stdout);
	fwrite(out, 1, n, stdout);
	fflush(stdout);
}

int
main(void)
{
	size_t n, len;

	n = fread(in, 1, sizeof(in) - 1, stdin);
	len = (unsigned char)in[0] | (size_t)(unsigned char)in[1] << 8 |
	    (size_t)(unsigned char)in[2] << 16;
	if (n < 4 || n != len + 4)
		return 99;
	if (strncmp(in + 4, "env", 3) == 0) {
		for (char **e = environ; *e != NULL; e++)
			strcat(strcat(out, *e), "\n");
		len = strlen(out);
	} else
		memcpy(out, in + 4, len);
	if (strncmp(out, "none", 4) == 0)
		;
	else if (strncmp(out, "short", 5) == 0)
		put_frame(len, len + 1);
	else if (strncmp(out, "big", 3) == 0)
		put_frame(60000, 60000);
	else
		put_frame(len, len);
	if (strncmp(out, "trap", 4) == 0) {
		fprintf(stderr, "os.fs disabled by policy\n");
		abort();
	}
	if (strncmp(out, "flood", 5) == 0)
		for (int i = 0; i < 20000; i++)
			fprintf(stderr, "a line of noise\n");
	if (strncmp(out, "silent", 6) != 0)
		fprintf(stderr, "noise\n{\"fuel_used\":1,\"heap_used\":2}\n");
	return strncmp(out, "seven", 5) == 0 ? 7 : 0;
}
EOF
	cc -o tools/program src/main.c || atf_fail "cc"
	cat >tools/x07-os-runner <<EOF
#!/bin/sh
echo compiling
echo "\$*" >>"$PWD/called"
while [ "\$1" != --compiled-out ]; do shift; done
[ ! -e "$PWD/broken" ] || { echo "cannot compile"; exit 3; }
cp "$PWD/tools/program" "\$2"
EOF
	chmod 755 tools/x07-os-runner
	chmod -R a+rwX .
	PATH=$PWD/tools:$PATH
	export PATH
}

atf_test_case framed
framed_head() { atf_set descr "input goes into the frame, what comes in one goes to stdout; metrics are not shown"; }
framed_once()
{
	project
	for w in os sandbox; do
		run="$AS x07 run -q $accept --profile $w"
		printf 'from a file' >file
		atf_check -o inline:"from a file" -e inline:"noise\n" $run --input file
		atf_check -o inline:"piped" -e ignore sh -c 'printf piped | "$@"' sh $run
		atf_check -o inline:"piped" -e ignore sh -c 'printf piped | "$@"' sh $run --stdin
		atf_check -o inline:"QQ" -e ignore $run --input-b64 UVE=
		atf_check -o empty -e ignore $run </dev/null
		# Words are argv_v1: their number, then length and bytes of each.
		atf_check -o inline:'\002\000\000\000\003\000\000\000a b\000\000\000\000' \
		    -e ignore $run -- 'a b' ''
		atf_check -s exit:2 -e match:"gets its arguments as input" \
		    $run --input file -- word
	done
	# Without a project, too.
	atf_check -o inline:"alone" -e ignore sh -c 'printf alone | "$@"' sh \
	    $AS x07 run --program src/main.x07.json
	atf_check -o inline:"alone" -e ignore sh -c 'printf alone | "$@"' sh \
	    $AS x07 run --artifact .x07/build/main
	rm -rf .x07 x07.json src out tools file called
}
framed_body() { both framed_once; }

atf_test_case faults
faults_head() { atf_set descr "no frame, a wrong one, too much, a trap: one line, and a status"; }
faults_body()
{
	project
	for w in os sandbox; do
		run="x07 run -q $accept --profile $w"
		while IFS='|' read -r word status why; do
			printf '%s' "$word" >in
			atf_check -s "$status" -o ignore -e match:"$why" $run --input in
		done <<'END'
none|exit:1|trapped: its output has no frame
short|exit:1|trapped: its frame has another length than it says
silent|exit:1|trapped: missing metrics json line on stderr
flood|exit:1|trapped: stderr exceeded cap
seven|exit:7|noise
END
		printf 'trap' >in
		atf_check -s exit:134 -o inline:"trap" \
		    -e inline:"os.fs disabled by policy\n" $run --input in
		printf 'big' >in
		atf_check -o match:"^big" -e ignore $run --input in
		atf_check -s exit:1 -o empty -e match:"stdout exceeded cap" \
		    $run --max-output-bytes 1000 --input in
	done
}

atf_test_case compiler
compiler_head() { atf_set descr "what the compiler is asked for; its absence and failures are told"; }
compiler_body()
{
	project
	printf x >in
	atf_check -o inline:"x" -e ignore x07 run -q $accept --input in --solve-fuel 9 \
	    --module-root 'a b' --cc-profile size --max-memory-bytes 1000000 --no-auto-ffi
	atf_check -o inline:"--world run-os-sandboxed --compile-only --compiled-out $PWD/.x07/build/main.N --project $PWD/x07.json --policy $PWD/$sandbox --sandbox-backend os --i-accept-weaker-isolation --max-memory-bytes 1000000 --solve-fuel 9 --module-root a b --cc-profile size --no-auto-ffi\n" \
	    sed 's/main\.[0-9]*/main.N/' called
	rm called
	atf_check -o inline:"x" -e ignore x07 run --profile os --input in
	atf_check -o inline:"--world run-os --compile-only --compiled-out $PWD/.x07/build/main.N --project $PWD/x07.json --auto-ffi\n" \
	    sed 's/main\.[0-9]*/main.N/' called
	# What it says is told when it fails, and nothing is run.
	touch broken
	for w in os sandbox; do
		atf_check -s exit:1 -o empty -e match:"^cannot compile" \
		    -e match:"the build failed \(exit status 3\); nothing was run" \
		    x07 run -q $accept --profile $w --input in
	done
	[ "$(ls .x07/build)" = main ] || atf_fail "left: $(ls .x07/build)"
	rm tools/x07-os-runner
	atf_check -s exit:2 -o empty -e match:"x07-os-runner of the X07 toolchain is not on PATH" \
	    x07 run --profile os --input in
	# One of the working directory is none of the toolchain's.
	printf '#!/bin/sh\ntouch ran\n' >x07-os-runner
	chmod 755 x07-os-runner
	atf_check -s exit:2 -o empty -e match:"is not on PATH" \
	    env PATH=".:$PATH" x07 run --profile os --input in
	[ ! -e ran ] || atf_fail "it was run"
}

atf_test_case variables
variables_head() { atf_set descr "X07_OS_* say what the policy says, whatever the caller has set"; }
variables_once()
{
	project
	printf env >in
	cat >loose <<'EOF'
X07_WORLD=solve-pure
X07_OS_SANDBOXED=0
X07_OS_FS_READ_ROOTS=/
X07_OS_NET_ALLOW_HOSTS=*:1
X07_OS_PROC_ALLOW_SPAWN=1
X07_OS_DENY_HIDDEN=0
X07_OS_UNKNOWN=1
EOF
	loose="env $(tr '\n' ' ' <loose)"
	atf_check -o save:told -e ignore $AS $loose x07 run $accept --profile sandbox \
	    --allow-host '[::1]:443' --allow-host a.example:80,81 --input in
	for v in X07_WORLD=run-os-sandboxed X07_OS_SANDBOXED=1 X07_OS_FS=1 \
	    X07_OS_FS_READ_ROOTS=. X07_OS_FS_WRITE_ROOTS=out X07_OS_DENY_HIDDEN=1 \
	    'X07_OS_NET_ALLOW_HOSTS=::1:443;a.example:80,81' X07_OS_NET=1 \
	    X07_OS_PROC_ALLOW_SPAWN=0 'X07_OS_ENV_ALLOW_KEYS=HOST;LOG_LEVEL;PORT' \
	    X07_OS_TIME_MAX_SLEEP_MS=1000 X07_OS_THREADS_MAX_BLOCKING=4; do
		grep -Fqx -- "$v" told || atf_fail "no $v"
	done
	! grep -q UNKNOWN told || atf_fail "$(cat told)"
	# In run-os nothing is in force, and nothing says so.
	atf_check -o save:told -e ignore $AS $loose x07 run --profile os --input in
	atf_check -o inline:"X07_WORLD=run-os\n" grep -E "X07_(OS|WORLD)" told
	rm -rf .x07 x07.json src out tools in called loose told
}
variables_body() { both variables_once; }

atf_test_case language
language_head() { atf_set descr "what X07 programs heed by themselves is not told as not enforced"; }
language_body()
{
	x07 policy init --template cli >/dev/null
	project
	cp .x07/policies/base/cli.sandbox.base.policy.json cli.json
	printf x >in
	atf_check -o inline:"x" -e inline:"noise\n" x07 run $accept --policy cli.json --input in
	# The twin: another program heeds nothing.
	atf_check -o inline:"x" -e match:"not enforced .*language.allow_ffi" x07 run $accept \
	    --policy "$PWD/cli.json" --world run-os-sandboxed --program "$(command -v cat)" -- in
}

atf_test_case artifact
artifact_head() { atf_set descr "--artifact is refused where the policy must be in the compiler's hands"; }
artifact_body()
{
	project
	atf_check -s exit:2 -e match:"--artifact is refused in run-os-sandboxed" \
	    x07 run --world run-os-sandboxed --policy "$sandbox" $accept --artifact tools/program
}

atf_init_test_cases()
{
	atf_add_test_case framed
	atf_add_test_case faults
	atf_add_test_case compiler
	atf_add_test_case variables
	atf_add_test_case language
	atf_add_test_case artifact
}
