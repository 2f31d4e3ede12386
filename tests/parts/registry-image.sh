#!/usr/bin/env bash
# Puts an image of the registry that registry.sh starts into a Docker engine: the program, what it loads, a configuration.
#
#   registry-image.sh SOCKET NAME:TAG
#
# It serves port 5000 of the container. SOCKET is what `engine.sh start` printed.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=parts.bash
source "$(dirname "${BASH_SOURCE[0]}")/parts.bash"

[[ $# -eq 2 ]] || usage
root=$(engine_root)
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
mkdir -p "$temp/etc" "$temp/tmp" "$temp/var/lib/registry"
cat >"$temp/etc/registry.yml" <<'YAML'
version: 0.1
storage:
  filesystem: { rootdirectory: /var/lib/registry }
  delete: { enabled: true }
http: { addr: ":5000" }
YAML
# The links lib, lib64 lead to the loader and the C library, all that the program is linked to.
mapfile -t libraries < <(cd "$root" && compgen -G 'usr/lib*/ld-linux*.so.?'; cd "$root" && compgen -G 'usr/lib/*-linux-gnu/lib[cm].so.6'; cd "$root" && compgen -G 'usr/lib/*-linux-gnu/ld-linux*.so.?')
tar --create --file="$temp/image.tar" --directory="$root" lib lib64 usr/bin/docker-registry "${libraries[@]}" \
    --directory="$temp" etc tmp var
"$PARTS/bin/docker" --host "$1" import --change 'EXPOSE 5000' \
    --change 'ENTRYPOINT ["/usr/bin/docker-registry", "serve", "/etc/registry.yml"]' "$temp/image.tar" "$2" >&2
