"""`/v1/models`: what the catalogue offers, and what a forwarded upstream says that it has."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Annotated

from fastapi import APIRouter, Path, Request

from api.errors import UnknownModel
from api.middleware.headers import single_header
from api.stages.authenticate import bearer_token
from api.tenants.base import Keys
from serving.base import Backend
from serving.catalogue.base import Catalogue, Model
from serving.errors import BackendError
from serving.types import Json

logger = logging.getLogger(__name__)
_LISTING_REUSED_FOR_S = 30.0
_FAILURE_REUSED_FOR_S = 1.0


class ModelListing:
    """`forwarding`: the upstreams of wildcard models, whose own lists are part of ours."""

    def __init__(
        self, catalogue: Catalogue, *, forwarding: Sequence[Backend], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._catalogue = catalogue
        self._forwarding = forwarding
        self._clock = clock
        self._forwarded: list[Json] = []
        self._ask_again_s = float("-inf")
        self._asking = asyncio.Lock()

    async def all(self) -> list[Json]:
        listed = [_wire(model) for model in self._catalogue.public_models()]
        names = {entry["id"] for entry in listed}
        return listed + [entry for entry in await self._forwarded_models() if entry["id"] not in names]

    async def one(self, name: str) -> Json:
        """Raises UnknownModel."""
        try:
            return _wire(self._catalogue.public_model(name))
        except LookupError as error:
            for entry in await self._forwarded_models():
                if entry["id"] == name:
                    return entry
            raise UnknownModel(str(error), param="model") from error

    async def _forwarded_models(self) -> list[Json]:
        if self._forwarding:
            # Whoever comes meanwhile waits for the same answer; or for the same failure, which also holds for a moment.
            async with self._asking:
                if self._clock() >= self._ask_again_s:
                    await self._ask()
        return self._forwarded

    async def _ask(self) -> None:
        found: dict[str, Json] = {}
        reused_for_s = _LISTING_REUSED_FOR_S
        for backend in self._forwarding:
            try:
                found |= {str(entry["id"]): _conformed(entry) for entry in await backend.models() if "id" in entry}
            except BackendError as error:
                logger.warning("an upstream did not list its models", extra={"reason": str(error)})
                reused_for_s = _FAILURE_REUSED_FOR_S
        self._ask_again_s = self._clock() + reused_for_s
        self._forwarded = list(found.values()) or self._forwarded


def models_router(listing: ModelListing, keys: Keys) -> APIRouter:
    router = APIRouter(prefix="/v1/models", tags=["models"])

    async def authenticated(request: Request) -> None:
        await keys.authenticate(bearer_token(single_header(request.scope, b"authorization")))

    @router.get("", summary="List the models")
    async def models(request: Request) -> Json:
        await authenticated(request)
        return {"object": "list", "data": await listing.all()}

    @router.get("/{model:path}", summary="One model")
    async def model(request: Request, model: Annotated[str, Path(description="The model's name")]) -> Json:
        await authenticated(request)
        return await listing.one(model)

    return router


def _wire(model: Model) -> Json:
    return {"id": model.name, "object": "model", "created": model.created, "owned_by": model.owned_by}


def _conformed(entry: Json) -> Json:
    created = entry.get("created")
    return {
        "id": str(entry["id"]),
        "object": "model",
        "created": created if isinstance(created, int) else 0,
        "owned_by": str(entry.get("owned_by") or "upstream"),
    }
