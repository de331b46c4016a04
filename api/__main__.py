"""`python -m api`: the gateway, all of its worker processes. Settings come from the environment and `.env`."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import socket
import sys
from contextlib import suppress
from functools import partial

import uvicorn

from api.cache.slots.words.lexicon import Lexicon
from api.cache.slots.words.lexicon_file import LexiconError
from api.catalogue import read_catalogue
from api.database.at_start import migrate_beside
from api.draining_server import DrainingServer
from api.http_protocol import GatewayProtocol
from api.settings import LogFormat, Settings, SettingsError
from api.websocket_protocol import GatewayWebSocketProtocol
from api.worker_processes import WorkerProcesses
from observability.logging import configure_logging
from rag.rewriting.glossary import GlossaryError, load_glossary
from serving.catalogue.base import CatalogueError

# prometheus_client's own variable; observability.metrics names it too, but must not be imported yet.
METRICS_DIR = "PROMETHEUS_MULTIPROC_DIR"


def main() -> int:
    """The exit status: 0 after a clean stop, 1 when the gateway could not start, with the reason on standard error."""
    try:
        settings = Settings.load()
    except SettingsError as error:
        return _refuse(str(error))
    try:
        read_catalogue(settings)
        if settings.rag.rag_enabled and (glossary := settings.rag.rag_glossary) is not None:
            load_glossary(glossary)
        if (lexicon := settings.cache.semantic_cache_lexicon) is not None:
            Lexicon.load(lexicon)
    except (CatalogueError, GlossaryError, LexiconError) as error:
        return _refuse(str(error))
    gateway = settings.gateway
    if (reason := _taken(gateway.gateway_host, gateway.gateway_port)) is not None:
        return _refuse(f"GATEWAY_PORT {gateway.gateway_port} cannot be used: {reason}")
    try:
        _hand_to_workers(settings)
    except OSError as error:
        return _refuse(f"DATA_DIR {settings.embedded.data_dir} cannot be used: {error.strerror}")
    _allow_many_connections()
    # For what this process says itself: each worker does the same.
    configure_logging(level=settings.logs.log_level, as_json=settings.logs.log_format is LogFormat.JSON)
    if settings.tenants.database_migrate:
        migrate_beside(settings.stores.database_address)
    return _serve(settings)


def _allow_many_connections() -> None:
    """A stream takes two descriptors, and many systems begin with 1,024; the hard limit is the administrator's word."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _hand_to_workers(settings: Settings) -> None:
    """Put what was just read and checked where every worker finds it, also one that is started again much later.

    Workers read the environment alone and their own copies of the models file and of the lexicon, so an edit of `.env`
    or of a file, finished or not, has no effect before the next start. Raises OSError.
    """
    for name, value in settings.variables.items():
        os.environ[name] = value
    folder = settings.embedded.data_dir.absolute() / "gateway" / str(settings.gateway.gateway_port)
    shutil.rmtree(folder, ignore_errors=True)
    metrics = folder / "metrics"
    metrics.mkdir(parents=True)
    # Before anything imports prometheus_client, which reads the variable once; so api.worker comes by name, below.
    os.environ[METRICS_DIR] = str(metrics)
    if settings.cache.semantic_cache_lexicon is not None:
        copied = shutil.copy(settings.cache.semantic_cache_lexicon, folder / "lexicon.yaml")
        os.environ["SEMANTIC_CACHE_LEXICON"] = str(copied)
    if settings.models.models_file is not None:
        os.environ["MODELS_FILE"] = str(shutil.copy(settings.models.models_file, folder / "models.yaml"))


def _serve(settings: Settings) -> int:
    gateway = settings.gateway
    config = uvicorn.Config(
        "api.worker:application",
        factory=True,
        host=gateway.gateway_host,
        port=gateway.gateway_port,
        workers=gateway.workers,
        loop="uvloop",
        http=partial(GatewayProtocol, send_timeout_s=gateway.send_timeout_s),  # type: ignore[arg-type]  # only called
        ws=partial(GatewayWebSocketProtocol, message_timeout_s=gateway.body_timeout_s),  # type: ignore[arg-type]  # only called
        ws_max_size=gateway.max_body_bytes,
        ws_ping_interval=settings.websocket.websocket_ping_interval_s,
        ws_ping_timeout=settings.websocket.websocket_ping_interval_s,
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=4096,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=max(1, round(gateway.shutdown_timeout_s)),
    )
    if gateway.workers > 1:
        workers = WorkerProcesses(config, sockets=[config.bind_socket()])
        workers.run()
        return int(workers.failed_to_start)
    return _serve_here(DrainingServer(config))


def _serve_here(server: uvicorn.Server) -> int:
    # When it has stopped the server raises the signal that stopped it once more, for whoever handled it before.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with suppress(KeyboardInterrupt):
        server.run()
    return 0 if server.started else 1


def _taken(host: str, port: int) -> str | None:
    """Why the address cannot be listened on; uvicorn would say it without naming the port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.strerror or str(error)
    return None


def _refuse(reason: str) -> int:
    sys.stderr.write(f"gateway: {reason}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
