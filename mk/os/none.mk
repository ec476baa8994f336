# No platform: everything builds, every gate refuses. Shows what a porter starts from.
OS_CPPFLAGS=	-D_GNU_SOURCE -DLIBBSD_OVERLAY -isystem /usr/include/bsd
OS_SRCS=	none.c
OS_STATIC=	-static-pie
OS_GUEST=	-static -no-pie
OS_LIBS=	-lbsd -lmd -lnettle
OS_NL_CFLAGS=
OS_NL_LIBS=
