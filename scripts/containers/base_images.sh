#!/usr/bin/env bash
# Makes the base images present: those that are missing are pulled; where no registry is reachable, stand-ins of the
# same names are built from Debian packages (needs root and debootstrap). See docs/howto/containers.md.
#
#   base_images.sh [IMAGE...]     default: all images below
set -euo pipefail
cd "$(dirname "$0")/../.."

readonly PYTHON=python:3.11-slim-bookworm
readonly SERVICES=(redis:8 pgvector/pgvector:pg17 prom/prometheus:v2.53.4 nginx:1.26)
readonly RECIPES=deploy/local-images
readonly LABEL=org.opencontainers.image.base.recipe
readonly MIRROR=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
readonly PULL_TIMEOUT_S=${PULL_TIMEOUT_S:-300}

fail() {
    echo "base_images.sh: $*" >&2
    exit 1
}

# Changes when anything a stand-in is made of changes, so that an old one is built again.
recipe() { find "$RECIPES" scripts/containers/base_images.sh -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum | cut -c1-16; }

present() {
    local found
    found=$(docker image inspect --format "{{index .Config.Labels \"$LABEL\"}}" "$1" 2>/dev/null) || return 1
    # An official image has no such label and is always good.
    [[ -z $found || $found == "<no value>" || $found == "$RECIPE" ]]
}

pull() { timeout "$PULL_TIMEOUT_S" docker pull --quiet "$1" >/dev/null 2>&1; }

install_debootstrap() {
    [[ $(id -u) == 0 ]] || fail "no image registry is reachable, and only root can build base images from Debian packages."
    command -v debootstrap >/dev/null && return
    command -v apt-get >/dev/null || fail "no image registry is reachable, and there is no debootstrap to build base images with."
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends debootstrap >/dev/null
}

bootstrap() { # SUITE PACKAGES
    local log=$SCRATCH/$1.log
    debootstrap --variant=minbase --include="$2" "$1" "$SCRATCH/$1" "$MIRROR" >"$log" 2>&1 || {
        tail -n 5 "$log" >&2
        fail "debootstrap of Debian $1 from $MIRROR failed."
    }
}

import() { # SUITE NAME CHANGE...
    local suite=$1 name=$2 changes=() change
    shift 2
    for change in "$@"; do changes+=(--change "$change"); done
    tar --directory "$SCRATCH/$suite" --create --exclude './var/cache/apt/*' --exclude './var/lib/apt/lists/*' \
        --exclude './usr/share/doc/*' --exclude './usr/share/man/*' --exclude './usr/share/locale/*' \
        --exclude './var/log/*' --exclude './dev/*' . | docker import "${changes[@]}" - "$name" >/dev/null
}

build_python() {
    # debootstrap does not follow "provides": python3-distutils stands in for python3.11-distutils.
    bootstrap bookworm python3.11-venv,python3-distutils,ca-certificates
    # The official image has its Python under these names.
    ln -s /usr/bin/python3.11 "$SCRATCH/bookworm/usr/local/bin/python"
    ln -s /usr/bin/python3.11 "$SCRATCH/bookworm/usr/local/bin/python3"
    import bookworm "$PYTHON" 'CMD ["python3"]' 'ENV LANG=C.UTF-8' "LABEL $LABEL=$RECIPE" \
        'ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin'
    echo "Built $PYTHON from Debian 12."
}

build_services() {
    bootstrap trixie redis-server,postgresql-17,postgresql-17-pgvector,prometheus,nginx
    import trixie debian-services:trixie "LABEL $LABEL=$RECIPE" \
        'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
    docker compose --file "$RECIPES/docker-compose.yml" build --quiet
    echo "Built ${SERVICES[*]} from Debian 13."
}

RECIPE=$(recipe)
readonly RECIPE
export RECIPE # a label in deploy/local-images/docker-compose.yml
wanted=("$@")
[[ $# -gt 0 ]] || wanted=("$PYTHON" "${SERVICES[@]}")
missing=()
for image in "${wanted[@]}"; do present "$image" || missing+=("$image"); done
while [[ ${#missing[@]} -gt 0 ]] && pull "${missing[0]}"; do
    echo "Pulled ${missing[0]}."
    missing=("${missing[@]:1}")
done
[[ ${#missing[@]} -gt 0 ]] || exit 0

echo "No registry gives ${missing[*]}: building stand-ins from Debian packages."
install_debootstrap
SCRATCH=$(mktemp -d)
readonly SCRATCH
trap 'rm -rf "$SCRATCH"' EXIT
builds=()
if [[ " ${missing[*]} " == *" $PYTHON "* ]]; then
    build_python &
    builds+=($!)
    missing=("${missing[@]/$PYTHON/}")
fi
if [[ -n ${missing[*]// /} ]]; then
    build_services &
    builds+=($!)
fi
# Both are waited for before anything is removed: neither may be left running in a folder that is gone.
failed=0
for build in "${builds[@]}"; do wait "$build" || failed=1; done
docker image prune --force --filter "label=$LABEL" >/dev/null # stand-ins of earlier recipes
exit "$failed"
