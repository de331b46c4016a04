#!/bin/sh
# A worker node of the Ray cluster: replicas and an HAProxy ingress run here. Ends when the node is lost to the cluster,
# and is then started again by whatever runs the container.
set -eu
exec ray start --address "${RAY_HEAD_ADDRESS:?the head as host:port}" --block --disable-usage-stats \
    --num-cpus "${RAY_NODE_CPUS:-2}" \
    --object-store-memory "${RAY_OBJECT_STORE_BYTES:-134217728}" \
    --metrics-export-port 8085
