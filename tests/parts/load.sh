#!/usr/bin/env bash
# Loads an OCI layout (tag `latest`) into a Docker engine, under a name and tag.
#
#   load.sh SOCKET LAYOUT NAME:TAG                all platforms; needs the containerd image store
#   load.sh SOCKET LAYOUT NAME:TAG OS/ARCH[/VAR]  one platform; any engine
#
# SOCKET is what `engine.sh start` printed.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=parts.bash
source "$(dirname "${BASH_SOURCE[0]}")/parts.bash"

[[ $# -eq 3 || $# -eq 4 ]] || usage
socket=$1 layout=$2 name=$3 platform=${4:-}
[[ -e $layout/index.json ]] || die "no OCI layout: $layout"
engine_root >/dev/null
docker=("$PARTS/bin/docker" --host "$socket")
if [[ -z $platform ]]; then
    "${docker[@]}" info --format '{{json .DriverStatus}}' | grep -q io.containerd.snapshotter ||
        die "this engine's image store holds one platform of a name; say which"
    # This store keeps names as written, and then looks for the full one.
    first=${name%%/*}
    if [[ $name != */* ]]; then
        name=docker.io/library/$name
    elif [[ $first != *[.:]* && $first != localhost ]]; then
        name=docker.io/$name
    fi
    python3 "$PARTS_SCRIPTS/layout.py" archive "$layout" "$name" | "${docker[@]}" load --quiet >&2
else
    need skopeo
    IFS=/ read -r os architecture variant <<<"$platform"
    archive=$(mktemp -d)
    trap 'rm -rf "$archive"' EXIT
    skopeo --insecure-policy --override-os "$os" --override-arch "$architecture" \
        ${variant:+--override-variant "$variant"} \
        copy --quiet "oci:$layout:latest" "docker-archive:$archive/image.tar:$name" >&2
    "${docker[@]}" load --quiet --input "$archive/image.tar" >&2
fi
