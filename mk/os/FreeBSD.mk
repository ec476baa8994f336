# FreeBSD: builds, and every gate refuses, until freebsd_*.c exists.
OS_CPPFLAGS=	-I/usr/local/include
OS_SRCS=	none.c
OS_STATIC=
OS_LIBS=	-L/usr/local/lib -lnettle
OS_NL_CFLAGS=
OS_NL_LIBS=
