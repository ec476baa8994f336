# One sh program: SCRIPT.sh installed as SCRIPT.
all: $(SCRIPT)

$(SCRIPT): $(SCRIPT).sh
	cp $(SCRIPT).sh $@
	chmod 755 $@

install: all
	$(INSTALL) -d $(DESTDIR)$(BINDIR)
	$(INSTALL) -m 755 $(SCRIPT) $(DESTDIR)$(BINDIR)/$(SCRIPT)

clean:
	rm -f $(SCRIPT)

.PHONY: all install clean
