"""Attempts to outlive, outgrow or outtalk limits. Prints "got ..." (status 0) when
the attempt succeeded, "denied ..." (status 1) when it failed."""
import ctypes
import mmap
import os
import resource
import signal
import socket
import struct
import sys
import threading
import time

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUSER = 0x20000, 0x2000000, 0x10000000
CLONE_NEWNET = 0x40000000
MB = 1 << 20
# Seconds in which whoever only looks has to see what we have.
STAY = float(os.environ.get("STAY", "0.1"))
held = []


def got(text):
    print("got " + text, flush=True)
    os._exit(0)


def denied(text):
    print("denied %s" % text, flush=True)
    os._exit(1)


def syscall(name, *args):
    if getattr(LIBC, name)(*args) == -1:
        err = ctypes.get_errno()
        raise OSError(err, os.strerror(err))


def deaf():
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        if number != signal.SIGCHLD:
            signal.signal(number, signal.SIG_IGN)


def background():
    """A child in a session of its own, that belongs to nobody; True in it."""
    first = os.fork()
    if first != 0:
        os.waitpid(first, 0)
        return False
    os.setsid()
    if os.fork() != 0:
        os._exit(0)
    os.setsid()
    return True


def wait_for(path):
    while not os.path.exists(path):
        time.sleep(0.02)
    got("seen " + path)


# ---- 27: time ----

def outlive(how, path, seconds):
    """Whoever is left writes path after the end of time."""
    if background():
        deaf()
        if how == "stopped":
            pid = os.getpid()
            if os.fork() == 0:
                time.sleep(float(seconds))
                os.kill(pid, signal.SIGCONT)
                os._exit(0)
            os.kill(pid, signal.SIGSTOP)
        elif how == "renamed":
            os.execvp("sh", ["init", "-c", "trap '' HUP TERM INT QUIT; sleep %s; : >%s" %
                             (seconds, path)])
        elif how == "chain":
            # A new self all the time: no pid is alive for long.
            end = time.monotonic() + float(seconds)
            while time.monotonic() < end:
                if os.fork() != 0:
                    os._exit(0)
                time.sleep(0.001)
        else:
            time.sleep(float(seconds))
        with open(path, "w"):
            pass
        os._exit(0)
    deaf()
    wait_for(path)


def hold():
    """Leaves somebody behind who holds standard output open."""
    if background():
        deaf()
        time.sleep(600)
    got("away")


# ---- 28: numbers ----

def threads(n):
    made = 0
    for _ in range(int(n)):
        try:
            threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
            made += 1
        except RuntimeError as err:
            denied("after %d: %s" % (made, err))
    time.sleep(STAY)
    got("%d threads" % made)


def headless():
    """Goes on in a second thread, while the first has ended."""
    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
    LIBC.pthread_exit(None)


def processes(n, how=""):
    if how == "userns":
        syscall("unshare", CLONE_NEWUSER)
    made = 0
    for _ in range(int(n)):
        try:
            if os.fork() == 0:
                if how == "headless":
                    headless()
                time.sleep(600)
                os._exit(0)
            made += 1
        except OSError as err:
            denied("after %d: %s" % (made, err))
    time.sleep(STAY)
    got("%d processes" % made)


def bomb():
    while True:
        try:
            os.fork()
        except OSError:
            pass


def sum_of(n, megabytes, how=""):
    """Many small ones, each below a limit on one process."""
    kids = []
    r, w = os.pipe()
    for _ in range(int(n)):
        pid = os.fork()
        if pid == 0:
            block = mmap.mmap(-1, int(megabytes) * MB, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            for at in range(0, len(block), 4096):
                block[at] = 1
            os.write(w, b"x")
            if how == "headless":
                headless()
            time.sleep(600)
        kids.append(pid)
    os.close(w)
    have = 0
    os.set_blocking(r, False)
    end = time.monotonic() + 50
    while have < int(n) and time.monotonic() < end:
        try:
            have += len(os.read(r, 1))
        except BlockingIOError:
            time.sleep(0.01)
        if os.waitpid(-1, os.WNOHANG)[0] != 0:
            break
    else:
        time.sleep(STAY)
    if have == int(n) and os.waitpid(-1, os.WNOHANG)[0] == 0:
        got("%d MB" % (have * int(megabytes)))
    denied("%d of %s" % (have, n))


# ---- 29: memory that is no process's ----

def fill(fd, megabytes):
    block = b"x" * MB
    try:
        for _ in range(int(megabytes)):
            os.write(fd, block)
    except OSError as err:
        denied(str(err))


def memfd(megabytes):
    fill(os.memfd_create("x"), megabytes)
    got("%s MB" % megabytes)


def shm(megabytes, path):
    fd = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    os.unlink(path)
    fill(fd, megabytes)
    got("%s MB" % megabytes)


def tmpfs(megabytes):
    """In namespaces of one's own anybody may mount one."""
    uid, gid = os.getuid(), os.getgid()
    try:
        syscall("unshare", CLONE_NEWUSER | CLONE_NEWNS)
        for name, text in (("setgroups", "deny"), ("uid_map", "%d %d 1" % (uid, uid)),
                           ("gid_map", "%d %d 1" % (gid, gid))):
            with open("/proc/self/" + name, "w") as f:
                f.write(text)
        syscall("mount", b"x", b"/mnt", b"tmpfs", 0, b"size=90%")
    except OSError as err:
        denied(str(err))
    fill(os.open("/mnt/x", os.O_CREAT | os.O_RDWR, 0o600), megabytes)
    got("%s MB" % megabytes)


def sysv(megabytes):
    LIBC.shmat.restype = ctypes.c_void_p
    LIBC.shmat.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_int]
    ident = LIBC.shmget(0, ctypes.c_size_t(int(megabytes) * MB), 0o1600)
    if ident == -1:
        denied("shmget")
    at = LIBC.shmat(ident, None, 0)
    LIBC.shmctl(ident, 0, None)
    if at in (None, ctypes.c_void_p(-1).value):
        denied("shmat")
    for i in range(0, int(megabytes) * MB, MB):
        ctypes.memset(at + i, 1, MB)
    got("%s MB" % megabytes)


def pipes(megabytes):
    """Bytes that wait in pipes belong to nobody's address space."""
    have = 0
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    while have < int(megabytes) * MB:
        try:
            r, w = os.pipe()
        except OSError as err:
            denied("%d: %s" % (have, err))
        held.append((r, w))
        os.set_blocking(w, False)
        try:
            while True:
                have += os.write(w, b"x" * 65536)
        except BlockingIOError:
            pass
    got("%d MB" % (have // MB))


def sockets(megabytes):
    """Bytes that wait in sockets."""
    have = 0
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    listener = socket.create_server(("127.0.0.1", 0))
    # Each holds some MB, unless there is too much in all.
    for _ in range(400):
        one = socket.create_connection(listener.getsockname())
        other = listener.accept()[0]
        held.append((one, other))
        for end in one, other:
            end.setblocking(False)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 * MB)
            try:
                while True:
                    have += end.send(b"x" * 65536)
            except BlockingIOError:
                pass
        if have >= int(megabytes) * MB:
            got("%d MB" % (have // MB))
    denied("%d MB" % (have // MB))


def rings(megabytes):
    """Buffers of packet sockets, in a network namespace of our own."""
    try:
        syscall("unshare", CLONE_NEWUSER | CLONE_NEWNET)
        for _ in range(0, int(megabytes), 32):
            one = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            # PACKET_RX_RING: blocks of a megabyte, in which are frames of 2048 bytes.
            one.setsockopt(263, 5, struct.pack("IIII", MB, 32, 2048, 32 * MB // 2048))
            held.append(one)
    except OSError as err:
        denied(str(err))
    got("%s MB" % megabytes)


def raised(userns=""):
    """Takes hard limits back."""
    if userns:
        try:
            syscall("unshare", CLONE_NEWUSER)
        except OSError as err:
            denied(str(err))
    for what in (resource.RLIMIT_NOFILE, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE):
        _, hard = resource.getrlimit(what)
        try:
            resource.setrlimit(what, (hard + 1, hard + 1))
            got("raised %d" % what)
        except (ValueError, OSError):
            pass
    try:
        os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0) - 1)
        got("a better priority")
    except OSError as err:
        denied(str(err))


# ---- 30: control groups and byte caps ----

def group_files():
    for line in open("/proc/self/mountinfo"):
        fields = line.split()
        if fields[fields.index("-") + 1].startswith("cgroup"):
            for at, _, names in os.walk(fields[4]):
                for name in names:
                    yield os.path.join(at, name)


def place():
    """Our groups, of the hierarchies that hold memory and processes."""
    lines = open("/proc/self/cgroup").read().split()
    old = [line for line in lines if line.split(":")[1] in ("memory", "pids")]
    return old or lines


def leave(mine=""):
    """Moves itself up, or lifts a cap, in every group that is seen."""
    if mine:
        uid = os.getuid()
        try:
            syscall("unshare", CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWCGROUP)
            with open("/proc/self/uid_map", "w") as f:
                f.write("0 %d 1" % uid)
        except OSError as err:
            denied(str(err))
        for kind, options in ((b"cgroup2", None), (b"cgroup", b"memory"), (b"cgroup", b"pids")):
            at = b"/tmp/group.%d" % len(held)
            os.makedirs(at, exist_ok=True)
            held.append(at)
            LIBC.mount(b"x", at, kind, 0, options)
    before = place()
    for path in group_files():
        name = os.path.basename(path)
        text = {"cgroup.procs": "0", "tasks": "0", "memory.limit_in_bytes": "-1",
                "memory.memsw.limit_in_bytes": "-1", "memory.max": "max",
                "pids.max": "max", "cgroup.subtree_control": "-memory -pids"}.get(name)
        if text is not None:
            try:
                with open(path, "w") as f:
                    f.write(text)
            except OSError:
                pass
    if place() != before:
        got("out")


def leave_and(mine, name, *args):
    leave("" if mine == "no" else mine)
    ATTACKS[name](*args)


def into_group(path):
    """Starts a child in that control group of version 2: clone3(2)."""
    args = (ctypes.c_uint64 * 11)()
    args[0], args[4] = 0x200000000, signal.SIGCHLD      # CLONE_INTO_CGROUP
    args[10] = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    pid = LIBC.syscall(435, ctypes.byref(args), ctypes.c_size_t(ctypes.sizeof(args)))
    if pid == 0:
        os._exit(0)
    if pid == -1:
        denied(os.strerror(ctypes.get_errno()))
    got("a child in %s" % path)


def talk(how, n, *more):
    """Writes n bytes to standard output by another road than write(2) on it."""
    n = int(n)
    fd = os.memfd_create("x")
    os.write(fd, b"y" * n)
    os.lseek(fd, 0, 0)
    out = 1
    if how == "reopen":
        out = os.open("/proc/self/fd/1", os.O_WRONLY)
    elif how == "inherited":
        out = int(more[0])
    try:
        if how == "sendfile":
            while n > 0:
                n -= os.sendfile(1, fd, None, n)
        elif how == "splice":
            while n > 0:
                n -= os.splice(fd, 1, n)
        elif how == "vmsplice":
            class Iovec(ctypes.Structure):
                _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]
            text = ctypes.create_string_buffer(b"y" * 4096)
            while n > 0:
                k = LIBC.vmsplice(1, ctypes.byref(Iovec(ctypes.addressof(text), min(n, 4096))), 1, 0)
                if k <= 0:
                    raise OSError(ctypes.get_errno(), "vmsplice")
                n -= k
        elif how == "children":
            for _ in range(n):
                if os.fork() == 0:
                    os.write(1, b"y")
                    os._exit(0)
                os.wait()
        else:
            while n > 0:
                n -= os.write(out, b"y" * n)
    except OSError as err:
        sys.stderr.write("denied %s\n" % err)
        os._exit(1)
    os._exit(0)


ATTACKS = {f.__name__: f for f in (
    outlive, hold, threads, processes, bomb, sum_of, memfd, shm, tmpfs, sysv, pipes, sockets,
    rings, raised, leave_and, into_group, talk)}
ATTACKS[sys.argv[1]](*sys.argv[2:])
