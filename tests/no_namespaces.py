"""Runs a command where no user namespace can be made: as the caller, in a user
namespace that allows none inside.

usage: no_namespaces.py [-a] COMMAND [ARGUMENT ...]

With -a root keeps all it can do there, so that it can make the other namespaces.
"""
import ctypes
import os
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWUSER = 0x10000000
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 24, 38


def put(path, text):
    with open(path, "w") as f:
        f.write(text)


def maps(pid, uid, gid):
    """Every id keeps its number; without privilege there is only one's own."""
    if uid == 0:
        for name in "uid_map", "gid_map":
            put("/proc/%d/%s" % (pid, name),
                "".join("%s %s %s\n" % (a, a, n) for a, _, n in
                        (line.split() for line in open("/proc/self/" + name))))
        return
    put("/proc/%d/setgroups" % pid, "deny")
    put("/proc/%d/uid_map" % pid, "%d %d 1" % (uid, uid))
    put("/proc/%d/gid_map" % pid, "%d %d 1" % (gid, gid))


def main(argv):
    keep = argv[0] == "-a"
    uid, gid, pid = os.getuid(), os.getgid(), os.getpid()
    ask, answer = os.pipe(), os.pipe()
    writer = os.fork()
    if writer == 0:
        os.close(ask[1])
        if os.read(ask[0], 1):
            maps(pid, uid, gid)
            os.write(answer[1], b"x")
        os._exit(0)
    if LIBC.unshare(CLONE_NEWUSER) == -1:
        sys.exit("unshare: " + os.strerror(ctypes.get_errno()))
    os.write(ask[1], b"x")
    os.waitpid(writer, 0)
    os.set_blocking(answer[0], False)
    if os.read(answer[0], 1) != b"x":
        sys.exit("no maps")
    put("/proc/sys/user/max_user_namespaces", "0")
    if not keep:
        for cap in range(64):
            LIBC.prctl(PR_CAPBSET_DROP, cap, 0, 0, 0)
    for fd in ask + answer:
        os.close(fd)
    command = argv[1:] if keep else argv
    os.execvp(command[0], command)


main(sys.argv[1:])
