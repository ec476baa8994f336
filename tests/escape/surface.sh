# surface.sh - class 25: what gates take from a program beside their own job. Read by the
# tests of each gate, whose stopped and works make the attempts of surface_attack.py then.
# shellcheck shell=sh

# ungated NAME ARGS: the attempt succeeds without a gate, or its denial would mean nothing.
ungated()
{
	atf_check -o match:'^got' \
	    $AS /usr/bin/python3 "$X07_TESTS/escape/surface_attack.py" "$@"
}

# surface_of_all OPTIONS: what x07(7) says of every gate; a thread that starts /bin/true
# works with OPTIONS.
surface_of_all()
{
	works "$@" -- thread
	for call in bpf userfaultfd perf_event_open add_key io_uring_setup; do
		stopped -- surface $call
	done
	stopped -- mount fsopen
	if [ "$(uname -m)" = x86_64 ]; then
		works -- native
		stopped -- x32
		stopped -- i386
	fi
	# Not every one can run such programs.
	if [ "$(uname -m)" = aarch64 ] &&
	    $AS /usr/bin/python3 "$X07_TESTS/escape/surface_attack.py" arm; then
		stopped -- arm
	fi
	if as_root; then
		for call in bpf perf_event_open; do
			ungated surface $call
		done
		ungated mount fsopen
	fi
	ungated surface add_key
}

# surface_of_last: what the gates take that let no other gate in behind them.
surface_of_last()
{
	for m in tmpfs bind remount umount open_tree setattr pivot_root chroot; do
		stopped -- mount $m
	done
	# CLONE_NEWUSER, NEWNS, NEWPID, NEWNET, NEWIPC, NEWUTS, NEWCGROUP
	for ns in 0x10000000 0x20000 0x20000000 0x40000000 0x8000000 0x4000000 \
	    0x2000000 0x10020000; do
		stopped -- unshare $ns
	done
	ungated unshare 0x10000000
	# CLONE_FILES concerns only the process itself.
	works -- unshare 0x400
	stopped -- clone3_newuser
	ungated clone3_newuser
	stopped -- clone3_plain
}
