#!/usr/bin/env atf-sh
# shellcheck disable=SC2086 # $AS is a list of words
# Class 34: a guest that was taken over and does what the gates in it deny.
. "$X07_TESTS/lib.sh"

atf_test_case files
files_head()
{
	atf_set descr "34: what such a guest leaves in a writable root"
	atf_set timeout 900
	# The guest's root is nobody to a server of files that an ordinary user runs.
	atf_set require.user root
}
do_files()
{
	export X07_VM_STATE_DIR="$PWD/jobs" X07_VM_CACHE_DIR="$PWD/cache"
	firm_work_dir
	rm -rf jobs cache out image p.json
	$AS mkdir jobs cache out
	$AS x07-policy init --template cli --out p.json >/dev/null ||
	    atf_fail "x07-policy init"
	sed -i 's/\("max_write_bytes": \)[0-9]*/\1100000/' p.json
	atf_check -o ignore $AS x07-vmrun image -o image
	cat >files.sh <<-END
	b=/busybox
	cd /share$PWD/out || exit
	for f in a b; do echo text >\$f; done
	\$b chmod 755 a && echo mode >>log
	\$b chmod 4755 b && echo setuid >>log
	\$b chmod 2755 b && echo setgid >>log
	\$b mkdir d && echo directory >>log
	\$b ln -s /etc/passwd l && echo link >>log
	\$b mv a c && echo renamed >>log
	\$b rm c && echo removed >>log
	\$b head -c 300000 /dev/zero >large
	\$b dd if=/dev/zero of=far bs=1 count=1 seek=300000
	echo "\$(\$b wc -c <large)" >>log
	./reserve >>log
	echo end >>log
	END
	cat >reserve.c <<-'END'
	#define _GNU_SOURCE
	#include <errno.h>
	#include <fcntl.h>
	#include <stdio.h>
	int
	main(void)
	{
		int fd = open("taken", O_RDWR | O_CREAT, 0644);
		int past = fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 1 << 24) == 0 ? 0 : errno;
		int plain = fallocate(fd, 0, 0, 50000) == 0 ? 0 : errno;

		printf("%d %d\n", past, plain);
		return 0;
	}
	END
	atf_check cc -static -o reserve reserve.c
	$AS cp reserve out/
	# The share is named root; what is in it is at the place it has here.
	cat >guest.sh <<-END
	#!/busybox sh
	b=/busybox
	\$b mount -t devtmpfs d /dev
	for m in /modules/*.ko; do \$b insmod \$m; done
	\$b mkdir -p /share
	until \$b mount -t virtiofs root /share; do \$b sleep 1; done
	\$b sh /files.sh
	\$b reboot -f
	END
	chmod 644 guest.sh files.sh
	$AS $PY "$X07_TESTS/escape/vm_guest.py" image guest.sh files.sh
	run
	atf_check -o inline:"mode\ndirectory\nrenamed\n100000\n95 0\nend\n" cat out/log
	atf_check test ! -s out/far
	atf_check -o empty find out -perm /6000
	# The twin: what the policy lets the program do, but for those modes.
	sed -i 's/\("allow_\(symlinks\|remove\)": \)false/\1true/
	    s/\("allow_mkdir": \)true/\1false/
	    s/\("max_write_bytes": \)[0-9]*/\1400000/' p.json
	$AS rm -rf out
	$AS mkdir out
	$AS cp reserve out/
	run
	atf_check -o inline:"mode\nlink\nrenamed\nremoved\n300000\n95 0\nend\n" cat out/log
	atf_check -o inline:"300001\n" stat -c %s out/far
	atf_check -o empty find out -perm /6000
}
# The machine ends before it said anything.
run()
{
	atf_check -s exit:125 -e match:'the machine ended before' \
	    $AS timeout 300 x07-vmrun -b qemu --image "$PWD/image" -p p.json -- /bin/true
}
PY=/usr/bin/python3
need_busybox()
{
	case $(file -L /bin/busybox) in
	*static*) ;;
	*) atf_skip "/bin/busybox is not static" ;;
	esac
}
files_body()
{
	need_busybox
	AS=
	do_files
}

atf_test_case panic
panic_head()
{
	atf_set descr "34: a guest whose kernel panics under the program"
	atf_set timeout 600
}
panic_body()
{
	need_busybox
	export X07_VM_STATE_DIR="$PWD/jobs" X07_VM_CACHE_DIR="$PWD/cache"
	mkdir jobs cache
	x07-policy init --template cli --out p.json >/dev/null || atf_fail "x07-policy init"
	atf_check -o ignore x07-vmrun image -o image
	cp "$(dirname "$(command -v x07-vmrun)")/../libexec/x07/guestinit" .
	# The guest's own first process, and beside it one that waits until the program
	# runs, and for which the kernel kills and stops no first process, but writes
	# over its code.
	cat >guest.sh <<-'END'
	#!/busybox sh
	b=/busybox
	$b mkdir -p /proc /dev
	$b mount -t proc p /proc
	$b mknod /dev/null c 1 3
	(
	    until $b grep -qx sleep /proc/[0-9]*/comm; do
		$b sleep 0.1
	    done 2>/dev/null
	    $b kill -STOP 1
	    $b kill -KILL 1
	    while read -r range how rest; do
		[ "$how" = r-xp ] || continue
		at=$((0x${range%%-*} / 4096)) to=$((0x${range##*-} / 4096))
		$b dd if=/dev/zero of=/proc/1/mem bs=4096 seek=$at \
		    count=$((to - at)) conv=notrunc 2>/dev/null
	    done </proc/1/maps
	    $b kill -CHLD 1
	) &
	exec /guestinit
	END
	$PY "$X07_TESTS/escape/vm_guest.py" image guest.sh guestinit
	timeout 300 x07-vmrun -b qemu --image "$PWD/image" -p p.json -- /bin/sleep 600 \
	    >out 2>err
	status=$?
	[ "$status" -eq 125 ] || atf_fail "exit $status: $(cat err)"
	atf_check -o match:'^vm-qemu: the machine ended under the program: .*Kernel panic' cat err
	[ "$(wc -l <err)" -eq 1 ] || atf_fail "$(cat err)"
	[ -z "$(ls jobs)" ] || atf_fail "left: $(ls jobs)"
}

atf_init_test_cases()
{
	atf_add_test_case files
	atf_add_test_case panic
}
