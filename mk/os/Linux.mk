# Linux: the duties of os.h are in linux_*.c.
OS_CPPFLAGS=	-D_GNU_SOURCE -DLIBBSD_OVERLAY -isystem /usr/include/bsd
OS_SRCS=	linux_caps.c linux_exec.c linux_fd.c linux_fs.c linux_rights.c linux_filter.c linux_landlock.c \
		linux_line.c linux_loader.c linux_mounts.c linux_place.c \
		linux_ns.c linux_path.c linux_probe.c linux_tree.c linux_trace.c linux_watch.c
# x07-limit's
OS_SRCS+=	linux_cgroup.c linux_ids.c linux_proc.c linux_pump.c linux_sweep.c
# x07 doctor's
OS_SRCS+=	linux_examine.c
# A static glibc warns of functions that want its shared parts; libnl and c-ares
# hold some, for names of protocols and services, which no gate asks for.
LD_QUIET!=	ld --help 2>/dev/null | grep -q -e --no-warnings && \
		echo -Wl,--no-warnings || :
OS_STATIC=	-static-pie $(LD_QUIET)
# A guest wants the same code at the same place: see guestbin. Where -static alone makes it
# so, clang warns of the other word.
OS_GUEST=	-static -no-pie -Wno-unused-command-line-argument $(LD_QUIET)
OS_LIBS=	-lbsd -lmd -lnettle
# x07-netgate's
OS_SRCS+=	linux_net.c linux_packet.c linux_poll.c
OS_NL_CFLAGS=	-isystem /usr/include/libnl3
OS_NL_LIBS=	-lnl-route-3 -lnl-3 -lpthread
# x07-vmrun's
OS_SRCS+=	linux_kvm.c linux_vm.c
