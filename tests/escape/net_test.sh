#!/usr/bin/env atf-sh
# Attempts to get round x07-netgate: classes 1 to 11 and 24 to 26 of the list of
# escapes, each with the twin that is allowed, or that shows that it works
# without the gate.
. "$X07_TESTS/lib.sh"
. "$X07_TESTS/escape/surface.sh"

PY=/usr/bin/python3
ATTACK="$PY $X07_TESTS/escape/net_attack.py"

# stopped GATE-OPTIONS -- NAME ARGS: the attempt under the gate is denied.
# works: the same, and it succeeds. bare NAME ARGS: it succeeds without a gate.
stopped() { _try 1 denied "$@"; }
works() { _try 0 got "$@"; }
_try()
{
	_st=$1 _word=$2
	shift 2
	_opts=
	while [ "$1" != -- ]; do
		_opts="$_opts $1"
		shift
	done
	shift
	# shellcheck disable=SC2086
	atf_check -s exit:"$_st" -o match:"^$_word" -e ignore \
	    $AS x07-netgate $_opts -- $ATTACK "$@"
}
bare()
{
	# shellcheck disable=SC2086
	atf_check -s exit:0 -o match:'^got' $AS $ATTACK "$@"
}

# world SCRIPT: on a machine of its own (networld.sh), as $AS, where stopped and
# works are commands. web ADDRESS PORT serves on the internet or on loopback, echo
# does it for datagrams.
world()
{
	mkdir -p w
	[ "$(id -u)" -ne 0 ] || chmod 777 . w
	find w -mindepth 1 ! -name names -delete
	cat >world.sh <<-'LIB'
	ATTACK="/usr/bin/python3 $X07_TESTS/escape/net_attack.py"
	try()
	{
		want=$1; shift; opts=
		while [ "$1" != -- ]; do opts="$opts $1"; shift; done
		shift
		got=0
		x07-netgate $opts -- $ATTACK "$@" >out 2>err || got=$?
		[ "$got" -eq "$want" ] || {
			echo "wanted $want, got $got: $opts -- $*"; cat out err; exit 1
		}
	}
	stopped() { try 1 "$@"; }
	works() { try 0 "$@"; }
	where() { case $1 in 127.*|::1|192.0.2.1) ;; *) echo "$INET" ;; esac; }
	web()
	{
		mkdir -p www && echo content >www/index.html
		$(where "$1") python3 "$X07_TESTS/http_server.py" "$1" www \
		    "port-$1-$2" "$2" >web.log 2>&1 &
		pids="$pids $!"
		until [ -s "port-$1-$2" ]; do sleep 0.05; done
	}
	pids=
	trap '[ -z "$pids" ] || kill $pids' EXIT
	cd w
	LIB
	echo "$1" >>world.sh
	atf_check -o ignore $AS timeout 200 "$X07_TESTS/networld.sh" "$PWD/w" \
	    "$PWD/world.sh"
}

# ---- 1 to 6: names and addresses ----

atf_test_case names
names_body()
{
	both names_as
}
names_as()
{
	mkdir -p w
	cat >w/names <<-'EOF'
	good.example A 30 203.0.113.5
	evil.example A 30 203.0.113.6
	notgood.example A 30 203.0.113.6
	good.example.evil.example A 30 203.0.113.6
	xn--evil-xyz.example A 30 203.0.113.6
	good-example A 30 203.0.113.6
	EOF
	world '
	web 203.0.113.5 80
	web 203.0.113.6 80
	for n in good.example GOOD.example good.EXAMPLE.; do
		works -a good.example:80 -- connect "$n" 80
		works -a Good.Example.:80 -- connect "$n" 80
	done
	cp asked before
	for n in evil.example notgood.example good.example.evil.example \
	    xn--evil-xyz.example good-example example good.exampl .good.example \
	    "good.example%00" "good.example evil.example" good.example..; do
		stopped -a good.example:80 -- connect "$n" 80
	done
	cmp asked before
	# The twin: each of them is there when it is listed.
	works -a evil.example:80 -- connect evil.example 80
	works -a good.example.evil.example:80 -- connect good.example.evil.example 80'
}

atf_test_case numbers cleanup
numbers_body()
{
	echo content >index.html
	http_server 127.0.0.1
	both numbers_as
}
numbers_as()
{
	p=$SERVER_PORT
	for n in 127.0.0.1 2130706433 0x7f000001 0177.0.0.1 127.1 0x7f.1 0; do
		bare connect $n "$p"
		works -a 127.0.0.1:"$p" -- connect $n "$p"
		stopped -a 127.0.0.2:"$p" -- connect $n "$p"
		stopped -- connect $n "$p"
	done
	for n in ::ffff:127.0.0.1 0.0.0.0; do
		bare address $n "$p"
		works -a 127.0.0.1:"$p" -- address $n "$p"
		stopped -a "[::/0]:$p" -- address $n "$p"
		stopped -- address $n "$p"
	done
}
numbers_cleanup()
{
	stop_servers
}

atf_test_case addresses
addresses_body()
{
	both addresses_as
}
addresses_as()
{
	world '
	web 203.0.113.5 80
	web 10.77.0.1 80
	web 169.254.169.254 80
	web 192.0.2.1 80
	web ::1 80
	web fd00:77::1 80
	web 2001:db8:5::5 80
	works -a 203.0.113.5:80 -- address 203.0.113.5 80
	works -a "[2001:db8:5::5]:80" -- address 2001:db8:5::5 80
	# IPv4 in disguise is judged as IPv4, however wide the IPv6 entry.
	for n in ::ffff:203.0.113.5 ::ffff:10.77.0.1 64:ff9b::a4d:1 2002:a4d:1::1 \
	    ::10.77.0.1 ::ffff:0:10.77.0.1; do
		stopped -a 203.0.113.6:80 -a "[2000::/3]:80" -- address "$n" 80
	done
	stopped -a "[::/0]:80" -- address ::ffff:10.77.0.1 80
	works -a 10.77.0.1:80 -- address ::ffff:10.77.0.1 80
	# What belongs to the machine and its networks.
	for n in 10.77.0.1 169.254.169.254 192.0.2.1 ::1 fd00:77::1; do
		stopped -a 203.0.113.5:80 -- address "$n" 80
		case $n in *:*) e="[$n]" ;; *) e=$n ;; esac
		works -a "$e:80" -- address "$n" 80
	done
	stopped -a 203.0.113.5:80 -- address fe80::1%lo 80
	# Broadcast and multicast reach nobody outside.
	cat >echo.py <<-"PY"
	import socket
	s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	s.bind(("", 7))
	s.setsockopt(0, 35, socket.inet_aton("224.0.0.77") +
	    socket.inet_aton("192.0.2.254"))
	open("echo.ready", "w")
	while True:
	    data, peer = s.recvfrom(100)
	    s.sendto(data, peer)
	PY
	$INET python3 echo.py & pids="$pids $!"
	until [ -f echo.ready ]; do sleep 0.05; done
	works -u -a 192.0.2.254:7 -- datagram 192.0.2.254 7
	for n in 255.255.255.255 192.0.2.255 224.0.0.77; do
		stopped -u -a 192.0.2.254:7 -- datagram "$n" 7 broadcast
	done
	stopped -u -a 0.0.0.0/0:8 -- datagram 192.0.2.254 7
	$ATTACK datagram 192.0.2.255 7 broadcast'
}

# ---- 7 to 11: network paths ----

atf_test_case families
families_body()
{
	both families_as
}
families_as()
{
	for t in 'UNSPEC STREAM 0' 'AX25 DGRAM 0' 'IPX DGRAM 0' 'APPLETALK DGRAM 0' \
	    'X25 SEQPACKET 0' 'KEY RAW 2' 'NETLINK RAW 4' 'NETLINK RAW 9' \
	    'NETLINK RAW 10' 'NETLINK RAW 12' 'NETLINK RAW 15' 'NETLINK RAW 16' \
	    'PACKET RAW 768' 'PACKET DGRAM 768' 'RDS SEQPACKET 0' 'PPPOX STREAM 0' \
	    'LLC DGRAM 0' 'IB RAW 0' 'MPLS RAW 0' 'CAN RAW 1' 'TIPC STREAM 0' \
	    'BLUETOOTH RAW 1' 'RXRPC DGRAM 2' 'PHONET DGRAM 0' 'IEEE802154 RAW 0' \
	    'CAIF STREAM 0' 'ALG SEQPACKET 0' 'NFC STREAM 0' 'VSOCK STREAM 0' \
	    'VSOCK DGRAM 0' 'KCM SEQPACKET 0' 'QIPCRTR DGRAM 0' 'SMC STREAM 0' \
	    'XDP RAW 0' 'MCTP DGRAM 0' \
	    'INET RAW 1' 'INET RAW 6' 'INET RAW 255' 'INET6 RAW 58' 'INET6 RAW 255'; do
		# shellcheck disable=SC2086
		stopped -a 127.0.0.1:1 -- sock $t
	done
	for t in 'INET STREAM 0' 'INET DGRAM 0' 'INET6 STREAM 6' 'INET6 DGRAM 17' \
	    'NETLINK RAW 0'; do
		# shellcheck disable=SC2086
		works -- sock $t
	done
	# The twins: this kernel has some of them, without the gate.
	bare sock VSOCK STREAM 0
	bare sock NETLINK RAW 9
	! as_root || bare sock PACKET RAW 768
	! as_root || bare sock INET RAW 6
}

atf_test_case paths cleanup
paths_body()
{
	echo content >index.html
	http_server 127.0.0.1
	ok=$SERVER_PORT
	http_server 127.0.0.1
	no=$SERVER_PORT
	both paths_as
}
paths_as()
{
	for t in "mptcp" fastopen fastopen_connect; do
		bare $t 127.0.0.1 "$no"
		works -a 127.0.0.1:"$ok" -- $t 127.0.0.1 "$ok"
		stopped -a 127.0.0.1:"$ok" -- $t 127.0.0.1 "$no"
	done
	stopped -a 127.0.0.1:"$ok" -- sctp 127.0.0.1 "$ok"
	stopped -a 127.0.0.1:"$ok" -- ping 127.0.0.1
	bare reconnect 127.0.0.1 "$ok" 127.0.0.1 "$no"
	works -a 127.0.0.1:"$ok,$no" -- reconnect 127.0.0.1 "$ok" 127.0.0.1 "$no"
	stopped -a 127.0.0.1:"$ok" -- reconnect 127.0.0.1 "$ok" 127.0.0.1 "$no"
	# What rules the network: marks, transparent proxies, header by hand.
	stopped -a 127.0.0.1:"$ok" -- option 1 36 2016425729	# SO_MARK
	stopped -a 127.0.0.1:"$ok" -- option 0 19 1		# IP_TRANSPARENT
	stopped -a 127.0.0.1:"$ok" -- option 1 33 100000000	# SO_RCVBUFFORCE
	! as_root || bare option 1 36 2016425729
	! as_root || bare option 0 19 1
	stopped -a 127.0.0.1:"$ok" -- mark_from_user_namespace
	works -a 127.0.0.1:"$ok" -- device 127.0.0.1 "$ok"
	stopped -a 127.0.0.1:"$ok" -- device 127.0.0.1 "$no"
	stopped -a 127.0.0.2:"$no" -- source_route 127.0.0.2 127.0.0.1 "$no"
	# From any address: the destination alone counts.
	for s in 127.0.0.1 127.0.0.9 203.0.113.77; do
		works -a 127.0.0.1:"$ok" -- source_address $s 0 127.0.0.1 "$ok"
		stopped -a 127.0.0.1:"$ok" -- source_address $s "$ok" 127.0.0.1 "$no"
	done
	[ "$(cat /proc/sys/kernel/io_uring_disabled 2>/dev/null || echo 0)" -ne 0 ] ||
	    bare io_uring
	stopped -a 127.0.0.1:"$ok" -- io_uring
}
paths_cleanup()
{
	stop_servers
}

atf_test_case surface
surface_head() { atf_set descr "25: foreign calls and kernel surface"; }
do_surface()
{
	ATTACK="$PY $X07_TESTS/escape/surface_attack.py"
	surface_of_all
}
surface_body() { both do_surface; }

atf_test_case datagrams cleanup
datagrams_body()
{
	cat >echo.py <<-'EOF'
	import os, select, socket
	socks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for i in range(2)]
	for s in socks:
	    s.bind(("127.0.0.1", 0))
	open("ports.new", "w").write(" ".join(str(s.getsockname()[1]) for s in socks))
	os.rename("ports.new", "ports")
	while True:
	    for s in select.select(socks, [], [])[0]:
	        data, peer = s.recvfrom(100)
	        s.sendto(data, peer)
	EOF
	python3 echo.py &
	echo $! >server.pids
	wait_for 20 test -s ports
	read -r ok no <ports
	both datagrams_as
}
datagrams_as()
{
	bare datagram 127.0.0.1 "$no"
	works -u -a 127.0.0.1:"$ok" -- datagram 127.0.0.1 "$ok"
	stopped -u -a 127.0.0.1:"$ok" -- datagram 127.0.0.1 "$no"
	stopped -a 127.0.0.1:"$ok" -- datagram 127.0.0.1 "$ok"
	bare sendmmsg 127.0.0.1 "$ok" 127.0.0.1 "$no"
	works -u -a 127.0.0.1:"$ok,$no" -- sendmmsg 127.0.0.1 "$ok" 127.0.0.1 "$no"
	stopped -u -a 127.0.0.1:"$ok" -- sendmmsg 127.0.0.1 "$ok" 127.0.0.1 "$no"
}
datagrams_cleanup()
{
	stop_servers
}

atf_test_case namespaces cleanup
namespaces_body()
{
	echo content >index.html
	http_server 127.0.0.1
	python3 - abstract.ready <<-'EOF' &
	import os, socket, sys
	s = socket.socket(socket.AF_UNIX)
	s.bind("\0x07-net-test-%d" % os.getppid())
	s.listen()
	open("abstract.new", "w").write(str(os.getppid()))
	os.rename("abstract.new", sys.argv[1])
	while True:
	    s.accept()[0].send(b"hello")
	EOF
	echo $! >>server.pids
	wait_for 20 test -s abstract.ready
	name=x07-net-test-$(cat abstract.ready)
	both namespaces_as
}
namespaces_as()
{
	p=$SERVER_PORT
	bare abstract "$name"
	stopped -a 127.0.0.1:"$p" -- abstract "$name"
	works -a 127.0.0.1:"$p" -- abstract_here
	for pid in 1 $$; do
		stopped -a 127.0.0.1:1 -- setns "/proc/$pid/ns/net" 127.0.0.1 "$p"
	done
	stopped -a 127.0.0.1:"$p" -- new_network 127.0.0.1 "$p"
	# A socket that was open before: only the standard ones are passed on.
	for gate in '' 'x07-netgate -a 127.0.0.1:1 --'; do
		# shellcheck disable=SC2086
		$AS python3 - "$p" $gate $ATTACK inherited 7 >out <<-'EOF' || :
		import os, socket, subprocess, sys
		s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
		os.dup2(s.fileno(), 7)
		sys.exit(subprocess.call(sys.argv[2:], close_fds=False))
		EOF
		case $gate in
		'') atf_check -o match:'^got 200$' cat out ;;
		*) atf_check -o match:'^denied EBADF$' cat out ;;
		esac
	done
}
namespaces_cleanup()
{
	stop_servers
}

# Standard descriptors are passed on: a socket of the network outside is refused there.
atf_test_case stdio cleanup
stdio_body()
{
	echo content >index.html
	http_server 127.0.0.1
	# with.py KIND FD COMMAND...: the command with such a socket.
	cat >with.py <<-'EOF'
	import os, socket, subprocess, sys
	kind, fd, port = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
	if kind == "tcp":
	    s = socket.create_connection(("127.0.0.1", port))
	elif kind == "tcp-fresh":
	    s = socket.socket()
	elif kind == "udp":
	    s = socket.socket(type=socket.SOCK_DGRAM)
	elif kind == "tcp6":
	    s = socket.socket(socket.AF_INET6)
	elif kind == "unix-fresh":
	    s = socket.socket(socket.AF_UNIX)
	elif kind == "unix-datagram":
	    s, t = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
	elif kind == "unix":
	    s, t = socket.socketpair()
	    t.send(b"hello")
	pid = os.fork()
	if pid == 0:
	    os.dup2(s.fileno(), fd)
	    os.execvp(sys.argv[4], sys.argv[4:])
	sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
	EOF
	both stdio_as
}
stdio_as()
{
	p=$SERVER_PORT
	with="$AS $PY with.py"
	# shellcheck disable=SC2086
	atf_check -o match:'^got 200' $with tcp 0 "$p" $ATTACK elsewhere 0 127.0.0.1 "$p"
	for k in tcp tcp-fresh tcp6 udp unix-fresh unix-datagram; do
		# shellcheck disable=SC2086
		atf_check -s exit:125 -e match:'standard input is a socket of the network' \
		    $with $k 0 "$p" x07-netgate -- $ATTACK elsewhere 0 127.0.0.1 "$p"
	done
	# shellcheck disable=SC2086
	atf_check -s exit:125 -e match:'standard output is a socket' \
	    $with tcp 1 "$p" x07-netgate -- true
	# shellcheck disable=SC2086
	atf_check -s exit:125 $with tcp 2 "$p" x07-netgate -- true
	# What is connected for good is passed on.
	# shellcheck disable=SC2086
	atf_check -o match:'^got hello' $with unix 0 "$p" x07-netgate -- $ATTACK stdio 0
}
stdio_cleanup()
{
	stop_servers
}

# ---- 24 to 26: the relay ----

atf_test_case relay
relay_body()
{
	both relay_as
}
no_relay()
{
	! pgrep -f '^x07-netgate .*net-relay-mark' >/dev/null
}
relay_as()
{
	# Signals are held back by Landlock of ABI 6 and later.
	abi=$(python3 -c 'import ctypes
print(ctypes.CDLL(None).syscall(444, None, 0, 1))')
	[ "$abi" -ge 6 ] || echo "Landlock ABI $abi: signals are not tried"
	for t in relay_ptrace relay_memory relay_vm relay_fds relay_getfd relay_ns \
	    relay_environ relay_limits relay_signal; do
		[ $t != relay_signal ] || [ "$abi" -ge 6 ] || continue
		stopped -a 127.0.0.1:1 -- $t net-relay-mark
		# Its relay is gone before the twin is tried, or it would be taken for that.
		wait_for 60 no_relay
		# The twin: an ordinary process of the same user is open to all that.
		rm -f ready
		cat >neighbour.py <<-'EOF'
		import ctypes, time
		ctypes.CDLL(None).prctl(0x59616d61, ctypes.c_ulong(-1).value, 0, 0, 0)
		open("ready", "w")
		time.sleep(100)
		EOF
		# shellcheck disable=SC2016
		$AS bash -c 'exec -a x07-netgate "$0" neighbour.py net-relay-mark' \
		    "$PY" &
		pid=$!
		wait_for 20 test -f ready
		case $t in
		relay_vm) ;;	# wants an address that is mapped there
		relay_ns) ! as_root || bare $t net-relay-mark ;;
		*) bare $t net-relay-mark ;;
		esac
		kill -CONT "$pid"
		kill -KILL "$pid"
		wait "$pid" || :
	done
}

atf_test_case reader cleanup
reader_head()
{
	atf_set descr "a reader that stands still keeps the relay from nothing"
}
reader_body()
{
	echo content >index.html
	http_server 127.0.0.1
	both reader_as
	stop_servers
}
reader_cleanup()
{
	stop_servers
}
reader_as()
{
	rm -f wall; mkfifo wall
	exec 9<>wall
	for log in "" "-l fd:2"; do
		atf_check -o inline:'ECONNREFUSED served\n' timeout 60 sh -c \
		    "$AS x07-netgate $log -a 127.0.0.1:$SERVER_PORT -- \
		    $PY $X07_TESTS/escape/reader_attack.py net $SERVER_PORT 2>wall"
	done
	exec 9<&-
}

atf_init_test_cases()
{
	for t in names numbers addresses families paths surface datagrams namespaces stdio \
	    relay reader; do
		atf_add_test_case $t
	done
}
