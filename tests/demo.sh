#!/usr/bin/env bash
# Checks two images made on the spot: one that is right, and one that is broken as published images were.
# It needs neither Docker nor a registry, and leaves nothing behind.
#
#   demo.sh MPCHECK FORGE
set -euo pipefail
mpcheck=$1 forge=$2
images=$(mktemp -d)
trap 'rm -rf "$images"' EXIT
"$forge" demo "$images" >/dev/null

show() { printf '\n$ mpcheck %s\n\n' "$*"; }

# The names are shown as they are used: relative to the directory that holds them.
mpcheck=$(readlink -f "$mpcheck")
cd "$images"
show good
"$mpcheck" --no-cache good

show broken
code=0
"$mpcheck" --no-cache broken || code=$?
printf '\nexit code %s: 1 says that there are findings.\n' "$code"
[[ $code -eq 1 ]] || { echo "demo.sh: the broken image was not found broken" >&2; exit 1; }

printf '\nWhat a rule means, and how to mend it: mpcheck explain binary/foreign-architecture\n'
