"""Whether a JSON value fits a schema, for the part of JSON Schema that this package knows.

Other keywords raise SchemaError: an engine that cannot enforce a schema has to say so, not to answer as if it could.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Schema = dict[str, Any] | bool

_ANNOTATIONS = frozenset(
    (
        *("$schema", "$id", "$anchor", "$comment", "$defs", "definitions", "title", "description", "default"),
        *("examples", "deprecated", "readOnly", "writeOnly", "format", "contentEncoding", "contentMediaType", "strict"),
    )
)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "number": _is_number,
    "integer": lambda value: _is_number(value) and value == int(value),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
}
_NUMBERS: Mapping[str, Callable[[Any, Any], bool]] = {
    "minimum": lambda value, limit: value >= limit,
    "maximum": lambda value, limit: value <= limit,
    "exclusiveMinimum": lambda value, limit: value > limit,
    "exclusiveMaximum": lambda value, limit: value < limit,
    "multipleOf": lambda value, factor: abs(value / factor - round(value / factor)) < 1e-9,
}
_STRINGS: Mapping[str, Callable[[Any, Any], bool]] = {
    "minLength": lambda value, limit: len(value) >= limit,
    "maxLength": lambda value, limit: len(value) <= limit,
    "pattern": lambda value, pattern: re.search(pattern, value) is not None,
}
_SIZES: Mapping[str, tuple[str, Callable[[int, int], bool]]] = {
    "minItems": ("array", lambda size, limit: size >= limit),
    "maxItems": ("array", lambda size, limit: size <= limit),
    "minProperties": ("object", lambda size, limit: size >= limit),
    "maxProperties": ("object", lambda size, limit: size <= limit),
}
_CHILDREN = frozenset(("properties", "required", "additionalProperties", "items", "prefixItems", "uniqueItems"))
_COMBINED = frozenset(("anyOf", "oneOf", "allOf", "$ref", "type", "enum", "const"))
_KNOWN = _ANNOTATIONS | _CHILDREN | _COMBINED | _NUMBERS.keys() | _STRINGS.keys() | _SIZES.keys()


class SchemaError(ValueError):
    """The schema is not one, or asks for something this package cannot build."""


class SchemaCheck:
    """Checks values against parts of one document, within which every `$ref` has to point."""

    def __init__(self, document: Schema) -> None:
        self._document = document

    def resolve(self, schema: Any) -> Schema:
        """The schema behind `$ref`, merged over what stands beside it. Raises SchemaError."""
        seen: set[str] = set()
        while isinstance(schema, dict) and "$ref" in schema:
            reference = schema["$ref"]
            if not isinstance(reference, str) or not reference.startswith("#") or reference in seen:
                raise SchemaError(f"$ref {reference!r} cannot be followed")
            seen.add(reference)
            beside = {key: value for key, value in schema.items() if key != "$ref"}
            target = self._target(reference)
            schema = target if not beside else {**target, **beside} if isinstance(target, dict) else target
        if not isinstance(schema, dict | bool):
            raise SchemaError(f"a schema is an object or a boolean, not {schema!r}")
        if isinstance(schema, dict) and (unknown := schema.keys() - _KNOWN):
            raise SchemaError(f"the keyword {min(unknown)!r} is not supported")
        return schema

    def fits(self, value: Any, schema: Any) -> bool:
        schema = self.resolve(schema)
        if isinstance(schema, bool):
            return schema
        return (
            self._fits_type(value, schema)
            and _fits_scalar(value, schema)
            and self._fits_children(value, schema)
            and self._fits_combined(value, schema)
        )

    def _target(self, reference: str) -> Any:
        target: Any = self._document
        for part in filter(None, reference.removeprefix("#").split("/")):
            key = part.replace("~1", "/").replace("~0", "~")
            if not isinstance(target, dict) or key not in target:
                raise SchemaError(f"$ref {reference!r} points to nothing")
            target = target[key]
        return target

    def _fits_type(self, value: Any, schema: dict[str, Any]) -> bool:
        if "const" in schema and not same(value, schema["const"]):
            return False
        if "enum" in schema and not any(same(value, option) for option in schema["enum"]):
            return False
        return "type" not in schema or any(_TYPES[name](value) for name in type_names(schema))

    def _fits_children(self, value: Any, schema: dict[str, Any]) -> bool:
        if isinstance(value, dict):
            properties, others = schema.get("properties", {}), schema.get("additionalProperties", True)
            return set(schema.get("required", ())) <= value.keys() and all(
                self.fits(child, properties.get(name, others)) for name, child in value.items()
            )
        if isinstance(value, list):
            first = schema.get("prefixItems", [])
            if schema.get("uniqueItems") and any(
                same(one, other) for i, one in enumerate(value) for other in value[:i]
            ):
                return False
            return all(
                self.fits(child, first[i] if i < len(first) else schema.get("items", True))
                for i, child in enumerate(value)
            )
        return True

    def _fits_combined(self, value: Any, schema: dict[str, Any]) -> bool:
        return (
            all(self.fits(value, part) for part in schema.get("allOf", ()))
            and ("anyOf" not in schema or any(self.fits(value, part) for part in schema["anyOf"]))
            and ("oneOf" not in schema or sum(self.fits(value, part) for part in schema["oneOf"]) == 1)
        )


def type_names(schema: dict[str, Any]) -> list[str]:
    """The names in `type`. Raises SchemaError for one that does not exist."""
    names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    for name in names:
        if not isinstance(name, str) or name not in _TYPES:
            raise SchemaError(f"there is no type {name!r}")
    return names


def same(one: Any, other: Any) -> bool:
    """JSON equality: true is not 1."""
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _fits_scalar(value: Any, schema: dict[str, Any]) -> bool:
    if _is_number(value):
        return all(fits(value, schema[key]) for key, fits in _NUMBERS.items() if key in schema)
    if isinstance(value, str):
        return all(fits(value, schema[key]) for key, fits in _STRINGS.items() if key in schema)
    return all(
        fits(len(value), schema[key]) for key, (kind, fits) in _SIZES.items() if key in schema and _TYPES[kind](value)
    )
