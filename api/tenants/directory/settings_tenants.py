"""Tenants that API_KEYS names are in the directory too, so that they can be given limits and budgets."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Protocol

from api.tenants.directory import checked
from api.tenants.directory.snapshot import Snapshot
from api.tenants.errors import DirectoryError, InvalidValue
from api.tenants.types import Actor

logger = logging.getLogger(__name__)

_SETTINGS = Actor(id="settings")
_AGAIN_S = 10.0


class TenantMaker(Protocol):
    async def create_missing_tenants(self, names: Sequence[str], *, by: Actor) -> Sequence[str]: ...


class SettingsTenants:
    def __init__(self, names: Iterable[str], *, directory: TenantMaker) -> None:
        self._names = {name for name in names if _can_be(name)}
        self._directory = directory
        self._tried_s: float | None = None
        self._task: asyncio.Task[None] | None = None

    def look(self, snapshot: Snapshot) -> None:
        """Make those that are missing, in the background; for the running loop, and often."""
        missing = self._names - snapshot.tenants.keys()
        if not missing or (self._task is not None and not self._task.done()):
            return
        now_s = time.monotonic()
        if self._tried_s is None or now_s - self._tried_s > _AGAIN_S:
            self._tried_s = now_s
            self._task = asyncio.create_task(self._make(sorted(missing)), name="directory: tenants of the settings")

    async def aclose(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _make(self, missing: Sequence[str]) -> None:
        try:
            made = await self._directory.create_missing_tenants(missing, by=_SETTINGS)
        except DirectoryError as error:
            logger.warning("tenants of API_KEYS are not in the directory", extra={"reason": str(error)})
        else:
            if made:
                logger.info("tenants of API_KEYS are in the directory", extra={"count": len(made)})


def _can_be(name: str) -> bool:
    try:
        checked.name(name, param="API_KEYS")
    except InvalidValue as error:
        logger.warning("a tenant of API_KEYS cannot be in the directory", extra={"reason": str(error)})
        return False
    return True
