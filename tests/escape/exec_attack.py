"""Attempts to run what is not listed, one per name: exec_attack.py NAME [ARG...]

Prints "got" and exits with 0 when code ran that the gate must not let run; "denied ERROR"
and 1 when the kernel said no; 3 when the attempt could not be made at all.
"""
import ctypes
import errno
import mmap
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import threading

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.shmat.restype = ctypes.c_void_p
libc.sbrk.restype = ctypes.c_void_p

AT_FDCWD = -100
AT_EMPTY_PATH = 0x1000
READ_IMPLIES_EXEC = 0x0400000
# return 42;
CODE = bytes.fromhex({"x86_64": "b82a000000c3", "aarch64": "40058052c0035fd6"}.get(
    platform.machine(), ""))


def check(ret):
    if ret in (-1, ctypes.c_void_p(-1).value):
        err = ctypes.get_errno()
        raise OSError(err, os.strerror(err))
    return ret


def run(path, *args):
    """Becomes the program; its output is the proof."""
    os.execv(path, list(args) or ["echo", "got"])


def jump(address):
    """In a child, because what is not executable kills."""
    # There are processors that do not see at once what was written as code.
    flush = ctypes.CDLL("libgcc_s.so.1")["__clear_cache"]
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGSEGV, signal.SIG_DFL)
        flush(ctypes.c_void_p(address), ctypes.c_void_p(address + len(CODE)))
        os._exit(ctypes.CFUNCTYPE(ctypes.c_int)(address)())
    _, status = os.waitpid(pid, 0)
    if not os.WIFEXITED(status) or os.WEXITSTATUS(status) != 42:
        raise OSError(errno.EFAULT, "no code")
    print("got")


# ---- 12: loaders, mapped files ----

def loader(ld, prog):
    """The loader of the system, or a copy that we have made."""
    run(ld, ld, prog, "got")


def written(path):
    """Write, make executable, run."""
    shutil.copy(path, "written")
    os.chmod("written", 0o755)
    run("./written")


def mapped(path):
    """What a static loader would do: a file of ours as code."""
    with open(path, "wb") as f:
        f.write(CODE.ljust(4096, b"\0"))
    f = os.open(path, os.O_RDONLY)
    jump(check(libc.mmap(None, ctypes.c_size_t(4096), 5, mmap.MAP_PRIVATE, f,
                         ctypes.c_long(0))))


def dlopen(lib):
    """A library that the program could have written."""
    shutil.copy(lib, "./own.so")
    ctypes.CDLL("./own.so")
    print("got")


def memory():
    m = check(libc.mmap(None, ctypes.c_size_t(4096), 3, 0x22, -1, ctypes.c_long(0)))
    ctypes.memmove(m, CODE, len(CODE))
    check(libc.mprotect(ctypes.c_void_p(m), ctypes.c_size_t(4096), 5))
    jump(m)


def shared_memory():
    """Attached twice: once to be written, once to be executed."""
    i = check(libc.shmget(0, ctypes.c_size_t(4096), 0o1700))
    try:
        w = check(libc.shmat(i, None, 0))
        ctypes.memmove(w, CODE, len(CODE))
        x = check(libc.shmat(i, None, 0o110000))
    finally:
        libc.shmctl(i, 0, None)
    jump(x)


def heap():
    """A heap that the personality makes executable."""
    check(libc.personality(READ_IMPLIES_EXEC))
    at = check(libc.sbrk(ctypes.c_long(1 << 16))) + (1 << 15)
    ctypes.memmove(at, CODE, len(CODE))
    jump(at)


def output():
    """The caller's file on standard output: written, then mapped as code."""
    f = os.open("/proc/self/fd/1", os.O_RDWR)
    os.pwrite(f, CODE, 0)
    m = check(libc.mmap(None, ctypes.c_size_t(4096), 5, mmap.MAP_PRIVATE, f,
                        ctypes.c_long(0)))
    jump(m)


def own_memory(proc):
    """Code of our own overwritten through /proc, where it lies in a read-only page."""
    at = ctypes.cast(libc.getppid, ctypes.c_void_p).value
    f = os.open(proc + "/self/mem", os.O_RDWR)
    os.pwrite(f, CODE, at)
    if libc.getppid() != 42:
        raise OSError(errno.EFAULT, "not written")
    print("got")


# ---- 13: other names ----

def link_in(old, new):
    """An unlisted file under a name in a listed directory."""
    os.link(old, new)
    run(new)


def rename_in(old, new):
    os.rename(old, new)
    run(new)


def copy_in(old, new):
    shutil.copy(old, new)
    os.chmod(new, 0o755)
    run(new)


def swapped_directory(listed, other, name):
    """The listed file's directory swapped for one with another file of that name."""
    os.rename(listed, listed + ".away")
    os.rename(other, listed)
    run("./%s/%s" % (listed, name))


def overwrite(other, listed):
    """Writes another program into a file by one of its names, and runs the listed name."""
    with open(other, "r+b") as f, open("/bin/busybox", "rb") as new:
        f.write(new.read())
    pid = os.fork()
    if pid == 0:
        os.execv(listed, ["echo", "got"])
    os.waitpid(pid, 0)


def fresh_tmpfs():
    """In namespaces of our own, a file system that nobody has made noexec."""
    os.makedirs("fresh", exist_ok=True)
    ids = {"setgroups": "deny", "uid_map": "0 %d 1" % os.getuid(),
           "gid_map": "0 %d 1" % os.getgid()}
    check(libc.unshare(0x10000000 | 0x20000))
    for name, text in ids.items():
        with open("/proc/self/" + name, "w") as f:
            f.write(text)
    check(libc.mount(b"t", b"fresh", b"tmpfs", 0, None))
    shutil.copy("/bin/busybox", "fresh/new")
    os.chmod("fresh/new", 0o755)
    run("fresh/new")


# ---- 14: no name at all ----

def memfd(how):
    if hasattr(os, "memfd_create"):
        f = os.memfd_create("x", 0)
    with open("/bin/busybox", "rb") as b:
        os.write(f, b.read())
    by_descriptor(f, how)


def tmpfile(how):
    f = os.open(".", os.O_TMPFILE | os.O_RDWR, 0o755)
    with open("/bin/busybox", "rb") as b:
        os.write(f, b.read())
    r = os.open("/proc/self/fd/%d" % f, os.O_RDONLY)
    os.close(f)
    by_descriptor(r, how)


def by_descriptor(f, how):
    os.set_inheritable(f, True)
    if how == "proc":
        run("/proc/self/fd/%d" % f)
    argv = (ctypes.c_char_p * 3)(b"echo", b"got", None)
    envp = (ctypes.c_char_p * 1)(None)
    path = {"empty": b"", "relative": b"."}[how]
    check(libc.execveat(f, path, argv, envp, AT_EMPTY_PATH))


def inherited(fd, how):
    """A program that the caller holds open."""
    by_descriptor(int(fd), how)


def give_memory(seal, *command):
    """Outside of the gate: starts the command with a program in memory on standard input."""
    f = os.memfd_create("x", 8 if seal == "noexec" else 2)
    with open("/bin/busybox", "rb") as b:
        os.write(f, b.read())
    # Nobody may have it open for writing when it is executed.
    os.dup2(os.open("/proc/self/fd/%d" % f, os.O_RDONLY), 0)
    os.close(f)
    os.execvp(command[0], command)


def received(path, name):
    """A directory of the caller's mounts, handed in through a socket; runs name in it."""
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    _, fds, _, _ = socket.recv_fds(s, 10, 1)
    os.fchdir(fds[0])
    run("./" + name)


def received_file(path):
    """A file handed in; it may be one in memory."""
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    _, fds, _, _ = socket.recv_fds(s, 10, 1)
    by_descriptor(fds[0], "proc")


def binfmt():
    """A handler for files of any kind."""
    for d in ("/proc/sys/fs/binfmt_misc", "b"):
        if d == "b":
            os.makedirs("b", exist_ok=True)
            check(libc.mount(b"b", b"b", b"binfmt_misc", 0, None))
        if os.path.exists(d + "/register"):
            with open(d + "/register", "w") as f:
                f.write(":x07-test-" + str(os.getpid()) +
                        ":E::x07never::/bin/busybox:")
            print("got")
            return
    raise OSError(errno.ENOENT, "no binfmt_misc")


# ---- 15: what an allowed program does for us ----

def preload(var, lib, prog):
    """Into a program that may run, a library that we wrote."""
    shutil.copy(lib, "./own.so")
    out = subprocess.run([prog, "/proc/self/maps"], env={var: os.getcwd() + "/own.so"},
                         capture_output=True, text=True, check=False)
    if "failed to map" in out.stderr:
        raise OSError(errno.EACCES, out.stderr.split("\n")[0])
    print("got")


# ---- 16: races ----

def race(path1, path2, arg1, arg2, tries):
    """Children share our memory until they exec, and a thread flips the words there."""
    size = max(len(path1), len(path2), len(arg1), len(arg2)) + 1
    path = ctypes.create_string_buffer(path1.encode(), size)
    arg = ctypes.create_string_buffer(arg1.encode(), size)
    argv = (ctypes.c_char_p * 3)(b"echo", None, None)
    argv[1] = ctypes.cast(arg, ctypes.c_char_p)
    envp = (ctypes.c_char_p * 1)(None)
    over = threading.Event()

    def flip():
        while not over.is_set():
            for p, a in ((path2, arg2), (path1, arg1)):
                ctypes.memmove(path, p.encode() + b"\0", len(p) + 1)
                ctypes.memmove(arg, a.encode() + b"\0", len(a) + 1)

    sys.setswitchinterval(1e-6)
    t = threading.Thread(target=flip)
    t.start()
    for _ in range(int(tries)):
        pid = ctypes.c_int()
        if libc.posix_spawn(ctypes.byref(pid), path, None, None, argv, envp) == 0:
            os.waitpid(pid.value, 0)
    over.set()
    t.join()
    print("raced")


def shared_directory():
    """A child that shares our working directory is moved after it has started."""
    r, w = os.pipe()
    nr = 56 if platform.machine() == "x86_64" else 220
    pid = check(libc.syscall(nr, 0x200 | signal.SIGCHLD, 0, 0, 0, 0))
    if pid == 0:
        os.dup2(r, 0)
        os.execve("/bin/sh", ["sh", "-c", "echo x; read x; /bin/pwd >&2"], {})
    os.chdir("/")
    os.write(w, b"\n")
    os.waitpid(pid, 0)
    print("got")


# ---- 17 ----

def gain(prog):
    """A setuid program: does it give its owner's rights?"""
    out = subprocess.run([prog, "-u"], capture_output=True, text=True, check=True)
    if out.stdout.strip() == str(os.getuid()):
        raise OSError(errno.EPERM, "no rights gained")
    print("got", out.stdout.strip())


# ---- 24: the supervisor ----

def watcher_of(mark):
    """The process outside that watches us; the mark is in its command line."""
    for p in os.listdir("/proc"):
        if not p.isdigit() or int(p) == os.getpid():
            continue
        try:
            with open("/proc/%s/cmdline" % p, "rb") as f:
                line = f.read()
        except OSError:
            continue
        if line.startswith(b"x07-execgate\0") and mark.encode() in line:
            return int(p)
    print("no supervisor found")
    sys.exit(3)


def watcher_signal(mark):
    os.kill(watcher_of(mark), signal.SIGKILL)
    print("got")


def watcher_limit(mark):
    import resource
    resource.prlimit(watcher_of(mark), resource.RLIMIT_NOFILE, (0, 0))
    print("got")


def watcher_ptrace(mark):
    check(libc.ptrace(16, watcher_of(mark), None, None))
    print("got")


def watcher_memory(mark):
    os.open("/proc/%d/mem" % watcher_of(mark), os.O_RDWR)
    print("got")


def watcher_getfd(mark):
    """The listener itself: who holds it answers."""
    p = os.pidfd_open(watcher_of(mark))
    check(libc.syscall(438, p, 0, 0))
    print("got")


def watcher_fds(mark):
    print("got", os.readlink("/proc/%d/fd/0" % watcher_of(mark)))


def main():
    if len(sys.argv) < 2 or sys.argv[1] not in globals():
        print("no such attempt")
        sys.exit(3)
    try:
        globals()[sys.argv[1]](*sys.argv[2:])
    except OSError as e:
        print("denied %s: %s" % (errno.errorcode.get(e.errno, e.errno), e.strerror))
        sys.exit(1)


main()
