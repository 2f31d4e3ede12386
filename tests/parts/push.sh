#!/usr/bin/env bash
# Copies every platform of an OCI layout (tag `latest`) into a registry.
#
#   push.sh LAYOUT HOST:PORT/NAME:TAG     plain HTTP; with --user NAME:PASSWORD before LAYOUT to log in
#
# Digests stay as they are. Prints the digest of the index.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=parts.bash
source "$(dirname "${BASH_SOURCE[0]}")/parts.bash"

login=()
if [[ ${1:-} == --user ]]; then
    login=(--dest-creds "${2:-}")
    shift 2
fi
[[ $# -eq 2 ]] || usage
[[ -e $1/index.json ]] || die "no OCI layout: $1"
need skopeo
digest=$(mktemp)
trap 'rm -f "$digest"' EXIT
# --insecure-policy: whether and how this machine wants signatures does not matter here.
skopeo --insecure-policy copy --quiet --all --preserve-digests --dest-tls-verify=false --digestfile "$digest" \
    "${login[@]}" "oci:$1:latest" "docker://$2" >&2
cat "$digest"
