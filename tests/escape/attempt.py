"""What the programs of attempts share, which are called NAME_attack.py ATTEMPT [ARG...].

Exit status: 0 the attempt succeeded ("got" is the last line), 1 the kernel denied it (the
error is printed), 3 it could not be made at all. So a denial is not mistaken for a broken
test.
"""
import ctypes
import os
import platform
import sys

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
AT_FDCWD = -100

# The numbers that all architectures share, and the others.
NR = {"clone3": 435, "io_uring_setup": 425, "open_tree": 428, "move_mount": 429,
      "fsopen": 430, "pidfd_open": 434, "pidfd_getfd": 438, "mount_setattr": 442}
NR.update({
    "x86_64": {"open_by_handle_at": 304, "name_to_handle_at": 303, "bpf": 321,
               "userfaultfd": 323, "perf_event_open": 298, "add_key": 248,
               "process_vm_writev": 311, "pivot_root": 155, "ptrace": 101,
               "kcmp": 312, "ioctl": 16},
    "aarch64": {"open_by_handle_at": 265, "name_to_handle_at": 264, "bpf": 280,
                "userfaultfd": 282, "perf_event_open": 241, "add_key": 217,
                "process_vm_writev": 271, "pivot_root": 41, "ptrace": 117,
                "kcmp": 272, "ioctl": 29},
}.get(platform.machine(), {}))


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


def main(attempts):
    """Makes the one of them, a dict of functions, that the command line names."""
    if len(sys.argv) < 2 or sys.argv[1] not in attempts:
        print("no such attempt")
        sys.exit(3)
    try:
        attempts[sys.argv[1]](*sys.argv[2:])
    except OSError as e:
        print("denied: %s" % e.strerror)
        sys.exit(1)
    except (TypeError, KeyError, ValueError) as e:
        print("broken: %r" % e)
        sys.exit(3)
    print("got")
