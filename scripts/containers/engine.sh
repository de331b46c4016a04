#!/usr/bin/env bash
# A Docker engine for tests, on a machine where none runs.
#
#   engine.sh start   do nothing if an engine answers; else install Debian's (as root, where missing) and start it
#   engine.sh stop    stop the engine that `start` started, and no other
#
# The engine keeps its images in Docker's usual folder, so that the next start finds them.
set -euo pipefail

readonly STATE=/run/ai-serving-platform-docker
readonly PID_FILE=$STATE/dockerd.pid
readonly LOG=$STATE/dockerd.log
readonly START_TIMEOUT_S=60
readonly STOP_TIMEOUT_S=60

fail() {
    echo "engine.sh: $*" >&2
    exit 1
}

answers() { timeout 10 docker info >/dev/null 2>&1; }

ours() { [[ -s $PID_FILE ]] && [[ $(cat "/proc/$(<"$PID_FILE")/comm" 2>/dev/null) == dockerd ]]; }

install_engine() {
    command -v apt-get >/dev/null || fail "no Docker engine, and no apt-get to install one: install Docker and start it."
    echo "Installing Debian's Docker engine."
    apt-get update -qq
    # iptables is only recommended by docker.io, but bridges need it.
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends docker.io iptables >/dev/null
}

start() {
    if answers; then
        echo "A Docker engine already answers."
        return
    fi
    [[ $(id -u) == 0 ]] || fail "no Docker engine answers, and only root can start one: start Docker, then try again."
    [[ -z ${DOCKER_HOST:-} ]] || fail "no Docker engine answers at DOCKER_HOST=$DOCKER_HOST."
    command -v dockerd >/dev/null || install_engine
    mkdir -p "$STATE"
    setsid dockerd --pidfile "$PID_FILE" --exec-root "$STATE/exec" >"$LOG" 2>&1 </dev/null &
    local child=$!
    for ((waited = 0; waited < START_TIMEOUT_S; waited++)); do
        if answers; then
            echo "Started a Docker engine ($(docker info --format '{{.ServerVersion}}, {{.Driver}}'))."
            return
        fi
        kill -0 "$child" 2>/dev/null || break
        sleep 1
    done
    tail -n 5 "$LOG" >&2
    fail "the Docker engine did not start; its log is $LOG."
}

stop() {
    ours || return 0
    local pid
    pid=$(<"$PID_FILE")
    kill "$pid"
    for ((waited = 0; waited < STOP_TIMEOUT_S; waited++)); do
        if ! kill -0 "$pid" 2>/dev/null; then
            rm -rf "$STATE"
            echo "Stopped the Docker engine."
            return
        fi
        sleep 1
    done
    fail "the Docker engine (pid $pid) did not stop within $STOP_TIMEOUT_S s; its log is $LOG."
}

case "${1:-}" in
start) start ;;
stop) stop ;;
*) fail "usage: engine.sh start|stop" ;;
esac
