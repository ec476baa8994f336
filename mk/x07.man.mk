# Manual pages: MAN, names ending in their section.
all:

install:
	@for m in $(MAN); do \
		s=$${m##*.}; \
		$(INSTALL) -d $(DESTDIR)$(MANDIR)/man$$s && \
		$(INSTALL) -m 644 $$m $(DESTDIR)$(MANDIR)/man$$s/$$m || exit 1; \
	done

clean:

.PHONY: all install clean
