"""Says "ready", and "written" when somebody writes to the file; for a minute.

usage: x07-limit_watch.py FILE
"""
import ctypes
import os
import signal
import sys

IN_MODIFY = 2
LIBC = ctypes.CDLL(None, use_errno=True)

signal.alarm(60)
fd = LIBC.inotify_init()
if LIBC.inotify_add_watch(fd, sys.argv[1].encode(), IN_MODIFY) == -1:
    sys.exit(os.strerror(ctypes.get_errno()))
print("ready", flush=True)
os.read(fd, 4096)
print("written")
