#!/bin/sh
# part.sh PROGRAM.lo OBJECT...: the objects of a program as one, in which main is called
# main_PROGRAM and nothing else is seen from outside.
set -eu

part=$1
shift
name=main_$(basename "$part" .lo | tr - _)
"${LD:-ld}" -r -o "$part.tmp" "$@"
"${OBJCOPY:-objcopy}" --redefine-sym "main=$name" --keep-global-symbol="$name" "$part.tmp"
mv "$part.tmp" "$part"
