"""What a relay must not change: x07-netgate_flow.py serve FILE [ROOM] | TEST PORT [ARGS]

The server writes its port to FILE. The first line from a client says what to do.
"""
import ctypes
import errno
import hashlib
import os
import resource
import socket
import struct
import subprocess
import sys
import threading
import time


def random_bytes(n):
    return hashlib.shake_128(b"seed").digest(n)


def rounds(s, f, n, size):
    data = bytes(int(size))
    for _ in range(int(n)):
        t = threading.Thread(target=lambda: s.sendall(data))
        t.start()
        if len(f.read(len(data))) != len(data):
            return False
        t.join()
    return True


def tell(path, what):
    with open(path + ".new", "w") as f:
        f.write(what)
    os.rename(path + ".new", path)


def serve_one(s):
    f = s.makefile("rb")
    what = f.readline().decode().split()
    if not what:
        s.close()
        return
    if what[0] == "half":               # answer after the client's end of file
        s.sendall(b"%d bytes" % len(f.read()))
    elif what[0] == "first":            # nothing more to say
        s.sendall(b"bye")
    elif what[0] == "digest":           # both ways at once
        n = int(what[1])
        t = threading.Thread(target=lambda: s.sendall(random_bytes(n)))
        t.start()
        got = hashlib.sha256(f.read(n)).hexdigest()
        t.join()
        s.sendall(got.encode())
    elif what[0] == "rounds":           # both ways at once, again and again
        rounds(s, f, *what[1:])
    elif what[0] == "urgent":           # tell what came in the stream
        s.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
        s.sendall(f.read(int(what[1])))
    elif what[0] == "reset":            # go without a word, but with RST
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        f.close()
        s.close()
        return
    elif what[0] == "flood":            # more than anybody buffers
        try:
            while True:
                s.sendall(bytes(1 << 16))
        except OSError:
            pass
    elif what[0] == "early":            # answer, and go without reading all
        time.sleep(0.3)
        s.sendall(b"enough")
    elif what[0] == "deaf":             # talk and read nothing, until told to go
        try:
            while True:
                s.send(b".")
                time.sleep(0.5)
        except OSError:
            tell(what[1], "RST")
    elif what[0] in ("told", "left", "sip"):    # say how the client went
        if what[0] == "left":
            time.sleep(1)
        n, slow = 0, time.time() + 40
        try:
            while True:
                data = f.read1(4096)
                n += len(data)
                if not data:
                    how = "FIN"
                    break
                if what[0] == "sip" and time.time() < slow:
                    time.sleep(0.1)
        except ConnectionResetError:
            how = "RST"
        tell(what[1], "%s %d" % (how, n) if n else how)
    elif what[0] == "slow":             # read nothing for a while
        time.sleep(1)
        n = 0
        while True:
            data = f.read1(1 << 16)
            if not data:
                break
            n += len(data)
        s.sendall(b"%d" % n)
    f.close()
    s.close()


def serve(path, room=None):
    """With room, about so many bytes of a connection are taken before they are read."""
    s = socket.socket()
    if room:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, int(room))
    s.bind(("127.0.0.1", 0))
    s.listen(128)
    tell(path, str(s.getsockname()[1]))
    while True:
        threading.Thread(target=serve_one, args=(s.accept()[0],),
                         daemon=True).start()


def wait_for(path):
    for _ in range(400):
        if os.path.exists(path):
            break
        time.sleep(0.05)


def dial(port, line):
    s = socket.create_connection(("127.0.0.1", int(port)), 20)
    s.sendall(line.encode() + b"\n")
    return s


def half(port):
    s = dial(port, "half")
    s.sendall(b"x" * 1000000)
    s.shutdown(socket.SHUT_WR)
    print(s.makefile("rb").read().decode())


def first(port):
    s = dial(port, "first")
    print(s.recv(3).decode(), s.recv(3))


def digest(port, n):
    n = int(n)
    s = dial(port, "digest %d" % n)
    t = threading.Thread(target=lambda: s.sendall(random_bytes(n)))
    t.start()
    f = s.makefile("rb")
    got = hashlib.sha256(f.read(n)).hexdigest()
    t.join()
    want = hashlib.sha256(random_bytes(n)).hexdigest()
    print(got == want, f.read(64).decode() == want)


def bursts(port, n, size):
    """Ends of much data in both ways: none may wait for what is behind it."""
    s = dial(port, "rounds %s %s" % (n, size))
    print(rounds(s, s.makefile("rb"), n, size))


def crowd(port, n):
    """Much, stuck for a while, on each of so many connections open before."""
    socks = [socket.create_connection(("127.0.0.1", int(port)), 20)
             for _ in range(int(n))]
    right = []

    def one(s):
        s.sendall(b"slow\n" + bytes(8000000))
        s.shutdown(socket.SHUT_WR)
        right.append(s.makefile("rb").read() == b"8000000")
    threads = [threading.Thread(target=one, args=(s,)) for s in socks]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    print(right.count(True))


def unread(s):
    """Bytes that the other end has got and not read, in the same network."""
    with open("/proc/self/net/tcp") as f:
        for line in f:
            what = line.split()
            if what[2].endswith(":%04X" % s.getsockname()[1]):
                return int(what[4].split(":")[1], 16)
    return 0


def late(port):
    """An end that comes while bytes before it are stuck, if they are in time."""
    s = dial(port, "slow")
    sent = 2500000
    s.sendall(bytes(sent))
    while sent < 5000000 and (unread(s) == 0 or time.sleep(0.05) or
                              unread(s) == 0):
        sent += s.send(bytes(20000))
        time.sleep(0.005)
    s.shutdown(socket.SHUT_WR)
    print(int(s.makefile("rb").read()) == sent)


def pipes(n, *command):
    """Runs the command beside so many pipes of the same user."""
    resource.setrlimit(resource.RLIMIT_NOFILE,
                       (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    held = [os.pipe() for _ in range(int(n))]
    sys.exit(subprocess.call(command))


def early(port):
    """An answer that comes before a reset is read, however much we were still to say."""
    s = dial(port, "early")
    try:
        while True:
            s.sendall(bytes(1 << 20))
    except OSError:
        print(s.recv(10).decode())


def urgent(port):
    """Urgent data: what is behind it comes, too."""
    s = dial(port, "urgent 6")
    s.sendall(b"ab")
    s.send(b"!", socket.MSG_OOB)
    s.sendall(b"cde")
    print(s.makefile("rb").read(6).decode())


def reset(port):
    s = dial(port, "reset")
    try:
        print("data", s.recv(10))
    except OSError as e:
        print(errno.errorcode[e.errno])


def flood(port, relay_pattern):
    """The server sends as fast as it can; we read nothing, then go."""
    s = dial(port, "flood")
    time.sleep(1.5)
    print("stuck")
    s.close()


def told(port, path, how):
    s = dial(port, "told " + path)
    if how == "RST":
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()
    wait_for(path)
    print(open(path).read())


def background():
    if os.fork() != 0:
        os._exit(0)
    for fd in range(3):
        os.close(fd)


def left(port, path):
    """Writes much and goes at once, but for a child that has other connections."""
    idle = dial(port, "told " + path + ".idle")
    held = dial(port, "left " + path + ".held")
    held.sendall(bytes(3000000))
    s = dial(port, "left " + path)
    s.sendall(bytes(8000000))
    background()
    s.close()
    time.sleep(20)
    idle.close()


def drip(port, path):
    """Goes, but for a child that writes little, again and again."""
    s = dial(port, "told " + path)
    background()
    for _ in range(400):
        s.send(b".")
        time.sleep(0.05)


def fill(s):
    """Writes until nothing more is taken; returns how much that was."""
    s.setblocking(False)
    n, until = 0, time.time() + 0.3
    while time.time() < until:
        try:
            n += s.send(bytes(1 << 16))
            until = time.time() + 0.3
        except BlockingIOError:
            time.sleep(0.01)
    return n


def leave(port, path):
    """Writes all that is taken by a server that reads nothing, and by a slow one."""
    deaf, slow = dial(port, "deaf " + path + ".deaf"), dial(port, "sip " + path)
    fill(deaf)
    tell(path + ".want", "FIN %d" % fill(slow))
    os._exit(0)


def last(port, path):
    """Takes all descriptors of the relay, and goes with something left to be sent."""
    s = dial(port, "deaf " + path)
    socks = []
    try:
        while len(socks) < 100:
            socks.append(dial(port, "half"))
    except OSError:
        print("no more", flush=True)
    fill(s)
    os._exit(0)


def audience(port, n):
    """So many clients at once: is each one of them answered or sent away?"""
    socks = [socket.socket() for _ in range(int(n))]
    got = []
    for s in socks:
        s.connect(("127.0.0.1", int(port)))
    for s in socks:
        s.settimeout(0.01 if "nothing" in got else 5)
        try:
            got.append(s.recv(2).decode())
        except ConnectionResetError:
            got.append("")
        except TimeoutError:
            got.append("nothing")
    print("hi" in got, "" in got, "nothing" in got)


def stage(port, seats=0):
    """Says hi to whoever comes. First so many other listeners come and go."""
    others = []
    for _ in range(int(seats)):
        others.append(socket.create_server(("127.0.0.1", 0)))
    time.sleep(0.3)
    for s in others:
        s.close()
    s = socket.create_server(("127.0.0.1", int(port)), backlog=128)
    held = []
    while True:
        held.append(s.accept()[0])
        held[-1].send(b"hi")


def short_tables(*command):
    """Runs the command where no more than the first page of a file in /proc is read."""
    nr = {"x86_64": 17, "aarch64": 67}[os.uname().machine]
    code = ((0x20, 0, 0, 0), (0x15, 0, 3, nr),      # pread64
            (0x20, 0, 0, 40), (0x35, 0, 1, 3500),   # its offset
            (0x06, 0, 0, 0x50000 + errno.ENOMEM), (0x06, 0, 0, 0x7fff0000))
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *c) for c in code))
    prog = struct.pack("HP", len(code) // 8, ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(38, 1, 0, 0, 0) != 0 or libc.prctl(22, 2, prog, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    os.execvp(command[0], command)


def cut(port, path):
    """The relay dies in the middle: an error, on both sides, and no end of file."""
    idle = dial(port, "told " + path)
    s = dial(port, "flood")
    s.recv(1 << 20)
    print("started", flush=True)
    try:
        while s.recv(1 << 20):
            pass
        print("end of file")
    except OSError as e:
        print(errno.errorcode[e.errno])
    try:
        print("idle", idle.recv(1))
    except OSError as e:
        print("idle", errno.errorcode[e.errno])
    wait_for(path)
    print(open(path).read())


def slow(port):
    """The server reads nothing for a while: our writes must block."""
    s = dial(port, "slow")
    s.setblocking(False)
    sent, blocked, end = 0, False, time.time() + 0.7
    while time.time() < end:
        try:
            sent += s.send(bytes(1 << 16))
        except BlockingIOError:
            blocked = True
            time.sleep(0.01)
    s.setblocking(True)
    s.shutdown(socket.SHUT_WR)
    print(blocked, sent < 64 << 20, int(s.makefile("rb").read()) == sent)


globals()[sys.argv[1]](*sys.argv[2:])
