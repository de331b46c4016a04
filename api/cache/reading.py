"""What a request asks of the cache: its question understood, its scope, its keys."""

from __future__ import annotations

from dataclasses import dataclass

from api.cache.agreement import likeness
from api.cache.base import QuestionParser
from api.cache.cacheability import Cacheability, CacheRules, Tiers, bypass_reason, cacheability, is_short
from api.cache.canonical import canonical_form
from api.cache.corpus_answers import corpus_tag
from api.cache.directives import CacheDirectives, read_directives
from api.cache.last_good import LastGoodKeys
from api.cache.question import Question, question_of
from api.cache.scope import Digests, ScopedRequest
from api.cache.slots.types import Slots
from api.cache.types import LookUpKeys
from api.cache.volatility import entry_tags, ttl_s
from api.call import Call
from api.tenants.types import Lane
from rag.types import RagVersion
from serving.types import Json

# In place of a state of the documents; no header can say it, for it has a space.
_ANY_VERSION = "any version"


@dataclass(frozen=True, slots=True, kw_only=True)
class TimesToLive:
    """Seconds."""

    stable_s: float
    volatile_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheRequest:
    """One request, as far as the cache is concerned."""

    question: Question
    slots: Slots | None
    cacheability: Cacheability
    tenant: str
    scope: str
    keys: LookUpKeys
    corpus_version: str | None
    collection: str | None

    @property
    def searchable(self) -> str | None:
        """The question, if it may be answered by nearness: by rule, and because others can mean the same."""
        return None if self.keys.likeness is None else self.question.text


class CacheRequestReader:
    def __init__(
        self, *, parser: QuestionParser, digests: Digests, rules: CacheRules, times_to_live: TimesToLive
    ) -> None:
        self._parser = parser
        self._digests = digests
        self._rules = rules
        self._times_to_live = times_to_live

    def read(self, call: Call) -> CacheRequest | None:
        """None: the cache has no part in it; `call.cache_reason` says why it does less than it can.

        Raises InvalidRequest for headers that make no sense.
        """
        directives = read_directives(call.headers)
        if (unversioned := _unversioned(call)) is not None:
            call.cache_reason = unversioned
            return None
        return self._read(call, directives, call.corpus_version or directives.corpus_version)

    def last_good(self, call: Call) -> LastGoodKeys | None:
        """Where the last good answer is kept, whatever state the documents were in.

        None: nowhere, or not for a client that wants none but a fresh one.
        """
        if call.rag is None or call.rag.version is not RagVersion.V4:
            return None
        directives, reason = read_directives(call.headers), call.cache_reason
        request = None if directives.no_cache else self._read(call, directives, _ANY_VERSION)
        call.cache_reason = reason
        return None if request is None else LastGoodKeys(request.tenant, request.scope, request.keys)

    def _read(self, call: Call, directives: CacheDirectives, corpus_version: str | None) -> CacheRequest | None:
        body = _asked(call)
        reason = bypass_reason(call.endpoint, body, call.body_bytes, directives, self._rules)
        if reason is not None:
            call.cache_reason = reason
            return None
        question = question_of(call.endpoint, body)
        slots = self._parsed(question)
        how = cacheability(body, question, slots, directives)
        call.cache_reason = how.reason
        if how.tiers is Tiers.NONE:
            return None
        scope = self._digests.scope(_scoped(call, question, slots, corpus_version))
        return CacheRequest(
            question=question,
            slots=slots,
            cacheability=how,
            tenant=self._digests.tenant(call.caller.tenant),
            scope=scope,
            keys=self._keys(scope, question, slots if how.tiers is Tiers.ALL else None),
            corpus_version=corpus_version,
            collection=None if call.rag is None else call.rag.collection,
        )

    def flight_key(self, request: CacheRequest, lane: Lane) -> str | None:
        """Under which others wait for this one's answer. Who does not look up waits for nobody, and for who does not
        store nobody waits; nor does somebody for a call of the other lane, which may be kept waiting itself.
        """
        how, keys = request.cacheability, request.keys
        if not (how.looks_up and how.stores):
            return None
        return self._digests.flight_key(keys.canonical or keys.exact, lane.value)

    def ttl_s(self, request: CacheRequest) -> float:
        """What was not understood may be about this very moment."""
        times = self._times_to_live
        if request.slots is None:
            return min(times.stable_s, times.volatile_s)
        return ttl_s(request.slots, stable_s=times.stable_s, volatile_s=times.volatile_s)

    def tags(self, request: CacheRequest) -> tuple[str, ...]:
        found = () if request.slots is None else tuple(entry_tags(request.slots))
        if request.corpus_version is not None:
            found = (*found, f"corpus:{request.corpus_version}")
        return found if request.collection is None else (*found, corpus_tag(request.collection))

    def _parsed(self, question: Question) -> Slots | None:
        if question.text is None or not is_short(question.text):
            return None
        return self._parser.parse(question.text)

    def _keys(self, scope: str, question: Question, slots: Slots | None) -> LookUpKeys:
        """`slots`: None where the exact tier alone is open."""
        digests = self._digests
        form, like = (None, None) if slots is None else (canonical_form(slots), likeness(slots))
        return LookUpKeys(
            exact=digests.exact_key(scope, question),
            canonical=None if form is None else digests.canonical_key(scope, form),
            likeness=None if like is None else digests.likeness(scope, like),
        )


def _scoped(call: Call, question: Question, slots: Slots | None, corpus_version: str | None) -> ScopedRequest:
    # What was not understood may be about who asks.
    personal = slots is None or slots.personal
    body = _asked(call)
    user = body.get("user")
    audience = ("all",) if not personal else ("user", user) if user else ("key", call.caller.key_id)
    model = call.model
    return ScopedRequest(
        tenant=call.caller.tenant,
        audience=audience,
        endpoint=call.endpoint,
        model=(model.name, model.version, call.public_model if model.is_wildcard else ""),
        body=body,
        question=question,
        corpus_version=corpus_version,
    )


def _unversioned(call: Call) -> str | None:
    """Why the cache has no part in an answer from documents: whose state, or pipeline, it does not tell apart."""
    if call.rag is None:
        return None
    if call.rag.version is not RagVersion.V4:
        return "rag_version"
    return "corpus_away" if call.corpus_version is None else None


def _asked(call: Call) -> Json:
    return call.body if call.asked is None else call.asked
