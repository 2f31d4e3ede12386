# shellcheck shell=bash
# What every script here shares: where the parts lie, messages, locks, and Debian roots.
# Sourced, never run. The one setting is MPCHECK_PARTS, the cache directory.

# Without it `set -e` is off inside $(..), and half a root would be taken for a whole one.
shopt -s inherit_errexit

PARTS_SCRIPTS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
PARTS=${MPCHECK_PARTS:-$(cd "$PARTS_SCRIPTS/../.." && pwd -P)/.parts}
mkdir -p "$PARTS"
PARTS=$(cd "$PARTS" && pwd -P)
# Two checkouts may run their parts side by side, so names that the whole machine
# sees (bridges, cgroups, /run) carry a mark of the directory. It is short because a
# network interface's name has 15 characters at most, and a unix socket's path 107.
PARTS_MARK=$(printf %s "$PARTS" | sha256sum | cut -c1-6)
PARTS_RUN=/run/mpcheck-$PARTS_MARK
export PARTS PARTS_MARK PARTS_RUN

# Standard output is for answers (an address, a path), so people are told on standard error.
say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() {
    say "$*"
    exit 1
}

# The comment at a script's top is its help.
usage() {
    sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0" >&2
    exit 2
}

need_root() {
    [[ $EUID -eq 0 ]] || die "needs root (mounts, namespaces, apt); run it with sudo -E"
}

need() {
    local tool
    for tool in "$@"; do
        command -v "$tool" >/dev/null || die "$tool is not installed; run tests/parts/install.sh first"
    done
}

# with_lock NAME COMMAND..: one process at a time, in a subshell, so that a failing command
# ends only itself. The lock is the kernel's and goes with the process, however that ends.
# The descriptor is not inherited by what COMMAND leaves running only if that closes 9.
with_lock() {
    local name=$1
    shift
    (
        exec 9>"$PARTS/.lock-$name"
        flock 9
        "$@"
    )
}

# Whether directory or file $1 was made by recipe $2 (a text; any change of it means: again).
made_by() { [[ -e $1 && -f $1.recipe && $(<"$1.recipe") == "$2" ]]; }

# finish TEMP FINAL RECIPE: put a thing that is complete in its place.
finish() {
    rm -rf "$2.recipe" "$2"
    mv "$1" "$2"
    printf '%s\n' "$3" >"$2.recipe"
}

# debs SUITES ARCHITECTURE LISTS: for each set of packages LISTS/SET.names, downloads it with all that
# it depends on, and writes the files' paths to LISTS/SET.debs. Files once downloaded stay.
# SUITES are tried in order: after a point release a mirror may have a suite's new release file and,
# for days, the old package lists of all but the main architectures, which apt rightly refuses.
debs() {
    local suite log
    log=$(mktemp)
    for suite in $1; do
        if debs_of "$suite" "$2" "$3" 2>"$log"; then
            rm -f "$log"
            return
        fi
        sed "s/^/    /" "$log" >&2
        say "Debian $suite for $2 cannot be had, see above"
    done
    rm -f "$log"
    die "no suite of Debian could be had for $2 (tried: $1); is the mirror reachable?"
}

# debs_of SUITE ARCHITECTURE LISTS: the same for one suite.
# mmdebstrap sets up an apt for that suite and architecture (mirror, keys, lists) apart from the
# machine's own; then the hook does the rest, and the root is dropped.
debs_of() {
    need mmdebstrap
    need_root
    mkdir -p "$PARTS/debs/$1-$2/partial"
    # One apt at a time in a cache; its own mount namespace: if killed, it leaves no mounts behind.
    # The suite alone, without its updates and security: the packages then change only with a point
    # release, and mirrors that are behind are so in those two.
    # Unstable's release file can be past its date where the mirror is frozen.
    # shellcheck disable=SC2016 # for the hook
    CACHE=$PARTS/debs/$1-$2 LISTS=$3 with_lock "debs-$1-$2" unshare --mount mmdebstrap --mode=root \
        --variant=custom --format=null --architectures="$2" --skip=check/qemu \
        --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Acquire::Retries "3"' \
        --aptopt='APT::Install-Recommends "false"' \
        --setup-hook='find "$1/etc/apt" -name "*.list" -exec sed -i -E "/-(updates|security) /d" {} +' \
        --customize-hook='set -eu; export LC_ALL=C APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"
            for names in "$LISTS"/*.names; do
                # One call a set, since each loads all of Debian. It lists "   NAME (VERSION)", which is
                # NAME_VERSION_ARCHITECTURE.deb in the cache, a colon in the version as %3a.
                apt-get -oDir::Cache::archives="$CACHE" --yes --download-only --verbose-versions \
                    install $(cat "$names") >"$names.out" || { cat "$names.out" >&2; exit 1; }
                sed -nE "/^The following NEW/,/^[^ ]/ { s/^   ([^ ]+) \((.*)\)$/\1_\2/; T; s/:/%3a/g; p }" "$names.out" | sort |
                    while read -r deb; do ls "$CACHE/$deb"_*.deb; done >"${names%.names}.debs"
                test -s "${names%.names}.debs"
            done' "$1" >&2
}

# root_dir NAME SUITES PACKAGES: a directory with these packages unpacked, made once; prints its path.
# Unpacked is enough: programs and libraries are in place, no script of a package runs, and it
# takes a third of the time of an installation.
root_dir() {
    with_lock "root-$1" make_root_dir "$PARTS/roots/$1" "$2" "$3"
    printf '%s\n' "$PARTS/roots/$1"
}

make_root_dir() {
    local dir=$1 suite=$2 packages=$3 recipe="$2 $3" temp deb
    made_by "$dir" "$recipe" && return
    say "unpacking ${dir##*/} from Debian $suite: $packages"
    temp=$PARTS/roots/.${dir##*/}
    rm -rf "$temp" "$temp.lists"
    mkdir -p "$temp" "$temp.lists"
    printf '%s\n' "base-files $packages" >"$temp.lists/all.names"
    debs "$suite" "$(dpkg --print-architecture)" "$temp.lists"
    # Debian 12's base-files has no /bin -> usr/bin and the like yet, so make them first.
    for deb in bin sbin lib lib64; do
        mkdir -p "$temp/usr/$deb"
        ln -s "usr/$deb" "$temp/$deb"
    done
    mkdir -p "$temp"/{dev,proc,run,sys,tmp}
    while read -r deb; do
        # Not dpkg-deb --extract, which puts directories where those links are.
        dpkg-deb --fsys-tarfile "$deb" | tar -C "$temp" --extract --keep-directory-symlink --file=-
    done <"$temp.lists/all.debs"
    rm -rf "$temp.lists"
    finish "$temp" "$dir" "$recipe"
}

# wrapper NAME ROOT PROGRAM [LINE..]: bin/NAME, which starts PROGRAM of a root from outside by the
# root's own loader and libraries, since the machine's may be older than the program needs.
# Each LINE is shell that runs first.
wrapper() {
    local name=$1 root=$2 program=$2/$3 loader
    shift 3
    loader=$(compgen -G "$root/usr/lib*/ld-linux*.so.?" | head -n 1)
    [[ -n $loader && -x $program ]] || die "$root has no $program, or no loader for it"
    mkdir -p "$PARTS/bin"
    {
        printf '#!/bin/sh\n# Made by tests/parts: a program of a Debian root, with that root'"'"'s libraries.\n'
        [[ $# -eq 0 ]] || printf '%s\n' "$@"
        # shellcheck disable=SC2016 # "$@" is for the wrapper
        printf 'exec %q --library-path %q %q "$@"\n' \
            "$loader" "$(compgen -G "$root/usr/lib/*-linux-gnu" | head -n 1)" "$program"
    } >"$PARTS/bin/.$name"
    chmod 755 "$PARTS/bin/.$name"
    mv "$PARTS/bin/.$name" "$PARTS/bin/$name"
}

# The engine, its command line and the registry come from one root.
ENGINE_PACKAGES="libc6 dash coreutils mount tini procps pigz xz-utils docker.io containerd runc"
engine_root() {
    local root
    root=$(root_dir trixie "trixie forky" "$ENGINE_PACKAGES docker-cli docker-buildx docker-registry")
    if [[ ! -x $PARTS/bin/docker-registry ]]; then
        # The tests' own client configuration: not the credentials and contexts of whoever runs them.
        mkdir -p "$PARTS/docker-config/cli-plugins"
        wrapper docker "$root" usr/bin/docker ": \"\${DOCKER_CONFIG:=$PARTS/docker-config}\"; export DOCKER_CONFIG"
        wrapper docker-buildx "$root" usr/libexec/docker/cli-plugins/docker-buildx
        ln -sf "$PARTS/bin/docker-buildx" "$PARTS/docker-config/cli-plugins/docker-buildx"
        wrapper docker-registry "$root" usr/bin/docker-registry
    fi
    printf '%s\n' "$root"
}
# Debian 12's engine is 20.10: what users of old machines still have.
old_engine_root() { root_dir bookworm bookworm "$ENGINE_PACKAGES"; }

# Whether process $1, started at tick $2 (so that a reused number is not taken for it), still runs.
# shellcheck disable=SC2034 # fields that are only passed over
started_at() {
    local stat fields
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    read -ra fields <<<"${stat##*) }"
    [[ ${fields[0]} != Z ]] && printf '%s\n' "${fields[19]}"
}
runs() { [[ -n ${1:-} && $(started_at "$1") == "${2:-}" ]]; }
