"""reader_attack.py WHAT: fills its own standard error, which nobody reads, or stops it
where it is a terminal, and then
limit: starts two processes that sleep, one after the other, and tells how each ended;
exec: starts a program that is denied, then one that is not, and tells what came of it;
net PORT: asks a port that is denied, then that one."""
import errno
import os
import socket
import subprocess
import sys
import termios

if os.isatty(2):
    termios.tcflow(2, termios.TCOOFF)
else:
    os.set_blocking(2, False)
    try:
        while os.write(2, b"x" * 65536) > 0:
            pass
    except BlockingIOError:
        pass
    os.set_blocking(2, True)


def ended(*words):
    try:
        return subprocess.run(words, stderr=subprocess.DEVNULL).returncode
    except OSError as e:
        return e.strerror


def served(port):
    try:
        with socket.create_connection(("127.0.0.1", port), 10) as s:
            s.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return "served" if s.recv(100) else "hung up"
    except TimeoutError:
        return "nobody"
    except OSError as e:
        return errno.errorcode[e.errno]


if sys.argv[1] == "net":
    print(served(1), served(int(sys.argv[2])), flush=True)
elif sys.argv[1] == "limit":
    print(ended("/bin/sleep", "8"), ended("/bin/sleep", "8"), flush=True)
else:
    print(ended("/usr/bin/id", "-u"), ended("/bin/true"), flush=True)
