#!/usr/bin/env atf-sh
# libexec/x07/project: manifests, the choice of a profile, x07 init.
. "$X07_TESTS/lib.sh"

AS=
sandbox=.x07/policies/base/cli.sandbox.base.policy.json

# manifest MEMBERS: x07.json with these members beside the required ones.
manifest()
{
	cat >x07.json <<EOF
{"schema_version": "x07.project@0.5.0", "world": "run-os",
 "entry": "src/main.x07.json", "module_roots": ["src"]$1}
EOF
}

# profiles OBJECT: a manifest with these profiles.
profiles()
{
	manifest ", \"profiles\": $1"
}

atf_test_case versions
versions_head() { atf_set descr "manifests 0.2.0 to 0.5.0 of the reference are read, others refused"; }
versions_body()
{
	for v in 0.2.0 0.3.0 0.4.0 0.5.0; do
		cat >x07.json <<EOF
{"schema_version": "x07.project@$v", "world": "solve-pure", "entry": "main.x07.json",
 "module_roots": ["src", "lib"], "lockfile": null, "compat": "0.5",
 "dependencies": [{"name": "a", "version": "1"}], "link": {"libs": []}, "patch": {},
 "operational_entry_symbol": "a.b", "certification_entry_symbol": "a.c",
 "default_profile": "dev",
 "profiles": {"dev": {"world": "run-os", "runner": "os", "auto_ffi": true,
    "solve_fuel": 1, "cc_profile": "size"}}}
EOF
		atf_check -o inline:"$v\n" x07 run -- echo "$v"
	done
	for v in 0.1.0 0.6.0 1; do
		sed -i "s/project@[0-9.]*/project@$v/" x07.json
		atf_check -s exit:2 -e match:"x07.json:1:20: schema_version: must be" \
		    x07 run -- touch ran
	done
	[ ! -e ran ] || atf_fail "a program was run"
}

atf_test_case faults
faults_head() { atf_set descr "what is wrong in a manifest is one line with its place, exit 2"; }
faults_body()
{
	while IFS='|' read -r text why; do
		printf '%s\n' "$text" >x07.json
		atf_check -s exit:2 -o empty -e save:err x07 run -- touch ran
		[ "$(wc -l <err)" -eq 1 ] || atf_fail "$text: $(cat err)"
		grep -Eq "^x07 run: /.*/x07.json:[12]:[0-9]+: $why" err ||
		    atf_fail "$text: $(cat err)"
	done <<'END'
{|
[]|must be an object
{}|schema_version: missing
{"schema_version":1}|schema_version: must be a string
{"schema_version":"x07.project@0.5.0","wrold":"run-os"}|wrold: unknown key
{"schema_version":"x07.project@0.5.0","world":"run-os","world":"run-os"}|
{"schema_version":"x07.project@0.5.0"}|world: missing
{"schema_version":"x07.project@0.5.0","world":"moon"}|world: unknown world 'moon'
{"schema_version":"x07.project@0.5.0","world":"run-os","module_roots":[]}|module_roots: must be
{"schema_version":"x07.project@0.5.0","world":"run-os","module_roots":["/a"]}|module_roots: must hold only
{"schema_version":"x07.project@0.5.0","world":"run-os","entry":"/a"}|entry: must be a relative path
{"schema_version":"x07.project@0.5.0","world":"run-os","entry":"a/../b"}|entry: must be a relative path
{"schema_version":"x07.project@0.5.0","world":"run-os","entry":"a","module_roots":["b"],"default_profile":"-x"}|default_profile: 
{"schema_version":"x07.project@0.5.0","world":"run-os","module_roots":["b"]}|entry: missing
{"schema_version":"x07.project@0.5.0","world":"run-os","entry":"a"}|module_roots: missing
{"schema_version":"x07.project@0.5.0","world":"run-os","entry":"a","module_roots":["b","b"]}|module_roots: must hold each
END
	while IFS='|' read -r text why; do
		profiles "$text"
		atf_check -s exit:2 -o empty -e save:err x07 run --profile p -- touch ran
		[ "$(wc -l <err)" -eq 1 ] || atf_fail "$text: $(cat err)"
		grep -Eq "^x07 run: /.*/x07.json:2:[0-9]+: $why" err ||
		    atf_fail "$text: $(cat err)"
	done <<'END'
{"p":1}|profiles.p.*: must be an object
{"-p":{"world":"run-os"}}|profiles: '-p' is no profile name
{"p":{}}|profiles.p.world: missing
{"p":{"world":"run-os","policy":"x"}}|profiles.p.policy: only for
{"p":{"world":"run-os-sandboxed"}}|profiles.p.policy: missing
{"p":{"world":"run-os-sandboxed","policy":"/x"}}|profiles.p.policy: must be a relative path
{"p":{"world":"run-os-sandboxed","policy":"../x"}}|profiles.p.policy: must be a relative path
{"p":{"world":"run-os","runner":"moon"}}|profiles.p.runner: must be
{"p":{"world":"run-os","runner":"host"}}|profiles.p.runner: the host runner
{"p":{"world":"run-os","cc_profile":"fast"}}|profiles.p.cc_profile: must be
{"p":{"world":"run-os","max_memory_bytes":-1}}|profiles.p.max_memory_bytes: must be
{"p":{"world":"run-os","cpu_time_limit_seconds":1.5}}|profiles.p.cpu_time_limit_seconds: must be
{"p":{"world":"run-os","auto_ffi":"yes"}}|profiles.p.auto_ffi: must be
{"p":{"world":"run-os","program":[]}}|profiles.p.program: must be
{"p":{"world":"run-os","program":"ls"}}|profiles.p.program: must be
{"p":{"world":"run-os","program":[1]}}|profiles.p.program: must hold
{"p":{"world":"run-os","cc_profile":1}}|profiles.p.cc_profile: must be a string
{"p":{"world":"run-os","secret":1}}|profiles.p.secret: unknown key
END
	profiles '{"p": {"world": "run-os", "input": "a\u0000b"}}'
	atf_check -s exit:2 -e match:"x07.json:2:" x07 run --profile p -- touch ran
	[ ! -e ran ] || atf_fail "a program was run"
}

atf_test_case selection
selection_head() { atf_set descr "--profile, default_profile, dev, os; unknown names list the others"; }
selection_body()
{
	x07 policy init --template cli >/dev/null || atf_fail "policy"
	# A profile tells that it was taken by its program.
	dev='"dev": {"world": "run-os", "program": ["echo", "dev"]}'
	os='"os": {"world": "run-os", "program": ["echo", "os"]}'
	b='"b": {"world": "run-os", "program": ["echo", "b"]}'
	profiles "{$b, $os, $dev}"
	atf_check -o inline:"dev\n" x07 run
	atf_check -o inline:"b\n" x07 run --profile b
	atf_check -o inline:"b more\n" x07 run --profile=b -- more
	profiles "{$b, $os}"
	atf_check -o inline:"os\n" x07 run
	manifest ", \"default_profile\": \"b\", \"profiles\": {$dev, $os, $b}"
	atf_check -o inline:"b\n" x07 run
	atf_check -s exit:2 -e match:"unknown profile 'c' in .*; available: dev, os, b" \
	    x07 run --profile c
	profiles "{$b}"
	atf_check -s exit:2 -e match:"unknown profile 'os' in .*; available: b" x07 run
	manifest ', "default_profile": "gone"'
	atf_check -s exit:2 -e match:"unknown profile 'gone'" x07 run -- touch ran
	# Worlds: --world, then the profile's, then the manifest's.
	profiles "{\"p\": {\"world\": \"run-os-sandboxed\", \"policy\": \"$sandbox\"}}"
	atf_check -s exit:2 -e match:"i-accept-weaker-isolation" \
	    x07 run --profile p --sandbox-backend os -- touch ran
	atf_check -o inline:"out\n" x07 run --profile p --world run-os -- echo out
	atf_check -o inline:"out\n" x07 run --profile p --os -- echo out
	manifest ''
	atf_check -o inline:"out\n" x07 run -- echo out
	sed -i 's/run-os/solve-full/' x07.json
	atf_check -s exit:2 -e match:"world solve-full is not an OS world" x07 run -- touch ran
	for flag in --host '--runner host' '--runner moon' '--world solve-fs'; do
		# shellcheck disable=SC2086 # words
		atf_check -s exit:2 -e match:"x07 run: --host|x07 run: --runner|not an OS world" \
		    x07 run $flag -- touch ran
	done
	[ ! -e ran ] || atf_fail "a program was run"
}

atf_test_case search
search_head() { atf_set descr "the project root is the nearest manifest upwards, and paths count from it"; }
search_once()
{
	mkdir -p top/sub/deep top/other
	(cd top && x07 policy init --template cli >/dev/null &&
	    profiles "{\"os\": {\"world\": \"run-os\"},
	\"w\": {\"world\": \"run-os\", \"program\": [\"./where\"]},
	\"sandbox\": {\"world\": \"run-os-sandboxed\", \"policy\": \"$sandbox\"}}")
	printf '#!/bin/sh\npwd\n' >top/where
	chmod -R a+rwX top
	chmod 755 top/where
	top=$(cd top && pwd -P)
	cd top/sub/deep || atf_fail "cd"
	atf_check -o inline:"$top\n" $AS x07 run --profile w
	# A command is run where we are; the policy counts from the root.
	atf_check -o inline:"$top/sub/deep\n" $AS x07 run -- pwd
	atf_check -o inline:"$top/sub/deep\n" $AS x07 run -q --profile sandbox \
	    --sandbox-backend os --i-accept-weaker-isolation -- pwd
	atf_check -o inline:"$top/sub/deep\n" $AS x07 run -q --profile sandbox \
	    --policy "$sandbox" --sandbox-backend os --i-accept-weaker-isolation -- pwd
	cd "$top/.." || atf_fail "cd"
	for p in top top/x07.json "$top"; do
		atf_check -o inline:"$top\n" $AS x07 run --profile w --project "$p"
	done
	atf_check -s exit:2 -e match:"no x07.json in it" $AS x07 run --project top/other
	mv top/x07.json top/a.x07project.json
	(cd top/sub && atf_check -o inline:"$top\n" $AS x07 run --profile w)
	cp top/a.x07project.json top/b.x07project.json
	(cd top/sub && atf_check -s exit:2 -e match:"more than one" $AS x07 run)
	rm -rf top
}
search_body() { both search_once; }

atf_test_case foreign
foreign_head() { atf_set descr "another user's manifest above us runs nothing, unless it is named"; }
foreign_body()
{
	need_root
	mkdir -p sub
	profiles '{"os": {"world": "run-os", "program": ["echo", "theirs"]}}'
	chown x07test x07.json
	cd sub || atf_fail "cd"
	atf_check -s exit:2 -e match:"belongs to another user.*--project /" x07 run
	atf_check -o inline:"theirs\n" x07 run --project ..
	# The twins: its own user's, and root's.
	atf_check -o inline:"theirs\n" $AS_USER x07 run
	chown root ../x07.json
	atf_check -o inline:"theirs\n" x07 run
	atf_check -o inline:"theirs\n" $AS_USER x07 run
	# A link of theirs to a file of ours is theirs.
	mv ../x07.json ../real
	ln -s real ../x07.json
	chown -h x07test ../x07.json
	atf_check -s exit:2 -e match:"belongs to another user" x07 run
}

atf_test_case init
init_head() { atf_set descr "x07 init: the manifest, the policy of sandboxed templates, conflicts"; }
init_once()
{
	for t in cli http-client web-service fs-tool sqlite-app postgres-client worker \
	    worker-parallel; do
		mkdir "$t"
		chmod 777 "$t"
		cd "$t" || atf_fail "cd"
		policy=.x07/policies/base/$t.sandbox.base.policy.json
		atf_check -o match:"^created x07.json$" $AS x07 init --template "$t"
		if [ "$t" = cli ]; then
			[ ! -e .x07 ] || atf_fail "cli has a policy at once"
			profile=os
		else
			atf_check x07-policy check "$policy"
			profile=sandbox
		fi
		atf_check -o inline:"x07.project@0.5.0 $profile run-os-sandboxed $policy\n" jq -r \
		    '"\(.schema_version) \(.default_profile) \(.profiles.sandbox.world) \(.profiles.sandbox.policy)"' x07.json
		atf_check -o match:"^unchanged x07.json$" $AS x07 init "--template=$t"
		cp x07.json before
		atf_check -o ignore $AS x07 policy init --template "$t"
		atf_check -o inline:"ok\n" $AS x07 run -q --profile sandbox \
		    --sandbox-backend os --i-accept-weaker-isolation -- echo ok
		echo ' ' >>x07.json
		atf_check -s exit:20 -e match:"differs" $AS x07 init --template "$t"
		[ "$(wc -c <x07.json)" -gt "$(wc -c <before)" ] || atf_fail "it was written"
		cd .. || atf_fail "cd"
		rm -rf "$t"
	done
}
init_body()
{
	both init_once
	atf_check -o match:"created x07.json" x07 init
	atf_check -o inline:"os\n" jq -r .default_profile x07.json
	atf_check -s exit:2 -e match:"unknown template 'moon'; there are cli," \
	    x07 init --template moon
	atf_check -s exit:2 -e match:"needs an argument" x07 init --template
	atf_check -s exit:2 -e match:"unknown argument moon" x07 init moon
	atf_check -o match:"^usage: x07 init" x07 init -h
	# Another policy is there: it stays, and there is no manifest that needs it.
	mkdir -p other/.x07/policies/base
	cd other || atf_fail "cd"
	echo mine >.x07/policies/base/worker.sandbox.base.policy.json
	atf_check -s exit:20 -e match:"worker.sandbox.base.policy.json" x07 init --template worker
	atf_check -o inline:"mine\n" cat .x07/policies/base/worker.sandbox.base.policy.json
	[ ! -e x07.json ] || atf_fail "a manifest was made"
	# A directory that cannot be written: an error, and nothing left over.
	mkdir -m 555 ../closed
	cd ../closed || atf_fail "cd"
	for t in cli worker; do
		atf_check -s exit:2 -e match:"Permission denied" $AS_USER x07 init --template $t
	done
	atf_check -o empty ls -A
}

atf_init_test_cases()
{
	atf_add_test_case versions
	atf_add_test_case faults
	atf_add_test_case selection
	atf_add_test_case search
	atf_add_test_case foreign
	atf_add_test_case init
}
