from __future__ import annotations

import asyncio

import pytest

from api.errors import UnknownModel
from api.routes.models import ModelListing
from serving.errors import BackendUnavailable
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


async def test_an_upstream_that_is_away_is_asked_again_and_its_list_kept() -> None:
    backend = MemoryBackend("any-1", {})
    listing = ModelListing(ANY, forwarding=[backend])
    backend.outcome = BackendUnavailable("gone", upstream="any-1")
    assert await listing.all() == [OURS]
    backend.outcome = {}
    assert await listing.all() == [OURS, THEIRS]
    listing._asked_s = float("-inf")
    backend.outcome = BackendUnavailable("gone", upstream="any-1")
    assert await listing.all() == [OURS, THEIRS]
