#!/usr/bin/env bash
# The tests that need containers, Ray or a real engine, in stages; each brings up what it tests and takes it away again.
# `make test-real` calls it. On a bare Debian machine it installs and starts what is missing (as root);
# see docs/howto/containers.md.
#
#   test_real.sh [STAGE...]       default: all, in this order
#     serving     docker-compose.serving.yml, as a user would start it
#     cache       the tests of the answer cache once more, with Redis 8 and its vector sets
#     engines     Ray Serve and vLLM as processes of this machine
#     tenants     two gateways with two workers each, while workers, Redis and Postgres are killed; needs no containers
#     scaling     docker-compose.scaling.yml, parts of which are killed under load
set -euo pipefail
cd "$(dirname "$0")/.."

readonly PYTHON=.venv/bin/python SMOKE_VENV=.venv-smoke
readonly STAGES=(serving cache engines tenants scaling)

fail() {
    echo "test_real.sh: $*" >&2
    exit 1
}

step() { echo "== $* ($SECONDS s)"; }

tests() { "$PYTHON" -m pytest -m real -v "$@"; }

docker_answers() { docker info >/dev/null 2>&1; }

# --- Containers ---------------------------------------------------------------------------------------------------
# What follows runs in a subshell for each stage, so that its variables and its trap end with it.

take_project_down() {
    local status=$?
    trap - EXIT
    if [[ $status != 0 ]] && docker_answers; then
        docker compose --profile '*' ps --all || true
        docker compose --profile '*' logs --tail 30 || true
    fi
    step "taking it down"
    if docker_answers; then
        docker compose --profile '*' down --volumes --remove-orphans --timeout 10 >/dev/null 2>&1 || status=1
    fi
    [[ -z ${env_file_made:-} ]] || rm -f .env
    exit "$status"
}

# A project of its own beside whatever else runs, with the settings that a user starts with and no others.
open_project() { # COMPOSE_FILE NAME
    export COMPOSE_FILE=$1 COMPOSE_PROJECT_NAME=$2 COMPOSE_ANSI=never
    export PLATFORM_VERSION=test GATEWAY_HOST=127.0.0.1 INSIDE_NETWORK=10.201.78
    unset MODEL_BACKEND MODELS_FILE UPSTREAM_BASE_URL REDIS_PASSWORD POSTGRES_PASSWORD RATE_LIMIT_RPM RATE_LIMIT_TPM \
        RAY_ENGINE RAY_SERVE_CONFIG SCALING_MIN_REPLICAS SCALING_MAX_REPLICAS SCALING_REPLICAS_PER_NODE
    # The second key is for tests that use up a minute's requests, the others for clients that ask without pause.
    API_KEYS=dev-key:finsight,burst-key:burst$(printf ',load-%s:load' {0..7})
    GATEWAY_PORT=$("$PYTHON" -c 'from scripts.embedded.ports import free_port; print(free_port())')
    export ADMIN_API_KEY=admin-key-of-the-real-tests
    export API_KEYS GATEWAY_PORT API_KEY=dev-key BASE_URL=http://127.0.0.1:$GATEWAY_PORT
    trap take_project_down EXIT
    trap 'exit 130' INT TERM
    if [[ ! -e .env ]]; then
        env_file_made=1
        cp .env.example .env
    fi
    docker compose build --quiet
    # What the last build of these tags has left behind.
    local image
    for image in gateway ray; do
        docker image prune --force --filter label=org.opencontainers.image.title="ai-serving-platform $image" >/dev/null
    done
}

stage_serving() (
    step "serving: compose up"
    open_project docker-compose.serving.yml ai-serving-test
    docker compose up --detach
    docker compose --profile observability up --detach --wait --wait-timeout 120 prometheus 2>/dev/null ||
        fail "Prometheus did not become healthy."
    # As the quick start does: with nothing installed but requirements-core.txt.
    step "serving: smoke gates"
    if ! cmp -s requirements-core.txt "$SMOKE_VENV/requirements-core.txt"; then
        "$PYTHON" -m venv --clear "$SMOKE_VENV"
        "$SMOKE_VENV/bin/pip" install -qq --disable-pip-version-check --require-hashes -r requirements-core.txt
        cp requirements-core.txt "$SMOKE_VENV/"
    fi
    "$SMOKE_VENV/bin/python" -m pytest tests/test_smoke.py -v
    step "serving: tests"
    tests tests/real/compose
)

remove_container() {
    local status=$?
    trap - EXIT
    [[ $status == 0 ]] || docker logs --tail 30 "$TEST_REDIS_CONTAINER" || true
    docker rm --force --volumes "$TEST_REDIS_CONTAINER" >/dev/null || status=1
    exit "$status"
}

# The tests are those of `make test`, where Redis is one without vector sets and Postgres finds what is near.
stage_cache() (
    step "cache: Redis 8"
    port=$("$PYTHON" -c 'from scripts.embedded.ports import free_port; print(free_port())')
    export TEST_REDIS_CONTAINER=ai-serving-cache-test TEST_REDIS_URL=redis://127.0.0.1:$port/0
    docker rm --force --volumes "$TEST_REDIS_CONTAINER" >/dev/null 2>&1 || true
    trap remove_container EXIT
    trap 'exit 130' INT TERM
    # Without a password it answers only on its own loopback, unless it is told that the publishing protects it.
    docker run --detach --name "$TEST_REDIS_CONTAINER" --publish "127.0.0.1:$port:6379" --memory 512m --user redis \
        redis:8 redis-server --dir /data --appendonly yes --save '' --protected-mode no >/dev/null
    step "cache: tests"
    tests tests/real/cache tests/integration/api/cache
    "$PYTHON" -m pytest -m "not real" -q tests/integration/api/cache \
        tests/acceptance/gateway/test_semantic_cache*.py tests/acceptance/gateway/test_admin_*.py
)

stage_scaling() (
    step "scaling: compose up"
    # The same questions are asked again and again while engines die, and each time an engine is meant.
    export SEMANTIC_CACHE_ENABLED=false
    open_project docker-compose.scaling.yml ai-serving-scaling-test
    docker compose up --detach --wait --wait-timeout 300
    step "scaling: tests"
    # The limit is one, however many gateways count.
    tests tests/real/scaling tests/real/compose/test_burst.py
)

stage_engines() (
    step "engines: environments"
    scripts/venv.sh ray
    scripts/venv.sh vllm
    step "engines: tests"
    tests tests/real/engine tests/real/ray tests/real/chain
)

stage_tenants() (
    step "tenants: kills, two gateways, and the benches that take long"
    tests tests/real/tenants tests/acceptance/gateway/test_tenants_of_two_gateways.py tests/acceptance/bench/test_rag.py
)

stop_engine() {
    local status=$?
    trap - EXIT
    [[ -z ${engine_started:-} ]] || scripts/containers/engine.sh stop || status=1
    exit "$status"
}

[[ -x $PYTHON ]] || fail "$PYTHON is missing: run \`make test-real\`."
[[ $# -gt 0 ]] || set -- "${STAGES[@]}"
for stage in "$@"; do
    [[ " ${STAGES[*]} " == *" $stage "* ]] || fail "there is no stage $stage: name some of ${STAGES[*]}."
done

trap stop_engine EXIT
trap 'exit 130' INT TERM
for stage in "$@"; do
    # Whoever tests without containers needs no Docker.
    if [[ $stage != engines && $stage != tenants && -z ${prepared:-} ]]; then
        step "Docker and images"
        docker_answers || engine_started=1
        scripts/containers/prepare.sh
        prepared=1
    fi
    "stage_$stage"
    step "$stage: passed"
done
