# C to objects, with dependencies the compiler writes. .buildflags changes when
# the compiler or its flags do, so that another PLATFORM or COPT rebuilds.
OBJS=		$(SRCS:.c=.o)

.SUFFIXES: .c .o
.c.o:
	$(CC) $(X07_CFLAGS) $(CFLAGS_LOCAL) -MMD -MP -c -o $@ $<

$(OBJS): .buildflags

.buildflags: .FORCE
	@echo '$(CC) $(X07_CFLAGS) $(CFLAGS_LOCAL) $(LINK) $(SRCS)' | cmp -s - $@ || \
	    echo '$(CC) $(X07_CFLAGS) $(CFLAGS_LOCAL) $(LINK) $(SRCS)' >$@

.FORCE:

.PHONY: .FORCE
-include $(OBJS:.o=.d)
