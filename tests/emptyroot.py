#!/usr/bin/env python3
"""emptyroot.py [-r] [-t] FILE NAME [WORD...]: executes a copy of FILE as /NAME in a root that
holds nothing else but /proc and the devices of a container; -t adds an empty /tmp, -r makes the root read-only.
The user stays who he is."""
import ctypes
import os
import shutil
import signal
import sys

libc = ctypes.CDLL(None, use_errno=True)
NEWNS, NEWPID, NEWUSER = 0x20000, 0x20000000, 0x10000000
RDONLY, NOSUID, NODEV, REMOUNT, BIND, REC, PRIVATE = 1, 2, 4, 32, 4096, 16384, 1 << 18
DETACH, PIVOT_ROOT = 2, 155 if os.uname().machine == "x86_64" else 41
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")


def check(result):
    if result != 0:
        err = ctypes.get_errno()
        raise OSError(err, os.strerror(err))


def mount(source, target, fstype, flags):
    encoded = [s if s is None else s.encode() for s in (source, target, fstype)]
    check(libc.mount(*encoded, ctypes.c_ulong(flags), None))


def own_namespaces():
    uid, gid = os.getuid(), os.getgid()
    if uid == 0:
        check(libc.unshare(NEWNS | NEWPID))
        return
    check(libc.unshare(NEWUSER | NEWNS | NEWPID))
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"),
                       ("gid_map", f"{gid} {gid} 1")):
        with open("/proc/self/" + name, "w", encoding="ascii") as f:
            f.write(text)


def enter(file, name, read_only, tmp):
    mount(None, "/", None, REC | PRIVATE)
    source = os.open(file, os.O_RDONLY)
    devices = {name: os.open("/dev/" + name, os.O_PATH) for name in DEVICES}
    mount("root", "/tmp", "tmpfs", NOSUID)
    os.chdir("/tmp")
    os.mkdir("dev")
    for device, fd in devices.items():
        with open("dev/" + device, "w", encoding="ascii"):
            pass
        mount(f"/proc/self/fd/{fd}", "dev/" + device, None, BIND)
    os.mkdir("proc")
    mount("proc", "proc", "proc", NOSUID | NODEV)
    if tmp:
        os.mkdir("tmp")
        os.chmod("tmp", 0o1777)
        if read_only:
            mount("tmp", "tmp", "tmpfs", NOSUID | NODEV)
    with os.fdopen(source, "rb") as src, open(name, "wb") as dst:
        shutil.copyfileobj(src, dst)
    os.chmod(name, 0o555)
    check(libc.syscall(PIVOT_ROOT, b".", b"."))
    check(libc.umount2(b".", DETACH))
    if read_only:
        mount(None, "/", None, REMOUNT | BIND | RDONLY | NOSUID)
    os.chdir("/")


def main():
    words = sys.argv[1:]
    flags = set()
    while words[0] in ("-r", "-t"):
        flags.add(words.pop(0))
    own_namespaces()
    child = os.fork()
    if child == 0:
        try:
            enter(words[0], words[1], "-r" in flags, "-t" in flags)
            os.execv("/" + words[1], words[1:])
        finally:
            os._exit(99)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        signal.signal(os.WTERMSIG(status), signal.SIG_DFL)
        os.kill(os.getpid(), os.WTERMSIG(status))
    sys.exit(os.WEXITSTATUS(status))


main()
