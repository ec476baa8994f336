#!/bin/sh
# Checks of x07-limit below systemd(1), inside a machine of x07-limit_machine_test.sh.
# shellcheck source=tests/machine_guest.sh
. /machine_guest.sh

# four: processes that have 25 MB each at one time; says how many had them.
cat >/tmp/four <<'EOT'
d=/tmp/four.$$
mkdir $d
cd $d || exit
for i in 1 2 3 4; do
	dd if=/dev/zero bs=25M count=1 2>/dev/null | {
		# Its first byte is written, or it is gone.
		dd bs=1 count=1 2>/dev/null | wc -c >$i.part
		mv $i.part $i
		until [ -e 1 ] && [ -e 2 ] && [ -e 3 ] && [ -e 4 ]; do sleep 0.05; done
	} &
done
wait
echo "had $(cat 1 2 3 4 | grep -c 1)"
rm -r $d
EOT
# Leaves a deaf one in a session of its own, and a stopped one.
cat >/tmp/leave <<'EOT'
trap '' TERM HUP INT
setsid sh -c 'sleep 60; : x07mark' &
(setsid sh -c 'kill -STOP $$; : x07mark' &)
sleep 60
: x07mark
EOT

# limits NAME COMMAND...: what must hold when the command puts x07-limit in a place.
limits()
{
	at=$1
	shift
	try "$at: strict" 0 'memory: 64M, cgroup v2' "$@" x07-limit --strict -v -m 64M -u 8 -c 5s -- true
	try "$at: memory of several" 0 'deny memory' "$@" x07-limit -m 64M -- sh /tmp/four
	try "$at: memory, twin" 0 'had 4' "$@" x07-limit -m 200M -- sh /tmp/four
	try "$at: processes" 2 'deny processes sh' "$@" x07-limit -u 3 -- sh -c 'sleep 9 & sleep 9 & sleep 9 & wait'
	try "$at: processes, twin" 0 '' "$@" x07-limit -u 4 -- sh -c 'sleep 0.1 & sleep 0.1 & sleep 0.1 & wait'
	try "$at: daemons" 124 'deny wall time' "$@" x07-limit -t 1s -k 50ms -m 64M -u 8 -- \
	    sh /tmp/leave x07mark
	none_left "$at"
}

# weaker NAME ADVICE COMMAND...: there no group holds it, which is said.
weaker()
{
	at=$1 advice=$2
	shift 2
	try "$at" 0 'memory: 64M, of each process by itself' "$@" x07-limit -v -m 64M -u 8 -- true
	try "$at: strict" 125 "$advice" "$@" x07-limit --strict -m 64M -- true
}

# reload NAME STATUS TEXT RELOAD COMMAND...: what becomes of a limit when the manager of
# units reloads.
reload()
{
	at=$1 status=$2 expect=$3 reload=$4
	shift 4
	rm -f /tmp/up /tmp/reloaded
	(wait_for test -e /tmp/up; $reload; : >/tmp/reloaded) &
	# shellcheck disable=SC2016 # for the program
	try "$at: reload" "$status" "$expect" "$@" x07-limit -m 64M -u 8 -- sh -c '
	    : >/tmp/up
	    until [ -e /tmp/reloaded ]; do sleep 0.05; done
	    cat "/sys/fs/cgroup$(sed s/0::// /proc/self/cgroup)/../memory.max" || sleep 9'
	wait
}

run='systemd-run -q --scope'
of_root="$run -p Delegate=yes"
of_one="$run --uid=1000 --gid=1000 -p User=one -p Delegate=yes"
service="systemd-run -q --wait --pipe -p Delegate=yes"
# A session of the user's.
session="$run --slice=user-1000.slice --uid=1000 --gid=1000 env XDG_RUNTIME_DIR=/run/user/1000"
manager="$session systemd-run -q --user --scope"
for_root='a control group would hold it: start under systemd-run --scope -p Delegate=yes'
for_one='or start under systemd-run --user --scope -p Delegate=yes'

limits 'scope of root' $of_root
limits 'scope of a user' $of_one
try 'service of root: strict' 0 'memory: 64M, cgroup v2' $service x07-limit --strict -v -m 64M -u 8 -- true
try 'service of a user: strict' 0 'memory: 64M, cgroup v2' $service -p User=one x07-limit --strict -v -m 64M -u 8 -- true
mkdir -p /run/user/1000
chmod 700 /run/user/1000
chown 1000:1000 /run/user/1000
try 'user manager' 0 '' systemctl start user@1000.service
limits 'user manager' $manager -p Delegate=yes

weaker 'not delegated, root' "$for_root" $run
weaker 'not delegated, user' "$for_one" $run --uid=1000 --gid=1000
weaker 'session of a user' "$for_one" $session

reload 'scope of root' 0 67108864 'systemctl daemon-reload' $of_root
reload 'not capped, root' 0 67108864 'systemctl daemon-reload' $run -p TasksMax=infinity
reload 'user manager' 0 67108864 "$session systemctl --user daemon-reload" $manager -p Delegate=yes
reload 'user manager, not delegated' 137 'has lost its limits: start under systemd-run --user' \
    "$session systemctl --user daemon-reload" $manager

# Killed as the stop of a unit would after its time.
rm -f /tmp/up
(wait_for test -e /tmp/up; killall -KILL x07-limit) &
try 'supervisor killed' 137 '' $of_root x07-limit -m 64M -- sh -c ': >/tmp/up; setsid sleep 60; : x07mark'
wait
none_left 'supervisor killed'
guest_end
