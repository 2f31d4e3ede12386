#!/bin/sh
# A stand-in for the program of the image tonistiigi/binfmt, which cannot be had where these tests run: it takes what that
# takes (--install, --uninstall, $QEMU_BINARY_PATH), registers as that does (flags C, F and P, names qemu-NAME), says the same
# lines, and ends with 0 whatever happened. Magic and masks are Debian's, in /binfmt.d; /probes/ARCH are programs that end
# with 42 where they run.
set -u
registry=/proc/sys/fs/binfmt_misc
qemu=${QEMU_BINARY_PATH:-/usr/bin}
lines=${STAND_IN_BINFMT_D:-/binfmt.d}
probes=${STAND_IN_PROBES:-/probes}

qemu_name() {
    case $1 in
    amd64) echo x86_64 ;; 386) echo i386 ;; arm64) echo aarch64 ;;
    loong64) echo loongarch64 ;; mips64le) echo mips64el ;;
    arm | mips64 | ppc64le | riscv64 | s390x) echo "$1" ;;
    *) return 1 ;;
    esac
}

install() {
    name=$(qemu_name "$1") || { echo "installing: $1 unsupported architecture: $1" >&2; return; }
    if [ -e "$registry/qemu-$name" ]; then
        echo "installing: $1 qemu-$name already registered" >&2
        return
    fi
    if [ ! -x "$qemu/qemu-$name" ]; then
        echo "installing: $1 cannot register \"$qemu/qemu-$name\" to $registry/register: no such file" >&2
        return
    fi
    read -r line <"$lines/qemu-$name.conf"
    # :NAME:M:OFFSET:MAGIC:MASK:INTERPRETER:FLAGS
    rest=${line#:*:M:*:}
    magic=${rest%%:*} rest=${rest#*:}
    if printf %s ":qemu-$name:M:0:$magic:${rest%%:*}:$qemu/qemu-$name:CFP" 2>/dev/null >"$registry/register"; then
        echo "installing: $1 OK" >&2
    else
        echo "installing: $1 cannot register \"$qemu/qemu-$name\" to $registry/register" >&2
    fi
}

uninstall() {
    for entry in "$registry"/$1; do
        if [ ! -e "$entry" ]; then
            case $1 in *'*'*) ;; *) echo "uninstalling: $1 not found" >&2 ;; esac
        elif echo -1 >"$entry"; then
            echo "uninstalling: ${entry##*/} OK" >&2
        fi
    done
}

if [ ! -e "$registry/status" ]; then
    mount -t binfmt_misc binfmt_misc "$registry" || {
        echo "error: cannot mount binfmt_misc filesystem at $registry" >&2
        exit 0
    }
fi
IFS=,
set -f
while [ $# -gt 1 ]; do
    case $1 in
    --install) for one in $2; do install "$one"; done ;;
    --uninstall) for one in $2; do set +f; uninstall "$one"; set -f; done ;;
    esac
    shift 2
done
set +f
supported='"linux/amd64"'
for probe in "$probes"/*; do
    "$probe" >/dev/null 2>&1
    [ $? -ne 42 ] || supported="$supported, \"linux/${probe##*/}\""
done
printf '{\n  "supported": [%s],\n  "emulators": []\n}\n' "$supported"
