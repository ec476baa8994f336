# shellcheck shell=sh
# What the checks inside a machine of machine.sh use. Sourced there, by busybox.

export PATH=/usr/bin:/usr/sbin
G=/sys/fs/cgroup

# guest_mount: the file systems, where no systemd did it.
guest_mount()
{
	mount -t proc p /proc
	mount -t sysfs s /sys
	mount -t devtmpfs d /dev
	mkdir /dev/pts /dev/shm
	mount -t devpts p /dev/pts
	mount -t tmpfs t /tmp
	chmod 1777 /tmp
	mount -t cgroup2 c $G
	# Ends the line that the firmware began.
	echo
}

# say NAME VERDICT [TEXT]: a line for the host. The verdict is a status.
say()
{
	if [ "$2" -eq 0 ]; then
		echo "pass $1 ($(cut -d' ' -f1 /proc/uptime))"
	else
		echo "FAIL $1: $(echo "$3" | tr '\n' '|')"
	fi
}

# try NAME STATUS TEXT COMMAND...: it must end so (1|2: or so), and say that.
try()
{
	name=$1 want=$2 text=$3
	shift 3
	got=0
	"$@" >/tmp/out 2>&1 </dev/null || got=$?
	echo >>/tmp/out
	case "|$want|" in
	*"|$got|"*) grep -Fq -e "$text" /tmp/out ;;
	*) false ;;
	esac
	say "$name" $? "status $got: $(cat /tmp/out)"
	rm -f /tmp/file
}

# marked: how many processes have the word x07mark in their command line.
marked()
{
	grep -lae '[x]07mark' /proc/[0-9]*/cmdline 2>/dev/null | wc -l
}

# wait_for COMMAND...: until it succeeds, for some seconds.
wait_for()
{
	n=200
	until "$@" >/dev/null 2>&1; do
		n=$((n - 1))
		[ $n -gt 0 ] || return 1
		sleep 0.05
	done
}

# none_left NAME [WORD...]: soon there is no such process, and no control group of
# x07-limit's but those that find(1) leaves out for these words.
none_left()
{
	name=$1
	shift
	wait_for nothing "$@"
	say "$name: nothing left" $? "$(marked; groups "$@")"
}
nothing()
{
	[ "$(marked)" -eq 0 ] && [ -z "$(groups "$@")" ]
}
groups()
{
	find $G -type d -name 'x07-*' "$@"
}

# guest_end: the machine is done.
guest_end()
{
	echo end
	poweroff -f
}
