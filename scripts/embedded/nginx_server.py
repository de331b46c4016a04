"""Nginx for the local stack and for tests: the repository's nginx.conf with a topology of its own."""

from __future__ import annotations

import resource
import shutil
import signal
import subprocess
from pathlib import Path

from scripts.embedded.nginx_topology import NginxTopology, topology_files
from scripts.embedded.probes import answers_http
from scripts.embedded.service import Service, ServiceError
from scripts.embedded.unprivileged import is_root

REPOSITORY = Path(__file__).parents[2]
_DOWNLOAD_TIMEOUT_S = 120.0
_OPEN_FILES = 32_768
_ANY_HOST = {"0.0.0.0": "127.0.0.1", "[::]": "::1"}


def nginx_service(
    *,
    directory: Path,
    topology: NginxTopology,
    log_file: Path,
    binary: Path,
    stop_timeout_s: float = 45.0,
) -> Service:
    """An Nginx that writes below `directory` (mode 0700) only, and on `log_file`: errors, and the access log if that is
    /dev/stdout.

    It is ready when it answers itself; whether there is anything behind it is another matter. Asked to stop, it lets
    running answers end, for `stop_timeout_s` at most.
    """
    host, _, port = topology.inside.rpartition(":")
    host = _ANY_HOST.get(host, host.strip("[]"))
    directives = f"daemon off; worker_rlimit_nofile {min(_OPEN_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1])};"
    if is_root():
        # Else its workers would be of a user who may not be there, or not be able to enter `directory`.
        directives += " user root;"
    prefix = directory.absolute()
    return Service(
        name="nginx",
        command=[str(binary), "-p", f"{prefix}/", "-c", f"{prefix}/nginx.conf", "-e", "stderr", "-g", directives],
        log_file=log_file,
        port=int(port),
        prepare=lambda: write_prefix(directory, topology),
        is_ready=lambda: answers_http(host=host, port=int(port), path="/-/nginx"),
        stop_signal=signal.SIGQUIT,
        stop_timeout_s=stop_timeout_s,
    )


def nginx_binary() -> Path:
    """An Nginx that runs here; downloads the distribution's into .venv-nginx the first time. Raises ServiceError."""
    try:
        found = subprocess.run(  # noqa: S603  # our own script
            [REPOSITORY / "scripts" / "nginx.sh"],
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=_DOWNLOAD_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired as error:
        raise ServiceError(
            f"Nginx could not be downloaded within {_DOWNLOAD_TIMEOUT_S:g} s: install it (apt-get install nginx)."
        ) from error
    if found.returncode:
        said = found.stderr.strip().splitlines()
        raise ServiceError(said[-1] if said else f"scripts/nginx.sh ended with status {found.returncode}.")
    return Path(found.stdout.strip())


def write_prefix(directory: Path, topology: NginxTopology) -> None:
    """What Nginx reads, for a start or before a reload (SIGHUP). Raises ServiceError."""
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        (directory / "topology").mkdir(exist_ok=True)
        shutil.copyfile(REPOSITORY / "nginx.conf", directory / "nginx.conf")
        for name, text in topology_files(topology).items():
            (directory / "topology" / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise ServiceError(f"Nginx's folder {directory} cannot be written: {error.strerror}.") from error
