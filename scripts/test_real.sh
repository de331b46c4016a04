#!/usr/bin/env bash
# The tests that need containers: brings docker-compose.serving.yml up as a user would, in a project of its own, runs
# the smoke gates and the tests marked `real` against it, and takes away what it started. `make test-real` calls it.
# On a bare Debian machine it installs and starts what is missing (as root); see docs/howto/containers.md.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly PYTHON=.venv/bin/python SMOKE_VENV=.venv-smoke
export COMPOSE_PROJECT_NAME=ai-serving-test COMPOSE_FILE=docker-compose.serving.yml COMPOSE_ANSI=never
export PLATFORM_VERSION=test GATEWAY_HOST=127.0.0.1
# The second key is for tests that use up a minute's requests.
export API_KEYS=dev-key:finsight,burst-key:burst API_KEY=dev-key
# Settings of the calling shell would change what is tested.
unset MODEL_BACKEND MODELS_FILE UPSTREAM_BASE_URL REDIS_PASSWORD POSTGRES_PASSWORD RATE_LIMIT_RPM RATE_LIMIT_TPM

fail() {
    echo "test_real.sh: $*" >&2
    exit 1
}

step() { echo "== $* ($SECONDS s)"; }

cleanup() {
    local status=$?
    trap - EXIT
    if [[ $status != 0 ]] && docker info >/dev/null 2>&1; then
        docker compose --profile observability ps --all || true
        docker compose --profile observability logs --tail 30 || true
    fi
    step "taking it down"
    if docker info >/dev/null 2>&1; then
        docker compose --profile observability down --volumes --remove-orphans --timeout 10 >/dev/null 2>&1 || status=1
    fi
    [[ -z ${engine_started:-} ]] || scripts/containers/engine.sh stop || status=1
    [[ -z ${env_file_made:-} ]] || rm -f .env
    exit "$status"
}

[[ -x $PYTHON ]] || fail "$PYTHON is missing: run \`make test-real\`."
GATEWAY_PORT=$("$PYTHON" -c 'from scripts.embedded.ports import free_port; print(free_port())')
export GATEWAY_PORT
trap cleanup EXIT
trap 'exit 130' INT TERM

step "engine and images"
docker info >/dev/null 2>&1 || engine_started=1
scripts/containers/prepare.sh

step "compose up"
if [[ ! -e .env ]]; then
    env_file_made=1
    cp .env.example .env
fi
docker compose build --quiet
# What the last build of this tag has left behind.
docker image prune --force --filter label=org.opencontainers.image.title="ai-serving-platform gateway" >/dev/null
docker compose up --detach
docker compose --profile observability up --detach --wait --wait-timeout 120 prometheus 2>/dev/null \
    || fail "Prometheus did not become healthy."

# As the quick start does: with nothing installed but requirements-core.txt.
step "smoke gates"
if ! cmp -s requirements-core.txt "$SMOKE_VENV/requirements-core.txt"; then
    "$PYTHON" -m venv --clear "$SMOKE_VENV"
    "$SMOKE_VENV/bin/pip" install -qq --disable-pip-version-check --require-hashes -r requirements-core.txt
    cp requirements-core.txt "$SMOKE_VENV/"
fi
BASE_URL=http://127.0.0.1:$GATEWAY_PORT "$SMOKE_VENV/bin/python" -m pytest tests/test_smoke.py -v

step "tests marked real"
BASE_URL=http://127.0.0.1:$GATEWAY_PORT "$PYTHON" -m pytest -m real tests/real -v
