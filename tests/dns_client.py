"""Raw queries to a name server: dns_client.py ADDRESS PROTO QUERY...

PROTO is udp or tcp. A query is NAME/TYPE[/CLASS], or hex:BYTES for a message as it
is. One line per query: the response code and the answers, or "silence".
"""
import ipaddress
import socket
import struct
import sys

RCODES = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"]
TYPES = {"A": 1, "NS": 2, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28,
         "SRV": 33, "HTTPS": 65, "AXFR": 252, "ANY": 255}


def encode(name):
    out = b""
    for label in name.rstrip(".").split("."):
        raw = label.encode("latin-1").decode("unicode_escape").encode("latin-1")
        out += bytes([len(raw)]) + raw
    return out + b"\0"


def message(text):
    if text.startswith("hex:"):
        return bytes.fromhex(text[4:])
    parts = text.split("/")
    cls = int(parts[2]) if len(parts) > 2 else 1
    kind = TYPES.get(parts[1]) or int(parts[1])
    return struct.pack("!HHHHHH", 0x1234, 0x0100, 1, 0, 0, 0) + \
        encode(parts[0]) + struct.pack("!HH", kind, cls)


def skip_name(reply, at):
    while reply[at] & 0xc0 == 0:
        if reply[at] == 0:
            return at + 1
        at += 1 + reply[at]
    return at + 2


def show(reply):
    if len(reply) < 12:
        return "short"
    flags, qd, an = struct.unpack("!HHH", reply[2:8])
    out = [RCODES[flags & 15]]
    at = 12
    for _ in range(qd):
        at = skip_name(reply, at) + 4
    for _ in range(an):
        at = skip_name(reply, at)
        kind, _, ttl, size = struct.unpack("!HHIH", reply[at:at + 10])
        data = reply[at + 10:at + 10 + size]
        at += 10 + size
        out.append("%s ttl %d" % (ipaddress.ip_address(data), ttl))
    return " ".join(out)


def exchange(address, proto, data):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    if proto == "udp":
        s = socket.socket(family, socket.SOCK_DGRAM)
        s.settimeout(3 if len(data) > 11 and not data[2] & 0x80 else 0.3)
        s.connect((address, 53))
        s.send(data)
        return s.recv(4096)
    s = socket.create_connection((address, 53), 3)
    s.sendall(struct.pack("!H", len(data)) + data)
    head = s.recv(2)
    if len(head) < 2:
        raise OSError("closed")
    return s.recv(struct.unpack("!H", head)[0])


for query in sys.argv[3:]:
    try:
        print(query, show(exchange(sys.argv[1], sys.argv[2], message(query))))
    except OSError as e:
        print(query, "silence" if isinstance(e, TimeoutError) else e)
