"""One worker process of the gateway."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
from multiprocessing.process import BaseProcess

from starlette.types import ASGIApp

from api.app import create_app
from api.settings import LogFormat, Settings
from observability.logging import configure_logging


def application() -> ASGIApp:
    """What uvicorn calls in each worker."""
    settings = Settings.load(env_file=None)  # the parent has put everything into the environment
    as_json = settings.logs.log_format is LogFormat.JSON
    log = configure_logging(level=settings.logs.log_level, as_json=as_json)
    if (parent := multiprocessing.parent_process()) is not None:
        _end_with(parent)
    app = create_app(settings, write_event=log.write_event if as_json else None)
    _spare_the_garbage_collector()
    return app


def _spare_the_garbage_collector() -> None:
    """What is there now stays: do not look at it again, and look seldom, for a request leaves no cycles behind.

    With the defaults the collector took a sixth of the time of a request.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 50)


def _end_with(parent: BaseProcess) -> None:
    """Stop as if told to when the parent process is gone: a killed parent must not leave workers on its port."""

    def watch() -> None:
        parent.join()  # returns at once for a parent that was gone before this worker had begun
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
