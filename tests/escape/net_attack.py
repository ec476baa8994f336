"""Attempts to get round x07-netgate: net_attack.py NAME ARGS

Prints "got ..." and exits 0 when the attempt succeeds, "denied ..." and exits 1
when it does not.
"""
import ctypes
import errno
import os
import signal
import socket
import struct
import sys

libc = ctypes.CDLL(None, use_errno=True)
WAIT = 3
HTTP = b"GET / HTTP/1.0\r\n\r\n"


class Denied(Exception):
    pass


def check(ret, what=""):
    if ret == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), what)
    return ret


def fetch(s):
    s.settimeout(WAIT)
    s.sendall(HTTP)
    data = s.recv(65536)
    if not data.startswith(b"HTTP/"):
        raise Denied("no answer")
    return data.split(b" ")[1].decode()


# ---- names and addresses ----

def connect(host, port):
    """By whatever getaddrinfo(3) makes of the name or number."""
    info = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)
    s = socket.socket(info[0][0], socket.SOCK_STREAM)
    s.settimeout(WAIT)
    s.connect(info[0][4])
    return fetch(s)


def address(addr, port):
    """The address as it is, over an IPv6 socket when it has a colon."""
    family = socket.AF_INET6 if ":" in addr else socket.AF_INET
    s = socket.socket(family, socket.SOCK_STREAM)
    s.settimeout(WAIT)
    s.connect((addr, int(port)))
    return fetch(s)


def resolve(name):
    return socket.getaddrinfo(name, 80)[0][4][0]


def datagram(addr, port, *options):
    """A datagram that is echoed by whoever it was for."""
    family = socket.AF_INET6 if ":" in addr else socket.AF_INET
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.settimeout(1)
    if "broadcast" in options:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    s.sendto(b"hello", (addr, int(port)))
    return s.recv(100).decode()


# ---- network paths ----

def sock(family, kind, proto):
    """A socket of another family or type."""
    number = dict(UNSPEC=0, INET=2, AX25=3, IPX=4, APPLETALK=5, X25=9, INET6=10,
                  KEY=15, NETLINK=16, PACKET=17, RDS=21, PPPOX=24, LLC=26, IB=27,
                  MPLS=28, CAN=29, TIPC=30, BLUETOOTH=31, RXRPC=33, PHONET=35,
                  IEEE802154=36, CAIF=37, ALG=38, NFC=39, VSOCK=40, KCM=41,
                  QIPCRTR=42, SMC=43, XDP=44, MCTP=45)[family]
    kinds = dict(STREAM=1, DGRAM=2, RAW=3, SEQPACKET=5)
    fd = check(libc.socket(number, kinds[kind], int(proto)))
    os.close(fd)
    return "socket"


def mptcp(addr, port):
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
    s.settimeout(WAIT)
    s.connect((addr, int(port)))
    return fetch(s)


def sctp(addr, port):
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132)
    s.settimeout(WAIT)
    s.connect((addr, int(port)))
    return fetch(s)


def ping(addr):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, 1)
    s.settimeout(1)
    s.connect((addr, 0))
    s.send(b"\x08\0\0\0\0\0\0\0")
    s.recv(100)
    return "an echo"


def fastopen(addr, port):
    """The data go with the opening packet, without connect(2)."""
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    signal.alarm(WAIT)
    s.sendto(HTTP, 0x20000000, (addr, int(port)))
    data = s.recv(65536)
    if not data:
        raise Denied("nothing")
    return data.split(b" ")[1].decode()


def fastopen_connect(addr, port):
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    s.settimeout(WAIT)
    s.setsockopt(socket.IPPROTO_TCP, 30, 1)
    s.connect((addr, int(port)))
    return fetch(s)


def reconnect(allowed, port, denied, denied_port):
    """A connected socket is taken apart (AF_UNSPEC) and connected elsewhere."""
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    s.settimeout(WAIT)
    s.connect((allowed, int(port)))
    check(libc.connect(s.fileno(), b"\0" * 16, 16))
    s.connect((denied, int(denied_port)))
    return fetch(s)


def sendmmsg(first, first_port, second, second_port):
    """The second message of one call goes elsewhere."""
    class Iov(ctypes.Structure):
        _fields_ = [("base", ctypes.c_char_p), ("len", ctypes.c_size_t)]

    class Head(ctypes.Structure):
        _fields_ = [("name", ctypes.c_char_p), ("namelen", ctypes.c_uint),
                    ("iov", ctypes.POINTER(Iov)), ("iovlen", ctypes.c_size_t),
                    ("control", ctypes.c_void_p), ("controllen", ctypes.c_size_t),
                    ("flags", ctypes.c_int)]

    class Msg(ctypes.Structure):
        _fields_ = [("head", Head), ("len", ctypes.c_uint)]

    def msg(addr, port):
        name = struct.pack("=HH4s8x", socket.AF_INET, socket.htons(int(port)),
                           socket.inet_aton(addr))
        iov = Iov(b"hello", 5)
        return Msg(Head(name, 16, ctypes.pointer(iov), 1, None, 0, 0), 0)

    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(1)
    vec = (Msg * 2)(msg(first, first_port), msg(second, second_port))
    if check(libc.sendmmsg(s.fileno(), vec, 2, 0)) != 2:
        raise Denied("one message")
    got = set()
    for _ in range(2):
        got.add(s.recvfrom(100)[1])
    if (second, int(second_port)) not in got:
        raise Denied("no answer from there")
    return "answers of both"


def option(level, name, value):
    """A socket option that only who rules the network may set."""
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    s.setsockopt(int(level), int(name), int(value))
    return "option"


def device(addr, port):
    """Bound to a device by name."""
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    s.settimeout(WAIT)
    for dev in b"wan0\0", b"eth0\0", b"lo\0":
        try:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, dev)
            break
        except OSError:
            continue
    s.connect((addr, int(port)))
    return fetch(s)


def source_route(via, addr, port):
    """By way of an address that is allowed: loose source route."""
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    s.settimeout(WAIT)
    s.setsockopt(socket.IPPROTO_IP, 4, b"\x83\x07\x04" + socket.inet_aton(via) +
                 b"\0")
    s.connect((addr, int(port)))
    return fetch(s)


def source_address(source, sport, addr, port):
    """From an address and port of our choice."""
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    s.settimeout(WAIT)
    s.setsockopt(socket.SOL_IP, 15, 1)
    s.bind((source, int(sport)))
    s.connect((addr, int(port)))
    return fetch(s)


def io_uring():
    params = ctypes.create_string_buffer(256)
    fd = check(libc.syscall(425, 4, params))
    os.close(fd)
    return "a ring"


def abstract(name):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.settimeout(WAIT)
    s.connect("\0" + name)
    return s.recv(10).decode()


def abstract_here():
    a = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    a.bind("\0x07-net-attack-%d" % os.getpid())
    a.listen()
    b = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    b.connect(a.getsockname())
    return "own"


def setns(path, addr, port):
    """Into another network namespace."""
    fd = os.open(path, os.O_RDONLY)
    check(libc.setns(fd, 0x40000000))
    return address(addr, port)


def new_network(addr, port):
    """A user and a network namespace of our own, and loopback up in it."""
    check(libc.unshare(0x10000000 | 0x40000000))
    import fcntl
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    ifr = struct.pack("16sH22x", b"lo", 0x49)
    fcntl.ioctl(s, 0x8914, ifr)
    return address(addr, port)


def mark_from_user_namespace():
    """A mark on a socket of the gate's network, as root of a new user namespace."""
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    check(libc.unshare(0x10000000))
    s.setsockopt(socket.SOL_SOCKET, 36, 0x78303701)
    return "a mark"


def inherited(fd):
    s = socket.socket(fileno=int(fd))
    return fetch(s)


def elsewhere(fd, addr, port):
    """A socket that was open before, connected to somewhere else."""
    check(libc.connect(int(fd), b"\0" * 16, 16))
    s = socket.socket(fileno=int(fd))
    s.settimeout(WAIT)
    s.connect((addr, int(port)))
    return fetch(s)


def stdio(fd):
    """Whatever is behind it says something."""
    return os.read(int(fd), 100).decode()


# ---- the relay ----

def relay():
    """The gate's process outside, by its arguments."""
    own = os.getpid()
    for pid in os.listdir("/proc"):
        if not pid.isdigit() or int(pid) == own:
            continue
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as f:
                args = f.read().split(b"\0")
        except OSError:
            continue
        if os.path.basename(args[0]) == b"x07-netgate" and b"net-relay-mark" in args:
            return int(pid)
    raise Denied("no relay to be seen")


def relay_ptrace(_):
    check(libc.ptrace(16, relay(), 0, 0))
    return "attached"


def relay_memory(_):
    os.close(os.open("/proc/%d/mem" % relay(), os.O_RDONLY))
    return "memory"


def relay_vm(_):
    class Iov(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]
    local = ctypes.create_string_buffer(8)
    a, b = Iov(ctypes.addressof(local), 8), Iov(0x400000, 8)
    check(libc.process_vm_readv(relay(), ctypes.byref(a), 1, ctypes.byref(b), 1, 0))
    return "memory"


def relay_fds(_):
    fd = os.open("/proc/%d/fd/0" % relay(), os.O_RDONLY)
    os.close(fd)
    return "its descriptor"


def relay_getfd(_):
    pidfd = check(libc.syscall(434, relay(), 0))
    return str(check(libc.syscall(438, pidfd, 0, 0)))


def relay_ns(_):
    fd = os.open("/proc/%d/ns/net" % relay(), os.O_RDONLY)
    check(libc.setns(fd, 0x40000000))
    return "its network"


def relay_limits(_):
    check(libc.prlimit(relay(), 7, struct.pack("QQ", 9, 9), None))
    return "fewer descriptors"


def relay_signal(_):
    os.kill(relay(), signal.SIGSTOP)
    return "stopped it"


def relay_environ(_):
    with open("/proc/%d/environ" % relay(), "rb") as f:
        return f.read().decode()


def main():
    name, args = sys.argv[1], sys.argv[2:]
    try:
        got = globals()[name](*args)
    except Denied as e:
        print("denied", e)
        return 1
    except OSError as e:
        print("denied", errno.errorcode.get(e.errno, e) if e.errno else e)
        return 1
    print("got", got)
    return 0


sys.exit(main())
