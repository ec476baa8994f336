#!/usr/bin/env atf-sh
# x07-policy: the policy as a file.
. "$X07_TESTS/lib.sh"

TEMPLATES="cli http-client web-service fs-tool sqlite-app postgres-client worker worker-parallel"

# base TEMPLATE: makes its policy here, as $policy.
base()
{
	x07-policy init --template "$1" >/dev/null || atf_fail "init $1"
	policy=.x07/policies/base/$1.sandbox.base.policy.json
}

# edit PYTHON-STATEMENTS: changes the policy d of $policy.
edit()
{
	python3 - "$policy" "$1" <<'PY' || atf_fail "edit: $1"
import json, sys
with open(sys.argv[1], encoding="utf-8") as f:
    d = json.load(f)
exec(sys.argv[2])
with open(sys.argv[1], "w", encoding="utf-8") as f:
    json.dump(d, f)
PY
}

atf_test_case templates
templates_head() { atf_set descr "init writes the values of the specification, canonical, valid"; }
templates_body()
{
	for t in $TEMPLATES; do
		base "$t"
		atf_check x07-policy check "$policy"
		# Python's own canonical bytes.
		atf_check -o file:"$policy" python3 -c '
import json, sys
d = json.load(open(sys.argv[1], encoding="utf-8"))
print(json.dumps(d, indent=2, sort_keys=True, ensure_ascii=False))' "$policy"
	done
	# Every value: SHA-256 of the canonical bytes without notes, made from the tables of the
	# format by other means. (With the notes of the reference, http-client and
	# --allow-host example.com:443 give g8fef694d.)
	for t in $TEMPLATES; do
		grep -v '^  "notes": ' ".x07/policies/base/$t.sandbox.base.policy.json" | sha256sum
	done >sums
	cat >expected <<'EOF'
a0b5f7c4bf8e68b690d65c95643d93d6bacec0a4d4a885cc6d11b30165d2222f  -
c34c69106f22b7424615c0ca1c6eda64df6684aefd22ccb9a938e17933ccb12c  -
c1d79970749eb8415f680a8cade8b813b487816f96de4098f2df29cd73855cb0  -
21c73f72d068c39aa0d62057d5d1641285f85e8f23e5e468e85e6da278e51068  -
184387168169f2c1d0badfd191d6468edb68de8989e911ff4a37d710bf38454c  -
4a4c0c361ed8ee3b01f09b26ef098125a1bab9354990a2407945f25a9ff6b92f  -
e2e1835ee162ec6f9da33eb2b4db603a2f2e957782d962fa3e9b980a922fe955  -
6be4588ea9497d571dac125eddaa99acb715425b13d3aa59753420705373c370  -
EOF
	atf_check -o file:expected cat sums
	# Spot values that tell the templates apart, and one all share.
	for t in $TEMPLATES; do
		jq .limits.cpu_ms ".x07/policies/base/$t.sandbox.base.policy.json"
	done >cpu
	atf_check -o inline:'60000\n180000\n180000\n90000\n120000\n120000\n300000\n300000\n' cat cpu
	d=.x07/policies/base
	s=sandbox.base.policy.json
	atf_check -o inline:'["src","out"]\n' jq -c .fs.write_roots $d/fs-tool.$s
	atf_check -o inline:'["deps/x07/"]\n' jq -c .process.allow_exec_prefixes $d/worker-parallel.$s
	atf_check -o inline:'null\n' jq -c .db $d/cli.$s
	atf_check -o inline:'["out/app.sqlite"]\n' jq -c .db.sqlite.allow_paths $d/sqlite-app.$s
	atf_check -o inline:'null\n' jq -c .db.sqlite $d/postgres-client.$s
	atf_check -o inline:'true\n' jq -c .db.net.require_verify $d/postgres-client.$s
	atf_check -o inline:'["PORT","HOST","LOG_LEVEL"]\n' jq -c .env.allow_keys $d/web-service.$s
}

atf_test_case init_status
init_status_head() { atf_set descr "init: created, unchanged, exists_different, overwritten; report and exit status"; }
init_status_body()
{
	here=$(pwd -P)
	f=.x07/policies/base/cli.sandbox.base.policy.json
	expect() {
		printf '{"schema_version":"x07.policy.init.report@0.1.0","template":"cli","project_root":"%s","out":"%s","status":"%s","policy_id":"%s"}\n' \
		    "$here" "$f" "$1" "$2" >expected
	}

	expect created sandbox.cli.base
	atf_check -o file:expected x07-policy init --template cli
	expect unchanged sandbox.cli.base
	inode=$(stat -c %i $f)
	atf_check -o file:expected x07-policy init --template cli
	atf_check_equal "$inode" "$(stat -c %i $f)"
	expect exists_different mine
	cp $f before
	atf_check -s exit:2 -o file:expected -e match:'--force' \
	    x07-policy init --template cli --policy-id mine
	atf_check cmp before $f
	atf_check -s exit:2 -o match:'"policy_id": "mine"' -e match:'--force' \
	    x07-policy init --template cli --policy-id mine --emit policy
	atf_check cmp before $f
	expect overwritten mine
	atf_check -o file:expected x07-policy init --template cli --policy-id mine --force
	atf_check -o inline:'"mine"\n' jq .policy_id $f
	atf_check -o file:$f x07-policy init --template cli --policy-id mine --emit policy
	# Nothing is left beside it.
	atf_check -o inline:'cli.sandbox.base.policy.json\n' ls -A .x07/policies/base
}

atf_test_case init_paths
init_paths_head() { atf_set descr "init: project root, --project, --out, --mkdir-out"; }
init_paths_body()
{
	here=$(pwd -P)
	mkdir -p proj/sub/deep other
	echo '{}' >proj/x07.json
	cd proj/sub/deep || exit 1
	atf_check -o match:"\"project_root\":\"$here/proj\",\"out\":\".x07/policies/base/cli" \
	    x07-policy init --template cli
	atf_check test -f "$here/proj/.x07/policies/base/cli.sandbox.base.policy.json"
	atf_check -o match:'"out":"p.json","status":"created"' \
	    x07-policy init --template cli --out p.json
	atf_check test -f "$here/proj/p.json"
	cd "$here/other" || exit 1
	atf_check -o match:"\"project_root\":\"$here/proj\"" \
	    x07-policy init --template worker --project ../proj/x07.json
	atf_check -s exit:2 -e match:'--project is not a file: ../proj$' \
	    x07-policy init --template worker --project ../proj
	atf_check -s exit:2 -e match:'refusing to create output dir .*/new .*--mkdir-out' \
	    x07-policy init --template cli --out new/p.json
	atf_check test ! -e new
	atf_check -o match:'created' x07-policy init --template cli --out new/p.json --mkdir-out
	atf_check test -f new/p.json
	atf_check -o match:"\"out\":\"$here/abs.json\"" \
	    x07-policy init --template cli --out "$here/abs.json"
	mkdir dir.json
	atf_check -s exit:2 -e match:'--out no/: must be a file' \
	    x07-policy init --template cli --out no/ --mkdir-out
	atf_check test ! -e no
	atf_check -s exit:2 -e match:'not a regular file' \
	    x07-policy init --template cli --out dir.json --force
	: >file
	atf_check -s exit:2 -e match:'x07-policy: ' \
	    x07-policy init --template cli --out file/p.json --mkdir-out
	# Reached by a link, the root is still where it is.
	ln -s "$here/proj" "$here/link"
	cd "$here/link/sub" || exit 1
	atf_check -o match:"\"project_root\":\"$here/proj\"" \
	    x07-policy init --template cli
}

atf_test_case init_usage
init_usage_head() { atf_set descr "init: wrong arguments are one line and exit 2, and write nothing"; }
init_usage_body()
{
	for args in '' '--template' '--template nosuch' '--template cli extra' \
	    '--template cli --policy-id' '--template cli --policy-id a/b' \
	    '--policy-id a/b' '--template cli --emit x' '--nosuch' \
	    '--template cli --out' '--template cli --force=1'; do
		status=0
		# shellcheck disable=SC2086 # words
		x07-policy init $args >out 2>err || status=$?
		atf_check_equal "$args: 2" "$args: $status"
		atf_check_equal "$args: 1" "$args: $(wc -l <err)"
		atf_check -o match:'^x07-policy: ' cat err
		[ ! -s out ] || atf_fail "$args wrote to stdout"
	done
	atf_check -s exit:2 -e match:'1..64' \
	    x07-policy init --template cli --policy-id "$(printf '%065d' 0)"
	atf_check test ! -e .x07
	atf_check -o match:created \
	    x07-policy init --template cli --policy-id "$(printf '%064d' 0)"
	# Before everything else.
	atf_check -s exit:2 -e match:'policy-id' \
	    x07-policy init --policy-id 'a b' --project /nonexistent
}

atf_test_case init_readonly
init_readonly_head() { atf_set descr "init: an unwritable directory is an error, and the old file stays"; }
init_readonly_body()
{
	base cli
	cp "$policy" before
	chmod -R a+rX .
	[ -n "$AS_USER" ] || chmod 555 .x07/policies/base
	# shellcheck disable=SC2086 # words
	atf_check -s exit:2 -o empty -e match:'^x07-policy: cannot create .*Permission denied' \
	    $AS_USER x07-policy init --template cli --policy-id new --force
	atf_check cmp before "$policy"
	atf_check -o inline:'cli.sandbox.base.policy.json\n' ls -A .x07/policies/base
}

atf_test_case check
check_head() { atf_set descr "check: all faults with their places, in order; 0, 1, 2; -j"; }
check_body()
{
	base cli
	cat >bad.json <<'EOF'
{"schema_version": "x07.run-os-policy@0.1.0", "policy_id": "t",
 "limits": {"cpu_ms": 0, "wall_ms": 1, "mem_bytes": 1048576, "fds": 1, "procs": 1},
 "fs": {"enabled": true, "read_roots": [], "write_roots": [], "deny_hiden": true},
 "net": {"enabled": true, "allow_dns": true, "allow_tcp": true, "allow_udp": true,
  "allow_hosts": [{"host": "a", "ports": []}]},
 "env": {"enabled": true, "allow_keys": ["a;b"], "deny_keys": []},
 "time": {"enabled": true, "allow_monotonic": true, "allow_wall_clock": true,
  "allow_sleep": true, "allow_local_tzid": true, "max_sleep_ms": 1},
 "process": {"enabled": true, "allow_spawn": false, "max_live": 0, "max_spawns": 0,
  "allow_exec": true, "allow_exec": true, "allow_exit": "yes"}}
EOF
	cat >expected <<'EOF'
bad.json:2:23: policy.limits.cpu_ms: must be an integer 1..600000 (got 0)
bad.json:3:8: policy.fs.deny_hidden: missing; must be true or false
bad.json:3:63: policy.fs.deny_hiden: unknown key; did you mean deny_hidden?
bad.json:5:42: policy.net.allow_hosts[0].ports: must be a list of 1..64 ports (got an empty list)
bad.json:6:42: policy.env.allow_keys[0]: must not contain ';' (got "a;b")
bad.json:10:23: policy.process.allow_exec: given twice
bad.json:10:57: policy.process.allow_exit: must be true or false (got "yes")
EOF
	atf_check x07-policy check "$policy"
	atf_check -x "x07-policy check - <$policy"
	atf_check -s exit:1 -e file:expected x07-policy check bad.json
	atf_check -s exit:1 -e file:expected x07-policy check "$policy" bad.json "$policy"
	atf_check -s exit:2 -e match:'cannot read nosuch.json: No such file' \
	    -e match:'bad.json:2:23' x07-policy check nosuch.json bad.json
	atf_check -s exit:2 -e match:'Is a directory' x07-policy check .
	atf_check -s exit:1 -o save:out x07-policy check -j "$policy" bad.json
	atf_check -o inline:"$policy true 0\\nbad.json false 7\\n" \
	    jq -r '"\(.file) \(.valid) \(.errors | length)"' out
	atf_check -o inline:'{"line":3,"column":63,"path":"policy.fs.deny_hiden","message":"unknown key; did you mean deny_hidden?"}\n' \
	    jq -c 'select(.valid | not) | .errors[2]' out
	# A name that is not UTF-8 makes no JSON that is not.
	name=$(printf 'e\303\251\377\nf')
	cp "$policy" "$name"
	x07-policy check -j "$name" >out || atf_fail "check $name"
	atf_check -o inline:"['\\\\xe9\\\\ufffd\\\\nf', True]\\n" python3 -c '
import json
d = json.loads(open("out", "rb").read().decode("utf-8"))
print(ascii([d["file"][1:], d["valid"]]))'
	for args in '' '-x' '-j'; do
		# shellcheck disable=SC2086 # words
		atf_check -s exit:2 -e inline:"x07-policy: usage: x07-policy check [-j] FILE...\\n" \
		    x07-policy check $args
	done
}

# bad NAME MATCH: the text on stdin is refused with this one line.
bad()
{
	cat >"$1"
	atf_check -s exit:1 -e match:"^$1:$2" -e not-match:'^[^b]*$' x07-policy check "$1"
	atf_check_equal "$1: 1" "$1: $(x07-policy check "$1" 2>&1 | wc -l)"
}

atf_test_case hostile_json
hostile_json_head() { atf_set descr "check: what is no JSON is refused with its place"; }
hostile_json_body()
{
	printf '\357\273\277{}' | bad bom '1:1: policy: not JSON: byte order mark'
	printf '{"a":"\300\257"}' | bad boverlong '1:7: policy: not JSON: not UTF-8'
	printf '{"a":"\\ud800"}' | bad blone '1:7: policy: not JSON: lone surrogate'
	printf '{"a":"\355\240\200"}' | bad brawlone '1:7: policy: not JSON: not UTF-8'
	printf '{"a":"\\u0000"}' | bad bunul '1:7: policy: not JSON: NUL'
	printf '{}\000' | bad bnul '1:3: policy: not JSON: more text'
	printf '\000' | bad bnulonly '1:1: policy: not JSON: expected a value'
	printf '' | bad bempty '1:1: policy: not JSON: empty'
	printf '{"a":1}\n{"b":2}\n' | bad btwo '2:1: policy: not JSON: more text'
	printf '{"a":01}' | bad bzero '1:6: policy: not JSON: .*leading zero'
	printf '{"a"\n:\n}' | bad bshort '3:1: policy: not JSON: expected a value'
	python3 -c 'print("[" * 100000)' | bad bdeep '1:65: policy: not JSON: nested deeper than 64'
}

atf_test_case huge
huge_head() { atf_set descr "check: far too much of everything is refused, in little memory"; }
huge_body()
{
	python3 -c 'print("[" + "1," * 8000000 + "1]")' >values
	head -c 100000000 /dev/zero >zeros
	python3 -c 'print("\"" + "x" * 16777000 + "\"")' >long
	python3 -c 'print("[" + ",".join(["[]"] * 65000) + "]")' >lists
	# Address space of the process in KiB: three times 16 MiB, and libraries.
	for f in "values 1:131072: .*more than 65536 values" \
	    "zeros 1:1: .*larger than 16 MiB" \
	    "long 1:1: .*must be an object" "lists 1:1: .*must be an object"; do
		atf_check -s exit:1 -e match:"^$(echo "$f" | sed 's/ /:/')" \
		    sh -c "ulimit -v 80000 && exec x07-policy check ${f%% *}"
	done
	rm -f values zeros long
}

atf_test_case many_faults
many_faults_head() { atf_set descr "check: sixty thousand faults are all told, and soon"; }
many_faults_body()
{
	python3 -c 'print("{\n" + ",\n".join("\"k%d\":1" % i for i in range(60000)) + "}")' >many
	atf_check -s exit:1 -e save:err timeout 30 x07-policy check many
	atf_check_equal 60008 "$(wc -l <err)"
	atf_check -o inline:'many:60001:1: policy.k59999: unknown key\n' tail -n 1 err
}

atf_test_case compile
compile_head() { atf_set descr "compile: one sorted form; a form compiles to itself; broken ones are refused"; }
compile_body()
{
	here=$(pwd -P)
	base http-client
	edit 'd["net"]["allow_hosts"] = [
	    {"host": "Example.com", "ports": [443, 80, 443]},
	    {"host": "::1", "ports": [8080]},
	    {"host": "10.0.0.0/8", "ports": [1]}]
d["fs"]["read_roots"] = ["a b", "\u00e9%"]'
	atf_check -o save:form x07-policy compile "$policy"
	atf_check -o inline:'x07-policy 1\n' head -n 1 form
	atf_check -o inline:"end $(($(wc -l <form) - 2))\\n" tail -n 1 form
	atf_check -x "sed '1d;\$d' form | LC_ALL=C sort -C -u"
	atf_check -o inline:'net.allow_hosts 10.0.0.0/8:1\nnet.allow_hosts [::1]:8080\nnet.allow_hosts example.com:80,443\n' \
	    grep '^net.allow_hosts' form
	printf 'fs.read_roots %s\n' '%C3%A9%25' 'a%20b' >expected
	atf_check -o file:expected grep '^fs.read_roots' form
	atf_check -o inline:"project_root $here\\n" grep '^project_root' form
	atf_check -o file:form x07-policy compile form
	atf_check -o file:form -x "x07-policy compile - <$policy"
	mkdir sub
	atf_check -o match:"^project_root $here/sub\$" x07-policy compile -C sub "$policy"
	atf_check -s exit:2 -e match:'project root nosuch' x07-policy compile -C nosuch "$policy"
	atf_check -s exit:2 -e match:'not a directory|Not a directory' x07-policy compile -C form "$policy"
	atf_check -s exit:2 -e match:'cannot read nosuch' x07-policy compile nosuch
	# Same meaning, other spelling: same bytes.
	edit 'd["net"]["allow_hosts"].reverse(); d["notes"] = "other"'
	atf_check -o file:form x07-policy compile "$policy"
	# Damaged forms.
	sed '$d' form >truncated
	sed '3p' form >double
	sed 's/^policy_id/policy_ie/' form >unknown
	for f in truncated double unknown; do
		atf_check -s exit:1 -e match:"x07-policy: $f: normal form line" x07-policy compile $f
	done
	echo '{}' >bad.json
	atf_check -s exit:1 -e match:'bad.json:1:1: policy.limits: missing' x07-policy compile bad.json
}

atf_test_case useless_hosts
useless_hosts_head() { atf_set descr "compile: host entries that match nothing are left out, with a word"; }
useless_hosts_body()
{
	base http-client
	edit 'd["net"]["allow_hosts"] = [{"host": h, "ports": [443]} for h in
	    ("*.example.com", "127.1", "0x7f000001", "example.com")]'
	atf_check x07-policy check "$policy"
	atf_check -o save:form -e save:err x07-policy compile "$policy"
	atf_check -o inline:'net.allow_hosts example.com:443\n' grep '^net.allow_hosts' form
	atf_check_equal 3 "$(wc -l <err)"
	atf_check -o match:'net.allow_hosts\[0\]: \*.example.com allows nothing' cat err
}

atf_test_case plan
plan_head() { atf_set descr "plan: the gates, outermost first"; }
plan_body()
{
	atf_check -o inline:'x07-limit\nx07-netgate\nx07-fsgate\nx07-execgate\n' x07-policy plan
	atf_check -s exit:2 -e inline:'x07-policy: usage: x07-policy plan\n' x07-policy plan extra
}

# shellcheck disable=SC2016,SC2086 # $AS is words; the inner shell expands
seal_once()
{
	# What the program gets is the form, complete, on the asked-for descriptor.
	for fd in 3 9; do
		atf_check -o file:form $AS x07-policy seal -f $fd "$policy" -- sh -c "cat <&$fd"
		atf_check -o file:form $AS x07-policy seal -f $fd form -- sh -c "cat <&$fd"
	done
	atf_check -o file:form $AS x07-policy seal "$policy" -- cat /proc/self/fd/3
	atf_check -o file:form -x "$AS x07-policy seal - -- sh -c 'cat <&3' <$policy"
	# It cannot be changed, by no way of opening it.
	cat >change.py <<'EOF'
import errno, os, sys
fd = int(sys.argv[1])
for change in (lambda: os.pwrite(fd, b"x", 0), lambda: os.ftruncate(fd, 1),
        lambda: os.ftruncate(fd, 1 << 20),
        lambda: os.write(os.open("/proc/self/fd/%d" % fd, os.O_RDWR), b"x")):
    try:
        change()
        print("changed")
    except OSError as e:
        print(errno.errorcode[e.errno])
EOF
	atf_check -o inline:'EPERM\nEPERM\nEPERM\nEPERM\n' \
	    $AS x07-policy seal "$policy" -- python3 change.py 3
	cp form copy
	chmod 666 copy
	atf_check -o inline:'changed\nchanged\nchanged\nchanged\n' \
	    $AS python3 change.py 0 0<>copy
	# Only that descriptor was added (ls has one more, for the directory).
	$AS ls /proc/self/fd >without
	atf_check -o save:with $AS x07-policy seal -f 77 "$policy" -- ls /proc/self/fd
	atf_check -o inline:'77\n' -x "grep -vxFf without with"
	# Status and arguments are the program's.
	atf_check -s exit:7 -o inline:'a b|--|-x|' $AS x07-policy seal "$policy" -- \
	    sh -c 'printf "%s|" "$@"; exit 7' sh 'a b' -- -x
}

atf_test_case seal
seal_head() { atf_set descr "seal: the form on a sealed descriptor, in the program's hands"; }
seal_body()
{
	base cli
	x07-policy compile "$policy" >form || atf_fail compile
	chmod -R a+rX .
	both seal_once
}

atf_test_case seal_strict
seal_strict_head() { atf_set descr "-s refuses what nothing enforces, -x for programs that heed it is enough"; }
seal_strict_body()
{
	x07-policy init --template cli >/dev/null
	policy=.x07/policies/base/cli.sandbox.base.policy.json
	mkdir out
	for b in os vm; do
		atf_check -s exit:125 -o empty -e match:"nothing enforces fs.max_depth" \
		    x07-policy seal -s $b "$policy" -- echo ran
		atf_check -o inline:"ran\n" x07-policy seal -s $b -x "$policy" -- echo ran
	done
	atf_check -s exit:125 -e match:"-s moon: must be os or vm" \
	    x07-policy seal -s moon "$policy" -- echo ran
}

atf_test_case seal_refuses
seal_refuses_head() { atf_set descr "seal: a bad policy or program runs nothing; 125, 126, 127"; }
seal_refuses_body()
{
	base cli
	echo '{}' >bad.json
	x07-policy compile "$policy" | sed '$d' >truncated
	: >noexec
	for f in bad.json truncated nosuch /dev/null; do
		atf_check -s exit:125 -e not-empty x07-policy seal $f -- touch ran
	done
	for args in '' "$policy" "$policy --" "$policy touch ran" "-- touch ran" \
	    "-f 2 $policy -- touch ran" "-f x $policy -- touch ran" "-x $policy -- touch ran" \
	    "-C nosuch $policy -- touch ran"; do
		status=0
		# shellcheck disable=SC2086 # words
		x07-policy seal $args 2>err || status=$?
		atf_check_equal "$args: 125" "$args: $status"
		atf_check_equal "$args: 1" "$args: $(wc -l <err)"
	done
	atf_check test ! -e ran
	atf_check -s exit:127 -e match:'cannot run /nonexistent: No such file' \
	    x07-policy seal "$policy" -- /nonexistent
	atf_check -s exit:126 -e match:'cannot run ./noexec: Permission denied' \
	    x07-policy seal "$policy" -- ./noexec
	atf_check x07-policy seal "$policy" -- touch ran
	atf_check test -e ran
}

atf_test_case usage
usage_head() { atf_set descr "help lists the subcommands; each has its own; output errors are errors"; }
usage_body()
{
	atf_check -o save:help x07-policy -h
	for c in init check fmt get explain diff derive suggest compile plan seal; do
		atf_check -o match:"^  $c " cat help
		atf_check -o match:"^usage: x07-policy $c" x07-policy $c -h
	done
	atf_check -o match:'^x07-policy [0-9]' x07-policy --version
	atf_check -s exit:2 -e match:usage x07-policy
	atf_check -s exit:2 -e match:'unknown command nosuch' x07-policy nosuch
	base cli
	for c in "compile $policy" "check -j $policy" plan -h; do
		atf_check -s exit:2 -e match:'standard output' -x "x07-policy $c >/dev/full"
	done
}

atf_test_case fmt
fmt_head() { atf_set descr "fmt: canonical bytes, in place or as a difference"; }
fmt_body()
{
	base web-service
	cp "$policy" canonical
	edit 'd["notes"] = "\u00e9 \u20ac \U0001f600 \" \\ / \t \x01"; d["limits"]["cpu_ms"] = 5'
	python3 -c '
import json, sys
d = json.load(open(sys.argv[1], encoding="utf-8"))
print(json.dumps(d, indent=2, sort_keys=True, ensure_ascii=False))' "$policy" >expected
	cp "$policy" before
	atf_check -o file:expected x07-policy fmt "$policy"
	atf_check -o file:expected -x "x07-policy fmt - <$policy"
	atf_check -s exit:1 -o match:'^\+  "limits": \{' -o match:'^--- ' x07-policy fmt -d "$policy"
	atf_check cmp before "$policy"
	chmod 640 "$policy"
	ln -s "$policy" link
	atf_check x07-policy fmt -w link
	atf_check cmp expected "$policy"
	atf_check test -L link
	atf_check -o inline:'640\n' stat -c %a "$policy"
	if [ -n "$AS_USER" ]; then
		cp before "$policy"
		chown "$TEST_USER" "$policy"
		atf_check x07-policy fmt -w "$policy"
		atf_check -o inline:"$TEST_USER 640\n" stat -c '%U %a' "$policy"
	fi
	inode=$(stat -c %i "$policy")
	atf_check x07-policy fmt -w "$policy"
	atf_check_equal "$inode" "$(stat -c %i "$policy")"
	atf_check x07-policy fmt -d "$policy"
	atf_check -o file:canonical x07-policy fmt canonical
	echo '{}' >bad.json
	atf_check -s exit:2 -e match:'bad.json:1:1: policy.fs: missing' x07-policy fmt -w bad.json
	atf_check -o inline:'{}\n' cat bad.json
	atf_check -s exit:2 -e match:'-w needs a file' x07-policy fmt -w -
	for args in '' "-w -d $policy" "$policy $policy" '-x'; do
		# shellcheck disable=SC2086 # words
		atf_check -s exit:2 -e match:'usage: x07-policy fmt' x07-policy fmt $args
	done
}

atf_test_case get
get_head() { atf_set descr "get: one value, as gates get it"; }
get_body()
{
	base web-service
	edit 'd["net"]["allow_hosts"] = [{"host": "B.example", "ports": [2, 1]}, {"host": "::1", "ports": [3]}]
del d["threads"]; d["notes"] = "two\nlines"'
	for v in limits.fds=512 net.enabled=true fs.allow_remove=false policy_id=sandbox.web-service.base \
	    threads.max_queue=1024 db.enabled=false policy.limits.procs=64 \
	    schema_version=x07.run-os-policy@0.1.0; do
		atf_check -o inline:"${v#*=}\\n" x07-policy get "$policy" "${v%%=*}"
	done
	atf_check -o inline:'[::1]:3\nb.example:1,2\n' x07-policy get "$policy" net.allow_hosts
	atf_check -o inline:'HOST\nLOG_LEVEL\nPORT\n' x07-policy get "$policy" env.allow_keys
	atf_check x07-policy get "$policy" env.deny_keys
	atf_check -o inline:'two\nlines\n' x07-policy get "$policy" notes
	edit 'del d["notes"]'
	atf_check -s exit:1 x07-policy get "$policy" notes
	atf_check -o inline:"$(pwd -P)\\n" x07-policy get "$policy" project_root
	x07-policy compile "$policy" >form
	atf_check -o inline:'512\n' x07-policy get form limits.fds
	atf_check -s exit:2 -e match:'fs is an object.*fs.allow_glob' x07-policy get "$policy" fs
	atf_check -s exit:2 -e match:'no key fs.read_root; did you mean read_roots' x07-policy get "$policy" fs.read_root
	atf_check -s exit:2 -e match:'no key cpu_ms; did you mean limits.cpu_ms' x07-policy get "$policy" cpu_ms
	atf_check -s exit:2 -e match:'no key limits.fsd; did you mean fds' x07-policy get "$policy" limits.fsd
	atf_check -s exit:2 -e match:'no key zzz;' x07-policy get "$policy" zzz
	atf_check -s exit:2 -e match:'usage' x07-policy get "$policy"
	echo '{}' >bad.json
	atf_check -s exit:2 -e match:'bad.json:1:1' x07-policy get bad.json limits.fds
}

# digest FLAGS-JSON: what a derived file's name must have in it.
digest()
{
	python3 - "$policy" "$1" <<'PY'
import hashlib, json, sys
over = {"allow_hosts": [], "allow_read_roots": [], "allow_write_roots": [], "deny_hosts": []}
over.update(json.loads(sys.argv[2]))
base = open(sys.argv[1], "rb").read()
text = json.dumps(over, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
print(hashlib.sha256(base + text.encode()).hexdigest()[:8])
PY
}

# derived: of $policy with these flags, as $derived; checks the line users parse.
derived()
{
	x07-policy derive --for 'x07 run' "$@" "$policy" >out 2>err || atf_fail "derive $*: $(cat err)"
	derived=$(cat out)
	atf_check -o inline:"x07 run: using derived policy $derived\\n" cat err
	atf_check x07-policy check "$derived"
	atf_check -o file:"$derived" x07-policy fmt "$derived"
}

atf_test_case derive
derive_head() { atf_set descr "derive: file name, digest, policy_id, notes, merge"; }
derive_body()
{
	here=$(pwd -P)
	base http-client
	gen=$here/.x07/policies/_generated

	derived --allow-host example.com:443
	g=$(digest '{"allow_hosts": [{"host": "example.com", "ports": [443]}]}')
	atf_check_equal "$gen/sandbox.http-client.base.g$g.policy.json" "$derived"
	atf_check -o inline:"sandbox.http-client.base.g$g\\n" jq -r .policy_id "$derived"
	atf_check -o inline:"Derived by x07 run from \`$here/$policy\` (g$g)\\n" \
	    -x "jq -r .notes '$derived' | tail -n 1"
	atf_check -o inline:"$(jq -r .notes "$policy")\\n" -x "jq -r .notes '$derived' | sed '\$d'"
	atf_check -o inline:'[{"host":"example.com","ports":[443]}]\n' jq -c .net.allow_hosts "$derived"

	derived --allow-host example.com:443 --deny-host 'example.com:*'
	g=$(digest '{"allow_hosts": [{"host": "example.com", "ports": [443]}],
	    "deny_hosts": [{"all_ports": true, "host": "example.com", "ports": []}]}')
	atf_check_equal "$gen/sandbox.http-client.base.g$g.policy.json" "$derived"
	atf_check -o inline:'[]\n' jq -c .net.allow_hosts "$derived"

	# Everything at once: merged, sorted, once.
	cat >allow.txt <<'EOF'
# comment

  File.example : 80 , 443	# why
EOF
	printf 'b.example:1\r\n' >deny.txt
	derived --allow-host 'b.example:2,1' --allow-host-file allow.txt \
	    --allow-host B.EXAMPLE.:3 --allow-host '[::1]:5' --deny-host-file deny.txt \
	    --allow-read-root ' data ' --allow-read-root . --allow-write-root data --allow-read-root data
	g=$(digest '{"allow_hosts": [{"host": "::1", "ports": [5]},
	    {"host": "b.example", "ports": [1, 2, 3]}, {"host": "file.example", "ports": [80, 443]}],
	    "allow_read_roots": [".", "data"], "allow_write_roots": ["data"],
	    "deny_hosts": [{"all_ports": false, "host": "b.example", "ports": [1]}]}')
	atf_check_equal "$gen/sandbox.http-client.base.g$g.policy.json" "$derived"
	atf_check -o inline:'[{"host":"file.example","ports":[80,443]},{"host":"b.example","ports":[2,3]},{"host":"::1","ports":[5]}]\n' \
	    jq -c .net.allow_hosts "$derived"
	atf_check -o inline:'[".","data"]\n' jq -c .fs.read_roots "$derived"
	atf_check -o inline:'["out","data"]\n' jq -c .fs.write_roots "$derived"

	# Nothing else changed.
	atf_check -o empty -x "jq -S 'del(.policy_id, .notes, .net.allow_hosts, .fs.read_roots, .fs.write_roots)' '$derived' >a
	    jq -S 'del(.policy_id, .notes, .net.allow_hosts, .fs.read_roots, .fs.write_roots)' '$policy' | diff a -"
	atf_check -o inline:'3\n' -x "ls -A '$gen' | wc -l"
}

atf_test_case derive_base
derive_base_head() { atf_set descr "derive: entries of the base are merged, unions and limits kept"; }
derive_base_body()
{
	base http-client
	edit 'd["net"]["allow_hosts"] = [{"host": "A.example", "ports": [2, 1]}, {"host": "a.example", "ports": [3, 1]},
	    {"host": "*.wild", "ports": [9]}]; d["net"]["allow_dns"] = False; del d["notes"]'
	hosts='{"host":"a.example","ports":[1,2,3]},{"host":"*.wild","ports":[9]}'
	derived --allow-read-root x
	atf_check -o inline:"[$hosts]\\nfalse\\n" jq -c '.net.allow_hosts, .net.allow_dns' "$derived"
	atf_check -o match:'^Derived by x07 run' jq -r .notes "$derived"
	# DNS comes on with a name that is asked for and stays, never else.
	derived --allow-host 10.0.0.1:1
	atf_check -o inline:'false\n' jq .net.allow_dns "$derived"
	derived --allow-host '[fe80::a]:1'
	atf_check -o inline:'false\n' jq .net.allow_dns "$derived"
	derived --allow-host c.example:1 --deny-host 'c.example:*'
	atf_check -o inline:'false\n' jq .net.allow_dns "$derived"
	derived --deny-host 'a.example:1'
	atf_check -o inline:'false\n' jq .net.allow_dns "$derived"
	derived --allow-host c.example:1
	atf_check -o inline:"[$hosts,{\"host\":\"c.example\",\"ports\":[1]}]\\ntrue\\n" \
	    jq -c '.net.allow_hosts, .net.allow_dns' "$derived"
	# A denied address is cut out of the blocks that hold it.
	derived --allow-host 10.0.0.0/30:80,443 --deny-host 10.0.0.1:80
	atf_check -o inline:'{"host":"10.0.0.0/30","ports":[443]}
{"host":"10.0.0.0","ports":[80]}
{"host":"10.0.0.2-10.0.0.3","ports":[80]}
' jq -c '.net.allow_hosts[2:][]' "$derived"
	# What is left is never read as something else: ::ffff:0:0/96 would be all of IPv4.
	cp "$policy" plain
	edit 'd["net"]["allow_hosts"] = [{"host": "::fffe:0:0/95", "ports": [80]},
	    {"host": "64:ff9b::-64:ff9b::1:0:0", "ports": [80]}, {"host": "2001:ffff::-2002:1::", "ports": [80]}]'
	derived --deny-host '[::fffe:0:0/96]:*' --deny-host '[64:ff9b::1:0:0]:*' --deny-host '[2001:ffff::/32]:*'
	atf_check -o inline:'[]\n' jq -c .net.allow_hosts "$derived"
	atf_check -o not-match:wider x07-policy diff "$policy" "$derived"
	# One address of this machine, alone, could be listened on.
	edit 'd["net"]["allow_hosts"] = [{"host": "127.0.0.0/30", "ports": [80, 81]},
	    {"host": "::/126", "ports": [80]}, {"host": "10.0.0.0/31", "ports": [80]}]'
	derived --deny-host 127.0.0.2:80 --deny-host '[::2]:*' --deny-host 10.0.0.1:80
	atf_check -o inline:'{"host":"127.0.0.0/30","ports":[81]}
{"host":"127.0.0.0-127.0.0.1","ports":[80]}
{"host":"::-::1","ports":[80]}
{"host":"::3","ports":[80]}
{"host":"10.0.0.0","ports":[80]}
' jq -c '.net.allow_hosts[]' "$derived"
	atf_check -o not-match:wider x07-policy diff "$policy" "$derived"
	edit 'd["net"]["allow_hosts"] = [{"host": "::fffe:0:0/95", "ports": [80]}]'
	derived --deny-host '[::ffff:0:1]:*'
	atf_check -o inline:'::fffe:0:0/95\n' jq -r '.net.allow_hosts[0].host' "$derived"
	mv plain "$policy"
	# The same address in another spelling is the same.
	derived --allow-host '[2001:db8:0::1]:1' --deny-host '[2001:DB8::1]:*'
	atf_check -o inline:"[$hosts]\\n" jq -c .net.allow_hosts "$derived"

	edit 'd["policy_id"] = "i" * 64; d["notes"] = "n" * 4090'
	derived --allow-host c.example:1
	g=$(basename "$derived" .policy.json | sed 's/.*\.g//')
	atf_check_equal "$(printf 'i%.0s' $(seq 64)).g$g.policy.json" "$(basename "$derived")"
	atf_check_equal "$(printf 'i%.0s' $(seq 54)).g$g" "$(jq -r .policy_id "$derived")"
	atf_check -o inline:'4090\n' jq '.notes | length' "$derived"
	# 4096 bytes with what is added, and one more; the line is as long as its path.
	line="Derived by x07 run from \`$(pwd -P)/$policy\` (g01234567)"
	for n in 4096 4097; do
		edit "d['notes'] = 'n' * ($n - 3 - ${#line}) + '\u00e9' if $n == 4097 else 'n' * ($n - 1 - ${#line})"
		atf_check_equal $n $(($(jq -j .notes "$policy" | wc -c) + 1 + ${#line}))
		derived --allow-host c.example:1
		cp "$derived" "notes.$n"
	done
	atf_check -o inline:'4096\n' -x "jq -j .notes notes.4096 | wc -c"
	atf_check -o match:'Derived by x07 run from' jq .notes notes.4096
	atf_check -o not-match:'Derived' jq .notes notes.4097

	edit 'd["net"]["allow_hosts"] = [{"host": "h%d" % i, "ports": [1]} for i in range(255)]
d["fs"]["read_roots"] = ["r%d" % i for i in range(127)]'
	derived --allow-host h255.example:1 --allow-read-root one --allow-read-root r3
	atf_check -o inline:'256 128\n' jq -r '"\(.net.allow_hosts | length) \(.fs.read_roots | length)"' "$derived"
	atf_check -s exit:2 -e match:'net.allow_hosts would exceed 256 entries' \
	    x07-policy derive --allow-host x.example:1 --allow-host y.example:1 "$policy"
	atf_check -s exit:2 -e match:'fs.read_roots would exceed 128 entries' \
	    x07-policy derive --allow-read-root x --allow-read-root y "$policy"
}

atf_test_case derive_file
derive_file_head() { atf_set descr "derive: the same is left untouched, what differs is replaced, two at once are safe"; }
derive_file_body()
{
	base http-client
	derived --allow-host example.com:443
	cp "$derived" copy
	before=$(stat -c '%i %Y %Z' "$derived")
	derived --allow-host example.com:443
	atf_check_equal "$before" "$(stat -c '%i %Y %Z' "$derived")"
	echo '{}' >"$derived"
	derived --allow-host example.com:443
	atf_check cmp copy "$derived"
	# A link is replaced, even one to the same bytes.
	mv "$derived" target
	ln -s "$PWD/target" "$derived"
	derived --allow-host example.com:443
	[ ! -L "$derived" ] || atf_fail "still a link"
	# Readers see one whole file or none, while ten write it again and again.
	rm "$derived"
	for i in 1 2 3 4 5 6 7 8 9 10; do
		(
			n=0
			while [ $n -lt 10 ]; do
				rm -f "$derived"
				x07-policy derive --allow-host example.com:443 "$policy" \
				    >/dev/null 2>&1 || echo "derive $i" >>failed
				if [ -e "$derived" ]; then
					cat "$derived" >"seen.$i" 2>/dev/null &&
					    { cmp -s copy "seen.$i" || echo "seen $i" >>failed; }
				fi
				n=$((n + 1))
			done
		) &
	done
	wait
	[ ! -e failed ] || atf_fail "$(cat failed)"
	derived --allow-host example.com:443
	atf_check -o inline:"$(basename "$derived")\\n" ls -A .x07/policies/_generated
	# Files are found from the project root, wherever one is.
	mkdir elsewhere
	echo 'f.example:1' >hosts.txt
	cd elsewhere || exit 1
	atf_check -o inline:"$derived\\n" -e ignore \
	    x07-policy derive -C .. --allow-host example.com:443 "$policy"
	atf_check -o match:'/_generated/' -e ignore \
	    x07-policy derive -C .. --allow-host-file hosts.txt "$policy"
	atf_check test ! -e .x07
}

atf_test_case derive_refuses
derive_refuses_head() { atf_set descr "derive: what cannot be meant is one clear line, and writes nothing"; }
derive_refuses_body()
{
	base http-client
	refuse() { # MATCH FLAG...
		_match=$1
		shift
		atf_check -s exit:2 -o empty -e match:"^x07-policy: .*$_match" \
		    x07-policy derive "$@" "$policy"
		atf_check_equal "$*: 1" "$*: $(x07-policy derive "$@" "$policy" 2>&1 | wc -l)"
	}
	refuse 'brackets' --allow-host ::1:443
	refuse 'brackets' --allow-host fe80::1
	refuse 'HOST:PORT|host' --allow-host ''
	refuse 'HOST:PORT' --allow-host example.com
	refuse 'wildcard|\*' --allow-host '*.example.com:443'
	refuse 'wildcard|\*' --deny-host '*.example.com:*'
	refuse 'wildcard|\*' --allow-host '*:443'
	refuse 'only for --deny-host' --allow-host 'example.com:*'
	refuse 'port' --allow-host example.com:0
	refuse 'port' --allow-host example.com:65536
	refuse 'port' --allow-host example.com:+1
	refuse 'port' --allow-host example.com:01
	refuse 'port' --allow-host example.com:1,,2
	refuse 'port' --allow-host example.com:1,
	refuse ';|host' --allow-host 'a;b:1'
	refuse '.' --allow-host 'a b:1'
	refuse '.' --allow-host 127.1:80
	refuse '.' --allow-host 0x7f000001:80
	refuse '.' --allow-host 2130706433:80
	refuse "';'" --allow-read-root 'a;b'
	refuse 'empty path' --allow-write-root '  '
	refuse '--allow-read-root a.377: .*not UTF-8' --allow-read-root "$(printf 'a\377')"
	refuse 'nothing to derive'
	refuse 'usage' --nosuch
	ports=$(seq -s, 1 65)
	refuse '64' --allow-host "h.example:$ports"
	refuse '64' --allow-host "h.example:${ports%,65}" --allow-host h.example:65
	printf 'a.example:1\nb.example\n' >hosts
	refuse "$(pwd -P)/hosts:2: b.example: " --allow-host-file hosts
	printf 'a.example:1\000b.example:2\n' >hosts
	refuse 'NUL' --allow-host-file hosts
	refuse 'cannot read .*/nosuch: No such file' --deny-host-file nosuch
	edit 'd["net"]["allow_tcp"] = False'
	refuse 'base policy forbids TCP \(net.allow_tcp=false\)' --allow-host a.example:1
	refuse 'base policy forbids TCP \(net.allow_tcp=false\)' --deny-host a.example:1
	edit 'd["net"]["enabled"] = False'
	refuse 'base policy disables networking \(net.enabled=false\)' --allow-host a.example:1
	edit 'd["fs"]["enabled"] = False'
	refuse 'fs.enabled=false' --allow-read-root a
	policy=nosuch.json
	refuse "missing policy file: $(pwd -P)/nosuch.json" --allow-read-root a
	echo '{}' >bad.json
	atf_check -s exit:3 -o empty -e match:'bad.json:1:1: policy.fs: missing' \
	    x07-policy derive --allow-read-root a bad.json
	atf_check test ! -e .x07/policies/_generated
	# Directories that a project brings as links, to where they lead.
	rm -r .x07
	base http-client
	mv "$policy" base.json
	mkdir elsewhere
	for _dir in .x07/policies/_generated .x07/policies .x07; do
		rm -rf "$_dir"
		ln -s "$PWD/elsewhere" "$_dir"
		atf_check -s exit:2 -o empty -e match:"$_dir: not a directory; a link" \
		    x07-policy derive --allow-host example.com:1 base.json
		[ "$_dir" = .x07/policies/_generated ] ||
		    atf_check -s exit:2 -e match:"$_dir: not a directory; a link" \
		    x07-policy init --template cli
		rm "$_dir"
	done
	atf_check -o empty ls elsewhere
	atf_check -o match:_generated -e ignore \
	    x07-policy derive --allow-host example.com:1 base.json
}

atf_test_case diff
diff_head() { atf_set descr "diff: a line per key that differs; 0 when nothing more is granted, 1 when it is"; }
diff_body()
{
	base worker-parallel
	edit 'd["db"] = {"enabled": False, "drivers": {"sqlite": True, "postgres": False, "mysql": False},
    "sqlite": {"allow_paths": ["a.db"], "readonly_only": True},
    "net": {"allow_dns": ["d"], "allow_cidrs": ["10.0.0.0/8", "x"], "allow_ports": [5432]}}
d["net"]["allow_hosts"] = [{"host": "a.example", "ports": [80, 443]},
    {"host": "10.0.0.0/25", "ports": [1]}, {"host": "10.0.0.128-10.0.0.255", "ports": [1]}]
d["fs"]["read_roots"] = [".", "/usr/lib/"]; d["fs"]["write_roots"] = ["out"]
d["env"]["allow_keys"] = ["A", "B"]; d["env"]["deny_keys"] = ["C"]
d["process"]["allow_args_regex_lite"] = ["a", "b"]; d["process"]["allow_cwd_roots"] = ["w"]
d["process"]["allow_execs"] = ["bin/x"]; d["process"]["max_args"] = 10
d["fs"]["max_depth"] = 5'
	cp "$policy" old.json
	atf_check x07-policy diff old.json old.json
	atf_check -o inline:'changed policy_id: sandbox.worker-parallel.base -> x\n' -x \
	    "jq '.policy_id = \"x\" | .notes = \"y\"' old.json | x07-policy diff old.json -"

	# change STATUS LINE JQ: this change of old.json is told so, and its reverse is not wider
	# exactly when this one is.
	change() {
		jq "$3" old.json >new.json || atf_fail "$3"
		atf_check -s "exit:$1" -o inline:"$2\\n" x07-policy diff old.json new.json
		atf_check -s "exit:$1" x07-policy diff -q old.json new.json
		case $2 in
		wider*) atf_check -o match:'^narrower' x07-policy diff new.json old.json ;;
		narrower*) atf_check -s exit:1 -o match:'^wider' x07-policy diff new.json old.json ;;
		esac
	}
	change 1 'wider limits.cpu_ms: 300000 -> 300001' '.limits.cpu_ms += 1'
	change 0 'narrower limits.cpu_ms: 300000 -> 299999' '.limits.cpu_ms -= 1'
	change 1 'wider limits.core_dumps: false -> true' '.limits.core_dumps = true'
	change 1 'wider fs.enabled: false -> true' '.fs.enabled = true'
	change 1 'wider fs.deny_hidden: true -> false' '.fs.deny_hidden = false'
	change 1 'wider process.kill_tree: true -> false' '.process.kill_tree = false'
	change 1 'wider db.sqlite.readonly_only: true -> false' 'del(.db.sqlite.readonly_only)'
	change 1 'wider db.net.require_tls: true -> false' '.db.net.require_tls = false'
	change 0 'narrower process.max_args: 10 -> 9' '.process.max_args = 9'
	change 1 'wider process.max_args: 10 -> 64' 'del(.process.max_args)'
	# 0 is whatever the one who enforces it takes: more or less, nobody knows.
	change 0 'narrower fs.max_depth: 5 -> 4' '.fs.max_depth = 4'
	change 1 'wider fs.max_depth: 5 -> 6' '.fs.max_depth = 6'
	jq '.fs.max_depth = 0' old.json >none.json
	atf_check -s exit:1 -o inline:'wider fs.max_depth: 5 -> 0\n' x07-policy diff old.json none.json
	atf_check -s exit:1 -o inline:'wider fs.max_depth: 0 -> 5\n' x07-policy diff none.json old.json
	# 0 is no limit.
	change 1 'wider process.max_stdout_bytes: 10485760 -> 0' '.process.max_stdout_bytes = 0'
	# Paths hold what is below them.
	change 0 'narrower fs.read_roots: - .' '.fs.read_roots = ["src/./a//", "/usr/lib"]'
	change 1 'wider fs.read_roots: + /etc' '.fs.read_roots += ["/etc", "sub", "/usr/lib/x"]'
	change 1 'wider fs.write_roots: + outer' '.fs.write_roots += ["outer", "out/sub"]'
	change 1 'wider fs.write_roots: + out/../x' '.fs.write_roots += ["out/../x"]'
	change 1 'wider process.allow_cwd_roots: + v' '.process.allow_cwd_roots += ["v"]'
	change 1 'wider db.sqlite.allow_paths: + b.db' '.db.sqlite.allow_paths += ["b.db"]'
	change 1 'wider process.allow_execs: + /bin/sh' \
	    '.process.allow_execs += ["/bin/sh", "deps/x07/y"]'
	change 1 'wider process.allow_exec_prefixes: + deps' '.process.allow_exec_prefixes += ["deps"]'
	atf_check -o empty -x "jq '.process.allow_exec_prefixes += [\"deps/x07/z/\"]' old.json | x07-policy diff old.json -"
	# Sets of items.
	change 1 'wider env.allow_keys: + D' '.env.allow_keys += ["D"]'
	change 0 'narrower env.allow_keys: - B' '.env.allow_keys = ["A"]'
	change 1 'wider env.deny_keys: - C' '.env.deny_keys = []'
	change 0 'narrower env.deny_keys: + D' '.env.deny_keys += ["D"]'
	change 1 'wider process.allow_args_regex_lite: + c' '.process.allow_args_regex_lite += ["c"]'
	change 1 'wider process.allow_args_regex_lite: + anything (the list is empty)' \
	    'del(.process.allow_args_regex_lite)'
	change 1 'wider db.net.allow_ports: + 1' '.db.net.allow_ports += [1]'
	change 1 'wider db.net.allow_dns: + e' '.db.net.allow_dns += ["e"]'
	change 1 'wider db.net.allow_cidrs: + 11.0.0.0/8' '.db.net.allow_cidrs += ["11.0.0.0/8"]'
	atf_check -o empty -x "jq '.db.net.allow_cidrs += [\"10.1.0.0/16\"]' old.json | x07-policy diff old.json -"
	# Hosts: names, ports, and addresses that several entries hold together.
	change 1 'wider net.allow_hosts: + a.example:22' '.net.allow_hosts[0].ports += [22]'
	change 1 'wider net.allow_hosts: + b.example:80' '.net.allow_hosts += [{host: "b.example", ports: [80]}]'
	change 0 'narrower net.allow_hosts: - a.example:443' '.net.allow_hosts[0].ports = [80]'
	change 1 'wider net.allow_hosts: + 10.0.0.0/23:1' '.net.allow_hosts += [{host: "10.0.0.0/23", ports: [1]}]'
	change 1 'wider net.allow_hosts: + 10.0.0.0/24:2' '.net.allow_hosts += [{host: "10.0.0.0/24", ports: [1, 2]}]'
	atf_check -o empty -x "jq '.net.allow_hosts += [{host: \"10.0.0.0/24\", ports: [1]}, {host: \"::ffff:10.0.0.9\", ports: [1]}]' old.json | x07-policy diff old.json -"
	# An address of this machine by itself may be listened on, in a block it may not.
	for h in 0.0.0.0/0=127.0.0.1 127.0.0.0/8=127.9.9.9 0.0.0.0/0=0.0.0.0 ::/0=::1 ::/64=::; do
		jq --arg h "${h%=*}" '.net.allow_hosts = [{host: $h, ports: [80, 81]}]' old.json >block.json
		jq --arg h "${h#*=}" '.net.allow_hosts += [{host: $h, ports: [80]}]' block.json >alone.json
		atf_check -s exit:1 -o match:'^wider net.allow_hosts: \+ .*:80$' x07-policy diff block.json alone.json
		atf_check -o not-match:wider x07-policy diff alone.json block.json
		atf_check x07-policy diff alone.json alone.json
		jq '.net.allow_hosts[1].ports = [81, 80]' alone.json >more.json
		atf_check -s exit:1 -o match:'^wider net.allow_hosts: \+ .*:81$' x07-policy diff alone.json more.json
	done
	# Names of hosts are not addresses, a block does not stand for them.
	change 1 'wider net.allow_hosts: + b.a.example:80' '.net.allow_hosts += [{host: "b.a.example", ports: [80]}]'
	# A wider and a narrower line of one key.
	jq '.env.allow_keys = ["A", "Z"]' old.json >new.json
	atf_check -s exit:1 -o inline:'wider env.allow_keys: + Z\nnarrower env.allow_keys: - B\n' \
	    x07-policy diff old.json new.json
	# Roots are relative to a directory.
	x07-policy compile old.json >old.form
	mkdir sub
	# A bare name is a program of PATH, or of that directory.
	jq '.process.allow_execs += ["deps/x07/git", "git"]' old.json >bare.json
	x07-policy compile bare.json >bare.form
	atf_check x07-policy diff bare.form bare.json
	atf_check -s exit:1 -o match:'^wider process.allow_execs: .*[+,] git$' x07-policy diff -C sub bare.form bare.json
	jq '.process.allow_exec_prefixes += ["."]' old.json >prefix.json
	atf_check -s exit:1 -o match:'^wider process.allow_execs: [+] git$' x07-policy diff prefix.json bare.json
	atf_check -s exit:1 -o match:"^changed project_root" -o match:'^wider fs.write_roots: \+ out$' \
	    x07-policy diff -C sub old.form old.json
}

atf_test_case diff_keys
diff_keys_head() { atf_set descr "diff: of every number and switch, which value grants more"; }
diff_keys_body()
{
	base cli
	x07-policy compile "$policy" >form
	cat >keys.py <<'PY'
import re, subprocess

def names(text):
    """a.{b,c} is a.b and a.c."""
    for word in text.split():
        head, _, tail = word.partition("{")
        yield from (head + t for t in tail.rstrip("}").split(","))

# From the description of the format, not from keys.c.
UP = list(names("""db.{enabled} db.drivers.{mysql,postgres,redis,sqlite}
    db.sqlite.{allow_create,allow_in_memory} env.{enabled}
    fs.{enabled,allow_glob,allow_mkdir,allow_remove,allow_rename,allow_symlinks,allow_walk}
    language.{allow_ffi,allow_unsafe} limits.{core_dumps}
    net.{enabled,allow_dns,allow_tcp,allow_udp}
    process.{enabled,allow_cwd,allow_exec,allow_exit,allow_spawn} threads.{enabled}
    time.{enabled,allow_local_tzid,allow_monotonic,allow_sleep,allow_wall_clock}"""))
DOWN = list(names("""db.net.{require_tls,require_verify} db.sqlite.{readonly_only}
    fs.{deny_hidden} process.{kill_on_drop,kill_tree}"""))
LIMIT = list(names("""limits.{cpu_ms,fds,mem_bytes,procs,wall_ms} threads.{max_blocking}
    process.{max_arg_bytes,max_args,max_env,max_env_key_bytes,max_env_val_bytes}
    process.{max_exe_bytes,max_live,max_spawns} time.{max_sleep_ms}"""))
# 0 is no limit; 0 is what the one who enforces it chooses.
NONE_AT_0 = list(names("""process.{max_runtime_ms,max_stderr_bytes,max_stdin_bytes}
    process.{max_stdout_bytes,max_total_bytes}"""))
ANY_AT_0 = list(names("""db.{connect_timeout_ms,max_live_conns,max_queries,max_resp_bytes}
    db.{max_rows,max_sql_bytes,query_timeout_ms}
    fs.{max_depth,max_entries,max_read_bytes,max_write_bytes} threads.{max_queue,max_workers}"""))
form = open("form").read()
lists = re.findall(r"^(\S+_(?:roots|hosts|keys|paths|execs|prefixes|lite|cidrs|ports)) ", form, re.M)
scalars = set(re.findall(r"^(\S+) ", form.split("\n", 1)[1], re.M)) - set(lists)
scalars -= {"policy_id", "project_root", "end"}
assert sorted(UP + DOWN + LIMIT + NONE_AT_0 + ANY_AT_0) == sorted(scalars), \
    scalars ^ set(UP + DOWN + LIMIT + NONE_AT_0 + ANY_AT_0)

def write(name, key, value):
    text, n = re.subn(r"^%s .*$" % re.escape(key), "%s %d" % (key, value), form, flags=re.M)
    assert n == 1, key
    open(name, "w").write(text)

def check(key, less, more, either=False):
    write("less", key, less)
    write("more", key, more)
    for old, new, want in (("less", "more", 1), ("more", "less", int(either))):
        got = subprocess.run(["x07-policy", "diff", "-q", old, new]).returncode
        assert got == want, (key, old, new, less, more, got)

for k in UP:
    check(k, 0, 1)
for k in DOWN:
    check(k, 1, 0)
for k in LIMIT + NONE_AT_0 + ANY_AT_0:
    low = 1 << 20 if k == "limits.mem_bytes" else 1
    check(k, low, low + 1)
for k in LIMIT:
    if k not in ("limits.cpu_ms", "limits.mem_bytes", "limits.wall_ms"):
        check(k, 0, 1)
for k in NONE_AT_0:
    check(k, 1, 0)
for k in ANY_AT_0:
    check(k, 1, 0, either=True)
PY
	atf_check python3 keys.py
}

atf_test_case diff_roots
diff_roots_head() { atf_set descr "diff: a root inside a root may grant more than it: hidden, by a link, writable"; }
diff_roots_body()
{
	base cli
	mkdir -p src secret .git
	touch secret/x
	ln -s ../secret src/link
	ln -s src near

	# roots STATUS LINES OLD NEW: what jq OLD and NEW make of the policy, compared.
	roots() {
		jq "$3" "$policy" >old.json || atf_fail "$3"
		jq "$4" "$policy" >new.json || atf_fail "$4"
		atf_check -s "exit:$1" -o inline:"$2" x07-policy diff old.json new.json
		atf_check x07-policy diff old.json old.json
		atf_check x07-policy diff new.json new.json
	}
	# What deny_hidden hides below a root, a root of its own shows.
	for key in read write; do
		r=".fs.${key}_roots"
		for h in .git src/.a/b; do
			roots 1 "wider fs.${key}_roots: + $h\n" "$r = [\".\"]" "$r = [\".\", \"$h\"]"
			roots 0 '' ".fs.deny_hidden = false | $r = [\".\"]" \
			    ".fs.deny_hidden = false | $r = [\".\", \"$h\"]"
		done
		roots 0 '' "$r = [\".git\"]" "$r = [\".git\", \".git/a.b\"]"
		# What a link below a root leads to is not below it,
		roots 1 "wider fs.${key}_roots: + src/link/x\n" "$r = [\"src\"]" "$r = [\"src\", \"src/link/x\"]"
		# unless it is.
		roots 0 '' "$r = [\".\"]" "$r = [\".\", \"src/link/x\"]"
		# Nor is what only the links of this machine bring below it.
		roots 1 "wider fs.${key}_roots: + secret\n" "$r = [\"src/link\"]" "$r = [\"src/link\", \"secret\"]"
		roots 1 "wider fs.${key}_roots: + near/x\n" "$r = [\"src\"]" "$r = [\"src\", \"near/x\"]"
	done
	# The same of programs.
	spawn='.process.allow_spawn = true | .process.max_live = 1 | .process.max_spawns = 1 | .process.max_runtime_ms = 1'
	roots 1 'wider process.allow_execs: + src/link/x\n' "$spawn"' | .process.allow_exec_prefixes = ["src"]' \
	    "$spawn"' | .process.allow_exec_prefixes = ["src"] | .process.allow_execs = ["src/link/x", "src/.y"]'

	# A read root inside a write root is read-only: without it, or with a write root in
	# it, more may be written.
	ro='.fs.read_roots = ["src"] | .fs.write_roots = ["."]'
	roots 1 'wider fs.write_roots: + src/gen\n' "$ro" "$ro"' | .fs.write_roots += ["src/gen", "out"]'
	roots 1 'wider fs.write_roots: + src\n' "$ro" "$ro"' | .fs.write_roots += ["src"]'
	roots 1 'narrower fs.read_roots: - src\nwider fs.write_roots: + src\n' "$ro" \
	    "$ro"' | .fs.read_roots = []'
	roots 1 'wider fs.read_roots: + src\nnarrower fs.write_roots: - src\n' \
	    "$ro"' | .fs.read_roots = []' "$ro"
	roots 0 'narrower fs.write_roots: - .\n' "$ro"' | .fs.read_roots = ["."] | .fs.write_roots = [".", "src"]' \
	    '.fs.read_roots = ["."] | .fs.write_roots = ["src"]'
	# Hidden, it is not writable without being a root.
	roots 0 'narrower fs.read_roots: - .git\n' '.fs.read_roots = [".git"] | .fs.write_roots = ["."]' \
	    '.fs.read_roots = [] | .fs.write_roots = ["."]'
	roots 1 'wider fs.deny_hidden: true -> false\nnarrower fs.read_roots: - .git\nwider fs.write_roots: + .git\n' \
	    '.fs.read_roots = [".git"] | .fs.write_roots = ["."]' \
	    '.fs.read_roots = [] | .fs.write_roots = ["."] | .fs.deny_hidden = false'
}

atf_test_case diff_trouble
diff_trouble_head() { atf_set descr "diff: trouble is 2, never 0 or 1"; }
diff_trouble_body()
{
	base cli
	echo '{}' >bad.json
	for args in "$policy bad.json" "bad.json $policy" "$policy nosuch" "$policy" '' \
	    "-x $policy $policy" "- -" "$policy $policy $policy" "-C nosuch $policy $policy"; do
		# shellcheck disable=SC2086 # words
		atf_check -s exit:2 -o empty -e not-empty x07-policy diff $args
	done
	edit 'd["limits"]["fds"] = 0'
	x07-policy init --template cli --emit policy --out new.json >/dev/null
	atf_check -s exit:2 -e match:'standard output' -x "x07-policy diff $policy new.json >/dev/full"
}

atf_test_case properties
properties_head()
{
	atf_set descr "derive and diff against an independent judge, on random policies"
	atf_set timeout 120
}
properties_body()
{
	atf_check python3 "$X07_TESTS/bin/x07-policy_property.py" 1 100
}

atf_test_case suggest
suggest_head() { atf_set descr "suggest: what the log shows as denied, with reasons, and nothing else"; }
suggest_body()
{
	base cli
	cat >log <<'EOF'
{"time":1.000,"pid":5,"gate":"x07-netgate","verdict":"deny","verb":"connect","object":"192.0.2.1:443","why":"net.enabled is false","key":"net.enabled","hint":"--allow-host 192.0.2.1:443","times":3}
{"time":1.000,"pid":5,"gate":"x07-netgate","verdict":"deny","verb":"connect","object":"192.0.2.1:443","why":"net.enabled is false","key":"net.enabled","hint":"--allow-host 192.0.2.1:443"}
{"time":1.000,"pid":5,"gate":"x07-netgate","verdict":"would-deny","verb":"connect","object":"a.example:80 [192.0.2.2]","why":"port 80 of this name is not in net.allow_hosts","key":"net.allow_hosts","hint":"--allow-host a.example:80"}
{"time":1.000,"pid":5,"gate":"x07-netgate","verdict":"deny","verb":"resolve","object":"b.example","why":"not in net.allow_hosts","key":"net.allow_hosts","hint":"--allow-host b.example:PORT"}
{"time":1.000,"pid":5,"gate":"x07-netgate","verdict":"allow","verb":"connect","object":"192.0.2.9:9"}
{"time":2.000,"pid":5,"gate":"x07-execgate","verdict":"deny","verb":"exec","object":"/usr/bin/git","why":"no","key":"process.allow_spawn"}
{"time":2.000,"pid":5,"gate":"x07-execgate","verdict":"deny","verb":"exec","object":"/opt/s","why":"its interpreter is not in process.allow_execs","key":"process.allow_execs","hint":"/opt/\u00c3\u00a9 in process.allow_execs"}
{"time":2.000,"pid":5,"gate":"x07-execgate","verdict":"deny","verb":"exec","object":"/lib/ld.so","why":"a loader would run any file","key":"process.allow_execs"}
{"time":2.000,"pid":5,"gate":"x07-execgate","verdict":"deny","verb":"exec","object":"/opt/a;b","why":"not in process.allow_execs","key":"process.allow_execs","hint":"-x /opt/a;b"}
{"time":2.000,"pid":5,"gate":"x07-limit","verdict":"deny","verb":"run","object":"sl\u001beep","why":"limits.wall_ms of 2s reached","key":"limits.wall_ms","hint":"a larger -t"}
[1]
{"tim
EOF
	atf_check -o save:new.json -e save:err x07-policy suggest log "$policy"
	atf_check x07-policy check new.json
	atf_check -o file:new.json x07-policy fmt new.json
	cat >expected <<'EOF'
wider net.allow_dns: false -> true
wider net.allow_hosts: + 192.0.2.1:443, a.example:80
wider net.allow_tcp: false -> true
wider net.enabled: false -> true
wider process.allow_execs: + /opt/\303\251, /usr/bin/git
wider process.allow_spawn: false -> true
wider process.max_live: 0 -> 1
narrower process.max_runtime_ms: 0 -> 120000
wider process.max_spawns: 0 -> 4
EOF
	atf_check -s exit:1 -o file:expected x07-policy diff "$policy" new.json
	cat >expected <<'EOF'
x07-policy: log:11: not a line of an audit log, left out
x07-policy: log:12: not a line of an audit log, left out
# net.enabled: false -> true: x07-netgate denied connect 192.0.2.1:443 4 times
# net.allow_tcp: false -> true: x07-netgate denied connect 192.0.2.1:443 4 times
# net.allow_hosts: 192.0.2.1:443: x07-netgate denied connect 192.0.2.1:443 4 times
# net.allow_dns: false -> true: x07-netgate would deny connect a.example:80 [192.0.2.2]
# net.allow_hosts: a.example:80: x07-netgate would deny connect a.example:80 [192.0.2.2]
# process.allow_spawn: false -> true: x07-execgate denied exec /usr/bin/git
# process.max_live: 0 -> 1: x07-execgate denied exec /usr/bin/git
# process.max_spawns: 0 -> 4: x07-execgate denied exec /usr/bin/git
# process.max_runtime_ms: 0 -> 120000: x07-execgate denied exec /usr/bin/git
# process.allow_execs: /usr/bin/git: x07-execgate denied exec /usr/bin/git
# process.allow_execs: /opt/\303\251: x07-execgate denied exec /opt/s
# nothing for: x07-netgate denied resolve b.example (not in net.allow_hosts)
# nothing for: x07-execgate denied exec /lib/ld.so (a loader would run any file)
# nothing for: x07-execgate denied exec /opt/a;b (not in process.allow_execs)
# nothing for: x07-limit denied run sl\033eep (limits.wall_ms of 2s reached)
EOF
	atf_check -o file:expected cat err
	# With what it suggests there is nothing more to suggest.
	atf_check -s exit:1 -e match:'nothing that this policy denies' x07-policy suggest log new.json
	# What the policy holds already is not added: blocks and prefixes count.
	jq '.net.allow_hosts[0] = {host: "192.0.2.0/24", ports: [443]}
	    | .process.allow_execs = [] | .process.allow_exec_prefixes = ["/usr", "/opt"]' new.json >holds.json
	atf_check -s exit:1 -e ignore x07-policy suggest log holds.json
	atf_check -s exit:1 -e match:'shows nothing' -x ": | x07-policy suggest - $policy"
	# UDP is not TCP.
	echo '{"verdict":"deny","verb":"send","object":"[2001:db8::1]:53","key":"net.enabled"}' >log
	atf_check -o save:new.json -e match:'net.allow_udp: false -> true' x07-policy suggest log "$policy"
	atf_check -s exit:1 -o inline:'wider net.allow_hosts: + [2001:db8::1]:53\nwider net.allow_udp: false -> true\nwider net.enabled: false -> true\n' \
	    x07-policy diff "$policy" new.json
	# A fork alone tells no program; with some listed it does.
	echo '{"verdict":"deny","verb":"spawn","object":"/bin/sh","key":"process.allow_spawn","times":3}' >log
	atf_check -s exit:1 -e match:'nothing for: .* spawn /bin/sh' x07-policy suggest log "$policy"
	jq '.process.allow_execs = ["/bin/ls"]' "$policy" >lists.json
	atf_check -o save:new.json -e match:'process.allow_spawn: false -> true' x07-policy suggest log lists.json
	atf_check -o inline:'3\n' x07-policy get new.json process.max_spawns
	# A fork and its exec are one process.
	cat >log <<'EOF'
{"verdict":"would-deny","verb":"spawn","object":"/bin/sh","key":"process.allow_spawn","times":2}
{"verdict":"would-deny","verb":"exec","object":"/bin/ls","key":"process.allow_spawn"}
{"verdict":"would-deny","verb":"exec","object":"/bin/cat","key":"process.allow_spawn","times":2}
EOF
	atf_check -o save:new.json -e ignore x07-policy suggest log "$policy"
	atf_check -o inline:'3\n' x07-policy get new.json process.max_spawns
	# DNS alone.
	jq '.net.enabled = true | .net.allow_tcp = true | .net.allow_hosts = [{host: "c.example", ports: [1]}]' "$policy" >dns.json
	echo '{"verdict":"deny","verb":"resolve","object":"c.example","key":"net.allow_dns"}' >log
	atf_check -o save:new.json -e match:'net.allow_dns: false -> true' x07-policy suggest log dns.json
	atf_check -s exit:1 -o inline:'wider net.allow_dns: false -> true\n' x07-policy diff dns.json new.json
	# A path that the log cut is not guessed.
	python3 -c 'print("{\"verdict\":\"deny\",\"verb\":\"exec\",\"object\":\"/%s\",\"key\":\"process.allow_spawn\"}" % ("x" * 1520))' >log
	atf_check -s exit:1 -e match:'nothing for' x07-policy suggest log "$policy"
	for args in '' log "log $policy x" "log -" "nosuch $policy" "log nosuch" ". $policy"; do
		# shellcheck disable=SC2086 # words
		atf_check -s exit:2 -o empty -e match:'^x07-policy: ' x07-policy suggest $args
	done
	echo '{}' >bad.json
	atf_check -s exit:2 -e match:'bad.json:1:1' x07-policy suggest log bad.json
}

# word KEY: how the last explain (in the file out) says the key is enforced.
word()
{
	awk -v key="$1" '$1 == key { print $3 }' out
}

explain_once()
{
	# shellcheck disable=SC2086 # $AS is words
	$AS x07-policy explain policy.json >out || atf_fail "explain"
	atf_check_equal yes "$(word limits.wall_ms)"
	atf_check_equal yes "$(word net.enabled)"
	atf_check_equal yes "$(word fs.read_roots)"
	atf_check_equal yes "$(word process.allow_spawn)"
	atf_check_equal partly "$(word fs.deny_hidden)"
	atf_check_equal no "$(word time.allow_wall_clock)"
	atf_check_equal - "$(word net.allow_hosts)"
	atf_check_equal - "$(word time.allow_monotonic)"
	# A row for each key that grants something, in order, once.
	awk 'NR > 1 { print $1 }' out >keys
	atf_check -x "LC_ALL=C sort -C -u keys"
	x07-policy compile policy.json | awk 'NR > 1 && $1 != "end" { print $1 }' | sort -u >form
	atf_check -o inline:'policy_id\nproject_root\n' -x "LC_ALL=C comm -13 keys form"
	# Without namespaces only x07-limit works, less well.
	$AS /usr/bin/python3 "$X07_TESTS/no_namespaces.py" x07-policy explain policy.json >out ||
	    atf_fail "explain without namespaces"
	atf_check_equal partly "$(word limits.wall_ms)"
	atf_check_equal partly "$(word limits.procs)"
	atf_check_equal yes "$(word limits.fds)"
	atf_check_equal refused "$(word net.enabled)"
	# Without the gates beside it or on PATH, they are not there.
	# shellcheck disable=SC2086 # words
	$AS env PATH=/nonexistent alone/x07-policy explain policy.json >out
	atf_check_equal refused "$(word limits.wall_ms)"
	atf_check_equal refused "$(word net.enabled)"
	atf_check_equal refused "$(word fs.read_roots)"
	atf_check_equal refused "$(word process.allow_spawn)"
	atf_check_equal no "$(word time.allow_wall_clock)"
	atf_check_equal - "$(word time.allow_monotonic)"
	# shellcheck disable=SC2086 # words
	$AS env PATH=/nonexistent alone/x07-policy explain -b vm policy.json >out
	atf_check_equal refused "$(word limits.wall_ms)"
	printf '#!/bin/sh\n' >alone/x07-vmrun
	chmod 755 alone/x07-vmrun
	# shellcheck disable=SC2086 # words
	$AS env PATH=/nonexistent alone/x07-policy explain -b vm policy.json >out
	rm alone/x07-vmrun
	atf_check_equal yes "$(word limits.wall_ms)"
	atf_check_equal partly "$(word fs.deny_hidden)"
	atf_check_equal partly "$(word time.allow_wall_clock)"
	atf_check -o match:'^net.enabled .* x07-vmrun ' cat out
	atf_check -o match:'^limits.fds .* x07-limit  *in the guest: ' cat out
}

atf_test_case explain
explain_head() { atf_set descr "explain: a row per key, with what enforces it here"; }
explain_body()
{
	base cli
	edit 'd["time"]["allow_wall_clock"] = False; d["net"]["allow_hosts"] = [{"host": "a", "ports": [1]}]'
	cp "$policy" policy.json
	mkdir alone
	cp "$(command -v x07-policy)" alone/
	chmod -R a+rX .
	both explain_once
	# What is not enforced, alone: for scripts, by exit status too.
	atf_check -s exit:1 -o save:out x07-policy explain -u policy.json
	atf_check -o inline:'fs.deny_hidden\ntime.allow_wall_clock\n' \
	    grep -oE '^(fs.deny_hidden|fs.read_roots|time.allow_(wall_clock|monotonic))' out
	atf_check -s exit:1 -o save:json x07-policy explain -u -j policy.json
	atf_check -o inline:"$(awk 'NR > 1 { print $1, $3 }' out)\\n" \
	    jq -r '.keys[] | "\(.key) \(.enforced)"' json
	# Byte caps hold with or without children; threads and processes are one number.
	atf_check -o save:out x07-policy explain policy.json
	atf_check_equal yes "$(word process.max_stdout_bytes)"
	atf_check_equal - "$(word process.max_runtime_ms)"
	atf_check_equal - "$(word threads.enabled)"
	edit 'd["process"].update(allow_spawn=True, allow_execs=["/bin/ls"], max_live=1, max_spawns=1, max_runtime_ms=5)'
	atf_check -o save:out x07-policy explain "$policy"
	atf_check_equal yes "$(word process.max_runtime_ms)"
	atf_check_equal partly "$(word limits.procs)"
	atf_check_equal partly "$(word threads.max_workers)"
	edit 'd["threads"]["enabled"] = False'
	# Only a control group counts the processes of root.
	atf_check -o save:out $AS_USER x07-policy explain "$policy"
	atf_check_equal yes "$(word limits.procs)"
	atf_check_equal yes "$(word threads.enabled)"
	atf_check_equal - "$(word threads.max_workers)"
	# A policy that forbids nothing but what is enforced leaves nothing to tell.
	edit 'd["time"].update((k, True) for k in d["time"] if k != "max_sleep_ms"); d["time"]["enabled"] = True
d["fs"].update(enabled=False)
d["language"] = {"allow_unsafe": True, "allow_ffi": True}
d["threads"]["enabled"] = False'
	atf_check -s exit:1 -o save:out x07-policy explain --unenforced "$policy"
	atf_check -o not-match:'^(fs|language|threads)' cat out
	# JSON has the whole values.
	atf_check -o save:json x07-policy explain --json --backend os policy.json
	atf_check -o inline:'os ["."] false 60000\n' jq -r '[.keys[] | {(.key): .value}] | add as $v |
	    "os \($v["fs.read_roots"] | tojson) \($v["time.allow_wall_clock"]) \($v["limits.cpu_ms"])"' json
	atf_check -o match:'"backend":"vm"' x07-policy explain -j -b vm policy.json
	for args in '' 'policy.json x' '-b xen policy.json' '-x policy.json'; do
		# shellcheck disable=SC2086 # words
		atf_check -s exit:2 -o empty -e match:'^x07-policy: ' x07-policy explain $args
	done
	echo '{}' >bad.json
	atf_check -s exit:3 -o empty -e match:'bad.json:1:1' x07-policy explain bad.json
}

atf_test_case manual
manual_head() { atf_set descr "x07-policy(5) has every key with its type, range and default, and an example that is valid; (1) every command"; }
manual_body()
{
	cat >compare.py <<'PY'
import json, re, subprocess, sys
src = sys.argv[1]
keys = {}
for k, t, fl, lo, hi, n, ln, df in re.findall(
        r'\{ "([^"]+)", (KEY_\w+), \w+, \w+,\s*([^,]+), ([^,]+), ([^,]+), (\d+), (\d+), ("[^"]*"|NULL) \}',
        open(src + "/lib/libx07/keys.c").read()):
    if "KEY_FORMONLY" in fl:
        continue
    lo, hi = (re.sub(r"INT64_C\((\d+)\)", r"\1", x) for x in (lo, hi))
    what = {"KEY_BOOL": "boolean", "KEY_INT": "integer %s..%s" % (lo, hi),
            "KEY_STRING": "string",
            "KEY_STRINGS": "at most %s strings of 1..%s characters" % (n, ln),
            "KEY_INTS": "at most %s integers %s..%s" % (n, lo, hi),
            "KEY_HOSTS": "at most %s objects" % n}[t]
    if "KEY_REQUIRED" in fl:
        dflt = "required"
    elif df == "NULL":
        dflt = "default none"
    else:
        dflt = "default " + ({"0": "false", "1": "true"}[df[1]] if t == "KEY_BOOL" else df[1:-1])
    keys[k] = (what, dflt)
assert len(keys) > 80, len(keys)
text = open(src + "/man/x07-policy.5").read()
told = re.findall(r"^\.It Cm (\S+) Pq (.*), ((?:default|required).*)$", text, re.M)
assert sorted(k for k, _, _ in told) == sorted(keys), set(keys) ^ {k for k, _, _ in told}
for k, what, dflt in told:
    want = keys[k]
    assert dflt == want[1], (k, dflt, want)
    assert what == want[0] or (want[0] == "string" and "string" in what), (k, what, want)
example = text[text.index("{\n  \"schema_version\""):]
example = example[:example.index(".Ed")]
json.loads(example)
open("example.json", "w").write(example)
page = open(src + "/man/x07-policy.1").read()
for c in sys.argv[2:]:
    assert ".Cm %s\n" % c in page and ".It Cm %s\n" % c in page, c
PY
	# Who enforces it: as explain says of a policy that forbids whatever it can.
	base worker-parallel
	edit '
for o in d.values():
    if isinstance(o, dict):
        o.update((k, False) for k in o if k.startswith("allow_") and isinstance(o[k], bool))
        o.update((k, 1) for k in o if k.startswith("max_"))
        o.update(enabled=True)
d["fs"].update(read_roots=["."])
d["env"].update(deny_keys=["B"])
d["process"].update(allow_spawn=True, allow_args_regex_lite=["a"])
d["db"] = {"enabled": True, "drivers": {"sqlite": True, "postgres": False, "mysql": False},
    "sqlite": {"readonly_only": True}, "net": {}}
del d["language"]["enabled"], d["limits"]["enabled"]'
	atf_check -o save:explain.json x07-policy explain -j "$policy"
	cat >gates.py <<'PY'
import json, re, sys
page = open(sys.argv[1] + "/man/x07-policy.5").read()
page = page[page.index(".Ss Who enforces what"):page.index(".Ss Hosts")]
page = page[:page.index(".El")]
told = {}
for item in page.split("\n.It ")[1:]:
    name = item.split("\n")[0].split()
    gate = name[1] if name[0] == "Xr" else None
    for key in re.findall(r"^\.Cm (\S+)", item, re.M):
        assert key not in told, key
        told[key] = gate
rows = json.load(open("explain.json"))["keys"]
assert sorted(told) == sorted(r["key"] for r in rows), set(told) ^ {r["key"] for r in rows}
for r in rows:
    # A switch that is on forbids nothing, so nobody has to enforce it.
    assert r["enforced"] == "nothing" or told[r["key"]] == r["by"], r
assert sum(r["enforced"] != "nothing" for r in rows) > 75
PY
	atf_check python3 gates.py "$X07_SRC"
	# shellcheck disable=SC2046 # words
	atf_check python3 compare.py "$X07_SRC" $(x07-policy -h | sed -n 's/^  \([a-z]*\) .*/\1/p')
	atf_check x07-policy check example.json
	# and a program runs under it
	atf_check -o inline:"ran\n" x07 run -q --profile sandbox --policy example.json \
	    --sandbox-backend os --i-accept-weaker-isolation -- echo ran
}

atf_test_case completions
completions_head() { atf_set descr "completions: bash completes commands, options, values and keys; zsh loads them"; }
completions_body()
{
	base cli
	completions_ask x07-policy
	atf_check -o inline:'derive\ndiff\n' bash ask.bash d
	atf_check -o inline:'seal\nsuggest\n' bash ask.bash s
	atf_check -o inline:'worker\nworker-parallel\n' bash ask.bash init --template work
	atf_check -o inline:'--deny-host\n--deny-host-file\n' bash ask.bash derive --deny
	atf_check -o inline:'--mkdir-out\n' bash ask.bash init --m
	atf_check -o inline:'limits.wall_ms\n' bash ask.bash get "$policy" limits.w
	atf_check -o inline:"$policy\\n" bash ask.bash check .x07/policies/base/
	atf_check -o inline:'os\nvm\n' bash ask.bash explain -b ''
	# bash breaks words at "=" too.
	atf_check -o inline:'os\nvm\n' bash ask.bash explain --backend =
	atf_check -o inline:'worker\nworker-parallel\n' bash ask.bash init --template = work
	atf_check -o inline:'a program at 4\n' bash ask.bash seal "$policy" -- prog x
	completions_alone seal "$policy" --
	# Every command and every option that usage shows is there.
	for c in $(x07-policy -h | sed -n 's/^  \([a-z]*\) .*/\1/p'); do
		atf_check -o inline:"$c\\n" -x "bash ask.bash $c | grep -x $c"
		atf_check -o match:"'$c:" cat "$X07_SRC/share/completions/zsh/_x07-policy"
		atf_check -o match:"-a $c " cat "$X07_SRC/share/completions/fish/x07-policy.fish"
		for o in $(x07-policy "$c" -h | grep -oE -- '--[a-z-]+'); do
			atf_check -o inline:"$o\\n" -x "bash ask.bash $c $o | grep -x -- $o"
			atf_check -o ignore grep -e "$o" "$X07_SRC/share/completions/zsh/_x07-policy"
			atf_check -o ignore grep -e "-l ${o#--}\\|for o in.* ${o#--}" \
			    "$X07_SRC/share/completions/fish/x07-policy.fish"
		done
	done
	command -v zsh >/dev/null || atf_skip "no zsh: only bash was tested"
	# shellcheck disable=SC2016 # for zsh
	atf_check -o inline:'_x07-policy\n' zsh -fc 'fpath=("$X07_SRC/share/completions/zsh" $fpath)
	    autoload -Uz compinit && compinit -u -D && print $_comps[x07-policy] &&
	    autoload +X _x07-policy'
}

# shellcheck disable=SC2086 # $AS is words
suggest_works_once()
{
	rm -f net.log exec.log
	set -- curl -sS --max-time 10 "http://127.0.0.1:$SERVER_PORT/file"
	atf_check -s exit:7 -e ignore $AS x07-netgate -p policy.json -l net.log -- "$@"
	# The relay may end a moment after the program.
	wait_for 20 grep -q '"verdict":"deny"' net.log
	atf_check -o save:net.json -e match:'# net.allow_hosts: ' -x \
	    "$AS x07-policy suggest - policy.json <net.log"
	atf_check -o inline:"127.0.0.1:$SERVER_PORT\\n" x07-policy get net.json net.allow_hosts
	atf_check -o inline:'content\n' $AS x07-netgate -p net.json -- "$@"

	# A dry run shows all that a program wants, not only the first of it.
	set -- sh -c '/usr/bin/id -u >/dev/null && echo ran'
	atf_check -s not-exit:0 -e match:'x07-execgate: deny spawn' \
	    $AS x07-execgate -p policy.json -- "$@"
	atf_check -o inline:'ran\n' -e match:'would deny' $AS x07-execgate -n \
	    --i-accept-weaker-isolation -p policy.json -l exec.log -- "$@"
	atf_check -o save:exec.json -e match:'# process.allow_execs: .*/id' -x \
	    "$AS x07-policy suggest - policy.json <exec.log"
	atf_check -o inline:'ran\n' $AS x07-execgate -p exec.json -- "$@"
	# No more than that.
	atf_check -s not-exit:0 -o not-match:ran -e match:'x07-execgate: deny exec .*/env' \
	    $AS x07-execgate -p exec.json -- sh -c '/usr/bin/env true && echo ran'
}

atf_test_case suggest_works cleanup
suggest_works_head() { atf_set descr "suggest: what the gates logged is allowed by them under the suggested policy"; }
suggest_works_body()
{
	base cli
	cp "$policy" policy.json
	echo content >file
	http_server 127.0.0.1
	chmod -R a+rX .
	both suggest_works_once
}
suggest_works_cleanup() { stop_servers; }

atf_init_test_cases()
{
	atf_add_test_case templates
	atf_add_test_case init_status
	atf_add_test_case init_paths
	atf_add_test_case init_usage
	atf_add_test_case init_readonly
	atf_add_test_case check
	atf_add_test_case hostile_json
	atf_add_test_case huge
	atf_add_test_case many_faults
	atf_add_test_case compile
	atf_add_test_case useless_hosts
	atf_add_test_case plan
	atf_add_test_case seal
	atf_add_test_case seal_strict
	atf_add_test_case seal_refuses
	atf_add_test_case usage
	atf_add_test_case fmt
	atf_add_test_case get
	atf_add_test_case derive
	atf_add_test_case derive_base
	atf_add_test_case derive_file
	atf_add_test_case derive_refuses
	atf_add_test_case diff
	atf_add_test_case diff_keys
	atf_add_test_case diff_roots
	atf_add_test_case diff_trouble
	atf_add_test_case properties
	atf_add_test_case suggest
	atf_add_test_case explain
	atf_add_test_case manual
	atf_add_test_case completions
	atf_add_test_case suggest_works
}
