#!/bin/sh
# Checks of x07-limit without namespaces and without Landlock's signal scopes, as the first
# process of a machine of x07-limit_machine_test.sh.
# shellcheck source=tests/machine_guest.sh
. /machine_guest.sh
guest_mount

PTY='python3 /limit_pty.py'
SIGNALS='python3 /signals.py'
PYTHONDONTWRITEBYTECODE=1
export PYTHONDONTWRITEBYTECODE

# Those who hide: deaf and in sessions of their own, stopped, reborn all the time; and
# as many as there may be, in sessions of their own (the group here ends that).
cat >/tmp/leave <<'EOT'
trap '' TERM HUP INT
setsid sh -c 'sleep 60; : x07mark' &
(setsid sh -c 'kill -STOP $$; : x07mark' &)
(setsid sh /tmp/again x07mark &)
[ "$1" != wait ] || sleep 60
: x07mark
EOT
cat >/tmp/again <<'EOT'
sleep 0.02
setsid sh /tmp/again x07mark &
EOT
cat >/tmp/bomb <<'EOT'
setsid sh /tmp/bomb x07mark &
setsid sh /tmp/bomb x07mark &
sleep 60
EOT
cat >/tmp/hits.py <<'EOT'
import os, signal, time
hits = []
signal.signal(signal.SIGINT, lambda *_: hits.append(1))
signal.signal(signal.SIGCONT, lambda *_: os.write(1, b"again\n"))
os.write(1, b"ready\n")
end = time.monotonic() + 50
while not hits and time.monotonic() < end:
    time.sleep(0.02)
time.sleep(0.3)
print("hits", len(hits))
EOT

# as ROOT-OR-ONE COMMAND...
as()
{
	if [ "$1" = root ]; then
		shift
		"$@"
	else
		shift
		# shellcheck disable=SC2016 # for the inner shell
		su -s /bin/sh one -c 'exec "$0" "$@"' -- "$@"
	fi
}

# child PID: its only one.
child()
{
	tr -d ' ' <"/proc/$1/task/$1/children"
}

# swept WHO: what holds for whom, where there is no group for it.
swept()
{
	who=$1
	try "$who: way" 3 'SIGKILL of all that is found below a subreaper' \
	    as $who x07-limit -v -- sh -c 'exit 3'
	try "$who: strict" 125 '--strict: starting a process tree' as $who x07-limit --strict -- true
	try "$who: end of time" 124 'deny wall time' as $who x07-limit -t 1s -k 50ms -- sh /tmp/leave wait
	none_left "$who: end of time"
	try "$who: end of the program" 0 '' as $who x07-limit -t 50s -- sh /tmp/leave
	none_left "$who: end of the program"
	try "$who: bomb" 124 'deny wall time' as $who x07-limit -t 1s -k 50ms -- sh /tmp/bomb
	none_left "$who: bomb"
	try "$who: signals" 0 kept as $who setsid x07-limit -t 50s -- $SIGNALS
	try "$who: signals, group 0" 0 kept as $who x07-limit -t 50s -- $SIGNALS
	try "$who: signals in a terminal" 0 kept as $who $PTY end x07-limit -t 50s -- $SIGNALS group
	try "$who: stop and continue" 0 'hits 1' as $who \
	    $PTY wait:ready,key:z,stopped,cont,wait:again,key:c,end x07-limit -t 50s -- python3 /tmp/hits.py
	try "$who: stopped, end of time" 0 'status 124' as $who \
	    $PTY wait:ready,key:z,stopped,end x07-limit -t 2s -- sh -c 'echo ready; sleep 60; : x07mark'
	none_left "$who: stopped"
	for killed in supervisor reaper init; do
		rm -f /tmp/up
		as $who x07-limit -t 50s -- sh -c ': >/tmp/up; exec sh /tmp/leave wait' >/dev/null 2>&1 &
		wait_for test -e /tmp/up
		supervisor=$(grep -slx x07-limit /proc/[0-9]*/comm | cut -d/ -f3)
		reaper=$(child $supervisor)
		case $killed in
		supervisor)	kill -KILL $supervisor ;;
		reaper)		kill -KILL $reaper ;;
		init)		kill -KILL "$(child $reaper)" ;;
		esac
		wait
		none_left "$who: SIGKILL of the $killed"
	done
}

# With namespaces still, as a twin.
try 'namespaces' 0 'SIGKILL of a pid namespace' as one x07-limit -v -- true
for n in user pid mnt; do
	echo 0 >/proc/sys/user/max_${n}_namespaces
done

# grouped WHO: a group of x07-limit's own is there, and the kernel is told to kill it.
grouped()
{
	who=$1
	rm -f /tmp/watched
	as $who x07-limit -t 50s -- sh -c 'until grep -q ready /tmp/watched; do sleep 0.05; done
	    sh /tmp/leave' >/tmp/grouped 2>&1 &
	wait_for some_group
	python3 /watch.py "$(groups)/cgroup.kill" >/tmp/watched 2>&1
	wait
	grep -q written /tmp/watched
	say "$who: cgroup.kill" $? "$(cat /tmp/watched /tmp/grouped)"
	none_left "$who: cgroup.kill"
	try "$who: memory of the group" 0 'memory: 64M, a control group, which the program may leave' \
	    as $who x07-limit -v -m 64M -- true
}
some_group()
{
	[ -n "$(groups)" ]
}
grouped root

# No bomb outgrows this. It is capped, so that nobody may leave it upwards either.
mkdir $G/guard
echo '+memory +pids' >$G/cgroup.subtree_control
echo 150 >$G/guard/pids.max
echo $$ >$G/guard/cgroup.procs
swept root
swept one
guest_end
