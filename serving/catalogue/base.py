"""What the platform offers: public model name -> version, upstreams, fallbacks, limits and prices.

CatalogueError              the models file is wrong; names file, line and field of every problem
ModelSelectionError         a request's model cannot be served
├── UnknownModelError       no model of that name
├── WrongModelKindError     the model exists, but not for this endpoint
└── NoDefaultModelError     the request names no model, and the catalogue has no default for the endpoint
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

# The name of an entry that stands for every name which is not listed: the request is forwarded under it.
WILDCARD = "*"
# What the wildcard is called in metrics: clients choose the names it matches, so those would mint series without end.
WILDCARD_LABEL = "other"

# The embedding model that comes with the platform, as clients and an upstream's `builtin` call it.
MINILM = "all-MiniLM-L6-v2"


class CatalogueError(ValueError):
    """The models file cannot be used. `problems` has one sentence each: `models.yaml:14: field: what is wrong`."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class ModelSelectionError(LookupError):
    """A request's model cannot be served."""


class UnknownModelError(ModelSelectionError):
    def __init__(self, name: str) -> None:
        super().__init__(f"The model {name!r} does not exist or you do not have access to it.")
        self.name = name


class WrongModelKindError(ModelSelectionError):
    def __init__(self, name: str, *, kind: ModelKind, wanted: ModelKind) -> None:
        super().__init__(f"The model {name!r} serves {_SERVES[kind]}, not {_SERVES[wanted]}.")
        self.name = name


class NoDefaultModelError(ModelSelectionError):
    def __init__(self, kind: ModelKind) -> None:
        super().__init__(f"You must provide a model: there is no default {kind} model.")
        self.kind = kind


class ModelKind(StrEnum):
    """What a model does. A chat model serves chat completions and plain completions."""

    CHAT = "chat"
    EMBEDDING = "embedding"


_SERVES = {ModelKind.CHAT: "completions", ModelKind.EMBEDDING: "embeddings"}


ModelKey = tuple[str, ModelKind]


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """USD per million tokens: prompt tokens the engine computes, tokens it writes, prompt tokens it had cached."""

    prefill: float
    decode: float
    cached: float

    def cost_nano(self, *, prompt_tokens: int, completion_tokens: int, cached_tokens: int) -> int:
        """The price of one answer in nano-dollars, halves up; exact, for prices with up to six decimals.

        `prompt_tokens` includes `cached_tokens`, as in OpenAI's `usage`.
        """
        prefill, decode, cached = round(self.prefill * 1e6), round(self.decode * 1e6), round(self.cached * 1e6)
        pico = (prompt_tokens - cached_tokens) * prefill + cached_tokens * cached + completion_tokens * decode
        return (pico + 500) // 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeoutOverrides:
    """Seconds; None keeps what the gateway's settings say."""

    connect_s: float | None = None
    first_byte_s: float | None = None
    between_chunks_s: float | None = None
    request_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSpec:
    """The engine that the platform is to run at an upstream's address (`serving.engine_settings` for the first four).

    `autoscaling`: arguments of `serving.autoscaling_policy.MarketHoursPolicy`, only those that were given.
    """

    kind: str
    preset: str | None = None
    model: str | None = None
    set: Mapping[str, Any] = field(default_factory=dict, hash=False)
    autoscaling: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """One OpenAI-compatible server that serves a model. `base_url` has no trailing slash.

    `name` stands for one `base_url` throughout a catalogue, so it may label metrics and breakers. `model` is the
    server's own name for the model; None forwards the name that the client used. `engine` is for those who start
    engines; None where the server runs anyway. `builtin` names a model that runs in the gateway itself, which is no
    server: `base_url` is empty then.
    """

    name: str
    base_url: str = ""
    builtin: str | None = None
    model: str | None = None
    api_key: str | None = field(default=None, repr=False)
    weight: int = 1
    timeouts: TimeoutOverrides = TimeoutOverrides()
    usage_in_chunks: bool = False
    """Whether its streams can say with each chunk what they have used so far, as vLLM's do."""
    engine: EngineSpec | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RagProfile:
    """The corpus that a model answers from. None: the gateway's own setting."""

    collection: str
    version: str | None = None
    """`v1` to `v4`."""
    top_k: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One public model. `upstreams` and `fallbacks` (names of other models) are in the order in which they are tried,
    but for the first upstream, which is drawn by weight. Only the wildcards of two kinds share a name.

    `context_tokens` bounds prompt and output together, `max_output_tokens` the output alone; `default_output_tokens`
    is what is reserved for the output when the client sets no limit. `created` is in seconds since 1970.
    """

    name: str
    version: str
    kind: ModelKind
    upstreams: tuple[Upstream, ...]
    fallbacks: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    context_tokens: int
    max_output_tokens: int
    default_output_tokens: int
    price: Price
    created: int
    owned_by: str
    rag: RagProfile | None = None
    """Of a chat model that answers from documents by itself."""

    @property
    def key(self) -> ModelKey:
        """What tells it from every other model: two wildcards share a name."""
        return self.name, self.kind

    @property
    def is_wildcard(self) -> bool:
        return self.name == WILDCARD

    @property
    def metric_label(self) -> str:
        """The model's name in metrics: from the catalogue, never from a client."""
        return WILDCARD_LABEL if self.is_wildcard else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """All models. Names and aliases are unique; there is at most one wildcard of each kind.

    Raises ValueError when built from models that break this, or with a default that is not one of them.
    """

    models: tuple[Model, ...]
    default_model: str | None
    default_embedding_model: str | None
    _by_name: dict[str, Model] = field(init=False, repr=False, compare=False)
    _wildcards: dict[ModelKind, Model] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        named = [
            (name, model) for model in self.models if not model.is_wildcard for name in (model.name, *model.aliases)
        ]
        wildcards = [model for model in self.models if model.is_wildcard]
        # A frozen dataclass is set up this way; the indexes make `resolve` one look-up on the hot path.
        object.__setattr__(self, "_by_name", dict(named))
        object.__setattr__(self, "_wildcards", {model.kind: model for model in wildcards})
        if len(self._by_name) != len(named) or len(self._wildcards) != len(wildcards):
            raise ValueError("two models of a catalogue share a name")
        for kind in ModelKind:
            default = self.default_name(kind)
            if default is not None and (default not in self._by_name or self._by_name[default].kind is not kind):
                raise ValueError(f"the default {kind} model {default!r} is no {kind} model of the catalogue")
        for name in {name for model in self.models for name in model.fallbacks} - self._by_name.keys():
            raise ValueError(f"the fallback {name!r} is no model of the catalogue")

    def default_name(self, kind: ModelKind) -> str | None:
        return self.default_model if kind is ModelKind.CHAT else self.default_embedding_model

    def resolve(self, name: str | None, kind: ModelKind) -> Model:
        """The model that serves a request for `name` (None: the client named none). Raises ModelSelectionError."""
        wanted = self.default_name(kind) if name is None else name
        if wanted is None:
            raise NoDefaultModelError(kind)
        model = self._by_name.get(wanted) or self._wildcards.get(kind)
        if model is None:
            raise UnknownModelError(wanted)
        if model.kind is not kind:
            raise WrongModelKindError(wanted, kind=model.kind, wanted=kind)
        return model

    def fallback_chain(self, model: Model) -> tuple[Model, ...]:
        """The models that may stand in for `model`, in the order to try them: each followed by its own fallbacks."""
        chain: dict[str, Model] = {}
        waiting = [*reversed(model.fallbacks)]
        while waiting:
            fallback = self._by_name[waiting.pop()]
            if fallback.name != model.name and fallback.name not in chain:
                chain[fallback.name] = fallback
                waiting += reversed(fallback.fallbacks)
        return tuple(chain.values())

    def public_models(self) -> list[Model]:
        """What `GET /v1/models` lists: every model but the wildcard, in the order of the file."""
        return [model for model in self.models if not model.is_wildcard]

    def public_model(self, name: str) -> Model:
        """The listed model of that name or alias. Raises UnknownModelError."""
        try:
            return self._by_name[name]
        except KeyError:
            raise UnknownModelError(name) from None
