# shellcheck shell=sh
# A machine of a test's own: a kernel of the distribution under QEMU, whose root is an
# initramfs of files of this machine. Sourced, after lib.sh.
#
#	machine_new
#	machine_put "$(command -v x07-limit)"
#	machine_script checks.sh init		# its first process; or machine_systemd, which
#						# starts /checks
#	machine_run NUMBER			# that many lines "pass" are expected
#
# The checks say what they see with the functions of machine_guest.sh.

# machine_kernel: the kernel of x07-vmrun, or of the distribution.
machine_kernel()
{
	for _k in "${X07_VM_KERNEL:-}" /boot/vmlinuz* /usr/local/lib/x07/kernel/boot/vmlinuz*; do
		if [ -r "$_k" ]; then
			echo "$_k"
			return
		fi
	done
}

# machine_qemu: sets $QEMU, the words of its machine, and $CONSOLE as the kernel calls it.
machine_qemu()
{
	case $(uname -m) in
	aarch64) QEMU='qemu-system-aarch64 -cpu max,pauth-impdef=on -M virt' CONSOLE=ttyAMA0 ;;
	*) QEMU='qemu-system-x86_64 -cpu max -M pc' CONSOLE=ttyS0 ;;
	esac
}

# machine_new: an empty root with the programs of busybox; skips where there is none to
# boot it.
machine_new()
{
	[ -n "$(machine_kernel)" ] ||
	    atf_skip "no kernel for a guest: apt-get install a linux-image-cloud"
	machine_qemu
	for _p in ${QEMU%% *} busybox; do
		command -v $_p >/dev/null || atf_skip "$_p is missing"
	done
	for _d in usr/bin usr/sbin usr/lib usr/lib64 proc sys dev tmp run etc; do
		mkdir -p "root/$_d"
	done
	for _d in bin sbin lib lib64; do
		ln -s usr/$_d root/$_d
	done
	chmod 1777 root/tmp
	machine_put "$(command -v busybox)"
	for _p in $(busybox --list); do
		[ -e "root/bin/$_p" ] || ln -s busybox "root/bin/$_p"
	done
	cp "$X07_TESTS/machine_guest.sh" root/
	cat >root/etc/passwd <<-'EOT'
	root::0:0::/:/bin/sh
	one:x:1000:1000::/:/bin/sh
	EOT
	echo 'one:x:1000:' >root/etc/group
}

# machine_put FILE...: puts it there under its name and its real one, with the libraries
# that it needs. A file of the tested stage goes to /usr/bin.
machine_put()
{
	for _f; do
		_real=$(readlink -f "$_f")
		case $_f in
		"${X07_TESTS%/tests}"/*) _f=/usr/bin/${_f##*/} ;;
		esac
		for _l in $(ldd "$_real" 2>/dev/null | grep -o '/[^ ]*'); do
			[ -e "root$_l" ] || machine_copy "$(readlink -f "$_l")" "$_l"
		done
		[ -e "root$_f" ] || machine_copy "$_real" "$_f"
	done
}

machine_copy()
{
	mkdir -p "root${2%/*}"
	cp "$1" "root$2"
}

# machine_python MODULE...: python3 with these and what they import.
machine_python()
{
	machine_put /usr/bin/python3
	# Compiled here, as that takes its time there.
	for _f in $(/usr/bin/python3 -S - "$@" <<-'EOT'
	import importlib, py_compile, sys
	for name in sys.argv[1:]:
	    importlib.import_module(name)
	for module in list(sys.modules.values()):
	    name = getattr(module, "__file__", None)
	    if module.__name__ == "__main__" or not name:
	        continue
	    if name.endswith(".py"):
	        py_compile.compile(name, cfile="root" + name + "c", dfile=name)
	    else:
	        print(name)
	EOT
	); do
		machine_put "$_f"
	done
}

# machine_script FILE NAME: a script of the tests under a name there.
machine_script()
{
	machine_copy "$X07_TESTS/$1" "/$2"
	chmod 755 "root/$2"
}

# machine_systemd: systemd(1) as its first process, which starts /checks; the message bus,
# over which the manager of a user asks for processes to be moved; that manager as
# user@UID.service, without PAM.
machine_systemd()
{
	for _p in systemd-run systemctl dbus-daemon; do
		command -v $_p >/dev/null || atf_skip "$_p is missing"
		machine_put "$(command -v $_p)"
	done
	[ -e /lib/systemd/systemd ] || atf_skip "systemd is missing"
	machine_put /lib/systemd/systemd
	[ ! -e /lib/systemd/systemd-executor ] || machine_put /lib/systemd/systemd-executor
	for _f in system.conf system.d/org.freedesktop.systemd1.conf; do
		[ -e "/usr/share/dbus-1/$_f" ] || atf_skip "dbus is missing: $_f"
		machine_copy "/usr/share/dbus-1/$_f" "/usr/share/dbus-1/$_f"
	done
	echo 'messagebus:x:100:100::/:/bin/sh' >>root/etc/passwd
	echo 'messagebus:x:100:' >>root/etc/group
	: >root/etc/machine-id
	echo ID=x07 >root/etc/os-release
	# Instead of all that belongs to a whole system.
	_units="root/etc/systemd/system"
	mkdir -p $_units root/etc/systemd/user
	for _f in $_units/sysinit.target $_units/basic.target root/etc/systemd/user/basic.target \
	    root/etc/systemd/user/default.target; do
		printf '[Unit]\nDefaultDependencies=no\n' >$_f
	done
	cat >$_units/default.target <<-'EOT'
	[Unit]
	DefaultDependencies=no
	Wants=checks.service
	EOT
	cat >$_units/checks.service <<-EOT
	[Unit]
	DefaultDependencies=no
	Wants=dbus.service
	After=dbus.service
	[Service]
	ExecStart=/checks
	StandardOutput=file:/dev/$CONSOLE
	StandardError=inherit
	EOT
	cat >$_units/dbus.socket <<-'EOT'
	[Unit]
	DefaultDependencies=no
	[Socket]
	ListenStream=/run/dbus/system_bus_socket
	EOT
	cat >$_units/dbus.service <<-'EOT'
	[Unit]
	DefaultDependencies=no
	Requires=dbus.socket
	[Service]
	Type=notify
	ExecStart=/usr/bin/dbus-daemon --system --address=systemd: --nofork --nopidfile --systemd-activation
	EOT
	# As the one of systemd.
	cat >$_units/user@.service <<-'EOT'
	[Unit]
	DefaultDependencies=no
	[Service]
	User=%i
	Type=notify
	Slice=user-%i.slice
	Delegate=pids memory cpu
	Environment=XDG_RUNTIME_DIR=/run/user/%i
	ExecStart=/lib/systemd/systemd --user
	EOT
}

# machine_run NUMBER [WORD...]: boots it, with these words for the kernel, and checks
# that the number of checks passed and none failed.
machine_run()
{
	_n=$1
	shift
	(cd root && find . | busybox cpio -o -H newc -R 0:0 2>/dev/null) >initrd
	# Not KVM, which some machines have only in name.
	timeout 300 $QEMU,accel=tcg -m 768 -nographic \
	    -no-reboot -nic none -kernel "$(machine_kernel)" -initrd initrd \
	    -append "console=$CONSOLE quiet loglevel=1 panic=-1 $*" </dev/null >console 2>&1
	tr -d '\r' <console >lines
	rm -rf root initrd
	grep -q '^end$' lines || atf_fail "the guest did not end: $(tail -5 lines)"
	if grep '^FAIL' lines >failed; then
		atf_fail "$(tr '\n' ' ' <failed)"
	fi
	[ "$(grep -c '^pass' lines)" -eq "$_n" ] ||
	    atf_fail "$(grep -c '^pass' lines) passed: $(tr '\n' ' ' <lines)"
}
