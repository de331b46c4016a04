"""What no single field can tell: names used twice, fallbacks and defaults that lead nowhere.

Works on the values as they were read, taking what has the right shape and leaving the rest to the schema, so that one
run reports everything.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from serving.catalogue.base import WILDCARD, ModelKind
from serving.catalogue.yaml_document import Document, Finding, Path, shortened

_T = TypeVar("_T")
_DEFAULT_FIELDS = {ModelKind.CHAT: "default_model", ModelKind.EMBEDDING: "default_embedding_model"}


@dataclass(frozen=True, slots=True)
class _Model:
    path: Path
    name: str
    kind: ModelKind | None
    aliases: dict[Path, str]
    fallbacks: dict[Path, str]
    upstreams: dict[Path, Mapping[str, Any]]


def check_references(document: Document) -> list[Finding]:
    top: Mapping[str, Any] = document.value if isinstance(document.value, dict) else {}
    entries = _items(top.get("models"), ("models",), dict)
    models = [_model(path, entry) for path, entry in entries if isinstance(entry.get("name"), str)]
    listed = [model for model in models if model.name != WILDCARD]
    by_name = {name: model for model in reversed(listed) for name in (*model.aliases.values(), model.name)}
    return [
        *_names_used_twice(models, document),
        *_upstreams_in_two_places(models, document),
        *_wrong_fallbacks(models, by_name),
        *_fallback_cycles(listed, by_name),
        *_wrong_defaults(top, by_name),
    ]


def _model(path: Path, entry: Mapping[str, Any]) -> _Model:
    kind = entry.get("kind")
    aliases = _items(entry.get("aliases"), (*path, "aliases"), str)
    return _Model(
        path=path,
        name=entry["name"],
        kind=ModelKind(kind) if kind in list(ModelKind) else None,
        # The schema refuses a wildcard among aliases; here it would be taken for the wildcard's own name.
        aliases={place: alias for place, alias in aliases if alias != WILDCARD},
        fallbacks=dict(_items(entry.get("fallbacks"), (*path, "fallbacks"), str)),
        upstreams=dict(_items(entry.get("upstreams"), (*path, "upstreams"), dict)),
    )


def _items(value: object, path: Path, kind: type[_T]) -> Iterator[tuple[Path, _T]]:
    """The entries of the list `value` that are of `kind`, each with its path."""
    for index, item in enumerate(value if isinstance(value, list) else []):
        if isinstance(item, kind):
            yield (*path, index), item


def _names_used_twice(models: Iterable[_Model], document: Document) -> Iterator[Finding]:
    taken: dict[tuple[str, ModelKind | None], Path] = {}
    for model in models:
        for path, name in {(*model.path, "name"): model.name, **model.aliases}.items():
            # Two wildcards are fine as long as each is for another kind.
            first = taken.setdefault((name, model.kind if name == WILDCARD else None), path)
            if first is not path:
                yield Finding(path, f"{shortened(name)!a} is already used in line {document.line(first)}")


def _upstreams_in_two_places(models: Iterable[_Model], document: Document) -> Iterator[Finding]:
    places: dict[str, tuple[tuple[str, object], Path]] = {}  # each with the field that says where
    engines: dict[str, tuple[object, Path]] = {}
    for model in models:
        names_here: set[str] = set()
        for path, upstream in model.upstreams.items():
            name, field = upstream.get("name"), "builtin" if "builtin" in upstream else "base_url"
            if not isinstance(name, str):
                continue
            place = (field, upstream.get(field))
            first_place, first = places.setdefault(name, (place, path))
            if name in names_here:
                yield Finding((*path, "name"), f"{shortened(name)!a} is used twice in this model")
            elif place != first_place:
                line = document.line((*first, first_place[0]))
                yield Finding(
                    (*path, field),
                    f"differs from that of {shortened(name)!a} in line {line}: name this upstream otherwise",
                )
            names_here.add(name)
            if "engine" in upstream:
                engine, described = engines.setdefault(name, (upstream["engine"], path))
                if upstream["engine"] != engine:
                    line = document.line((*described, "engine"))
                    yield Finding((*path, "engine"), f"differs from that of {shortened(name)!a} in line {line}")


def _wrong_fallbacks(models: Iterable[_Model], by_name: Mapping[str, _Model]) -> Iterator[Finding]:
    for model in models:
        for path, name in model.fallbacks.items():
            fallback = by_name.get(name)
            if fallback is None:
                yield Finding(path, _unknown(name, by_name))
            elif fallback.kind and model.kind and fallback.kind != model.kind:
                yield Finding(path, f"{shortened(name)!a} is of another kind than this model")


def _fallback_cycles(models: Iterable[_Model], by_name: Mapping[str, _Model]) -> Iterator[Finding]:
    """One finding for each fallback that leads back to a model on the way to it."""
    done: set[str] = set()
    for start in models:
        # Iterative, so that a chain of thousands is walked as well as one of two.
        way = {} if start.name in done else {start.name: iter(start.fallbacks.items())}
        while way:
            here, steps = next(reversed(way.items()))
            path, fallback = next(((path, by_name[name]) for path, name in steps if name in by_name), ((), None))
            if fallback is None:
                done.add(here)
                del way[here]
            elif fallback.name in way:
                names = list(way)
                cycle = [*names[names.index(fallback.name) :], fallback.name]
                yield Finding(path, f"makes a cycle: {shortened(' -> '.join(cycle))}")
            elif fallback.name not in done:
                way[fallback.name] = iter(fallback.fallbacks.items())


def _wrong_defaults(top: Mapping[str, Any], by_name: Mapping[str, _Model]) -> Iterator[Finding]:
    for kind, field in _DEFAULT_FIELDS.items():
        default = top.get(field)
        if not isinstance(default, str):
            continue
        if default not in by_name:
            yield Finding((field,), _unknown(default, by_name))
        elif by_name[default].kind not in {kind, None}:
            yield Finding((field,), f"{shortened(default)!a} is no {kind} model")


def _unknown(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(shortened(name), known, n=1)
    return f"{shortened(name)!a} is no model of this file" + (f"; did you mean {near[0]!a}?" if near else "")
