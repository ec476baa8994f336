/*
 * vm-qemu - a virtual machine for one program, by QEMU: with the processor's help
 * or by emulation. See x07-vm-qemu(8).
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vm-qemu.h"

static int
run(const struct vm_run *r)
{
	static struct machine m;
	struct image im;

	if (r->image == NULL)
		refuse("--image is needed: a directory made by x07-vmrun image");
	image_open(&im, r);
	/* Where no file may be that large (ulimit -f), it is for us to say what for. */
	signal(SIGXFSZ, SIG_IGN);
	if (strcmp(im.share, "blk") == 0)
		disk_check(r);
	machine_start(&m, r, &im);
	/* What is readable here is the guest's and the policy's: not another's. */
	if (os_hide() == -1)
		refuse_errno("cannot hide");
	return monitor(&m, r, &im);
}

/* Its processes die with the one that ran it: nothing is kept anywhere. */
static int
end(const char *id, const char *dir, int64_t grace_ms)
{
	(void)id;
	(void)dir;
	(void)grace_ms;
	return 0;
}

static int
sweep(void)
{
	return 0;
}

int
main(int argc, char *argv[])
{
	static const struct vm_driver driver = { "qemu", probe, run, end, sweep };

	return vm_driver_main(&driver, argc, argv);
}
