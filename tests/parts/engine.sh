#!/usr/bin/env bash
# Real Docker engines for the tests, each started for the occasion and gone afterwards.
#
#   engine.sh start [classic|containerd|old]   print the address, unix:///...
#   engine.sh stop [NAME..]                    all of them without a name; what they stored goes too
#   engine.sh status [NAME..]                  NAME ADDRESS VERSION API, one line for each that runs
#
# classic and containerd are Docker 26.1 with the one and the other image store, old is 20.10.
# All three can run at once, beside an engine of the machine's own.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=parts.bash
source "$(dirname "${BASH_SOURCE[0]}")/parts.bash"

ENGINES=(classic containerd old)
START_SECONDS=60
STOP_SECONDS=20

socket_of() { printf '%s/%s/docker.sock\n' "$PARTS_RUN" "$1"; }
bridge_of() { printf 'mp%s-%.2s\n' "$PARTS_MARK" "$1"; }
cgroup_of() { printf 'mpcheck-%s-%s\n' "$PARTS_MARK" "$1"; }
state_of() { printf '%s/engines/%s\n' "$PARTS" "$1"; }

known() {
    local engine
    for engine in "${ENGINES[@]}"; do [[ $engine == "$1" ]] && return; done
    die "no engine is called $1; there are: ${ENGINES[*]}"
}

# Answers come from /version itself and not from a client, which would be one more thing to break.
api() { curl --silent --fail --max-time 5 --unix-socket "$(socket_of "$1")" "http://engine$2"; }

alive() {
    local pid tick
    [[ -e $(state_of "$1")/pid ]] && read -r pid tick <"$(state_of "$1")/pid" && runs "$pid" "$tick"
}

# ---- inside: the first process of the engine's own mount and process namespaces

# pivot_root and not chroot: under a chroot `docker exec` enters the machine's own root.
# An overlay, so that no engine changes the root that all of them share. Every mount made here,
# and every process, goes with the namespaces.
inside() {
    local root=$1 state=$2 run=$3
    shift 3
    mount -t tmpfs -o mode=755 stage "$run/stage"
    cd "$run/stage"
    mkdir lower upper work root
    mount --bind "$root" lower
    mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work overlay root
    cd root
    mount -t proc proc proc
    mount --rbind /sys sys
    mount --rbind /dev dev
    mount -t tmpfs -o mode=755 run run
    mkdir -p var/lib/docker run/engine run/outside
    mount --bind "$state/data" var/lib/docker
    mount --bind "$run" run/engine
    cp --dereference /etc/hosts /etc/resolv.conf etc/
    cp "$state/daemon.json" run/daemon.json
    # Forwarding stays as the machine has it, and `docker run` is not to warn of that each time.
    echo 1 >run/forwarding
    mount --bind run/forwarding proc/sys/net/ipv4/ip_forward
    pivot_root . run/outside
    umount --lazy /run/outside
    export PATH=/usr/sbin:/usr/bin HOME=/root
    # tini reaps the shims' children and passes the signal to stop on.
    exec tini -- dockerd --config-file /run/daemon.json "$@"
}

# ---- start

start() {
    local name=$1 state
    state=$(state_of "$name")
    if alive "$name" && api "$name" /version >/dev/null; then
        say "$name runs already"
    else
        stop_one "$name"
        launch "$name"
    fi
    printf 'unix://%s\n' "$(socket_of "$name")"
}

launch() {
    local name=$1 state root run
    state=$(state_of "$name") run=$PARTS_RUN/$name
    if [[ $name == old ]]; then root=$(old_engine_root); else root=$(engine_root); fi
    mkdir -p "$state/data" "$run/stage"
    daemon_json "$name" >"$state/daemon.json"
    make_bridge "$(bridge_of "$name")"
    # setsid: a Ctrl-C in the terminal of the tests is not for the engine. 9>&-: nor is their lock.
    setsid unshare --mount --pid --fork --kill-child "$BASH" "${BASH_SOURCE[0]}" inside "$root" "$state" "$run" \
        --host unix:///run/engine/docker.sock </dev/null >"$state/log" 2>&1 9>&- &
    local pid=$! waited=0
    printf '%s %s\n' "$pid" "$(started_at "$pid")" >"$state/pid"
    until api "$name" /version >/dev/null; do
        if ! alive "$name" || ((waited++ > START_SECONDS * 5)); then
            tail -n 20 "$state/log" >&2
            stop_one "$name"
            die "engine $name did not start; its last words are above"
        fi
        sleep 0.2
    done
    say "$name is Docker $(version_of "$name")"
}

# No packet filter rules and no forwarding: an engine leaves both behind, and nothing needs them.
# Ports published on 127.0.0.1 go through docker-proxy; containers do not reach the outside.
daemon_json() {
    local snapshotter=false
    [[ $1 == containerd ]] && snapshotter=true
    cat <<JSON
{
  "group": "0",
  "bridge": "$(bridge_of "$1")",
  "iptables": false, "ip6tables": false, "ip-forward": false, "ip-masq": false,
  "cgroup-parent": "/$(cgroup_of "$1")",
  "exec-opts": ["native.cgroupdriver=cgroupfs"],
  "shutdown-timeout": 2,
  "features": { "containerd-snapshotter": $snapshotter }
}
JSON
}

# Its own bridge for each engine: two would fight over docker0.
make_bridge() {
    local net
    ip link show "$1" >/dev/null 2>&1 && return
    ip link add "$1" type bridge
    for net in 10.213 10.214 10.215 172.29 192.168.213; do
        [[ $net == *.*.* ]] || net=$net.$((RANDOM % 250 + 2))
        if [[ -z $(ip -o route show to root "$net.0/24"; ip -o route show match "$net.1" | grep -v '^default') ]]; then
            ip address add "$net.1/24" dev "$1"
            ip link set "$1" up
            return
        fi
    done
    ip link delete "$1"
    die "no free private network for the engine's bridge"
}

# ---- stop

stop_one() {
    local name=$1 state pid='' tick='' waited=0
    state=$(state_of "$name")
    if alive "$name"; then
        read -r pid tick <"$state/pid"
        remove_contents "$name"
        # The signal is for the namespace's first process (tini), the only child of unshare.
        kill -TERM "$(ps -o pid= --ppid "$pid" | tr -d ' ')" 2>/dev/null || true
        while runs "$pid" "$tick" && ((waited++ < STOP_SECONDS * 10)); do sleep 0.1; done
        # --kill-child: with unshare, every process in its namespace goes.
        runs "$pid" "$tick" && kill -KILL "$pid"
        while runs "$pid" "$tick"; do sleep 0.1; done
    fi
    ip link delete "$(bridge_of "$name")" 2>/dev/null || true
    # Deepest first; a cgroup is removed as an empty directory.
    find /sys/fs/cgroup -depth -type d -path "*/$(cgroup_of "$name")*" -exec rmdir {} + 2>/dev/null || true
    rm -rf "${PARTS_RUN:?}/$name" "$state"
    rmdir "$PARTS_RUN" 2>/dev/null || true
}

# Networks of tests that died would leave their bridges on the machine.
remove_contents() {
    local ids
    export DOCKER_HOST
    DOCKER_HOST=unix://$(socket_of "$1")
    [[ -x $PARTS/bin/docker ]] && api "$1" /_ping >/dev/null || return 0
    ids=$("$PARTS/bin/docker" ps --all --quiet) || return 0
    # shellcheck disable=SC2086 # a list of identifiers
    [[ -z $ids ]] || "$PARTS/bin/docker" rm --force --volumes $ids >/dev/null || true
    "$PARTS/bin/docker" network prune --force >/dev/null || true
}

# ---- status

version_of() { api "$1" /version | sed -E 's/.*"Version":"([^"]*)","ApiVersion":"([^"]*)".*/\1 \2/; s/.*"ApiVersion":"([^"]*)".*"Version":"([^"]*)".*/\2 \1/'; }

status() {
    local name none=1
    for name in "$@"; do
        alive "$name" || continue
        none=0
        printf '%s unix://%s %s\n' "$name" "$(socket_of "$name")" "$(version_of "$name")"
    done
    return "$none"
}

main() {
    local command=${1:-} name
    [[ $# -eq 0 ]] || shift
    case $command in
    inside) inside "$@" ;;
    start)
        [[ $# -le 1 ]] || die "start one engine at a time"
        need_root
        need unshare ip curl setsid flock
        known "${1:-classic}"
        with_lock "engine-${1:-classic}" start "${1:-classic}"
        ;;
    stop)
        need_root
        [[ $# -gt 0 ]] || set -- "${ENGINES[@]}"
        for name in "$@"; do
            known "$name"
            with_lock "engine-$name" stop_one "$name"
        done
        ;;
    status)
        [[ $# -gt 0 ]] || set -- "${ENGINES[@]}"
        for name in "$@"; do known "$name"; done
        status "$@"
        ;;
    *) usage ;;
    esac
}
main "$@"
