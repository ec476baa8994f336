#!/bin/sh
# Static checks: warnings as errors on both compilers, with the headers of musl and of
# aarch64, clang-tidy, shellcheck, mandoc, the include law, and the parsers under ASan and UBSan.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
: "${MAKE:=make}"
cd "$top"
failed=0

say()
{
	echo "lint: $*"
}

fail()
{
	say "FAILED: $*"
	failed=1
}

# variant NAME MAKE-ARGUMENTS...: builds a copy of the tree, so that objects of
# different flags never mix with those of the checkout.
work=$(mktemp -d "${TMPDIR:-/tmp}/x07-lint.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

variant()
{
	_name=$1
	shift
	say "build $_name"
	mkdir "$work/$_name"
	git ls-files --cached --others --exclude-standard |
	    while read -r f; do [ ! -e "$f" ] || echo "$f"; done |
	    tar -c -T - | tar -x -C "$work/$_name"
	"$@" >"$work/$_name.log" 2>&1 || {
		tail -n 40 "$work/$_name.log"
		fail "build $_name"
	}
}

variant gcc "$MAKE" -s -C "$work/gcc" build-tests CC=gcc
# A program's function of the same name takes the place of a library's without a word.
say "symbols"
symbols()
{
	nm -g --defined-only "$@" 2>/dev/null | awk 'NF == 3 { print $3 }' | sort -u
}
symbols "$work"/gcc/lib/*/*.a >"$work/symbols"
[ -s "$work/symbols" ] || fail "symbols: none found"
for d in "$work"/gcc/bin/*/ "$work"/gcc/libexec/x07/*/; do
	symbols "$d"*.o | comm -12 - "$work/symbols" | sed "s|^|${d#"$work"/gcc/} |"
done >"$work/twice"
[ ! -s "$work/twice" ] || {
	cat "$work/twice"
	fail "symbols: also in a library"
}

variant clang "$MAKE" -s -C "$work/clang" build-tests CC=clang
san='-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all'
variant sanitize "$MAKE" -s -C "$work/sanitize" build-tests CC=clang COPT="$san" HARDEN=-fPIE LINK=-pie GUEST_LINK=-pie
for t in "$work"/sanitize/tests/lib/libx07/*_test; do
	[ -x "$t" ] || continue
	cases=$(ASAN_OPTIONS=detect_leaks=0 "$t" -l | sed -n 's/^ident: //p')
	[ -n "$cases" ] || fail "sanitize: ${t##*/} names no case"
	for c in $cases; do
		# Each in a directory of its own, as Kyua does.
		(cd "$(mktemp -d "$work/case.XXXXXX")" && ASAN_OPTIONS=detect_leaks=0 \
		    "$t" -r /dev/null -s "${t%/*}" "$c") >"$work/case.log" 2>&1 || {
			cat "$work/case.log"
			fail "sanitize: ${t##*/}:$c"
		}
	done
done

# elsewhere NAME COMPILER HEADER...: all must compile with the headers of another C library
# or processor. The other libraries' lie among ours, where those must not be seen.
elsewhere()
{
	_name=$1 _cc=$2
	shift 2
	say "$_name"
	mkdir "$work/$_name"
	for h in bsd cjson libnl3 nettle ares.h ares_build.h ares_version.h "$@"; do
		ln -s "/usr/include/$h" "$work/$_name/${h##*/}"
	done
	git ls-files 'lib/**/*.c' 'bin/**/*.c' 'libexec/**/*.c' |
	    xargs -P 2 -n 8 "$_cc" -fsyntax-only -std=c11 -Wall -Wextra -Wpedantic \
		-Wshadow -Wconversion -Werror -Ilib/libx07 -Ilib/libx07os \
		-D_GNU_SOURCE -DLIBBSD_OVERLAY -isystem "$work/$_name/bsd" \
		-isystem "$work/$_name" -isystem "$work/$_name/libnl3" ||
	    fail "$_name"
}

elsewhere musl musl-gcc linux asm-generic "$(cc -print-multiarch)/asm"
elsewhere aarch64 aarch64-linux-gnu-gcc

say "fuzz"
sh tests/fuzz/run.sh -r 20000 || fail "fuzz"

say "include law"
sh mk/include-law.sh || fail "include law"

say "shellcheck"
# shellcheck disable=SC2046 # one word per file
shellcheck -x $(git ls-files '*.sh' .ci/run | grep -v '^tests/') ||
    fail "shellcheck"
# In tests $AS and the like are lists of words.
# shellcheck disable=SC2046
shellcheck -x -e SC2086 $(git ls-files 'tests/*.sh') || fail "shellcheck of tests"

say "mandoc"
for m in man/*.[1-9]; do
	mandoc -T lint -W warning "$m" || fail "mandoc $m"
done

say "clang-tidy"
git ls-files 'lib/**/*.c' 'bin/**/*.c' 'libexec/**/*.c' |
    xargs -P 2 -n 4 sh -c 'clang-tidy --quiet --warnings-as-errors="*" "$@" -- \
	-std=c11 -Ilib/libx07 -Ilib/libx07os -D_GNU_SOURCE -DLIBBSD_OVERLAY \
	-isystem /usr/include/bsd -isystem /usr/include/libnl3 2>/dev/null' sh ||
    fail "clang-tidy"

if [ "$failed" -ne 0 ]; then
	say "failed"
	exit 1
fi
say "clean"
