#!/usr/bin/env atf-sh
# The drivers of container runtimes: against programs that record what they are asked
# for and fail as told, and against real podman and containerd where they run.

. "$X07_TESTS/lib.sh"

PATH=$PATH:/usr/bin:/bin
ALL="docker podman apple-container firecracker-ctr"
A=sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
B=sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb

libexec()
{
	_bin=$(dirname "$(command -v x07-limit)")
	echo "${_bin%/bin}/libexec/x07"
}

# fakes: a fresh directory of runtimes that only record, and one of a job. All of
# them know image img:1, which is $A.
fakes()
{
	FAKE=$PWD/fake
	export FAKE
	rm -rf "$FAKE" job
	mkdir -p "$FAKE/bin" job/in job/out
	for _p in docker podman container firecracker-ctr; do
		cp "$X07_TESTS/libexec/vm-ctr_fake.sh" "$FAKE/bin/$_p"
		chmod 755 "$FAKE/bin/$_p"
	done
	printf 'echo %s\n' "'[\"img@$A\"] ${B#*:}'" >"$FAKE/inspect"
	echo 'echo "[\"cpu\",\"memory\",\"pids\"]"' >"$FAKE/controllers"
	printf 'form\n' >policy
	printf 'empty /nothing\n' >view
	printf 'SECRET=1\0' >variables
	chmod -R a+rwX "$FAKE" job policy view variables
	chmod 755 .
	[ -z "$AS" ] || chown -R "$TEST_USER" job
}

# with NAME VERB...: the driver, with the fakes in its way.
with()
{
	_name=$1
	shift
	$AS env PATH="${ONLY:-$FAKE/bin:$PATH}" FAKE="$FAKE" $SET \
	    "$(libexec)/vm-$_name" "$@"
}

deadline()
{
	echo $(($(date +%s) * 1000 + ${1:-60000}))
}

# drive NAME STATUS OPTION... -- PROGRAM...: run, output in out and err.
drive()
{
	_name=$1 _want=$2 _got=0
	shift 2
	with "$_name" run --id t1 --dir "$PWD/job" --deadline "${WHEN:-$(deadline)}" \
	    --policy-fd 3 --view-fd 4 --env-fd 5 --image "${IMAGE:-img:1}" \
	    "$@" 3<policy 4<view 5<variables >out 2>err </dev/null || _got=$?
	[ "$_got" -eq "$_want" ] ||
	    atf_fail "vm-$_name: $_got, not $_want: $(cat out err | tr "\n" " ")"
}

# verb STATUS NAME VERB...: any other verb, output in out and err.
verb()
{
	_want=$1 _got=0
	shift
	with "$@" >out 2>err </dev/null || _got=$?
	[ "$_got" -eq "$_want" ] || atf_fail "vm-$*: $_got, not $_want: $(cat out err | tr "\n" " ")"
}

# says TEXT: one line on standard error, and with that in it.
says()
{
	grep -Fq -e "$1" err || atf_fail "no '$1' in: $(cat err)"
	[ "$(wc -l <err)" -eq 1 ] || atf_fail "more than one line: $(cat err)"
}

asked()
{
	grep -q -e "$1" "$FAKE/calls" || atf_fail "no call '$1': $(cat "$FAKE/calls")"
}

not_asked()
{
	[ ! -e "$FAKE/calls" ] || ! grep -q -e "$1" "$FAKE/calls" ||
	    atf_fail "a call '$1': $(cat "$FAKE/calls")"
}

# words KIND: what that call was, one word a line, what differs between machines
# replaced.
words()
{
	sed -e "s|$PWD|@PWD@|g" -e "s|$(realpath .)|@PWD@|g" \
	    -e "s|=$(realpath "$(libexec)")/|=@LIBEXEC@/|g" \
	    -e "s|^$($AS id -u):$($AS id -g)\$|@USER@|" -e '/^--timeout$/{n;s/[0-9]*/@S@/;}' \
	    -e '/^--cap-add=SETFCAP$/d' -e '/^--userns=keep-id$/d' "$FAKE/words.$1"
}

LIMITS="--weaker --memory 5000001 --cpus 2 --label io.x07.schema=1 --label io.x07.run_id=t1"

MOUNTS='type=bind,source=@PWD@/job/in,target=/x07/in,readonly
--mount
type=bind,source=@PWD@/job/out,target=/x07/out
--mount
type=bind,source=@LIBEXEC@/guestrun,target=/x07/bin/guestrun,readonly'

atf_test_case words_of_docker
words_of_docker_body()
{
	both docker_words
}
docker_words()
{
	fakes
	drive docker 0 $LIMITS -- true
	cat >expected <<-EOF
	run
	--rm
	--name
	x07-t1
	-i
	--label
	io.x07.schema=1
	--label
	io.x07.run_id=t1
	--memory
	5m
	--cpus
	2
	--network
	none
	--workdir
	/
	--pull
	never
	--log-driver
	none
	--read-only
	--tmpfs
	/tmp
	--tmpfs
	/run
	--cap-drop
	ALL
	--security-opt
	no-new-privileges
	--security-opt
	seccomp=unconfined
	--security-opt
	apparmor=unconfined
	--security-opt
	systempaths=unconfined
	--pids-limit
	4096
	--user
	@USER@
	--mount
	$MOUNTS
	--entrypoint
	/x07/bin/guestrun
	img@$A
	/x07/in
	EOF
	words run >got
	atf_check diff -u expected got
	# What belongs to root alone, and what to users alone.
	if as_root; then
		grep -qx -e --cap-add=SETFCAP "$FAKE/words.run" || atf_fail "SETFCAP"
	else
		! grep -q -e SETFCAP "$FAKE/words.run" || atf_fail "SETFCAP"
	fi
	# The environment is in a file of the container's, never in words for ps(1).
	! grep -q SECRET "$FAKE/calls" || atf_fail "the environment is in the words"
	grep -q SECRET=1 job/in/request || atf_fail "no environment"
	grep -qx form job/in/policy || atf_fail "no policy"
}

atf_test_case words_of_podman
words_of_podman_body()
{
	both podman_words
}
podman_words()
{
	fakes
	drive podman 0 $LIMITS --tty -- true
	cat >expected <<-EOF
	run
	--rm
	--name
	x07-t1
	-i
	-t
	--label
	io.x07.schema=1
	--annotation
	io.x07.schema=1
	--label
	io.x07.run_id=t1
	--annotation
	io.x07.run_id=t1
	--memory
	5m
	--cpus
	2
	--network
	none
	--workdir
	/
	--pull
	never
	--log-driver
	none
	--read-only
	--read-only-tmpfs=true
	--http-proxy=false
	--timeout
	@S@
	--cap-drop
	ALL
	--security-opt
	no-new-privileges
	--security-opt
	unmask=ALL
	--pids-limit=4096
	--user
	@USER@
	--mount
	$MOUNTS
	--entrypoint
	/x07/bin/guestrun
	img@$A
	/x07/in
	EOF
	words run >got
	atf_check diff -u expected got
	if as_root; then
		! grep -q -e keep-id "$FAKE/words.run" || atf_fail "keep-id"
	else
		grep -qx -e --userns=keep-id "$FAKE/words.run" || atf_fail "keep-id"
	fi
	# A podman that can not limit memory is not asked to, and that is told.
	fakes
	echo 'echo "[\"cpuset\",\"pids\"]"' >"$FAKE/controllers"
	drive podman 0 $LIMITS -- true
	says "x07-limit in the container alone"
	! grep -q -e '^--memory' -e '^--cpus' "$FAKE/words.run" || atf_fail "limits"
	grep -qx -e --pids-limit=4096 "$FAKE/words.run" || atf_fail "pids"
}

atf_test_case words_of_apple_container
words_of_apple_container_body()
{
	both apple_words
}
apple_words()
{
	each apple-container
	drive apple-container 0 $LIMITS -- true
	cat >expected <<-EOF
	run
	--name
	x07-t1
	--rm
	-i
	--label
	io.x07.schema=1
	--label
	io.x07.run_id=t1
	--memory
	5000001
	--cpus
	2
	--network
	none
	--workdir
	/
	--mount
	$MOUNTS
	--entrypoint
	/x07/bin/guestrun
	img@$A
	/x07/in
	EOF
	words run >got
	atf_check diff -u expected got
}

atf_test_case words_of_firecracker_ctr
words_of_firecracker_ctr_body()
{
	both firecracker_words
}
firecracker_words()
{
	each firecracker-ctr
	drive firecracker-ctr 0 $LIMITS -- true
	cat >expected <<-EOF
	--address
	/run/firecracker-containerd/containerd.sock
	--namespace
	x07
	run
	--rm
	--runtime
	aws.firecracker
	--snapshotter
	devmapper
	--label
	io.x07.schema=1
	--annotation
	io.x07.schema=1
	--label
	io.x07.run_id=t1
	--annotation
	io.x07.run_id=t1
	--memory-limit
	5000001
	--cpus
	2
	--cwd
	/
	--read-only
	--cap-add
	CAP_SYS_ADMIN
	--pid-file
	@PWD@/job/started
	--mount
	type=bind,src=@PWD@/job/in,dst=/x07/in,options=rbind:ro
	--mount
	type=bind,src=@PWD@/job/out,dst=/x07/out,options=rbind
	--mount
	type=bind,src=@LIBEXEC@/guestrun,dst=/x07/bin/guestrun,options=rbind:ro
	img@$A
	x07-t1
	/x07/bin/guestrun
	/x07/in
	EOF
	words run | sed 's|src=@LIBEXEC@|src=@LIBEXEC@|' >got
	sed -i "s|src=$(realpath "$(libexec)")/|src=@LIBEXEC@/|" got
	atf_check diff -u expected got
	# The variables of the reference.
	each firecracker-ctr
	cp "$FAKE/bin/firecracker-ctr" "$FAKE/bin/myctr"
	SET="X07_VM_FIRECRACKER_CTR_BIN=myctr X07_VM_FIRECRACKER_CONTAINERD_SOCK=/s
	    X07_VM_FIRECRACKER_SNAPSHOTTER=native X07_VM_CONTAINERD_NAMESPACE=n"
	drive firecracker-ctr 0 $LIMITS -- true
	unset SET
	asked '^run --address /s --namespace n run --rm .*--snapshotter native'
}

atf_test_case network
network_body()
{
	both check_network
}
check_network()
{
	# A socket of the job's directory is shown; to connect one need not write there.
	for n in docker podman; do
		each $n
		mkdir job/net
		drive $n 0 --weaker -- true
		asked "^run .* --network none --sysctl=net.ipv4.ip_unprivileged_port_start=0 "
		asked "^run .* type=bind,source=$PWD/job/net,target=/x07/net,readonly "
		asked "^run .*/netmux,target=/x07/bin/netmux,readonly "
		tr '\0' '\n' <job/in/request | grep -qx net=1 || atf_fail "request"
	done
	# Else the streams of a second program are the channel.
	for n in apple-container firecracker-ctr; do
		carries $n
		echo "read -r l; echo \"\$l, too\"; : >$FAKE/done" >>"$FAKE/exec"
		channel $n 0
		atf_check -o inline:'hello\nhello, too\n' cat channel
		atf_check cat err
		! grep -q /x07/net, "$FAKE/words.run" || atf_fail "a socket"
		asked "^run .*/netmux.*/x07/bin/netmux"
		tr '\0' '\n' <job/in/request | grep -qx net=1 || atf_fail "request"
		# One that comes too early is tried again, without a word.
		carries $n
		cat >"$FAKE/exec" <<-EOF
		[ -e $FAKE/early ] || { : >$FAKE/early; echo 'not yet' >&2; exit 1; }
		echo 'netmux: listening' >&2
		: >$FAKE/done
		EOF
		channel $n 0
		atf_check cat err
		# One that cannot be: the container does not wait for ever.
		carries $n
		echo 'echo "no such program" >&2; exit 126' >"$FAKE/exec"
		channel $n 125
		says "cannot start netmux in the container: no such program"
		asked '^hard '
		asked '^remove '
		# What netmux itself says is told, the runtime's word of its end not.
		carries $n
		echo "echo 'netmux: nonsense' >&2; echo 'ttrpc: closed' >&2
		    (sleep 1; : >$FAKE/done) </dev/null >/dev/null 2>&1 &
		    exit 125" >>"$FAKE/exec"
		channel $n 0
		says "netmux: nonsense"
		# Without hosts there is no such program.
		each $n
		drive $n 0 --weaker -- true
		not_asked '^exec '
		not_asked netmux
	done
	# The runtime's program is killed: netmux hears of it, or the program ends.
	carries firecracker-ctr
	echo "kill -9 \$\$" >>"$FAKE/exec"
	echo ": >$FAKE/done" >"$FAKE/unexec"
	channel firecracker-ctr 0
	says "killed by signal 9; the program goes on without"
	carries apple-container
	echo "kill -9 \$\$" >>"$FAKE/exec"
	echo 'until [ -e "$FAKE/words.hard" ]; do sleep 0.1; done' >>"$FAKE/run"
	channel apple-container 125
	says "killed by signal 9; the program is ended"
}
# carries NAME: fakes whose container runs until $FAKE/done, and whose second program
# says that it listens.
carries()
{
	each "$1"
	echo "echo 'netmux: listening' >&2" >"$FAKE/exec"
	# shellcheck disable=SC2016 # for the fake
	echo 'until [ -e "$FAKE/done" ] || [ -e "$FAKE/words.hard" ]; do sleep 0.1; done' \
	    >>"$FAKE/run"
	echo hello >channel
	chmod a+rw channel
}
# channel NAME STATUS: drive, with that file for the channel.
channel()
{
	drive "$1" "$2" --weaker --net-fd 6 -- true 6<>channel
}

atf_test_case words_of_exec
words_of_exec_body()
{
	both check_exec_words
}
check_exec_words()
{
	T='--address /run/firecracker-containerd/containerd.sock --namespace x07'
	carries firecracker-ctr
	echo "kill -9 \$\$" >>"$FAKE/exec"
	echo ": >$FAKE/done" >"$FAKE/unexec"
	channel firecracker-ctr 0
	asked "^exec $T tasks exec --exec-id x07-net x07-t1 /x07/bin/netmux guest -\$"
	asked "^unexec $T --timeout 2s tasks kill --exec-id x07-net --signal SIGKILL x07-t1\$"
	carries apple-container
	echo ": >$FAKE/done" >>"$FAKE/exec"
	channel apple-container 0
	asked "^exec exec -i x07-t1 /x07/bin/netmux guest -\$"
}

atf_test_case hostile cleanup
hostile_head()
{
	atf_set descr "a container that was taken over reaches no more than the list"
	atf_set timeout 600
}
hostile_body()
{
	mkdir -p www
	echo served >www/index.html
	http_server 127.0.0.1 www
	both check_hostile
}
hostile_cleanup()
{
	stop_servers
}
# Its runtime is the attacker, with the socket that the container would have.
check_hostile()
{
	fakes
	rm -rf jobs
	mkdir jobs
	[ -z "$AS" ] || chown "$TEST_USER" jobs
	x07-policy init --template cli --emit policy >base.json
	jq ".net.enabled = true | .net.allow_tcp = true | .net.allow_dns = true |
	    .net.allow_hosts = [{\"host\": \"127.0.0.1\", \"ports\": [$SERVER_PORT]}]" \
	    base.json >net.json
	cat >"$FAKE/attack.py" <<'END'
import errno, socket, struct, sys
port = int(sys.argv[1])
place = [a for a in sys.argv if a.endswith(",target=/x07/net,readonly")][0]
path = place[len("type=bind,source="):].split(",")[0] + "/channel"
STREAM, DATAGRAMS, BIND = range(3)
OPEN, OPENED, DATA, EOF, RESET, CREDIT, LISTEN = range(1, 8)
def channel():
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    return s
def frame(s, number, kind, data):
    s.sendall(struct.pack("=IHH", number, kind, len(data)) + data)
def where(address, port, kind=STREAM):
    return struct.pack("=BBH16s", kind, 0, port, socket.inet_aton(address))
def read(s):
    number, kind, size = struct.unpack("=IHH", s.recv(8, socket.MSG_WAITALL))
    return number, kind, s.recv(size, socket.MSG_WAITALL) if size else b""
def opened(s, number, *what):
    frame(s, number, OPEN, where(*what))
    while True:
        got = read(s)
        if got[:2] == (number, OPENED):
            return errno.errorcode.get(struct.unpack("=i", got[2])[0], "ok")
def stream(s, number):
    data = b""
    while True:
        got = read(s)
        if got[0] == number and got[1] == DATA:
            data += got[2]
        elif got[0] == number and got[1] in (EOF, RESET):
            return data
s = channel()
print("listed", opened(s, 2, "127.0.0.1", port))
frame(s, 2, DATA, b"GET / HTTP/1.0\r\n\r\n")
print(stream(s, 2).split(b"\r\n\r\n")[1].decode().strip())
for address, p in (("127.0.0.1", 1), ("127.0.0.1", 22), ("10.1.2.3", port),
    ("169.254.169.254", 80), ("0.0.0.0", port + 1)):
    print(address, opened(s, 4, address, p))
# To listen where the policy does not: not even asked outside.
probe = socket.socket()
probe.bind(("127.0.0.1", 0))
free = probe.getsockname()[1]
probe.close()
frame(s, 0, LISTEN, where("127.0.0.1", free))
frame(s, 0, LISTEN, where("0.0.0.0", free))
print("again", opened(s, 6, "127.0.0.1", 1))
print("outside", errno.errorcode[socket.socket().connect_ex(("127.0.0.1", free))])
# A name that is not listed: REFUSED, which is 5.
print("resolver", opened(s, 8, "127.0.0.1", 53))
query = struct.pack("!6H", 7, 0x100, 1, 0, 0, 0) + b"\5other\7example\0\0\1\0\1"
frame(s, 8, DATA, struct.pack("!H", len(query)) + query)
frame(s, 8, EOF, b"")
print("rcode", stream(s, 8)[5] & 15)
# Many at once, none of them listed.
print("many", {opened(s, 100 + 2 * i, "10.9.8.7", i + 1) for i in range(50)})
print("still", opened(s, 1000, "127.0.0.1", port))
# A second channel there is not.
def second():
    try:
        channel()
        return "connected"
    except OSError as e:
        return errno.errorcode[e.errno]
print("second", second())
# What belongs to no stream is taken for one that has ended; the rest is hung up on.
frame(s, 0xffffffff, 0xffff, b"\377" * 65535)
print("after garbage", opened(s, 1002, "127.0.0.1", port), opened(s, 1004, "127.0.0.1", 1))
frame(s, 1006, OPEN, b"short")
try:
    while s.recv(4096):
        pass
except ConnectionError:
    pass
print("nonsense", second())
END
	chmod a+r "$FAKE/attack.py" net.json
	echo "python3 $FAKE/attack.py $SERVER_PORT \"\$@\"" >"$FAKE/run"
	cat >expected <<-EOF
	listed ok
	served
	127.0.0.1 ECONNREFUSED
	127.0.0.1 ECONNREFUSED
	10.1.2.3 ECONNREFUSED
	169.254.169.254 ECONNREFUSED
	0.0.0.0 ECONNREFUSED
	again ECONNREFUSED
	outside ECONNREFUSED
	resolver ok
	rcode 5
	many {'ECONNREFUSED'}
	still ok
	second ECONNREFUSED
	after garbage ok ECONNREFUSED
	nonsense ECONNREFUSED
	EOF
	firm_work_dir
	_got=0
	$AS env PATH="$FAKE/bin:$PATH" FAKE="$FAKE" X07_VM_STATE_DIR="$PWD/jobs" \
	    timeout 120 x07-vmrun -b podman --i-accept-weaker-isolation -p net.json \
	    --image img:1 -- true >out 2>err </dev/null || _got=$?
	[ $_got -eq 0 ] || atf_fail "$_got: $(cat out err)"
	atf_check diff -u expected out
	for line in '^x07-netgate: deny connect 127.0.0.1:1 ' \
	    '^x07-netgate: deny connect 169.254.169.254:80 .*--allow-host 169.254.169.254:80' \
	    '^x07-netgate: deny resolve other.example ' \
	    '^netmux: the other side of the byte channel speaks nonsense' \
	    '^x07-vmrun: the way to the network is cut: the relay ended with status 125'; do
		grep -q "$line" err || atf_fail "no '$line' in: $(cat err)"
	done
	[ -z "$(ls jobs)" ] || atf_fail "left: $(ls jobs)"
}

# started: the fake ctr's container starts.
started()
{
	echo 'while [ $# -gt 0 ]; do [ "$1" != --pid-file ] || echo 1 >"$2"; shift; done' \
	    >"$FAKE/run"
}

# each NAME: fakes that suit the driver.
each()
{
	fakes
	case $1 in
	firecracker-ctr)
		started
		echo "echo 'REF TYPE DIGEST'; echo 'img:1 t/t $A 1.0 MiB'" \
		    >"$FAKE/inspect" ;;
	apple-container)
		echo "echo '[{\"descriptor\":{\"digest\":\"$A\"}}]'" \
		    >"$FAKE/inspect" ;;
	esac
}

atf_test_case mounts
mounts_body()
{
	both check_mounts
}
check_mounts()
{
	for n in $ALL; do
		each "$n"
		mkdir -p data written
		id=$(stat -c %d:%i data)
		printf 'read /data %s %s root\nread /usr /usr 1:1\nwrite /out %s %s root\n' \
		    "$PWD/data" "$id" "$PWD/written" "$(stat -c %d:%i written)" >view
		drive "$n" 0 --weaker -- true
		case $n in
		firecracker-ctr)
			grep -qx "type=bind,src=$PWD/data,dst=/data,options=rbind:ro" \
			    "$FAKE/words.run" || atf_fail "$(cat "$FAKE/words.run")"
			grep -qx "type=bind,src=$PWD/written,dst=/out,options=rbind" \
			    "$FAKE/words.run" || atf_fail "$(cat "$FAKE/words.run")" ;;
		*)
			grep -qx "type=bind,source=$PWD/data,target=/data,readonly" \
			    "$FAKE/words.run" || atf_fail "$(cat "$FAKE/words.run")"
			grep -qx "type=bind,source=$PWD/written,target=/out" \
			    "$FAKE/words.run" || atf_fail "$(cat "$FAKE/words.run")" ;;
		esac
		# What programs need to start is the image's.
		! grep -q /usr,t "$FAKE/words.run" || atf_fail "/usr of this machine"
		# What a --mount cannot carry is refused, not cut in two.
		for bad in 'a%2Cb' 'a%0Ab' 'a%0Db' 'a%7Fb'; do
			each "$n"
			real=$(printf '%b' "$(echo "$bad" | sed 's/%/\\x/')"x)
			mkdir -p "${real%x}"
			printf 'read /data %s/%s %s root\n' "$PWD" "$bad" \
			    "$(stat -c %d:%i "${real%x}")" >view
			drive "$n" 125 --weaker -- true
			says "cannot be mounted in a container"
			not_asked '^run '
		done
		# %00 is no path at all.
		printf 'read /data %s/a%%00b 1:1 root\n' "$PWD" >view
		drive "$n" 125 --weaker -- true
		# A source that is another one now.
		each "$n"
		printf 'read /data %s %s1 root\n' "$PWD/data" "$id" >view
		drive "$n" 125 --weaker -- true
		says "was replaced"
		not_asked '^run '
	done
}

atf_test_case digest
digest_body()
{
	both check_digest
}
check_digest()
{
	for n in $ALL; do
		each "$n"
		drive "$n" 0 --weaker --digest $A -- true
		asked "^run .*img@$A"
		# Never by the tag that was checked.
		! grep -qx img:1 "$FAKE/words.run" || atf_fail "run by its tag"
		# Another image than the one that is asked for.
		each "$n"
		drive "$n" 125 --weaker --digest "${A%a}0" -- true
		says "is asked for"
		not_asked '^run '
		# A reference that carries one: it counts, and must be the same.
		IMAGE=reg.example:5000/x/img:1@${A%a}0 drive "$n" 125 --weaker -- true
		says "is asked for"
		IMAGE=img@$A drive "$n" 125 --weaker --digest $B -- true
		says "is not $B"
		not_asked '^run '
		# There is none, and the command that gets it is told.
		each "$n"
		echo 'echo "Error: no such image" >&2; exit 1' >"$FAKE/inspect"
		drive "$n" 125 --weaker -- true
		says "no such image; get it first: "
		says "pull img:1"
		# Nonsense is none.
		for s in 'echo' 'head -c 100000 /dev/urandom' 'echo "[\"img@sha256:12\"]"' \
		    "echo '--privileged@$A'" "echo 'b@$A'; exit 1" 'kill -9 $$'; do
			each "$n"
			echo "$s" >"$FAKE/inspect"
			drive "$n" 125 --weaker -- true
			not_asked '^run '
		done
		# Words that are no reference at all.
		for ref in '--privileged' 'a b' 'a;b' '' '@' "$(printf 'a\nb')"; do
			each "$n"
			_got=0
			with "$n" run --id t1 --dir "$PWD/job" --deadline \
			    "$(deadline)" --policy-fd 3 --view-fd 4 --env-fd 5 \
			    --image "$ref" --weaker -- true 3<policy 4<view 5<variables \
			    >out 2>err </dev/null || _got=$?
			[ $_got -eq 125 ] || atf_fail "'$ref': $_got"
			[ ! -e "$FAKE/calls" ] || atf_fail "'$ref' was asked for"
		done
	done
	# Without a digest that names it, podman and docker run an image's own identity.
	for n in docker podman; do
		each $n
		drive $n 0 --weaker --digest $B -- true
		asked "^run .* $B /x07/in"
	done
	# ctr runs what has a name: the digest becomes one, and is looked at again.
	each firecracker-ctr
	cat >"$FAKE/inspect" <<-EOF
	case "\$*" in
	*@*) [ -e "$FAKE/tagged" ] && echo "img@$A t $A" ;;
	*) echo "img:1 t $A" ;;
	esac
	EOF
	echo ": >$FAKE/tagged" >"$FAKE/tag"
	drive firecracker-ctr 0 --digest $A -- true
	asked "^tag .* images tag img:1 img@$A"
	asked "^run .*img@$A"
	each firecracker-ctr
	cat >"$FAKE/inspect" <<-EOF
	case "\$*" in
	*@*) [ -e "$FAKE/tagged" ] && echo "img@$A t $B" ;;
	*) echo "img:1 t $A" ;;
	esac
	EOF
	echo ": >$FAKE/tagged" >"$FAKE/tag"
	drive firecracker-ctr 125 --digest $A -- true
	says "it is another one now"
	not_asked '^run '
}

atf_test_case acceptance
acceptance_body()
{
	both check_acceptance
}
check_acceptance()
{
	for n in docker podman; do
		each $n
		drive $n 125 -- true
		says "--i-accept-weaker-isolation"
		[ ! -e "$FAKE/calls" ] || atf_fail "asked: $(cat "$FAKE/calls")"
		drive $n 0 --weaker -- true
		asked '^run '
	done
	for n in apple-container firecracker-ctr; do
		each $n
		drive $n 0 -- true
		asked '^run '
	done
	# Firecracker's ctr with a runtime that is none.
	each firecracker-ctr
	SET=X07_VM_FIRECRACKER_RUNTIME=io.containerd.runc.v2
	drive firecracker-ctr 125 -- true
	says "--i-accept-weaker-isolation"
	not_asked .
	drive firecracker-ctr 0 --weaker -- true
	asked '^run .*--runtime io.containerd.runc.v2'
	unset SET
}

atf_test_case status
status_body()
{
	both check_status
}
check_status()
{
	for n in $ALL; do
		for s in 0 1 7 124 125 126 127 137 255; do
			each "$n"
			echo ">job/out/started; exit $s" >>"$FAKE/run"
			drive "$n" $s --weaker -- true
			# Whatever its end was, its remains are asked for.
			asked '^hard '
			asked '^remove '
		done
		# Killed: how the program ended is not known.
		each "$n"
		echo 'kill -9 $$' >>"$FAKE/run"
		drive "$n" 125 --weaker -- true
		says "was killed by signal 9"
		asked '^remove '
		# But by the signal for a program that had ended, whose output it wrote.
		each "$n"
		echo ': >job/out/started; kill -TERM $PPID; sleep 20' >>"$FAKE/run"
		drive "$n" 143 --weaker -- true
		asked '^remove '
		# Where no gate was run the status is the runtime's own.
		for s in 126 127; do
			each "$n"
			echo "exit $s" >>"$FAKE/run"
			drive "$n" 125 --weaker -- true
			says "could not start the container (status $s)"
			asked '^remove '
		done
		# podman exits 0 when it was sent a signal too early.
		each "$n"
		: >"$FAKE/unstarted"
		drive "$n" 125 --weaker -- true
		says "could not start the container"
		# Its streams are the program's.
		each "$n"
		echo 'echo to-out; echo to-err >&2' >>"$FAKE/run"
		drive "$n" 0 --weaker -- true
		atf_check -o inline:'to-out\n' cat out
		atf_check -o inline:'to-err\n' cat err
	done
	# ctr exits 1 also when it could start nothing.
	each firecracker-ctr
	echo 'exit 1' >"$FAKE/run"
	drive firecracker-ctr 125 -- true
	says "could not start"
	# No program of that name.
	for n in $ALL; do
		each "$n"
		rm "$FAKE"/bin/*
		ONLY=$FAKE/bin drive "$n" 125 --weaker -- true
		says "No such file"
	done
}

atf_test_case input
input_body()
{
	both check_input
}
check_input()
{
	for n in $ALL; do
		each "$n"
		echo 'cat' >>"$FAKE/run"
		head -c 300000 /dev/zero | tr '\0' x >in
		_got=0
		with "$n" run --id t1 --dir "$PWD/job" --deadline "$(deadline)" \
		    --policy-fd 3 --view-fd 4 --env-fd 5 --image img:1 --weaker \
		    -- true 3<policy 4<view 5<variables >out 2>err <in || _got=$?
		[ $_got -eq 0 ] || atf_fail "vm-$n: $_got: $(cat err)"
		atf_check cmp in out
	done
	# ctr must see no end before its container runs: this one waits for it.
	each firecracker-ctr
	cat >"$FAKE/run" <<-'EOF'
	(sleep 1; while [ $# -gt 0 ]; do [ "$1" != --pid-file ] || echo 1 >"$2"; shift; done) &
	timeout 30 cat >/dev/null && [ -e job/started ] && exit 5
	exit 6
	EOF
	drive firecracker-ctr 5 -- true
}

atf_test_case slow
slow_head()
{
	atf_set timeout 900
}
slow_body()
{
	AS=$AS_USER check_slow
}
check_slow()
{
	for n in $ALL; do
		# Who does not answer is not waited for.
		for kind in inspect probe list; do
			each "$n"
			echo "echo \$\$ >$FAKE/pid; exec sleep 1000" >"$FAKE/$kind"
			case $kind in
			inspect) drive "$n" 125 --weaker -- true ;;
			probe)
				SET=X07_VM_FIRECRACKER_RUNTIME=x verb 1 "$n" probe
				says 'within 2 s'
				continue ;;
			list)
				verb 1 "$n" sweep
				says 'within 2 s'
				continue ;;
			esac
			says "it does not answer within 2 s"
			! $AS kill -0 "$(cat "$FAKE/pid")" 2>/dev/null ||
			    atf_fail "it is still there"
		done
		# A removal that hangs is a failure, in kill and at the end of run.
		each "$n"
		echo 'exec sleep 1000' >"$FAKE/remove"
		verb 1 "$n" kill --id t1 --dir "$PWD/job"
		says 'within 2 s'
		drive "$n" 125 --weaker -- true
	done
}

atf_test_case deadline
deadline_head()
{
	atf_set timeout 600
}
deadline_body()
{
	both check_deadline
}
check_deadline()
{
	for n in $ALL; do
		each "$n"
		# It takes no notice of anything, and its container is removed.
		echo "echo \$\$ >$FAKE/pid; trap '' TERM INT; while :; do sleep 1; done" \
		    >>"$FAKE/run"
		WHEN=$(deadline 3000) drive "$n" 124 --weaker -- true
		says "time limit"
		asked '^hard '
		asked '^remove '
		! $AS kill -0 "$(cat "$FAKE/pid")" 2>/dev/null ||
		    atf_fail "it is still there"
	done
}

atf_test_case killed
killed_body()
{
	both check_killed
}
check_killed()
{
	for n in $ALL; do
		each "$n"
		echo "echo \$\$ >$FAKE/pid
		    until [ -e $FAKE/words.hard ]; do sleep 0.1; done" >>"$FAKE/run"
		with "$n" run --id t1 --dir "$PWD/job" --deadline "$(deadline)" \
		    --policy-fd 3 --view-fd 4 --env-fd 5 --image img:1 --weaker \
		    -- true 3<policy 4<view 5<variables >out 2>err </dev/null &
		driver=$!
		wait_for 20 test -s "$FAKE/pid"
		pid=$(cat "$FAKE/pid")
		parent=$(ps -o ppid= -p "$pid" | tr -d ' ')
		kill -9 "$parent"
		wait $driver || :
		# The runtime's own program is not cut off in the middle: kill, by
		# x07-vm-reaper, ends its container, and waits for it.
		kill -0 "$pid" || atf_fail "it went with its driver"
		verb 0 "$n" kill --id t1 --dir "$PWD/job"
		wait_for 20 sh -c "! kill -0 $pid"
		asked '^hard .*x07-t1'
		asked '^remove .*x07-t1'
	done
}

atf_test_case signals
signals_body()
{
	both check_signals
}
check_signals()
{
	for n in $ALL; do
		each "$n"
		cat >>"$FAKE/run" <<-EOF
		: >job/out/started
		trap 'exit 42' TERM
		echo \$\$ >$FAKE/pid
		while :; do sleep 0.1; done
		EOF
		with "$n" run --id t1 --dir "$PWD/job" --deadline "$(deadline)" \
		    --policy-fd 3 --view-fd 4 --env-fd 5 --image img:1 --weaker \
		    -- true 3<policy 4<view 5<variables >out 2>err </dev/null &
		driver=$!
		wait_for 20 test -s "$FAKE/pid"
		kill -TERM "$(ps -o ppid= -p "$(cat "$FAKE/pid")" | tr -d ' ')"
		_got=0
		wait $driver || _got=$?
		[ $_got -eq 42 ] || atf_fail "vm-$n: $_got: $(cat err)"
	done
}

# Until the gates are there a signal is not the runtime's: it ends the job.
atf_test_case early
early_body()
{
	both check_early
}
check_early()
{
	for n in $ALL; do
		each "$n"
		sed -i '/started/d' "$FAKE/run" 2>/dev/null || :
		cat >>"$FAKE/run" <<-EOF
		trap 'echo signal >>$FAKE/got' TERM INT
		echo \$\$ >$FAKE/pid
		until [ -e $FAKE/words.hard ]; do sleep 0.1; done
		EOF
		with "$n" run --id t1 --dir "$PWD/job" --deadline "$(deadline)" \
		    --policy-fd 3 --view-fd 4 --env-fd 5 --image img:1 --weaker \
		    -- true 3<policy 4<view 5<variables >out 2>err </dev/null &
		driver=$!
		wait_for 20 test -s "$FAKE/pid"
		kill -TERM "$(ps -o ppid= -p "$(cat "$FAKE/pid")" | tr -d ' ')"
		_got=0
		wait $driver || _got=$?
		[ $_got -eq 143 ] || atf_fail "vm-$n: $_got: $(cat err)"
		[ ! -e "$FAKE/got" ] || atf_fail "vm-$n: the runtime got it"
		asked '^remove .*x07-t1'
		[ ! -s err ] || atf_fail "vm-$n: $(cat err)"
	done
}

# Before the driver has started anything the signal ends x07-vmrun, as it would a program.
atf_test_case earlier
earlier_body()
{
	x07-policy init --template cli --emit policy >p.json || atf_fail "policy"
	both check_earlier
}
check_earlier()
{
	firm_work_dir
	for n in docker podman; do
		for s in TERM INT HUP; do
			fakes
			rm -rf jobs
			mv "$FAKE/inspect" "$FAKE/answer"
			echo 'echo $$ >$FAKE/pid; sleep 1.5; . $FAKE/answer' >"$FAKE/inspect"
			$AS env --default-signal=INT PATH="$FAKE/bin:$PATH" FAKE="$FAKE" \
			    X07_VM_STATE_DIR="$PWD/jobs" x07-vmrun -b $n \
			    --i-accept-weaker-isolation -p p.json --image img:1 -- true \
			    >out 2>err </dev/null &
			_pid=$!
			wait_for 20 sh -c "test -s $FAKE/pid || { cat err; false; }"
			kill -$s $_pid
			_got=0
			wait $_pid || _got=$?
			[ $_got -eq $((128 + $(kill -l $s))) ] ||
			    atf_fail "$n, SIG$s: $_got: $(cat err)"
			[ ! -s err ] || atf_fail "$n, SIG$s: $(cat err)"
			not_asked '^run'
			[ -z "$(ls jobs)" ] || atf_fail "$n, SIG$s: left $(ls jobs)"
		done
	done
}

# The runtime's program dies while a daemon goes on making the container.
atf_test_case late
late_body()
{
	for s in 'kill -TERM $$' 'exit 130' 'exit 125'; do
		fakes
		echo "$s" >>"$FAKE/run"
		cat >"$FAKE/remove" <<-'EOF'
		[ "$(grep -c '^remove' "$FAKE/calls")" -gt 3 ] && exit 0
		echo "Error: No such container: x07-t1" >&2
		exit 1
		EOF
		_want=125
		[ "$s" != 'exit 130' ] || _want=130
		drive docker $_want --weaker -- true
		_n=$(grep -c '^remove' "$FAKE/calls")
		# What it could not make by itself is not waited for.
		[ "$s" != 'exit 125' ] || _n=$((_n + 4))
		[ "$_n" -eq 5 ] || atf_fail "$s: $(cat "$FAKE/calls")"
	done
}

# The runtime's program ends before the other: its status is not that one's.
atf_test_case outlived
outlived_body()
{
	for n in docker podman; do
		fakes
		: >"$FAKE/runs_on"
		echo ">job/out/started; exit 1" >>"$FAKE/run"
		drive $n 125 --weaker -- true
		says "$n ended before the program did (status 1), and the program with it"
		# Because nobody reads what it writes.
		fakes
		: >"$FAKE/runs_on"
		nobody_reads $n 1 141
		fakes
		nobody_reads $n 3 3
	done
	fakes
	nobody_reads podman 126 141
	fakes
	echo ">job/out/started; exit 126" >>"$FAKE/run"
	drive podman 126 --weaker -- true
}
# nobody_reads NAME EXIT STATUS: what it writes goes into a pipe without a reader.
nobody_reads()
{
	_n=$1 _want=$3
	echo ">job/out/started; exit $2" >>"$FAKE/run"
	{
		sleep 0.3
		_got=0
		with "$_n" run --id t1 --dir "$PWD/job" --deadline "$(deadline)" \
		    --policy-fd 3 --view-fd 4 --env-fd 5 --image img:1 --weaker \
		    -- true 3<policy 4<view 5<variables 2>err </dev/null || _got=$?
		echo $_got >got
	} | true
	[ "$(cat got)" -eq "$_want" ] || atf_fail "$_n: $(cat got), not $_want: $(cat err)"
	[ ! -s err ] || atf_fail "$_n: $(cat err)"
}

# That the terminal is gone only the leader of a session is told.
atf_test_case hangup
hangup_body()
{
	both check_hangup
}
check_hangup()
{
	fakes
	cat >>"$FAKE/run" <<-'EOF'
	for w; do case $w in *,target=/x07/out) out=${w#*source=} ;; esac; done
	: >"${out%,target=*}/started"
	trap 'echo HUP >"$FAKE/got"; exit 42' HUP
	trap 'echo INT >"$FAKE/got"; exit 43' INT
	echo READY
	i=0
	while [ $i -lt 600 ]; do sleep 0.1; i=$((i + 1)); done
	EOF
	cat >hang.py <<-'EOF'
	import os, pty, sys
	pid, fd = pty.fork()
	if pid == 0:
	    os.execvp(sys.argv[2], sys.argv[2:])
	seen = b""
	while b"READY" not in seen:
	    try:
	        seen += os.read(fd, 4096)
	    except OSError:
	        sys.exit(seen)
	if sys.argv[1] == "HUP":
	    os.close(fd)
	else:
	    os.write(fd, b"\003")
	print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
	EOF
	x07-policy init --template cli --emit policy >p.json || atf_fail "policy"
	firm_work_dir
	rm -rf jobs
	for s in HUP INT; do
		_want=42
		[ $s = HUP ] || _want=43
		rm -f "$FAKE/got" "$FAKE/ran"
		atf_check -o inline:"$_want\n" -e ignore $AS env PATH="$FAKE/bin:$PATH" \
		    FAKE="$FAKE" X07_VM_STATE_DIR="$PWD/jobs" timeout 60 python3 hang.py \
		    $s x07-vmrun -b podman --i-accept-weaker-isolation -p p.json \
		    --image img:1 -- true
		# Once, although the terminal's other signals reach the whole group.
		atf_check -o inline:"$s\n" cat "$FAKE/got"
	done
}

atf_test_case kill_words
kill_words_body()
{
	fakes
	T='--address /run/firecracker-containerd/containerd.sock --namespace x07 --timeout 2s'
	check_kill docker "hard kill --signal SIGKILL x07-t1
remove rm -f x07-t1" "soft stop --time 1 x07-t1"
	check_kill podman "hard kill --signal SIGKILL x07-t1
remove rm -f x07-t1" "soft stop --time 1 x07-t1"
	check_kill apple-container "hard kill --signal KILL x07-t1
remove delete --force x07-t1" "soft kill --signal SIGTERM x07-t1"
	check_kill firecracker-ctr "hard $T tasks kill --all --signal SIGKILL x07-t1
task $T tasks delete --force x07-t1
remove $T containers delete x07-t1" "soft $T tasks kill --all --signal SIGTERM x07-t1"
}
check_kill()
{
	rm -f "$FAKE/calls"
	verb 0 "$1" kill --id t1 --dir "$PWD/job"
	echo "$2" >expected
	atf_check -o file:expected cat "$FAKE/calls"
	rm -f "$FAKE/calls"
	verb 0 "$1" kill --id t1 --dir "$PWD/job" --grace 300
	{ echo "$3"; echo "$2"; } >expected
	atf_check -o file:expected cat "$FAKE/calls"
}

atf_test_case gone
gone_body()
{
	for n in $ALL; do
		# In the words of each of them.
		for why in 'Error: No such container: x' 'container "x": not found' \
		    'no such container' 'x does not exist' 'notFound: "x"'; do
			fakes
			for k in hard task remove; do
				echo "echo '$why' >&2; exit 1" >"$FAKE/$k"
			done
			verb 0 "$n" kill --id t1 --dir "$PWD/job"
		done
		# Anything else means that something may be left.
		for why in 'permission denied' 'Cannot connect to the daemon' \
		    'dial /x.sock: connect: no such file or directory' ''; do
			each "$n"
			echo "echo '$why' >&2; exit 1" >"$FAKE/hard"
			echo "echo '$why' >&2; exit 1" >"$FAKE/remove"
			verb 1 "$n" kill --id t1 --dir "$PWD/job"
			says "x07-t1: "
			drive "$n" 125 --weaker -- true
		done
		# One that is removed at the second try.
		fakes
		cat >"$FAKE/remove" <<-EOF
		[ ! -e $FAKE/once ] || exit 0
		: >$FAKE/once
		echo 'removal is already in progress' >&2
		exit 1
		EOF
		verb 0 "$n" kill --id t1 --dir "$PWD/job"
		# No runtime at all: it cannot be found out.
		rm -f "$FAKE/bin/"*
		ONLY=$FAKE/bin verb 1 "$n" kill --id t1 --dir "$PWD/job"
		says 'No such file'
	done
}

atf_test_case sweep
sweep_body()
{
	past=1000 future=$(deadline 600000)
	for n in docker podman; do
		fakes
		cat >"$FAKE/list" <<-EOF
		echo "x07-old $past"
		echo "x07-new $future"
		echo "x07-bad zzz"
		echo "x07-none"
		echo "other $past"
		echo "--all $past"
		echo
		EOF
		verb 0 $n sweep
		asked '^list .*--filter label=io.x07.schema=1'
		atf_check -o inline:'remove rm -f x07-old\n' grep ^remove "$FAKE/calls"
	done
	for n in apple-container firecracker-ctr; do
		fakes
		echo 'for i in old new theirs bad; do echo x07-$i; done; echo other' \
		    >"$FAKE/list"
		cat >"$FAKE/info" <<-EOF
		case "\$*" in
		*x07-old) d=$past s=1 ;;
		*x07-new) d=$future s=1 ;;
		*x07-theirs) d=$past s=2 ;;
		*) echo garbage; exit 0 ;;
		esac
		cat <<EOT
		{ "Labels": { "io.x07.deadline_unix_ms": "\$d", "io.x07.schema": "\$s" } }
		EOT
		EOF
		sed -i 's/^	*//' "$FAKE/info"
		verb 0 $n sweep
		atf_check -o match:'^remove .*x07-old$' grep ^remove "$FAKE/calls"
		! grep ^remove "$FAKE/calls" | grep -v x07-old || atf_fail "more"
	done
	for n in $ALL; do
		fakes
		echo 'echo down >&2; exit 1' >"$FAKE/list"
		verb 1 "$n" sweep
		says down
		# What cannot be removed is told, and the rest goes on.
		fakes
		printf 'echo "x07-a 1"; echo "x07-b 1"\n' >"$FAKE/list"
		echo 'echo "{\"io.x07.schema\":\"1\",\"io.x07.deadline_unix_ms\":\"1\"}"' \
		    >"$FAKE/info"
		echo 'case "$*" in *x07-a) echo busy >&2; exit 1 ;; esac' >"$FAKE/remove"
		verb 1 "$n" sweep
		says 'x07-a: busy'
		asked '^remove .*x07-b'
		# No more than 512 at once.
		fakes
		echo 'i=0; while [ $i -lt 600 ]; do echo "x07-$i 99999999999999999"; i=$((i+1)); done' \
		    >"$FAKE/list"
		verb 0 "$n" sweep
		not_asked '^remove '
	done
}

atf_test_case probe
probe_body()
{
	for n in $ALL; do
		fakes
		iso=container
		[ "$n" != apple-container ] || iso=vm
		echo 'echo 1.2.3' >"$FAKE/probe"
		cp "$FAKE/bin/firecracker-ctr" "$FAKE/bin/ctr"
		SET="X07_VM_FIRECRACKER_RUNTIME=io.containerd.runc.v2"
		verb 0 "$n" probe
		grep -q -e "^backend vm.$n\$" out || atf_fail "probe: $(cat out)"
		grep -q -e "^isolation $iso\$" out || atf_fail "probe: $(cat out)"
		grep -q -e '^image oci$' out || atf_fail "probe: $(cat out)"
		case $n in
		docker | podman) grep -q -e '^network socket$' out ;;
		*) grep -q -e '^network fd$' out ;;
		esac || atf_fail "probe: $(cat out)"
		grep -q -e '^boot_ms [0-9]*$' out || atf_fail "probe: $(cat out)"
		grep -q -e '^detail .*1.2.3' out || atf_fail "probe: $(cat out)"
		echo 'echo "the daemon is not running" >&2; exit 1' >"$FAKE/probe"
		verb 1 "$n" probe
		says 'the daemon is not running'
		unset SET
	done
	# Its own runtime makes virtual machines: where there is /dev/kvm.
	fakes
	if [ -r /dev/kvm ] && [ -w /dev/kvm ]; then
		verb 0 firecracker-ctr probe
		grep -q -e '^isolation vm$' out || atf_fail "probe: $(cat out)"
	else
		verb 1 firecracker-ctr probe
		says /dev/kvm
	fi
	# What is not there.
	rm "$FAKE"/bin/*
	for n in $ALL; do
		SET=X07_VM_FIRECRACKER_RUNTIME=x ONLY=$FAKE/bin verb 1 "$n" probe
		says 'not installed'
	done
}

atf_test_case audit
audit_body()
{
	both check_audit
}
check_audit()
{
	for n in $ALL; do
		each "$n"
		# Where the container's first process writes, the driver reads on.
		echo 'echo "{\"verdict\":\"deny\"}" >>job/audit/log; sleep 1
		    echo two >>job/audit/log' >>"$FAKE/run"
		: >log
		chmod a+rw log
		_got=0
		with "$n" run --id t1 --dir "$PWD/job" --deadline "$(deadline)" \
		    --policy-fd 3 --view-fd 4 --env-fd 5 --audit-fd 6 --image img:1 \
		    --weaker -- true 3<policy 4<view 5<variables 6>>log >out 2>err \
		    </dev/null || _got=$?
		[ $_got -eq 0 ] || atf_fail "$_got: $(cat err)"
		printf '{"verdict":"deny"}\ntwo\n' >expected
		atf_check -o file:expected cat log
		asked '^run .*/x07/audit'
		# Without a log there is no such mount.
		each "$n"
		drive "$n" 0 --weaker -- true
		not_asked '^run .*/x07/audit'
	done
}

# What a container that was taken over leaves where its gates write.
atf_test_case room
room_body()
{
	both check_room
}
# log_run NAME STATUS: with a log of at most 2000 bytes.
log_run()
{
	: >log
	chmod a+rw log
	_got=0
	with "$1" run --id t1 --dir "$PWD/job" --deadline "$(deadline)" \
	    --policy-fd 3 --view-fd 4 --env-fd 5 --audit-fd 6 --audit-bytes 2000 \
	    --image img:1 --weaker -- true 3<policy 4<view 5<variables \
	    6>>"${LOG:-log}" >out 2>err </dev/null || _got=$?
	[ $_got -eq "$2" ] || atf_fail "$1: $_got, not $2: $(cat err)"
}
# fills SIZE FILE...: the container does, and then waits until it is ended.
fills()
{
	fakes
	_size=$1
	shift
	for _f; do
		echo "mkdir -p job/${_f%/*}; head -c $_size /dev/zero >>job/$_f"
	done >"$FAKE/run"
	echo 'i=0; while [ $i -lt 300 ] && [ ! -e $FAKE/ended ]; do sleep 0.1; i=$((i + 1))
	    done' >>"$FAKE/run"
	for _k in hard remove; do
		echo ": >$FAKE/ended" >"$FAKE/$_k"
	done
}
check_room()
{
	# Once is enough: it is the same code for all of them.
	fills 2001 audit/log
	log_run docker 125
	says 'the audit log has reached its 2000 bytes'
	atf_check test ! -s log
	# Fewer, but nowhere to put them.
	fills 100 audit/log
	LOG=/dev/full
	log_run docker 125
	says 'the audit log cannot be written (No space left on device)'
	mkfifo unread
	chmod a+rw unread
	: <unread &
	fills 100 audit/log
	LOG=unread
	log_run docker 125
	LOG=
	rm unread
	says 'the audit log cannot be written (Broken pipe)'
	atf_check -o inline:"1\n" grep -c "audit log" err
	# A file that is only said to be that large.
	fills 1 out/f
	echo 'truncate -s 1T job/audit/log' | cat - "$FAKE/run" >run && cp run "$FAKE/run"
	log_run docker 125
	says 'the audit log has reached its 2000 bytes'
	[ "$(wc -c <log)" -lt 2001 ] || atf_fail "$(wc -c <log) bytes"
	fills 1100000 audit/other
	log_run docker 125
	says "fills this machine's disk"
	for _dir in out out/a/b/c; do
		fills 68000000 $_dir/f
		drive docker 125 --weaker -- true
		says "fills this machine's disk"
	done
	# What fits runs to its end.
	fills 2000 audit/log
	echo "head -c 10000000 /dev/zero >job/out/f" >>"$FAKE/run"
	sed -i 's/-lt 300/-lt 10/' "$FAKE/run"
	log_run docker 0
	[ "$(wc -c <log)" -eq 2000 ] || atf_fail "$(wc -c <log) bytes"
}

atf_test_case clock
clock_body()
{
	for n in $ALL; do
		each "$n"
		drive "$n" 0 --weaker --clock 0 -- true
		says "cannot set a clock"
		each "$n"
		drive "$n" 0 --weaker -- true
		atf_check cat err
	done
}

# ---- vz ----

# bundle: one for x07-vz-helper, its digest in BUNDLE_DIGEST.
bundle()
{
	fakes
	cp "$FAKE/bin/docker" "$FAKE/bin/x07-vz-helper"
	rm -rf bundle
	mkdir bundle
	echo '{"schema_version":"x","linux":{"kernel":"kernel","rootfs":"rootfs.img","cmdline":"cmdline.txt"}}' \
	    >bundle/manifest.json
	echo kernel >bundle/kernel
	head -c 3000000 /dev/zero >bundle/rootfs.img
	echo quiet >bundle/cmdline.txt
	BUNDLE_DIGEST=sha256:$({ printf 'manifest.json\0'; cat bundle/manifest.json
	    printf 'kernel\0'; cat bundle/kernel; printf 'rootfs\0'
	    cat bundle/rootfs.img; printf 'cmdline\0'; cat bundle/cmdline.txt; } |
	    sha256sum | cut -d' ' -f1)
	IMAGE=$PWD/bundle
}

atf_test_case vz
vz_body()
{
	both check_vz
}
check_vz()
{
	bundle
	mkdir -p data
	printf 'write /data %s %s root\n' "$PWD/data" "$(stat -c %d:%i data)" >view
	drive vz 0 --memory 5000001 --cpus 2 --wall-ms 1234 --grace 100 \
	    --gate x07-limit --stdout-bytes 99 -- true
	cat >expected <<-EOF
	run
	--run-id
	t1
	--bundle
	@PWD@/bundle
	--state-dir
	@PWD@/job
	--mem-bytes
	5000001
	--cpus
	2
	--net
	none
	--wall-ms
	1234
	--grace-ms
	100
	--share
	x07in
	@PWD@/job/in
	ro
	--share
	x07out
	@PWD@/job/out
	rw
	--share
	x07m2
	@PWD@/data
	rw
	--share
	x07m3
	@PWD@/job/bin
	ro
	EOF
	words run >got
	atf_check diff -u expected got
	# The gates in a directory, and the request of the guest's first process.
	cmp "$(command -v x07-limit)" job/bin/x07-limit || atf_fail "gate"
	cmp "$(libexec)/guestrun" job/bin/guestrun || atf_fail "guestrun"
	atf_check -o inline:'"x07.guest.request@1"\n"/x07/bin/guestrun"\n["/x07/bin/guestrun","/x07/in"]\n[["x07m2","/data",false],["x07m3","/x07/bin",true]]\n[1234,99]\n' \
	    jq -c '.schema_version, .exec.path, .exec.argv,
	    [.mounts[] | [.tag, .guest_path, .readonly]],
	    [.limits.wall_ms, .limits.stdout_max_bytes]' job/in/request.json
	grep -q SECRET=1 job/in/request || atf_fail "no environment"
	# Single files cannot be shown.
	bundle
	echo >file
	printf 'read /file %s %s root\n' "$PWD/file" "$(stat -c %d:%i file)" >view
	drive vz 125 -- true
	says "directories only"
	not_asked '^run '
	# Its status, its death, its deadline.
	for s in 0 3 124; do
		bundle
		echo "exit $s" >"$FAKE/run"
		drive vz $s -- true
	done
	bundle
	echo 'kill -9 $$' >"$FAKE/run"
	drive vz 125 -- true
	says "killed by signal 9"
	bundle
	echo "echo \$\$ >$FAKE/pid; trap '' TERM; while :; do sleep 1; done" >"$FAKE/run"
	WHEN=$(deadline 2000) drive vz 124 -- true
	says "time limit"
	! $AS kill -0 "$(cat "$FAKE/pid")" 2>/dev/null || atf_fail "it is still there"
}

atf_test_case vz_bundle
vz_bundle_body()
{
	both check_vz_bundle
}
check_vz_bundle()
{
	bundle
	# With the digest it is a copy that runs, whatever becomes of the bundle then.
	echo 'cat job/bundle/kernel; [ "$(cat bundle/kernel)" = kernel ]' >"$FAKE/run"
	drive vz 0 --digest "$BUNDLE_DIGEST" -- true
	grep -qx -e "$PWD/job/bundle" "$FAKE/words.run" || atf_fail "not the copy"
	atf_check -o inline:'kernel\n' cat out
	for f in manifest.json kernel rootfs.img cmdline.txt; do
		atf_check cmp job/bundle/$f bundle/$f
	done
	# Each of its parts counts.
	for f in manifest.json kernel rootfs.img cmdline.txt; do
		bundle
		want=$BUNDLE_DIGEST
		echo >>bundle/$f
		drive vz 125 --digest "$want" -- true
		says "is asked for"
		not_asked '^run '
	done
	# The variable of the reference comes first.
	bundle
	SET=X07_VM_VZ_GUEST_BUNDLE=$PWD/bundle
	IMAGE=/nowhere drive vz 0 -- true
	unset SET
	# What is none.
	IMAGE=$PWD/nowhere
	drive vz 125 -- true
	says X07_VM_VZ_GUEST_BUNDLE
	for m in '' '[]' '{}' '{"linux":1}' '{"linux":{"kernel":"../x"}}' \
	    '{"linux":{"kernel":".k"}}' '{"linux":{"kernel":"kernel","rootfs":7}}'; do
		bundle
		printf '%s' "$m" >bundle/manifest.json
		drive vz 125 --digest "$BUNDLE_DIGEST" -- true
		says "names no file for linux."
		not_asked '^run '
	done
}

atf_test_case vz_verbs
vz_verbs_body()
{
	bundle
	verb 0 vz probe
	for l in '^backend vm.vz$' '^isolation vm$' '^image directory$' '^network none$'; do
		grep -q "$l" out || atf_fail "no $l: $(cat out)"
	done
	asked '^probe preflight'
	echo 'echo "no entitlement" >&2; exit 2' >"$FAKE/probe"
	verb 1 vz probe
	says "no entitlement"
	echo 'exec sleep 1000' >"$FAKE/probe"
	verb 1 vz probe
	says "within 2 s"
	cp "$FAKE/bin/docker" "$FAKE/bin/other"
	rm "$FAKE/bin/x07-vz-helper" "$FAKE/probe"
	ONLY=$FAKE/bin verb 1 vz probe
	says "not installed"
	SET=X07_VM_VZ_HELPER_BIN=$FAKE/bin/other
	verb 0 vz probe
	unset SET
	# The machine is the helper's, and that dies with its driver.
	rm -f "$FAKE/calls"
	verb 0 vz kill --id t1 --dir "$PWD/job"
	verb 0 vz sweep
	not_asked .
}

# ---- for real ----

# small_root: a root file system with nothing but a static busybox, and curl.
small_root()
{
	_busybox=$(command -v busybox) || atf_skip "no busybox"
	_curl=$(command -v curl) || atf_skip "no curl"
	mkdir -p root/bin root/etc root/proc root/sys root/dev root/tmp root/run
	cp "$_busybox" root/bin/busybox
	for _f in "$_curl" $(ldd "$_curl" | grep -o '/[^ ]*'); do
		mkdir -p "root$(dirname "$_f")"
		cp -L "$_f" "root$_f"
	done
	ln -sf "$_curl" root/bin/curl
	tar -C root -cf root.tar .
}

# jobs: what x07-vmrun needs to run below here, and a policy with two roots.
jobs()
{
	X07_VM_STATE_DIR=$PWD/jobs
	X07_I_ACCEPT_WEAKER_ISOLATION=1
	export X07_VM_STATE_DIR X07_I_ACCEPT_WEAKER_ISOLATION
	mkdir -p p/data p/out p/secret
	echo readable >p/data/f
	echo secret >p/secret/f
	x07-policy init --template cli --emit policy >base.json || atf_fail "policy"
	jq '.fs.read_roots = ["data"]' base.json >p.json
	jq '.limits.wall_ms = 2000 | .time.allow_sleep = true' p.json >short.json
	jq '.process.allow_spawn = true | .process.allow_exec = true |
	    .process.allow_exec_prefixes = ["/bin/", "/usr/bin/"] |
	    .process.max_live = 9 | .process.max_spawns = 99 | .limits.procs = 20 |
	    .process.max_runtime_ms = 600000 | .limits.wall_ms = 600000' p.json >sh.json
}

# network_real: a listed host is reached, and no other; nor any when the channel is cut.
network_real()
{
	mkdir -p www
	echo served >www/index.html
	head -c 300000 /dev/urandom >www/big
	http_server 127.0.0.1 www
	jq ".net.enabled = true | .net.allow_tcp = true | .net.allow_dns = true |
	    .net.allow_hosts = [{\"host\": \"127.0.0.1\", \"ports\": [$SERVER_PORT]},
	    {\"host\": \"localhost\", \"ports\": [$SERVER_PORT]}]" sh.json >net.json
	cat >ask.sh <<-'EOF'
	curl=/bin/curl
	$curl -s "http://127.0.0.1:$1/"
	$curl -s "http://localhost:$1/"
	$curl -s "http://127.0.0.1:$1/big" | /bin/busybox sha256sum
	$curl -s http://127.0.0.1:1234/ || echo "port $?"
	$curl -s http://10.1.2.3:80/ || echo "address $?"
	$curl -s http://other.example/ || echo "name $?"
	$curl -s http://127.0.0.1:1/ || echo "netmux $?"
	$curl -s --abstract-unix-socket x07-net http://x/ || echo "its socket $?"
	/bin/busybox ls /x07/net /x07/bin/netmux 2>/dev/null || echo "the channel $?"
	EOF
	vmrun 0 net.json /bin/busybox sh -c "$(cat ask.sh)" sh "$SERVER_PORT"
	{ printf 'served\nserved\n'; sha256sum <www/big
	    printf 'port 7\naddress 7\nname 6\nnetmux 7\nits socket 7\nthe channel 1\n'
	} >expected
	atf_check diff -u expected out
	for line in 'connect 127.0.0.1:1234 .*--allow-host 127.0.0.1:1234' \
	    'connect 10.1.2.3:80 .*--allow-host 10.1.2.3:80' \
	    'resolve other.example .*--allow-host other.example:PORT'; do
		atf_check -o match:"^x07-netgate: deny $line" cat err
	done
	! grep -q 'is cut' err || atf_fail "$(cat err)"
	cut_real host "x07-vmrun: the way to the network is cut: the relay was killed by signal 9"
	[ "$BACKEND" != firecracker-ctr ] || cut_real x07-net \
	    "vm-firecracker-ctr: the way to the network is cut: what carried it was killed by signal 9"
	stop_servers
}

# cut_real WORD LINE: the process with that word is killed while the program runs.
cut_real()
{
	cat >cut.sh <<-'EOF'
	/bin/curl -s "http://127.0.0.1:$1/"
	/bin/busybox cat
	/bin/curl -s "http://127.0.0.1:$1/" || echo "listed $?"
	/bin/curl -s http://10.1.2.3:80/ || echo "not listed $?"
	/bin/curl -s "http://localhost:$1/" || echo "name $?"
	EOF
	rm -f fifo
	mkfifo fifo
	(cd p && exec x07-vmrun -b "$BACKEND" -p ../net.json --image "$REF" -- \
	    /bin/busybox sh -c "$(cat ../cut.sh)" sh "$SERVER_PORT") \
	    >out 2>err <fifo &
	_pid=$!
	exec 8>fifo
	wait_for 60 grep -q served out
	kill -9 "$(descendant $_pid "$1")"
	wait_for 60 grep -q 'is cut' err
	exec 8>&-
	_got=0
	wait $_pid || _got=$?
	[ $_got -eq 0 ] || atf_fail "$_got: $(cat out err)"
	# What curl says depends on how far it came; that it came to nothing does not.
	atf_check -o match:'^listed ' -o match:'^not listed ' -o match:'^name ' cat out
	[ "$(grep -c served out)" -eq 1 ] || atf_fail "served: $(cat out)"
	atf_check -o match:"^$2; the program goes on without\$" cat err
	[ "$(grep -c 'is cut' err)" -eq 1 ] || atf_fail "not one line: $(cat err)"
}
# descendant PID WORD: the process below PID that has it among its words, and no child.
descendant()
{
	for _p in $(pgrep -P "$1"); do
		if tr '\0' '\n' <"/proc/$_p/cmdline" | grep -q "\(^\|/\)$2\$" &&
		    ! pgrep -P "$_p" >/dev/null; then
			echo "$_p"
		else
			descendant "$_p" "$2"
		fi
	done
}

# vmrun STATUS POLICY PROGRAM...: by $BACKEND from $REF, in p; out and err.
vmrun()
{
	_want=$1 _policy=$2 _got=0
	shift 2
	(cd p && exec x07-vmrun -b "$BACKEND" -p "../$_policy" --image "$REF" $OPT \
	    -- "$@") >out 2>err <"${IN:-/dev/null}" || _got=$?
	[ "$_got" -eq "$_want" ] || atf_fail "$*: $_got, not $_want: $(cat out err | tr "\n" " ")"
}

# all_real: what holds in every runtime. count prints how many containers there are.
all_real()
{
	vmrun 0 p.json /bin/busybox id -u
	atf_check -o inline:"$(id -u)\n" cat out
	# The status, the streams, what was used, and what the policy lists.
	_opt=$OPT OPT="$OPT -u ../used"
	vmrun 1 p.json /bin/busybox false
	OPT=$_opt
	atf_check -o inline:'1 null\n' jq -r '"\(.status) \(.struck)"' used
	vmrun 127 p.json /bin/nothing
	head -c 300000 /dev/urandom >in
	IN=in vmrun 0 p.json /bin/busybox cat
	atf_check cmp in out
	vmrun 0 p.json /bin/busybox cat data/f
	atf_check -o inline:'readable\n' cat out
	vmrun 0 p.json /bin/busybox cp data/f out/g
	atf_check -o inline:'readable\n' cat p/out/g
	# And what it does not.
	vmrun 1 p.json /bin/busybox cat secret/f
	vmrun 1 p.json /bin/busybox cp data/f data/g
	[ ! -e p/data/g ] || atf_fail "a read root was written to"
	vmrun 1 p.json /bin/busybox cat /x07/in/request
	vmrun 1 p.json /bin/busybox cat "$PWD/base.json"
	vmrun 0 p.json /bin/busybox cat /proc/net/dev
	atf_check -o inline:'lo:\n' awk '/:/ { print $1 }' out
	network_real
	# The audit log comes out of it.
	OPT="-l $PWD/log" vmrun 2 p.json /bin/busybox sh -c '/bin/busybox true; exit 1'
	grep -q '"verdict":"deny"' log || atf_fail "log: $(cat log) $(cat err)"
	# The digest.
	OPT="--image-digest $DIGEST" vmrun 0 p.json /bin/busybox true
	OPT="--image-digest $A" vmrun 125 p.json /bin/busybox true
	grep -q 'is asked for' err || atf_fail "$(cat err)"
	# Its time is over.
	vmrun 124 short.json /bin/busybox sleep 100
	atf_check -o inline:'0\n' count
	[ -z "$(ls jobs)" ] || atf_fail "left: $(ls jobs)"
}

# reader_real: nobody reads any more what the program writes.
reader_real()
{
	{
		_got=0
		(cd p && exec x07-vmrun -b "$BACKEND" -p ../sh.json --image "$REF" -- \
		    /bin/busybox yes) 2>err </dev/null || _got=$?
		echo $_got >got
	} | head -c 1000 >out
	[ "$(cat got)" -eq 141 ] || atf_fail "$(cat got): $(cat err)"
	[ "$(wc -c <out)" -eq 1000 ] || atf_fail "$(wc -c <out) bytes"
	nothing_left || atf_fail "left: $(count) $(ls jobs)"
}

# killed_real: SIGKILL for x07-vmrun leaves nothing, at whatever moment.
killed_real()
{
	for _after in runs 0.05 0.1 0.13 0.16 0.2 0.25 0.3 0.4 0.5; do
		(cd p && exec x07-vmrun -b "$BACKEND" -p ../sleep.json --image "$REF" \
		    -- /bin/busybox sleep 1000) >out 2>err </dev/null &
		_pid=$!
		if [ $_after = runs ]; then
			wait_for 60 one_runs
		else
			sleep $_after
		fi
		kill -9 $_pid
		wait $_pid || :
		wait_for 60 nothing_left
	done
}
one_runs()
{
	[ "$(count)" -eq 1 ]
}
nothing_left()
{
	[ "$(count)" -eq 0 ] && [ -z "$(ls jobs)" ] || return 1
	# What belongs to this test has its directory, or a name, among its words.
	! pgrep -f "conmon .*$PWD/" && ! pgrep -f "shim.*-address $PWD/"
}

# client_real CLIENT FORMAT [USER]: what podman and docker must do alike. FORMAT: of the
# image's digest. The project is USER's.
client_real()
{
	jobs
	jq '.limits.wall_ms = 600000' p.json >sleep.json
	[ -z "${3-}" ] || chown -R "$3" p
	BACKEND=$1 REF=x07test:1
	DIGEST=$("$1" image inspect --format "$2" x07test:1)
	cat >"$PWD/count" <<-EOF
	#!/bin/sh
	$1 ps -aq | wc -l
	EOF
	chmod 755 count
	PATH=$PWD:$PATH
	all_real
	reader_real
	killed_real
}
# leave_late: two containers of ours, one past its deadline.
leave_late()
{
	for c in "late 1" "new $(deadline 600000)"; do
		"$BACKEND" create --name "x07-${c% *}" --label io.x07.schema=1 \
		    --label "io.x07.deadline_unix_ms=${c#* }" x07test:1 \
		    /bin/busybox true >/dev/null || atf_fail "$BACKEND create"
	done
}
unaccepted()
{
	export X07_I_ACCEPT_WEAKER_ISOLATION=0
	vmrun 125 p.json /bin/busybox true
	grep -q i-accept-weaker-isolation err || atf_fail "$(cat err)"
}

# podman_here: a podman with everything below here, and the image; or skips.
podman_here()
{
	need_root
	command -v podman >/dev/null || atf_skip "no podman (apt-get install podman)"
	small_root
	for _runtime in crun runc; do
		podman_with "$_runtime"
		podman import -q root.tar x07test:1 >id 2>why ||
		    atf_skip "podman import: $(tail -n 1 why)"
		podman run --rm --network none x07test:1 /bin/busybox true \
		    2>why </dev/null && return 0
	done
	atf_skip "podman runs nothing here: $(tail -n 1 why)"
}

atf_test_case podman_real cleanup
podman_real_head()
{
	atf_set timeout 900
}
podman_real_body()
{
	podman_here
	client_real podman '{{.Digest}}'
	# Swept is what is ours and late, and nothing else.
	leave_late
	podman create -q --name x07-theirs --label io.x07.deadline_unix_ms=1 x07test:1 \
	    /bin/busybox true >/dev/null || atf_fail "podman create"
	atf_check "$(libexec)/vm-podman" sweep
	atf_check -o inline:'x07-new\nx07-theirs\n' sh -c \
	    'podman ps -a --format "{{.Names}}" | sort'
	podman rm -f -a >/dev/null
	unaccepted
}
podman_real_cleanup()
{
	stop_servers
	podman_gone
}

# rootless_here: the same as podman_here, for the ordinary user: of what runs as that one
# there are programs of the same name before others in PATH.
rootless_here()
{
	need_root
	for _p in podman newuidmap setpriv; do
		command -v $_p >/dev/null ||
		    atf_skip "no $_p (apt-get install podman uidmap util-linux)"
	done
	grep -q "^$TEST_USER:" /etc/subuid || atf_skip "$TEST_USER has no range in /etc/subuid \
(usermod --add-subuids 300000-365535 --add-subgids 300000-365535 $TEST_USER)"
	mkdir -p bin run
	for _p in podman x07-vmrun id; do
		cat >bin/$_p <<-EOF
		#!/bin/sh
		[ -r "$PWD/run" ] && [ ! -O "$PWD/run" ] ||
		    exec $(command -v $_p) "\$@"
		exec setpriv --reuid $TEST_USER --regid $(id -g "$TEST_USER") --init-groups \
		    env HOME="$PWD" USER=$TEST_USER XDG_RUNTIME_DIR="$PWD/run" \
		    $(command -v $_p) "\$@"
		EOF
	done
	chmod 755 . bin bin/*
	chmod 700 run
	chown "$TEST_USER" . run
	mv bin/id id.user
	PATH=$PWD/bin:$PATH
	podman_here
	mv id.user bin/id
}

atf_test_case rootless_real cleanup
rootless_real_head()
{
	atf_set timeout 900
}
rootless_real_body()
{
	rootless_here
	client_real podman '{{.Digest}}' "$TEST_USER"
	# On cgroup v1 an ordinary user's podman limits no memory, and that is told.
	vmrun 0 p.json /bin/busybox true
	podman info --format '{{json .Host.CgroupControllers}}' | grep -q '"memory"' ||
	    grep -q 'podman can limit no memory here' err || atf_fail "$(cat err)"
}
rootless_real_cleanup()
{
	stop_servers
	[ ! -d bin ] || PATH=$PWD/bin:$PATH
	podman_gone
	[ ! -e run/libpod/tmp/pause.pid ] || kill "$(cat run/libpod/tmp/pause.pid)" || :
	rm -rf run
}

# containerd_here: one with everything below here, and the image; or skips.
containerd_here()
{
	for _p in containerd ctr runc; do
		command -v $_p >/dev/null ||
		    atf_skip "no $_p (apt-get install containerd runc)"
	done
	podman_here
	podman save -q --format oci-archive -o image.tar x07test:1
	# A socket's name is short, and the place of the test is long.
	mkdir -p state
	cat >containerd.toml <<-EOF
	version = 2
	root = "$PWD/containerd"
	state = "$PWD/state"
	disabled_plugins = ["io.containerd.grpc.v1.cri",
	    "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
	    "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.devmapper",
	    "io.containerd.internal.v1.opt"]
	[grpc]
	address = "$PWD/c.sock"
	EOF
	containerd -c containerd.toml >containerd.log 2>&1 </dev/null &
	echo $! >containerd.pid
	X07_VM_FIRECRACKER_CTR_BIN=ctr X07_VM_FIRECRACKER_CONTAINERD_SOCK=$PWD/c.sock
	X07_VM_FIRECRACKER_SNAPSHOTTER=native
	X07_VM_FIRECRACKER_RUNTIME=io.containerd.runc.v2
	export X07_VM_FIRECRACKER_CTR_BIN X07_VM_FIRECRACKER_CONTAINERD_SOCK \
	    X07_VM_FIRECRACKER_SNAPSHOTTER X07_VM_FIRECRACKER_RUNTIME
	wait_for 60 ctr --address "$PWD/c.sock" --timeout 1s version
	ctr --address "$PWD/c.sock" --namespace x07 images import --snapshotter native \
	    image.tar >/dev/null 2>why || atf_skip "ctr import: $(tail -n 1 why)"
	timeout 60 ctr --address "$PWD/c.sock" --namespace x07 run --rm --snapshotter \
	    native --runtime io.containerd.runc.v2 localhost/x07test:1 first \
	    /bin/busybox true >why 2>&1 </dev/null ||
	    atf_skip "ctr runs nothing here: $(tail -n 1 why)"
}

atf_test_case containerd_real cleanup
containerd_real_head()
{
	atf_set timeout 900
}
containerd_real_body()
{
	containerd_here
	jobs
	jq '.limits.wall_ms = 600000' p.json >sleep.json
	BACKEND=firecracker-ctr REF=localhost/x07test:1
	cat >"$PWD/count" <<-EOF
	#!/bin/sh
	ctr --address "$PWD/c.sock" --namespace x07 containers list -q | wc -l
	EOF
	chmod 755 count
	PATH=$PWD:$PATH
	DIGEST=$(ctr --address "$PWD/c.sock" --namespace x07 images list | awk 'NR == 2 { print $3 }')
	all_real
	killed_real
	for c in "late 1" "new $(deadline 600000)"; do
		ctr --address "$PWD/c.sock" --namespace x07 containers create \
		    --snapshotter native --label io.x07.schema=1 \
		    --label "io.x07.deadline_unix_ms=${c#* }" localhost/x07test:1 \
		    "x07-${c% *}" /bin/busybox true || atf_fail "ctr containers create"
	done
	atf_check "$(libexec)/vm-firecracker-ctr" sweep
	atf_check -o inline:'x07-new\n' ctr --address "$PWD/c.sock" --namespace x07 \
	    containers list -q
	# No daemon: told, within its time, and nothing is taken for gone.
	kill "$(cat containerd.pid)"
	wait_for 20 sh -c '! kill -0 $(cat containerd.pid)'
	_got=0
	"$(libexec)/vm-firecracker-ctr" kill --id new --dir "$PWD" 2>err || _got=$?
	[ $_got -eq 1 ] || atf_fail "kill without a daemon: $_got: $(cat err)"
}
containerd_real_cleanup()
{
	stop_servers
	if [ -e containerd.pid ]; then
		for i in $(ctr --address c.sock --timeout 2s --namespace x07 tasks list -q); do
			ctr --address c.sock --timeout 2s --namespace x07 tasks kill \
			    --all --signal SIGKILL "$i" || :
		done
		kill "$(cat containerd.pid)" 2>/dev/null || :
	fi
	podman_gone
	rm -rf containerd state
}

# docker_here: a dockerd of its own with everything below here, and the image; or skips.
docker_here()
{
	need_root
	for _p in docker dockerd containerd runc; do
		command -v $_p >/dev/null ||
		    atf_skip "no $_p (apt-get install docker.io)"
	done
	small_root
	DOCKER_HOST=unix://$PWD/d.sock
	export DOCKER_HOST
	DOCKER_CONFIG=$PWD DOCKER_TMPDIR=$PWD
	export DOCKER_CONFIG DOCKER_TMPDIR
	echo "{}" >daemon.json
	echo "/x07-docker-$$" >cgroup
	dockerd_start
	docker import root.tar x07test:1 >id 2>why ||
	    atf_skip "docker import: $(tail -n 1 why)"
	docker run --rm --network none x07test:1 /bin/busybox true >why 2>&1 </dev/null ||
	    atf_skip "docker runs nothing here: $(tail -n 1 why)"
}
dockerd_start()
{
	setsid dockerd -H "$DOCKER_HOST" --data-root "$PWD/docker" --exec-root "$PWD/state" \
	    --pidfile "$PWD/dockerd.pid" --config-file "$PWD/daemon.json" \
	    --cgroup-parent "$(cat cgroup)" --storage-driver vfs --bridge none \
	    --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false \
	    >>dockerd.log 2>&1 </dev/null &
	_dockerd=$!
	for _i in $(seq 600); do
		! docker version >/dev/null 2>&1 || return 0
		kill -0 $_dockerd 2>/dev/null || break
		sleep 0.1
	done
	atf_skip "dockerd does not run here: $(tail -n 1 dockerd.log)"
}
# dockerd_stop SIGNAL: the daemon, and the containerd that it started.
dockerd_stop()
{
	for _f in dockerd.pid state/containerd/containerd.pid; do
		_p=$(cat $_f 2>/dev/null) || continue
		kill "-$1" "$_p" 2>/dev/null || continue
		wait_for 60 sh -c "! kill -0 $_p"
	done
	rm -f dockerd.pid state/containerd/containerd.pid
}

atf_test_case docker_real cleanup
docker_real_head()
{
	atf_set timeout 900
}
docker_real_body()
{
	docker_here
	client_real docker '{{.Id}}'
	leave_late
	atf_check "$(libexec)/vm-docker" sweep
	atf_check -o inline:'x07-new\n' docker ps -a --format '{{.Names}}'
	docker rm -f x07-new >/dev/null
	daemon_real
	unaccepted
}
# daemon_real: it is killed while a program runs. Nothing is taken for gone, and when there
# is one again the reaper removes what is left.
daemon_real()
{
	(cd p && exec x07-vmrun -b docker -p ../sleep.json --image x07test:1 \
	    -- /bin/busybox sleep 1000) >out 2>err </dev/null &
	_pid=$!
	wait_for 60 one_runs
	dockerd_stop KILL
	_got=0
	wait $_pid || _got=$?
	[ $_got -eq 125 ] || atf_fail "$_got: $(cat err)"
	atf_check -o match:'Cannot connect to the Docker daemon' -o match:'the reaper goes on' \
	    cat err
	vmrun 125 p.json /bin/busybox true
	atf_check -o match:'^x07-vmrun: backend docker: .*Cannot connect' cat err
	dockerd_start
	# A shim may be left, of which the new containerd knows nothing.
	wait_for 60 sh -c '[ "$(count)" -eq 0 ] && [ -z "$(ls jobs)" ]'
	vmrun 0 p.json /bin/busybox true
}
docker_real_cleanup()
{
	stop_servers
	if [ -e dockerd.pid ]; then
		export DOCKER_HOST="unix://$PWD/d.sock" DOCKER_CONFIG="$PWD"
		for i in $(timeout 10 docker ps -aq); do
			timeout 10 docker rm -f "$i" >/dev/null || :
		done
		dockerd_stop TERM
	fi
	for i in $(pgrep -f "shim.*-address $PWD/"); do
		kill -9 "$i" || :
	done
	grep -F "$PWD/" /proc/self/mountinfo | cut -d' ' -f5 | sort -r |
	    while read -r m; do umount "$m" || :; done
	rm -rf docker state
	[ ! -e cgroup ] || find /sys/fs/cgroup -depth -type d -path "*$(cat cgroup)*" \
	    -exec rmdir {} + || :
}

atf_init_test_cases()
{
	for c in words_of_docker words_of_podman words_of_apple_container \
	    words_of_firecracker_ctr words_of_exec network hostile mounts digest \
	    acceptance status input slow deadline killed signals early earlier late \
	    outlived hangup kill_words gone sweep probe audit room clock vz vz_bundle \
	    vz_verbs podman_real rootless_real containerd_real docker_real; do
		atf_add_test_case $c
	done
}
