#!/usr/bin/env atf-sh
# shellcheck disable=SC2086 # $AS is a list of words
# libexec/x07/doctor: it tells the truth about this machine, and changes nothing.
. "$X07_TESTS/lib.sh"

AS=

atf_test_case rows
rows_head() { atf_set descr "a row for everything, in text and JSON, for root and for a user"; }
rows_once()
{
	$AS x07 doctor -j >json
	status=$?
	[ "$status" -le 1 ] || atf_fail "exit $status"
	atf_check -o inline:"x07.doctor@0.1.0\n" jq -r .schema_version json
	for n in kernel "user namespaces" "own /proc" Landlock seccomp "control groups" KVM \
	    QEMU podman docker containerd firecracker "C compiler" "X07 toolchain" \
	    "guest kernel" gates "guest kit"; do
		atf_check -o match:'^(ok|weaker|missing|absent)$' jq -r --arg n "$n" \
		    '.checks[] | select(.name == $n) | .state' json
	done
	# What is not ok and can be mended says how.
	atf_check -o inline:"true\n" jq '[.checks[] | select(.state == "ok") | .fix] | all(. == null)' json
	$AS x07 doctor >text
	status=$?
	grep -q "^The sandbox profile can run" text
	[ $? -eq "$status" ] || atf_fail "exit $status: $(tail -n 2 text | tr '\n' ' ')"
	jq -r '.checks[].name' json | while read -r n; do
		grep -Eq "^(ok|weaker|missing|absent) +$n " text || atf_fail "no $n in the text"
	done
	rm json text
}
rows_body() { both rows_once; }

atf_test_case backends
backends_head()
{
	atf_set descr "can run means: does run; the exit status is of the backend a run would get"
	atf_set timeout 900
}
backends_once()
{
	firm_work_dir
	x07 policy init --template cli >/dev/null
	policy=$PWD/.x07/policies/base/cli.sandbox.base.policy.json
	for env in "X07_SANDBOX_BACKEND=" "X07_SANDBOX_BACKEND=os" \
	    "X07_SANDBOX_BACKEND=os X07_I_ACCEPT_WEAKER_ISOLATION=1" \
	    "X07_SANDBOX_BACKEND=NATIVE X07_I_ACCEPT_WEAKER_ISOLATION=yes" \
	    "X07_SANDBOX_BACKEND=os X07_I_ACCEPT_WEAKER_ISOLATION=True" \
	    "X07_SANDBOX_BACKEND=moon X07_I_ACCEPT_WEAKER_ISOLATION=1"; do
		$AS env $env x07 doctor -j >json
		said=$?
		$AS env $env x07 run -q --profile sandbox --policy "$policy" -- true 2>err
		is=$?
		[ "$said" -le 1 ] || atf_fail "$env: doctor $said"
		[ $((said == 0)) -eq $((is == 0)) ] ||
		    atf_fail "$env: doctor $said, run $is: $(cat err)"
		atf_check -o inline:"$([ "$said" -eq 0 ] && echo true || echo false)\n" \
		    jq .sandbox_profile_can_run json
	done
	rm -rf .x07 json err state cache
}
backends_body()
{
	# Where the ordinary user has no home.
	export X07_VM_STATE_DIR="$PWD/state/jobs" XDG_CACHE_HOME="$PWD/cache"
	both backends_once
}

atf_test_case programs
programs_head() { atf_set descr "what is installed and does not work is not ok"; }
programs_body()
{
	mkdir tools
	cat >tools/docker <<'EOF'
#!/bin/sh
[ "$1" = info ] || exit 3
echo "warning: an old file" >&2
echo "no daemon here" >&2
exit 1
EOF
	chmod 755 tools/docker
	state='.checks[] | select(.name == "docker") | "\(.state) \(.detail)"'
	PATH=$PWD/tools:$PATH x07 doctor -j >json
	atf_check -o match:"^absent $PWD/tools/docker is installed, but not usable: no daemon here" \
	    jq -r "$state" json
	printf '#!/bin/sh\necho "no newuidmap in PATH" >&2\nexit 1\n' >tools/docker
	if command -v apt-get >/dev/null; then
		PATH=$PWD/tools:$PATH x07 doctor -j >json
		atf_check -o match:"apt-get install uidmap" jq -r '.checks[] |
		    select(.name == "docker") | .fix' json
	fi
	printf '#!/bin/sh\nexec sleep 60\n' >tools/docker
	PATH=$PWD/tools:$PATH x07 doctor -j >json
	atf_check -o match:"^absent .*it does not answer" jq -r "$state" json
	printf '#!/bin/sh\nexit 0\n' >tools/docker
	PATH=$PWD/tools:$PATH x07 doctor -j >json
	atf_check -o inline:"ok $PWD/tools/docker\n" jq -r "$state" json
	X07_VM_KERNEL=/nonexistent x07 doctor -j >json
	atf_check -o match:"^absent X07_VM_KERNEL" jq -r \
	    '.checks[] | select(.name == "guest kernel") | "\(.state) \(.detail)"' json
}

atf_test_case no_namespaces
no_namespaces_head() { atf_set descr "where namespaces cannot be made it says so, with the switch, and exits 1"; }
no_namespaces_body()
{
	need_root
	# In a user namespace of its own the limit binds even root.
	cat >inside <<'EOF'
echo 0 >/proc/sys/user/max_user_namespaces || exit 99
echo 0 >/proc/sys/user/max_mnt_namespaces || exit 99
X07_SANDBOX_BACKEND=os X07_I_ACCEPT_WEAKER_ISOLATION=1 x07 doctor -j >json
EOF
	atf_check -s exit:1 unshare -Ur sh inside
	atf_check -o inline:"missing\nmissing\n" jq -r '.checks[] |
	    select(.name == "user namespaces" or .name == "gates") | .state' json
	atf_check -o inline:"false\n" jq .backends.os json
}

atf_test_case usage
usage_head() { atf_set descr "usage errors are exit 2"; }
usage_body()
{
	atf_check -s exit:2 -e match:"usage: x07 doctor" x07 doctor moon
	atf_check -s exit:2 -e match:"usage: x07 doctor" x07 doctor -Q
	atf_check -o match:"usage: x07 doctor" x07 doctor -h
}

atf_test_case changes_nothing
changes_nothing_head() { atf_set descr "no file is made and no process stays"; }
changes_nothing_once()
{
	TMPDIR=$PWD/../tmp $AS env HOME="$PWD/../home" x07 doctor >/dev/null
	atf_check -o empty find . ../tmp ../home -mindepth 1
}
changes_nothing_body()
{
	mkdir -m 777 empty tmp home
	cd empty || atf_fail "cd"
	both changes_nothing_once
	# Interrupted while a machine starts, where one does.
	TMPDIR=$PWD/../tmp x07 doctor >/dev/null &
	pid=$!
	sleep 3
	kill -TERM "$pid"
	wait "$pid"
	atf_check -o empty find . ../tmp -mindepth 1
}

atf_init_test_cases()
{
	atf_add_test_case rows
	atf_add_test_case backends
	atf_add_test_case programs
	atf_add_test_case no_namespaces
	atf_add_test_case usage
	atf_add_test_case changes_nothing
}
