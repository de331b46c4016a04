from __future__ import annotations

import asyncio

import pytest

from api.errors import UnknownModel
from api.routes.models import ModelListing
from serving.errors import BackendUnavailable
from serving.types import Json
from tests.unit.api.fakes import Journal, MemoryBackend, catalogue, model

OURS = {"id": "fast", "object": "model", "created": 1, "owned_by": "us"}
THEIRS = {"id": "theirs", "object": "model", "created": 0, "owned_by": "upstream"}
ANY = catalogue(model("fast"), model("*"))


async def test_the_catalogues_models_without_aliases_and_wildcards() -> None:
    listing = ModelListing(ANY, forwarding=[])
    assert await listing.all() == [OURS]
    assert await listing.one("fast") == await listing.one("fast-alias") == OURS
    for name in ("nobody", "*"):
        with pytest.raises(UnknownModel):
            await listing.one(name)


async def test_what_a_forwarded_upstream_has_is_listed_too() -> None:
    listing = ModelListing(ANY, forwarding=[MemoryBackend("any-1", {})])
    assert await listing.all() == [OURS, THEIRS]
    assert await listing.one("theirs") == THEIRS


async def test_all_who_ask_first_get_the_whole_list_and_cause_one_look_up() -> None:
    journal = Journal()
    listing = ModelListing(ANY, forwarding=[MemoryBackend("any-1", {}, journal)])
    assert await asyncio.gather(*(listing.all() for _ in range(10))) == [[OURS, THEIRS]] * 10
    assert journal.entries == ["models"]


class DeadBackend(MemoryBackend):
    """Fails, after a while."""

    async def models(self) -> list[Json]:
        await self.journal.reach("models")
        raise BackendUnavailable("gone", upstream=self.name)


async def test_all_who_ask_while_an_upstream_is_away_cause_one_look_up_a_second() -> None:
    now_s = 100.0
    journal = Journal()
    listing = ModelListing(ANY, forwarding=[DeadBackend("any-1", {}, journal)], clock=lambda: now_s)
    assert await asyncio.gather(*(listing.all() for _ in range(20))) == [[OURS]] * 20
    now_s += 0.9
    assert await listing.all() == [OURS]
    assert journal.entries == ["models"]
    now_s += 0.2
    assert await asyncio.gather(*(listing.all() for _ in range(20))) == [[OURS]] * 20
    assert journal.entries == ["models"] * 2


async def test_an_upstream_that_is_away_is_asked_again_and_its_list_kept() -> None:
    backend = MemoryBackend("any-1", {})
    listing = ModelListing(ANY, forwarding=[backend])
    backend.outcome = BackendUnavailable("gone", upstream="any-1")
    assert await listing.all() == [OURS]
    backend.outcome = {}
    listing._ask_again_s = float("-inf")
    assert await listing.all() == [OURS, THEIRS]
    listing._ask_again_s = float("-inf")
    backend.outcome = BackendUnavailable("gone", upstream="any-1")
    assert await listing.all() == [OURS, THEIRS]
