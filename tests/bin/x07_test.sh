#!/usr/bin/env atf-sh
# shellcheck disable=SC2086 # $AS and $accept are lists of words
# x07 run: the choice of world, backend and policy, and the whole chain.
. "$X07_TESTS/lib.sh"

AS=
accept="--sandbox-backend os --i-accept-weaker-isolation"

# A template's policy in the current directory, its path from there in $policy. -q in
# the runs: keys that nothing enforces are the matter of one test.
base_policy()
{
	$AS x07 policy init --template "${1-http-client}" >/dev/null ||
	    atf_fail "cannot make the base policy"
	policy=.x07/policies/base/${1-http-client}.sandbox.base.policy.json
}

atf_test_case run_os
run_os_head() { atf_set descr "run-os runs the program as it is, status and all"; }
run_os_body()
{
	atf_check -s exit:7 -o inline:"a b\n" x07 run -- sh -c 'echo "$1"; exit 7' sh "a b"
	atf_check -s exit:0 -o inline:"in\n" sh -c 'echo in | x07 run --profile os -- cat'
	atf_check -s exit:127 -e ignore x07 run -- /nonexistent/program
}

atf_test_case usage
usage_head() { atf_set descr "usage errors are one line, exit 2, and nothing runs"; }
usage_body()
{
	base_policy
	for args in '' '--nonsense -- touch ran' '--profile' \
	    '--world solve-pure -- touch ran' '--verbose=1 -- touch ran' \
	    '--log l -- touch ran' '--strict -- touch ran' '--trace -- touch ran' \
	    '--input a --stdin -- touch ran' '--input nonexistent -- touch ran' \
	    '--input-b64 QQ== --input a -- touch ran' \
	    '--max-memory-bytes x -- touch ran' '--solve-fuel -1 -- touch ran' \
	    '--program a --artifact b -- touch ran' '--program nonexistent' \
	    '--project /nonexistent -- touch ran' '--project . --program x' \
	    '--report wrapped -- touch ran' \
	    "--world run-os-sandboxed --artifact $(command -v true) --policy $policy" \
	    '--profile moon -- touch ran' \
	    "--policy $policy -- touch ran" \
	    '--allow-host a.example:1 -- touch ran' \
	    '--deny-host=a.example:* -- touch ran' \
	    '--profile sandbox -- touch ran' \
	    '--profile sandbox --policy /nonexistent -- touch ran' \
	    "--profile sandbox --policy $policy --sandbox-backend moon -- touch ran"; do
		x07 run $args >out 2>err
		status=$?
		[ "$status" -eq 2 ] || atf_fail "x07 run $args: exit $status"
		[ "$(wc -l <err)" -eq 1 ] || atf_fail "x07 run $args: $(cat err)"
		[ ! -s out ] || atf_fail "x07 run $args wrote to stdout"
	done
	# An unset variable of a script must not choose the world without a policy.
	for o in --profile --policy --sandbox-backend --world --log --report --project \
	    --program --input --allow-read-root; do
		atf_check -s exit:2 -e inline:"x07 run: $o: its argument is empty\n" \
		    x07 run "$o" '' -- touch ran
		atf_check -s exit:2 -e inline:"x07 run: $o: its argument is empty\n" \
		    x07 run "$o=" -- touch ran
	done
	atf_check -s exit:2 -e match:'--template: its argument is empty' x07 init --template ''
	atf_check -s exit:2 -e match:'--out: its argument is empty' \
	    x07 bundle --out '' -- true
	atf_check -s exit:2 -e match:'usage: x07 bundle .options. --out PATH -- program' \
	    x07 bundle --out a
	atf_check x07 run --input-b64 '' -- cat
	[ ! -e ran ] || atf_fail "a program was run"
	mkdir gone
	cd gone || atf_fail "cd"
	rmdir ../gone
	for c in 'run -- true' init 'bundle --out b -- true'; do
		atf_check -s exit:2 -e match:'working directory|x07.json' x07 $c
	done
	atf_check -s exit:0 -o match:"^x07 [0-9]" -e ignore x07 version
	cd .. || atf_fail "cd"
	atf_check -s exit:2 -e match:"unknown command" x07 moon
	atf_check -s exit:0 -o match:"x07 run \[options\]" x07 help
	atf_check -s exit:0 -o match:"^x07 [0-9]" x07 version
}

atf_test_case backend
backend_head() { atf_set descr "the backend table: vm by default, os needs acceptance"; }
backend_body()
{
	base_policy
	sandbox="-q --profile sandbox --policy $policy"
	{
		atf_check -s exit:2 -e match:"--i-accept-weaker-isolation" \
		    x07 run $sandbox --sandbox-backend os -- touch ran
		atf_check -s exit:2 -e match:"--i-accept-weaker-isolation" \
		    x07 run $sandbox --sandbox-backend none -- touch ran
		atf_check -s exit:2 -e match:"--i-accept-weaker-isolation" \
		    env X07_SANDBOX_BACKEND=OS x07 run $sandbox -- touch ran
		atf_check -s exit:2 -e match:"X07_I_ACCEPT_WEAKER_ISOLATION=maybe" \
		    env X07_I_ACCEPT_WEAKER_ISOLATION=maybe x07 run $sandbox -- touch ran
		atf_check -s exit:1 -e match:"only supported for" \
		    env X07_SANDBOX_BACKEND=vm x07 run -- touch ran
		atf_check -s exit:0 -o inline:"ran\n" \
		    x07 run $sandbox $accept -- echo ran
		atf_check -s exit:0 -o inline:"ran\n" \
		    env X07_SANDBOX_BACKEND=os X07_I_ACCEPT_WEAKER_ISOLATION=yes \
		    x07 run $sandbox -- echo ran
		# The variable cannot take back what the flag says.
		atf_check -s exit:0 -o inline:"ran\n" \
		    env X07_I_ACCEPT_WEAKER_ISOLATION=0 \
		    x07 run $sandbox $accept -- echo ran
		# vm is the default, and what it lacks nothing weaker stands in for.
		for weaker in '' --i-accept-weaker-isolation; do
			for b in '' '--sandbox-backend vm' '--sandbox-backend=AUTO'; do
				atf_check -s exit:125 -e match:"x07-vmrun: .*firecracker" \
				    env X07_VM_BACKEND=firecracker-ctr \
				    X07_VM_FIRECRACKER_CTR_BIN=/nonexistent \
				    x07 run $sandbox $weaker $b -- touch ran
			done
		done
	}
	[ ! -e ran ] || atf_fail "a program was run"
}

net_once()
{
	base_policy
	http_server 127.0.0.1 .
	echo content >page
	sandbox="-q --profile sandbox --policy $policy $accept"
	other=$(free_port)
	{
		atf_check -s exit:0 -o inline:"content\n" -e match:"using derived policy" \
		    $AS x07 run $sandbox --allow-host "127.0.0.1:$SERVER_PORT" -- \
		    curl -sS --max-time 30 "http://127.0.0.1:$SERVER_PORT/page"
		atf_check -s not-exit:0 \
		    -e match:"x07-netgate: deny connect 127.0.0.1:$SERVER_PORT .*--allow-host 127.0.0.1:$SERVER_PORT" \
		    $AS x07 run $sandbox --allow-host "127.0.0.1:$other" -- \
		    curl -sS --max-time 30 "http://127.0.0.1:$SERVER_PORT/page"
		atf_check -s not-exit:0 -e match:"deny connect 127.0.0.1:$SERVER_PORT" \
		    $AS x07 run $sandbox --allow-host "127.0.0.1:$SERVER_PORT" \
		    --deny-host '127.0.0.1:*' -- \
		    curl -sS --max-time 30 "http://127.0.0.1:$SERVER_PORT/page"
	}
	stop_servers
	rm -rf out .x07
}

atf_test_case net cleanup
net_head() { atf_set descr "curl reaches the listed destination and no other"; }
net_body() { both net_once; }
net_cleanup() { stop_servers; }

atf_test_case files
files_head() { atf_set descr "the project is read-only but for its write roots"; }
files_once()
{
	base_policy
	sandbox="-q --profile sandbox --policy $policy $accept"
	mkdir -p out
	chmod 777 out
	echo readable >readable
	{
		atf_check -s exit:0 -o inline:"readable\n" $AS x07 run $sandbox -- cat readable
		atf_check -s exit:0 $AS x07 run $sandbox -- \
		    python3 -c 'open("out/x", "w").write("ok")'
		atf_check -o inline:"ok" cat out/x
		atf_check -s exit:1 -e match:"Read-only file system|Permission denied" \
		    $AS x07 run $sandbox -- python3 -c 'open("readable", "w")'
		atf_check -s exit:1 -e match:"No such file" \
		    $AS x07 run $sandbox -- python3 -c 'open("/root/.bashrc")'
	}
	rm -rf out .x07 readable
}
files_body() { both files_once; }

atf_test_case environment
environment_head() { atf_set descr "the program gets only what the policy lets through"; }
environment_body()
{
	base_policy web-service
	sandbox="--profile sandbox --policy $policy $accept"
	SECRET=hidden LOG_LEVEL="a 'b' c" PORT='' x07 run $sandbox -- env >out 2>err ||
	    atf_fail "$(cat err)"
	atf_check -s exit:1 grep -q SECRET out
	atf_check -o ignore grep -x "LOG_LEVEL=a 'b' c" out
	atf_check -o ignore grep -x "PORT=" out
	atf_check -s exit:1 -o ignore grep "^HOST=" out
	atf_check -o ignore grep -x "TZ=UTC0" out
	rm -f out
	# A denied name is gone, of the variables that come anyway too.
	jq '.env.deny_keys = ["LOG_LEVEL", "LANG", "HOME"] | .env.allow_keys += ["TZ"]' \
	    "$policy" >denying.json
	LANG=C.UTF-8 LOG_LEVEL=1 PORT=2 TZ=Asia/Tokyo x07 run -q --profile sandbox \
	    --policy denying.json $accept -- env >out || atf_fail "env"
	atf_check -o inline:"PORT=2\nTZ=Asia/Tokyo\n" \
	    sh -c 'grep -E "^(LOG_LEVEL|LANG|HOME|PORT|TZ)=" out | sort'
	jq '.env.enabled = false' denying.json >off.json
	PORT=2 x07 run -q --profile sandbox --policy off.json $accept -- env >out
	atf_check -s exit:1 grep -E "^(PORT|LANG|HOME)=" out
	# Duplicates, names without a value, an empty PATH and one of relative entries.
	PATH=:.:bin:$PATH LANG=first x07 run -q --profile sandbox --policy "$policy" $accept \
	    -- sh -c 'echo "$PATH"' >out
	atf_check -s exit:1 grep -E '(^|:)(:|\.|bin(:|$))' out
	rm -f out
	base_policy cli
	LOG_LEVEL=1 x07 run --profile sandbox --policy "$policy" $accept -- env >out
	atf_check -s exit:1 -o ignore grep LOG_LEVEL out
}

atf_test_case arguments
arguments_head() { atf_set descr "blanks, quotes, newlines and options reach the program as they are"; }
arguments_body()
{
	base_policy cli
	cat >show.py <<'EOF'
import sys
print(sys.argv[1:])
EOF
	atf_check -o inline:"['a b', \"it's\", 'x\\\\ny\\\\n', '--', '-v', '', '\$HOME;\`id\`']\n" \
	    x07 run -q --profile sandbox --policy "$policy" $accept -- \
	    python3 show.py 'a b' "it's" 'x
y
' -- -v '' '$HOME;`id`'
	mkdir "odd
dir 'x'"
	cd "odd
dir 'x'" || atf_fail "cd"
	base_policy cli
	atf_check -o inline:"ok\n" \
	    x07 run -q --profile sandbox --policy "$policy" $accept -- echo ok
}

atf_test_case hostile_paths
hostile_paths_head() { atf_set descr "newlines, quotes, ; : and backslashes in paths"; }
hostile_paths_once()
{
	dir="odd
 dir;'x':\\y"
	$AS mkdir "$dir"
	cd "$dir" || atf_fail "cd"
	base_policy cli
	mkdir out
	chmod -R 777 .
	printf 'content\n' >"a;b
c"
	cat >main.c <<'EOF'
#include <stdio.h>
int main(void) { puts("built"); return 0; }
EOF
	sandbox="--profile sandbox --policy .x07/policies/base/cli.sandbox.base.policy.json $accept"
	atf_check -o inline:"content\n" $AS x07 run -q $sandbox -- cat "a;b
c"
	atf_check -o inline:"content\n" $AS x07 run -q $sandbox --input "a;b
c" -- cat
	atf_check -o inline:"built\n" $AS x07 run -q --world run-os-sandboxed \
	    --policy "$policy" $accept --program main.c
	atf_check -s not-exit:0 -e match:";" $AS x07 run -q $sandbox \
	    --allow-read-root 'a;b' -- touch ran
	[ ! -e ran ] || atf_fail "a program was run"
	cd .. || atf_fail "cd"
	rm -rf "$dir"
}
hostile_paths_body() { both hostile_paths_once; }

atf_test_case long_arguments
long_arguments_head() { atf_set descr "very long argument lists arrive, or fail with a clear error"; }
long_arguments_body()
{
	base_policy cli
	cat >long.py <<'EOF'
import subprocess, sys
n, size, *args = sys.argv[1:]
words = ["x" * int(size)] * int(n)
r = subprocess.run(args + ["--", "sh", "-c", "echo $#", "sh"] + words,
    capture_output=True, text=True)
print(r.returncode, r.stdout.strip(), r.stderr.strip())
EOF
	sandbox="--profile sandbox --policy $policy $accept"
	atf_check -o inline:"0 60000 \n" python3 long.py 60000 4 x07 run -q $sandbox
	atf_check -o inline:"0 10 \n" python3 long.py 10 120000 x07 run -q $sandbox
	atf_check -o inline:"0 60000 \n" python3 long.py 60000 4 \
	    x07 run -q --report r.json $sandbox
	# Near what the kernel takes there is no room for the chain. Sizes go by what
	# x07 itself can just be started with, so that the environment counts for nothing.
	cat >edge.py <<'EOF'
import os, subprocess, sys
env = {k: os.environ[k] for k in ("PATH", "HOME", "TMPDIR") if k in os.environ}
def run(size):
    words = ["x" * 1000] * (size // 1000) + ["x" * (size % 1000)]
    try:
        return subprocess.run(sys.argv[1:] + ["--", "true"] + words, env=env,
            capture_output=True, text=True)
    except OSError:
        return None
fits, never = 1000000, 4000000
while never - fits > 1:
    size = (fits + never) // 2
    fits, never = (fits, size) if run(size) is None else (size, never)
refused = 0
for size in range(fits - 4000, fits + 1, 100):
    r = run(size)
    if r.returncode == 0:
        continue
    refused += 1
    if r.returncode not in (125, 126) or "too long" not in r.stderr and \
            "longer than" not in r.stderr:
        sys.exit(f"{size}: {r.returncode}: {r.stderr}")
print(refused > 0)
EOF
	atf_check -o inline:"True\n" python3 edge.py x07 run -q $sandbox
}

atf_test_case concurrent
concurrent_head() { atf_set descr "runs at once, with one derived policy and one build, do not disturb each other"; }
concurrent_body()
{
	base_policy cli
	mkdir out
	cat >main.c <<'EOF'
#include <stdio.h>
int main(int argc, char **argv) { puts(argc > 1 ? argv[1] : ""); return 0; }
EOF
	pids=
	for i in 1 2 3 4 5 6; do
		x07 run -q --world run-os-sandboxed --policy "$policy" $accept \
		    --allow-read-root /usr/share --program main.c -- "n$i" \
		    >"out.$i" 2>"err.$i" &
		pids="$pids $!"
	done
	for pid in $pids; do
		wait "$pid" || atf_fail "$(cat err.*)"
	done
	for i in 1 2 3 4 5 6; do
		atf_check -o inline:"n$i\n" cat "out.$i"
	done
	[ "$(ls .x07/build)" = main ] || atf_fail "left: $(ls .x07/build)"
	set -- .x07/policies/_generated/*
	[ $# -eq 1 ] || atf_fail "left: $*"
}

atf_test_case read_only
read_only_head() { atf_set descr "a project that cannot be written: runs, or a clear error"; }
read_only_body()
{
	# The test itself writes beside it.
	mkdir project
	cd project || atf_fail "cd"
	base_policy cli
	mkdir out
	echo 'int main(void) { return 0; }' >main.c
	chmod -R a+rX,a-w .
	atf_check -o inline:"ok\n" $AS_USER x07 run -q --profile sandbox \
	    --policy "$policy" $accept -- echo ok
	atf_check -s exit:1 -e match:"cannot write .*/.x07/build.*read-only project" \
	    $AS_USER x07 run -q --program main.c
	atf_check -s not-exit:0 -e match:"Permission denied" $AS_USER x07 run -q \
	    --profile sandbox --policy "$policy" $accept --allow-read-root /usr -- echo ok
	atf_check -s exit:125 -e match:"report.*Permission denied" $AS_USER \
	    x07 run --report r.json -- touch /tmp/x07-ran.$$
	[ ! -e /tmp/x07-ran.$$ ] || atf_fail "a program was run"
	chmod -R u+w .
}

atf_test_case bad_policy
bad_policy_head() { atf_set descr "a policy that is wrong runs nothing"; }
bad_policy_body()
{
	base_policy cli
	sed 's/"deny_hidden"/"deny_hiden"/' "$policy" >bad.json
	for more in '' '-q' '--strict' '--allow-read-root /usr' '--report r.json'; do
		atf_check -s exit:3 -e match:"bad.json:[0-9]+:[0-9]+: policy.fs.deny_hiden" \
		    x07 run --profile sandbox --policy bad.json $accept $more -- touch ran
	done
	[ ! -e r.json ] || atf_fail "there is a report of nothing"
	atf_check -s exit:2 -e match:"missing policy file: .*/nothing.json" \
	    x07 run --profile sandbox --policy nothing.json $accept -- touch ran
	atf_check -s exit:2 -e match:"x07 policy init --template worker" x07 run --profile sandbox \
	    --policy .x07/policies/base/worker.sandbox.base.policy.json $accept -- touch ran
	# What can be read only once is no policy file.
	mkfifo fifo
	for f in fifo . /dev/null; do
		atf_check -s exit:2 -e match:"the policy is no regular file: " \
		    x07 run --profile sandbox --policy $f $accept -- touch ran
	done
	[ ! -e ran ] || atf_fail "the program was run"
}

atf_test_case unenforced
unenforced_head() { atf_set descr "keys that nothing enforces are told once, hidden by -q, refused by --strict"; }
unenforced_body()
{
	base_policy worker
	sandbox="--profile sandbox --policy $policy $accept"
	atf_check -o inline:"ok\n" -e save:err x07 run $sandbox -- echo ok
	[ "$(grep -c 'not enforced under sandbox_backend=os: .*time.allow_wall_clock' err)" -eq 1 ] ||
	    atf_fail "$(cat err)"
	atf_check -o inline:"ok\n" x07 run -q $sandbox -- echo ok
	for quiet in '' -q; do
		atf_check -s exit:2 -e match:"--strict: nothing enforces .*time.allow_wall_clock" \
		    x07 run $quiet --strict $sandbox -- touch ran
	done
	[ ! -e ran ] || atf_fail "the program was run"
}

atf_test_case strict
strict_head() { atf_set descr "--strict: a policy that is enforced in every key runs; another one put in its place does not"; }
strict_body()
{
	base_policy cli
	mkdir out
	jq '.language = {"allow_ffi": true, "allow_unsafe": true} | .fs.enabled = false |
	    .time.allow_sleep = true | .time.max_sleep_ms = .limits.wall_ms |
	    .threads.enabled = false' "$policy" >full.json
	run="--strict --profile sandbox --policy full.json $accept"
	atf_check -o inline:"ok\n" x07 run $run -- echo ok
	jq '.time.max_sleep_ms = .limits.wall_ms - 1' full.json >less.json
	atf_check -s exit:2 -e match:"nothing enforces time.max_sleep_ms" \
	    x07 run $run --policy less.json -- touch ran
	# Stands for x07-policy: once it has looked, the file is another.
	tools=$(dirname "$(command -v x07)")
	mkdir bin
	for t in "$tools"/x07-*; do
		ln -s "$t" bin/
	done
	rm bin/x07-policy
	cat >bin/x07-policy <<EOF
#!/bin/sh
[ "\$1" != seal ] || mv less.json full.json
exec "$tools/x07-policy" "\$@"
EOF
	chmod 755 bin/x07-policy
	cp "$tools/x07" bin/x07
	ln -s "${tools%/bin}/libexec" libexec
	atf_check -s exit:125 -e match:"nothing enforces time.max_sleep_ms" bin/x07 run $run -- touch ran
	[ ! -e ran ] || atf_fail "a program was run"
}

atf_test_case verbose
verbose_head() { atf_set descr "what -v prints does the same when it is pasted"; }
verbose_once()
{
	dir="a 'b'
c"
	$AS mkdir "$dir"
	cd "$dir" || atf_fail "cd"
	base_policy cli
	mkdir out
	chmod -R 777 .
	echo "in put" >in
	sandbox="--profile sandbox --policy $policy $accept"
	atf_check -o inline:"in put\nit's \$1\n" -e save:err $AS x07 run -q -v $sandbox \
	    --input in --log log -- sh -c 'read -r l; echo "$l"; echo "$1"' sh "it's \$1"
	for gate in x07-limit x07-netgate x07-fsgate x07-execgate; do
		grep -q "/$gate -P 3" err || atf_fail "no $gate: $(cat err)"
	done
	sed '1s/^x07 run: //' err >pasted
	pasted=$PWD/pasted
	cd / || atf_fail "cd"
	for sh in sh bash; do
		atf_check -o inline:"in put\nit's \$1\n" $AS "$sh" "$pasted"
	done
	cd "${pasted%/*}/.." || atf_fail "cd"
	rm -rf "$dir"
}
verbose_body()
{
	both verbose_once
	atf_check -o inline:"7\n" -e save:err x07 run -v -- echo 7
	sed '1s/^x07 run: //' err >pasted
	atf_check -o inline:"7\n" sh ./pasted
}

atf_test_case report
report_head() { atf_set descr "--report tells policy, backend, gates, denials and exit"; }
report_once()
{
	base_policy
	mkdir -p out
	chmod -R 777 .
	sandbox="--profile sandbox --policy $policy $accept"
	port=$(free_port)
	atf_check -s exit:7 -o inline:"out" -e match:"x07-netgate: deny connect 127.0.0.1:$port" \
	    $AS x07 run -q $sandbox --report r.json --log log -- \
	    curl -sS --max-time 20 "http://127.0.0.1:$port/" --write-out 'out'
	atf_check -o inline:"x07.os-run.report@0.1.0 run-os-sandboxed os true 7 null\n" jq -r \
	    '"\(.schema_version) \(.world) \(.sandbox_backend) \(.weaker_isolation) \(.exit.status) \(.exit.signal)"' r.json
	atf_check -o inline:"sha256:$(sha256sum <"$policy" | cut -d ' ' -f 1)\n" \
	    jq -r .policy.digest r.json
	atf_check -o inline:'["x07-limit","x07-netgate","x07-fsgate","x07-execgate"]\n' \
	    jq -c .gates.used r.json
	atf_check -o inline:"connect 127.0.0.1:$port net.allow_hosts --allow-host 127.0.0.1:$port\n" \
	    jq -r '.denials[] | select(.verb == "connect") | "\(.verb) \(.object) \(.key) \(.hint)"' r.json
	atf_check -o inline:'"curl"\n' jq -c '.program[0]' r.json
	atf_check -o inline:"7 300000\n" jq -r \
	    '"\(.limits.exit) \(.limits.limits.time.value)"' r.json
	atf_check -o match:'"verb":"connect"' cat log
	# The twin: nothing denied, nothing told; the file is replaced, no other is left.
	atf_check $AS x07 run -q $sandbox --report r.json -- true
	atf_check -o inline:"[] 0\n" jq -c -r '"\(.denials) \(.exit.status)"' r.json
	atf_check -o inline:"r.json\n" sh -c 'ls -A | grep r.json'
	rm -rf out .x07 r.json log
}
report_body()
{
	both report_once
	atf_check -s signal:term x07 run --report r.json -- sh -c 'kill -TERM $$'
	atf_check -o inline:"143 15 run-os none\n" jq -r \
	    '"\(.exit.status) \(.exit.signal) \(.world) \(.sandbox_backend)"' r.json
	atf_check -o inline:"in\n" sh -c 'echo in | x07 run --report r.json -- cat'
	cat >wait.py <<'EOF'
import signal, sys, time
def handler(sig, frame):
    print("got", sig, flush=True)
    sys.exit(9)
signal.signal(signal.SIGTERM, handler)
print("ready", flush=True)
time.sleep(60)
EOF
	x07 run --report r.json -- python3 wait.py >out &
	pid=$!
	wait_for 20 grep -q ready out
	kill -TERM "$pid"
	wait "$pid"
	status=$?
	[ "$status" -eq 9 ] || atf_fail "exit status $status"
	atf_check -o inline:"ready\ngot 15\n" cat out
}

atf_test_case report_file
report_file_head() { atf_set descr "where a report can be put, and where not"; }
report_file_body()
{
	atf_check -s exit:125 -e match:"--report" x07 run --report /nonexistent/r -- touch ran
	atf_check -s exit:125 -e match:"Is a directory" x07 run --report . -- touch ran
	[ ! -e ran ] || atf_fail "the program was run"
	# A pipe is written to, a link is followed, and neither is replaced.
	ln -s real.json link.json
	echo old >real.json
	atf_check x07 run --report link.json -- true
	[ -h link.json ] || atf_fail "the link was replaced"
	atf_check -o inline:"0\n" jq .exit.status real.json
	atf_check -o inline:"0\n" sh -c 'x07 run --report /dev/stdout -- true | jq .exit.status'
	[ -h /dev/stdout ] || atf_fail "/dev/stdout was replaced"
}

atf_test_case report_digest
report_digest_head() { atf_set descr "the digest is of the bytes in force, whatever becomes of the file"; }
report_digest_body()
{
	base_policy cli
	mkdir out
	digest=$(sha256sum <"$policy" | cut -d ' ' -f 1)
	tools=$(dirname "$(command -v x07)")
	mkdir bin
	for t in "$tools"/x07-*; do
		ln -s "$t" bin/
	done
	# Stands for x07-policy: the file is replaced when report has read it.
	rm bin/x07-policy
	cat >bin/x07-policy <<EOF
#!/bin/sh
case \$1 in
seal) printf '{}' >"$policy" ;;
esac
exec "$tools/x07-policy" "\$@"
EOF
	chmod 755 bin/x07-policy
	cp "$tools/x07" bin/x07
	ln -s "${tools%/bin}/libexec" libexec
	atf_check -o inline:"ok\n" bin/x07 run -q --profile sandbox --policy "$policy" $accept \
	    --report r.json -- echo ok
	atf_check -o inline:"sha256:$digest\n" jq -r .policy.digest r.json
	atf_check -o inline:"{}" cat "$policy"
}

# need_machine: skips, with the reason, where no machine runs.
need_machine()
{
	# Where the ordinary user has no home.
	export X07_VM_STATE_DIR="$PWD/state/jobs" XDG_CACHE_HOME="$PWD/cache"
	x07 doctor -j >doctor.json
	[ "$(jq .backends.vm doctor.json)" = true ] || atf_skip "no machine can run here: $(
	    jq -r '[.checks[] | select(.name == "machine" or (.name | startswith("vm-"))) | .detail] | join("; ")' doctor.json)"
}

atf_test_case machine
machine_head()
{
	atf_set descr "sandbox_backend=vm: clean environment, roots, input, status, log, report"
	atf_set timeout 900
}
machine_once()
{
	base_policy
	mkdir -p out sub elsewhere
	cat >x07.json <<EOF
{"schema_version": "x07.project@0.5.0", "world": "run-os", "entry": "none", "module_roots": ["."],
 "profiles": {"os": {"world": "run-os"}, "sandbox": {"world": "run-os-sandboxed",
  "policy": ".x07/policies/base/http-client.sandbox.base.policy.json"},
 "built": {"world": "run-os-sandboxed", "build": ["cc", "-o", "out/m", "m.c"],
  "policy": ".x07/policies/base/http-client.sandbox.base.policy.json", "program": ["out/m", "a b"]}}}
EOF
	echo 'int puts(const char *); int main(int c, char **v) { puts(v[c - 1]); return 9; }' >m.c
	chmod -R a+rwX .
	firm_work_dir
	sandbox="-q --profile sandbox"
	cd sub || atf_fail "cd"
	# Roots count from the project, and the environment starts clean.
	atf_check -s exit:5 -o save:../got sh -c 'printf in | "$@"' sh $AS env SECRET=hidden \
	    x07 run $sandbox --log ../log --report ../r.json -- python3 -c '
import os, sys
print(sys.stdin.read() + os.getcwd())
for d in "out", "elsewhere":
    try:
        print("x", file=open("../" + d + "/x", "w"))
    except OSError:
        pass
for v in os.environ.items():
    print("=".join(v))
sys.exit(5)'
	cd ..
	atf_check -o inline:"x\n" cat out/x
	[ ! -e elsewhere/x ] || atf_fail "it wrote where it must not"
	atf_check -o ignore grep -x "in$PWD/sub" got
	! grep -Eq 'SECRET|X07_' got || atf_fail "the environment is not clean"
	atf_check -o inline:'vm ["x07-limit","x07-netgate","x07-fsgate","x07-execgate"] 5\n' \
	    jq -r '"\(.sandbox_backend) \(.gates.used) \(.exit.status)"' r.json
	atf_check -o inline:'5 null 2 true true\n' jq -r '.limits |
	    "\(.status) \(.struck) \(.stdin_bytes) \(.peak_memory_bytes > 100000) \(.cpu_ms > 0)"' r.json
	# The build has a machine of its own, and the kernel of that.
	atf_check -s exit:9 -o inline:"a b\n" $AS x07 run -q --profile built
	for args in --trace '--max-output-bytes 5' '--cpu-time-limit-seconds 1' \
	    '--max-memory-bytes 99999999'; do
		atf_check -s exit:2 -e match:"--sandbox-backend os|those of the policy" \
		    $AS x07 run $sandbox $args -- touch out/ran
	done
	[ ! -e out/ran ] || atf_fail "a program was run"
	rm -rf out sub elsewhere .x07 x07.json m.c got log r.json state cache
}
machine_body()
{
	need_machine
	machine_once
}

atf_test_case trace cleanup
trace_head() { atf_set descr "--trace denies nothing, and ends in a policy that allows what was done"; }
trace_once()
{
	base_policy
	mkdir -p out
	http_server 127.0.0.1 .
	echo content >page
	chmod -R a+rwX .
	sandbox="--profile sandbox --policy $policy"
	url=http://127.0.0.1:$SERVER_PORT/page
	atf_check -s exit:2 -e match:"i-accept-weaker-isolation" $AS x07 run $sandbox \
	    --sandbox-backend os --trace -- touch ran
	[ ! -e ran ] || atf_fail "the program was run"
	# Denied, traced, allowed.
	atf_check -s not-exit:0 -e match:"deny connect" $AS x07 run -q $sandbox $accept -- \
	    curl -sS --max-time 20 "$url"
	atf_check -o inline:"content\n" -e save:err $AS x07 run -q $sandbox $accept --trace -- \
	    curl -sS --max-time 20 "$url"
	atf_check -o ignore grep "would deny connect 127.0.0.1:$SERVER_PORT (.*--allow-host 127.0.0.1:$SERVER_PORT)" err
	traced=.x07/policies/_generated/http-client.sandbox.base.traced.policy.json
	atf_check -o ignore grep "the policy with these additions: .*/$traced" err
	atf_check -o inline:"content\n" $AS x07 run -q --profile sandbox --policy "$traced" \
	    $accept -- curl -sS --max-time 20 "$url"
	# Nothing denied: nothing suggested.
	rm -r .x07/policies/_generated
	atf_check -s exit:3 -e match:"nothing would have been denied" $AS x07 run -q \
	    $sandbox $accept --trace -- python3 -c 'raise SystemExit(3)'
	[ ! -e "$traced" ] || atf_fail "a policy was suggested for nothing"
	# A project may bring a link for it.
	rm -rf .x07/policies/_generated
	mkdir -p elsewhere
	ln -s ../../elsewhere .x07/policies/_generated
	atf_check -s exit:1 -e match:"_generated: a link" $AS x07 run -q $sandbox $accept \
	    --trace -- touch out/ran
	[ ! -e out/ran ] || atf_fail "the program was run"
	atf_check -o empty ls elsewhere
	stop_servers
	rm -rf out .x07 page elsewhere
}
trace_body() { both trace_once; }
trace_cleanup() { stop_servers; }

atf_test_case walkthrough cleanup
walkthrough_head() { atf_set descr "the examples of the page: init, allow-host, deny wins, host files, roots, loopback"; }
walkthrough_once()
{
	export X07_SANDBOX_BACKEND=os X07_I_ACCEPT_WEAKER_ISOLATION=1
	for t in cli http-client web-service fs-tool sqlite-app postgres-client worker \
	    worker-parallel; do
		atf_check -o match:'"status":"created"' $AS x07 policy init --template $t
	done
	http_server 127.0.0.1 .
	echo content >page
	mkdir -p out elsewhere
	chmod 777 out
	here=$SERVER_PORT
	url=http://127.0.0.1:$here/page
	run="x07 run -q --profile sandbox \
	    --policy .x07/policies/base/http-client.sandbox.base.policy.json"
	curl="curl -sS --max-time 20"
	# Allowed only when listed; the line ends in the flag that would do it.
	atf_check -s not-exit:0 -e match:"deny connect 127.0.0.1:$here .*allow with --allow-host 127.0.0.1:$here\)" \
	    $AS $run -- $curl "$url"
	atf_check -o inline:"content\n" \
	    -e match:"^x07 run: using derived policy .*/.x07/policies/_generated/sandbox.http-client.base.g[0-9a-f]{8}.policy.json" \
	    $AS $run --allow-host "127.0.0.1:$here,1" -- $curl "$url"
	# Denies apply after allows.
	for deny in "127.0.0.1:*" "127.0.0.1:$here"; do
		atf_check -s not-exit:0 -e match:"deny connect 127.0.0.1:$here" \
		    $AS $run --deny-host "$deny" --allow-host "127.0.0.1:$here" -- $curl "$url"
	done
	atf_check -o inline:"content\n" -e ignore $AS $run --deny-host "127.0.0.1:1" \
	    --allow-host "127.0.0.1:$here" -- $curl "$url"
	# The same from files, relative to the project.
	printf '# hosts\n127.0.0.1:%s\n' "$here" >allow.txt
	printf '127.0.0.1:*\n' >deny.txt
	atf_check -o inline:"content\n" -e ignore $AS $run --allow-host-file allow.txt -- $curl "$url"
	atf_check -s not-exit:0 -e match:"deny connect" $AS $run --allow-host-file allow.txt \
	    --deny-host-file deny.txt -- $curl "$url"
	# Roots.
	echo outside >/var/tmp/x07-outside.$$
	chmod 644 /var/tmp/x07-outside.$$
	atf_check -s not-exit:0 -e match:"No such file" $AS $run -- cat /var/tmp/x07-outside.$$
	mkdir -p more
	chmod 777 more
	atf_check -s not-exit:0 -e match:"Read-only|Permission" $AS $run -- \
	    python3 -c 'open("more/x", "w")'
	atf_check -e ignore $AS $run --allow-write-root more -- \
	    python3 -c 'open("more/x", "w")'
	[ -e more/x ] || atf_fail "nothing was written"
	rm /var/tmp/x07-outside.$$
	# Loopback with a fixed port, from the policy for services.
	atf_check -o inline:"content\n" -e ignore $AS x07 run -q --profile sandbox \
	    --policy .x07/policies/base/web-service.sandbox.base.policy.json \
	    --allow-host "127.0.0.1:$here" -- $curl "$url"
	# Wildcard ports are for denying only.
	atf_check -s exit:2 -e match:"deny-host" $AS $run --allow-host '127.0.0.1:*' -- touch ran
	[ ! -e ran ] || atf_fail "the program was run"
	stop_servers
	rm -rf out more elsewhere .x07 page allow.txt deny.txt
}
walkthrough_body() { both walkthrough_once; }
walkthrough_cleanup() { stop_servers; }

atf_test_case shells
shells_head() { atf_set descr "x07 runs under dash, bash, busybox ash and ksh"; }
shells_body()
{
	base_policy cli
	script=$(command -v x07)
	for sh in dash bash 'busybox ash' ksh; do
		command -v "${sh%% *}" >/dev/null || atf_fail "$sh is missing"
		atf_check -o inline:"it's  fine\n" $sh "$script" run -q --profile sandbox \
		    --policy "$policy" $accept -- echo "it's  fine"
		# What is wrong is one line in each of them.
		for args in '' --nonsense --profile '--profile moon -- true' \
		    '--input . --stdin -- true' '--input nonexistent -- true' \
		    "--profile sandbox --policy $policy -- true" \
		    "--profile sandbox --policy nonexistent $accept -- true" \
		    "--profile sandbox --policy $policy $accept -q --log . -- true" \
		    "--profile sandbox --policy $policy $accept -q --log no/log -- true"; do
			X07_SANDBOX_BACKEND=os $sh "$script" run $args 2>err
			status=$?
			[ "$status" -eq 2 ] || atf_fail "$sh: x07 run $args: exit $status"
			[ "$(wc -l <err)" -eq 1 ] ||
			    atf_fail "$sh: x07 run $args: $(cat err)"
		done
		atf_check -o inline:"in\n" $sh "$script" run --input-b64 aW4K -- cat
		printf '#!/bin/sh\necho "$# $1"\n' >"odd ' name"
		chmod +x "odd ' name"
		atf_check -o inline:"1 a b\n" $sh "$script" run --program "odd ' name" -- "a b"
		atf_check -e match:'verb|gate' -o inline:"hidden\n" $sh "$script" run -v -q \
		    --profile sandbox --policy "$policy" $accept --log log \
		    --report report.json -- echo hidden
		atf_check -o inline:"0\n" jq .exit.status report.json
		rm log report.json
	done
}

# Every shell that x07 is to run under, as a list of words for a loop.
each_shell="dash bash busybox_ash ksh"
shell_words()
{
	case $1 in
	busybox_ash) echo "busybox ash" ;;
	*) echo "$1" ;;
	esac
}

atf_test_case hostile_names
hostile_names_head()
{
	atf_set descr "what a project's names would do to a terminal is spelt out"
}
hostile_names_body()
{
	python3 -c '
import json
name = "p\x1b]0;x\x07\nx07 run: all is well\\\xe4.json"
json.dump({"schema_version": "x07.project@0.5.0", "world": "run-os-sandboxed",
    "entry": "e", "module_roots": ["src"], "default_profile": "s", "profiles": {
    "s": {"world": "run-os-sandboxed", "policy": name, "program": ["true"]}}},
    open("x07.json", "w"))'
	for sh in sh bash 'busybox sh'; do
		atf_check -s exit:2 -e save:err $sh "$(command -v x07)" run $accept
		grep -qF 'p\033]0;x\007\012x07 run: all is well\134\303\244.json' err ||
		    atf_fail "$(cat err)"
		[ "$(wc -l <err)" -eq 1 ] || atf_fail "more than one line: $(cat err)"
	done
	# Plain names stay as they are.
	name="it's [a] \$plain~%name;"
	atf_check -s exit:2 -e save:err x07 run $accept --profile s --policy "$name"
	grep -qF "$name" err || atf_fail "$(cat err)"
}

atf_test_case hostile_environment
hostile_environment_head() { atf_set descr "no variable of the caller changes what is enforced, or which tools are used"; }
hostile_environment_body()
{
	base_policy worker
	mkdir evil
	for t in x07-policy x07-limit x07-netgate x07-fsgate x07-execgate x07-vmrun environ \
	    report project; do
		printf '#!/bin/sh\ntouch %s/evil/ran\nexec true\n' "$PWD" >"evil/$t"
	done
	echo "touch $PWD/evil/ran" >evil/rc
	chmod 755 evil/*
	secret=$(mktemp /var/tmp/x07-secret.XXXXXX)
	script=$(command -v x07)
	for s in $each_shell; do
		sh=$(shell_words "$s")
		# What the script calls its own variables, and what shells read.
		run="env PATH=.:$PWD/evil:$PATH CDPATH=$PWD/evil:/ IFS=/x TMPDIR=/nonexistent
		    ENV=$PWD/evil/rc PS4=x LC_ALL=C.UTF-8 POSIXLY_CORRECT=1 root=/ policy=/etc/passwd
		    world=run-os backend=none accept=yes framed=yes gates= words=id count=0 prefix=id
		    unenforced= overrides=id builder=id builder_n=1 feeder=id built=/x target=/x
		    profile_policy=/x x07_policy=/bin/true bindir=/bin here=/ manifest=/x quiet=yes
		    X07_OS_SANDBOXED=0 X07_OS_FS_READ_ROOTS=/ HOME=/ PWD=/ OLDPWD=/ $sh"
		# As it should be, then what must not become possible.
		atf_check -o inline:"ok\n" $run "$script" run -q --profile sandbox \
		    --policy "$policy" $accept -- echo ok
		atf_check -s exit:2 -e match:"No such file" $run "$script" run -q --profile sandbox \
		    --policy "$policy" $accept -- ls "$secret"
		atf_check -s exit:2 -e match:"i-accept-weaker-isolation" $run "$script" run \
		    --profile sandbox --policy "$policy" --sandbox-backend os -- touch evil/ran
		atf_check -s exit:2 -e match:"nothing enforces" $run "$script" run --strict \
		    --profile sandbox --policy "$policy" $accept -- touch evil/ran
		atf_check -s exit:2 -e match:"no program given" $run "$script" run
		atf_check -o inline:"a b|\n" $run "$script" run -- printf '%s|\n' 'a b'
	done
	rm "$secret"
	[ ! -e evil/ran ] || atf_fail "another tool was run"
}

atf_test_case odd_words
odd_words_head() { atf_set descr "words of any bytes, directories that end in a newline, names that begin with -"; }
odd_words_body()
{
	script=$(command -v x07)
	nl='
'
	mkdir "dir$nl" dir
	echo inner >"dir$nl/file"
	echo outer >dir/file
	# Words in no locale's encoding, and what a shell would read as its own.
	bytes=$(printf '\377\047x\201\134')
	cd "dir$nl" || atf_fail "cd"
	printf '#!/bin/sh\necho dash\n' >./-c
	chmod 755 ./-c
	x07 policy init --template cli >/dev/null || atf_fail "policy"
	chmod 755 .
	mkdir out
	for s in $each_shell; do
		sh=$(shell_words "$s")
		for w in 'run' "run -q $accept --profile sandbox --policy .x07/policies/base/cli.sandbox.base.policy.json"; do
			env LC_ALL=C.UTF-8 $sh "$script" $w -- printf '%s|%s|%s|%s|\n' \
			    "$bytes" '*' '~' '$(id)' >got
			atf_check -o empty -x \
			    "printf '\\377\\047x\\201\\134|*|~|\$(id)|\\n' | cmp - got"
			# The root is this directory, not the one without the newline.
			atf_check -o inline:"inner\n" $sh "$script" $w -- cat file
			atf_check -o inline:"dash\n" $sh "$script" $w -- ./-c
		done
		atf_check -s exit:2 -e match:"a name that begins with -" \
		    env PATH="$PWD:$PATH" $sh "$script" run -- -c
		atf_check -s exit:127 -e match:"-c" $sh "$script" run -q $accept --profile sandbox \
		    --policy .x07/policies/base/cli.sandbox.base.policy.json -- -c
	done
}

atf_test_case killed
killed_head() { atf_set descr "a run that is ended at any moment of its start leaves no process and no file"; }
killed_body()
{
	base_policy cli
	mkdir out
	cat >killer.py <<'EOF'
import os, random, signal, subprocess, sys, time
mark = str(30000 + os.getpid() % 30000) + ".5"
def alive():
    found = []
    for p in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = open(f"/proc/{p}/cmdline", "rb").read().split(b"\0")
        except OSError:
            continue
        if mark.encode() in words and int(p) != os.getpid():
            found.append((p, words[:2]))
    return found
for i in range(24):
    sig = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL)[i % 4]
    p = subprocess.Popen(sys.argv[1:] + ["--", "sleep", mark], stderr=subprocess.PIPE)
    time.sleep(random.random() * 0.3)
    p.send_signal(sig)
    p.wait()
    for _ in range(200):
        left = alive()
        if not left:
            break
        time.sleep(0.05)
    if left:
        sys.exit(f"{sig!r}: {left}")
EOF
	atf_check -e ignore python3 killer.py x07 run -q --profile sandbox --policy "$policy" $accept
	atf_check -e ignore python3 killer.py x07 run -q --profile sandbox --policy "$policy" $accept \
	    --report r.json --log log
	atf_check -o empty find . -name '*.tmp'
	atf_check -o empty ls -A out
}

atf_test_case completions
completions_head() { atf_set descr "bash, zsh and fish know every command and option, and what may follow"; }
completions_body()
{
	completions_ask x07
	completions_break x07 run
	atf_check -o inline:'bundle\ndoctor\nhelp\ninit\npolicy\nrun\nversion\n' bash ask.bash ''
	atf_check -o inline:'worker\nworker-parallel\n' bash ask.bash init --template wo
	atf_check -o inline:'worker\nworker-parallel\n' bash ask.bash policy init --template wo
	atf_check -o inline:'worker\nworker-parallel\n' bash ask.bash init --template = wo
	atf_check -o inline:'worker\nworker-parallel\n' bash ask.bash policy init --template = wo
	atf_check -o inline:'os\nvm\n' bash ask.bash policy explain -b ''
	atf_check -o inline:'os\nsandbox\n' bash ask.bash run --profile ''
	atf_check -o inline:'os\nsandbox\n' bash ask.bash run -q --profile =
	x07 init >/dev/null
	sed -i 's/"os": {/"mine": {/' x07.json
	atf_check -o inline:'mine\nsandbox\n' bash ask.bash run -q --profile ''
	atf_check -o inline:'--profile\n--program\n--project\n' bash ask.bash run --pro
	atf_check -o inline:'a program at 7\n' bash ask.bash run --allow-host h : 1 -- x
	atf_check -o inline:'a program at 4\n' bash ask.bash run --log l curl x
	atf_check -o empty bash ask.bash run --input-b64 ''
	# Every option of the help, of every spelling.
	for o in $(x07 help | sed -n '/^options/,$p' | grep -oE -- '--[a-z0-9-]+' | sort -u); do
		atf_check -o inline:"$o\\n" -x "bash ask.bash run $o | grep -x -- $o"
		atf_check -o ignore grep -e "[{,'*)]$o=\\?\\[" -e "[{,]$o}" "$X07_SRC/share/completions/zsh/_x07"
		atf_check -o ignore grep -e "-l ${o#--} " "$X07_SRC/share/completions/fish/x07.fish"
		atf_check -o ignore grep -E "Fl (. , )?-${o#--}" "$X07_SRC/man/x07.1"
	done
	# shellcheck disable=SC2016 # for fish
	! command -v fish >/dev/null ||
	    atf_check -o inline:'worker\nworker-parallel\nmine\nsandbox\n' fish --no-config -c '
	set -p fish_complete_path $X07_SRC/share/completions/fish
	complete -C "x07 policy init --template wo"
	complete -C "x07 run --profile " | cut -f 1'
	command -v zsh >/dev/null || atf_skip "no zsh: only the others were tested"
	# shellcheck disable=SC2016 # for zsh
	atf_check -o inline:'_x07\n' zsh -fc 'fpath=("$X07_SRC/share/completions/zsh" $fpath)
	    autoload -Uz compinit && compinit -u -D && print $_comps[x07] && autoload +X _x07'
}

atf_init_test_cases()
{
	atf_add_test_case run_os
	atf_add_test_case usage
	atf_add_test_case backend
	atf_add_test_case net
	atf_add_test_case files
	atf_add_test_case environment
	atf_add_test_case arguments
	atf_add_test_case bad_policy
	atf_add_test_case hostile_paths
	atf_add_test_case long_arguments
	atf_add_test_case concurrent
	atf_add_test_case read_only
	atf_add_test_case unenforced
	atf_add_test_case strict
	atf_add_test_case verbose
	atf_add_test_case report
	atf_add_test_case report_file
	atf_add_test_case report_digest
	atf_add_test_case machine
	atf_add_test_case trace
	atf_add_test_case walkthrough
	atf_add_test_case shells
	atf_add_test_case hostile_environment
	atf_add_test_case hostile_names
	atf_add_test_case odd_words
	atf_add_test_case killed
	atf_add_test_case completions
}
