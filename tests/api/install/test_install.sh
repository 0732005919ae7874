#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# test_install.sh BUILD CMAKE CC NM
#
# Installs into a new folder and builds a program outside the tree against what
# is there: with pkg-config and with find_package, shared and static.
set -eu
build=$1 cmake=$2 cc=$3
here=$(cd "$(dirname "$0")" && pwd)
flags=${NCG_SANITIZE:+-fsanitize=$NCG_SANITIZE}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$cmake" --install "$build" --prefix "$work/prefix" > "$work/install.log"
pc=$(find "$work/prefix" -name ncgraph.pc)
lib=$(dirname "$(dirname "$pc")")
PKG_CONFIG_PATH=$(dirname "$pc")
export PKG_CONFIG_PATH

fail() {
    echo "test_install: $*" >&2
    exit 1
}

# check NAME PROGRAM: it runs, and finds the library in the prefix if it wants
# a shared one.
check() {
    LD_LIBRARY_PATH=$lib "$2" > "$work/out" || fail "$1: the program fails"
    echo "$1: version $(cat "$work/out")"
}

is_shared() {
    LD_LIBRARY_PATH=$lib ldd "$1" | grep -q "$lib/libncgraph.so.0"
}

# Words of flags are to be split.
# shellcheck disable=SC2046,SC2086
"$cc" -std=c99 $flags "$here/outside.c" -o "$work/a" \
    $(pkg-config --cflags --libs ncgraph)
check "pkg-config, shared" "$work/a"
is_shared "$work/a" || fail "the program does not use $lib/libncgraph.so.0"

# The static library is chosen by its name; the rest as pkg-config says.
# shellcheck disable=SC2046,SC2086
"$cc" $flags "$here/outside.c" -o "$work/b" \
    $(pkg-config --cflags --static --libs ncgraph |
        sed "s/-lncgraph/-l:libncgraph.a/")
check "pkg-config, static" "$work/b"
! is_shared "$work/b" || fail "the static program uses the shared library"

for library in ncgraph ncgraph_static; do
    "$cmake" -G Ninja -S "$here" -B "$work/$library" -DLIBRARY=$library \
        -DCMAKE_C_COMPILER="$cc" -DCMAKE_C_FLAGS="$flags" \
        -DCMAKE_PREFIX_PATH="$work/prefix" > "$work/cmake.log" 2>&1 &&
        "$cmake" --build "$work/$library" >> "$work/cmake.log" 2>&1 || {
        cat "$work/cmake.log"
        fail "find_package, $library"
    }
    check "find_package, $library" "$work/$library/outside"
done

for file in bin/ncgraph include/ncgraph.h share/man/man1/ncgraph.1; do
    [ -f "$work/prefix/$file" ] || fail "$file is not installed"
done
"$work/prefix/bin/ncgraph" --version > /dev/null || fail "the command fails"
