# x07: small tools that run one program under one policy.
#
#	make		build
#	make install	DESTDIR, PREFIX
#	make run	set up this machine, build, show an allowed and a denied access
#	make check	set up this machine, build, run every test through Kyua
#	make lint	static checks, and a short fuzzing (what CI runs beside the tests)
#	make fuzz	long fuzzing of the parsers: FUZZ_SECONDS for each
#
# Works with GNU make and with bmake; mk/README tells what both understand.

TOP!=pwd
SUBDIR=	lib bin libexec man share

include $(TOP)/mk/x07.own.mk
include $(TOP)/mk/x07.subdir.mk

deps:
	@sh $(TOP)/mk/deps.sh

run: deps
	@MAKE="$(MAKE)" sh $(TOP)/mk/run.sh

check:
	@sh $(TOP)/mk/deps.sh check
	@MAKE="$(MAKE)" sh $(TOP)/mk/check.sh

lint:
	@MAKE="$(MAKE)" sh $(TOP)/mk/lint.sh

# Apart from all, because they need the test libraries.
build-tests: all
	@cd tests && $(MAKE) all

clean: clean-tests
clean-tests:
	@cd tests && $(MAKE) clean

FUZZ_SECONDS?=	600
fuzz:
	@MAKE="$(MAKE)" sh $(TOP)/tests/fuzz/run.sh -s $(FUZZ_SECONDS)

.PHONY: deps run check lint fuzz build-tests clean-tests
