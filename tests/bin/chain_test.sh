#!/usr/bin/env atf-sh
# shellcheck disable=SC2086 # $AS and $gate are lists of words
# What all gates do alike: options, order, the policy, the program's status.
. "$X07_TESTS/lib.sh"

AS=
GATES="x07-limit x07-netgate x07-fsgate x07-execgate"

# A policy under which a shell may run programs.
free_policy()
{
	$AS x07 policy init --template cli >/dev/null || atf_fail "init"
	policy=.x07/policies/base/cli.sandbox.base.policy.json
}

atf_test_case options
options_head() { atf_set descr "each gate: help, version, usage errors in one line with exit 125"; }
options_body()
{
	for gate in $GATES; do
		atf_check -s exit:0 -o match:"^usage: $gate" $gate -h
		atf_check -s exit:0 -o match:"^$gate [0-9]" $gate --version
		for args in '' '--' '--nonsense -- touch ran' '-p /nonexistent -- touch ran' \
		    '-P 77 -- touch ran' '-P 1 -- touch ran' '-P x -- touch ran' \
		    '-n -- touch ran' '-l /nonexistent/log -- touch ran' \
		    '-l fd:77 -- touch ran'; do
			# shellcheck disable=SC2086 # words
			$gate $args >out 2>err
			status=$?
			[ "$status" -eq 125 ] || atf_fail "$gate $args: exit $status"
			[ "$(grep -c . err)" -eq 1 ] ||
			    atf_fail "$gate $args: $(cat err)"
			grep -q -e "$gate: " -e "^x07-policy: cannot read" err || atf_fail "$gate $args: $(cat err)"
			[ ! -s out ] || atf_fail "$gate $args wrote to stdout"
		done
	done
	[ ! -e ran ] || atf_fail "a program was run"
}

status_once()
{
	for gate in $GATES; do
		atf_check -s exit:0 -o inline:"in\n" sh -c "echo in | $AS $gate -- cat"
		atf_check -s exit:3 $AS $gate -- sh -c 'exit 3'
		atf_check -s exit:127 -e match:"$gate: /nonexistent/program" \
		    $AS $gate -- /nonexistent/program
		atf_check -s exit:127 -e match:"$gate: no-such-program" \
		    $AS $gate -- no-such-program
		atf_check -s exit:126 -e match:"$gate: .*/etc/passwd" $AS $gate -- /etc/passwd
	done
	atf_check -s exit:137 $AS x07-limit -- sh -c 'kill -9 $$'
	atf_check -s exit:143 $AS x07-fsgate -- sh -c 'kill -TERM $$'
}

atf_test_case status
status_head() { atf_set descr "each gate passes on the status, stdin and stdout of the program; 126 and 127"; }
status_body() { both status_once; }

atf_test_case order
order_head() { atf_set descr "an order that cannot work is refused with the one that does"; }
order_body()
{
	right="x07-limit, x07-netgate, x07-fsgate, x07-execgate, program"
	for pair in 'x07-execgate x07-limit' 'x07-execgate x07-netgate' \
	    'x07-execgate x07-fsgate' 'x07-execgate x07-execgate' \
	    'x07-fsgate x07-limit' 'x07-fsgate x07-netgate' 'x07-fsgate x07-fsgate'; do
		atf_check -s exit:125 \
		    -e match:"${pair#* } cannot run inside ${pair% *}.*$right" \
		    "${pair% *}" -- "${pair#* }" -- touch ran
		# By a path as well.
		atf_check -s exit:125 -e match:"$right" \
		    "${pair% *}" -- "$(command -v "${pair#* }")" -- touch ran
	done
	[ ! -e ran ] || atf_fail "a program was run"
}

# Every chain that keeps the order, with and without each gate, and gates
# that nest in themselves.
chains_once()
{
	for limit in '' 'x07-limit -t 60s --' 'x07-limit -t 60s -- x07-limit -t 50s --'; do
		for net in '' 'x07-netgate --' 'x07-netgate -- x07-netgate --'; do
			for fs in '' 'x07-fsgate --'; do
				for exec in '' 'x07-execgate -x /usr/bin/env --'; do
					# shellcheck disable=SC2086 # words
					atf_check -s exit:9 -o inline:"ran\n" \
					    $AS $limit $net $fs $exec sh -c 'echo ran; exit 9'
				done
			done
		done
	done
	# netgate round limit works too: the relay is outside what limit ends.
	atf_check -o inline:"ran\n" $AS x07-netgate -- x07-limit -t 60s -- echo ran
}

atf_test_case chains
chains_head() { atf_set descr "every workable chain runs the program, without a policy file"; }
chains_body() { both chains_once; }

# One policy read by a gate itself (-p), and by all gates from one sealed
# descriptor (-P).
policy_once()
{
	free_policy
	for gate in $GATES; do
		atf_check -o inline:"ran\n" $AS $gate -p "$policy" -- echo ran
		atf_check -o inline:"ran\n" \
		    $AS x07-policy seal "$policy" -- $gate -P 3 -- echo ran
	done
	atf_check -o inline:"ran\n" $AS x07-policy seal "$policy" -- \
	    x07-limit -P 3 -- x07-netgate -P 3 -- x07-fsgate -P 3 -- \
	    x07-execgate -P 3 -- echo ran
	rm -rf .x07 out
}

atf_test_case policy
policy_head() { atf_set descr "-p and -P: the policy reaches each gate alone and all of them in a chain"; }
policy_body() { both policy_once; }

atf_test_case bad_form
bad_form_head() { atf_set descr "a form that is truncated, unknown or doubled is refused by every gate"; }
bad_form_body()
{
	free_policy
	x07-policy compile "$policy" >good
	lines=$(wc -l <good)
	head -n $((lines - 1)) good >truncated
	size=$(wc -c <good)
	head -c $((size - 3)) good >short
	sed 's/^x07-policy 1$/x07-policy 2/' good >version
	sed 's/^limits.fds /limits.fdz /' good >unknown
	awk '/^limits.fds / { print } { print }' good |
	    sed "s/^end .*/end $((lines - 1))/" >doubled
	cat good good >twice
	: >empty
	for gate in $GATES; do
		atf_check -o inline:"ran\n" sh -c "$gate -P 5 -- echo ran 5<good"
		for bad in truncated short version unknown doubled twice empty; do
			atf_check -s exit:125 -e match:"^$gate: " \
			    sh -c "$gate -P 5 -- echo ran 5<$bad"
		done
	done
}

leaks_once()
{
	free_policy
	# The program sees its three descriptors and nothing of the chain.
	show='import os; print(sorted(int(fd) for fd in os.listdir("/proc/self/fd"))[:-1])'
	for gate in $GATES; do
		atf_check -o inline:"[0, 1, 2]\n" sh -c \
		    "$AS $gate -l fd:8 -- python3 -c '$show' 7</dev/null 8>log 9</etc/passwd"
	done
	atf_check -o inline:"[0, 1, 2]\n" sh -c "$AS x07-policy seal $policy -- \
	    x07-limit -P 3 -- x07-netgate -P 3 -- x07-fsgate -P 3 -- \
	    x07-execgate -P 3 -- python3 -c '$show' 7</dev/null 9</etc/passwd"
	# No capability, nothing new by exec, a filter in force.
	for gate in $GATES; do
		$AS $gate -- cat /proc/self/status >status || atf_fail "$gate"
		atf_check -o ignore grep -E '^NoNewPrivs:[[:space:]]+1$' status
		atf_check -o ignore grep -E '^Seccomp:[[:space:]]+2$' status
	done
	rm -rf .x07 out log status
}

atf_test_case leaks
leaks_head() { atf_set descr "no descriptor of the chain or its caller reaches the program; no new privileges"; }
leaks_body() { both leaks_once; }

atf_init_test_cases()
{
	atf_add_test_case options
	atf_add_test_case status
	atf_add_test_case order
	atf_add_test_case chains
	atf_add_test_case policy
	atf_add_test_case bad_form
	atf_add_test_case leaks
}
