#!/usr/bin/env bash
# Everything `docker compose -f docker-compose.serving.yml up -d` needs on a machine that lacks some of it: an engine,
# Compose v2, the base images (stand-ins where no registry is reachable) and the gateway's wheels.
# What is there already is left as it is. See docs/howto/containers.md.
set -euo pipefail
cd "$(dirname "$0")"

./engine.sh start
./compose_plugin.sh
./wheelhouse.sh
./base_images.sh
