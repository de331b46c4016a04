"""The fields of a models file, what each may hold, and sentences for what it may not."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from serving.catalogue.base import WILDCARD, WILDCARD_LABEL
from serving.catalogue.engine_schema import AutoscalingEntry, EngineEntry
from serving.catalogue.entry import Entry, Text
from serving.catalogue.rag_schema import RagEntry
from serving.catalogue.yaml_document import Finding, Path, shortened

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127}")
_VARIABLE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}")
_VISIBLE_ASCII = re.compile(r"[\x21-\x7e]+")

Tokens = Annotated[int, Field(gt=0, le=1_000_000_000)]
Usd = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
# A reply's time stamp is a 64-bit number of seconds at most.
Epoch = Annotated[int, Field(ge=0, lt=2**63)]


class PriceEntry(Entry):
    prefill: Usd
    decode: Usd
    cached: Usd


class TimeoutsEntry(Entry):
    connect_s: Seconds | None = None
    first_byte_s: Seconds | None = None
    between_chunks_s: Seconds | None = None
    request_s: Seconds | None = None


class UpstreamEntry(Entry):
    """Validated with `context={"variables": {name: value}}`: `base_url` comes out with its variables filled in.

    It is empty where the model is built in.
    """

    name: Text
    builtin: Literal["all-MiniLM-L6-v2"] | None = None
    base_url: Annotated[str | None, Field(validate_default=True)] = None
    model: Text | None = None
    api_key_env: Text | None = None
    weight: Annotated[int, Field(gt=0, le=1_000_000)] = 1
    timeouts: TimeoutsEntry = TimeoutsEntry()
    usage_in_chunks: bool | None = None
    engine: EngineEntry | None = None

    @field_validator("name")
    @classmethod
    def _name_is_plain(cls, name: str) -> str:
        return _plain_name(name)

    @field_validator("base_url")
    @classmethod
    def _url_is_usable(cls, url: str | None, info: ValidationInfo) -> str:
        builtin = info.data.get("builtin", "")  # the default: not None of what is a field's own problem
        if url is not None:
            if builtin:
                raise ValueError(f"must be left out where builtin is {builtin}: there is no server")
            return _http_url(_filled_in(url, _variables(info)))
        if builtin is None:
            raise PydanticCustomError("missing", "an upstream has a base_url, or is builtin")
        return ""

    @field_validator("api_key_env")
    @classmethod
    def _key_is_set(cls, name: str | None, info: ValidationInfo) -> str | None:
        if name is None:
            return None
        key = _variables(info).get(name)
        if not key:
            raise ValueError(f"the environment variable {shortened(name)!a} is not set")
        if not _VISIBLE_ASCII.fullmatch(key):
            raise ValueError(
                f"the value of the environment variable {shortened(name)!a} has characters that no key has"
            )
        return name

    @model_validator(mode="after")
    def _builtin_stands_alone(self) -> Self:
        if self.builtin:
            for field in ("model", "api_key_env", "engine"):
                if getattr(self, field) is not None:
                    raise ValueError(f"{field} must be left out where builtin is {self.builtin}: there is no server")
        return self


class ModelEntry(Entry):
    name: Text
    version: Text
    kind: Literal["chat", "embedding"]
    aliases: list[Text] = Field(default=[])
    owned_by: Text = "self-hosted"
    created: Epoch = 0
    context_tokens: Tokens
    max_output_tokens: Tokens | None = None
    default_output_tokens: Tokens | None = None
    price: PriceEntry
    fallbacks: list[Text] = Field(default=[])
    rag: RagEntry | None = None
    upstreams: Annotated[list[UpstreamEntry], Field(min_length=1)]

    @field_validator("name")
    @classmethod
    def _name_is_plain(cls, name: str) -> str:
        return name if name == WILDCARD else _public_name(name)

    @field_validator("aliases")
    @classmethod
    def _aliases_are_plain(cls, aliases: list[str], info: ValidationInfo) -> list[str]:
        if aliases and info.data.get("name") == WILDCARD:
            raise ValueError("the wildcard matches every name and needs no aliases")
        return [_public_name(alias) for alias in aliases]

    @field_validator("rag")
    @classmethod
    def _chat_answers(cls, rag: RagEntry | None, info: ValidationInfo) -> RagEntry | None:
        if rag is not None and info.data.get("kind") == "embedding":
            raise ValueError("an embedding model answers nothing: leave the field out")
        return rag

    @field_validator("upstreams")
    @classmethod
    def _builtin_serves_embeddings(cls, upstreams: list[UpstreamEntry], info: ValidationInfo) -> list[UpstreamEntry]:
        if info.data.get("kind") == "chat":
            for upstream in upstreams:
                if upstream.builtin:
                    raise ValueError(f"{upstream.builtin} makes embeddings, and this is a chat model")
        return upstreams

    @field_validator("max_output_tokens", "default_output_tokens")
    @classmethod
    def _outputs_fit(cls, tokens: int | None, info: ValidationInfo) -> int | None:
        if tokens is None:
            return None
        if info.data.get("kind") == "embedding":
            raise ValueError("an embedding model writes no output: leave the field out")
        for larger in ("max_output_tokens", "context_tokens"):
            limit = info.data.get(larger)
            if limit is not None and tokens > limit:
                raise ValueError(f"is {tokens}, more than {larger} ({limit})")
        return tokens


class CatalogueEntry(Entry):
    default_model: Text | None = None
    default_embedding_model: Text | None = None
    models: Annotated[list[ModelEntry], Field(min_length=1)]


# By the field that holds an entry (or a list of them).
_ENTRIES: dict[str, type[Entry]] = {
    "models": ModelEntry,
    "upstreams": UpstreamEntry,
    "price": PriceEntry,
    "rag": RagEntry,
    "timeouts": TimeoutsEntry,
    "engine": EngineEntry,
    "autoscaling": AutoscalingEntry,
}

_SENTENCES = {
    "missing": "is missing",
    "string_type": "must be text; put it in quotes",
    "string_too_short": "must not be empty",
    "string_pattern_mismatch": "must be up to 63 of a-z, 0-9, _ and -, a letter or digit first",
    "string_too_long": "must not be longer than {max_length} characters",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be {ge:g} or more",
    "less_than": "must be less than {lt:g}",
    "less_than_equal": "must be {le} or less",
    "literal_error": "must be {expected}",
    "list_type": "must be a list",
    "bool_type": "must be true or false",
    "dict_type": "must be a mapping of fields to values",
    "model_type": "must be a mapping of fields to values",
    "too_short": "must hold at least one entry",
}


def validated(value: object, *, variables: Mapping[str, str]) -> tuple[CatalogueEntry | None, list[Finding]]:
    """The entry that `value` describes, or None and all that is wrong with its fields, each on its own."""
    try:
        return CatalogueEntry.model_validate(value, context={"variables": variables}), []
    except ValidationError as error:
        return None, [_finding(problem) for problem in error.errors(include_url=False, include_input=False)]


def _finding(problem: ErrorDetails) -> Finding:
    path: Path = problem["loc"]
    context: dict[str, Any] = problem.get("ctx", {})
    match problem["type"]:
        case "extra_forbidden":
            return Finding(path, _unknown_field(path))
        case "value_error":
            return Finding(path, str(context["error"]))
        case kind:
            sentence = _SENTENCES.get(kind)
            return Finding(path, sentence.format_map(context) if sentence else problem["msg"])


def _unknown_field(path: Path) -> str:
    holders = [part for part in path[:-1] if isinstance(part, str)]
    known = list((_ENTRIES[holders[-1]] if holders else CatalogueEntry).model_fields)
    near = difflib.get_close_matches(shortened(str(path[-1])), known, n=1)
    return (
        f"is not a known field; did you mean {near[0]}?"
        if near
        else f"is not a known field; known are {', '.join(known)}"
    )


def _variables(info: ValidationInfo) -> Mapping[str, str]:
    context: Mapping[str, Mapping[str, str]] = info.context or {}
    return context.get("variables", {})


def _plain_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{shortened(name)!a} is no name: up to 128 letters, digits and . _ : / @ + -, a letter or digit first"
        )
    return name


def _public_name(name: str) -> str:
    if name == WILDCARD_LABEL:
        raise ValueError(f"{name!r} is what metrics call the models of the wildcard: use another name")
    return _plain_name(name)


def _filled_in(url: str, variables: Mapping[str, str]) -> str:
    """`url` with `${NAME}` and `${NAME:-default}` replaced; an empty variable counts as not set, as in a shell."""

    def value(match: re.Match[str]) -> str:
        found = variables.get(match["name"]) or match["default"]
        if found is None:
            raise ValueError(f"the environment variable {match['name']} is not set")
        return found

    if "$" in _VARIABLE.sub("", url):
        raise ValueError("holds a $ that is no ${NAME} and no ${NAME:-default}")
    return _VARIABLE.sub(value, url)


def _http_url(url: str) -> str:
    """`url` without trailing slashes. Says nothing of its value: a variable may have put a secret in it."""
    wrong = ValueError("must be an http(s) URL such as https://host/v1")
    if not _VISIBLE_ASCII.fullmatch(url):
        raise wrong
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise wrong from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise wrong
    if "@" in parts.netloc:
        raise ValueError("must not hold a user or password: name the variable that holds the key in api_key_env")
    if "?" in url or "#" in url:
        raise ValueError("must not have a query or fragment: paths such as /chat/completions are put behind it")
    return url.rstrip("/")
