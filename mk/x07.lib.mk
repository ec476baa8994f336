# One static library: LIB (lib$(LIB).a), SRCS.
all: lib$(LIB).a

include $(TOP)/mk/x07.compile.mk

lib$(LIB).a: $(OBJS)
	rm -f $@
	$(AR) rc $@ $(OBJS)

install: all

clean:
	rm -f lib$(LIB).a *.o *.d .buildflags

.PHONY: all install clean
