"""vLLM's own OpenAI server inside a replica: its engine client and its FastAPI application, without its listener.

vLLM runs the model in a child process (EngineCore) anyway, so nothing heavy runs in the replica's event loop, and the
answer's bytes are made where they are sent. Written against vLLM 0.32 (`vllm/entrypoints/launchers`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, NoReturn

from vllm.entrypoints.launchers.api_server.app_state import init_app_state
from vllm.entrypoints.launchers.api_server.entry import build_async_engine_client
from vllm.entrypoints.launchers.app import build_app
from vllm.entrypoints.launchers.cli_args import make_arg_parser, validate_parsed_serve_args
from vllm.entrypoints.launchers.launcher import validate_api_server_args
from vllm.utils.argparse_utils import FlexibleArgumentParser

from serving.engines.base import EngineFailure, EngineStartError, Receive, Scope, Send
from serving.engines.process_output import ProcessOutput
from serving.vllm_checks import VllmConfigError
from serving.vllm_failures import cause, sentence
from serving.vllm_server import check_model

_log = logging.getLogger(__name__)

# Between two looks at whether EngineCore still runs; looking costs nothing.
_WATCH_S = 0.25


class VllmEngine:
    def __init__(self, arguments: Sequence[str]) -> None:
        """`arguments`: what `vllm serve` takes on its command line."""
        self._arguments = list(arguments)
        self._held = contextlib.AsyncExitStack()
        self._client: Any = None
        self._application: Any = None

    async def start(self) -> None:
        output = ProcessOutput()
        try:
            options = _parsed(self._arguments)
            self._client = await self._held.enter_async_context(build_async_engine_client(options))
            await self._build_application(options)
        except EngineStartError:
            raise
        except Exception as error:  # noqa: BLE001 - vLLM has no base for what goes wrong at its start
            _log.exception("vLLM did not start")
            # What ends a child process, such as an allocation that failed, is only in its output.
            raise EngineStartError(f"vLLM cannot start: {cause(output.text()) or sentence(error)}") from None

    async def check(self) -> None:
        if self._client is None or self._client.errored:
            raise EngineFailure("vLLM's EngineCore is dead")
        # EngineCore answers between two steps, so a hanging one does not. What it answers is of no interest.
        await self._client.is_sleeping()

    async def failed(self) -> str:
        while not self._client.errored:  # noqa: ASYNC110 - vLLM offers nothing to wait for
            await asyncio.sleep(_WATCH_S)
        return "vLLM's EngineCore is dead; its own output says of what"

    async def stop(self) -> None:
        await self._held.aclose()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._application(scope, receive, send)

    async def _build_application(self, options: Any) -> None:
        tasks = await self._client.get_supported_tasks()
        application = build_app(options, tasks, self._client.model_config)
        # vLLM's error handlers tell their server to exit when the engine is dead. `failed` does that here.
        application.state.server = SimpleNamespace(should_exit=False)
        await init_app_state(self._client, application.state, options, tasks)
        await self._held.enter_async_context(application.router.lifespan_context(application))
        self._application = application


def _parsed(arguments: list[str]) -> Any:
    """vLLM's own options. Raises EngineStartError for what its parser refuses."""
    parser = make_arg_parser(FlexibleArgumentParser(prog="vllm serve"))

    def refuse(message: str) -> NoReturn:
        raise EngineStartError(f"vLLM refuses its arguments: {message}")

    parser.error = refuse
    options = parser.parse_args(arguments)
    try:
        check_model(str(options.model))
    except VllmConfigError as error:
        raise EngineStartError(f"vLLM cannot start: {error}") from None
    try:
        validate_parsed_serve_args(options)
        validate_api_server_args(options)
    except Exception as error:  # noqa: BLE001 - vLLM raises ValueError, TypeError and KeyError alike
        raise EngineStartError(f"vLLM refuses its arguments: {sentence(error)}") from None
    return options
