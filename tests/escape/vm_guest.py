"""vm_guest.py IMAGE INIT FILE...: INIT becomes the first process, which has /busybox and FILEs.

What comes later in an initramfs replaces what came before.
"""
import sys


def entry(name, mode, data):
    head = "070701" + "".join("%08x" % n for n in (
        0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0))
    out = head.encode() + name.encode() + b"\0"
    out += b"\0" * (-len(out) % 4) + data
    return out + b"\0" * (-len(out) % 4)


image, script = sys.argv[1:3]
with open(image + "/initramfs", "ab") as f:
    f.write(entry("busybox", 0o100755, open("/bin/busybox", "rb").read()))
    # Of another type, so that the file with many names is not written into.
    f.write(entry("init", 0o040755, b""))
    f.write(entry("init", 0o100755, open(script, "rb").read()))
    for name in sys.argv[3:]:
        f.write(entry(name, 0o100755, open(name, "rb").read()))
    f.write(entry("TRAILER!!!", 0, b""))
