"""Attempts to signal the supervisor, the subreaper and init of x07-limit's tree, by every
road, and its own child by the same ones. Prints "kept" when all of the former were
refused and all of the latter worked.

usage: x07-limit_signals.py [group]	(group: the terminal's group is shared)
"""
import ctypes
import errno
import fcntl
import os
import signal
import socket
import struct
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
KILL, TKILL, TGKILL, QUEUE, TGQUEUE, PRLIMIT = {
    "x86_64": (62, 200, 234, 129, 297, 302),
    "aarch64": (129, 130, 131, 138, 240, 261)}[os.uname().machine]
PIDFD_SEND, PIDFD_OPEN = 424, 434
# What does no harm, where it arrives.
SIG = int(signal.SIGCONT)
# By ourselves, with a value: SI_QUEUE.
INFO = ctypes.create_string_buffer(struct.pack("iii4xii", SIG, 0, -1, os.getpid(), os.getuid()), 128)
wrong = []


def syscall(*args):
    """0 or an errno."""
    return ctypes.get_errno() if LIBC.syscall(*args) == -1 else 0


def owner(call):
    """Whom the kernel signals when something arrives at a socket."""
    a, b = socket.socketpair()
    with a, b:
        try:
            call(a)
            return 0
        except OSError as err:
            return err.errno


def number(pid):
    return owner(lambda s: fcntl.fcntl(s, fcntl.F_SETOWN, pid))


def pidfd(pid):
    fd = LIBC.syscall(PIDFD_OPEN, pid, 0)
    ret = syscall(PIDFD_SEND, fd, SIG, None, 0)
    os.close(fd)
    return ret


BY_NUMBER = {
    "kill": lambda pid: syscall(KILL, pid, SIG),
    "tkill": lambda pid: syscall(TKILL, pid, SIG),
    "tgkill": lambda pid: syscall(TGKILL, pid, pid, SIG),
    "rt_sigqueueinfo": lambda pid: syscall(QUEUE, pid, SIG, INFO),
    "rt_tgsigqueueinfo": lambda pid: syscall(TGQUEUE, pid, pid, SIG, INFO),
    "F_SETOWN": number,
}
IN_MEMORY = {
    "pidfd_send_signal": pidfd,
    "F_SETOWN_EX": lambda pid: owner(lambda s: fcntl.fcntl(s, 15, struct.pack("ii", 1, pid))),
    "FIOSETOWN": lambda pid: owner(lambda s: fcntl.ioctl(s, 0x8901, struct.pack("i", pid))),
    "SIOCSPGRP": lambda pid: owner(lambda s: fcntl.ioctl(s, 0x8902, struct.pack("i", pid))),
}


def parent(pid):
    with open("/proc/%d/stat" % pid) as f:
        return int(f.read().rsplit(")", 1)[1].split()[1])


def name(pid):
    with open("/proc/%d/comm" % pid) as f:
        return f.read().strip()


def expect(what, got, want):
    if got not in want:
        wrong.append("%s: %s" % (what, errno.errorcode.get(got, got)))


def main():
    refused = (errno.EPERM, errno.ENOSYS)
    init = os.getppid()
    reaper = parent(init)
    supervisor = parent(reaper)
    names = [name(pid) for pid in (init, reaper, supervisor)]
    if names != ["x07-tree", "x07-tree", "x07-limit"]:
        sys.exit("not a swept tree: %s" % names)
    for who, pid in ("init", init), ("reaper", reaper), ("supervisor", supervisor):
        for road, send in {**BY_NUMBER, **IN_MEMORY}.items():
            expect("%s of the %s" % (road, who), send(pid), refused)
        expect("setrlimit of the %s" % who,
               syscall(PRLIMIT, pid, 6, struct.pack("QQ", 1, 1), None), refused)
    expect("kill of all", syscall(KILL, -1, SIG), refused)
    # 0: that group is not in this pid namespace.
    for pid in {reaper, os.getpgid(supervisor)} - {0}:
        expect("kill of group %d" % pid, syscall(KILL, -pid, SIG), refused)
        expect("F_SETOWN of group %d" % pid, number(-pid), refused)
    if sys.argv[1:] == ["group"]:
        expect("kill of our group", syscall(KILL, 0, SIG), refused)
    child = os.fork()
    if child == 0:
        signal.pause()
        os._exit(0)
    for road, send in BY_NUMBER.items():
        expect("%s of a child" % road, send(child), (0,))
    os.setpgid(child, child)
    expect("kill of a child's group", syscall(KILL, -child, SIG), (0,))
    if sys.argv[1:] != ["group"]:
        expect("kill of our own group", syscall(KILL, 0, SIG), (0,))
    os.kill(child, signal.SIGTERM)
    expect("the child's end", os.waitpid(child, 0)[1], (signal.SIGTERM,))
    print("\n".join(wrong) or "kept")


main()
