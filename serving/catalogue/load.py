"""A models file -> Catalogue, or every reason why not. Format: docs/reference/models-file.md."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from serving.catalogue.base import (
    WILDCARD,
    Catalogue,
    CatalogueError,
    EngineSpec,
    Model,
    ModelKind,
    Price,
    RagProfile,
    TimeoutOverrides,
    Upstream,
)
from serving.catalogue.engine_schema import EngineEntry
from serving.catalogue.references import check_references
from serving.catalogue.schema import CatalogueEntry, ModelEntry, UpstreamEntry, validated
from serving.catalogue.yaml_document import Document, Finding, YamlSyntaxError, dotted, read_yaml

# What a chat model reserves for an answer whose length the client left open.
DEFAULT_OUTPUT_TOKENS = 512

_MAX_BYTES = 1_048_576


def load_catalogue(path: Path, *, variables: Mapping[str, str]) -> Catalogue:
    """Read `path`. `variables` (the environment) gives `api_key_env` and `${NAME}` their values.

    Raises CatalogueError with one sentence per problem, each with file, line and field; never shows a variable's value.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        # ValueError: a path with a null byte.
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise CatalogueError((f"{str(path)!r} cannot be read: {reason}",)) from None
    if len(content) > _MAX_BYTES:
        raise CatalogueError((f"{path}: is larger than {_MAX_BYTES} bytes",))
    return parse_catalogue(content, file=str(path), variables=variables)


def parse_catalogue(content: bytes, *, file: str, variables: Mapping[str, str]) -> Catalogue:
    """The catalogue in the UTF-8 YAML text `content`; `file` is what errors call it. Raises CatalogueError."""
    try:
        document = read_yaml(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise CatalogueError((f"{file}:{line}: is not UTF-8 text",)) from None
    except YamlSyntaxError as error:
        raise CatalogueError((f"{file}:{error.line}: {error}",)) from None
    entry, wrong_fields = validated(document.value, variables=variables)
    unread = {finding.path for finding in document.findings}
    findings = [
        *document.findings,
        *(finding for finding in wrong_fields if finding.path not in unread),
        *check_references(document),
    ]
    if entry is None or findings:
        raise CatalogueError(_sentences(findings, document, file))
    return _catalogue(entry, variables)


def _sentences(findings: list[Finding], document: Document, file: str) -> tuple[str, ...]:
    placed = [
        (finding.line or document.line(finding.path), dotted(finding.path), finding.message) for finding in findings
    ]
    return tuple(
        f"{file}:{line}: {f'{field}: ' if field else ''}{message}"
        for line, field, message in dict.fromkeys(sorted(placed))
    )


def _catalogue(entry: CatalogueEntry, variables: Mapping[str, str]) -> Catalogue:
    names = {name: model.name for model in entry.models for name in (model.name, *model.aliases)}
    models = tuple(_model(model, names, variables) for model in entry.models)

    def default(given: str | None, kind: ModelKind) -> str | None:
        if given is not None:
            return names[given]
        return next((model.name for model in models if model.kind is kind and not model.is_wildcard), None)

    return Catalogue(
        models=models,
        default_model=default(entry.default_model, ModelKind.CHAT),
        default_embedding_model=default(entry.default_embedding_model, ModelKind.EMBEDDING),
    )


def _model(entry: ModelEntry, names: Mapping[str, str], variables: Mapping[str, str]) -> Model:
    """`names`: name or alias -> name, of all models."""
    kind = ModelKind(entry.kind)
    max_output_tokens = 0 if kind is ModelKind.EMBEDDING else entry.max_output_tokens or entry.context_tokens
    return Model(
        name=entry.name,
        version=entry.version,
        kind=kind,
        upstreams=tuple(_upstream(upstream, entry.name, variables) for upstream in entry.upstreams),
        fallbacks=tuple(names[fallback] for fallback in entry.fallbacks),
        aliases=tuple(entry.aliases),
        context_tokens=entry.context_tokens,
        max_output_tokens=max_output_tokens,
        default_output_tokens=entry.default_output_tokens or min(DEFAULT_OUTPUT_TOKENS, max_output_tokens),
        price=Price(**entry.price.model_dump()),
        created=entry.created,
        owned_by=entry.owned_by,
        rag=None if entry.rag is None else RagProfile(**entry.rag.model_dump()),
    )


def _upstream(entry: UpstreamEntry, model_name: str, variables: Mapping[str, str]) -> Upstream:
    return Upstream(
        name=entry.name,
        base_url=entry.base_url or "",
        builtin=entry.builtin,
        model=entry.builtin or entry.model or (None if model_name == WILDCARD else model_name),
        # A key read from a file often ends with a line break, which no header may hold.
        api_key=None if entry.api_key_env is None else variables[entry.api_key_env].strip(),
        weight=entry.weight,
        timeouts=TimeoutOverrides(**entry.timeouts.model_dump()),
        # The platform's own engines can; of others nobody knows, and some refuse an option that they do not know.
        usage_in_chunks=entry.engine is not None if entry.usage_in_chunks is None else entry.usage_in_chunks,
        engine=None if entry.engine is None else _engine(entry.engine),
    )


def _engine(entry: EngineEntry) -> EngineSpec:
    return EngineSpec(
        kind=entry.kind,
        preset=entry.preset,
        model=entry.model,
        set=entry.set,
        autoscaling=entry.autoscaling.model_dump(exclude_none=True),
    )
