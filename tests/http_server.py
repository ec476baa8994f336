"""http_server.py ADDRESS DIR FILE [PORT]: serves DIR and writes the port to FILE."""
import functools
import http.server
import os
import socket
import sys

address, directory, port_file = sys.argv[1:4]
port = int(sys.argv[4]) if len(sys.argv) > 4 else 0


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
    request_queue_size = 128


handler = functools.partial(
    http.server.SimpleHTTPRequestHandler, directory=directory)
with Server((address, port), handler) as server:
    with open(port_file + ".new", "w") as f:
        f.write(str(server.server_address[1]))
    os.rename(port_file + ".new", port_file)
    server.serve_forever()
