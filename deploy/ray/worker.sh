#!/bin/sh
# A worker node of the Ray cluster: replicas and an ingress run here. Ends when the cluster has given the node up, and is
# then started again by whatever runs the container. SIGTERM: replicas move away first, for up to 30 s.
set -eu
. deploy/ray/environment.sh
exec ray start --address "${RAY_HEAD_ADDRESS:?the head as host:port}" --block --disable-usage-stats \
    --num-cpus "${RAY_NODE_CPUS:-2}" --object-store-memory "${RAY_OBJECT_STORE_BYTES:-134217728}" \
    --metrics-export-port 8085 --include-log-monitor false --log-style record --log-color false
