# x07: small tools that run one program under one policy.
#
#	make		build
#	make install	DESTDIR, PREFIX
#	make run	set up this machine, build, show an allowed and a denied access
#	make check	set up this machine, build, run every test through Kyua
#	make lint	static checks (what CI runs beside the tests)
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

.PHONY: deps run check lint build-tests clean-tests
