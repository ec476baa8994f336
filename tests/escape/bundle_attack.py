#!/usr/bin/env python3
"""bundle_attack.py FROM TO DEED [WORD...]: writes a changed copy of a bundle.

Deeds that leave the digests as they were:
  strip           the stub alone
  cut N           without its last N bytes
  append TEXT     with something behind
  prepend TEXT    with something before
  flip PART       with one bit of a part changed
  swap A B        with the bytes of two parts exchanged
  graft FILE PART with a part that comes from another bundle
  behead FILE     with the stub of another file
  footer / table  with one bit of the footer's digest, of the table changed
Deeds of somebody who knows the format: the table's text is what a Python
expression makes of it, and its digest in the footer is right again.
  forge EXPR      text is the table, hex(part) a digest; EXPR gives the new text
  retable LEN     the footer tells another length of the table
"""
import hashlib
import os
import struct
import sys

FOOTER = struct.Struct("<8sQ32s")


class Bundle:
    def __init__(self, path):
        with open(path, "rb") as f:
            self.data = f.read()
        self.magic, length, self.digest = FOOTER.unpack(self.data[-FOOTER.size:])
        end = len(self.data) - FOOTER.size
        self.table = self.data[end - length:end]
        self.parts = {}
        at = 0
        for line in self.table.decode().split("\n")[1:-2]:
            name, _, size, _ = line.split(" ")
            self.parts[name] = self.data[at:at + int(size)]
            at += int(size)
        assert at == end - length, "the parts are not the file"

    def footer(self):
        return FOOTER.pack(self.magic, len(self.table), self.digest)

    def bytes(self):
        return b"".join(self.parts.values()) + self.table + self.footer()


def flip(data, at):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]


def change(b, deed, words):
    if deed == "strip":
        return b.parts["stub"]
    if deed == "cut":
        return b.data[:-int(words[0])]
    if deed == "append":
        return b.data + words[0].encode()
    if deed == "prepend":
        return words[0].encode() + b.data
    if deed == "flip":
        part = b.parts[words[0]]
        b.parts[words[0]] = flip(part, len(part) // 2)
    elif deed == "swap":
        one, two = words
        b.parts[one], b.parts[two] = b.parts[two], b.parts[one]
    elif deed == "graft":
        b.parts[words[1]] = Bundle(words[0]).parts[words[1]]
    elif deed == "behead":
        with open(words[0], "rb") as f:
            b.parts["stub"] = f.read()
    elif deed == "footer":
        b.digest = flip(b.digest, 7)
    elif deed == "table":
        b.table = flip(b.table, len(b.table) // 2)
    elif deed == "forge":
        text = eval(words[0], {"text": b.table.decode(), "parts": b.parts})
        b.table = text.encode("latin-1")
        b.digest = hashlib.sha256(b.table).digest()
    elif deed == "retable":
        return b.data[:-FOOTER.size] + FOOTER.pack(b.magic, int(words[0], 0), b.digest)
    else:
        raise ValueError(deed)
    return b.bytes()


def main():
    source, target, deed, *words = sys.argv[1:]
    data = change(Bundle(source), deed, words)
    with open(target, "wb") as f:
        f.write(data)
    os.chmod(target, 0o755)


main()
