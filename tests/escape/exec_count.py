"""Tries to start more programs than x07-execgate lets: exec_count.py N WAY...

Makes N attempts to start one that sleeps, in turns in each of the ways, half of them at
once and then the other half, and prints how many run then. With "failed" among the ways there are processes before
whose execs have failed, which wait or work on. All end with it.
"""
import ctypes
import os
import signal
import sys
import threading
import time

libc = ctypes.CDLL(None, use_errno=True)
SLEEP = ["/bin/sleep", "100"]
EXIT = 60 if os.uname().machine == "x86_64" else 93
# Python sets it where there is no locale, and the policy does not let it pass.
os.environ.pop("LC_CTYPE", None)
go, gate = os.pipe()
failures, failure = os.pipe()


def report():
    os.write(failure, b"n")


def start(argv):
    """Becomes the program, or returns."""
    try:
        os.execv(argv[0], argv)
    except OSError:
        return


def try_to(argv):
    start(argv)
    report()


# ---- ways ----

def fork():
    try_to(SLEEP)


def nested():
    """A child that starts nothing makes another that does, and waits."""
    pid = os.fork()
    if pid == 0:
        try_to(SLEEP)
    else:
        os.waitpid(pid, 0)


def orphan():
    parent = os.getpid()
    if os.fork() != 0:
        return
    while os.getppid() == parent:
        time.sleep(0.001)
    try_to(SLEEP)


def vfork():
    """As posix_spawn(3) does it: the child shares our memory until its exec."""
    try:
        os.waitpid(os.posix_spawn(SLEEP[0], SLEEP, os.environ), 0)
    except OSError:
        report()


def threads():
    """Four at once, none of them the first of the process: one can win."""
    ready = threading.Barrier(4)
    argv = (ctypes.c_char_p * 3)(*[a.encode() for a in SLEEP], None)

    def run():
        ready.wait()
        libc.execv(argv[0], argv)	# os.execv lets no other thread run meanwhile

    ts = [threading.Thread(target=run) for _ in range(4)]
    for t in ts:
        t.start()
    for t in ts:
        t.join()
    report()


def again():
    """One that puts another in its place: that is no further one."""
    try_to(["/bin/sh", "-c", "exec sleep 100"])


def headless():
    """One whose first thread ends, and another lives on."""
    try_to([sys.executable, __file__, "0", "as_headless"])


def as_headless():
    libc.prctl(15, b"headless", 0, 0, 0)
    threading.Thread(target=time.sleep, args=[100]).start()
    libc.syscall(EXIT, 0)


# ---- all of them ----

def child(run, *args):
    if os.fork() == 0:
        run(*args)
        os._exit(0)


def fail(after):
    start(["/bin/sleep", "0" * (1 << 18)])	# E2BIG
    start(["./garbage"])			# ENOEXEC
    report()
    after()


def spin():
    while True:
        pass


def wait_and(way):
    os.read(go, 1)
    way()


def running():
    """Of our process group, by the names of their first threads."""
    n = 0
    for p in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % p) as f:
                head, tail = f.read().rsplit(")", 1)
        except OSError:
            continue
        tail = tail.split()
        n += (int(tail[2]) == os.getpgrp() and
              (head.split("(", 1)[1], tail[0] == "Z") in
              (("sleep", False), ("headless", True)))
    return n


def settled(n, ran):
    """Waits until n attempts are over: they have failed, or run."""
    for _ in range(3000):
        try:
            settled.failed += len(os.read(failures, n))
        except BlockingIOError:
            pass
        if settled.failed + ran() == n:
            return
        time.sleep(0.01)
    print("%d failed of %d" % (settled.failed, n))


def attempts(n, ways):
    os.set_blocking(failures, False)
    settled.failed = before = 0
    if "failed" in ways:
        ways.remove("failed")
        before = 4
        for after in (signal.pause, signal.pause, spin, spin):
            child(fail, after)
        settled(before, lambda: 0)
    for i in range(n):
        child(wait_and, globals()[ways[i % len(ways)]])
        if i in (n // 2 - 1, n - 1):
            os.write(gate, b"g" * (n // 2))
            settled(before + i + 1, running)
    print("%d run" % running(), flush=True)


def main():
    if sys.argv[2] == "as_headless":
        as_headless()
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        attempts(int(sys.argv[1]), sys.argv[2:])
        os._exit(0)
    os.waitpid(pid, 0)
    os.killpg(pid, signal.SIGKILL)


main()
