#!/usr/bin/env atf-sh
# shellcheck disable=SC2086 # $AS and $accept are lists of words
# x07 run: the choice of world, backend and policy, and the whole chain.
. "$X07_TESTS/lib.sh"

AS=
accept="--sandbox-backend os --i-accept-weaker-isolation"

# A policy that lets a shell do its work in the current directory.
base_policy()
{
	$AS x07 policy init --template "${1-http-client}" >/dev/null ||
	    atf_fail "cannot make the base policy"
	policy=$PWD/.x07/policies/base/${1-http-client}.sandbox.base.policy.json
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
	[ ! -e ran ] || atf_fail "a program was run"
	atf_check -s exit:2 -e match:"unknown command" x07 moon
	atf_check -s exit:0 -o match:"^usage: x07 run" x07 help
	atf_check -s exit:0 -o match:"^x07 [0-9]" x07 version
}

atf_test_case backend
backend_head() { atf_set descr "the backend table: vm by default, os needs acceptance"; }
backend_body()
{
	base_policy
	sandbox="--profile sandbox --policy $policy"
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
		if ! command -v x07-vmrun >/dev/null; then
			atf_check -s exit:2 -e match:"fails closed" \
			    x07 run $sandbox -- touch ran
			atf_check -s exit:2 -e match:"fails closed" \
			    x07 run $sandbox --i-accept-weaker-isolation -- touch ran
		fi
	}
	[ ! -e ran ] || atf_fail "a program was run"
}

net_once()
{
	base_policy
	http_server 127.0.0.1 .
	echo content >page
	sandbox="--profile sandbox --policy $policy $accept"
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
	sandbox="--profile sandbox --policy $policy $accept"
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
	    x07 run --profile sandbox --policy "$policy" $accept -- \
	    python3 show.py 'a b' "it's" 'x
y
' -- -v '' '$HOME;`id`'
	mkdir "odd
dir 'x'"
	cd "odd
dir 'x'" || atf_fail "cd"
	base_policy cli
	atf_check -o inline:"ok\n" \
	    x07 run --profile sandbox --policy "$policy" $accept -- echo ok
}

atf_test_case bad_policy
bad_policy_head() { atf_set descr "a policy that is wrong runs nothing"; }
bad_policy_body()
{
	base_policy cli
	sed 's/"deny_hidden"/"deny_hiden"/' "$policy" >bad.json
	atf_check -s not-exit:0 -e match:"bad.json:[0-9]+:[0-9]+: policy.fs.deny_hiden" \
	    x07 run --profile sandbox --policy bad.json $accept -- touch ran
	[ ! -e ran ] || atf_fail "the program was run"
}

atf_test_case shells
shells_head() { atf_set descr "x07 runs under dash, bash, busybox ash and ksh"; }
shells_body()
{
	base_policy cli
	script=$(command -v x07)
	for sh in dash bash 'busybox ash' ksh; do
		command -v "${sh%% *}" >/dev/null || atf_fail "$sh is missing"
			atf_check -o inline:"it's  fine\n" $sh "$script" run --profile sandbox \
		    --policy "$policy" $accept -- echo "it's  fine"
	done
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
	atf_add_test_case shells
}
