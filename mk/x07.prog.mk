# One program: PROG, SRCS, LDADD for libraries beyond the suite's own, and PROGDIR
# for another place than BINDIR.
PROGDIR?=	$(BINDIR)

all: $(PROG)

include $(TOP)/mk/x07.compile.mk

$(PROG): $(OBJS) $(LIBX07) $(LIBX07OS)
	$(CC) $(LINK) $(HARDEN) $(COPT) -o $@ $(OBJS) $(PARTS) $(LIBX07OS) $(LIBX07) $(LDADD) $(OS_LIBS)

# The same as one object, for a file that holds several programs.
$(PROG).lo: $(OBJS)
	sh $(TOP)/mk/part.sh $@ $(OBJS)

install: all
	$(INSTALL) -d $(DESTDIR)$(PROGDIR)
	$(INSTALL) $(STRIP) -m 755 $(PROG) $(DESTDIR)$(PROGDIR)/$(PROG)

clean:
	rm -f $(PROG) $(CLEANFILES) *.o *.lo *.d .buildflags

.PHONY: all install clean
