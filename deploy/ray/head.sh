#!/bin/sh
# The head node of the Ray cluster: keeps the cluster's state and runs Serve's controller, and no replica. Deploys the
# engines after each start; to a cluster that has them already, deploying the same again changes nothing.
set -eu

readonly DASHBOARD=http://127.0.0.1:8265
readonly CONFIGURATION=/tmp/serve.yaml
readonly RETRY_S=2

# What is deployed: RAY_SERVE_CONFIG names a Serve config file; without it one is made from the catalogue.
configuration() {
    if [ -n "${RAY_SERVE_CONFIG:-}" ]; then
        cat "$RAY_SERVE_CONFIG"
    else
        python -m serving.serve_config "$@"
    fi
}

deploy() {
    until serve deploy --address "$DASHBOARD" "$CONFIGURATION"; do
        kill -0 "$ray" 2>/dev/null || return 1
        echo "head.sh: not deployed yet, next try in $RETRY_S s" >&2
        sleep "$RETRY_S"
    done
}

# First, so that a wrong setting ends the container with its sentence instead of a cluster without engines.
configuration "$@" >"$CONFIGURATION"

# No CPUs: replicas go to the workers, and live on when this container is started again.
ray start --head --block --disable-usage-stats \
    --port 6379 --dashboard-port 8265 --metrics-export-port 8085 \
    --num-cpus 0 --object-store-memory "${RAY_OBJECT_STORE_BYTES:-134217728}" &
ray=$!
trap 'kill -TERM "$ray" 2>/dev/null' TERM INT
deploy &
status=0
wait "$ray" || status=$?
# A signal ends the wait before Ray has ended.
if kill -0 "$ray" 2>/dev/null; then wait "$ray" || status=$?; fi
exit "$status"
