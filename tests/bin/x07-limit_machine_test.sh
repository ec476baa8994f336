#!/usr/bin/env atf-sh
# x07-limit where this machine is not like that: below systemd, and without namespaces on
# a kernel without Landlock's signal scopes. In machines of their own.

. "$X07_TESTS/lib.sh"
. "$X07_TESTS/machine.sh"

atf_test_case systemd
systemd_head()
{
	atf_set descr "Scopes and services of systemd: delegated, not delegated, reloaded"
	atf_set timeout 400
}
systemd_body()
{
	machine_new
	machine_systemd
	machine_put "$(command -v x07-limit)"
	machine_script bin/x07-limit_systemd.sh checks
	machine_run 35 rdinit=/lib/systemd/systemd systemd.unit=default.target \
	    systemd.unified_cgroup_hierarchy=1 systemd.show_status=0
}

atf_test_case swept
swept_head()
{
	atf_set descr "Without namespaces and signal scopes: all gone, the supervisors out of reach"
	atf_set timeout 400
}
swept_body()
{
	machine_new
	case $(machine_kernel) in
	*vmlinuz-[45].* | *vmlinuz-6.[0-9].* | *vmlinuz-6.1[01].*) ;;
	*) atf_skip "this kernel has signal scopes: $(machine_kernel)" ;;
	esac
	machine_put "$(command -v x07-limit)"
	machine_python ctypes errno fcntl os pty select signal socket struct sys time
	machine_script limit_pty.py limit_pty.py
	machine_script bin/x07-limit_signals.py signals.py
	machine_script bin/x07-limit_watch.py watch.py
	machine_script bin/x07-limit_swept.sh init
	machine_run 38
}

atf_init_test_cases()
{
	atf_add_test_case swept
	atf_add_test_case systemd
}
