# ATF programs in C: TESTS_C, names without .c; each is one source file.
all: $(TESTS_C)

SRCS=	$(TESTS_C:=.c)
include $(TOP)/mk/x07.compile.mk

$(TESTS_C): $(OBJS) $(LIBX07) $(LIBX07OS)
	$(CC) $(HARDEN) $(COPT) -o $@ $@.o $(LIBX07OS) $(LIBX07) -latf-c $(LDADD) $(OS_LIBS)

install:

clean:
	rm -f $(TESTS_C) *.o *.d .buildflags

.PHONY: all install clean
