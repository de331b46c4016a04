"""The Ray Serve application: one deployment whose replicas each run one engine behind its own OpenAI surface.

`import_path` of a Serve config file (`python -m serving.serve_config` writes one). How many replicas there are, how
they scale and drain stands in that file, where it can be changed without touching what runs.
"""

from __future__ import annotations

import logging
import os
from typing import Any

from ray import serve

from serving.engine_settings import EngineSettings, engine_settings
from serving.engines.application import EngineApplication
from serving.engines.base import Engine, EngineError, EngineStartError

_log = logging.getLogger("ray.serve")


@serve.ingress()
class EngineReplica:
    """One engine, in this process. Ray calls the three methods by their names."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = engine_settings(settings)
        self._application: EngineApplication | None = None

    async def __serve_build_asgi_app__(self) -> EngineApplication:
        rank = serve.get_replica_context().rank.rank
        try:
            application = EngineApplication(
                engine=_engine(self._settings, rank=rank),
                exit_process=os._exit,
                check_timeout_s=self._settings.check_timeout_s,
            )
            await application.start()
        except EngineError as error:
            _log.error("%s", error)
            raise error.with_traceback(None) from None
        self._application = application
        return application

    async def check_health(self) -> None:
        """Ray replaces the replica after three failures in a row. Raises EngineFailure."""
        if self._application is not None:
            await self._application.check()


def build(args: dict[str, Any]) -> serve.Application:
    """The application for `args`, the fields of EngineSettings. Raises EngineSettingsError."""
    settings = engine_settings(args)
    return serve.deployment(EngineReplica, name=settings.name).bind(args)


def _engine(settings: EngineSettings, *, rank: int) -> Engine:
    """`rank`: the replica's number among its deployment's, which keeps ports of replicas on one machine apart."""
    if settings.kind == "vllm":
        try:
            # Seconds of imports, and only installed where it runs.
            from serving.engines.vllm_in_process import VllmEngine  # noqa: PLC0415
        except ImportError as error:
            raise EngineStartError(
                f"{error.name} is not installed on this node: Ray must run from .venv-vllm"
            ) from None
        return VllmEngine(settings.vllm_config().arguments())
    from serving.engines.mock import MockEngine  # noqa: PLC0415 - as above

    config = settings.mock_config()
    return MockEngine(
        config,
        models=settings.models,
        embedding_models=settings.embedding_models,
        admin_port=None if config.admin_port is None else config.admin_port + rank,
    )
