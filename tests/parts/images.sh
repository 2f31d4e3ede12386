#!/usr/bin/env bash
# Real images from Debian 13's packages (of a later suite where the mirror has no whole 13), as OCI image layouts in $MPCHECK_PARTS/images/NAME (tag `latest`).
#
#   images.sh test    busybox (static) and userland (dynamic, two layers), seven platforms each; and two platforms each
#                     of what the suites that ship are about: alpine, debian, ubuntu, go-service, python-service, distroless
#   images.sh small   linux/amd64 and linux/arm64, a plain Debian of about 140 MB each
#   images.sh big     the same two platforms with python3, nodejs and llvm, about 870 MB each, in five
#                     layers each: big-gzip and big-zstd
#
# Prints the layouts' directories. Packages are unpacked, not installed, so no emulator is needed.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=parts.bash
source "$(dirname "${BASH_SOURCE[0]}")/parts.bash"

# get IMAGE..: the packages of these images, their lists in images/.lists/ARCHITECTURE/SET.debs
get() {
    local lists=$PARTS/images/.lists image arch
    # shellcheck disable=SC2016 # for the bash that runs it
    local one='debs "trixie forky unstable" "$(basename "$1")" "$1"'
    rm -rf "$lists"
    for image in "$@"; do
        while read -r arch; do
            mkdir -p "$lists/$arch"
            python3 "$PARTS_SCRIPTS/images.py" sets "$image" "$lists/$arch"
        done < <(python3 "$PARTS_SCRIPTS/images.py" architectures "$image")
    done
    # Each architecture is an apt of its own, so two work side by side.
    export -f debs debs_of with_lock need need_root say die
    printf '%s\0' "$lists"/* | xargs -0 -P 2 -I{} bash -euo pipefail -c "$one" "$0" {}
}

make() {
    local image=$1 compression=$2 name=$3 temp=$PARTS/images/.$3
    say "making image $name"
    rm -rf "$temp"
    python3 "$PARTS_SCRIPTS/images.py" spec "$image" "$compression" "$PARTS/images/.lists" |
        python3 "$PARTS_SCRIPTS/layout.py" make "$temp"
    finish "$temp" "$PARTS/images/$name" "$RECIPE"
}

# images "NAME IMAGE COMPRESSION".. : makes what is not there or was made by other scripts.
images() {
    local wish name image compression missing=()
    RECIPE=$(cat "$PARTS_SCRIPTS"/{images,layout}.py | sha256sum)
    mkdir -p "$PARTS/images"
    for wish in "$@"; do
        read -r name image compression <<<"$wish"
        made_by "$PARTS/images/$name" "$RECIPE" || missing+=("$wish")
    done
    if [[ ${#missing[@]} -gt 0 ]]; then
        need mmdebstrap python3 pigz zstd
        # shellcheck disable=SC2046 # a list of names
        get $(printf '%s\n' "${missing[@]}" | cut -d ' ' -f 2 | sort -u)
        for wish in "${missing[@]}"; do
            read -r name image compression <<<"$wish"
            make "$image" "$compression" "$name"
        done
    fi
    for wish in "$@"; do printf '%s\n' "$PARTS/images/${wish%% *}"; done
}

case ${1:-} in
test)
    with_lock images images "busybox busybox gzip" "userland userland gzip" "alpine alpine gzip" "debian debian gzip" \
        "ubuntu ubuntu gzip" "go-service go-service gzip" "python-service python-service gzip" "distroless distroless gzip"
    ;;
small) with_lock images images "small small gzip" ;;
big) with_lock images images "big-gzip big gzip" "big-zstd big zstd" ;;
*) usage ;;
esac
