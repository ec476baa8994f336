"""Attempts on the files of a view, one per name: see attempt.py."""
import array
import ctypes
import fcntl
import os
import signal
import socket
import struct
import sys
import termios
import time

from attempt import AT_FDCWD, check, libc, main, syscall


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
    syscall("ioctl", 0, ctypes.c_ulong(cmd), b"x")


def tioclinux():
    syscall("ioctl", 0, ctypes.c_ulong(0x541C), b"\x02")


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


main(globals())
