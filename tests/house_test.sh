#!/usr/bin/env atf-sh
# The house itself: what the make files, the set-up and the source must keep.
. "$X07_TESTS/lib.sh"

# copy_tree: a copy of the source without objects, in ./tree.
copy_tree()
{
	mkdir tree
	(cd "$X07_SRC" && git ls-files --cached --others --exclude-standard |
	    while read -r f; do [ ! -e "$f" ] || echo "$f"; done |
	    tar -c -T -) | tar -x -C tree || atf_fail "cannot copy the tree"
}

atf_test_case include_law
include_law_head() { atf_set descr "the include law holds, and its check can fail"; }
include_law_body()
{
	copy_tree
	cd tree || atf_fail "cd"
	git init -q . || atf_fail "git init"
	atf_check sh mk/include-law.sh
	for line in 'lib/libx07/diag.c:#include "os.h"' \
	    'bin/x07-limit/extra.c:#include <cjson/cJSON.h>' \
	    'bin/x07-limit/extra.c:#include <linux/fs.h>' \
	    'lib/libx07os/linux_fd.c:#ifdef __linux__'; do
		file=${line%%:*}
		[ ! -e "$file" ] || cp "$file" ../saved
		printf '%s\n' "${line#*:}" >>"$file"
		atf_check -s exit:1 -o ignore -e match:"include law" sh mk/include-law.sh
		if [ -e ../saved ]; then mv ../saved "$file"; else rm "$file"; fi
	done
	atf_check sh mk/include-law.sh
}

atf_test_case deps
deps_head() { atf_set descr "mk/deps.sh does nothing, without a network, when nothing is missing"; }
deps_body()
{
	atf_check timeout 10 unshare -rn sh "$X07_SRC/mk/deps.sh" check
	atf_check -o match:"^libnl-3-dev +netlink" sh "$X07_SRC/mk/deps.sh" -l
	atf_check -s exit:2 -e match:"^usage:" sh "$X07_SRC/mk/deps.sh" nonsense
}

# builds_with MAKE: builds, rebuilds on a header, installs, cleans.
builds_with()
{
	copy_tree
	cd tree || atf_fail "cd"
	# Errors of the compiler are the lint's matter; here it is make's work.
	fast="COPT=-O0 WERROR="
	# shellcheck disable=SC2086 # words
	{
		atf_check -o ignore -e ignore $1 $fast
		atf_check -o save:../again -e ignore $1 $fast
		! grep -q -- ' -c ' ../again || atf_fail "a second $1 compiles again"
		# Every object whose source includes the header, and no other.
		sleep 1
		touch lib/libx07/form.h
		atf_check -o save:../rebuilt -e ignore $1 $fast
		grep -q -- '-o form.o' ../rebuilt || atf_fail "form.h changed, form.o did not"
		! grep -q -- '-o diag.o' ../rebuilt || atf_fail "diag.o was built for nothing"
		# Other flags are other objects.
		atf_check -o save:../flags -e ignore $1 $fast COPT=-O1
		grep -q -- '-o diag.o' ../flags || atf_fail "new flags, old objects"
		atf_check -o ignore -e ignore $1 $fast COPT=-O1 install \
		    DESTDIR="$PWD/../dest" PREFIX=/opt/x07
	}
	for f in bin/x07 bin/x07-policy bin/x07-limit bin/x07-netgate bin/x07-fsgate \
	    bin/x07-execgate share/man/man1/x07.1 share/man/man7/x07.7; do
		[ -f "../dest/opt/x07/$f" ] || atf_fail "$1 install left out $f"
	done
	atf_check -o ignore -e ignore "$1" clean
	git init -q . && git add -f . && atf_check -o save:../built git ls-files \
	    '*.o' '*.a' '*.d'
	[ ! -s ../built ] || atf_fail "$1 clean left objects"
}

atf_test_case gmake
gmake_head() { atf_set descr "GNU make builds, rebuilds what a header changes, installs, cleans"; }
gmake_body() { builds_with make; }

atf_test_case bmake
bmake_head() { atf_set descr "bmake builds, rebuilds what a header changes, installs, cleans"; }
bmake_body() { builds_with bmake; }

atf_test_case platform_none
platform_none_head() { atf_set descr "PLATFORM=none builds, and every gate refuses"; }
platform_none_body()
{
	copy_tree
	atf_check -o ignore -e ignore make -C tree PLATFORM=none COPT=-O0
	atf_check sh tree/mk/lint-none.sh "$PWD/tree"
}

atf_init_test_cases()
{
	atf_add_test_case include_law
	atf_add_test_case deps
	atf_add_test_case gmake
	atf_add_test_case bmake
	atf_add_test_case platform_none
}
