#!/usr/bin/env bash
# Puts an image into a Docker engine that does what tonistiigi/binfmt does: installer.sh, with Debian's emulators.
#
#   installer-image.sh SOCKET NAME:TAG PROBES QEMU..
#
# SOCKET is what `engine.sh start` printed; PROBES a directory with a program for each architecture, named as container
# platforms call it; QEMU the emulators, as qemu calls them.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=parts.bash
source "$(dirname "${BASH_SOURCE[0]}")/parts.bash"

[[ $# -ge 4 ]] || usage
socket=$1 name=$2 probes=$3
shift 3
root=$(engine_root)
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
mkdir -p "$temp"/{usr/bin,binfmt.d,proc,dev,sys,tmp}
cp -r "$probes" "$temp/probes"
cp "$PARTS_SCRIPTS/installer.sh" "$temp/usr/bin/binfmt"
for one in "$@"; do
    cp "$(command -v "qemu-$one-static")" "$temp/usr/bin/qemu-$one"
    cp "/usr/lib/binfmt.d/qemu-$one.conf" "$temp/binfmt.d/"
done
# The links bin, lib, lib64 lead to the shell, mount(8), the loader and what both are linked to.
mapfile -t libraries < <(
    cd "$root"
    compgen -G 'usr/lib*/ld-linux*.so.?'
    compgen -G 'usr/lib/*-linux-gnu/ld-linux*.so.?'
    compgen -G 'usr/lib/*-linux-gnu/lib*.so.*' | grep -E '/lib(c|mount|blkid|selinux|pcre2-8)\.so\.'
)
tar --create --file="$temp.tar" --directory="$root" bin lib lib64 usr/bin/dash usr/bin/sh usr/bin/mount "${libraries[@]}" \
    --directory="$temp" usr/bin binfmt.d probes proc dev sys tmp
trap 'rm -rf "$temp" "$temp.tar"' EXIT
"$PARTS/bin/docker" --host "$socket" import --change 'ENV QEMU_PRESERVE_ARGV0=1' \
    --change 'ENTRYPOINT ["/usr/bin/binfmt"]' "$temp.tar" "$name" >&2
