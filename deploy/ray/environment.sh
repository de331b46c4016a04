# Sourced by head.sh and worker.sh: sets what every process of a Ray node has to find (serving/ray_environment.py).
variables=$(
    python - <<'PYTHON'
import os
import shlex
from pathlib import Path

from serving.ray_environment import ray_environment

variables = ray_environment(
    directory=Path("/tmp/haproxy"),
    code=Path("/app"),
    longest_request_s=float(os.environ.get("REQUEST_TIMEOUT_S") or 600),
    ingress_threads=2,
)
# Ray has no setting for probes of idle connections, by which a replica's vanished node is noticed while a request waits
# for it (the probes' times are the container's sysctls). This setting ends the section of the file that they belong to.
variables["RAY_SERVE_HAPROXY_BALANCE_ALGORITHM"] = "leastconn\n    option tcpka"
for name, value in variables.items():
    print(f"export {name}={shlex.quote(value)}")
PYTHON
)
eval "$variables"
unset variables
