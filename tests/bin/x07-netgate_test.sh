#!/usr/bin/env atf-sh
# x07-netgate: what is listed is reached, what is not is refused with a line.
. "$X07_TESTS/lib.sh"

# merged COMMAND...: runs it and keeps everything it and its relay said in the
# file said, then its status. The pipe ends only when the relay has ended too.
merged()
{
	{ status=0; "$@" 2>&1 || status=$?; echo "status $status"; } | cat >said
	cat said
}

# said REGEX, unsaid REGEX: about the last merged.
said()
{
	grep -Eq -- "$1" said || atf_fail "not said: $1"
}
unsaid()
{
	! grep -Eq -- "$1" said || atf_fail "said: $1"
}

# world SCRIPT: runs the sh lines in a network of their own (networld.sh)
# as $AS, in the directory w; its output is in the file said. There, web ADDRESS PORT
# starts a server that answers "page ADDRESS".
world()
{
	mkdir -p w
	[ "$(id -u)" -ne 0 ] || chmod 777 . w
	cat >world.sh <<-'LIB'
	web()
	{
		mkdir -p "www-$1"
		echo "page $1" >"www-$1/index.html"
		python3 "$X07_TESTS/http_server.py" "$1" "www-$1" port-$1-$2 "$2" \
		    >web.log 2>&1 &
		pids="$pids $!"
		n=0
		until [ -s "port-$1-$2" ]; do
			n=$((n + 1)); [ "$n" -lt 400 ] || exit 1; sleep 0.05
		done
	}
	pids=
	trap 'kill $pids' EXIT
	cd w
	LIB
	echo "$1" >>world.sh
	find w -mindepth 1 ! -name names ! -name '*.py' -delete
	merged $AS "$X07_TESTS/networld.sh" "$PWD/w" "$PWD/world.sh"
}

NAMES='good.example A 30 203.0.113.5
good.example AAAA 30 2001:db8:5::5
alias.example CNAME 120 good.example
evil.example A 30 203.0.113.6
rebind.example A 30 127.0.0.1 10.77.0.1 169.254.169.254 203.0.113.5
rebind.example AAAA 30 ::1 fd00:77::1 ::ffff:10.77.0.1 64:ff9b::a4d:1
servfail.example A 30 203.0.113.5'

# ---- addresses ----

atf_test_case address cleanup
address_body()
{
	echo content >index.html
	http_server 127.0.0.1
	both address_as
}
address_as()
{
	merged $AS x07-netgate -a 127.0.0.1:"$SERVER_PORT" -- \
	    curl -sS "http://127.0.0.1:$SERVER_PORT/"
	said '^content$'
	said '^status 0$'
	unsaid deny
	# The same address without the list, another port, another address.
	merged $AS x07-netgate -- curl -sS "http://127.0.0.1:$SERVER_PORT/"
	said "x07-netgate: deny connect 127.0.0.1:$SERVER_PORT \(not in net.allow_hosts; allow with --allow-host 127.0.0.1:$SERVER_PORT\)$"
	said '^status 7$'
	merged $AS x07-netgate -a 127.0.0.1:1 -- \
	    curl -sS "http://127.0.0.1:$SERVER_PORT/"
	said "deny connect 127.0.0.1:$SERVER_PORT "
	said '^status 7$'
	merged $AS x07-netgate -a 127.0.0.2:"$SERVER_PORT" -- \
	    curl -sS "http://127.0.0.1:$SERVER_PORT/"
	said "deny connect 127.0.0.1:$SERVER_PORT "
	said '^status 7$'
}
address_cleanup()
{
	stop_servers
}

atf_test_case ipv6 cleanup
ipv6_body()
{
	echo content >index.html
	http_server ::1
	both ipv6_as
}
ipv6_as()
{
	merged $AS x07-netgate -a "[::1]:$SERVER_PORT" -- \
	    curl -sS "http://[::1]:$SERVER_PORT/"
	said '^content$'
	merged $AS x07-netgate -a "127.0.0.1:$SERVER_PORT" -- \
	    curl -sS "http://[::1]:$SERVER_PORT/"
	said "x07-netgate: deny connect \[::1\]:$SERVER_PORT "
	said '^status 7$'
}
ipv6_cleanup()
{
	stop_servers
}

atf_test_case range
range_body()
{
	both range_as
}
range_as()
{
	world '
	web 203.0.113.5 80
	web 203.0.113.6 80
	get() { l=$1; shift; x07-netgate "$@" -- curl -sS -m 10 "http://$l/" || echo "curl $?"; }
	get 203.0.113.5 -a 203.0.113.4/31:80
	echo second
	get 203.0.113.6 -a 203.0.113.4/31:80
	echo third
	get 203.0.113.6 -a 203.0.113.5-203.0.113.6:80
	get 203.0.113.5 -a 203.0.113.0/24:81'
	said '^page 203.0.113.5$'
	said '^page 203.0.113.6$'
	said 'x07-netgate: deny connect 203.0.113.6:80 '
	said 'x07-netgate: deny connect 203.0.113.5:80 '
	[ "$(grep -c '^page' said)" -eq 2 ] || atf_fail "not two pages"
	[ "$(grep -c '^curl 7' said)" -eq 2 ] || atf_fail "not two refusals"
}

atf_test_case deny_wins cleanup
deny_wins_body()
{
	echo content >index.html
	http_server 127.0.0.1
	echo "127.0.0.0/8:*	# all of it" >deny
	both deny_wins_as
}
deny_wins_as()
{
	p=$SERVER_PORT
	merged $AS x07-netgate -a 127.0.0.1:"$p" -d 127.0.0.1:1 -- \
	    curl -sS "http://127.0.0.1:$p/"
	said '^content$'
	for d in "-d 127.0.0.1:$p" '-d 127.0.0.1:*' '-d 127.0.0.0/8:*' '-D deny'; do
		# shellcheck disable=SC2086
		merged $AS x07-netgate -a 127.0.0.1:"$p" $d -- \
		    curl -sS "http://127.0.0.1:$p/"
		said "x07-netgate: deny connect 127.0.0.1:$p \(denied by --deny-host\)$"
		said '^status 7$'
	done
}
deny_wins_cleanup()
{
	stop_servers
}

# A port that nobody listens on outside is refused at connect(2), without a
# denial, as it would be without the gate.
atf_test_case refused_outside
refused_outside_body()
{
	both refused_outside_as
}
refused_outside_as()
{
	port=$(free_port)
	cat >try.py <<-EOF
	import errno, socket, sys
	s = socket.socket()
	print(errno.errorcode[s.connect_ex(("127.0.0.1", $port))])
	EOF
	merged $AS x07-netgate -a 127.0.0.1:"$port" -- python3 try.py
	said '^ECONNREFUSED$'
	unsaid deny
}

# ---- names ----

atf_test_case name
name_body()
{
	both name_as
}
name_as()
{
	mkdir -p w
	echo "$NAMES" >w/names
	world '
	web 203.0.113.5 80
	web 203.0.113.6 80
	web 2001:db8:5::5 80
	get() { l=$1; shift; x07-netgate "$@" -- curl -sS -m 10 "http://$l/" || echo "curl $?"; }
	get good.example -a good.example:80
	get GOOD.Example. -a Good.EXAMPLE.:80
	get alias.example -a alias.example:80
	x07-netgate -a good.example:80 -- curl -6 -sS http://good.example/
	cp asked before
	get evil.example -a good.example:80
	get secret-data.good.example -a good.example:80
	get notgood.example -a good.example:80
	cmp asked before && echo nothing asked
	get 203.0.113.5 -a good.example:80
	get good.example:81 -a good.example:80'
	[ "$(grep -c '^page 203.0.113.5' said)" -eq 3 ] || atf_fail "not three pages"
	said '^page 2001:db8:5::5$'
	said 'deny resolve evil.example \(not in net.allow_hosts; allow with --allow-host evil.example:PORT\)'
	said 'deny resolve secret-data.good.example '
	said 'deny resolve notgood.example '
	said '^nothing asked$'
	said 'deny connect 203.0.113.5:80 \(not in net.allow_hosts; allow with --allow-host 203.0.113.5:80\)'
	said 'deny connect good.example:81 \[203.0.113.5\] \(port 81 .* allow with --allow-host good.example:81\)'
	said '^status 0$'
}

atf_test_case rebinding
rebinding_body()
{
	both rebinding_as
}
rebinding_as()
{
	mkdir -p w
	echo "$NAMES" >w/names
	world '
	web 10.77.0.1 80
	x07-netgate -a rebind.example:80 -- getent ahosts rebind.example
	echo listed too
	x07-netgate -a rebind.example:80 -a 10.77.0.1:80 -- \
	    getent ahosts rebind.example | grep STREAM
	x07-netgate -a rebind.example:80 -a 10.77.0.1:80 -- \
	    curl -sS http://rebind.example/
	echo by address
	x07-netgate -a rebind.example:80 -- curl -sS http://10.77.0.1/ || :'
	sed '/^listed too/,$d' said >first
	grep -q '^203.0.113.5 ' first || atf_fail "the public address is missing"
	! grep -Eq '^(127|10|169|::|fd|64)' first || atf_fail "a private one passed"
	said 'deny resolve rebind.example \[127.0.0.1\] \(the name answers a loopback address, which is not listed itself; allow with --allow-host 127.0.0.1:80\)'
	said 'deny resolve rebind.example \[10.77.0.1\] .*private'
	said 'deny resolve rebind.example \[169.254.169.254\] .*metadata'
	said 'deny resolve rebind.example \[::1\]'
	said 'deny resolve rebind.example \[fd00:77::1\]'
	said 'deny resolve rebind.example \[::ffff:10.77.0.1\] .*allow-host 10.77.0.1:80'
	said 'deny resolve rebind.example \[64:ff9b::a4d:1\] .*allow-host 10.77.0.1:80'
	said '^10.77.0.1 +STREAM'
	said '^page 10.77.0.1$'
	said 'deny connect 10.77.0.1:80 '
}

atf_test_case no_such_name
no_such_name_body()
{
	both no_such_name_as
}
no_such_name_as()
{
	mkdir -p w
	echo "$NAMES" >w/names
	cat >w/look.py <<-'EOF'
	import socket, sys
	for name in sys.argv[1:]:
	    try:
	        socket.getaddrinfo(name, 80)
	        print(name, "is there")
	    except socket.gaierror as e:
	        print(name, e.args[0] == socket.EAI_NONAME and "NONAME" or
	              e.args[0] == socket.EAI_AGAIN and "AGAIN" or e)
	EOF
	world 'x07-netgate -a good.example:1 -a gone.example:1 -a servfail.example:1 -- \
	    python3 look.py good.example gone.example servfail.example localhost'
	said '^good.example is there$'
	said '^gone.example NONAME$'
	said '^servfail.example AGAIN$'
	said '^localhost is there$'
	unsaid deny
}

# ---- nesting ----

atf_test_case nested cleanup
nested_body()
{
	echo content >index.html
	http_server 127.0.0.1
	one=$SERVER_PORT
	http_server 127.0.0.1
	two=$SERVER_PORT
	both nested_as
}
nested_as()
{
	for p in "$one $two" "$two $one"; do
		set -- $p
		merged $AS x07-netgate -a 127.0.0.1:"$1" -- \
		    x07-netgate -a 127.0.0.1:"$1,$2" -- \
		    curl -sS "http://127.0.0.1:$1/"
		said '^content$'
		merged $AS x07-netgate -a 127.0.0.1:"$1" -- \
		    x07-netgate -a 127.0.0.1:"$1,$2" -- \
		    curl -sS "http://127.0.0.1:$2/"
		said "deny connect 127.0.0.1:$2 "
		said '^status 7$'
		merged $AS x07-netgate -a 127.0.0.1:"$1,$2" -- \
		    sh -c "x07-netgate -a 127.0.0.1:$1 -- curl -sS http://127.0.0.1:$2/"
		said "deny connect 127.0.0.1:$2 "
		said '^status 7$'
	done
}
nested_cleanup()
{
	stop_servers
}

# ---- being the program ----

atf_test_case status
status_body()
{
	both status_as
}
status_as()
{
	atf_check -s exit:0 -o inline:'in\n' $AS x07-netgate -- sh -c 'echo in'
	atf_check -s exit:3 $AS x07-netgate -- sh -c 'exit 3'
	atf_check -s exit:143 -e ignore sh -c "$AS x07-netgate -- sh -c 'kill -TERM \$\$'"
	atf_check -s exit:127 -e match:'^x07-netgate: /nowhere: No such file' \
	    $AS x07-netgate -- /nowhere
	atf_check -s exit:126 -e match:'^x07-netgate: /etc: ' \
	    $AS x07-netgate -- /etc
	atf_check -o inline:'abc\n' sh -c "echo abc | $AS x07-netgate -- cat"
	# No child that the program did not make, no descriptor it did not open.
	cat >look.py <<-'EOF'
	import os
	try:
	    os.waitpid(-1, os.WNOHANG)
	    print("a child")
	except ChildProcessError:
	    print("no child")
	print(sorted(int(f) for f in os.listdir("/proc/self/fd"))[:3],
	      len(os.listdir("/proc/self/fd")))
	EOF
	atf_check -o inline:'no child\n[0, 1, 2] 4\n' \
	    sh -c "$AS x07-netgate -- python3 look.py 7</etc/passwd 8>other"
}

atf_test_case refusals
refusals_body()
{
	both refusals_as
}
refusals_as()
{
	echo 'good.example:443' >list
	echo '  *.example:443' >>list
	for t in "-a example.com|expected HOST:PORT" \
	    "-a *.example.com:443|wildcards" \
	    "-a 0x7f000001:80|numeric" \
	    "-a h:0|1 to 65535" "-a h:*|only for deny" \
	    "-d h|expected HOST:PORT" \
	    "-A list|list:2:3: wildcards" \
	    "-A nowhere|-A nowhere: No such file" \
	    "-c 0|-c 0" "-c x|-c x" "-b -1|-b -1" "-t 0|-t 0" "-t 1h|-t 1h" \
	    "-n|--i-accept-weaker-isolation" \
	    "-P 77|not open" "--nonsense|nonsense"; do
		# shellcheck disable=SC2086
		atf_check -s exit:125 -o empty -e match:"${t#*|}" \
		    $AS x07-netgate ${t%%|*} -- echo started
	done
	atf_check -s exit:125 -o empty -e match:'no program' $AS x07-netgate
	atf_check -s exit:0 -o match:'^usage: x07-netgate' $AS x07-netgate -h
}

# The relay dies: no network, and nothing else. The program dies: no relay.
atf_test_case relay_dies cleanup
relay_dies_body()
{
	echo content >index.html
	http_server 127.0.0.1
	both relay_dies_as
}
relay_dies_as()
{
	rm -f relay go before after
	mkfifo -m 666 relay go
	cat >prog.sh <<-EOF
	curl -sS http://127.0.0.1:$SERVER_PORT/ >before
	echo ready >relay
	read x <go
	curl -sS -m 10 http://127.0.0.1:$SERVER_PORT/ >after 2>&1
	echo "curl \$?" >>after
	EOF
	$AS x07-netgate -a 127.0.0.1:"$SERVER_PORT" -- sh prog.sh 2>err &
	prog=$!
	echo "$prog" >>server.pids
	read -r _ <relay
	relay=$(pgrep -f "^x07-netgate -a 127.0.0.1:$SERVER_PORT ")
	[ -n "$relay" ] || atf_fail "no relay found"
	kill -KILL $relay
	echo go >go
	wait "$prog" || atf_fail "the program failed"
	atf_check -o inline:'content\n' cat before
	atf_check -o match:'^curl 7$' cat after
	rm -f relay go
}
relay_dies_cleanup()
{
	stop_servers
}

atf_test_case program_killed
program_killed_body()
{
	both program_killed_as
}
program_killed_as()
{
	rm -f up
	$AS x07-netgate -a 127.0.0.1:4567 -- sh -c 'echo > up; exec sleep 777' &
	prog=$!
	wait_for 20 test -f up
	pgrep -f '^x07-netgate -a 127.0.0.1:4567 ' >/dev/null ||
	    atf_fail "no relay"
	# $AS may have forked: the sleep is what x07-netgate became.
	kill -KILL "$(pgrep -x -f 'sleep 777')"
	wait "$prog" && atf_fail "the program was not killed"
	wait_for 20 sh -c "! pgrep -f '^x07-netgate -a 127.0.0.1:4567 '"
}

# ---- a policy ----

atf_test_case policy cleanup
policy_body()
{
	echo content >index.html
	http_server 127.0.0.1
	p=$SERVER_PORT
	x07-policy init --template http-client --emit policy >base.json ||
	    atf_fail "no template"
	python3 - "$p" <<-'EOF'
	import json, sys
	p = json.load(open("base.json"))
	p["net"]["allow_hosts"] = [{"host": "127.0.0.1", "ports": [int(sys.argv[1])]}]
	json.dump(p, open("open.json", "w"))
	p["net"]["enabled"] = False
	json.dump(p, open("off.json", "w"))
	p["net"]["enabled"] = True
	p["net"]["allow_tcp"] = False
	json.dump(p, open("notcp.json", "w"))
	p["net"]["allow_hosts"] = []
	p["net"]["enabled"] = False
	p["db"] = {"enabled": True, "drivers": {"sqlite": False, "postgres": True,
	    "mysql": False}, "net": {"allow_dns": [], "allow_cidrs":
	    ["127.0.0.0/30"], "allow_ports": [5, int(sys.argv[1])],
	    "require_tls": True, "require_verify": True}}
	json.dump(p, open("db.json", "w"))
	EOF
	both policy_as
}
policy_as()
{
	for f in open db; do
		merged $AS x07-netgate -p $f.json -- curl -sS "http://127.0.0.1:$p/"
		said '^content$'
		said '^status 0$'
	done
	merged $AS x07-netgate -p off.json -- curl -sS "http://127.0.0.1:$p/"
	said "deny connect 127.0.0.1:$p \(net.enabled is false"
	said '^status 7$'
	merged $AS x07-netgate -p notcp.json -- curl -sS "http://127.0.0.1:$p/"
	said "deny connect 127.0.0.1:$p \(net.allow_tcp is false"
	said '^status 7$'
	merged $AS x07-netgate -p base.json -- curl -sS "http://127.0.0.1:$p/"
	said "deny connect 127.0.0.1:$p \(not in net.allow_hosts"
	merged $AS x07-netgate -p open.json -d 127.0.0.1:"$p" -- \
	    curl -sS "http://127.0.0.1:$p/"
	said "deny connect 127.0.0.1:$p \(denied by --deny-host"
	atf_check -s exit:125 -e match:'cannot widen a policy' \
	    $AS x07-netgate -p open.json -a 127.0.0.1:1 -- true
}
policy_cleanup()
{
	stop_servers
}

atf_init_test_cases()
{
	atf_add_test_case address
	atf_add_test_case ipv6
	atf_add_test_case range
	atf_add_test_case deny_wins
	atf_add_test_case refused_outside
	atf_add_test_case name
	atf_add_test_case rebinding
	atf_add_test_case no_such_name
	atf_add_test_case nested
	atf_add_test_case status
	atf_add_test_case refusals
	atf_add_test_case relay_dies
	atf_add_test_case program_killed
	atf_add_test_case policy
}
