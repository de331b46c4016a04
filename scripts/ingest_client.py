"""One document after the other to the gateway, with what it says of its progress."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

Progress = Callable[[int, int], None]
"""Chunks stored so far, and of how many."""

_CONNECT_S = 5.0
# Between two lines; the first comes when the document has been read.
_SILENCE_S = 630.0
# What is over soon: too many requests or uploads at once, a store that is being restarted.
_TRY_AGAIN = {429, 503}
_TRIES = 6
_LONGEST_PAUSE_S = 60.0


class Failed(Exception):
    """This document cannot be stored; the message is one sentence."""


class Stopped(Exception):
    """No document can be stored; the message is one sentence."""


class CorpusClient:
    def __init__(self, *, url: str, key: str, collection: str, pause: Callable[[float], None] = time.sleep) -> None:
        """`url`: of the gateway, with or without `/v1`."""
        self._url = url.rstrip("/").removesuffix("/v1")
        self._collection = collection
        self._pause = pause
        headers = {"Authorization": f"Bearer {key}", "Accept": "application/x-ndjson"}
        timeout = httpx.Timeout(_SILENCE_S, connect=_CONNECT_S)
        self._http = httpx.Client(headers=headers, timeout=timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._http.close()

    def store(self, path: Path, progress: Progress) -> tuple[dict[str, Any], bool]:
        """The document, and whether it is new. Raises Failed and Stopped."""
        try:
            data = path.read_bytes()
        except OSError as error:
            raise Failed(f"it cannot be read: {error.strerror or error}") from error
        for _ in range(_TRIES - 1):
            answer = self._sent(path.name, data, progress)
            if not isinstance(answer, float):
                return answer
            self._pause(min(answer, _LONGEST_PAUSE_S))
        answer = self._sent(path.name, data, progress)
        if isinstance(answer, float):
            raise Failed("the gateway is too busy, or a part of it is away")
        return answer

    def _sent(self, name: str, data: bytes, progress: Progress) -> tuple[dict[str, Any], bool] | float:
        """The document and whether it is new, or after how many seconds to try again."""
        try:
            with self._http.stream(
                "POST",
                f"{self._url}/v1/rag/documents",
                data={"collection": self._collection},
                files={"file": (name, data, "application/octet-stream")},
            ) as response:
                if response.status_code in _TRY_AGAIN:
                    return _pause_s(response)
                return _outcome(response, progress), response.status_code != httpx.codes.OK
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise Stopped(f"{self._url} cannot be reached; is the platform running (make up)?") from error
        except httpx.TimeoutException as error:
            raise Failed("the gateway has not answered in time") from error
        except httpx.HTTPError as error:
            raise Failed("the connection broke off") from error


def _pause_s(response: httpx.Response) -> float:
    try:
        return max(0.1, float(response.headers["retry-after"]))
    except (KeyError, ValueError):
        return 1.0


def _outcome(response: httpx.Response, progress: Progress) -> dict[str, Any]:
    if response.status_code in {401, 403}:
        raise Stopped(_message(response.read()))
    if not response.is_success:
        raise Failed(_message(response.read()))
    for text in response.iter_lines():
        line = _object(text)
        if "error" in line:
            raise Failed(str(line["error"].get("message")))
        if "chunks_done" not in line:
            return line
        progress(line["chunks_done"], line["chunks_total"])
    raise Failed("the connection broke off")


def _message(body: bytes) -> str:
    error = _object(body).get("error")
    return str(error["message"]) if isinstance(error, dict) and "message" in error else "this is no gateway's answer"


def _object(text: str | bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        return {"error": {"message": "this is no gateway's answer"}}
    return found
