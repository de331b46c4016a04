#!/bin/sh
# The head node of the Ray cluster: keeps the cluster's state and runs Serve's controller, and no replica. Deploys the
# engines after each start; to a cluster that has them already, deploying the same again changes nothing.
#
#   head.sh OPTION...     the options of `python -m serving.serve_config`, which says what is deployed
#
# MODELS_FILE, UPSTREAM_MODEL, VLLM_PRESET, VLLM_MODEL, RAY_MARKET_HOURS are read too. RAY_SERVE_CONFIG: a Serve config
# file to deploy instead.
set -eu
. deploy/ray/environment.sh

readonly DASHBOARD=http://127.0.0.1:8265
readonly CONFIGURATION=/tmp/serve.yaml
readonly RETRY_S=2

# The dashboard comes up last, and takes deployments a little later still.
deploy() {
    until said=$(serve deploy --address "$DASHBOARD" "$CONFIGURATION" 2>&1); do
        kill -0 "$ray" 2>/dev/null || return 1
        echo "head.sh: not deployed yet ($(printf '%s' "$said" | tail -n 1)), next try in $RETRY_S s" >&2
        sleep "$RETRY_S"
    done
    echo "head.sh: deployed" >&2
}

# First, so that a wrong setting ends the container with its sentence instead of a cluster without engines.
if [ -n "${RAY_SERVE_CONFIG:-}" ]; then
    cp "$RAY_SERVE_CONFIG" "$CONFIGURATION"
else
    if [ -n "${MODELS_FILE:-}" ]; then set -- "$@" --models-file "$MODELS_FILE"; fi
    if [ -n "${VLLM_PRESET:-}" ]; then set -- "$@" --preset "$VLLM_PRESET"; fi
    if [ -n "${VLLM_MODEL:-}" ]; then set -- "$@" --model "$VLLM_MODEL"; fi
    if [ -n "${UPSTREAM_MODEL:-}" ]; then set -- "$@" --served-model-name "$UPSTREAM_MODEL"; fi
    if [ "${RAY_MARKET_HOURS:-true}" = false ]; then set -- "$@" --no-market-hours; fi
    python -m serving.serve_config --ingress-host 0.0.0.0 --longest-request-s "${REQUEST_TIMEOUT_S:-600}" "$@" \
        >"$CONFIGURATION"
fi

# There is nothing on this node that could move elsewhere before it ends.
export RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S=0
# No CPUs: replicas go to the workers, and live on when this container is started again.
ray start --head --block --disable-usage-stats --port 6379 --dashboard-host 127.0.0.1 --dashboard-port 8265 \
    --num-cpus 0 --object-store-memory "${RAY_OBJECT_STORE_BYTES:-134217728}" \
    --metrics-export-port 8085 --include-log-monitor false --log-style record --log-color false &
ray=$!
trap 'kill -TERM "$ray" 2>/dev/null' TERM INT
deploy &
status=0
wait "$ray" || status=$?
# A signal ends the wait before Ray has ended.
if kill -0 "$ray" 2>/dev/null; then wait "$ray" || status=$?; fi
exit "$status"
