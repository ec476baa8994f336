"""Attempts on the files of a view, one per name: fs_attack.py NAME [ARG...]

Exit status: 0 the attempt succeeded, 1 the kernel denied it (the error is printed),
3 it could not be made at all. So a denial is not mistaken for a broken test.
"""
import array
import ctypes
import fcntl
import mmap
import os
import platform
import signal
import socket
import struct
import sys
import termios
import time

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
AT_FDCWD = -100

# x86_64 and the numbers that all newer architectures share
NR = {"open_by_handle_at": 304, "name_to_handle_at": 303, "bpf": 321,
      "userfaultfd": 323, "perf_event_open": 298, "add_key": 248,
      "process_vm_writev": 311, "clone3": 435, "io_uring_setup": 425,
      "open_tree": 428, "move_mount": 429, "fsopen": 430, "pivot_root": 155,
      "pidfd_open": 434, "pidfd_getfd": 438, "ptrace": 101, "kcmp": 312,
      "mount_setattr": 442}
if platform.machine() != "x86_64":
    NR = {}


def check(ret):
    """ret of a libc call; raises OSError when it failed."""
    if ret == -1:
        err = ctypes.get_errno()
        raise OSError(err, os.strerror(err))
    return ret


def syscall(name, *args):
    if name not in NR:
        print("no number for", name)
        sys.exit(3)
    return check(libc.syscall(NR[name], *args))


def read(path):
    with open(path, "rb") as f:
        sys.stdout.write(f.read(200).decode("latin-1"))


def write(path):
    with open(path, "r+b") as f:
        f.write(b"x")


def create(path):
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))


def listdir(path):
    print(" ".join(sorted(os.listdir(path))))


def open_at(fd, path):
    """A file below a descriptor that leaked in."""
    f = os.open(path, os.O_RDONLY, dir_fd=int(fd))
    print(os.read(f, 200).decode("latin-1"), end="")


def reopen_write(fd):
    """A descriptor that was given for reading, opened again for writing."""
    f = os.open("/proc/self/fd/" + fd, os.O_WRONLY)
    os.write(f, b"overwritten")


def reopen_truncate(fd):
    check(libc.truncate(("/proc/self/fd/" + fd).encode(), ctypes.c_long(0)))


def reopen_read(fd):
    f = os.open("/proc/self/fd/" + fd, os.O_RDONLY)
    os.read(f, 1)


def o_path_reopen(path):
    h = os.open(path, os.O_PATH)
    os.close(os.open("/proc/self/fd/%d" % h, os.O_RDWR))


def truncate(path):
    os.truncate(path, 0)


def chmod(path):
    os.chmod(path, 0o600)


def utime(path):
    os.utime(path, (1, 1))


def setxattr(path):
    os.setxattr(path, "user.x07", b"1")


def setflags(path):
    """FS_IOC_SETFLAGS: nodump, which any owner may set."""
    fd = os.open(path, os.O_RDONLY)
    buf = array.array("L", [0])
    fcntl.ioctl(fd, 0x80086601, buf)
    fcntl.ioctl(fd, 0x40086602, array.array("L", [buf[0] ^ 0x40]))


def link(old, new):
    os.link(old, new)


def rename(old, new):
    os.rename(old, new)


def exchange(old, new):
    check(libc.renameat2(AT_FDCWD, old.encode(), AT_FDCWD, new.encode(), 2))


def mknod(path, kind, major, minor):
    mode = {"c": 0o020666, "b": 0o060666}[kind]
    os.mknod(path, mode, os.makedev(int(major), int(minor)))


def fifo(path):
    os.mkfifo(path)


def handle(path):
    """name_to_handle_at, then open_by_handle_at from the same mount."""
    buf = ctypes.create_string_buffer(136)
    struct.pack_into("I", buf, 0, 128)
    mnt = ctypes.c_int()
    syscall("name_to_handle_at", AT_FDCWD, path.encode(), buf,
            ctypes.byref(mnt), 0)
    root = os.open(os.path.dirname(path), os.O_RDONLY)
    syscall("open_by_handle_at", root, buf, os.O_RDONLY)


def shm(key):
    """System V shared memory that somebody outside made."""
    check(libc.shmget(int(key, 0), ctypes.c_size_t(4096), 0o600))


def mq(name):
    """A POSIX message queue that somebody outside made."""
    check(libc.mq_open(name.encode(), os.O_RDWR))


def connect(path):
    s = socket.socket(socket.AF_UNIX)
    s.connect("\0" + path[1:] if path.startswith("@") else path)


def receive(path, name):
    """A directory handed in by a helper outside; opens name below it."""
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    _, fds, _, _ = socket.recv_fds(s, 10, 1)
    f = os.open(name, os.O_RDONLY, dir_fd=fds[0])
    print(os.read(f, 200).decode("latin-1"), end="")


def proc_of(pid, what):
    """Another process through /proc."""
    path = "/proc/%s/%s" % (pid, what)
    if what in ("root", "cwd"):
        print(os.listdir(path))
    elif what == "fd":
        print([os.readlink(path + "/" + n) for n in os.listdir(path)])
    elif what == "exe":
        print(os.readlink(path))
    else:
        with open(path, "rb") as f:
            if what != "mem":
                f.read(16)


def child(what):
    """The same for a child of our own, which is allowed."""
    pid = os.fork()
    if pid == 0:
        time.sleep(60)
        os._exit(0)
    try:
        proc_of(pid, what)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def tiocsti(high="0"):
    """Types into the terminal; high puts bits above what the kernel looks at."""
    cmd = termios.TIOCSTI | (int(high) << 32)
    check(libc.syscall(16, 0, ctypes.c_ulong(cmd), b"x"))


def tioclinux():
    check(libc.syscall(16, 0, ctypes.c_ulong(0x541C), b"\x02"))


def kill(pid, sig):
    os.kill(int(pid), int(sig))


def ptrace(pid):
    syscall("ptrace", 16, int(pid), 0, 0)


def prlimit(pid):
    import resource
    resource.prlimit(int(pid), resource.RLIMIT_NOFILE, (10, 10))


def pidfd_getfd(pid, fd):
    p = syscall("pidfd_open", int(pid), 0)
    syscall("pidfd_getfd", p, int(fd), 0)


def unshare(flags):
    check(libc.unshare(int(flags, 0)))


def clone3_newuser():
    """clone_args with CLONE_NEWUSER, which no filter can read."""
    args = struct.pack("QQQQQQQQ", 0x10000000, 0, 0, 0, signal.SIGCHLD, 0, 0, 0)
    pid = syscall("clone3", args, len(args))
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def clone3_plain():
    """Programs must get ENOSYS, on which they take clone(2)."""
    args = struct.pack("QQQQQQQQ", 0, 0, 0, 0, signal.SIGCHLD, 0, 0, 0)
    pid = syscall("clone3", args, len(args))
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def thread():
    import threading
    t = threading.Thread(target=lambda: None)
    t.start()
    t.join()
    os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)


def mount(what):
    calls = {
        "tmpfs": lambda: libc.mount(b"t", b"/tmp", b"tmpfs", 0, None),
        "bind": lambda: libc.mount(b"/usr", b"/tmp", None, 4096, None),
        "remount": lambda: libc.mount(None, b"/usr", None, 32 | 4096, None),
        "umount": lambda: libc.umount2(b"/dev/shm", 2),
        "fsopen": lambda: libc.syscall(NR["fsopen"], b"tmpfs", 0),
        "open_tree": lambda: libc.syscall(NR["open_tree"], AT_FDCWD, b"/", 1),
        "setattr": lambda: libc.syscall(NR["mount_setattr"], AT_FDCWD, b"/usr",
                                        0, struct.pack("QQQQ", 0, 1, 0, 0), 32),
        "pivot_root": lambda: libc.syscall(NR["pivot_root"], b"/tmp", b"/tmp"),
        "chroot": lambda: libc.chroot(b"/tmp"),
    }
    check(calls[what]())


def surface(name):
    """System calls no program under a policy needs, with arguments that are valid enough."""
    buf = ctypes.create_string_buffer(256)
    {
        "bpf": lambda: syscall("bpf", 0, struct.pack("IIIIQQQQ", 2, 4, 4, 1, 0, 0,
                                                    0, 0), 48),
        "userfaultfd": lambda: syscall("userfaultfd", 1),
        "perf_event_open": lambda: syscall("perf_event_open", struct.pack(
            "IIQQQQQ", 1, 112, 0, 0, 0, 0, 1 << 5 | 1 << 6) + bytes(64), 0, -1,
            -1, 0),
        "add_key": lambda: syscall("add_key", b"user", b"x07", b"1", 1, -1),
        "io_uring_setup": lambda: syscall("io_uring_setup", 1, buf),
    }[name]()


def code(hexbytes):
    """Runs machine code that returns the result of a system call."""
    m = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    m.write(bytes.fromhex(hexbytes))
    f = ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(m)))
    pid = os.fork()
    if pid == 0:
        os._exit(0 if f() > 0 else 1)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        raise OSError(0, "killed by signal %d" % os.WTERMSIG(status))
    if os.WEXITSTATUS(status) != 0:
        raise OSError(0, "call failed")


def i386():
    """getpid by int 0x80, whose number 20 is another call for the filter."""
    code("b814000000cd80c3")


def x32():
    """getpid with the x32 bit."""
    code("b8270000400f05c3")


def native():
    code("b8270000000f05c3")


def main():
    if len(sys.argv) < 2 or sys.argv[1] not in globals():
        print("no such attempt")
        sys.exit(3)
    try:
        globals()[sys.argv[1]](*sys.argv[2:])
    except OSError as e:
        print("denied: %s" % e.strerror)
        sys.exit(1)
    except (TypeError, KeyError, ValueError) as e:
        print("broken: %r" % e)
        sys.exit(3)


main()
