#!/bin/sh
# Installs what is missing on this machine, and does nothing (no network, no
# package manager started) when nothing is.
#
#	deps.sh		what building and "make run" need
#	deps.sh check	that, and what the tests and lints need
#	deps.sh -l	lists everything with its reason
set -eu

# System directories only: a tool under somebody's home is no use to other users.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH

# set   probe                        apt                  apk                pkg             why
table='
build   cmd:cc                       gcc                  gcc                -               compiler
build   cmd:make                     make                 make               gmake           build
build   inc:stdio.h                  libc6-dev            musl-dev           -               C library headers
build   inc:linux/landlock.h         linux-libc-dev       linux-headers      -               kernel interface headers
build   inc:bsd/stdlib.h             libbsd-dev           libbsd-dev         libbsd          BSD idioms: strlcpy, strtonum, setproctitle
build   lib:libbsd.a                 libbsd-dev           libbsd-static      libbsd          the same for the static gates
build   lib:libmd.a                  libmd-dev            libmd-dev          -               what the static libbsd needs
build   inc:nettle/sha2.h            nettle-dev           nettle-dev         nettle          SHA-256, by instructions of the processor
build   lib:libnettle.a              nettle-dev           nettle-static      nettle          the same for the static gates
build   inc:libnl3/netlink/netlink.h libnl-3-dev          libnl3-dev         -               netlink: the routes of the empty network namespace
build   lib:libnl-3.a                libnl-3-dev          libnl3-static      -               the same for the static gate
build   inc:libnl3/netlink/route/route.h libnl-route-3-dev libnl3-dev        -               routes and links through libnl
build   inc:ares.h                   libc-ares-dev        c-ares-dev         c-ares          names outside, asynchronous, with their time to live
build   inc:cjson/cJSON.h            libcjson-dev         cjson-dev          libcjson        reading JSON
build   cmd:curl                     curl                 curl               curl            the real program of make run
build   cmd:python3                  python3              python3            python3         the servers of make run and the tests
check   cmd:kyua                     kyua                 kyua               kyua            runs the tests
check   cmd:atf-sh                   atf-sh               atf                atf             tests in sh
check   inc:atf-c.h                  libatf-dev           atf-dev            atf             tests in C
check   cmd:bmake                    bmake                bmake              -               the other make that must build the tree
check   cmd:clang                    clang                clang              -               second compiler, sanitizers, fuzzers
check   lib:clang-rt                 libclang-rt-14-dev   compiler-rt        -               sanitizer and fuzzer run-time of clang
check   cmd:musl-gcc                 musl-tools           -                  -               the C library of Alpine: all must compile with its headers
check   cmd:aarch64-linux-gnu-gcc    gcc-aarch64-linux-gnu -                 -               the other processor that all must compile for
check   /usr/aarch64-linux-gnu/include/stdio.h libc6-dev-arm64-cross - -             the headers of it
check   cmd:clang-tidy               clang-tidy           clang-extra-tools  -               lint
check   cmd:shellcheck               shellcheck           shellcheck         hs-ShellCheck   lint of sh
check   cmd:mandoc                   mandoc               mandoc             -               lint of manual pages
check   cmd:git                      git                  git                git             real program under test; clean clones
check   cmd:busybox                  busybox-static       busybox-static     busybox         real static program under test
check   cmd:wget                     wget                 wget               wget            real program under test
check   cmd:openssl                  openssl              openssl            openssl         real program under test
check   cmd:node                     nodejs               nodejs             node            real program under test
check   cmd:go                       golang-go            go                 go              programs that make system calls without libc
check   cmd:jq                       jq                   jq                 jq              reads reports in tests; peer of bench
check   cmd:setpriv                  util-linux           setpriv            -               the ordinary user of the tests; unshare
check   cmd:ip                       iproute2             iproute2           -               network namespaces of the tests
check   cmd:ps                       procps               procps             -               process counts in tests
check   cmd:useradd                  passwd               shadow             -               the ordinary user of the tests
check   cmd:podman                   podman               podman             -               the backend podman, for real
check   cmd:crun                     crun                 crun               -               what podman asks for before it does anything
check   cmd:runc                     runc                 runc               -               runs the containers of both where crun does not
check   cmd:ctr                      containerd           containerd-ctr     -               the words of the firecracker-ctr backend, for real
check   cmd:containerd               containerd           containerd         -               the same
check   cmd:bwrap                    bubblewrap           bubblewrap         -               peer of bench
check   cmd:hyperfine                hyperfine            hyperfine          hyperfine       measures bench
check   cmd:pasta                    passt                passt              -               peer of bench
check   cmd:slirp4netns              slirp4netns          slirp4netns        -               peer of bench
check   cmd:pv                       pv                   pv                 pv              peer of bench
check   cmd:s6-softlimit             s6                   s6                 s6              peer of bench
check   cmd:skopeo                   skopeo               skopeo             skopeo          reads the OCI images of x07-bundle in tests
check   cmd:ksh                      ksh                  loksh              ksh             x07 must run under it too
check   cmd:qemu-system-x86_64       qemu-system-x86      qemu-system-x86_64 -               the machine of x07-vmrun, real in its tests
check   cmd:mksquashfs           squashfs-tools       squashfs-tools     squashfs-tools  the files of a guest whose kernel has no virtiofs and no 9p
check   vm:kernel                    @kernel              -                  -               the kernel of its guest, unpacked beside the system
check   cmd:systemctl                systemd              -                    -               first process of a machine of the tests; systemd-run
check   cmd:dbus-daemon              dbus                 dbus                 dbus            the bus of that machine
check   cmd:zsh                      zsh                  zsh                zsh             its completions are loaded in tests
'

# The emulator is that of this processor.
case $(uname -m) in
aarch64)
	table=$(echo "$table" | sed 's/qemu-system-x86_64/qemu-system-aarch64/g
	    s/qemu-system-x86 /qemu-system-arm /') ;;
esac

list=false want=build
case ${1-} in
'') ;;
check) want='build check' ;;
-l) list=true ;;
*) echo "usage: deps.sh [check | -l]" >&2; exit 2 ;;
esac

if $list; then
	echo "$table" | while read -r _ _ apt _ _ why; do
		[ -z "$apt" ] || printf '%-20s %s\n' "$apt" "$why"
	done
	exit 0
fi

# Is what the probe names here already? Only built-ins: this runs at each make.
present()
{
	case $1 in
	/*) [ -e "$1" ] ;;
	cmd:*) command -v "${1#cmd:}" >/dev/null 2>&1 ;;
	inc:*)
		for d in /usr/include /usr/include/*-linux-* /usr/local/include; do
			[ ! -e "$d/${1#inc:}" ] || return 0
		done
		return 1 ;;
	lib:clang-rt)
		for d in /usr/lib/llvm*/lib/clang/*/lib/linux/libclang_rt.fuzzer* \
		    /usr/lib/clang/*/lib/*/libclang_rt.fuzzer*; do
			[ ! -e "$d" ] || return 0
		done
		return 1 ;;
	vm:kernel)
		for d in /boot/vmlinuz* /usr/local/lib/x07/kernel/boot/vmlinuz*; do
			[ ! -r "$d" ] || return 0
		done
		return 1 ;;
	lib:*)
		for d in /usr/lib /usr/lib/*-linux-* /lib/*-linux-* /usr/local/lib; do
			[ ! -e "$d/${1#lib:}" ] || return 0
		done
		return 1 ;;
	esac
}

if command -v apt-get >/dev/null 2>&1; then
	manager=apt
elif command -v apk >/dev/null 2>&1; then
	manager=apk
elif command -v pkg >/dev/null 2>&1; then
	manager=pkg
else
	manager=none
fi

missing=$(
	echo "$table" | while read -r set probe apt apk pkg _; do
		case " $want " in
		*" $set "*) ;;
		*) continue ;;
		esac
		present "$probe" && continue
		case $manager in
		apt) name=$apt ;;
		apk) name=$apk ;;
		pkg) name=$pkg ;;
		*) name=${probe#*:} ;;
		esac
		[ "$name" = - ] || echo "$name"
	done | sort -u
)
[ -n "$missing" ] || exit 0

# shellcheck disable=SC2086 # one word per package
set -- $missing
if [ "$manager" = none ]; then
	echo "deps.sh: no apt-get, apk or pkg here; please install: $*" >&2
	exit 1
fi
sudo=
if [ "$(id -u)" -ne 0 ]; then
	command -v sudo >/dev/null 2>&1 || {
		echo "deps.sh: neither root nor sudo; please install: $*" >&2
		exit 1
	}
	sudo=sudo
fi
# unpack_kernel: a kernel and its modules without installing one, which would
# make an initramfs and a boot entry of this machine.
unpack_kernel()
{
	_arch=$(dpkg --print-architecture)
	_package=$(apt-cache depends "linux-image-cloud-$_arch" |
	    sed -n 's/.*Depends: \(linux-image-[0-9][^ ]*\)$/\1/p' | head -n 1)
	_tmp=$(mktemp -d)
	(cd "$_tmp" && apt-get download -qq "$_package") >&2
	$sudo mkdir -p /usr/local/lib/x07/kernel
	$sudo dpkg -x "$_tmp"/linux-image-*.deb /usr/local/lib/x07/kernel
	rm -rf "$_tmp"
}

echo "deps.sh: installing $*" >&2
case $manager in
apt)
	$sudo apt-get update -qq
	kernel=no
	for p; do
		shift
		case $p in
		@kernel) kernel=yes ;;
		*) set -- "$@" "$p" ;;
		esac
	done
	[ $# -eq 0 ] || $sudo env DEBIAN_FRONTEND=noninteractive \
	    apt-get install -y -qq --no-install-recommends "$@" >&2
	[ "$kernel" = no ] || unpack_kernel ;;
apk) $sudo apk add --quiet "$@" >&2 ;;
pkg) $sudo pkg install -y -q "$@" >&2 ;;
esac
