"""Stays outside a view: fs_server.py PATH [DIRECTORY]

Listens on the Unix socket PATH ("@NAME": abstract) and hands the directory out to who
connects. Writes PATH.ready, or NAME.ready, when it listens.
"""
import os
import socket
import sys

path = sys.argv[1]
s = socket.socket(socket.AF_UNIX)
s.bind("\0" + path[1:] if path.startswith("@") else path)
if not path.startswith("@"):
    os.chmod(path, 0o777)
s.listen(8)
d = os.open(sys.argv[2] if len(sys.argv) > 2 else ".", os.O_RDONLY)
open(path.lstrip("@") + ".ready", "w").close()
while True:
    c, _ = s.accept()
    try:
        socket.send_fds(c, [b"d"], [d])
    except OSError:
        pass
    c.close()
