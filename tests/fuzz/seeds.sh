#!/bin/sh
# seeds.sh DIR X07-POLICY: makes the seed corpora DIR/{json,policy,form,hosts,dns} and a dictionary.
set -eu
dir=$1 tool=$2
src=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$dir/json" "$dir/policy" "$dir/form" "$dir/hosts" "$dir/dns"

for f in "$src"/share/templates/*.json; do
	name=${f##*/}
	cp "$f" "$dir/policy/$name"
	tr -d ' \n' <"$f" >"$dir/policy/compact-$name"
	"$tool" compile -C / "$f" >"$dir/form/${name%.json}"
done
cp "$dir"/policy/* "$dir/json/"

# One line each: a seed of its own.
n=0
each()
{
	while IFS= read -r line; do
		n=$((n + 1))
		printf '%s' "$line" >"$1/line-$n"
	done
}
each "$dir/hosts" <<'EOF'
example.com:443
EXAMPLE.com.:80,443
[2001:db8::1]:443
[fd00::/8]:1,2,3
10.0.0.0/8:65535
10.0.0.1-10.0.0.9:22
[fe80::1-fe80::f]:1
[::ffff:192.0.2.1]:80
xn--bcher-kva.example:443
*.example.com:443
127.1:80
0x7f000001:80
2130706433:80
a;b:1
::1:443
example.com:*
 example.com : 1 , 2
EOF
each "$dir/json" <<'EOF'
[1,-0,1.5e-3,1E400,12345678901234567890]
{"a":{"a":1,"a":2},"":[[[[]]]]}
"\u00e9\ud83d\ude00\"\\\/\b\f\n\r\t"
[true,false,null]
"\ud800"
{"k":"v",}
EOF
printf '"\303\251\342\202\254\360\237\230\200"' >"$dir/json/utf8"

# Queries: A with EDNS, AAAA, a root, a pointer, a label too long, a response.
n=0
for query in \
    '\022\064\1\0\0\1\0\0\0\0\0\1\4good\7example\0\0\1\0\1\0\0\51\4\320\0\0\0\0\0\0' \
    '\0\1\1\0\0\1\0\0\0\0\0\0\1A\0\0\34\0\1' \
    '\0\1\1\0\0\1\0\0\0\0\0\0\0\0\2\0\1' \
    '\0\1\1\0\0\1\0\0\0\0\0\0\300\14\0\1\0\1' \
    '\0\1\1\0\0\1\0\0\0\0\0\0\100a\0\0\1\0\1' \
    '\0\1\201\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\1'; do
	n=$((n + 1))
	# shellcheck disable=SC2059 # the escapes are meant
	printf "$query" >"$dir/dns/query-$n"
done

# Words to put together: keys, tokens, escapes.
{
	grep -o '"[a-z_.]*", KEY_' "$src/lib/libx07/keys.c" |
	    sed 's/", KEY_/"/' | tr '.' '\n' | tr -d '"' | sort -u |
	    sed 's/.*/"\\"&\\":"/'
	grep -o '"[a-z_.]*", KEY_' "$src/lib/libx07/keys.c" |
	    sed 's/", KEY_.*/ "/'
	cat <<'EOF'
"true"
"false"
"null"
"[]"
"{}"
"\\u0000"
"\\ud800"
"\\udc00"
"\xef\xbb\xbf"
"\xc3\xa9"
"1e400"
"18446744073709551616"
"x07.run-os-policy@0.1.0"
"x07-policy 1\x0a"
"\x0aend "
"%0A"
"%C3%A9"
"::ffff:"
"/128"
":65535"
EOF
} >"$dir/dict"
