#!/usr/bin/env bash
# Real images from Debian 13's packages, as OCI image layouts in $MPCHECK_PARTS/images/NAME (tag `latest`).
#
#   images.sh test    busybox (static) and userland (dynamic, two layers), seven platforms each
#   images.sh small   linux/amd64 and linux/arm64, a plain Debian of about 140 MB each
#   images.sh big     the same two platforms with python3, nodejs and llvm, about 870 MB each, five
#                     layers each: big-gzip and big-zstd
#
# Prints the layouts' directories. Packages are unpacked, not installed, so no emulator is needed.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=parts.bash
source "$(dirname "${BASH_SOURCE[0]}")/parts.bash"

# Debian's architecture, and the platform's OS/ARCHITECTURE[/VARIANT].
declare -A PLATFORM=(
    [amd64]=linux/amd64 [arm64]=linux/arm64 [armhf]=linux/arm/v7 [i386]=linux/386
    [s390x]=linux/s390x [ppc64el]=linux/ppc64le [riscv64]=linux/riscv64
)
SEVEN=(amd64 arm64 armhf i386 s390x ppc64el riscv64)
TWO=(amd64 arm64)

# Which packages a set has; a set's own are those that the sets it stands on do not bring.
declare -A PACKAGES=(
    [busybox]=busybox-static
    [base]="base-files dash bash coreutils"
    [app]="base-files dash bash coreutils python3-minimal grep sed"
)

# packages_of ARCHITECTURE SET..: downloads the sets with what they depend on, and writes which
# files each consists of to $PARTS/images/.lists/ARCHITECTURE/SET.
packages_of() {
    local arch=$1 lists=$PARTS/images/.lists/$1 set
    shift
    rm -rf "$lists"
    mkdir -p "$lists"
    for set in "$@"; do printf '%s\n' "${PACKAGES[$set]}" >"$lists/$set.names"; done
    # mmdebstrap sets up apt for a foreign architecture (keys, sources, lists) and steps back:
    # only the download is asked for, and dry runs tell what belongs to which set.
    # shellcheck disable=SC2016 # for the hook
    LISTS=$lists debian_root "trixie-$arch" --architectures="$arch" --variant=custom --format=null \
        --customize-hook='set -eu; export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"
            for names in "$LISTS"/*.names; do
                apt-get --quiet=2 --yes --download-only install $(cat "$names") >&2
                apt-get --quiet=2 --simulate install $(cat "$names") |
                    sed -nE "s/^Inst ([^ ]+) \(([^ ]+) .*\[([a-z0-9]+)\]\).*/\1_\2_\3.deb/p" |
                    sed -E "s/^([^_:]+):[^_]*/\1/; s/:/%3a/" >"${names%.names}"
            done' trixie
}
set -x
packages_of "$@"
