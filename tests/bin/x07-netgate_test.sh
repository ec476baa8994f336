#!/usr/bin/env atf-sh
# x07-netgate: what is listed is reached, what is not is refused with a line.
. "$X07_TESTS/lib.sh"

# merged COMMAND...: runs it and keeps everything it and its relay said in the
# file said: output, status, errors. The pipes end only when the relay has
# ended too.
merged()
{
	{
		{
			status=0
			"$@" || status=$?
			echo "status $status"
		} 2>&3 3>&- | cat >said.out
	} 3>&1 | cat >said.err
	cat said.out said.err >said
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

# world SCRIPT: runs the sh lines on a machine of their own (networld.sh)
# as $AS, in the directory w; its output is in the file said. There, web ADDRESS PORT
# starts a server that answers "page ADDRESS", on the internet or on loopback.
world()
{
	mkdir -p w
	[ "$(id -u)" -ne 0 ] || chmod 777 . w
	cat >world.sh <<-'LIB'
	web()
	{
		mkdir -p "www-$1"
		echo "page $1" >"www-$1/index.html"
		case $1 in 127.*) there= ;; *) there=$INET ;; esac
		$there python3 "$X07_TESTS/http_server.py" "$1" "www-$1" port-$1-$2 \
		    "$2" >web.log 2>&1 &
		pids="$pids $!"
		n=0
		until [ -s "port-$1-$2" ]; do
			n=$((n + 1)); [ "$n" -lt 400 ] || exit 1; sleep 0.05
		done
	}
	pids=
	trap '[ -z "$pids" ] || kill $pids' EXIT
	cd w
	LIB
	echo "$1" >>world.sh
	find w -mindepth 1 ! -name names ! -name hosts ! -name '*.py' -delete
	merged $AS "$X07_TESTS/networld.sh" "$PWD/w" "$PWD/world.sh"
}

NAMES='good.example A 30 203.0.113.5
good.example AAAA 30 2001:db8:5::5
alias.example CNAME 120 good.example
evil.example A 30 203.0.113.6
rebind.example A 30 127.0.0.1 10.77.0.1 169.254.169.254 192.0.2.1 203.0.113.5
rebind.example AAAA 30 ::1 fd00:77::1 ::ffff:10.77.0.1 64:ff9b::a4d:1 2001:db8:1::1
servfail.example A 30 203.0.113.5'

# ---- addresses ----

# flow_server FILE [ROOM]: the server that does what its clients ask for; FILE has its port.
flow_server()
{
	python3 "$X07_TESTS/bin/x07-netgate_flow.py" serve "$@" &
	echo $! >>server.pids
	wait_for 20 test -s "$1"
}

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
	# The name stands for the addresses here as it does behind -a.
	for a in localhost 127.0.0.1; do
		merged $AS x07-netgate -a "$a:$p" -d localhost:1 -- \
		    curl -sS "http://127.0.0.1:$p/"
		said '^content$'
		for d in "$p" '*'; do
			merged $AS x07-netgate -a "$a:$p" -d "localhost:$d" -- \
			    curl -sS "http://127.0.0.1:$p/"
			said 'denied by --deny-host'
			said '^status 7$'
		done
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

atf_test_case itself
itself_head() { atf_set descr "a connection that nobody takes does not meet itself"; }
itself_body()
{
	cat >itself.py <<-'EOF'
	import socket, sys
	family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
	got = set()
	for _ in range(200):
	    with socket.socket(family) as s:
	        got.add(s.connect_ex((sys.argv[1], 40000)))
	print(sorted(got))
	EOF
	cat >itself.sh <<-'EOF'
	ip link set lo up
	echo 40000 40003 >/proc/sys/net/ipv4/ip_local_port_range
	# Of a range, or the relay would see first whether it is ours to listen there.
	x07-netgate -q -a 127.0.0.0/24:40000 -- python3 itself.py 127.0.0.1
	python3 itself.py 127.0.0.1
	x07-netgate -q -a "[::/120]:40000" -- python3 itself.py ::1
	python3 itself.py ::1
	EOF
	chmod a+r itself.*
	both itself_as
}
itself_as()
{
	_map=
	[ -z "$AS" ] && [ "$(id -u)" -eq 0 ] || _map=-Ur
	# Without the gate some do. In this order: what met itself is remembered a while.
	atf_check -o inline:"[111]\n[0, 111]\n[111]\n[0, 111]\n" \
	    $AS unshare $_map -n sh itself.sh
}

# Errors of the network outside are those of the program, for both families.
atf_test_case errors
errors_body()
{
	both errors_as
}
errors_as()
{
	mkdir -p w
	cat >w/try.py <<-'EOF'
	import errno, socket, time
	for addr in ("203.0.113.5", "198.51.100.1", "198.51.100.3",
	             "2001:db8:5::5", "2001:db8:99::1", "2001:db8:98::1"):
	    s = socket.socket(socket.AF_INET6 if ":" in addr else socket.AF_INET)
	    s.settimeout(20)
	    print(addr, errno.errorcode.get(s.connect_ex((addr, 80)), "connected"))
	EOF
	world '
	web 203.0.113.5 80
	ip route add unreachable 198.51.100.1/32
	ip -6 route add unreachable 2001:db8:99::1/128
	$INET ip route add unreachable 198.51.100.3/32
	$INET ip -6 route add unreachable 2001:db8:98::1/128
	$INET sh -c "echo 1 >/proc/sys/net/ipv4/ip_forward
	    echo 1 >/proc/sys/net/ipv6/conf/all/forwarding"
	python3 try.py >without
	x07-netgate -t 5s -a "[2001:db8::/32]:80" -a 203.0.113.5:80 \
	    -a 198.51.100.0/24:80 -- python3 try.py >with
	cat without
	diff without with && echo same
	$INET sh -c "echo 0 >/proc/sys/net/ipv4/ip_forward"
	# Nobody answers.
	x07-netgate -t 300ms -a 203.0.113.77:80 -- python3 -c "
import errno, socket
print(errno.errorcode[socket.socket().connect_ex((\"203.0.113.77\", 80))])"'
	said '^203.0.113.5 connected$'
	said '^198.51.100.1 (EHOSTUNREACH|ENETUNREACH)$'
	said '^2001:db8:5::5 ECONNREFUSED$'
	said '^same$'
	said '^EHOSTUNREACH$'
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
	get() { l=$1; shift; x07-netgate "$@" -- curl -4 -sS -m 10 "http://$l/" || echo "curl $?"; }
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
	! grep -Eq '^(127|10|169|192|::|fd|64|2001)' first ||
	    atf_fail "a private one passed"
	said 'deny resolve rebind.example \[127.0.0.1\] \(the name answers a loopback address, which is not listed itself; allow with --allow-host 127.0.0.1:80\)'
	said 'deny resolve rebind.example \[10.77.0.1\] .*private'
	said 'deny resolve rebind.example \[169.254.169.254\] .*metadata'
	said 'deny resolve rebind.example \[192.0.2.1\] .*an address of this machine'
	said 'deny resolve rebind.example \[2001:db8:1::1\] .*an address of this machine'
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

# A name is found when programs ask for what this machine has addresses for, too; IPv6
# comes first where it leads out.
atf_test_case configured
configured_body()
{
	both configured_as
}
configured_as()
{
	mkdir -p w
	echo "$NAMES" >w/names
	cat >w/look.py <<-'EOF'
	import socket
	for family in socket.AF_UNSPEC, socket.AF_INET, socket.AF_INET6:
	    for name in "good.example", "localhost":
	        try:
	            print(name, *[i[4][0] for i in socket.getaddrinfo(name, 80, family,
	                  socket.SOCK_STREAM, 0, socket.AI_ADDRCONFIG)])
	        except OSError as e:
	            print(name, e)
	EOF
	printf '127.0.0.1 localhost\n::1 localhost\n' >w/hosts
	world '
	python3 look.py >without
	x07-netgate -a good.example:80 -- python3 look.py >with
	diff without with && cat with
	ip -6 route del default
	x07-netgate -a good.example:80 -- python3 look.py | grep -c 203.0.113.5
	x07-netgate -a good.example:80 -- python3 look.py | grep 2001 || :'
	said '^good.example 2001:db8:5::5 203.0.113.5$'
	said '^good.example 203.0.113.5$'
	said '^good.example 2001:db8:5::5$'
	said '^2$'
	rm -f w/hosts
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

# In the middle of a transfer: nobody may take that for the end of it.
atf_test_case relay_dies_midway cleanup
relay_dies_midway_body()
{
	flow_server flow.port
	p=$(cat flow.port)
	both relay_dies_midway_as
}
relay_dies_midway_as()
{
	rm -f told out
	$AS x07-netgate -a 127.0.0.1:"$p" -- \
	    python3 "$X07_TESTS/bin/x07-netgate_flow.py" cut "$p" "$PWD/told" >out &
	prog=$!
	wait_for 20 grep -q started out
	kill -KILL "$(pgrep -f "^x07-netgate -a 127.0.0.1:$p ")"
	wait "$prog" || atf_fail "the program failed"
	atf_check -o inline:'started\nECONNRESET\nidle ECONNRESET\nRST\n' cat out
	rm -f told out
}
relay_dies_midway_cleanup()
{
	stop_servers
}

# While it connects, resolves and listens for the program.
atf_test_case relay_dies_busy
relay_dies_busy_body()
{
	both relay_dies_busy_as
}
relay_dies_busy_as()
{
	mkdir -p w
	cat >w/busy.py <<-'EOF'
	import errno, os, socket, threading, time
	def dial(addr, port):
	    s = socket.socket()
	    s.settimeout(20)
	    return errno.errorcode.get(s.connect_ex((addr, port)), "connected")
	served = socket.socket()
	served.bind(("127.0.0.1", 8099))
	served.listen()
	ask = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	ask.connect(("127.0.0.1", 53))
	ask.settimeout(20)
	query = b"\0\1\1\0\0\1\0\0\0\0\0\0\4slow\7example\0\0\1\0\1"
	ask.send(query)
	t = threading.Thread(target=lambda: print("dialling", dial("203.0.113.77", 80)))
	t.start()
	time.sleep(0.3)
	open("started", "w")
	while not os.path.exists("killed"):
	    time.sleep(0.01)
	t.join()
	for i in range(2):
	    try:
	        ask.send(query)
	        ask.recv(512)
	        print("answered")
	    except OSError as e:
	        print("resolving", errno.errorcode[e.errno])
	print("listed", dial("203.0.113.5", 80))
	print("other", dial("203.0.113.6", 80))
	EOF
	world '
	web 203.0.113.5 80
	web 203.0.113.6 80
	$INET python3 -c "import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((\"10.77.0.1\", 53))
time.sleep(100)" & pids="$pids $!"
	echo nameserver 10.77.0.1 >resolv.conf
	x07-netgate -a 203.0.113.77:80 -a slow.example:80 -a 203.0.113.5:80 \
	    -a 127.0.0.1:8099 -- python3 busy.py & prog=$!
	reached() { python3 -c "import socket; socket.create_connection((\"127.0.0.1\", 8099))" 2>/dev/null; }
	until [ -f started ] && reached; do sleep 0.05; done
	kill -KILL $(pgrep -f "^x07-netgate -a 203.0.113.77:80 ")
	reached && echo still reached
	touch killed
	wait $prog'
	said '^dialling ECONNREFUSED$'
	said '^resolving ECONNREFUSED$'
	unsaid '^answered'
	said '^listed ECONNREFUSED$'
	said '^other ECONNREFUSED$'
	unsaid 'still reached'
	said '^status 0$'
}

atf_test_case program_killed
program_killed_body()
{
	both program_killed_as
}
program_killed_as()
{
	rm -f up
	$AS x07-netgate -a 127.0.0.1:4567 -- sh -c 'readlink /proc/self/ns/net >up; exec sleep 777' &
	prog=$!
	wait_for 20 test -s up
	pgrep -f '^x07-netgate -a 127.0.0.1:4567 ' >/dev/null ||
	    atf_fail "no relay"
	# $AS may have forked: the sleep is what x07-netgate became.
	kill -KILL "$(pgrep -x -f 'sleep 777')"
	wait "$prog" && atf_fail "the program was not killed"
	wait_for 20 sh -c "! pgrep -f '^x07-netgate -a 127.0.0.1:4567 '"
	# Nobody is left in its network.
	[ "$(cat up)" != "$(readlink /proc/self/ns/net)" ] ||
	    atf_fail "no network of its own"
	wait_for 20 sh -c '! readlink /proc/[0-9]*/ns/net | grep -xF "$(cat up)"'
}

# ---- the name server ----

# A resolv.conf that is a link to some other place is read there, outside.
atf_test_case resolv_link
resolv_link_body()
{
	both resolv_link_as
}
resolv_link_as()
{
	mkdir -p w
	echo "$NAMES" >w/names
	world '
	mkdir etc && cp /etc/hosts /etc/nsswitch.conf /etc/passwd /etc/group etc
	ln -s "$PWD/resolv.conf" etc/resolv.conf
	mount --bind etc /etc
	x07-netgate -a good.example:80 -- getent ahostsv4 good.example'
	said '^203.0.113.5 +STREAM'
	said '^status 0$'
	rm -rf w/etc
}

# Other record types, classes and servers carry nothing out.
atf_test_case dns
dns_body()
{
	both dns_as
}
dns_as()
{
	mkdir -p w
	echo "$NAMES" >w/names
	world '
	for p in udp tcp; do
		echo "== $p"
		x07-netgate -a good.example:80 -- \
		    python3 "$X07_TESTS/dns_client.py" 127.0.0.1 $p good.example/A \
		    GOOD.Example/AAAA good.example/TXT good.example/HTTPS \
		    good.example/ANY good.example/MX
	done
	cp asked before
	echo "== refused"
	x07-netgate -a good.example:80 -- \
	    python3 "$X07_TESTS/dns_client.py" 127.0.0.1 udp evil.example/A \
	    evil.example/TXT data.good.example/A good.example/A/3 \
	    5.113.0.203.in-addr.arpa/PTR "good.example\\0/A" "good\\056example/A" \
	    "good.example\\n/A" ./NS
	echo "== itself"
	x07-netgate -- python3 "$X07_TESTS/dns_client.py" 127.0.0.1 udp \
	    localhost/A LOCALHOST/AAAA localhost/MX a.localhost/A
	echo "== malformed"
	x07-netgate -a good.example:80 -- \
	    python3 "$X07_TESTS/dns_client.py" 127.0.0.1 udp \
	    hex: hex:1234 hex:12348180000000000000000000 \
	    hex:123401000001000000000000 hex:12340100000100000000000040 \
	    hex:123401000001000000000000c00c00010001 \
	    hex:1234010000020000000000000161000001000101610000010001 \
	    hex:123428000001000000000000016100000100 \
	    hex:123401000001000000000000ff6100000100
	echo "== elsewhere"
	x07-netgate -a good.example:80 -- \
	    python3 "$X07_TESTS/dns_client.py" 203.0.113.5 udp good.example/A
	x07-netgate -a good.example:80 -- \
	    python3 "$X07_TESTS/dns_client.py" 203.0.113.5 tcp good.example/A
	cmp asked before && echo nothing asked'
	[ "$(grep -c '^good.example/A NOERROR 203.0.113.5 ttl 60$' said)" -eq 2 ] ||
	    atf_fail "not two A answers"
	[ "$(grep -c '^GOOD.Example/AAAA NOERROR 2001:db8:5::5 ttl 60$' said)" -eq 2 ] ||
	    atf_fail "not two AAAA answers"
	for t in TXT HTTPS ANY MX; do
		[ "$(grep -c "^good.example/$t NOERROR\$" said)" -eq 2 ] ||
		    atf_fail "$t"
	done
	sed -n '/^== refused/,/^== itself/p' said >part
	[ "$(grep -c ' REFUSED$' part)" -eq 9 ] || atf_fail "not all refused"
	said '^localhost/A NOERROR 127.0.0.1 ttl 86400$'
	said '^LOCALHOST/AAAA NOERROR ::1 ttl 86400$'
	said '^localhost/MX NOERROR$'
	said '^a.localhost/A REFUSED$'
	said 'deny resolve 5.113.0.203.in-addr.arpa \(not in net.allow_hosts\)'
	sed -n '/^== malformed/,/^== elsewhere/p' said >part
	[ "$(grep -c ' silence$' part)" -eq 3 ] || atf_fail "not silent"
	[ "$(grep -c ' FORMERR$' part)" -eq 5 ] || atf_fail "not malformed"
	[ "$(grep -c ' NOTIMP$' part)" -eq 1 ] || atf_fail "not unknown"
	said '^good.example/A .*Connection refused'
	said 'deny send 203.0.113.5:53 '
	said 'deny connect 203.0.113.5:53 '
	said '^nothing asked$'
	said '^status 0$'
}

# net.allow_dns=false: literal addresses only.
atf_test_case no_dns
no_dns_body()
{
	both no_dns_as
}
no_dns_as()
{
	mkdir -p w
	echo "$NAMES" >w/names
	x07-policy init --template http-client --emit policy >base.json
	for dns in true false; do
		python3 - $dns <<-'EOF'
		import json, sys
		p = json.load(open("base.json"))
		p["net"]["allow_hosts"] = [
		    {"host": "good.example", "ports": [80]},
		    {"host": "203.0.113.6", "ports": [80]}]
		p["net"]["allow_dns"] = sys.argv[1] == "true"
		json.dump(p, open("w/" + sys.argv[1] + ".py", "w"))
		EOF
	done
	rm -f base.json
	world '
	web 203.0.113.5 80
	web 203.0.113.6 80
	x07-netgate -p true.py -- curl -s http://good.example/
	x07-netgate -p false.py -- curl -s http://203.0.113.6/
	echo second
	x07-netgate -p false.py -- curl -s http://good.example/ || echo curl $?'
	said '^page 203.0.113.5$'
	said '^page 203.0.113.6$'
	sed -n '/^second/,$p' said | grep -q '^page' && atf_fail "resolved"
	said 'deny resolve good.example \(net.allow_dns is false'
	said '^curl 6$'
}

# An address that was answered once is asked for again when its time is over, and
# denied when the name has another one by then. A gate with short times shows it.
atf_test_case expiry
expiry_body()
{
	lib=$X07_SRC/lib
	[ -f "$lib/libx07os/libx07os.a" ] || atf_skip "no libraries in $lib"
	mkdir bin
	cc -D_GNU_SOURCE -DLIBBSD_OVERLAY -isystem /usr/include/bsd -w \
	    -I"$lib/libx07" -I"$lib/libx07os" -DTTL_MIN=1 -o bin/x07-netgate \
	    "$X07_SRC"/bin/x07-netgate/*.c "$lib/libx07os/libx07os.a" \
	    "$lib/libx07/libx07.a" -lcares -lnl-route-3 -lnl-3 -lbsd -lmd ||
	    atf_skip "no compiler"
	mkdir -p w
	cat >w/again.py <<-'EOF'
	import socket, sys, time
	def get():
	    s = socket.socket()
	    s.settimeout(10)
	    s.connect(("203.0.113.5", 80))
	    s.sendall(b"GET / HTTP/1.0\r\n\r\n")
	    print(s.makefile().read().splitlines()[-1], flush=True)
	print(socket.gethostbyname("moving.example"), flush=True)
	get()
	time.sleep(2.2)
	get()
	with open(sys.argv[1], "w") as f:
	    f.write("moving.example A 1 203.0.113.6\n")
	time.sleep(1.5)
	try:
	    get()
	except OSError as e:
	    print(e)
	EOF
	echo 'moving.example A 1 203.0.113.5' >w/names
	PATH=$PWD/bin:$PATH AS='' world '
	web 203.0.113.5 80
	x07-netgate -a moving.example:80 -- python3 again.py names
	grep -c "moving.example 1$" asked'
	[ "$(grep -c '^page 203.0.113.5$' said)" -eq 2 ] || atf_fail "not two pages"
	said 'Connection refused'
	said 'deny connect moving.example:80 \[203.0.113.5\] \(the name does not answer this address any more'
	said '^3$'
}

# Questions that wait for a server outside take no more memory than there is for them.
atf_test_case dns_flood
dns_flood_body()
{
	both dns_flood_as
}
dns_flood_as()
{
	mkdir -p w
	cat >w/flood.py <<-'EOF'
	import os, socket, time
	question = (b"\1\0\0\1\0\0\0\0\0\0\4slow\7example\0\0\1\0\1")
	s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	s.connect(("127.0.0.1", 53))
	s.settimeout(20)
	for i in range(100000):
	    s.send(bytes([i >> 8 & 255, i & 255]) + question)
	    if i == 100:
	        open("started", "w")
	        while not os.path.exists("on"):
	            time.sleep(0.01)
	# The answers to the last ones: no more can wait.
	print("failed" if s.recv(512)[3] & 15 == 2 else "strange")
	open("done", "w")
	while not os.path.exists("off"):
	    time.sleep(0.01)
	EOF
	world '
	$INET python3 -c "import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((\"10.77.0.1\", 53))
time.sleep(100)" & pids="$pids $!"
	echo nameserver 10.77.0.1 >resolv.conf
	x07-netgate -a slow.example:80 -- python3 flood.py &
	rss() { awk "/^VmRSS/ { print \$2 }" "/proc/$(pgrep -o -f "^x07-netgate -a slow.example:80 ")/status"; }
	until [ -f started ]; do sleep 0.05; done
	before=$(rss)
	touch on
	until [ -f done ]; do sleep 0.05; done
	after=$(rss)
	touch off
	wait $!
	echo "before $before kB, after $after"
	[ "$after" -lt $((before + 4000)) ] && echo flat'
	said '^failed$'
	said '^flat$'
}

# ---- datagrams ----

atf_test_case udp cleanup
udp_body()
{
	cat >echo.py <<-'EOF'
	import socket, sys
	family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
	s = socket.socket(family, socket.SOCK_DGRAM)
	s.bind((sys.argv[1], 0))
	open(sys.argv[2] + ".new", "w").write(str(s.getsockname()[1]))
	import os
	os.rename(sys.argv[2] + ".new", sys.argv[2])
	while True:
	    data, peer = s.recvfrom(65535)
	    s.sendto(b"re:" + data, peer)
	EOF
	cat >ask.py <<-'EOF'
	import socket, sys
	host, port, how = sys.argv[1], int(sys.argv[2]), sys.argv[3]
	family = socket.AF_INET6 if ":" in host else socket.AF_INET
	s = socket.socket(family, socket.SOCK_DGRAM)
	s.settimeout(5)
	try:
	    if how == "connected":
	        s.connect((host, port))
	    for data in b"one", b"x" * 50000:
	        if how == "connected":
	            s.send(data)
	        else:
	            s.sendto(data, (host, port))
	        got, peer = s.recvfrom(65535)
	        print(got == b"re:" + data, peer[0] == host and peer[1] == port)
	except OSError as e:
	    print(type(e).__name__)
	EOF
	cat >hasty.py <<-'EOF'
	import socket, sys, time
	query = "123401000001000000000000096c6f63616c686f73740000010001"
	for host, port, data in ((sys.argv[1], int(sys.argv[2]), b"hello"),
	                         ("127.0.0.1", 53, bytes.fromhex(query))):
	    for i in range(20):
	        family = socket.AF_INET6 if ":" in host else socket.AF_INET
	        with socket.socket(family, socket.SOCK_DGRAM) as s:
	            s.sendto(data, (host, port))
	time.sleep(0.5)
	EOF
	for a in 127.0.0.1 ::1; do
		rm -f udp.port
		python3 echo.py "$a" udp.port &
		echo $! >>server.pids
		wait_for 20 test -s udp.port
		host=$a port=$(cat udp.port)
		# For datagrams alone, as only a policy can say.
		x07-policy init --template http-client --emit policy | jq --arg h "$a" \
		    --argjson p "$port" '.net += {allow_tcp: false, allow_udp: true,
		    allow_hosts: [{host: $h, ports: [$p]}]}' >udponly.json
		chmod a+r udponly.json
		case $a in *:*) spec="[$a]:$port" ;; *) spec=$a:$port ;; esac
		both udp_as
	done
}
udp_as()
{
	for how in connected alone; do
		merged $AS x07-netgate -u -a "$spec" -- \
		    python3 ask.py "$host" "$port" $how
		[ "$(grep -c '^True True$' said)" -eq 2 ] || atf_fail "no echo"
		unsaid deny
	done
	merged $AS x07-netgate -p udponly.json -- \
	    python3 ask.py "$host" "$port" connected
	[ "$(grep -c '^True True$' said)" -eq 2 ] || atf_fail "no echo"
	# Without -u the list is for connections only.
	merged $AS x07-netgate -a "$spec" -- python3 ask.py "$host" "$port" connected
	said '^ConnectionRefusedError$'
	said "deny send .*:$port "
	merged $AS x07-netgate -u -a 127.0.0.2:"$port" -- \
	    python3 ask.py "$host" "$port" connected
	said '^ConnectionRefusedError$'
	said "deny send .*:$port "
	# An answer that comes when the socket is closed is no denial.
	merged $AS x07-netgate -u -a "$spec" -- python3 hasty.py "$host" "$port"
	said '^status 0$'
	unsaid deny
	# Nobody there: as without the gate.
	merged $AS x07-netgate -u -a 127.0.0.1:9 -- \
	    python3 ask.py 127.0.0.1 9 connected
	said '^ConnectionRefusedError$'
	unsaid deny
}
udp_cleanup()
{
	stop_servers
}

atf_test_case udp_range
udp_range_body()
{
	both udp_range_as
}
udp_range_as()
{
	mkdir -p w
	echo "$NAMES" >w/names
	world '
	# The name server of the world: a datagram service like any other.
	ask() { python3 "$X07_TESTS/dns_client.py" "$1" udp evil.example/A; }
	gate() { x07-netgate "$@" -- python3 "$X07_TESTS/dns_client.py" "$at" udp evil.example/A; }
	at=192.0.2.254
	gate -u -a 192.0.2.0/24:53
	gate -u -a 192.0.2.254:53
	echo "== denied"
	gate -u -a 192.0.2.0/25:53
	gate -u -a 192.0.2.254:54
	echo "== its own"
	at=127.0.0.1
	gate -u -a 127.0.0.1:53
	gate -u -a 127.0.0.0/8:53'
	[ "$(grep -c '^evil.example/A NOERROR 203.0.113.6 ttl 30$' said)" -eq 2 ] ||
	    atf_fail "not two answers"
	[ "$(grep -c '^evil.example/A .*Connection refused' said)" -eq 2 ] ||
	    atf_fail "not two refusals"
	said 'deny send 192.0.2.254:53 '
	# 127.0.0.1:53 inside is the name server of the gate, whatever is listed.
	[ "$(grep -c '^evil.example/A REFUSED$' said)" -eq 2 ] || atf_fail "stub"
}

# A relay without descriptors for the addresses of a name says so; what is listed by its
# address is still reached.
atf_test_case few_descriptors
few_descriptors_body()
{
	echo "$NAMES" >w.names
	both few_descriptors_as
}
few_descriptors_as()
{
	mkdir -p w; cp w.names w/names
	world 'web 203.0.113.5 80; web 203.0.113.6 80
	for n in 28 30 32 48; do
		sh -c "ulimit -n $n; exec x07-netgate -a evil.example:80 \
		    -a 203.0.113.5:80 -- sh -c \"curl -s -m 2 http://evil.example/
		    curl -sS -m 2 http://203.0.113.5/\"" && echo "reached with $n"
	done'
	for n in 28 30 32 48; do
		said "^reached with $n\$"
	done
	said 'no more listeners for the addresses of evil.example: Too many open files$'
	[ "$(grep -c '^page 203.0.113.5$' said)" -eq 4 ] || atf_fail "not reached"
	[ "$(grep -c '^page 203.0.113.6$' said)" -eq 1 ] || atf_fail "with 48, too"
}

# ---- listening ----

atf_test_case serve cleanup
serve_body()
{
	echo content >index.html
	cat >one.py <<-'EOF'
	import http.server, sys
	class Handler(http.server.SimpleHTTPRequestHandler):
	    def log_message(self, *args):
	        pass
	    def do_GET(self):
	        body = ("for %s\n" % self.client_address[0]).encode()
	        self.send_response(200)
	        self.send_header("Content-Length", str(len(body)))
	        self.end_headers()
	        self.wfile.write(body)
	with http.server.ThreadingHTTPServer(
	        (sys.argv[1], int(sys.argv[2])), Handler) as s:
	    s.serve_forever()
	EOF
	both serve_as
}
serve_as()
{
	port=$(free_port)
	for t in "127.0.0.1:$port|127.0.0.1|127.0.0.1" \
	    "0.0.0.0:$port|0.0.0.0|127.0.0.9" "127.0.0.1:$port|0.0.0.0|127.0.0.1" \
	    "[::1]:$port|::1|[::1]"; do
		spec=${t%%|*} rest=${t#*|}
		bind=${rest%%|*} url=http://${rest#*|}:$port/
		case $bind in
		*:*) py="import socket, http.server; http.server.ThreadingHTTPServer.address_family = socket.AF_INET6; import sys; sys.argv = ['one.py', '::1', '$port']; exec(open('one.py').read())" ;;
		*) py="import sys; sys.argv = ['one.py', '$bind', '$port']; exec(open('one.py').read())" ;;
		esac
		$AS x07-netgate -a "$spec" -- python3 -c "$py" 2>err &
		server=$!
		echo "$server" >>server.pids
		wait_for 20 curl -sf "$url"
		atf_check -o match:'^for (127.0.0.[19]|::1)$' curl -s "$url"
		# The server goes, and with it the listener outside.
		$AS pkill -x -f "python3 -c $(printf %s "$py" | sed 's/[][().*]/\\&/g')" ||
		    kill "$server"
		wait "$server" || :
		wait_for 20 sh -c "! curl -s $url"
	done
}
serve_cleanup()
{
	stop_servers
}

# An address that is not listed can be bound inside, and is not seen outside.
atf_test_case serve_private cleanup
serve_private_body()
{
	both serve_private_as
}
serve_private_as()
{
	port=$(free_port)
	cat >both.sh <<-EOF
	mkdir -p d && echo content >d/index.html
	python3 -m http.server -b 127.0.0.1 -d d $port >/dev/null 2>&1 &
	n=0
	until curl -s http://127.0.0.1:$port/ >inside; do
		n=\$((n + 1)); [ \$n -lt 200 ] || exit 1; sleep 0.05
	done
	echo up >up
	n=0
	until [ -f down ]; do
		n=\$((n + 1)); [ \$n -lt 400 ] || exit 1; sleep 0.05
	done
	kill \$!
	EOF
	rm -rf up down inside d
	$AS x07-netgate -a 127.0.0.2:"$port" -- sh both.sh 2>err &
	prog=$!
	echo "$prog" >>server.pids
	wait_for 20 test -f up
	atf_check -o inline:'content\n' cat inside
	# Longer than it takes to notice a listener that is listed.
	sleep 0.3
	atf_check -s exit:7 -e ignore curl -sS "http://127.0.0.1:$port/"
	atf_check -s exit:7 -e ignore curl -sS "http://127.0.0.2:$port/"
	echo down >down
	wait "$prog" || atf_fail "the program failed"
}
serve_private_cleanup()
{
	stop_servers
}

# What is served outside when the program starts, or later, is reached.
atf_test_case serve_later cleanup
serve_later_body()
{
	echo content >index.html
	both serve_later_as
}
serve_later_as()
{
	port=$(free_port)
	rm -f go ready
	cat >later.sh <<-EOF
	curl -s http://127.0.0.1:$port/ && exit 3
	echo ready >ready
	n=0
	until curl -s http://127.0.0.1:$port/; do
		n=\$((n + 1)); [ \$n -lt 200 ] || exit 4; sleep 0.05
	done
	EOF
	$AS x07-netgate -a 127.0.0.1:"$port" -- sh later.sh >out 2>err &
	prog=$!
	wait_for 20 test -f ready
	rm -f port.file
	python3 "$X07_TESTS/http_server.py" 127.0.0.1 . port.file "$port" \
	    >server.log 2>&1 &
	echo $! >>server.pids
	wait "$prog" || atf_fail "not reached: $?"
	atf_check -o inline:'content\n' cat out
	atf_check cat err
	stop_servers
}
serve_later_cleanup()
{
	stop_servers
}

# Without descriptors for more of them, clients are sent away.
atf_test_case serve_few cleanup
serve_few_body()
{
	flow="python3 $X07_TESTS/bin/x07-netgate_flow.py"
	port=$(free_port)
	sh -c "ulimit -n 38; exec x07-netgate -a 127.0.0.1:$port -- $flow stage $port" 2>err &
	echo $! >server.pids
	wait_for 20 $flow audience "$port" 1
	atf_check -o inline:'True True False\n' $flow audience "$port" 60
	atf_check -o ignore grep '^x07-netgate: deny accept .* (the relay is out of desc' err
}
serve_few_cleanup()
{
	stop_servers
}

# The table of listeners that cannot be read once is read again.
atf_test_case serve_blind cleanup
serve_blind_body()
{
	flow="python3 $X07_TESTS/bin/x07-netgate_flow.py"
	port=$(free_port)
	$flow short_tables x07-netgate -a 127.0.0.1:"$port" -- \
	    $flow stage "$port" 60 2>err &
	echo $! >server.pids
	wait_for 20 $flow audience "$port" 1
	atf_check -o inline:'x07-netgate: cannot see who listens: Cannot allocate memory; trying again\n' \
	    cat err
}
serve_blind_cleanup()
{
	stop_servers
}

# ---- limits ----

atf_test_case limits cleanup
limits_body()
{
	echo content >index.html
	head -c 300000 /dev/zero >big
	http_server 127.0.0.1
	p=$SERVER_PORT
	cat >hold.py <<-'EOF'
	import socket, sys
	held = []
	for i in range(int(sys.argv[2])):
	    s = socket.socket()
	    try:
	        s.connect(("127.0.0.1", int(sys.argv[1])))
	        held.append(s)
	    except ConnectionRefusedError:
	        print("refused", i)
	print("held", len(held))
	EOF
	both limits_as
}
limits_as()
{
	merged $AS x07-netgate -a 127.0.0.1:"$p" -c 3 -- python3 hold.py "$p" 3
	said '^held 3$'
	unsaid deny
	merged $AS x07-netgate -a 127.0.0.1:"$p" -c 3 -- python3 hold.py "$p" 4
	said '^held 3$'
	said "deny connect 127.0.0.1:$p \(more than 3 connections at once\)"
	# One that ends makes room.
	merged $AS x07-netgate -a 127.0.0.1:"$p" -c 1 -- \
	    sh -c "curl -s http://127.0.0.1:$p/; sleep 0.1; curl -s http://127.0.0.1:$p/"
	[ "$(grep -c '^content$' said)" -eq 2 ] || atf_fail "no room made"
	merged $AS x07-netgate -a 127.0.0.1:"$p" -b 1M -- \
	    curl -sS -o /dev/null -w '%{size_download}\n' "http://127.0.0.1:$p/big"
	said '^300000$'
	merged $AS x07-netgate -a 127.0.0.1:"$p" -b 100K -- \
	    curl -sS -o /dev/null -w '%{size_download}\n' "http://127.0.0.1:$p/big"
	unsaid '^300000$'
	said "deny connect 127.0.0.1:$p \(the byte limit of -b is reached\)"
	# A connection that nobody answers: a full queue of a listener.
	python3 - full.port <<-'EOF' &
	import os, socket, sys, time
	s = socket.socket()
	s.bind(("127.0.0.1", 0))
	s.listen(0)
	fill = [socket.socket() for i in range(4)]
	for c in fill:
	    c.setblocking(False)
	    c.connect_ex(s.getsockname())
	time.sleep(0.5)
	open("full.new", "w").write(str(s.getsockname()[1]))
	os.rename("full.new", sys.argv[1])
	time.sleep(60)
	EOF
	echo $! >>server.pids
	wait_for 20 test -s full.port
	full=$(cat full.port)
	merged $AS x07-netgate -a 127.0.0.1:"$full" -t 300ms -- \
	    curl -sS -m 20 "http://127.0.0.1:$full/"
	said '^status 7$'
	unsaid deny
	rm -f full.port
}
limits_cleanup()
{
	stop_servers
}

# ---- a dry run ----

atf_test_case dry_run
dry_run_body()
{
	both dry_run_as
}
dry_run_as()
{
	mkdir -p w
	echo "$NAMES" >w/names
	world '
	web 203.0.113.5 80
	web 203.0.113.5 81
	web 127.0.0.1 82
	dry() { x07-netgate -n --i-accept-weaker-isolation "$@"; }
	echo "== listed"
	dry -a good.example:80 -- curl -s http://good.example/
	echo "== not listed"
	dry -- sh -c "curl -s http://203.0.113.5/; curl -s http://203.0.113.5:81/"
	dry -- curl -s http://127.0.0.1:82/
	dry -- curl -s -4 http://good.example/
	dry -a 203.0.113.5:80 -d 203.0.113.5:80 -- curl -s http://203.0.113.5/'
	sed -n '1,/^== not listed/p' said | grep -q deny && atf_fail "listed"
	[ "$(grep -c '^page 203.0.113.5$' said)" -eq 5 ] || atf_fail "not five pages"
	said '^page 127.0.0.1$'
	said 'would deny connect 203.0.113.5:80 \(not in net.allow_hosts; allow with'
	said 'would deny connect 203.0.113.5:81 '
	said 'would deny connect 127.0.0.1:82 '
	said 'would deny resolve good.example '
	said 'would deny connect good.example:80 \[203.0.113.5\] '
	said 'would deny connect 203.0.113.5:80 \(denied by --deny-host\)'
	unsaid ': deny'
}

# ---- the audit log ----

atf_test_case audit cleanup
audit_body()
{
	echo content >index.html
	http_server 127.0.0.1
	both audit_as
}
audit_as()
{
	p=$SERVER_PORT
	rm -f log
	merged $AS x07-netgate -l log -a 127.0.0.1:"$p" -- \
	    sh -c "curl -s http://127.0.0.1:$p/; curl -s http://127.0.0.1:1/;
	    curl -s http://evil.example/"
	atf_check -o save:facts python3 - "$p" <<-'EOF'
	import json, sys
	for line in open("log"):
	    r = json.loads(line)
	    assert r["gate"] == "x07-netgate" and r["time"] > 1e9 and r["pid"] > 1
	    assert r["command"] == "sh"
	    print(r["verdict"], r["verb"], r["object"].replace(sys.argv[1], "PORT"),
	          r.get("key"), r.get("hint"), r.get("port") == int(sys.argv[1]),
	          r.get("received", 0) > 8 and r.get("sent", 0) > 8 and
	          r.get("ms", -1) >= 0)
	EOF
	atf_check -o inline:'allow connect 127.0.0.1:PORT None None True False
allow close 127.0.0.1:PORT None None True True
deny connect 127.0.0.1:1 net.allow_hosts --allow-host 127.0.0.1:1 False False
deny resolve evil.example net.allow_hosts --allow-host evil.example:PORT False False
' sort -s -k1,1 facts
	said '^content$'
	# Quiet: the log alone.
	rm -f log
	merged $AS x07-netgate -q -l log -- curl -s http://127.0.0.1:1/
	unsaid deny
	grep -q '"verdict":"deny"' log || atf_fail "not in the log"
}
audit_cleanup()
{
	stop_servers
}

# A program that tries everything does not fill the terminal.
atf_test_case flood
flood_body()
{
	both flood_as
}
flood_as()
{
	cat >flood.py <<-'EOF'
	import socket
	for i in range(3000):
	    s = socket.socket()
	    s.connect_ex(("127.0.0.1", 1 + i % 1000))
	    s.close()
	EOF
	merged $AS x07-netgate -- python3 flood.py
	n=$(grep -c deny said)
	if [ "$n" -lt 100 ] || [ "$n" -gt 210 ]; then
		atf_fail "$n lines"
	fi
	said 'more denials than lines'
}

# Nobody reads the lines: the network goes on.
atf_test_case unheard cleanup
unheard_body()
{
	echo content >index.html
	http_server 127.0.0.1
	cat >unheard.py <<-'EOF'
	import os, subprocess, sys
	r, w = os.pipe()
	os.set_blocking(w, False)
	try:
	    while True:
	        os.write(w, b"x" * 4096)
	except BlockingIOError:
	    pass
	os.set_blocking(w, True)
	sys.exit(subprocess.call(sys.argv[1:], stderr=w, timeout=60))
	EOF
	both unheard_as
}
unheard_as()
{
	rm -f log
	atf_check -o inline:'content\n' $AS python3 unheard.py \
	    x07-netgate -l log -a 127.0.0.1:"$SERVER_PORT" -- \
	    sh -c "curl -s http://127.0.0.1:1/; curl -s -m 20 http://127.0.0.1:$SERVER_PORT/"
	grep -q '"verdict":"deny"' log || atf_fail "not in the log"
}
unheard_cleanup()
{
	stop_servers
}

# ---- what a relay must not change ----

atf_test_case flow cleanup
flow_body()
{
	flow_server flow.port
	p=$(cat flow.port)
	flow_server thin.port 4096
	thin=$(cat thin.port)
	one="x07-netgate -a 127.0.0.1:$p -a 127.0.0.1:$thin --"
	for gate in '' "$one" "$one $one"; do
		both flow_as
	done
}
flow_as()
{
	flow="$gate python3 $X07_TESTS/bin/x07-netgate_flow.py"
	rm -f fin rst
	# shellcheck disable=SC2086,SC2089,SC2090 # words; the quotes are output
	for t in 'half|1000000 bytes' "first|bye b''" 'digest 20000000|True True' \
	    'digest 1|True True' 'bursts 500 2200000|True' 'urgent|ab!cde' \
	    'reset|ECONNRESET' 'early|enough' 'slow|True True True'; do
		set -- ${t%%|*}
		name=$1
		shift
		atf_check -o inline:"${t#*|}\n" $AS $flow "$name" "$p" "$@"
	done
	# shellcheck disable=SC2086
	atf_check -o inline:'True\n' $AS $flow late "$thin"
	# shellcheck disable=SC2086
	for t in FIN RST; do
		rm -f "told.$t"
		atf_check -o inline:"$t\n" $AS $flow told "$p" "$PWD/told.$t" $t
		rm -f "told.$t"
	done
	[ -n "$gate" ] || return 0
	# What the program left to be sent is sent; what it left running has no network.
	rm -f left left.idle left.held drip
	# shellcheck disable=SC2086
	atf_check $AS $flow left "$p" "$PWD/left"
	wait_for 20 test -s left
	atf_check -o inline:'FIN 8000000' cat left
	wait_for 20 test -s left.idle
	atf_check -o inline:RST cat left.idle
	wait_for 20 test -s left.held
	atf_check -o inline:'RST 3000000' cat left.held
	# shellcheck disable=SC2086
	atf_check $AS $flow drip "$p" "$PWD/drip"
	wait_for 10 test -s drip
	atf_check -o match:'^RST ' cat drip
}
flow_cleanup()
{
	stop_servers
}

# A server that takes nothing is given up after half a minute, whatever it says; a slow
# one gets all, and no relay is left.
atf_test_case leave cleanup
leave_body()
{
	flow_server thin.port 4096
	p=$(cat thin.port)
	atf_check x07-netgate -a "127.0.0.1:$p" -l log -- \
	    python3 "$X07_TESTS/bin/x07-netgate_flow.py" leave "$p" "$PWD/leave"
	sleep 20
	[ ! -e leave.deaf ] || atf_fail "given up too early"
	wait_for 15 test -s leave.deaf
	wait_for 30 test -s leave
	atf_check -o file:leave.want cat leave
	wait_for 5 sh -c '[ "$(grep -c "\"verb\":\"close\"" log)" -eq 2 ]'
	atf_check python3 -c 'import json; [json.loads(l) for l in open("log")]'
}
leave_cleanup()
{
	stop_servers
}

# It does not hold up the reader of standard error, also when descriptors ran out.
atf_test_case leave_stderr cleanup
leave_stderr_body()
{
	flow_server thin.port 4096
	p=$(cat thin.port)
	for n in 38 39; do
		atf_check -o match:'^no more$' timeout 15 sh -c "{ ulimit -n $n
		    exec x07-netgate -q -a 127.0.0.1:$p -- python3 \
		    $X07_TESTS/bin/x07-netgate_flow.py last $p $PWD/last; } 2>&1 | cat"
	done
}
leave_stderr_cleanup()
{
	stop_servers
}

# Where a user has no more pipes, only small ones, or no more descriptors, bytes are
# moved all the same.
atf_test_case few_pipes cleanup
few_pipes_body()
{
	flow_server flow.port
	p=$(cat flow.port)
	both few_pipes_as
}
few_pipes_as()
{
	flow="python3 $X07_TESTS/bin/x07-netgate_flow.py"
	# Root may have as many as it likes.
	soft=$(cat /proc/sys/fs/pipe-user-pages-soft)
	[ "$soft" -gt 0 ] && [ "$soft" -le 20000 ] || soft=0
	# shellcheck disable=SC2086
	atf_check -o inline:'True True\n' $AS $flow pipes $((soft / 16 + 8)) \
	    x07-netgate -a 127.0.0.1:"$p" -- $flow digest "$p" 20000000
	# Eight connections take 16 descriptors, and pipes would take as many.
	atf_check -o inline:'8\n' $AS bash -c \
	    "ulimit -n 38; exec x07-netgate -a 127.0.0.1:$p -- $flow crowd $p 8"
}
few_pipes_cleanup()
{
	stop_servers
}

# rss: kilobytes of the relay of the gate that has these options.
rss()
{
	awk '/^VmRSS:/ { print $2 }' "/proc/$(pgrep -o -f "^x07-netgate $1 ")/status"
}

# Many connections, one after another and at once, much through one, a reader that does
# not read: none is lost and the relay stays as small as it was.
atf_test_case load cleanup
load_body()
{
	cc -O2 -o netload "$X07_SRC/bench/netload.c" -lpthread ||
	    atf_skip "no compiler"
	chmod 755 netload
	p=$(free_port)
	./netload serve 127.0.0.1 "$p" &
	echo $! >server.pids
	wait_for 20 ./netload seq 127.0.0.1 "$p" 1
	flow_server flow.port
	f=$(cat flow.port)
	both load_as
}
# load_step N: waits for the program to get there.
load_step()
{
	wait_for 200 sh -c "test -f step.$1 || ! kill -0 $prog"
	[ -f "step.$1" ] || atf_fail "before step $1: $(cat out err | tr '\n' '|')"
}
load_as()
{
	rm -f step.*
	cat >load.sh <<-EOF
	step() { touch step.\$1; until [ -f step.\$1.go ]; do sleep 0.05; done; }
	./netload seq 127.0.0.1 $p 50 || exit 1
	step 1
	# The kernel may reset one in some 500000 itself: CAVEATS of the page.
	seq=\$(./netload seq 127.0.0.1 $p 10000)
	case \$seq in *', '[01]' failed') ;; *) echo "\$seq"; exit 1 ;; esac
	./netload bulk 127.0.0.1 $p 1073741824 || exit 1
	step 2
	./netload many 127.0.0.1 $p 2000 || exit 1
	step 3
	python3 $X07_TESTS/bin/x07-netgate_flow.py flood $f x || exit 1
	EOF
	$AS x07-netgate -a 127.0.0.1:"$p,$f" -- sh load.sh >out 2>err &
	prog=$!
	echo "$prog" >>server.pids
	load_step 1
	first=$(rss "-a 127.0.0.1:$p,$f --")
	touch step.1.go
	load_step 2
	second=$(rss "-a 127.0.0.1:$p,$f --")
	touch step.2.go
	load_step 3
	touch step.3.go
	sleep 1
	last=$(rss "-a 127.0.0.1:$p,$f --")
	wait "$prog" || atf_fail "failed: $(cat out err)"
	atf_check cat err
	atf_check -o match:'open at once 2000' -o not-match:'[1-9][0-9]* failed' cat out
	echo "relay: $first kB, after 10000 connections and 1 GiB $second, last $last"
	[ "$second" -lt $((first + 500)) ] || atf_fail "it grew"
	[ "$last" -lt $((first + 2500)) ] || atf_fail "it grew"
}
load_cleanup()
{
	stop_servers
}

# ---- real programs ----

# A connection over IPv6 that fails as the network says lets them try IPv4.
atf_test_case clients
clients_body()
{
	mkdir -p w java
	chmod 777 w
	cat >w/get.go <<-'EOF'
	package main

	import (
		"fmt"
		"io"
		"net/http"
		"os"
	)

	func main() {
		for _, url := range os.Args[1:] {
			r, err := http.Get(url)
			if err != nil {
				fmt.Println("go:", err)
				continue
			}
			b, _ := io.ReadAll(r.Body)
			fmt.Print("go ", string(b))
		}
	}
	EOF
	cat >java/Get.java <<-'EOF'
	import java.io.*;
	import java.net.*;

	public class Get {
		public static void main(String[] args) throws Exception {
			for (String url : args) {
				try {
					InputStream in = new URL(url).openStream();
					System.out.print("java " + new String(in.readAllBytes()));
				} catch (IOException e) {
					System.out.println("java: " + e);
				}
			}
		}
	}
	EOF
	cat >w/get.py <<-'EOF'
	import asyncio, sys, urllib.request
	for url in sys.argv[1:]:
	    try:
	        print("urllib", urllib.request.urlopen(url).read().decode(), end="")
	    except OSError as e:
	        print("urllib:", e)
	async def get(url):
	    host = url.split("/")[2]
	    try:
	        r, w = await asyncio.open_connection(host, 80)
	        w.write(b"GET / HTTP/1.0\r\n\r\n")
	        data = await r.read()
	        print("asyncio", data.decode().split("\r\n\r\n")[1], end="")
	    except OSError as e:
	        print("asyncio:", e)
	for url in sys.argv[1:]:
	    asyncio.run(get(url))
	EOF
	cat >w/get.js.py <<-'EOF'
	(async () => {
	  for (const url of process.argv.slice(2)) {
	    try {
	      const r = await fetch(url);
	      process.stdout.write("node " + await r.text());
	    } catch (e) {
	      console.log("node:", e.cause ? e.cause.code : e.message);
	    }
	  }
	})();
	EOF
	have=
	if command -v go >/dev/null; then
		(cd w && GOCACHE=$PWD/../gocache GO111MODULE=off CGO_ENABLED=0 \
		    go build -o get.go.py get.go) && have="$have go"
	fi
	if command -v javac >/dev/null; then
		javac -d java java/Get.java && have="$have java"
		cp java/Get.class w/Get.class.py
	fi
	echo "beside curl, wget, git, python, node, busybox, openssl:$have"
	chmod a+rx w/*
	both clients_as
}
clients_as()
{
	cat >w/names <<-'EOF'
	good.example A 30 203.0.113.5
	dual.example A 30 203.0.113.5
	dual.example AAAA 30 2001:db8:5::5
	lost.example A 30 203.0.113.5
	lost.example AAAA 30 2001:db8:5::77
	evil.example A 30 203.0.113.6
	EOF
	world '
	web 203.0.113.5 80
	web 203.0.113.6 80
	gate() { x07-netgate -q -a good.example:80 -a dual.example:80 -a lost.example:80 "$@"; }
	urls="http://good.example/ http://dual.example/ http://lost.example/"
	for u in $urls http://evil.example/ http://203.0.113.6/; do
		gate -- curl -sS "$u" | sed "s/^/curl /"
		gate -- wget -T 10 -t 1 -q -O - "$u" | sed "s/^/wget /"
		gate -- busybox wget -q -O - "$u" | sed "s/^/busybox /"
	done
	gate -- python3 get.py $urls http://evil.example/
	# Node prefers the order it was told and this version tries one only.
	gate -- node get.js.py http://good.example/ http://evil.example/
	[ ! -f get.go.py ] || gate -- ./get.go.py $urls http://evil.example/
	if [ -f Get.class.py ]; then
		cp Get.class.py Get.class
		gate -- java -cp . Get $urls http://evil.example/
	fi
	# git over plain http
	export HOME="$PWD" GIT_CONFIG_NOSYSTEM=1
	git init -q -b main repo
	git -C repo -c user.name=a -c user.email=a@b commit -q --allow-empty -m first
	git clone -q --bare repo www-203.0.113.5/repo.git
	git -C www-203.0.113.5/repo.git update-server-info
	gate -- git clone -q http://good.example/repo.git cloned
	git -C cloned log --format=git-%s
	gate -- git clone -q http://evil.example/repo.git other || echo git-refused
	# TLS
	openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out cert -days 2 \
	    -subj /CN=good.example 2>/dev/null
	$INET openssl s_server -quiet -accept 203.0.113.5:443 -key key -cert cert \
	    -www >/dev/null 2>&1 & pids="$pids $!"
	until $INET openssl s_client -connect 203.0.113.5:443 </dev/null >/dev/null 2>&1; do
		sleep 0.05
	done
	x07-netgate -a good.example:443 -- openssl s_client -connect good.example:443 \
	    -CAfile cert -verify_return_error </dev/null 2>&1 |
	    grep "Verify return code" | head -1
	x07-netgate -q -a good.example:443 -- curl -s -o /dev/null -w "tls %{http_code}\n" \
	    --cacert cert https://good.example/ || :'
	for c in curl wget urllib asyncio $have; do
		[ "$(grep -c "^$c page 203.0.113.5\$" said)" -eq 3 ] ||
		    atf_fail "$c: not three pages"
	done
	# These have no second try.
	for c in busybox node; do
		said "^$c page 203.0.113.5\$"
	done
	unsaid 'page 203.0.113.6'
	said '^git-first$'
	said '^git-refused$'
	said 'Verify return code: 0'
	said '^tls 200$'
}

# ---- completions and the page ----

atf_test_case completions
completions_body()
{
	completions_ask x07-netgate
	atf_check -o inline:'--deny\n--deny-file\n' bash ask.bash --den
	atf_check -o inline:'ask.bash\n' bash ask.bash -u -A ask
	atf_check -o inline:'a program at 5\n' bash ask.bash -a h:1 -u -- cur
	atf_check -o inline:'a program at 4\n' bash ask.bash -c 3 -u curl h
	atf_check -o inline:'a program at 6\n' bash ask.bash -a h : 1 -u curl h
	atf_check -o inline:'a program at 7\n' bash ask.bash --allow = h : 1 -u curl h
	atf_check -o empty bash ask.bash -a h : 4
	atf_check -o empty bash ask.bash -c ''
	completions_break x07-netgate
	for o in $(x07-netgate -h | grep -oE -- '--[a-z-]+' | sort -u); do
		atf_check -o inline:"$o\\n" -x "bash ask.bash $o | grep -x -- $o"
		atf_check -o ignore grep -e "[{,']$o" \
		    "$X07_SRC/share/completions/zsh/_x07-netgate"
		atf_check -o ignore grep -e "-l ${o#--} " \
		    "$X07_SRC/share/completions/fish/x07-netgate.fish"
		case $o in
		--help | --version) ;;
		*) atf_check -o ignore grep -e "Fl -${o#--}" \
		    "$X07_SRC/man/x07-netgate.1" ;;
		esac
	done
	command -v zsh >/dev/null || atf_skip "no zsh: only bash was tested"
	# shellcheck disable=SC2016 # for zsh
	atf_check -o inline:'_x07-netgate\n' zsh -fc 'fpath=("$X07_SRC/share/completions/zsh" $fpath)
	    autoload -Uz compinit && compinit -u -D && print $_comps[x07-netgate] &&
	    autoload +X _x07-netgate'
}

# ---- the terminal ----

atf_test_case terminal
terminal_body()
{
	both terminal_as
}
terminal_as()
{
	atf_check -o ignore $AS python3 "$X07_TESTS/bin/x07-netgate_tty.py"
}

# ---- where it cannot work ----

atf_test_case no_namespaces
no_namespaces_body()
{
	both no_namespaces_as
}
no_namespaces_as()
{
	atf_check -s exit:125 -o empty \
	    -e match:'^x07-netgate: cannot make an empty network .*user.max_user_namespaces' \
	    $AS unshare -U -r sh -c \
	    'echo 0 >/proc/sys/user/max_user_namespaces; exec x07-netgate -- echo started'
	# Too few descriptors for what is listed.
	atf_check -s exit:125 -o empty -e match:'listeners and .* limits.fds' \
	    $AS bash -c 'ulimit -n 30; exec x07-netgate \
	    -a 203.0.113.1:1,2,3,4 -a 203.0.113.2:1,2,3,4 -- echo started'
	atf_check -s exit:0 -o inline:'started\n' \
	    $AS bash -c 'ulimit -n 40; exec x07-netgate \
	    -a 203.0.113.1:1,2,3,4 -a 203.0.113.2:1,2,3,4 -- echo started'
	# A closed standard descriptor stays closed: the listing itself takes its number.
	atf_check -s exit:0 -o inline:'0 1 2\n' $AS sh -c \
	    'x07-netgate -- python3 -c "import os
print(*sorted(int(f) for f in os.listdir(\"/proc/self/fd\")))" <&-'
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
	p["net"]["allow_udp"] = True
	json.dump(p, open("udponly.json", "w"))
	p["net"]["allow_hosts"][0]["host"] = "localhost"
	json.dump(p, open("udpname.json", "w"))
	p["net"]["allow_udp"] = False
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
	for f in notcp udponly udpname; do
		merged $AS x07-netgate -p $f.json -- curl -sS "http://127.0.0.1:$p/"
		said "deny connect 127.0.0.1:$p \(net.allow_tcp is false"
		said '^status 7$'
	done
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

# The network part of db.*: names and blocks, each with all of the ports; so many
# connections; so much patience.
atf_test_case policy_db
policy_db_body()
{
	x07-policy init --template postgres-client --emit policy >base.json ||
	    atf_fail "no template"
	both policy_db_as
}
policy_db_as()
{
	mkdir -p w
	echo "$NAMES" >w/names
	python3 - <<-'EOF'
	import json
	p = json.load(open("base.json"))
	p["db"].update(max_live_conns=2, connect_timeout_ms=300)
	p["db"]["net"].update(allow_dns=["good.example"],
	    allow_cidrs=["203.0.113.64/26"], allow_ports=[80, 81])
	json.dump(p, open("w/db.py", "w"))
	EOF
	cat >w/hold.py <<-'EOF'
	import errno, socket, time
	def dial(host, port):
	    s = socket.socket()
	    return s, errno.errorcode.get(s.connect_ex((host, port)), "connected")
	one = dial("good.example", 80)
	two = dial("good.example", 81)
	three = dial("good.example", 80)
	print("three", one[1], two[1], three[1])
	two[0].close()
	time.sleep(0.5)
	print("after", dial("good.example", 80)[1])
	one[0].close()
	time.sleep(0.5)
	start = time.time()
	print("silent", dial("203.0.113.77", 81)[1], time.time() - start < 15)
	EOF
	world '
	web 203.0.113.5 80
	web 203.0.113.5 81
	x07-netgate -p db.py -- python3 hold.py
	x07-netgate -p db.py -- curl -sS http://good.example:82/ || :
	x07-netgate -p db.py -- curl -sS http://203.0.113.6:80/ || :'
	said '^three connected connected ECONNREFUSED$'
	said 'deny connect good.example:80 .*more than 2 connections at once'
	said '^after connected$'
	said '^silent EHOSTUNREACH True$'
	said 'deny connect good.example:82 '
	said 'deny connect 203.0.113.6:80 '
}

atf_init_test_cases()
{
	atf_add_test_case address
	atf_add_test_case ipv6
	atf_add_test_case range
	atf_add_test_case deny_wins
	atf_add_test_case refused_outside
	atf_add_test_case few_descriptors
	atf_add_test_case itself
	atf_add_test_case errors
	atf_add_test_case name
	atf_add_test_case rebinding
	atf_add_test_case no_such_name
	atf_add_test_case configured
	atf_add_test_case nested
	atf_add_test_case status
	atf_add_test_case refusals
	atf_add_test_case relay_dies
	atf_add_test_case relay_dies_midway
	atf_add_test_case relay_dies_busy
	atf_add_test_case program_killed
	atf_add_test_case policy
	atf_add_test_case policy_db
	for t in dns resolv_link dns_flood no_dns expiry udp udp_range serve serve_private serve_later \
	    serve_few serve_blind limits dry_run audit flood unheard flow leave leave_stderr few_pipes \
	    load clients completions terminal no_namespaces; do
		atf_add_test_case $t
	done
}
