"""The gateway with its corpus, the stores behind it and MockLLM, started for a run and ended with it."""

from __future__ import annotations

import json
import re
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from bench.cores import Cores
from bench.gateway import KEY, REPOSITORY, gateway_command
from bench.load import LoadError
from bench.processes import Child, ProcessError, pinned
from bench.serving.servers import MODEL, mock_llm
from bench.stores import Stores, running_stores
from scripts.embedded.embedding_model import shared_embedding_model
from scripts.embedded.ports import free_port

TENANT = "bench"
OTHER_KEY, OTHER_TENANT = "sk-bench-neighbour-6a1d80c93f27", "neighbour"
EMBEDDER = "all-MiniLM-L6-v2"
WORKERS = 2
_READY_TIMEOUT_S = 120.0
# MockLLM computes for as long as an engine would; here it need not.
_TIME_SCALE = 50.0
PATIENT = {
    "RAG_SEARCH_TIMEOUT_S": "10",
    "RAG_EMBED_TIMEOUT_S": "10",
    "EMBEDDER_TIMEOUT_S": "10",
    "SEMANTIC_CACHE_TIMEOUT_S": "5",
}
"""Where it is not time that is measured, a busy machine must not make the gateway leave out a part."""


@dataclass(frozen=True, kw_only=True)
class Platform:
    """A running gateway, and its stores."""

    port: int
    gateway: Child
    stores: Stores

    def metrics(self) -> str:
        """The gateway's own, of all its workers, in Prometheus' text format."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as answer:
            return str(answer.read().decode())


@contextmanager
def stores(folder: Path, *, cores: Cores) -> Iterator[Stores]:
    """Redis and Postgres as `make up` starts them, with what `folder` has of an earlier run. Raises ServiceError."""
    folder.mkdir(parents=True, exist_ok=True)
    with pinned(cores.server), running_stores(folder) as found:
        yield found


@contextmanager
def engine(directory: Path, *, cores: Cores) -> Iterator[str]:
    """The base URL of a MockLLM. Raises ServiceError."""
    with (
        pinned(cores.load),
        mock_llm(directory, name="mock-llm", python=Path(sys.executable), time_scale=_TIME_SCALE) as server,
    ):
        yield f"http://127.0.0.1:{server.port}/v1"


@contextmanager
def gateway(
    directory: Path,
    *,
    stores: Stores,
    cores: Cores,
    upstream: str = "http://127.0.0.1:9/v1",
    settings: Mapping[str, str] | None = None,
) -> Iterator[Platform]:
    """A gateway that is ready to find passages; its cache is off.

    `upstream`: nobody listens at the default, and nobody need where no completion is asked for. `settings` come last.
    Raises ProcessError, and ServiceError where the embedding model cannot be built.
    """
    port = free_port()
    command = gateway_command(
        port=port,
        directory=directory,
        upstream=upstream,
        model=MODEL,
        stores=stores,
        settings={
            "WORKERS": str(WORKERS),
            "API_KEYS": f"{KEY}:{TENANT},{OTHER_KEY}:{OTHER_TENANT}",
            "EMBEDDER_MODEL_DIR": str(shared_embedding_model(REPOSITORY)),
            "REQUEST_TIMEOUT_S": "300",
            **(settings or {}),
        },
    )
    command = replace(command, name=f"gateway-{port}")
    with Child(command, cores=cores.server) as process:
        process.await_ready(f"http://127.0.0.1:{port}/v1/models", key=KEY, timeout_s=_READY_TIMEOUT_S)
        platform = Platform(port=port, gateway=process, stores=stores)
        _await_embedders(platform)
        try:
            yield platform
        except LoadError as error:
            error.add_note(f"the end of the gateway's log:\n{process.log_tail()}")
            raise


def _await_embedders(platform: Platform) -> None:
    """A worker reads the model when it is first asked for a vector. Raises ProcessError."""
    deadline = time.monotonic() + _READY_TIMEOUT_S
    body = json.dumps({"model": EMBEDDER, "input": "Who is there?"}).encode()
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    url = f"http://127.0.0.1:{platform.port}/v1/embeddings"
    while time.monotonic() < deadline:
        # On a connection of its own each time, which any of the workers may take.
        request = urllib.request.Request(url, data=body, headers=headers)  # http on loopback
        with suppress(urllib.error.HTTPError), urllib.request.urlopen(request, timeout=30):  # noqa: S310  # idem
            pass
        if workers_with_embedder(platform.metrics()) >= WORKERS:
            return
        time.sleep(0.05)
    raise ProcessError(f"not every worker has its embedder:\n{platform.gateway.log_tail()}")


def workers_with_embedder(exposition: str) -> int:
    """By the gateway's metrics."""
    found = re.search(r"^gateway_embedder_up(?:\{[^}]*\})? (\S+)$", exposition, re.MULTILINE)
    return int(float(found[1])) if found else 0
