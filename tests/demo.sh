#!/usr/bin/env bash
# Checks three images made on the spot, and runs them: one that is right, one that is broken as published images were,
# and one that only breaks on old processors. It needs neither Docker, nor a registry, nor root, and leaves nothing behind.
#
#   demo.sh MPCHECK FORGE
set -euo pipefail
mpcheck=$(readlink -f "$1") forge=$2
images=$(mktemp -d)
trap 'rm -rf "$images"' EXIT
"$forge" demo "$images" >/dev/null

# try CODE WORD..: runs mpcheck and expects an exit code. The names are shown as they are used: relative to the
# directory that holds them.
cd "$images"
try() {
    local wanted=$1 code=0
    shift
    printf '\n$ mpcheck'
    printf ' %s' "$@"
    printf '\n\n'
    "$mpcheck" --no-cache --run sandbox "$@" || code=$?
    printf '\nexit code %s\n' "$code"
    [[ $code -eq $wanted ]] || { printf 'demo.sh: %s was expected\n' "$wanted" >&2; exit 1; }
}

# The program of all three prints the machine and exits with 42.
try 0 good --command app --expect-exit 42
# 1 says that there are findings. Without the sandbox the leaked program would simply run on this machine.
try 1 broken --command app --expect-exit 42
# Where there is no emulator for arm, nothing can be said of the third, and 0 is right too.
try 0 too-new --command app
if command -v qemu-arm-static qemu-arm >/dev/null; then
    try 1 too-new --command app --cpu baseline
fi

printf '\nWhat a rule means, and how to mend it: mpcheck explain run/native-leak\n'
