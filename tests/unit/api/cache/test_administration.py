"""Statistics and purges by the names that operators know."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from api.cache.administration import CacheAdministration
from api.cache.base import QuestionParser
from api.cache.errors import StoreError, UnknownTenantError
from api.cache.explain import Explainer
from api.cache.slots.types import Slots
from api.cache.types import Entry, EntryRef, TenantStats
from tests.unit.api.cache.fakes import Clock, MemoryIndex, MemoryStore

TENANTS = ["finsight", "other", "finsight"]


@dataclass
class LastWordsParser:
    """Takes all that stands at the end of a question for the name of an entity, or in its place for a quarter."""

    version: str = "1"
    texts: list[str] = field(default_factory=list)

    def parse(self, question: str) -> Slots:
        self.texts.append(question)
        before, _, name = question.removesuffix("?").partition(" revenue ")
        assert before
        _, _, name = name.partition(" ")
        if name.startswith("Q"):
            return Slots(question_type="what", periods=(name.replace(" ", "-"),))
        return Slots(question_type="what", entities=(f"name:{name.lower()}",))


def digest(name: str) -> str:
    return f"digest of {name}"


class CountingStore(MemoryStore):
    async def stats(self, tenant: str) -> Mapping[str, int | float]:
        self._check()
        entries = self._live(tenant)
        if not entries:
            return {"entries": 0, "bytes": 0, "evicted": 4}
        ages = [self.clock() - entry.created_at_s for entry in entries]
        sizes = {"entries": len(entries), "bytes": 100 * len(entries), "evicted": 4}
        return {**sizes, "oldest_age_s": max(ages), "newest_age_s": min(ages)}


def administration(
    store: MemoryStore,
    *,
    index: MemoryIndex | None = None,
    parser: QuestionParser | None = None,
    forget_audits: Callable[[], Awaitable[None]] | None = None,
    tenants: Sequence[str] = TENANTS,
) -> CacheAdministration:
    explainer = Explainer(
        parser=parser or LastWordsParser(), embedder=None, min_cosine=0.92, ttl_s=86_400.0, volatile_ttl_s=300.0
    )
    return CacheAdministration(
        store=store,
        index=index,
        explainer=explainer,
        tenants=lambda: tenants,
        tenant_digest=digest,
        forget_audits=forget_audits,
    )


def filled(store: MemoryStore, tenant: str, *tags: str, age_s: float = 0.0) -> EntryRef:
    number = len(store.entries)
    entry = Entry(
        id=f"entry-{number}",
        tenant=digest(tenant),
        scope="scope",
        exact_key=f"exact-{number}",
        canonical_key=None,
        slots=None,
        answer={},
        upstream="up",
        model="fast",
        model_version="1",
        cost_usd=0.0,
        created_at_s=store.clock() - age_s,
        expires_at_s=store.clock() + 1000.0,
        tags=tags,
    )
    store.entries[entry.id] = entry
    return entry.ref


async def test_statistics_of_one_and_of_all() -> None:
    store = CountingStore(Clock())
    filled(store, "finsight", age_s=90.0)
    filled(store, "finsight", age_s=5.0)
    asked = administration(store)
    finsight = TenantStats(tenant="finsight", entries=2, bytes=200, evicted=4, oldest_age_s=90.0, newest_age_s=5.0)
    other = TenantStats(tenant="other", entries=0, bytes=0, evicted=4, oldest_age_s=None, newest_age_s=None)
    assert await asked.stats("finsight") == [finsight]
    assert await asked.stats("other") == [other]
    assert await asked.stats(None) == [finsight, other]


async def test_a_purge_of_a_tenant_takes_the_vectors_along() -> None:
    store, index = CountingStore(Clock()), MemoryIndex()
    index.refs = [filled(store, "finsight"), filled(store, "finsight"), filled(store, "other")]
    done = await administration(store, index=index).purge("finsight", None)
    assert (done.removed, done.tenants, done.tags, done.index_cleared) == (2, ("finsight",), (), True)
    assert [ref.tenant for ref in index.refs] == [digest("other")]
    assert store.generations == {digest("finsight"): 1}


async def test_a_purge_of_all_goes_through_every_tenant_once() -> None:
    store = CountingStore(Clock())
    filled(store, "finsight")
    filled(store, "other")
    done = await administration(store).purge(None, None)
    assert (done.removed, done.tenants) == (2, ("finsight", "other"))
    assert store.generations == {digest("finsight"): 1, digest("other"): 1}


async def test_tenants_that_come_later_are_among_all() -> None:
    store, tenants = CountingStore(Clock()), ["finsight"]
    admin = administration(store, tenants=tenants)
    tenants.append("newcomer")
    filled(store, "newcomer")
    assert [found.tenant for found in await admin.stats(None)] == ["finsight", "newcomer"]
    done = await admin.purge(None, None)
    assert (done.removed, done.tenants) == (1, ("finsight", "newcomer"))


@pytest.mark.parametrize(
    ("tag", "tags"),
    [
        ("entity:Norvane", ("entity:Norvane", "entity:norvane")),
        ("entity:norvane", ("entity:norvane",)),
        ("period:Q3 2024", ("period:Q3 2024", "period:Q3-2024")),
        ("entity:Q3 2024", ("entity:Q3 2024",)),  # no entity is read in it, and its period is not what was asked for
    ],
)
async def test_a_tag_is_found_in_the_users_spelling_too(tag: str, tags: tuple[str, ...]) -> None:
    store = CountingStore(Clock())
    for carried in ("entity:norvane", "entity:quillory", "period:Q3-2024", "period:Q4-2024"):
        filled(store, "finsight", carried)
    done = await administration(store).purge("finsight", tag)
    assert done.tags == tags
    left = {carried for entry in store.entries.values() for carried in entry.tags}
    assert left == {"entity:norvane", "entity:quillory", "period:Q3-2024", "period:Q4-2024"} - set(tags)


@pytest.mark.parametrize("tag", ["corpus:v 3", "corpus:Norvane", "model:fast"])
async def test_other_tags_are_taken_as_they_are(tag: str) -> None:
    parser, store = LastWordsParser(), CountingStore(Clock())
    filled(store, "finsight", tag)
    done = await administration(store, parser=parser).purge("finsight", tag)
    assert (done.removed, done.tags, parser.texts) == (1, (tag,), [])


async def test_an_index_that_is_away_keeps_no_answer_alive() -> None:
    store, index = CountingStore(Clock()), MemoryIndex(away=True)
    filled(store, "finsight")
    done = await administration(store, index=index).purge("finsight", None)
    assert (done.removed, done.index_cleared, store.entries) == (1, False, {})


async def test_who_has_neither_key_nor_answer_is_named_as_unknown() -> None:
    store = CountingStore(Clock())
    asked = administration(store)
    with pytest.raises(UnknownTenantError, match=r"'finsigth'.*finsight, other"):
        await asked.stats("finsigth")
    with pytest.raises(UnknownTenantError, match="'finsigth'"):
        await asked.purge("finsigth", None)
    filled(store, "gone")  # its key was removed, its answers are still there
    assert (await asked.stats("gone"))[0].entries == 1
    assert (await asked.purge("gone", None)).removed == 1


async def test_a_store_that_is_away_is_no_empty_one() -> None:
    asked = administration(CountingStore(Clock(), away=True))
    for tenant in (None, "finsight", "finsigth"):
        with pytest.raises(StoreError):
            await asked.stats(tenant)


async def test_audits_are_forgotten_with_everything_that_they_were_about() -> None:
    forgotten = []

    async def forget() -> None:
        forgotten.append(True)

    asked = administration(CountingStore(Clock()), forget_audits=forget)
    await asked.purge("finsight", None)
    await asked.purge(None, "entity:norvane")
    assert forgotten == []
    await asked.purge(None, None)
    assert forgotten == [True]
