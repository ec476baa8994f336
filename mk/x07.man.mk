# Manual pages: every page of the directory goes into the section of its ending.
all:

install:
	@for m in *.[1-9]; do \
		s=$${m##*.}; \
		$(INSTALL) -d $(DESTDIR)$(MANDIR)/man$$s && \
		$(INSTALL) -m 644 $$m $(DESTDIR)$(MANDIR)/man$$s/$$m || exit 1; \
	done

clean:

.PHONY: all install clean
