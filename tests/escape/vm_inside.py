"""vm_inside.py DIR: a program of the guest goes for the guest itself.

Each line is an attempt and what came of it: "denied", "done", or nothing but its
name where the kernel ignores it and what counts is that everything goes on. DIR is
a writable root.
"""
import ctypes
import errno
import mmap
import os
import signal
import stat
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)
NUMBERS = {"x86_64": dict(ptrace=101, reboot=169, iopl=172, init_module=175,
                          kexec_load=246, swapon=167, syslog=103, process_vm_writev=311,
                          settimeofday=164, sethostname=170, pidfd_open=434,
                          pidfd_getfd=438, mount=165, unshare=272),
           "aarch64": dict(ptrace=117, reboot=142, iopl=-1, init_module=105,
                           kexec_load=104, swapon=224, syslog=116,
                           process_vm_writev=271, settimeofday=170, sethostname=161,
                           pidfd_open=434, pidfd_getfd=438, mount=40, unshare=97)}
CALLS = NUMBERS[os.uname().machine]
DENIED = (errno.EPERM, errno.EACCES, errno.EROFS, errno.ENOENT, errno.ENOSYS, errno.ENXIO,
          errno.ENODEV, errno.EINVAL)


def tell(name, err):
    if err == 0:
        print(name, "done", flush=True)
    elif err in DENIED:
        print(name, "denied", flush=True)
    else:
        print(name, os.strerror(err), flush=True)


def call(name, *args):
    ctypes.set_errno(0)
    words = [ctypes.c_long(a) if isinstance(a, int) else a for a in args]
    ret = libc.syscall(ctypes.c_long(CALLS[name]), *words)
    tell(name, ctypes.get_errno() if ret == -1 else 0)
    return ret


def attempt(name, function, *args):
    try:
        function(*args)
        tell(name, 0)
    except OSError as e:
        tell(name, e.errno)


def write_to(path, data):
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, data)
    finally:
        os.close(fd)


def opened(path):
    os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))


def forks(most):
    """How many children there can be at once, at most that many."""
    pids = []
    try:
        while len(pids) < most:
            pid = os.fork()
            if pid == 0:
                time.sleep(600)
                os._exit(0)
            pids.append(pid)
    except OSError:
        pass
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return len(pids)


def in_child(function, *args):
    """True when it came to its end."""
    pid = os.fork()
    if pid == 0:
        try:
            function(*args)
        except (OSError, MemoryError):
            os._exit(1)
        os._exit(0)
    return os.waitpid(pid, 0)[1] == 0


def fill_memory(size):
    block = b"x" * (1 << 20)
    memory = mmap.mmap(-1, size)
    for at in range(0, size, len(block)):
        memory[at:at + len(block)] = block


def fill_together(size, many):
    """Many processes, each of which alone may have that much: did all of them?"""
    pids = [os.fork() for i in range(many) if os.getpid() == first]
    if 0 in pids:
        fill_memory(size)
        time.sleep(1)
        os._exit(0)
    return not any([os.waitpid(pid, 0)[1] for pid in pids])


def fill_file(path, size):
    with open(path, "wb", buffering=0) as f:
        while size > 0:
            size -= f.write(b"x" * min(size, 1 << 20))


root = sys.argv[1]
first = os.getpid()

# The first process here is x07-limit's; the guest's own has no number here.
for sig in (signal.SIGKILL, signal.SIGSTOP, signal.SIGSEGV, signal.SIGTERM):
    try:
        os.kill(1, sig)
    except OSError:
        pass
print("signals", flush=True)
call("ptrace", 16, 1, 0, 0)
call("ptrace", 0x4206, 1, 0, 0)
attempt("memory of the first", write_to, "/proc/1/mem", b"x")
attempt("a file of the first", opened, "/proc/1/fd/0")
fd = libc.syscall(CALLS["pidfd_open"], 1, 0)
call("pidfd_getfd", fd, 0, 0)
there = ctypes.create_string_buffer(8)
iov = (ctypes.c_ulong * 2)(ctypes.addressof(there), 8)
far = (ctypes.c_ulong * 2)(0x400000, 8)
call("process_vm_writev", 1, ctypes.byref(iov), 1, ctypes.byref(far), 1, 0)

for how in (0x01234567, 0x4321fedc, 0xcdef0123, 0x45584543):
    call("reboot", 0xfee1dead, 672274793, how, 0)
for path in ("/proc/sysrq-trigger", "/proc/sys/kernel/sysrq", "/proc/sys/kernel/panic",
             "/proc/sys/vm/panic_on_oom", "/proc/sys/kernel/core_pattern",
             "/sys/power/state", "/sys/kernel/debug/provoke-crash/DIRECT",
             "/sys/bus/virtio/drivers/virtio_console/unbind",
             "/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/x07/cgroup.procs",
             "/sys/fs/cgroup/x07/gates/cgroup.kill", "/proc/1/oom_score_adj"):
    attempt(path, write_to, path, b"c" if path.startswith("/proc/sysrq") else b"1")
for path in ["/dev/vport0p%d" % n for n in range(1, 7)] + [
        "/dev/mem", "/dev/port", "/dev/kmsg", "/dev/console", "/dev/ttyS0", "/dev/vda",
        "/dev/hvc0", "/dev/fuse", "/proc/kcore", "/proc/kmsg"]:
    attempt(path, opened, path)
for place in (root, "/tmp"):
    attempt("mknod in " + place, os.mknod, place + "/node",
            stat.S_IFCHR | 0o666, os.makedev(1, 1))
    attempt("mkfifo in " + place, os.mkfifo, place + "/fifo")

call("iopl", 3)
call("init_module", 0, 0, 0)
call("kexec_load", 0, 0, 0, 0)
call("swapon", 0, 0)
call("syslog", 5, 0, 0)
call("settimeofday", (ctypes.c_long * 2)(0, 0), 0)
call("sethostname", b"x", 1)
call("mount", b"none", b"/tmp", b"tmpfs", 0, 0)
call("unshare", 0x10000000)

print("a few forks", "done" if forks(5) == 5 else "denied", flush=True)
print("many forks", "done" if forks(100) == 100 else "denied", flush=True)
print("some memory", "done" if in_child(fill_memory, 8 << 20) else "denied", flush=True)
print("much memory", "done" if in_child(fill_memory, 400 << 20) else "denied", flush=True)
print("memory of many", "done" if fill_together(60 << 20, 3) else "denied", flush=True)
print("some in /tmp", "done" if in_child(fill_file, "/tmp/f", 1 << 20) else "denied",
      flush=True)
print("much in /tmp", "done" if in_child(fill_file, "/tmp/g", 400 << 20) else "denied",
      flush=True)
print("end", flush=True)
