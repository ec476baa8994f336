"""Attempts on the kernel that no gate grants, one per name: see attempt.py."""
import ctypes
import mmap
import os
import signal
import struct
import tempfile

from attempt import AT_FDCWD, NR, check, libc, main, syscall


def unshare(flags):
    check(libc.unshare(int(flags, 0)))


def clone3(flags):
    """Its flags are in memory, where no filter can read them."""
    args = struct.pack("QQQQQQQQ", flags, 0, 0, 0, signal.SIGCHLD, 0, 0, 0)
    pid = syscall("clone3", args, len(args))
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def clone3_newuser():
    clone3(0x10000000)


def clone3_plain():
    """Programs must get ENOSYS, on which they take clone(2)."""
    clone3(0)


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


def in_child(act):
    """Succeeds when a child that does it ends with 0."""
    pid = os.fork()
    if pid == 0:
        try:
            act()
        finally:
            os._exit(1)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        raise OSError(0, "killed by signal %d" % os.WTERMSIG(status))
    if os.WEXITSTATUS(status) != 0:
        raise OSError(0, "call failed")


def code(hexbytes):
    """Runs machine code that returns the result of a system call."""
    m = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    m.write(bytes.fromhex(hexbytes))
    f = ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(m)))
    in_child(lambda: os._exit(0 if f() > 0 else 1))


def i386():
    """getpid by int 0x80, whose number 20 is another call for the filter."""
    code("b814000000cd80c3")


def x32():
    """getpid with the x32 bit."""
    code("b8270000400f05c3")


def arm():
    """exit(0) of a program for 32-bit ARM, whose number 1 is another call for the filter."""
    words = struct.pack("<III", 0xe3a00000, 0xe3a07001, 0xef000000)
    base, start = 0x10000, 52 + 32
    elf = struct.pack("<16sHHIIIIIHHHHHH", b"\x7fELF\1\1\1", 2, 40, 1, base + start,
                      52, 0, 0x5000000, 52, 32, 1, 0, 0, 0)
    elf += struct.pack("<IIIIIIII", 1, 0, base, base, start + len(words),
                       start + len(words), 5, 0x10000)
    fd, path = tempfile.mkstemp()
    os.write(fd, elf + words)
    os.fchmod(fd, 0o755)
    os.close(fd)
    try:
        in_child(lambda: os.execv(path, [path]))
    finally:
        os.unlink(path)


def native():
    code("b8270000000f05c3")


main(globals())
