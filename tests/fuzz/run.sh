#!/bin/sh
# Fuzzes the parsers under ASan and UBSan with libFuzzer.
#
#	run.sh -r RUNS [TARGET...]	RUNS inputs per target, the same ones each time
#	run.sh -s SECONDS [TARGET...]	as many as go into SECONDS per target
#
# Targets: json policy form hosts dns. FUZZ_CORPUS (a directory) keeps what was found
# between long runs; without it everything is thrown away. A crash leaves its
# input in FUZZ_CORPUS, or here.
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
: "${MAKE:=make}" "${CLANG:=clang}"
limit="-runs=20000 -seed=1"
while getopts r:s: opt; do
	case $opt in
	r) limit="-runs=$OPTARG -seed=1" ;;
	s) limit="-max_total_time=$OPTARG" ;;
	*) echo "usage: run.sh [-r RUNS | -s SECONDS] [TARGET...]" >&2; exit 2 ;;
	esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || set -- json policy form hosts dns

work=$(mktemp -d "${TMPDIR:-/tmp}/x07-fuzz.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# A tree of its own: these objects must not meet those of the checkout.
mkdir "$work/bin"
cp -R "$top/lib" "$top/mk" "$top/share" "$top/tests" "$work/"
cp -R "$top/bin/x07-policy" "$top/bin/x07-netgate" "$work/bin/"
find "$work" \( -name '*.[oad]' -o -name .buildflags \) -exec rm -f {} +
rm -f "$work/bin/x07-policy/x07-policy"
san='-O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=all'
cover='-fsanitize=fuzzer-no-link,address,undefined'
{
	"$MAKE" -C "$work/lib" CC="$CLANG" COPT="$san $cover" HARDEN=-fPIE LINK=-pie
	"$MAKE" -C "$work/bin/x07-policy" CC="$CLANG" COPT="$san $cover" HARDEN=-fPIE
} >"$work/log" 2>&1 || {
	tail -n 40 "$work/log" >&2
	exit 1
}
for t; do
	# A parser of one tool is a file of its own there.
	more=
	[ "$t" != dns ] || more="$work/bin/x07-netgate/dns.c -lresolv"
	# shellcheck disable=SC2086 # words
	"$CLANG" -std=c11 $san -fsanitize=fuzzer,address,undefined \
	    -D_GNU_SOURCE -DLIBBSD_OVERLAY -isystem /usr/include/bsd \
	    -I"$work/lib/libx07" -I"$work/lib/libx07os" -I"$work/bin/x07-netgate" \
	    -o "$work/fuzz_$t" "$work/tests/fuzz/fuzz_$t.c" $more \
	    "$work/lib/libx07/libx07.a" -lcjson -lbsd -lmd || exit 1
done

# Tools free nothing before they exit; the library must, under the fuzzer.
ASAN_OPTIONS=detect_leaks=0 \
    sh "$top/tests/fuzz/seeds.sh" "$work/seeds" "$work/bin/x07-policy/x07-policy"
status=0
for t; do
	found=$work/found/$t
	[ -z "${FUZZ_CORPUS:-}" ] || found=$FUZZ_CORPUS/$t
	mkdir -p "$found"
	echo "fuzz: $t"
	# shellcheck disable=SC2086 # words
	"$work/fuzz_$t" $limit -dict="$work/seeds/dict" -timeout=20 -rss_limit_mb=1024 \
	    -max_len=65536 -print_final_stats=1 -verbosity=0 \
	    -artifact_prefix="${FUZZ_CORPUS:-$PWD}/crash-$t-" \
	    "$found" "$work/seeds/$t" >"$work/log" 2>&1 || {
		tail -n 60 "$work/log" >&2
		echo "fuzz: $t FAILED" >&2
		status=1
	}
	grep number_of_executed_units "$work/log" || :
done
exit "$status"
