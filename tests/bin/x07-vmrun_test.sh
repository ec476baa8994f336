#!/usr/bin/env atf-sh
# shellcheck disable=SC2086 # $AS is a list of words
# x07-vmrun with the backend qemu: real machines, by emulation where nothing better is.
. "$X07_TESTS/lib.sh"

AS=
BOOT=300	# seconds that a machine may take on a machine that is busy

# prepare: directories, a policy for shells in policy.json, and variables.
prepare()
{
	export X07_VM_STATE_DIR="$PWD/jobs" X07_VM_CACHE_DIR="$PWD/cache"
	export X07_VM_BACKEND=qemu
	firm_work_dir
	rm -rf jobs cache rw ro www ./*.json .x07 out err
	$AS mkdir jobs cache rw
	$AS x07-policy init --template cli >/dev/null ||
	    atf_fail "cannot make the base policy"
	policy policy.json
}

# fail_with TEXT FILE...: with what the files hold, on one line.
fail_with()
{
	_text=$1
	shift
	atf_fail "$_text: $(cat "$@" | tr '\n' '|')"
}

# policy FILE [KEY=JSON ...]
policy()
{
	$AS python3 "$X07_TESTS/bin/x07-vmrun_policy.py" "$@"
	$AS x07-policy check "$1" || atf_fail "the policy of the test is not valid"
}

# vmrun POLICY WORD...: with OPTIONS.
OPTIONS=
vmrun()
{
	_policy=$1
	shift
	$AS timeout "$BOOT" x07-vmrun $OPTIONS -p "$_policy" -- "$@"
}

# Nothing of a run is left: no job, no process of ours.
nothing_left()
{
	find jobs -mindepth 1 | grep . && return 1
	! pgrep -af "$PWD/jobs/"
}

check_nothing_left()
{
	wait_for 60 nothing_left
}

# of_job NAME: the process of that name that a run here started. Its environment would
# tell as well, but not to a user: some of them hide.
of_job()
{
	for pid in $(pgrep -x "$1"); do
		up=$pid
		while [ "${up:-0}" -gt 1 ] && [ "$up" -ne $$ ]; do
			up=$(ps -o ppid= -p "$up" | tr -d ' ')
		done
		[ "${up:-0}" -ne $$ ] || echo "$pid"
	done | head -n 1
}

atf_test_case program
program_head()
{
	atf_set descr "a program, its streams, its status, its directory, its user"
	atf_set timeout 1200
}
try_program()
{
	prepare
	cat >p.sh <<'END'
cat
pwd
id -u
uname -r
echo "$1:$SECRET" >&2
exit 7
END
	echo "in put" | SECRET=x vmrun policy.json /bin/sh p.sh "a b" >out 2>err
	status=$?
	[ "$status" -eq 7 ] || fail_with "exit $status" err
	atf_check -o inline:"in put\n$PWD\n$($AS id -u)\n" head -n 3 out
	# Another kernel than this machine's.
	[ "$(sed -n 4p out)" != "$(uname -r)" ] || atf_fail "no kernel of its own"
	atf_check -o match:'^a b:$' cat err
	# The jobs' directory may have any name.
	odd="$PWD/rw/j, o=b
s%"
	X07_VM_STATE_DIR="$odd/jobs" vmrun policy.json /bin/cat p.sh >out 2>err ||
	    fail_with odd err
	atf_check -o file:p.sh cat out
	atf_check rmdir "$odd/jobs"
	check_nothing_left
}
program_body() { both try_program; }

atf_test_case groups
groups_head()
{
	atf_set descr "a user who is in further groups keeps them, and the server of files minds none"
	atf_set timeout 1200
	atf_set require.user root
}
groups_body()
{
	chmod 777 .
	AS="setpriv --reuid $(id -u "$TEST_USER") --regid $(id -g "$TEST_USER") \
	    --groups $(id -g daemon) env HOME=/tmp USER=$TEST_USER"
	prepare
	vmrun policy.json /usr/bin/id -G >out 2>err || fail_with failed err
	# As behind the gates here: a user namespace names no group but one's own.
	atf_check -o inline:"$($AS x07-limit -- id -G)\n" cat out
	check_nothing_left
}

atf_test_case files
files_head()
{
	atf_set descr "roots are read-only or writable, the rest is not there"
	atf_set timeout 1200
}
try_files()
{
	prepare
	$AS mkdir -p ro
	echo seen >ro/f
	$AS sh -c 'echo outside >../outside.$$; echo ../outside.$$' >name
	cat >f.sh <<'END'
cat ro/f
echo new >rw/made && echo wrote
echo bad >ro/f || echo read-only
[ -e "$1" ] || echo hidden
[ -e /root/.bashrc ] || [ -e /home ] || [ -e /sys/class ] || echo bare
END
	vmrun policy.json /bin/sh f.sh "$(cat name)" >out 2>err ||
	    fail_with failed out err
	rm -f "$(cat name)"
	atf_check -o inline:"seen\nwrote\nread-only\nhidden\nbare\n" cat out
	atf_check -o inline:"new\n" cat rw/made
	atf_check -o inline:"seen\n" cat ro/f
	rm -rf ro
}
files_body() { both try_files; }

atf_test_case blk
blk_head()
{
	atf_set descr "without virtiofs and 9p the files come as a read-only disk, and no more of them"
	atf_set timeout 900
}
# poor_kernel: the kernel of these tests and its modules, but not those for shares.
poor_kernel()
{
	for kernel in /boot/vmlinuz-* /usr/local/lib/x07/kernel/boot/vmlinuz-*; do
		[ ! -r "$kernel" ] || break
	done
	release=${kernel##*/vmlinuz-}
	modules=$(realpath "${kernel%/*}/../lib/modules/$release" 2>/dev/null)
	[ -r "$modules/modules.order" ] || atf_skip "no kernel with modules here"
	for name in virtio_blk squashfs; do
		grep -q "/$name\.ko" "$modules/modules.order" "$modules/modules.builtin" ||
		    atf_skip "$kernel has no $name"
	done
	! grep -q '/\(virtiofs\|9p\)\.ko' "$modules/modules.builtin" ||
	    atf_skip "$kernel has a share built in"
	rm -rf poor
	$AS mkdir -p poor/boot poor/lib/modules
	$AS cp -s "$kernel" poor/boot
	$AS cp -rs "$modules" poor/lib/modules
	rm -rf "poor/lib/modules/$release/kernel/fs/fuse" \
	    "poor/lib/modules/$release/kernel/fs/9p"
}
# The machine's disk in $disk, once the program has said its first line.
disk_of_run()
{
	grep -qx 'seen in the root' out && disk=$($AS find \
	    "/proc/$(of_job 'qemu-system-.*')/fd" -lname "*/jobs/*/disk (deleted)" | head -n 1) &&
	    [ -n "$disk" ]
}
try_blk()
{
	prepare
	poor_kernel
	rm -rf ro unlisted in
	$AS mkdir ro
	echo "seen in the root" >ro/f
	echo "hidden in the root" >ro/.dot
	echo "beside the root" >unlisted
	cat >ro/b.sh <<'END'
cat ro/f
cat unlisted || echo denied
echo bad >ro/f || echo read-only
cat ro/.dot || echo covered
echo own >/tmp/own && cat /tmp/own
cat
END
	policy blk.json "fs.read_roots=[\"$PWD/ro\"]" fs.write_roots=[] \
	    fs.deny_hidden=true
	export X07_VM_KERNEL="$PWD/poor/boot/${kernel##*/}"
	mkfifo in
	vmrun blk.json /bin/sh ro/b.sh <in >out 2>err &
	run_pid=$!
	exec 8>in
	wait_for "$BOOT" disk_of_run
	# Nor is it in what a guest that was taken over can read.
	$AS grep -qa "seen in the root" "$disk" || atf_fail "not in the disk"
	for text in "hidden in the root" "beside the root"; do
		! $AS grep -qa "$text" "$disk" || atf_fail "in the disk: $text"
	done
	echo "in put" >&8
	exec 8>&-
	wait "$run_pid" || fail_with failed out err
	atf_check -o inline:"seen in the root\ndenied\nread-only\ncovered\nown\nin put\n" \
	    cat out
	atf_check -o inline:"share blk\n" sh -c 'grep -h ^share cache/*/manifest'
	for words in "-p policy.json" "--build -p blk.json"; do
		$AS x07-vmrun $words -- /bin/cat ro/f >out 2>err
		status=$?
		[ "$status" -eq 125 ] || fail_with "$words: exit $status" err
		[ "$(wc -l <err)" -eq 1 ] || fail_with "$words" err
		atf_check -o match:'read-only disk; .*X07_VM_KERNEL' cat err
	done
	check_nothing_left
	unset X07_VM_KERNEL
}
blk_body() { both try_blk; }

atf_test_case gates
gates_head()
{
	atf_set descr "in the guest the same gates hold: exec, memory, wall, clock"
	atf_set timeout 1200
}
gates_body()
{
	prepare
	cp /bin/echo rw/evil
	policy limits.json 'limits.wall_ms=20000' 'limits.mem_bytes=134217728' \
	    'time.allow_wall_clock=false'
	cat >g.sh <<'END'
date +%s
grep -sq '^rtc_date.*: 20' /proc/driver/rtc || echo "no date"
find /dev -newermt 2000-01-01
rw/evil ran
python3 -c 'x = bytearray(400 << 20); print("had it")'
python3 -c 'x = bytearray(4 << 20); print("small")'
[ "$(nproc)" -ge 1 ] && echo counted
exec sleep 1000
END
	vmrun limits.json /bin/sh g.sh >out 2>err
	status=$?
	[ "$status" -eq 124 ] || fail_with "exit $status" out err
	[ "$(head -n 1 out)" -lt 1000 ] || fail_with "the clock is right" out
	atf_check -o inline:"no date\nsmall\ncounted\n" sed 1d out
	atf_check -o match:"x07-execgate: deny exec .*evil" \
	    -o match:"x07-limit: " cat err
	# The same is allowed when the policy allows it.
	policy wide.json "process.allow_exec_prefixes=[\"/usr/bin/\",\"/bin/\",\"$PWD/rw/\"]" \
	    'limits.mem_bytes=805306368'
	cat >w.sh <<'END'
date +%s
find /dev/null -newermt 2000-01-01
rw/evil ran
python3 -c 'x = bytearray(400 << 20); print("had it")'
END
	vmrun wide.json /bin/sh w.sh >out 2>err || fail_with failed out err
	atf_check -o inline:"/dev/null\nran\nhad it\n" sed 1d out
	[ "$(($(date +%s) - $(head -n 1 out)))" -lt 300 ] ||
	    fail_with "the clock is wrong" out
}

atf_test_case signals
signals_head()
{
	atf_set descr "signals reach the program; one that kills it is the status"
	atf_set timeout 1200
}
signals_body()
{
	prepare
	cat >s.sh <<'END'
trap 'echo got it; exit 9' TERM
echo ready >rw/ready
while :; do sleep 0.1; done
END
	# Not by timeout(1), which sends one to us and another to our group.
	x07-vmrun -p policy.json -- /bin/sh s.sh >out 2>err &
	run_pid=$!
	wait_for "$BOOT" test -s rw/ready
	kill -TERM "$run_pid"
	wait "$run_pid"
	status=$?
	[ "$status" -eq 9 ] || fail_with "exit $status" out err
	atf_check -o inline:"got it\n" cat out
	vmrun policy.json /bin/sh -c 'kill -KILL $$'
	status=$?
	[ "$status" -eq 137 ] || atf_fail "exit $status"
	check_nothing_left
}

atf_test_case network
network_head()
{
	atf_set descr "listed hosts are reached through the channel, others are denied"
	atf_set timeout 1200
}
try_network()
{
	prepare
	$AS mkdir -p www
	echo served >www/index.html
	head -c 300000 /dev/urandom >www/big
	http_server 127.0.0.1 www
	policy net.json net.enabled=true net.allow_tcp=true net.allow_dns=true \
	    "net.allow_hosts=[{\"host\":\"127.0.0.1\",\"ports\":[$SERVER_PORT]},
	    {\"host\":\"localhost\",\"ports\":[$SERVER_PORT]}]"
	cat >n.sh <<'END'
curl -sS "http://127.0.0.1:$1/"
curl -sS "http://localhost:$1/"
curl -sS "http://127.0.0.1:$1/big" | cmp - www/big && echo whole
# Without words of its own: the relay's line may come in the middle of them.
curl -s http://127.0.0.1:1234/ || echo "port $?"
curl -s http://10.1.2.3:80/ || echo "address $?"
curl -s http://other.example/ || echo "name $?"
END
	vmrun net.json /bin/sh n.sh "$SERVER_PORT" >out 2>err
	atf_check -o inline:"served\nserved\nwhole\nport 7\naddress 7\nname 6\n" \
	    cat out
	for line in 'connect 127.0.0.1:1234 .*--allow-host 127.0.0.1:1234' \
	    'connect 10.1.2.3:80 .*--allow-host 10.1.2.3:80' \
	    'resolve other.example .*--allow-host other.example:PORT'; do
		atf_check -o match:"^x07-netgate: deny $line" cat err
	done
	stop_servers
}
network_body() { both try_network; }
network_cleanup() { stop_servers; }

atf_test_case service
service_head()
{
	atf_set descr "a service in the guest is reached where the policy lists it, and nowhere else"
	atf_set timeout 1200
}
nobody_listens()
{
	curl -sS "http://127.0.0.1:$1/"
	[ $? -eq 7 ]
}
service_body()
{
	prepare
	mkdir www
	echo served >www/index.html
	listed=$(free_port)
	other=$(free_port)
	policy serve.json net.enabled=true net.allow_tcp=true \
	    "net.allow_hosts=[{\"host\":\"127.0.0.1\",\"ports\":[$listed]}]"
	cat >serve.sh <<'END'
python3 -m http.server --bind 127.0.0.1 --directory www "$2" &
exec python3 -m http.server --bind 127.0.0.1 --directory www "$1"
END
	x07-vmrun -p serve.json -- /bin/sh serve.sh "$listed" "$other" >out 2>err &
	run_pid=$!
	wait_for "$BOOT" curl -sf "http://127.0.0.1:$listed/"
	atf_check -o inline:"served\n" curl -sS "http://127.0.0.1:$listed/"
	atf_check -s exit:7 -e ignore curl -sS "http://127.0.0.1:$other/"
	kill -TERM "$run_pid"
	wait "$run_pid"
	# The relay outside ends by itself, a moment later.
	wait_for 20 nobody_listens "$listed"
	check_nothing_left
}

atf_test_case datagrams
datagrams_head()
{
	atf_set descr "UDP reaches the hosts that the policy lists when it allows it, and no others"
	atf_set timeout 1200
}
datagrams_body()
{
	prepare
	cat >echo.py <<'END'
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
while True:
    data, peer = s.recvfrom(100)
    print(data.decode(), flush=True)
    s.sendto(data.upper(), peer)
END
	cat >ask.py <<'END'
import socket, sys
for port in sys.argv[1:]:
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(20)
    try:
        s.connect(("127.0.0.1", int(port)))
        s.send(b"hello")
        print(s.recv(100).decode())
    except OSError as e:
        print("denied")
END
	for name in listed other; do
		python3 echo.py >"$name" &
		echo $! >>server.pids
		wait_for 20 test -s "$name"
	done
	hosts="net.allow_hosts=[{\"host\":\"127.0.0.1\",\"ports\":[$(head -n 1 listed)]}]"
	policy udp.json net.enabled=true net.allow_tcp=true net.allow_udp=true "$hosts"
	vmrun udp.json /usr/bin/python3 ask.py "$(head -n 1 listed)" \
	    "$(head -n 1 other)" >out 2>err
	atf_check -o inline:"HELLO\ndenied\n" cat out
	atf_check -o inline:"hello\n" sed 1d listed
	atf_check sed 1d other
	policy tcp.json net.enabled=true net.allow_tcp=true net.allow_udp=false "$hosts"
	vmrun tcp.json /usr/bin/python3 ask.py 1 "$(head -n 1 listed)" >out 2>err
	atf_check -o inline:"denied\ndenied\n" cat out
	atf_check -o inline:"hello\n" sed 1d listed
	stop_servers
}
datagrams_cleanup() { stop_servers; }

atf_test_case host_decides
host_decides_head()
{
	atf_set descr "a guest that was taken over reaches no more than the list"
	atf_set timeout 120
}
host_decides_body()
{
	mkdir www
	echo served >www/index.html
	http_server 127.0.0.1 www
	cat >guest.py <<'END'
import os, socket, struct, subprocess, sys
ours, theirs = socket.socketpair()
relay = subprocess.Popen(["x07-netgate", "-a", "127.0.0.1:" + sys.argv[1], "--",
    sys.argv[2], "host"], stdin=theirs)
theirs.close()
def frame(number, kind, data):
    ours.sendall(struct.pack("=IHH", number, kind, len(data)) + data)
def opened(number, address, port):
    frame(number, 1, struct.pack("=BBH16s", 0, 0, port, socket.inet_aton(address)))
    head = ours.recv(8, socket.MSG_WAITALL)
    return struct.unpack("=i", ours.recv(4, socket.MSG_WAITALL))[0]
print(os.strerror(opened(2, "127.0.0.1", int(sys.argv[1]))))
print(os.strerror(opened(4, "127.0.0.1", 1)))
print(os.strerror(opened(6, "192.0.2.1", int(sys.argv[1]))))
frame(6, 99, b"nonsense")
frame(8, 1, b"short")
print(relay.wait())
END
	netmux=$(dirname "$(command -v x07-vmrun)")/../libexec/x07/netmux
	atf_check -o inline:"Success\nConnection refused\nConnection refused\n125\n" \
	    -e match:"deny connect 127.0.0.1:1 " -e match:"deny connect 192.0.2.1:" \
	    -e match:"speaks nonsense" \
	    timeout 60 python3 guest.py "$SERVER_PORT" "$netmux"
	stop_servers
}
host_decides_cleanup() { stop_servers; }

atf_test_case unread
unread_head()
{
	atf_set descr "a guest that asks and does not read fills no memory of the host"
}
unread_body()
{
	cat >guest.py <<'END'
import select, socket, struct, subprocess, sys
ours, theirs = socket.socketpair()
relay = subprocess.Popen([sys.argv[1], "host"], stdin=theirs)
theirs.close()
ours.setblocking(False)
place = struct.pack("=BBH16s", 2, 0, 1, socket.inet_aton("192.0.2.1"))
asked = b"".join(struct.pack("=IHH", n, 1, len(place)) + place
    for n in range(2, 400002, 2))
sent = 0
while sent < len(asked) and select.select([], [ours], [], 3)[1]:
    sent += ours.send(asked[sent:sent + 65536])
print("all" if sent == len(asked) else "held up")
# Nothing is lost for one that reads.
answers, size = 0, len(asked) // len(place + b"12345678") * 12
while answers < size:
    can_read, can_write, _ = select.select([ours], [ours] if sent < len(asked) else [], [])
    if can_read:
        answers += len(ours.recv(65536))
    if can_write:
        sent += ours.send(asked[sent:sent + 65536])
print("answered", answers // 12)
ours.close()
print(relay.wait())
END
	netmux=$(dirname "$(command -v x07-vmrun)")/../libexec/x07/netmux
	atf_check -o inline:"held up\nanswered 200000\n0\n" \
	    timeout 120 python3 guest.py "$netmux"
}

atf_test_case missing
missing_head()
{
	atf_set descr "who is sent to learns when the guest ended before it had told of the end"
	atf_set timeout 120
}
missing_body()
{
	cat >guest.py <<'END'
import socket, struct, subprocess, sys
server = socket.create_server(("127.0.0.1", 0))
def frame(number, kind, data=b""):
    ours.sendall(struct.pack("=IHH", number, kind, len(data)) + data)
def sent(number, text):
    frame(number, 1, struct.pack("=BBH16s", 0, 0, server.getsockname()[1],
        socket.inet_aton("127.0.0.1")))
    frame(number, 3, text)
    connection = server.accept()[0]
    assert connection.recv(100) == text
    return connection
def end(connection):
    try:
        return "end" if connection.recv(100) == b"" else "more"
    except ConnectionResetError:
        return "reset"
for ended in (lambda: ours.close(), lambda: relay.kill()):
    ours, theirs = socket.socketpair()
    relay = subprocess.Popen([sys.argv[1], "host"], stdin=theirs)
    theirs.close()
    part, whole = sent(2, b"part"), sent(4, b"whole")
    frame(4, 4)
    print(end(whole))
    ended()
    relay.wait()
    print(end(part), whole.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
END
	netmux=$(dirname "$(command -v x07-vmrun)")/../libexec/x07/netmux
	atf_check -o inline:"end\nreset 0\nend\nreset 0\n" \
	    timeout 60 python3 guest.py "$netmux"
}

atf_test_case flood
flood_head()
{
	atf_set descr "a guest that writes past its gates is ended by the host"
	atf_set timeout 1200
}
flood_body()
{
	prepare
	policy caps.json process.max_stdout_bytes=1000
	vmrun caps.json /bin/sh -c 'head -c 500 /dev/zero' >out 2>err ||
	    fail_with failed err
	[ "$(wc -c <out)" -eq 500 ] || atf_fail "$(wc -c <out) bytes"
	# What was not written is told, unless nobody wanted to have it.
	vmrun caps.json /bin/echo lost >/dev/full 2>err
	[ $? -eq 125 ] || fail_with "lost, and not told" err
	atf_check -o match:"standard output: No space left" cat err
	mkfifo nobody
	: <nobody &
	{ wait; vmrun caps.json /bin/echo lost; } >nobody 2>err || fail_with failed err
	vmrun caps.json /bin/sh -c 'head -c 5000 /dev/zero' >out 2>err
	[ "$(wc -c <out)" -eq 1000 ] || atf_fail "$(wc -c <out) bytes"
	atf_check -o match:"^x07-limit: " cat err
	# The driver alone, with a guest in which nothing counts.
	libexec=$(dirname "$(command -v x07-vmrun)")/../libexec/x07
	mkdir -p job/in job/out
	x07-fsgate -q -p policy.json --list -- /bin/sh >view
	printf 'PATH=/usr/bin:/bin\0' >vars
	timeout "$BOOT" x07-policy seal -f 3 policy.json -- "$libexec/vm-qemu" run \
	    --id flood --dir "$PWD/job" --deadline "$(($(date +%s) + BOOT))000" \
	    --image "$(x07-vmrun image | tail -n 1)" --policy-fd 3 --view-fd 4 \
	    --env-fd 5 --gate x07-fsgate --stdout-bytes 1000 --cwd "$PWD" -- \
	    /bin/sh -c 'head -c 30000000 /dev/zero' >out 2>err 4<view 5<vars
	[ $? -eq 125 ] || fail_with "not ended" err
	atf_check -o match:"past its gates" cat err
	[ "$(wc -c <out)" -lt 3000000 ] || atf_fail "$(wc -c <out) bytes"
}

atf_test_case bounds
bounds_head()
{
	atf_set descr "the guest cannot fill the log's disk; its files are as many as this user may open"
	atf_set timeout 600
}
bounds_body()
{
	prepare
	atf_check -s exit:125 -e match:'X07_VM_LOG_BYTES=much: must be a size' \
	    env X07_VM_LOG_BYTES=much x07-vmrun -p policy.json -- touch rw/ran
	[ ! -e rw/ran ] || atf_fail "something was run"
	mkdir many
	(cd many && seq 1000 | xargs touch)
	cp /bin/true rw/none
	cat >b.sh <<'END'
ls -l many >rw/seen
i=0
while [ $i -lt $1 ]; do
	i=$((i + 1))
	rw/none
done
echo end
END
	OPTIONS='-q -l log'
	X07_VM_LOG_BYTES=4K
	export X07_VM_LOG_BYTES
	# It is the hard limit that counts.
	AS='prlimit --nofile=256:'
	vmrun policy.json /bin/sh b.sh 4 >out 2>err || fail_with failed err
	atf_check -o inline:"end\n" cat out
	[ "$(wc -l <log)" -ge 4 ] || fail_with "no log" log
	[ "$(grep -c '^-' rw/seen)" -eq 1000 ] || fail_with "not all" err
	rm log
	AS='prlimit --nofile=256'
	vmrun policy.json /bin/sh b.sh 10000 >out 2>err
	[ $? -eq 125 ] || fail_with "not ended" err
	atf_check cat out
	atf_check -o match:'the audit log has reached its 4096 bytes' tail -n 1 err
	[ "$(wc -c <log)" -le 4096 ] || atf_fail "$(wc -c <log) bytes"
	[ "$(grep -c '^-' rw/seen)" -lt 1000 ] || atf_fail "past the hard limit"
	# A disk that is full already.
	AS=
	OPTIONS='-q -l /dev/full'
	vmrun policy.json /bin/sh b.sh 10000 >out 2>err
	[ $? -eq 125 ] || fail_with "not ended" err
	atf_check cat out
	atf_check -o match:'audit log cannot be written .No space left' cat err
	check_nothing_left
}

# fake_docker: one that records, in bin; with $faked it is the one that is found.
fake_docker()
{
	mkdir -p bin
	cp "$X07_TESTS/libexec/vm-ctr_fake.sh" bin/docker
	chmod 755 bin/docker
	digest=$(printf %064d 0)
	printf 'echo %s\n' "'[\"img@sha256:$digest\"] $digest'" >bin/inspect
	echo 'echo "[\"cpu\",\"memory\",\"pids\"]"' >bin/controllers
	faked="env FAKE=$PWD/bin PATH=$PWD/bin:$PATH"
}

atf_test_case labels
labels_head()
{
	atf_set descr "what runs is labelled, and what was left is ended where it runs"
	atf_set timeout 300
}
# faked_run WORD...: with these words in front.
faked_run()
{
	$faked "$@" x07-vmrun -b docker --i-accept-weaker-isolation --image img:1 \
	    -p policy.json -- true 2>err || fail_with failed err
}
labels_body()
{
	prepare
	fake_docker
	# What the runtimes are told by their environment.
	echo 'echo "$DOCKER_HOST" >>"$FAKE/hosts"' >bin/remove
	for i in 1 2; do
		faked_run env DOCKER_HOST=here
		grep -x 'io.x07.runner_instance=ri-[0-9a-f]\{32\}' bin/words.run >instance.$i
		run=$(sed -n 's/^io.x07.run_id=//p' bin/words.run)
		echo "$run" | grep -qx '[0-9]\{13\}-[0-9]*-1' || atf_fail "run id: $run"
		grep -qx "io.x07.job_id=$run-run" bin/words.run || fail_with "job id" bin/words.run
		grep -qx "x07-$run-run" bin/words.run || fail_with name bin/words.run
	done
	[ -s instance.1 ] || fail_with "no instance" bin/words.run
	atf_check cmp instance.1 instance.2
	atf_check -o inline:"600\n" stat -c %a runner_instance
	# One that is none is not believed, nor what others can have put there.
	echo ri-moon >runner_instance
	faked_run
	atf_check -o match:'^ri-[0-9a-f]{32}$' cat runner_instance
	# A job of another environment, whose x07-vmrun and reaper were killed.
	mkdir jobs/1-1-1-run jobs/1-2-1-run
	for job in jobs/1-1-1-run jobs/1-2-1-run; do
		echo '{}' >$job/job.json
		echo docker >$job/driver
	done
	printf 'DOCKER_HOST=there\0PATH=/nonexistent\0' >jobs/1-1-1-run/variables
	printf 'X07_VM_BACKEND=docker\0' >jobs/1-2-1-run/variables
	: >bin/hosts
	faked_run env DOCKER_HOST=here
	atf_check -o inline:"\nhere\nthere\n" sort -u bin/hosts
	atf_check -o inline:"1\n" grep -c there bin/hosts
	check_nothing_left
}

atf_test_case usage
usage_head()
{
	atf_set descr "what was used comes out, and which limit struck; a guest's lies do not"
	atf_set timeout 1200
}
# told NAME: a member of the report.
told()
{
	jq -c ".$1" used
}
# lie SED: what a container's guest says of a run: a true report, changed.
lie()
{
	sed -e "$1" true_report >report
	rm -f used
	$lying x07-vmrun -b docker --i-accept-weaker-isolation --image img:1 -u used \
	    -p policy.json -- true 2>err || fail_with "$1" err
}
usage_body()
{
	prepare
	policy caps.json process.max_stdout_bytes=1000
	OPTIONS='-u used'
	echo four | vmrun caps.json /bin/sh -c 'cat; head -c 500 /dev/zero; exit 3' >out 2>err
	status=$?
	[ "$status" -eq 3 ] || fail_with "exit $status" err
	atf_check_equal '3 null 5 505' \
	    "$(told status) $(told struck) $(told stdin_bytes) $(told stdout_bytes)"
	for what in peak_memory_bytes cpu_ms wall_ms peak_tasks; do
		[ "$(told "$what")" -gt 0 ] || fail_with "no $what" used
	done
	atf_check_equal '1000' "$(told limits.stdout.value)"
	cp used true_report
	vmrun caps.json /bin/sh -c 'head -c 5000 /dev/zero' >out 2>err
	atf_check_equal '"stdout"' "$(told struck)"
	# A guest that was taken over says what it likes; here it stands in the
	# place of a container runtime.
	fake_docker
	# shellcheck disable=SC2016 # for the fake
	echo 'for w; do case $w in *target=/x07/out) w=${w#*source=}
	    cp report "${w%%,*}/usage" ;; esac; done' >bin/run
	lying=$faked
	lie ''
	atf_check cmp true_report used
	for change in 's/"exit": 3/"exit": 3e9/' 's/"exit": 3/"exit": -3/' \
	    's/"exit": 3/"exit": "3"/' 's/"exit": 3/"exit": 03/' \
	    's/"exit": 3/"exit": 1234567890123456789/' '/"signal"/d' \
	    's/"struck": null/"struck": "a\\nb"/' 's/"value": 1000/"value": []/' \
	    's/"struck": null/"struck": "\x1b[31m"/' '$d' '$s/$/x/' \
	    's/"limits": {/"limits": {"a": {/' "s/null/\"$(printf %200d 0)\"/"; do
		lie "$change"
		[ ! -s used ] || fail_with "$change" used
		atf_check -o match:"is damaged, and dropped" cat err
	done
	rm report
	ln -s "$PWD/true_report" report
	sed -i 's/cp /cp -P /' bin/run
	rm -f used
	$lying x07-vmrun -b docker --i-accept-weaker-isolation --image img:1 -u used \
	    -p policy.json -- true 2>err || fail_with link err
	[ ! -s used ] || fail_with "through a link" used
	atf_check -s exit:125 -e match:"-u /nonexistent/u: No such file" x07-vmrun \
	    -u /nonexistent/u -p policy.json -- touch rw/ran
	[ ! -e rw/ran ] || atf_fail "something was run"
}

atf_test_case snapshot
snapshot_head()
{
	atf_set descr "a guest kept booted: another seed and clock each time, its files, and a fall back"
	atf_set timeout 1200
}
try_snapshot()
{
	prepare
	cat >s.sh <<'END'
od -An -tx8 -N16 /dev/urandom
cat /proc/sys/kernel/random/boot_id
date +%s
echo "$1" >rw/made && cat rw/made
exit 7
END
	OPTIONS=-v
	vmrun policy.json /bin/sh s.sh none >out 2>err
	[ -z "$(ls -d cache/*.snap 2>/dev/null)" ] || atf_fail "kept unasked"
	OPTIONS='-v --snapshot'
	for i in 1 2 3; do
		vmrun policy.json /bin/sh s.sh "run $i" >"out.$i" 2>err
		status=$?
		[ "$status" -eq 7 ] || fail_with "$i: exit $status" err
		atf_check -o inline:"run $i\n" sed -n 4p "out.$i"
		[ "$(($(date +%s) - $(sed -n 3p "out.$i")))" -lt 120 ] ||
		    fail_with "the clock is wrong" "out.$i"
		[ "$i" -gt 1 ] || ls -di cache/*.snap/memory >first
		# The same one is taken: nobody wrote it again.
		atf_check -o file:first ls -di cache/*.snap/memory
	done
	for line in 1 2; do
		[ "$(cat out.? | sed -n "$line~4p" | sort -u | wc -l)" -eq 3 ] ||
		    fail_with "the same random numbers" out.1 out.2 out.3
	done
	atf_check -o inline:"700 600 600\n" sh -c \
	    'echo $(stat -c %a cache/*.snap cache/*.snap/*)'
	# The guest has what the policy says, and another clock when it says so.
	policy epoch.json time.allow_wall_clock=false
	echo 'date +%s; grep -s "^rtc_date.*: 20" /proc/driver/rtc; find /dev -newermt 2000-01-01' >c.sh
	vmrun epoch.json /bin/sh c.sh >out 2>err
	[ "$(cat out)" -lt 1000 ] || fail_with "the clock is right" out
	atf_check -o file:first ls -di cache/*.snap/memory
	# Another machine is another guest.
	policy more.json limits.mem_bytes=301989888
	vmrun more.json /bin/echo ran >out 2>err
	atf_check -o inline:"2\n" sh -c 'ls -d cache/*.snap | wc -l'
	atf_check -o inline:"ran\n" cat out
	# What QEMU does not take is removed, and the machine boots.
	for f in cache/*.snap/state; do
		$AS sh -c "head -c 1000 /dev/zero >$f"
	done
	vmrun policy.json /bin/echo ran >out 2>err || fail_with failed err
	atf_check -o inline:"ran\n" cat out
	atf_check -o match:"kept cannot be used; another one boots" cat err
	# And what others could have written is not even looked at.
	for f in cache/*.snap; do
		chmod 777 "$f"
		ls -di "$f/memory"
	done >old
	vmrun policy.json /bin/echo ran >out 2>err || fail_with failed err
	atf_check -o inline:"ran\n" cat out
	check_nothing_left
	OPTIONS=
}
snapshot_body() { both try_snapshot; }

atf_test_case damaged
damaged_head()
{
	atf_set descr "an image in the cache that is damaged is made again, a whole one is not"
	atf_set timeout 1200
}
# damage HOW: the image that lies in $image.
damage()
{
	case $1 in
	gone:*) rm "$image/${1#*:}" ;;
	empty:*) : >"$image/${1#*:}" ;;
	short:*) truncate -s -1 "$image/${1#*:}" ;;
	other:*) printf x | dd of="$image/${1#*:}" bs=1 seek=30 conv=notrunc status=none ;;
	esac
}
damaged_body()
{
	prepare
	atf_check -o save:one x07-vmrun image
	image=$(tail -n 1 one)
	for how in gone empty short other; do
		for part in manifest kernel initramfs cmdline digest; do
			damage $how:$part
			atf_check -o file:one x07-vmrun image
			atf_check_equal "$(head -n 1 one)" "$(cat "$image/digest")"
		done
	done
	# A run does that by itself, also one of a kept guest when a file is missing.
	for how in other:kernel gone:manifest; do
		damage $how
		OPTIONS=
		[ $how = other:kernel ] || OPTIONS=--snapshot
		vmrun policy.json /bin/echo ran >out 2>err || fail_with "$how" err
		atf_check -o inline:"ran\n" cat out
		atf_check -o match:"image in the cache is damaged; making it again" cat err
	done
	OPTIONS=
	# What is whole stays, and nothing is told.
	ls -di "$image" >first
	vmrun policy.json /bin/echo ran >out 2>err || fail_with failed err
	atf_check -o inline:"ran\n" cat out
	atf_check cat err
	atf_check -o file:first ls -di "$image"
	# Two that find it so make one, which stays.
	damage short:kernel
	x07-vmrun image >two &
	x07-vmrun image >three
	wait $!
	atf_check -o file:one cat two
	atf_check -o file:one cat three
	ls -di "$image" >first
	atf_check -o file:one x07-vmrun image
	atf_check -o file:first ls -di "$image"
	atf_check -o inline:"1\n" sh -c 'ls cache | grep -vc snap'
	check_nothing_left
}

atf_test_case prune
prune_head()
{
	atf_set descr "old images and kept guests go when a new one is made, those in use stay"
	atf_set timeout 300
}
prune_body()
{
	prepare
	for i in $(seq 10 29); do
		mkdir -p "cache/000000000000000000000000000000$i"
		: >"cache/000000000000000000000000000000$i/kernel"
		touch -d "$i days ago" "cache/000000000000000000000000000000$i"
	done
	for name in old.snap young.snap mine; do
		mkdir "cache/1111111111111111111111111111$name" "cache/$name"
		: >"cache/$name/memory"
	done
	mv cache/1111111111111111111111111111old.snap cache/11111111111111111111111111111111.snap
	: >cache/11111111111111111111111111111111.snap/memory
	touch -d '31 days ago' cache/11111111111111111111111111111111.snap cache/mine
	mkdir cache/22222222222222222222222222222222.snap
	for i in 1 2 3 4 5 6 7 8 9; do
		mkdir "cache/3333333333333333333333333333333$i"
	done
	atf_check -o save:made x07-vmrun image
	# Nine that were used just now, and the new one; of the others none is
	# among the latest eight.
	atf_check -o inline:"10\n" sh -c 'ls cache | grep -cx "[0-9a-f]\{32\}"'
	atf_check test -e "$(tail -n 1 made)/kernel"
	atf_check test ! -e cache/11111111111111111111111111111111.snap
	atf_check test -e cache/22222222222222222222222222222222.snap
	atf_check test -e cache/mine/memory
	# What was left half made goes when the next guest is to be kept.
	for kind in '' .snap; do
		for name in killed making young0; do
			name=cache/$(printf %032d 4)$kind.$name
			mkdir "$name"
			: >"$name/memory"
			case $name in *young0) ;; *) touch -d '2 minutes ago' "$name" ;; esac
		done
	done
	name=$(printf %032d 4).snap
	mkdir cache/mine.killed
	touch -d '2 minutes ago' cache/mine.killed
	asked="--image-digest sha256:$(printf %064d 0) -p policy.json -- true"
	atf_check -s exit:125 -e ignore x07-vmrun $asked
	atf_check test -e "cache/$name.killed"
	atf_check -s exit:125 -e ignore flock "cache/$name.making" x07-vmrun --snapshot $asked
	atf_check test ! -e "cache/$name.killed"
	for name in "$name.making" "$name.young0" mine.killed; do
		atf_check test -e "cache/$name"
	done
}

atf_test_case terminal
terminal_head()
{
	atf_set descr "on a terminal the program has one, of the same size"
	atf_set timeout 1200
}
terminal_body()
{
	prepare
	cat >t.sh <<'END'
stty size
[ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo "all three"
echo "typed: $(head -n 1)"
END
	cat >on_pty.py <<'END'
import fcntl, os, pty, struct, sys, termios
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 77, 0, 0))
text, typed = b"", False
while True:
    try:
        data = os.read(fd, 4096)
    except OSError:
        break
    if not data:
        break
    text += data
    # Not before the line's end: what is typed is echoed where the output stands.
    if b"\n" in text.partition(b"all three")[2] and not typed:
        os.write(fd, b"hello\r")
        typed = True
sys.stdout.write(text.decode().replace("\r", "\n"))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END
	timeout "$BOOT" python3 on_pty.py x07-vmrun -p policy.json -- /bin/sh t.sh >out ||
	    fail_with failed out
	atf_check -o match:"33 77$" -o match:"^all three$" \
	    -o match:"typed: hello" cat out
	# Nothing was started yet: a line tells that it is under way.
	atf_check -o match:"starting the machine" cat out
	# The terminal is the caller's again, also when the driver could not say so.
	cat >raw.py <<'END'
import os, pty, signal, subprocess, sys, termios
main, sub = pty.openpty()
before = termios.tcgetattr(sub)
run = subprocess.Popen(sys.argv[2:], stdin=sub, stdout=sub, stderr=sub,
    start_new_session=True)
text = b""
while b"ready" not in text:
    text += os.read(main, 4096)
if termios.tcgetattr(sub) == before:
    sys.exit("it was never another")
if sys.argv[1] == "driver":
    driver = subprocess.check_output(["pgrep", "-P", str(run.pid), "-x", "vm-qemu"])
    os.kill(int(driver), signal.SIGKILL)
else:
    run.terminate()
print(run.wait())
if termios.tcgetattr(sub) != before:
    sys.exit("the terminal is not what it was")
END
	for who in driver:125 run:143; do
		atf_check -o inline:"${who#*:}\n" timeout "$BOOT" python3 raw.py \
		    "${who%:*}" x07-vmrun -q -p policy.json -- \
		    /bin/sh -c 'echo ready; exec sleep 600'
	done
	check_nothing_left
}

atf_test_case refused
refused_head()
{
	atf_set descr "what is missing is refused, with one line, before anything runs"
	atf_set timeout 1200
}
refuse_case()
{
	_want=$1
	shift
	"$@" >out 2>err
	status=$?
	[ "$status" -eq 125 ] || fail_with "$* exit $status" out err
	[ ! -s out ] || fail_with "$* wrote" out
	[ "$(grep -cv 'making the guest image' err)" -eq 1 ] || fail_with "$*" err
	atf_check -o match:"$_want" cat err
	[ ! -e rw/ran ] || atf_fail "$*: something was run"
	check_nothing_left
}
refused_body()
{
	prepare
	run="x07-vmrun -p policy.json -- touch rw/ran"
	refuse_case 'a policy is needed' x07-vmrun -- touch rw/ran
	refuse_case 'none of firecracker' x07-vmrun -b moon -p policy.json -- touch rw/ran
	refuse_case 'does not exist on this system' x07-vmrun -b vz -p policy.json \
	    -- touch rw/ran
	refuse_case 'accept that with --i-accept' x07-vmrun -b docker -p policy.json \
	    -- touch rw/ran
	refuse_case 'X07_VM_QEMU_BIN=/nonexistent' env X07_VM_QEMU_BIN=/nonexistent $run
	refuse_case 'X07_VM_KERNEL=/nonexistent' env X07_VM_KERNEL=/nonexistent $run
	refuse_case 'X07_VM_KERNEL=/bin/ls: needs its modules' \
	    env X07_VM_KERNEL=/bin/ls $run
	refuse_case 'X07_VM_VIRTIOFSD_BIN=/nonexistent' env X07_VM_VIRTIOFSD_BIN=/nonexistent $run
	refuse_case 'is no digest' env X07_VM_GUEST_IMAGE_DIGEST=sha256:12 $run
	zeros=$(printf %064d 0)
	refuse_case 'the guest image is sha256:.*sha256:0000' \
	    env "X07_VM_GUEST_IMAGE_DIGEST=sha256:$zeros" $run
	refuse_case 'nothing/manifest: No such file or directory; make one: x07-vmrun image' \
	    env "X07_VM_GUEST_IMAGE=$PWD/nothing" $run
	# Of this machine and this version it is not even told; its digest is another.
	made=$(x07-vmrun image | tail -n 1)
	asked="--image-digest sha256:$zeros -p policy.json -- touch rw/ran"
	rm -rf other
	cp -r "$made" other
	refuse_case 'the guest image is sha256:' x07-vmrun --image other $asked
	sed -i 's/^suite .*/suite 0.0.1/' other/manifest
	refuse_case 'the guest image is sha256:' x07-vmrun --image other $asked
	x07-vmrun -v --image other $asked 2>err
	atf_check -o match:'other was made by version 0.0.1, this is ' cat err
	sed -i 's/^machine .*/machine moon/' other/manifest
	refuse_case 'other is for moon, but this machine is ' x07-vmrun --image other $asked
	for name in manifest kernel initramfs cmdline; do
		rm -rf other
		cp -r "$made" other
		rm "other/$name"
		mkfifo "other/$name"
		refuse_case "other/$name: no " timeout 60 x07-vmrun --image other \
		    -p policy.json -- touch rw/ran
	done
	refuse_case 'X07_I_ACCEPT_WEAKER_ISOLATION=perhaps' \
	    env X07_I_ACCEPT_WEAKER_ISOLATION=perhaps $run
	refuse_case 'X07_VM_ACCEL=warp' env X07_VM_ACCEL=warp $run
	refuse_case '-n is not possible' x07-vmrun -n -p policy.json -- touch rw/ran
	atf_check -s exit:127 -e match:"x07-fsgate: /nonexistent" \
	    x07-vmrun -p policy.json -- /nonexistent
	chmod 777 jobs
	refuse_case "$PWD/jobs must be .*nobody else can write to .X07_VM_STATE_DIR" $run
	chmod 755 jobs
	# As far as it comes when it takes the directories.
	run="x07-vmrun --image-digest sha256:$zeros -p policy.json -- touch rw/ran"
	mkdir -p above/below/jobs
	ln -s above/below link
	for dir in above/below/jobs above/below/new link/new; do
		chmod 777 above
		refuse_case "$PWD/above must be .*is below it .X07_VM_STATE_DIR" \
		    env "X07_VM_STATE_DIR=$PWD/$dir" $run
		refuse_case "$PWD/above must be .*is below it .X07_VM_CACHE_DIR" \
		    env "X07_VM_CACHE_DIR=$PWD/$dir" $run
		[ ! -e above/below/new ] || atf_fail "made below a foreign directory"
		chmod 755 above
		refuse_case 'the guest image is sha256:' env "X07_VM_STATE_DIR=$PWD/$dir" $run
		chmod 1777 above
		refuse_case 'the guest image is sha256:' env "X07_VM_STATE_DIR=$PWD/$dir" $run
		rm -rf above/below/new
	done
	chmod 755 above
	if [ "$(id -u)" -eq 0 ]; then
		chown "$TEST_USER" above
		refuse_case "$PWD/above must be .*yours or root's" \
		    env "X07_VM_STATE_DIR=$PWD/above/below/jobs" $run
		chown root above
		refuse_case 'the guest image is sha256:' \
		    env "X07_VM_STATE_DIR=$PWD/above/below/jobs" $run
	fi
	[ ! -e rw/ran ] || atf_fail "something was run"
}

atf_test_case image
image_head()
{
	atf_set descr "an image has the same bytes each time, and runs by its digest"
	atf_set timeout 1200
}
image_body()
{
	prepare
	atf_check -o save:one x07-vmrun image -o a
	atf_check -o save:two x07-vmrun image -o b
	[ "$(head -n 1 one)" = "$(head -n 1 two)" ] || fail_with failed one two
	atf_check cmp a/initramfs b/initramfs
	atf_check -s exit:125 -e match:"a exists" x07-vmrun image -o a
	# Whatever ends it leaves nothing half made.
	atf_check -s exit:125 -e match:"guest image: [a-z]*: File too large" prlimit \
	    --fsize=100000 env --ignore-signal=XFSZ x07-vmrun image -o third
	[ -z "$(find . -name "third*")" ] || atf_fail "left: $(find . -name "third*")"
	cat >kill.py <<-'EOF'
	import glob, os, shutil, subprocess
	def seen():
	    return glob.glob("third.*")
	for _ in range(50):
	    # It may be done before it is looked at.
	    shutil.rmtree("third", ignore_errors=True)
	    p = subprocess.Popen(["x07-vmrun", "image", "-o", "third"], stdout=subprocess.DEVNULL)
	    while p.poll() is None and not seen():
	        pass
	    p.kill()
	    if p.wait() == -9 and not os.path.exists("third"):
	        print("killed")
	        break
	EOF
	atf_check -o inline:"killed\n" python3 kill.py
	# shellcheck disable=SC2016 # for the sh inside
	wait_for 10 sh -c '[ -z "$(find . -name "third*")" ]'
	atf_check -o inline:"ran\n" timeout "$BOOT" x07-vmrun --image a \
	    --image-digest "$(head -n 1 one)" -p policy.json -- /bin/echo ran
	# One byte of the kernel's command line is another image.
	sed -i 's/quiet/Quiet/' a/cmdline
	atf_check -s exit:125 -e match:"the guest image is sha256:" x07-vmrun \
	    --image a --image-digest "$(head -n 1 one)" -p policy.json -- /bin/echo ran
	# A guest that panics: no init in it.
	head -c 512 /dev/zero >b/initramfs
	timeout "$BOOT" x07-vmrun --image b -p policy.json -- /bin/echo ran >out 2>err
	[ $? -eq 125 ] || fail_with failed out err
	atf_check -o match:"before the program was started: .*Kernel panic" cat err
	[ ! -s out ] || fail_with failed out
	# QEMU tells what it minds; the server of files, that the machine is gone.
	head -c 5000 /dev/zero >b/kernel
	timeout "$BOOT" x07-vmrun --image b -p policy.json -- /bin/echo ran >out 2>err
	[ $? -eq 125 ] || fail_with failed out err
	atf_check -o match:"before the program was started: .*kernel" cat err
	check_nothing_left
}

atf_test_case cut
cut_head()
{
	atf_set descr "driver or emulator killed: the run fails, nothing is left"
	atf_set timeout 1200
}
# started: the pid of the program's x07-vmrun in $run_pid, once the program runs.
start_waiting()
{
	rm -f rw/ready
	x07-vmrun -p "$1" -- /bin/sh -c 'echo ready >rw/ready; sleep 600' \
	    >out 2>err &
	run_pid=$!
	wait_for "$BOOT" test -s rw/ready
}
cut_body()
{
	prepare
	start_waiting policy.json
	kill -KILL "$(pgrep -P "$run_pid" -f vm-qemu)"
	wait "$run_pid"
	status=$?
	[ "$status" -eq 125 ] || fail_with "exit $status" err
	atf_check -o match:"the driver vm-qemu was killed by signal 9" cat err
	check_nothing_left

	start_waiting policy.json
	kill -KILL "$(of_job 'qemu-system-.*')"
	wait "$run_pid"
	status=$?
	[ "$status" -eq 125 ] || fail_with "exit $status" err
	atf_check -o match:"the machine was killed by signal 9" cat err
	check_nothing_left
}

atf_test_case slow_reader
slow_reader_head()
{
	atf_set descr "what the program wrote arrives, however late it is read"
	atf_set timeout 1200
}
# stall WORDS COMMAND...: while the command runs the driver of a program, which ends with
# these words, has no processor; then it goes on.
stall()
{
	x07-vmrun -p policy.json -- /bin/sh -c "echo first; sleep 1; echo last; $1" \
	    >out 2>err &
	shift
	run_pid=$!
	wait_for "$BOOT" grep -q first out
	driver=$(pgrep -P "$run_pid" -f vm-qemu)
	kill -STOP "$driver"
	"$@"
	# x07-vmrun stops when its driver does.
	kill -CONT "$driver" "$run_pid"
	wait "$run_pid"
	status=$?
}
end_machine()
{
	sleep 5
	kill -KILL "$(of_job 'qemu-system-.*')"
}
slow_reader_body()
{
	prepare
	{
		x07-vmrun -p policy.json -- /usr/bin/head -c 1500000 /dev/zero 2>err
		echo $? >status
	} | (
		sleep 12	# longer than the guest waits for whoever lingers
		wc -c
	) >out
	[ "$(cat status out | xargs)" = "0 1500000" ] || fail_with "lost" status out err

	stall true sleep 5
	[ "$status" -eq 0 ] || fail_with "exit $status" out err
	atf_check -o inline:"first\nlast\n" cat out
	# Also where the machine is gone by then.
	stall 'sleep 600' end_machine
	[ "$status" -eq 125 ] || fail_with "exit $status" out err
	atf_check -o inline:"first\nlast\n" cat out
	atf_check -o match:"the machine was killed by signal 9" cat err
	check_nothing_left
}

atf_test_case files_cut
files_cut_head()
{
	atf_set descr "the server of files killed: the run fails at once, nothing is left"
	atf_set timeout 1200
}
files_cut_body()
{
	prepare
	start_waiting policy.json
	kill -KILL "$(of_job virtiofsd)"
	wait "$run_pid"
	status=$?
	[ "$status" -eq 125 ] || fail_with "exit $status" err
	atf_check -o match:"the server of files was killed under the program" cat err
	check_nothing_left
}

atf_test_case relay_cut
relay_cut_head()
{
	atf_set descr "the relay of the network killed: nothing is reached any more, the program goes on"
	atf_set timeout 1200
}
relay_cut_body()
{
	prepare
	mkdir www
	echo served >www/index.html
	http_server 127.0.0.1 www
	policy net.json net.enabled=true net.allow_tcp=true \
	    "net.allow_hosts=[{\"host\":\"127.0.0.1\",\"ports\":[$SERVER_PORT]}]"
	cat >n.sh <<'END'
curl -sS --max-time 60 "http://127.0.0.1:$1/"
echo ready >rw/ready
until [ -e rw/go ]; do sleep 0.2; done
curl -sS --max-time 20 "http://127.0.0.1:$1/" || echo lost
exit 5
END
	x07-vmrun -p net.json -- /bin/sh n.sh "$SERVER_PORT" >out 2>err &
	run_pid=$!
	wait_for "$BOOT" test -s rw/ready
	kill -KILL "$(of_job netmux)"
	touch rw/go
	wait "$run_pid"
	status=$?
	[ "$status" -eq 5 ] || fail_with "exit $status" out err
	atf_check -o inline:"served\nlost\n" cat out
	check_nothing_left
	stop_servers
}
relay_cut_cleanup() { stop_servers; }

atf_test_case hung
hung_head()
{
	atf_set descr "a machine that answers nothing is ended at the deadline by the host"
	atf_set timeout 600
}
# ran_or_over: the program runs, or the driver has ended.
ran_or_over()
{
	[ -s rw/ready ] || ! kill -0 "$driver" 2>/dev/null
}
hung_body()
{
	prepare
	libexec=$(dirname "$(command -v x07-vmrun)")/../libexec/x07
	image=$(x07-vmrun image | tail -n 1)
	mkdir -p job/in job/out
	x07-fsgate -q -p policy.json --list -- /bin/sh >view
	printf 'PATH=/usr/bin:/bin\0' >vars
	x07-policy seal -f 3 policy.json -- "$libexec/vm-qemu" run --id hung \
	    --dir "$PWD/job" --deadline "$(($(date +%s) + 20))000" --image "$image" \
	    --policy-fd 3 --view-fd 4 --env-fd 5 --gate x07-fsgate --cwd "$PWD" -- \
	    /bin/sh -c 'echo ready >rw/ready; sleep 600' >out 2>err 4<view 5<vars &
	driver=$!
	wait_for "$BOOT" ran_or_over
	qemu=$(of_job 'qemu-system-.*')
	[ -z "$qemu" ] || kill -STOP "$qemu"
	wait "$driver"
	status=$?
	[ "$status" -eq 124 ] || fail_with "exit $status" err
	atf_check -o match:"time limit" cat err
	[ -z "$qemu" ] || wait_for 60 sh -c "! kill -0 $qemu 2>/dev/null"

	# Once the program runs it has the policy's time, not what was left for the start.
	policy wall.json limits.wall_ms=10000
	start_waiting wall.json
	qemu=$(of_job 'qemu-system-.*')
	ready=$(date +%s)
	[ -z "$qemu" ] || kill -STOP "$qemu"
	wait "$run_pid"
	status=$?
	[ "$status" -eq 124 ] || fail_with "exit $status" err
	[ "$(($(date +%s) - ready))" -lt 90 ] || atf_fail "ended after the time for a start"
	[ "$(grep -c 'time limit' err)" -eq 1 ] || fail_with "not one line" err
	check_nothing_left
}

atf_test_case processors
processors_head()
{
	atf_set descr "processors are as many as the policy has workers, and this machine has"
	atf_set timeout 1200
}
processors_body()
{
	prepare
	[ "$(nproc)" -gt 1 ] || atf_skip "this machine has one processor"
	policy one.json threads.enabled=true threads.max_workers=1
	vmrun one.json /usr/bin/nproc >out 2>err
	atf_check -o inline:"1\n" cat out
	policy two.json threads.enabled=true threads.max_workers=2
	vmrun two.json /usr/bin/nproc >out 2>err
	atf_check -o inline:"2\n" cat out
}

atf_test_case full
full_head()
{
	atf_set descr "no room for the job or the image: refused, nothing half-made"
	atf_set require.user root
	atf_set timeout 900
}
full_body()
{
	prepare
	atf_check -o ignore x07-vmrun image
	mkdir full
	atf_check unshare -m sh -c '
		mount -t tmpfs -o size=16k,nr_inodes=4 tmpfs full &&
		mkdir full/jobs && : >full/a && : >full/b &&
		X07_VM_STATE_DIR=$PWD/full/jobs x07-vmrun -p policy.json -- touch rw/ran \
		    2>err
		[ $? -eq 125 ] && grep -q "No space left on device" err &&
		[ -z "$(ls full/jobs)" ] &&
		rm full/a full/b && mount -o remount,size=1m,nr_inodes=100 full &&
		X07_VM_CACHE_DIR=$PWD/full/cache x07-vmrun image 2>err
		[ $? -eq 125 ] && grep -q "No space left on device" err &&
		[ -z "$(ls full/cache)" ]'
	[ ! -e rw/ran ] || atf_fail "something was run"
	# Where no file may be large it is told which cannot be.
	for limit in 10 2000000; do
		(ulimit -f $limit && exec timeout "$BOOT" x07-vmrun -p policy.json -- \
		    touch rw/ran) >out 2>err
		echo $? >>statuses
	done
	atf_check -o inline:"125\n0\n" cat statuses
	rm rw/ran
	(ulimit -f 10 && exec x07-vmrun -p policy.json -- touch rw/ran) >out 2>err
	atf_check -o match:"^vm-qemu: .*: File too large$" cat err
	# A guest that cannot be kept runs all the same.
	atf_check -o inline:"ran\n" -e match:"could not be kept" unshare -m sh -c '
		mount -t tmpfs -o size=40m tmpfs full &&
		X07_VM_CACHE_DIR=$PWD/full/cache timeout 300 x07-vmrun -v --snapshot \
		    -p policy.json -- /bin/echo ran &&
		! ls full/cache | grep snap'
}

atf_test_case killed
killed_head()
{
	atf_set descr "x07-vmrun killed at 150 random points: nothing is left"
	atf_set timeout 1800
}
killed_body()
{
	prepare
	atf_check -o ignore x07-vmrun image
	for i in $(seq 150); do
		x07-vmrun -p policy.json -- /bin/echo hello >out 2>err &
		pid=$!
		# Most points lie in the beginning, where most is going on.
		sleep "$(awk -v s="$i$$" 'BEGIN { srand(s); r = rand(); p = rand();
		    print (p < .7 ? r * 0.02 : p < .9 ? r * 0.3 : r * 3) }')"
		kill -KILL "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
		# Each time: the next run would sweep what is left.
		check_nothing_left
	done
	# And the next run finds its way.
	vmrun policy.json /bin/echo hello >out 2>err
	atf_check -o inline:"hello\n" cat out
	check_nothing_left
}

atf_test_case default
default_head()
{
	atf_set descr "x07 run --profile sandbox runs in a machine"
	atf_set timeout 1200
}
default_body()
{
	prepare
	printf '#!/bin/sh\nuname -r; exit 5\n' >app
	chmod 755 app
	timeout "$BOOT" x07 run --profile sandbox --policy policy.json -q -- ./app \
	    >out 2>err
	status=$?
	[ "$status" -eq 5 ] || fail_with "exit $status" err
	[ "$(cat out)" != "$(uname -r)" ] || atf_fail "no kernel of its own"
}

atf_test_case completions
completions_head()
{
	atf_set descr "bash, zsh and fish complete the options of the page"
}
completions_body()
{
	completions_hold x07-vmrun
	mkdir directory
	atf_check -o inline:'directory\n' bash ask.bash image -o dir
	atf_check -o inline:'-h\n' bash ask.bash image -o directory -h
	atf_check -o match:'^image$' bash ask.bash im
}

atf_init_test_cases()
{
	atf_add_test_case program
	atf_add_test_case groups
	atf_add_test_case files
	atf_add_test_case blk
	atf_add_test_case gates
	atf_add_test_case signals
	atf_add_test_case network
	atf_add_test_case service
	atf_add_test_case datagrams
	atf_add_test_case host_decides
	atf_add_test_case unread
	atf_add_test_case missing
	atf_add_test_case flood
	atf_add_test_case bounds
	atf_add_test_case labels
	atf_add_test_case usage
	atf_add_test_case snapshot
	atf_add_test_case damaged
	atf_add_test_case prune
	atf_add_test_case terminal
	atf_add_test_case refused
	atf_add_test_case image
	atf_add_test_case cut
	atf_add_test_case slow_reader
	atf_add_test_case files_cut
	atf_add_test_case relay_cut
	atf_add_test_case hung
	atf_add_test_case processors
	atf_add_test_case full
	atf_add_test_case killed
	atf_add_test_case default
	atf_add_test_case completions
}
