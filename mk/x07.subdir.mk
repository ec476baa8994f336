# The same target in each directory of SUBDIR, in order.
all install clean:
	@for d in $(SUBDIR); do \
		(cd $$d && $(MAKE) $@) || exit 1; \
	done

.PHONY: all install clean
