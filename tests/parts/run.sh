#!/usr/bin/env bash
# Runs a command with engines and registries started for it, and stops them afterwards, whatever happens.
#
#   run.sh COMMAND [ARGUMENT..]
#
# The command finds in its environment:
#   MPCHECK_ENGINE_CLASSIC, MPCHECK_ENGINE_CONTAINERD, MPCHECK_ENGINE_OLD
#                                                       sockets of Docker engines, unix:///..
#   MPCHECK_REGISTRY, MPCHECK_REGISTRY_BASIC            registries, 127.0.0.1:PORT; the second asks for mpcheck/secret
#   MPCHECK_IMAGES                                      the directory of real images, OCI layouts
#   MPCHECK_PARTS                                       where the parts lie: bin/docker and the rest
#   MPCHECK_QEMU                                        the directory of Debian's emulators, qemu-NAME-static
#   RELEASE_IMAGE                                       the image of examples/release-gate: one of the real images
#   DOCKER_HOST                                         the classic engine, where testcontainers starts its containers
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=parts.bash
source "$(dirname "${BASH_SOURCE[0]}")/parts.bash"
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[[ $# -gt 0 ]] || usage

stop_all() {
    "$here/engine.sh" stop || true
    "$here/binfmt.sh" stop || true
    "$here/registry.sh" stop || true
}
trap stop_all EXIT

"$here/binfmt.sh" register
MPCHECK_ENGINE_CLASSIC=$("$here/engine.sh" start classic)
MPCHECK_ENGINE_CONTAINERD=$("$here/engine.sh" start containerd)
MPCHECK_ENGINE_OLD=$("$here/engine.sh" start old)
MPCHECK_REGISTRY=$("$here/registry.sh" start)
MPCHECK_REGISTRY_BASIC=$("$here/registry.sh" start basic --auth basic)
MPCHECK_IMAGES=$PARTS/images
MPCHECK_PARTS=$PARTS
qemu=$(command -v qemu-aarch64-static) || die "no emulators: run $here/install.sh test"
MPCHECK_QEMU=$(dirname "$qemu")
DOCKER_HOST=$MPCHECK_ENGINE_CLASSIC
RELEASE_IMAGE=oci:$MPCHECK_IMAGES/userland:latest
export MPCHECK_PARTS MPCHECK_QEMU DOCKER_HOST RELEASE_IMAGE
export MPCHECK_ENGINE_CLASSIC MPCHECK_ENGINE_CONTAINERD MPCHECK_ENGINE_OLD
export MPCHECK_REGISTRY MPCHECK_REGISTRY_BASIC MPCHECK_IMAGES
"$@"
