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
		    '-l fd:77 -- touch ran' '-l fd:0 -- touch ran' '-l . -- touch ran'; do
			# shellcheck disable=SC2086 # words
			$gate $args </dev/null >out 2>err
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
	cp "$policy" ./-p.json
	for gate in $GATES; do
		atf_check -o inline:"ran\n" $AS $gate -p "$policy" -- echo ran
		# One whose name begins with a dash is a policy like another, or none.
		atf_check -o inline:"ran\n" $AS $gate -p -p.json -- echo ran
		atf_check -s exit:125 -e match:'cannot read -q.json: No such file' \
		    $AS $gate -p -q.json -- echo ran
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

# No file of a gate's own takes the number of a closed descriptor, or is taken for it.
closed_once()
{
	free_policy
	for gate in $GATES; do
		for words in '' "-p $policy" '-l log'; do
			for closed in '<&-' '>&-' '2>&-' '>&- 2>&-' '<&- >&- 2>&-'; do
				atf_check -s exit:9 sh -c \
				    "exec $AS $gate $words -- sh -c 'exit 9' $closed"
			done
		done
		rm -f log
	done
	rm -rf .x07
}

atf_test_case closed
closed_head() { atf_set descr "standard descriptors that are closed at the start do no harm"; }
closed_body() { both closed_once; }

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
	for gate in "x07-limit -o 1M" x07-netgate x07-fsgate x07-execgate; do
		atf_check -o inline:"[0, 1, 2]\n" sh -c \
		    "$AS $gate -l fd:8 -- python3 -c '$show' 7</dev/null 8>log 9</etc/passwd"
	done
	atf_check -o inline:"[0, 1, 2]\n" sh -c "$AS x07-policy seal $policy -- \
	    x07-limit -P 3 -- x07-netgate -P 3 -- x07-fsgate -P 3 -- \
	    x07-execgate -P 3 -- python3 -c '$show' 7</dev/null 9</etc/passwd"
	# Of the caller's it sees what no gate is about, and never what they write to.
	show='for n in 7 8 9; do [ ! -e /proc/self/fd/$n ] || echo $n; done'
	atf_check -o inline:"7\n8\n9\n" sh -c "sh -c '$show' 7</dev/null 8>log 9</etc/passwd"
	atf_check -o inline:"7\n9\n" sh -c \
	    "$AS x07-limit -t 1m -l fd:8 -- sh -c '$show' 7</dev/null 8>log 9</etc/passwd"
	for gate in x07-netgate x07-fsgate 'x07-execgate -x /bin/sh'; do
		atf_check sh -c "$AS x07-limit -t 1m -l fd:8 -- $gate -l fd:8 -- \
		    sh -c '$show' 7</dev/null 8>log 9</etc/passwd"
	done
	# No capability, nothing new by exec, a filter in force.
	for gate in $GATES; do
		$AS $gate -- cat /proc/self/status >status || atf_fail "$gate"
		atf_check -o ignore grep -E '^NoNewPrivs:[[:space:]]+1$' status
		atf_check -o ignore grep -E '^Seccomp:[[:space:]]+2$' status
	done
	rm -rf .x07 out log status
}

atf_test_case leaks
leaks_head() { atf_set descr "no descriptor of the chain reaches the program, nor of its caller but through x07-limit alone; no new privileges"; }
leaks_body() { both leaks_once; }

# Every way to a file that is set-user-ID; prints how many of them there are.
setid_program()
{
	cat >setid.c <<-'END'
	#define _GNU_SOURCE
	#include <sys/stat.h>
	#include <sys/syscall.h>
	#include <errno.h>
	#include <fcntl.h>
	#include <stdint.h>
	#include <stdio.h>
	#include <unistd.h>

	static int many;

	static void
	look(const char *name)
	{
		struct stat st;

		if (stat(name, &st) == 0 && (st.st_mode & 06000) != 0)
			many++;
		unlink(name);
	}

	int
	main(void)
	{
		struct { uint64_t flags, mode, resolve; } how = { O_CREAT | O_WRONLY,
		    04755, 0 };
		static const mode_t modes[] = { 04755, 02755, 06755 };
		int fd = open("f", O_CREAT | O_WRONLY, 0755);

		umask(0);
		for (int i = 0; i < 3; i++) {
			mode_t m = modes[i];

			chmod("f", m), look("f");
			fd = creat("f", 0755), fchmod(fd, m), close(fd), look("f");
			creat("f", 0755), syscall(SYS_fchmodat, AT_FDCWD, "f", m), look("f");
			creat("f", 0755), syscall(452, AT_FDCWD, "f", m, 0), look("f");
			creat("f", m), look("f");
	#ifdef SYS_open
			syscall(SYS_open, "f", O_CREAT | O_WRONLY, m), look("f");
	#endif
			syscall(SYS_openat, AT_FDCWD, "f", O_CREAT | O_WRONLY, m), look("f");
			fd = open(".", O_TMPFILE | O_RDWR, m);
			if (fd != -1 && linkat(fd, "", AT_FDCWD, "f", AT_EMPTY_PATH) == -1) {
				char path[32];

				snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
				linkat(AT_FDCWD, path, AT_FDCWD, "f", AT_SYMLINK_FOLLOW);
			}
			look("f");
			mknod("f", S_IFREG | m, 0), look("f");
			mknodat(AT_FDCWD, "f", S_IFREG | m, 0), look("f");
			how.mode = m;
			syscall(437, AT_FDCWD, "f", &how, sizeof(how)), look("f");
		}
		printf("%d\n", many);
		/* What needs no such bit still works. */
		fd = open("g", O_CREAT | O_RDWR | O_TRUNC, 01777);
		if (fd == -1 || fchmod(fd, 0600) == -1 || chmod("g", 01755) == -1 ||
		    unlink("g") == -1)
			return 1;
		return 0;
	}
	END
	cc -o setid setid.c || atf_fail "cc"
}

atf_test_case setid
setid_head() { atf_set descr "no gate lets a program leave a set-user-ID or set-group-ID file behind"; }
setid_once()
{
	rm -rf work
	$AS mkdir work
	cd work || atf_fail "cd"
	# The twin: outside, each way that this kernel has works.
	atf_check -o save:../ways $AS ../setid
	[ "$(cat ../ways)" -ge 27 ] || atf_fail "only $(cat ../ways) ways work outside"
	for gate in "x07-limit" "x07-netgate" "x07-fsgate -w . -r .." \
	    "x07-execgate -x ../setid"; do
		atf_check -o inline:"0\n" $AS $gate -- ../setid
	done
	atf_check -o inline:"0\n" $AS x07-limit -- x07-netgate -- \
	    x07-fsgate -w . -r .. -- x07-execgate -x ../setid -- ../setid
	cd ..
}
setid_body()
{
	setid_program
	both setid_once
}

atf_test_case resolve
resolve_head() { atf_set descr "a gate started by the program of another, where openat2(2) is refused, resolves roots alike"; }
resolve_once()
{
	rm -rf tree
	$AS mkdir -p tree/in/deep tree/elsewhere
	$AS sh -c 'echo text >tree/in/deep/file; ln -s in tree/link; ln -s ../../etc tree/out
	    ln -s loop tree/loop; ln -s "$PWD/tree/in" tree/abs'
	cd tree || atf_fail "cd"
	for outer in '' 'x07-netgate --'; do
		for root in in in/deep/.. link/deep; do
			atf_check -o inline:"text\n" $AS $outer sh -c \
			    "x07-fsgate -r $root -- cat in/deep/file"
		done
		for root in link abs out out/ssl loop /proc/self/cwd /proc/self/root/etc; do
			atf_check -s exit:125 -e match:"^x07-fsgate: -r .*$root" \
			    $AS $outer sh -c "x07-fsgate -r $root -- true"
		done
		atf_check -s exit:125 -e match:"does not exist" \
		    $AS $outer sh -c "x07-fsgate -r in/nothing -- true"
	done
	cd ..
}
resolve_body() { both resolve_once; }

nested_once()
{
	free_policy
	for tool in $GATES x07 x07-policy; do
		tools="$tools -x $(command -v $tool)"
	done
	# x07 run and the gates want memory files and namespaces of their own.
	atf_check -s exit:125 -e match:"outer x07-execgate forbids memory files" \
	    $AS x07-execgate -q $tools -x /bin/sh -- x07-policy seal "$policy" -- true
	for gate in $GATES; do
		atf_check -s exit:125 -e match:"outer x07-execgate forbids memory files" \
		    $AS x07-execgate -q $tools -x /bin/true -- \
		    sh -c "$gate -p $policy -- true"
		# x07-limit has a weaker way without namespaces.
		[ $gate != x07-limit ] || gate='x07-limit --strict'
		atf_check -s exit:125 -e match:"outer x07-fsgate or x07-execgate" \
		    $AS x07-execgate -q $tools -x /bin/true -- sh -c "$gate -- true"
		# The twin: without the outer gate.
		atf_check $AS sh -c "$gate -- true"
	done
	atf_check -s exit:124 -e match:'deny wall time' \
	    $AS x07-execgate -q $tools -x /bin/sleep -- sh -c 'x07-limit -t 100ms -- sleep 60'
	rm -rf .x07 out
}

atf_test_case nested
nested_head() { atf_set descr "what cannot run inside x07-execgate says why"; }
nested_body() { both nested_once; }

atf_init_test_cases()
{
	atf_add_test_case options
	atf_add_test_case status
	atf_add_test_case order
	atf_add_test_case chains
	atf_add_test_case policy
	atf_add_test_case closed
	atf_add_test_case bad_form
	atf_add_test_case leaks
	atf_add_test_case setid
	atf_add_test_case resolve
	atf_add_test_case nested
}
