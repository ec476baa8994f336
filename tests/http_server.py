"""Serves DIR on a free port of ADDRESS and writes the port to FILE."""
import functools
import http.server
import os
import socket
import sys

address, directory, port_file = sys.argv[1:4]


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
    request_queue_size = 128


handler = functools.partial(
    http.server.SimpleHTTPRequestHandler, directory=directory)
with Server((address, 0), handler) as server:
    with open(port_file + ".new", "w") as f:
        f.write(str(server.server_address[1]))
    os.rename(port_file + ".new", port_file)
    server.serve_forever()
