#!/usr/bin/env bash
# A real registry (Debian's docker-registry) on a free port of 127.0.0.1.
#
#   registry.sh start [NAME] [--auth basic]   print its address, 127.0.0.1:PORT
#   registry.sh stop [NAME..]                 all of them without a name; what they stored goes too
#   registry.sh status [NAME..]               NAME ADDRESS, one line for each that runs
#
# NAME is `plain`, or `basic` with --auth basic, unless given. The user is mpcheck, the password secret.
# No root is needed once install.sh has run.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=parts.bash
source "$(dirname "${BASH_SOURCE[0]}")/parts.bash"

START_SECONDS=30

# bcrypt of `secret`; the registry takes no other kind. Four rounds: it is no secret.
# shellcheck disable=SC2016 # dollars that mean themselves
HTPASSWD='mpcheck:$2b$04$Oqx.J8OnrsI8vehVKgNOaOvDWGxvpSuXBsNBHUYX718D/S1v7T7rC'

state_of() {
    [[ $1 =~ ^[a-z0-9][a-z0-9-]*$ ]] || die "not a name for a registry: $1"
    printf '%s/registries/%s\n' "$PARTS" "$1"
}

alive() {
    local pid tick
    [[ -e $(state_of "$1")/pid ]] && read -r pid tick <"$(state_of "$1")/pid" && runs "$pid" "$tick"
}

# The port is the kernel's choice (0), so that nobody can take it first; the registry's log tells it.
address_of() { sed -n 's/.*msg="listening on \(127\.0\.0\.1:[0-9]*\).*/\1/p' "$(state_of "$1")/log"; }

start() {
    local name=$1 auth=$2 state address='' waited=0 pid
    state=$(state_of "$name")
    if alive "$name"; then
        [[ $(<"$state/auth") == "$auth" ]] || die "$name runs already, with authentication '$(<"$state/auth")'"
    else
        engine_root >/dev/null
        stop_one "$name"
        mkdir -p "$state/data"
        printf '%s' "$auth" >"$state/auth"
        printf '%s\n' "$HTPASSWD" >"$state/htpasswd"
        config "$state" "$auth" >"$state/config.yml"
        setsid "$PARTS/bin/docker-registry" serve "$state/config.yml" </dev/null >"$state/log" 2>&1 9>&- &
        pid=$!
        printf '%s %s\n' "$pid" "$(started_at "$pid")" >"$state/pid"
    fi
    until address=$(address_of "$name") && [[ -n $address ]]; do
        if ! alive "$name" || ((waited++ > START_SECONDS * 10)); then
            tail -n 20 "$state/log" >&2
            stop_one "$name"
            die "registry $name did not start; its last words are above"
        fi
        sleep 0.1
    done
    printf '%s\n' "$address"
}

config() {
    cat <<YAML
version: 0.1
log: { level: info, accesslog: { disabled: true } }
storage:
  filesystem: { rootdirectory: "$1/data" }
  delete: { enabled: true }
http: { addr: "127.0.0.1:0" }
YAML
    [[ -z $2 ]] || printf 'auth: { htpasswd: { realm: mpcheck, path: "%s/htpasswd" } }\n' "$1"
}

stop_one() {
    local name=$1 state pid tick
    state=$(state_of "$name")
    if alive "$name"; then
        read -r pid tick <"$state/pid"
        kill -KILL "$pid"
        while runs "$pid" "$tick"; do sleep 0.05; done
    fi
    rm -rf "$state"
}

names() { find "$PARTS/registries" -mindepth 1 -maxdepth 1 -type d -printf '%f\n' 2>/dev/null | sort; }

status() {
    local name none=1
    for name in "$@"; do
        alive "$name" || continue
        none=0
        printf '%s %s\n' "$name" "$(address_of "$name")"
    done
    return "$none"
}

main() {
    local command=${1:-} name='' auth=''
    [[ $# -eq 0 ]] || shift
    case $command in
    start)
        while [[ $# -gt 0 ]]; do
            case $1 in
            --auth)
                auth=${2:-}
                [[ $auth == basic ]] || die "the only kind of authentication is basic"
                shift
                ;;
            -*) die "unknown option $1" ;;
            *) name=$1 ;;
            esac
            shift
        done
        need setsid flock
        name=${name:-${auth:-plain}}
        with_lock "registry-$name" start "$name" "$auth"
        ;;
    stop)
        # shellcheck disable=SC2046 # a list of names
        [[ $# -gt 0 ]] || set -- $(names)
        for name in "$@"; do with_lock "registry-$name" stop_one "$name"; done
        ;;
    status)
        # shellcheck disable=SC2046 # a list of names
        [[ $# -gt 0 ]] || set -- $(names)
        status "$@"
        ;;
    *) usage ;;
    esac
}
main "$@"
