#!/usr/bin/env bash
# Measures mpcheck against its peers on one machine, in one run, and prints ratios. See bench.py.
#
#   run.sh [RUNS]     how often each command is measured (3)
#
# MPCHECK names the program to measure; the default is target/release/mpcheck.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../parts/parts.bash
source "$(dirname "${BASH_SOURCE[0]}")/../parts/parts.bash"
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
parts=$here/../parts
program=${MPCHECK:-$here/../../target/release/mpcheck}
[[ -x $program ]] || die "$program is not there: make build"

"$parts/images.sh" big >/dev/null
"$parts/images.sh" small >/dev/null
trap '"$parts/registry.sh" stop bench || true; "$parts/engine.sh" stop || true; "$parts/binfmt.sh" stop || true' EXIT
registry=$("$parts/registry.sh" start bench)
for form in gzip zstd; do
    "$parts/push.sh" "$PARTS/images/big-$form" "$registry/big-$form:1" >/dev/null
done
python3 "$here/bench.py" "$program" "$PARTS" "$registry" "${1:-3}"

# Running, with the image in the engine already, as it is on the machine that built it.
"$parts/registry.sh" stop bench
"$parts/binfmt.sh" register >/dev/null
engine=$("$parts/engine.sh" start containerd)
"$parts/load.sh" "$engine" "$PARTS/images/small" small:1
gate=$(cd "$here/../.." && cargo test --release --locked --no-run --package release-gate --test release 2>&1 |
    sed -nE 's/.*Executable .*\((.*)\).*/\1/p')
[[ -n $gate ]] || die "the test of examples/release-gate was not built: cargo test --release --no-run -p release-gate"
python3 "$here/running.py" "$program" "$PARTS" "$engine" "${1:-3}" "$gate"

# The host: with all handlers, and none of the machine's touched; and through the engine, with those of the tests.
unshare --user --map-root-user --mount python3 "$here/host.py" "$program" "${1:-3}"
python3 "$here/host.py" "$program" "${1:-3}" "$engine"
