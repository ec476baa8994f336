/*
 * The empty platform: every duty fails with ENOTSUP, so every gate refuses. It
 * is where a porter starts, and proves that nothing works by accident.
 */
#include <errno.h>

#include "os.h"

static int
unsupported(void)
{
	errno = ENOTSUP;
	return -1;
}

int
os_seal(const void *buf, size_t len)
{
	(void)buf;
	(void)len;
	return unsupported();
}

bool
os_is_sealed(int fd)
{
	(void)fd;
	return false;
}

int
os_keep_fds(const int *keep, size_t n)
{
	(void)keep;
	(void)n;
	return unsupported();
}

int
os_close_fds(const int *keep, size_t n)
{
	(void)keep;
	(void)n;
	return unsupported();
}

int
os_hide(void)
{
	return unsupported();
}

int
os_die_with_parent(pid_t ppid)
{
	(void)ppid;
	return unsupported();
}

int
os_confine(unsigned deny)
{
	(void)deny;
	return unsupported();
}

int
os_drop_caps(void)
{
	return unsupported();
}

const char *
os_namespace_hint(int err)
{
	(void)err;
	return "this platform has no gates";
}

int
os_tree_spawn(struct os_tree *tree, unsigned flags)
{
	(void)tree;
	(void)flags;
	return unsupported();
}

int
os_tree_signal(const struct os_tree *tree, int sig)
{
	(void)tree;
	(void)sig;
	return unsupported();
}

int
os_tree_kill(const struct os_tree *tree)
{
	(void)tree;
	return unsupported();
}

int
os_tree_wait(const struct os_tree *tree)
{
	(void)tree;
	return unsupported();
}

int
os_tree_exit_status(int wstatus)
{
	(void)wstatus;
	return unsupported();
}

int
os_probe(enum os_feature feature)
{
	(void)feature;
	return unsupported();
}


int
os_exec_begin(void)
{
	return unsupported();
}

int
os_exec_open(struct os_exec_item *item, const char *path)
{
	(void)item;
	(void)path;
	return unsupported();
}

bool
os_exec_is_ruleset(int fd)
{
	(void)fd;
	return false;
}

int
os_exec_run(struct os_exec_plan *plan, const char *path, char *const argv[],
    const char **stage)
{
	(void)plan;
	(void)path;
	(void)argv;
	*stage = "platform";
	return unsupported();
}
