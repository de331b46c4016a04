"""One request on its way through the pipeline, and what became of it."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from api.cache.types import CacheStatus
from api.fairness.types import UNTIMED, Turn
from api.schemas.parse import CompletionLike
from api.schemas.tokens import estimated_output_tokens
from api.sessions.types import SessionState
from api.tenants.types import Bill, Budget, Lane, Saving
from rag.types import Collection, RagRequest, Retrieved, StandaloneQuestion
from resilience.limiter.base import LimitDecision, Window
from serving.catalogue.base import Model, ModelKey, Price
from serving.types import Endpoint, Json, Reply, Usage, WholeReply

# Left or cut off before there was an answer.
ABANDONED = "abandoned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who is asking. `key_id` stands for the API key in stores, logs and bills, and does not reveal it."""

    tenant: str
    key_id: str
    windows: tuple[Window, ...]
    """That each call counts in: the key's first, then the tenant's."""
    model_windows: Mapping[str, tuple[Window, ...]] = field(default_factory=dict)
    """Catalogue name of a model -> the windows that a call to it counts in too."""
    weight: float = 1.0
    lane: Lane = Lane.INTERACTIVE
    budget: Budget | None = None


@dataclass(slots=True, kw_only=True)
class Call:
    """Filled in stage by stage; a stage may rely on what the stages above it in `Pipeline.serve` have set."""

    endpoint: Endpoint
    request_id: str
    arrived_s: float
    """Monotonic."""
    token: str | None
    read_body: Callable[[], Awaitable[bytes]]
    headers: Iterable[tuple[bytes, bytes]] = ()
    """Of the request, names in lower case."""
    deadline_s: float = math.inf
    """In the loop's time; when its client is told that it took too long."""
    arrived_at_s: float = field(default_factory=time.time)
    """Unix seconds: what it costs goes by this moment, and so does the month that pays."""

    caller: Caller = field(init=False)
    body: Json = field(init=False)
    request: CompletionLike = field(init=False)
    model: Model = field(init=False)
    body_bytes: int = 0
    lane: Lane = Lane.INTERACTIVE
    """In which it waits for engines: the caller's, or one that it has asked for."""
    session_id: str | None = None
    """Of the conversation that this call goes on with."""
    session: object | None = None
    """What the memory has to know again when the engine has answered: its own business."""
    session_state: SessionState | None = None
    """What the client is told of its session; None where it has named none."""
    earlier_questions: Sequence[str] = ()
    """What the user asked before in this session and in the body that goes on with it, the oldest first; empty without
    a session, also where the body brings a conversation.
    """
    prompt_room: int = 0
    """Tokens of the model's context that are left when the answer is as long as it may be."""
    rag: RagRequest | None = None
    """Set where the answer is to come from a corpus."""
    collection: Collection | None = None
    standalone: StandaloneQuestion | None = None
    retrieved: Retrieved | None = None
    rag_degraded: tuple[str, ...] = ()
    """What the answer from the corpus had to do without, each a word of a fixed list."""
    asked: Json | None = None
    """What the cache compares in place of the body, where the body also has what was remembered or retrieved."""
    corpus_version: str | None = None
    """Of the documents behind the answer; where it is set, no client has a say in it."""
    public_model: str = field(init=False)
    """The name that answers carry: the catalogue's, or the client's where the catalogue forwards any name."""
    prompt_tokens: int = 0
    """Estimated."""
    reserved_tokens: int = 0
    limits: LimitDecision | None = None
    cache_status: CacheStatus | None = None
    """None where there is no cache."""
    cache_reason: str | None = None
    """Why the cache did less than it can: a word for the log."""
    cache_age_s: float | None = None
    """How old the stored answer is; None where it is the engine's."""
    cache_miss: object | None = None
    """What the cache has to know again when the engine has answered: its own business."""
    served_model: Model | None = None
    """The model that answered, which is not `model` after a fallback."""
    turn: Turn = UNTIMED
    """At the engines, once it has come."""
    abandoned: str | None = None
    """The upstream that had the request when the client left, before it had said anything."""
    reply: Reply | None = None
    first_output_s: float | None = None
    """Monotonic."""
    outcome: str = "ok"
    ledger_id: str = ""
    """Of its line in the ledger; empty until the call is admitted."""
    bill: Bill | None = None
    """Set by `make_bill`, once."""
    prices: dict[ModelKey, Price] = field(default_factory=dict)
    """By which the call has been judged so far; see `price`."""
    on_bill: Callable[[Bill], object] | None = None
    """Told then."""
    begun: object | None = None
    """What the accounting wrote down of a call that is not over: its own business."""
    in_ledger: bool = False
    saving: Saving | None = None
    """Set where a stored answer is given."""
    queue_s: float = 0.0
    """Waited for a turn."""
    engine_began_s: float | None = None
    """Monotonic; when the engine that has or had the request was asked."""

    @property
    def streams(self) -> bool:
        return bool(self.request.stream)

    @property
    def wants_usage(self) -> bool:
        options = self.request.stream_options
        return options is not None and bool(options.include_usage)

    @property
    def arrived_at(self) -> datetime:
        return datetime.fromtimestamp(self.arrived_at_s, UTC)

    @property
    def wants_usage_in_chunks(self) -> bool:
        """As vLLM's clients may."""
        options = self.request.stream_options
        return self.wants_usage and options is not None and bool(options.continuous_usage_stats)

    def make_bill(self, price_of: Callable[[Model, datetime], Price]) -> Bill:
        """What the call owes, counted once: whoever asks first fixes it, and everybody after gets the same.

        To be asked for when the call has ended. Needs what `Reader` sets. Without an engine's work it is nothing.
        """
        if self.bill is None:
            self.bill = self.owed(price_of)
            if self.on_bill is not None:
                self.on_bill(self.bill)
        return self.bill

    def owed(self, price_of: Callable[[Model, datetime], Price]) -> Bill:
        """The bill as it would be now."""
        model = self.served_model or self.model
        usage = self.billed_usage() or Usage()
        upstream = (self.reply.upstream if self.reply is not None else self.abandoned) or ""
        price = self.price(model, price_of)
        cost_nano = price.cost_nano(
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            cached_tokens=usage.cached_tokens,
        )
        return Bill(model=model, upstream=upstream, usage=usage, price=price, cost_nano=cost_nano)

    def price(self, model: Model, price_of: Callable[[Model, datetime], Price]) -> Price:
        """What the model costs this call: the same each time, whatever an administrator changes while the call runs.

        Else it could owe more than was set aside for it, and other than it has told its client.
        """
        price = self.prices.get(model.key)
        if price is None:
            price = self.prices[model.key] = price_of(model, self.arrived_at)
        return price

    def billed_usage(self) -> Usage | None:
        """What this call owes: the engine's count, or where there is none an estimate of what it has produced."""
        if self.reply is None:
            # An engine that had the prompt has worked on it, and cannot be asked any more how far it came.
            return None if self.abandoned is None else Usage(prompt_tokens=self.prompt_tokens, estimated=True)
        usage = self.reply.usage
        if usage is not None and not (self.reply.usage_with_output and self.request.choices > 1):
            return usage
        if isinstance(self.reply, WholeReply):
            written = estimated_output_tokens(self.reply.written_text())
        else:
            # Most engines send a token in each chunk, some send many; the text alone would miss what has no text.
            written = max(self.reply.produced_chunks, estimated_output_tokens(self.reply.produced_text))
        if usage is None:
            return Usage(prompt_tokens=self.prompt_tokens, completion_tokens=written, estimated=True)
        # Of several choices it may be for one alone, and the stream may have been cut before it was for all.
        return (
            usage if usage.completion_tokens >= written else replace(usage, completion_tokens=written, estimated=True)
        )
