/* The verbs of a container runtime's driver; see x07-vm-ctr(8). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vm-ctr.h"
#include "x07.h"

static const struct runtime *runtime;

bool
is_vm(const struct runtime *rt)
{
	const char *value = rt->vm_variable != NULL ? getenv(rt->vm_variable) : NULL;

	if (rt->vm_variable == NULL)
		return rt->is_vm;
	return value == NULL || *value == '\0' ||
	    strcmp(value, rt->vm_value) == 0;
}

/* ---- probe ---- */

static int
cannot(const char *what, const char *why)
{
	note("%s: %s", what, why);
	return 1;
}

static bool
device_opens(const struct runtime *rt)
{
	int fd;

	if (rt->device == NULL || !is_vm(rt))
		return true;
	fd = open(rt->device, O_RDWR | O_CLOEXEC);
	if (fd == -1)
		return false;
	close(fd);
	return true;
}

static int
probe(bool verbose)
{
	const struct runtime *rt = runtime;
	struct job j = { .rt = rt };
	static struct said s;
	char **argv = words(&j, rt->probe), *program = chain_lookup(argv[0]);

	(void)verbose;
	if (program == NULL)
		return cannot(argv[0], "not installed");
	if (!device_opens(rt))
		return cannot(rt->device, strerror(errno));
	control(argv, CONTROL_MS, &s);
	if (s.status != 0)
		return cannot(rt->what, control_why(&s));
	s.out[strcspn(s.out, "\n")] = '\0';
	printf("backend vm.%s\n", rt->name);
	printf("detail %s%s%.60s\n", rt->what, *s.out != '\0' ? " " : "", s.out);
	printf("isolation %s\n", is_vm(rt) ? "vm" : "container");
	printf("image %s\n", rt->image != NULL ? rt->image : "oci");
	printf("network %s\n", rt->socket ? "socket" :
	    rt->exec != NULL ? "fd" : "none");
	puts("boot_ms 10000");
	return 0;
}

/* ---- the others ---- */

static int
run(const struct vm_run *r)
{
	return run_job(runtime, r);
}

static int
end(const char *id, const char *dir, int64_t grace_ms)
{
	return job_end(runtime, container_name(id), dir, grace_ms) != -1 ? 0 : 1;
}

static int
sweep(void)
{
	return sweep_all(runtime);
}

int
vm_ctr_main(const struct runtime *rt, int argc, char *argv[])
{
	const struct vm_driver driver = { rt->name, probe, run, end, sweep };

	runtime = rt;
	return vm_driver_main(&driver, argc, argv);
}
