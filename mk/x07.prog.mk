# One program: PROG, SRCS, LDADD for libraries beyond the suite's own, and PROGDIR
# for another place than BINDIR.
PROGDIR?=	$(BINDIR)

all: $(PROG)

include $(TOP)/mk/x07.compile.mk

$(PROG): $(OBJS) $(LIBX07) $(LIBX07OS)
	$(CC) $(LINK) $(HARDEN) $(COPT) -o $@ $(OBJS) $(PARTS) $(LIBX07OS) $(LIBX07) $(LDADD) $(OS_LIBS)

install: all
	$(INSTALL) -d $(DESTDIR)$(PROGDIR)
	$(INSTALL) $(STRIP) -m 755 $(PROG) $(DESTDIR)$(PROGDIR)/$(PROG)

clean:
	rm -f $(PROG) $(CLEANFILES) *.o *.d .buildflags

.PHONY: all install clean
