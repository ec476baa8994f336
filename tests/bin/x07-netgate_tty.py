"""A terminal with an interactive shell that runs the gate: keys must work."""
import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time

seen = b""


def wait_for(fd, text, seconds=20):
    """Reads until text has come, which is not what was typed."""
    global seen
    end = time.time() + seconds
    while text not in seen:
        if time.time() > end or not select.select([fd], [], [], seconds)[0]:
            sys.exit("no %r in %r" % (text, seen))
        try:
            seen += os.read(fd, 4096)
        except OSError:
            sys.exit("closed without %r: %r" % (text, seen))
    seen = seen[seen.index(text) + len(text):]


pid, fd = pty.fork()
if pid == 0:
    os.environ["PS1"] = "ready> "
    os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 77, 0, 0))
wait_for(fd, b"ready> ")

os.write(fd, b"x07-netgate -- stty size\n")
wait_for(fd, b"33 77")
wait_for(fd, b"ready> ")

os.write(fd, b"x07-netgate -- sh -c 'echo st\"\"arted; exec sleep 500'\n")
wait_for(fd, b"started\r\n")
os.write(fd, b"\x03")                   # ^C
wait_for(fd, b"ready> ")
os.write(fd, b"echo st=$?\n")
wait_for(fd, b"st=130")
wait_for(fd, b"ready> ")

os.write(fd, b"x07-netgate -- sh -c 'echo st\"\"arted; exec sleep 501'\n")
wait_for(fd, b"started\r\n")
os.write(fd, b"\x1a")                   # ^Z
wait_for(fd, b"Stopped")
wait_for(fd, b"ready> ")
os.write(fd, b"jobs; ps -o stat= -p $(jobs -p)\n")
wait_for(fd, b"Stopped")
wait_for(fd, b"T")
os.write(fd, b"fg\n")
wait_for(fd, b"sleep 501")
time.sleep(0.2)
os.write(fd, b"\x1c")                   # ^\
wait_for(fd, b"Quit")
wait_for(fd, b"ready> ")

# Typed input goes to the program.
os.write(fd, b"x07-netgate -- sh -c 'read x; echo got-$x'\n")
time.sleep(0.2)
os.write(fd, b"words\n")
wait_for(fd, b"got-words")
wait_for(fd, b"ready> ")
os.write(fd, b"exit 7\n")
status = os.waitpid(pid, 0)[1]
sys.exit(0 if os.WEXITSTATUS(status) == 7 else "shell: %d" % status)
