#!/bin/sh
# part.sh PART.lo PROGRAM: the objects of a program as one, in which main is called
# main_PART and nothing else is seen from outside.
set -eu

name=main_$(basename "$1" .lo | tr - _)
"${LD:-ld}" -r -o "$1.tmp" "$(dirname "$2")"/*.o
"${OBJCOPY:-objcopy}" --redefine-sym "main=$name" --keep-global-symbol="$name" "$1.tmp"
mv "$1.tmp" "$1"
