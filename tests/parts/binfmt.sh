#!/usr/bin/env bash
# Emulators for the engines' containers: qemu-user handlers in the kernel's binfmt_misc.
#
#   binfmt.sh register    for each architecture of the test images that has no handler yet
#   binfmt.sh stop        removes exactly what `register` of this checkout registered
#
# The kernel has one registry for the machine and all engines on it, so other handlers are left alone,
# and the names carry the mark of this checkout: two of them may run side by side.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=parts.bash
source "$(dirname "${BASH_SOURCE[0]}")/parts.bash"

REGISTRY=/proc/sys/fs/binfmt_misc
NAMES=mpcheck-test-$PARTS_MARK
# As qemu calls them. i386 programs run on the processor of the machines that these scripts are for.
EMULATED=(aarch64 arm ppc64le riscv64 s390x)

# Magic and mask as qemu's package has them; the interpreter of that package is a wrapper, so not that.
definition() {
    local line
    line=$(<"/usr/lib/binfmt.d/qemu-$1.conf")
    cut -d : -f 5,6 <<<"$line"
}

# Whether somebody else's handler takes these programs, and in containers too (flag F).
others_handle() {
    local entry magic
    magic=$(cut -d : -f 1 <<<"$1" | sed 's/\\x//g' | tr '[:upper:]' '[:lower:]')
    for entry in "$REGISTRY"/*; do
        case ${entry##*/} in register | status | mpcheck-test-*) continue ;; esac
        grep -q '^enabled' "$entry" && grep -q '^flags:.*F' "$entry" && grep -qx "magic $magic" "$entry" && return
    done
    return 1
}

register() {
    local name rule
    [[ -e $REGISTRY/register ]] || mount -t binfmt_misc binfmt_misc "$REGISTRY"
    for name in "${EMULATED[@]}"; do
        [[ ! -e $REGISTRY/$NAMES-$name ]] || continue
        need "qemu-$name-static"
        rule=$(definition "$name")
        if others_handle "$rule"; then
            say "$name has a handler already"
            continue
        fi
        # F: the interpreter is opened now, as containers do not have it. P: argv[0] stays what it was.
        printf ':%s:M::%s:%s:FP' "$NAMES-$name" "$rule" "$(command -v "qemu-$name-static")" >"$REGISTRY/register"
    done
}

stop() {
    local entry
    for entry in "$REGISTRY/$NAMES"-*; do
        [[ ! -e $entry ]] || echo -1 >"$entry"
    done
}

case ${1:-} in
register | stop)
    need_root
    with_lock binfmt "$1"
    ;;
*) usage ;;
esac
