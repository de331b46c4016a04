#!/usr/bin/env bash
# Makes `docker compose` (version 2) answer: does nothing where it does already; else takes the plugin from the
# distribution, or, where that has only version 1 (Debian 12), from Debian 13, whose binary runs there too.
set -euo pipefail

readonly PLUGINS=${DOCKER_CONFIG:-$HOME/.docker}/cli-plugins
readonly MIRROR=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
readonly KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

fail() {
    echo "compose_plugin.sh: $*" >&2
    exit 1
}

answers() { docker compose version >/dev/null 2>&1; }

from_distribution() {
    [[ $(id -u) == 0 ]] || return 1
    local package
    for package in docker-compose-plugin docker-compose-v2; do
        if apt-cache show "$package" >/dev/null 2>&1; then
            DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$package" >/dev/null && answers && return
        fi
    done
    return 1
}

# An apt of its own (sources, state and cache in a scratch folder): the machine's own is left as it is.
from_debian_13() {
    [[ -r $KEYRING ]] || fail "docker compose is missing, and so is $KEYRING to fetch it with: install Compose v2."
    local scratch
    scratch=$(mktemp -d)
    # shellcheck disable=SC2064  # the path is to be expanded now: the variable is gone when the trap runs
    trap "rm -rf '$scratch'" EXIT
    chmod 755 "$scratch" # apt downloads as a user of its own
    mkdir -p "$scratch"/{lists/partial,cache/archives/partial,package}
    echo "deb [signed-by=$KEYRING] $MIRROR trixie main" >"$scratch/sources.list"
    local options=(
        -qq -o "Dir::State::Lists=$scratch/lists" -o "Dir::Cache=$scratch/cache" -o "Dir::State::status=/dev/null"
        -o "Dir::Etc::sourcelist=$scratch/sources.list" -o "Dir::Etc::sourceparts=/dev/null"
    )
    apt-get "${options[@]}" update
    (cd "$scratch/package" && chmod 777 . && apt-get "${options[@]}" download docker-compose)
    dpkg-deb --extract "$scratch"/package/docker-compose_*.deb "$scratch/unpacked"
    mkdir -p "$PLUGINS"
    install -m 755 "$scratch/unpacked/usr/libexec/docker/cli-plugins/docker-compose" "$PLUGINS/docker-compose"
}

if ! answers; then
    command -v apt-get >/dev/null || fail "docker compose (version 2) is missing: install it."
    from_distribution || from_debian_13
    answers || fail "docker compose was installed to $PLUGINS, but docker does not run it."
fi
echo "Docker Compose $(docker compose version --short)."
