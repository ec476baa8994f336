# Settings shared by every Makefile. TOP is set by the includer, absolute.

HOST_OS!=	uname -s
PLATFORM?=	$(HOST_OS)

PREFIX?=	/usr/local
BINDIR?=	$(PREFIX)/bin
LIBEXECDIR?=	$(PREFIX)/libexec/x07
SHAREDIR?=	$(PREFIX)/share/x07
MANDIR?=	$(PREFIX)/share/man
BASHCOMPDIR?=	$(PREFIX)/share/bash-completion/completions
ZSHCOMPDIR?=	$(PREFIX)/share/zsh/site-functions
FISHCOMPDIR?=	$(PREFIX)/share/fish/vendor_completions.d

include $(TOP)/mk/os/$(PLATFORM).mk

COPT?=		-O2 -g
WERROR?=	-Werror
WARN=		-Wall -Wextra -Wpedantic -Wshadow -Wconversion \
		-Wmissing-prototypes -Wstrict-prototypes -Wwrite-strings $(WERROR)
HARDEN?=	-fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE

X07_CPPFLAGS=	-I$(TOP)/lib/libx07 -I$(TOP)/lib/libx07os $(OS_CPPFLAGS)
X07_CFLAGS=	-std=c11 $(WARN) $(X07_CPPFLAGS) $(HARDEN) $(COPT)

# Gates are static where the platform can: a gate starts in the time that a
# dynamic loader needs to find its first library. SANITIZE builds set LINK=.
LINK?=		$(OS_STATIC)
GUEST_LINK?=	$(OS_GUEST)

LIBX07=		$(TOP)/lib/libx07/libx07.a
LIBX07OS=	$(TOP)/lib/libx07os/libx07os.a

INSTALL?=	install
# Gates are copied into bundles and guests: without what only a debugger reads.
# A packager who wants that kept sets STRIP=.
STRIP?=		-s
