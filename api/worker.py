"""One worker process of the gateway."""

from __future__ import annotations

import os
import signal
import threading
import time

from fastapi import FastAPI

from api.app import create_app
from api.settings import LogFormat, Settings
from observability.logging import configure_logging

_PARENT_CHECK_S = 1.0


def application() -> FastAPI:
    """What uvicorn calls in each worker."""
    settings = Settings.load()
    configure_logging(level=settings.logs.log_level, as_json=settings.logs.log_format is LogFormat.JSON)
    if settings.gateway.workers > 1:
        _end_with(os.getppid())
    return create_app(settings)


def _end_with(parent: int) -> None:
    """Stop as if told to when the parent process is gone: a killed parent must not leave workers on its port."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_PARENT_CHECK_S)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
