"""A name server for tests: dns_server.py ADDRESS TABLE LOG READY

TABLE has lines "NAME TYPE TTL VALUE..." (A, AAAA, CNAME); read again for each
query. Every query is written to LOG as "NAME TYPE". A name that is not in the
table does not exist. The name "servfail.example" fails, "silent.example" gets no
answer. UDP and TCP on port 53.
"""
import ipaddress
import os
import socket
import socketserver
import struct
import sys
import threading

address, table_file, log_file, ready_file = sys.argv[1:5]
TYPES = {"A": 1, "CNAME": 5, "AAAA": 28}


def table():
    rows = {}
    with open(table_file) as f:
        for line in f:
            words = line.split()
            if words:
                rows.setdefault(words[0], []).append(
                    (words[1], int(words[2]), words[3:]))
    return rows


def encode(name):
    out = b""
    for label in name.split("."):
        out += bytes([len(label)]) + label.encode()
    return out + b"\0"


def record(name, kind, ttl, value):
    if kind == "CNAME":
        data = encode(value)
    else:
        data = ipaddress.ip_address(value).packed
    return encode(name) + struct.pack("!HHIH", TYPES[kind], 1, ttl,
                                      len(data)) + data


def answers(rows, name, qtype, depth=0):
    out = []
    for kind, ttl, values in rows.get(name, []):
        for value in values:
            if kind == "CNAME" and depth < 8:
                out.append(record(name, kind, ttl, value))
                out += answers(rows, value, qtype, depth + 1)
            elif TYPES[kind] == qtype:
                out.append(record(name, kind, ttl, value))
    return out


def reply(query):
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode("latin-1"))
        at += 1 + query[at]
    qtype = struct.unpack("!H", query[at + 1:at + 3])[0]
    name = ".".join(labels).lower()
    with open(log_file, "a") as f:
        f.write("%s %d\n" % (name, qtype))
    if name == "silent.example":
        return None
    rows = table()
    found = answers(rows, name, qtype)
    rcode = 2 if name == "servfail.example" else 0 if name in rows else 3
    head = struct.pack("!2sHHHHH", query[:2], 0x8180 | rcode, 1, len(found), 0, 0)
    return head + query[12:at + 5] + b"".join(found)


class UDP(socketserver.BaseRequestHandler):
    def handle(self):
        data, sock = self.request
        out = reply(data)
        if out is not None:
            if len(out) > 512:
                out = out[:2] + struct.pack("!H", 0x8380) + out[4:6] + bytes(6) + \
                    data[12:]
            sock.sendto(out, self.client_address)


class TCP(socketserver.BaseRequestHandler):
    def handle(self):
        size = struct.unpack("!H", self.request.recv(2))[0]
        out = reply(self.request.recv(size))
        if out is not None:
            self.request.sendall(struct.pack("!H", len(out)) + out)


class UDPServer(socketserver.ThreadingUDPServer):
    address_family = socket.AF_INET
    daemon_threads = True


class TCPServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


tcp = TCPServer((address, 53), TCP)
threading.Thread(target=tcp.serve_forever, daemon=True).start()
with UDPServer((address, 53), UDP) as udp:
    with open(ready_file + ".new", "w") as f:
        f.write("ready\n")
    os.rename(ready_file + ".new", ready_file)
    udp.serve_forever()
