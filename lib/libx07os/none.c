/*
 * The empty platform: every duty fails with ENOTSUP, so every gate refuses. It
 * is where a porter starts, and proves that nothing works by accident.
 */
#include <errno.h>
#include <unistd.h>

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

int
os_program_open(void)
{
	return unsupported();
}

void
os_program_exec(int fd, char *const argv[], char *const envp[])
{
	(void)fd;
	(void)argv;
	(void)envp;
	unsupported();
}

const char *
os_place(void)
{
	unsupported();
	return NULL;
}

int
os_keep_fds(const int *keep, size_t n)
{
	(void)keep;
	(void)n;
	return unsupported();
}

int
os_never_wait(void)
{
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
os_path_open(int base, const char *path, unsigned flags)
{
	(void)base;
	(void)path;
	(void)flags;
	return unsupported();
}

int
os_kernel_mounts(int (*f)(const char *point, void *), void *arg)
{
	(void)f;
	(void)arg;
	return unsupported();
}

int
os_view_enter(const struct os_view *view, const char **what)
{
	(void)view;
	*what = "/";
	return unsupported();
}

int
os_view_at(const struct os_view *view, const char *dir, const char **what)
{
	(void)view;
	(void)dir;
	*what = "/";
	return unsupported();
}

int
os_vm_accel(void)
{
	return unsupported();
}

int
os_vm_enclose(void)
{
	return unsupported();
}

int
os_vm_serve(unsigned deny)
{
	(void)deny;
	return unsupported();
}

int
os_vm_confine(const char *const *reads, const char *const *writes,
    const char *serves, unsigned deny)
{
	(void)reads;
	(void)writes;
	(void)serves;
	(void)deny;
	return unsupported();
}

int
os_view_ruleset(const struct os_view *view, unsigned *deny)
{
	(void)view;
	*deny = 0;
	return unsupported();
}

int
os_ruleset_enter(int fd)
{
	(void)fd;
	return unsupported();
}

int
os_limit_file_size(int64_t bytes)
{
	(void)bytes;
	return unsupported();
}

struct os_group *
os_group_make(unsigned want, int64_t mem_bytes, int64_t tasks)
{
	(void)want;
	(void)mem_bytes;
	(void)tasks;
	errno = ENOTSUP;
	return NULL;
}

unsigned
os_group_holds(const struct os_group *group)
{
	(void)group;
	return 0;
}

const char *
os_group_how(const struct os_group *group, unsigned bit)
{
	(void)group;
	(void)bit;
	return "nothing";
}

int
os_group_usage(const struct os_group *group, struct os_usage *usage)
{
	(void)group;
	(void)usage;
	return unsupported();
}

int
os_group_remove(struct os_group *group)
{
	(void)group;
	return unsupported();
}

int
os_tree_spawn(struct os_tree *tree, unsigned flags)
{
	(void)tree;
	(void)flags;
	return unsupported();
}

int
os_tree_spawn_in(struct os_tree *tree, const struct os_tree_plan *plan)
{
	(void)tree;
	(void)plan;
	return unsupported();
}

int
os_tree_confine(const struct os_tree *tree, unsigned deny)
{
	(void)tree;
	(void)deny;
	return unsupported();
}

int
os_tree_settle(const struct os_tree *tree, const struct os_group *group,
    bool files, const int *keep, size_t n)
{
	(void)files;
	(void)tree;
	(void)group;
	(void)keep;
	(void)n;
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

enum os_tree_event
os_tree_poll(struct os_tree *tree, struct pollfd *extra, size_t n,
    int64_t timeout_ms)
{
	(void)tree;
	(void)extra;
	(void)n;
	(void)timeout_ms;
	return OS_TREE_ENDED;
}

void
os_tree_stop(struct os_tree *tree)
{
	(void)tree;
}

void
os_tree_reap(const struct os_tree *tree, struct os_tree_end *end)
{
	(void)tree;
	*end = (struct os_tree_end){ .wstatus = -1 };
}

ssize_t
os_tree_list(const struct os_tree *tree, struct os_proc **list, size_t *n,
    size_t most)
{
	(void)most;
	(void)tree;
	(void)list;
	(void)n;
	return unsupported();
}

int64_t
os_user_tasks(void)
{
	errno = ENOTSUP;
	return -1;
}

int64_t
os_proc_memory(const struct os_proc *proc)
{
	(void)proc;
	return unsupported();
}

int
os_proc_signal(const struct os_proc *proc, int sig)
{
	(void)proc;
	(void)sig;
	return unsupported();
}

void
os_pump_room(int fd)
{
	(void)fd;
}

ssize_t
os_pump(int from, int to, size_t len)
{
	(void)from;
	(void)to;
	(void)len;
	return unsupported();
}

int
os_tree_wait(struct os_tree *tree)
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

bool
os_exec_is_memory(int fd)
{
	(void)fd;
	return true;
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

int
os_net_enter(struct os_net *net, bool open)
{
	(void)net;
	(void)open;
	return unsupported();
}

int
os_net_names(const char *address)
{
	(void)address;
	return unsupported();
}

int
os_net_sockets(const struct os_net *net, int family, int type, int *fds, size_t n)
{
	(void)net;
	(void)family;
	(void)type;
	(void)fds;
	(void)n;
	return unsupported();
}

int
os_net_listen(int fd, const struct sockaddr *sa, bool hold)
{
	(void)fd;
	(void)sa;
	(void)hold;
	return unsupported();
}

int
os_net_events(const struct os_net *net, int fd,
    struct os_net_event ev[OS_NET_BATCH])
{
	(void)net;
	(void)fd;
	(void)ev;
	return unsupported();
}

int
os_net_admit(const struct os_net *net, const struct os_net_event *ev)
{
	(void)net;
	(void)ev;
	return unsupported();
}

int
os_net_reject(const struct os_net *net, const struct os_net_event *ev, int err)
{
	(void)net;
	(void)ev;
	(void)err;
	return unsupported();
}

int
os_relay_confine(void)
{
	return unsupported();
}

int
os_process_fd(pid_t pid)
{
	(void)pid;
	return unsupported();
}

int
os_poll_open(void)
{
	return unsupported();
}

int
os_poll_add(int poll, int fd, unsigned what, void *data)
{
	(void)poll;
	(void)fd;
	(void)what;
	(void)data;
	return unsupported();
}

int
os_poll_change(int poll, int fd, unsigned what, void *data)
{
	(void)poll;
	(void)fd;
	(void)what;
	(void)data;
	return unsupported();
}

int
os_poll_remove(int poll, int fd)
{
	(void)poll;
	(void)fd;
	return unsupported();
}

int
os_poll_wait(int poll, struct os_poll_event *out, int max, int ms)
{
	(void)poll;
	(void)out;
	(void)max;
	(void)ms;
	return unsupported();
}

bool
os_poll_closed(int fd)
{
	(void)fd;
	return true;
}

int64_t
os_unsent(int fd)
{
	(void)fd;
	return -1;
}

ssize_t
os_splice(int from, int to, size_t len)
{
	(void)from;
	(void)to;
	(void)len;
	return unsupported();
}

int
os_send_fds(int sock, const int *fds, size_t n)
{
	(void)sock;
	(void)fds;
	(void)n;
	return unsupported();
}

int
os_recv_fds(int sock, int fds[OS_FDS_MAX])
{
	(void)sock;
	(void)fds;
	return unsupported();
}

int
os_watch_start(struct os_watch *watch, const int *keep, size_t n)
{
	(void)watch;
	(void)keep;
	(void)n;
	return unsupported();
}

void
os_watch_serve(struct os_watch *watch, struct os_exec_plan *plan, os_judge *judge,
    void *arg)
{
	(void)watch;
	(void)plan;
	(void)judge;
	(void)arg;
	_exit(1);
}

size_t
os_watch_spawns(size_t limit)
{
	return limit;
}

size_t
os_watch_live(size_t limit)
{
	return limit;
}

void
os_examine(void (*tell)(void *, const struct os_finding *), void *arg, bool root)
{
	static const struct os_finding none = {
		.name = "platform", .state = OS_STATE_MISSING,
		.detail = "no gate of this suite can enforce anything here",
	};

	(void)root;
	tell(arg, &none);
}

int
os_net_unreachable(const struct os_net *net, const struct os_flow *flow, int err)
{
	(void)net;
	(void)flow;
	(void)err;
	return unsupported();
}

ssize_t
os_net_recv(int fd, void *buf, size_t len, struct os_flow *flow)
{
	(void)fd;
	(void)buf;
	(void)len;
	(void)flow;
	return unsupported();
}

ssize_t
os_net_answer(int fd, const void *buf, size_t len, const struct os_flow *flow)
{
	(void)fd;
	(void)buf;
	(void)len;
	(void)flow;
	return unsupported();
}

int
os_net_tables(int fds[2])
{
	(void)fds;
	return unsupported();
}

int
os_net_listeners(const int fds[2], void (*fn)(void *, int family,
    const unsigned char *addr, uint16_t port), void *arg)
{
	(void)fds;
	(void)fn;
	(void)arg;
	return unsupported();
}

int
os_net_connect(int fd, const struct os_flow *flow)
{
	(void)fd;
	(void)flow;
	return unsupported();
}

int
os_net_take(const struct os_net *net, const struct os_flow *flow, bool udp)
{
	(void)net;
	(void)flow;
	(void)udp;
	return unsupported();
}
