"""Builds a value for a schema out of an answer's text: its words for strings, its numbers for numbers.

Every candidate is checked before it is taken, so what comes out fits the schema, or SchemaError says why nothing does.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from serving.mock_llm.structured.check import SchemaCheck, SchemaError, type_names
from serving.mock_llm.structured.pattern import example_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serving.mock_llm.structured.check import Schema

_MAX_DEPTH = 12
# Below this, optional properties are left out: a tree that may go on for ever is cut while it is small.
_OPTIONAL_DEPTH = 4
_MAX_ITEMS = 1000
_MAX_VALUES = 20_000
_MAX_LENGTH = 100_000
_FORMATS = {
    "date-time": "2024-09-30T16:00:00Z",
    "date": "2024-09-30",
    "time": "16:00:00Z",
    "duration": "P1D",
    "email": "mock@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")
_TYPE_OF_KEYWORD = {
    "properties": "object", "required": "object", "additionalProperties": "object", "minProperties": "object",
    "items": "array", "prefixItems": "array", "minItems": "array", "maxItems": "array",
    "minimum": "number", "maximum": "number", "exclusiveMinimum": "number", "exclusiveMaximum": "number",
    "multipleOf": "number",
}  # fmt: skip


def build(schema: Schema, text: str) -> Any:
    """A JSON value that fits `schema`. Raises SchemaError."""
    try:
        return _Builder(schema, text).value(schema, name="answer", depth=0)
    except (TypeError, ValueError, AttributeError, KeyError, re.error, ArithmeticError, RecursionError) as error:
        if isinstance(error, SchemaError):
            raise
        # A keyword with a value of the wrong kind, such as "required": 3.
        raise SchemaError(f"the schema is malformed: {error}") from None


class _Builder:
    def __init__(self, document: Schema, text: str) -> None:
        self._check = SchemaCheck(document)
        self._text = text
        self._text_used = False
        self._values = 0

    def value(self, schema: Any, *, name: str, depth: int) -> Any:
        if depth > _MAX_DEPTH:
            raise SchemaError(f"the schema nests deeper than {_MAX_DEPTH} levels")
        self._values += 1
        if self._values > _MAX_VALUES:
            raise SchemaError(f"the schema needs more than {_MAX_VALUES} values")
        resolved = self._check.resolve(schema)
        for candidate in self._candidates(resolved, name, depth):
            if self._check.fits(candidate, resolved):
                return candidate
        raise SchemaError(f"no value can be built for {name!r}")

    def _candidates(self, schema: Schema, name: str, depth: int) -> Iterator[Any]:
        if isinstance(schema, bool):
            yield from [self._free_text(name)] if schema else []
        elif "const" in schema:
            yield schema["const"]
        elif "enum" in schema:
            mentioned = self._text.lower()
            yield from sorted(schema["enum"], key=lambda option: str(option).lower() not in mentioned)
        elif schema.keys() & {"anyOf", "oneOf", "allOf"}:
            yield from self._combined(schema, name, depth)
        else:
            for kind in self._kinds(schema):
                yield from self._of_kind(kind, schema, name, depth)

    def _combined(self, schema: dict[str, Any], name: str, depth: int) -> Iterator[Any]:
        base = {key: value for key, value in schema.items() if key not in ("anyOf", "oneOf", "allOf")}
        for part in schema.get("allOf", ()):
            base = _merged(base, self._check.resolve(part))
        options = [*schema.get("anyOf", ()), *schema.get("oneOf", ())] or [True]
        failure: SchemaError | None = None
        for option in options:
            try:
                yield self.value(_merged(base, self._check.resolve(option)), name=name, depth=depth + 1)
            except SchemaError as error:
                failure = error
        if failure is not None:
            raise failure

    def _kinds(self, schema: dict[str, Any]) -> list[str]:
        if "type" in schema:
            # Null last: a value says more.
            return sorted(type_names(schema), key=lambda kind: kind == "null")
        return [next((kind for key, kind in _TYPE_OF_KEYWORD.items() if key in schema), "string")]

    def _of_kind(self, kind: str, schema: dict[str, Any], name: str, depth: int) -> Iterator[Any]:
        match kind:
            case "object":
                yield self._object(schema, depth)
            case "array":
                yield self._array(schema, name, depth)
            case "string":
                yield from self._strings(schema, name)
            case "boolean":
                yield from (True, False)
            case "null":
                yield None
            case _:
                yield from self._numbers(schema, whole=kind == "integer")

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        properties: dict[str, Any] = schema.get("properties", {})
        required = schema.get("required", [])
        built: dict[str, Any] = {}
        for name, child in properties.items():
            if depth >= _OPTIONAL_DEPTH and name not in required:
                continue
            try:
                built[name] = self.value(child, name=name, depth=depth + 1)
            except SchemaError:
                # An optional property may be left out, which is also how a recursive schema comes to an end.
                if name in required:
                    raise
        others = schema.get("additionalProperties", True)
        for name in required:
            if name not in built:
                built[name] = self.value(others, name=name, depth=depth + 1)
        return built

    def _array(self, schema: dict[str, Any], name: str, depth: int) -> list[Any]:
        first, least = schema.get("prefixItems", []), schema.get("minItems", 0)
        if least > _MAX_ITEMS:
            raise SchemaError(f"{name!r} wants more than {_MAX_ITEMS} items")
        built: list[Any] = []
        wanted = max(least, len(first), 1)
        for index in range(min(wanted, schema.get("maxItems", wanted))):
            child = first[index] if index < len(first) else schema.get("items", True)
            if schema.get("uniqueItems"):
                child = self._distinct(child, index)
            try:
                built.append(self.value(child, name=f"{name} {index + 1}", depth=depth + 1))
            except SchemaError:
                if index < least:
                    raise
                break
        return built

    def _distinct(self, schema: Any, index: int) -> Any:
        """A schema for item `index` of an array without repetitions."""
        resolved = self._check.resolve(schema)
        if isinstance(resolved, dict) and "enum" in resolved:
            return {**resolved, "enum": resolved["enum"][index : index + 1]}
        if isinstance(resolved, dict) and index and self._kinds(resolved)[0] in ("number", "integer"):
            return {
                **resolved,
                "const": self.value(resolved, name="item", depth=0) + index * resolved.get("multipleOf", 1),
            }
        return schema

    def _strings(self, schema: dict[str, Any], name: str) -> Iterator[str]:
        if "pattern" in schema:
            example = example_of(schema["pattern"])
            yield example
            yield example + example[-1:] * max(0, schema.get("minLength", 0) - len(example))
        elif schema.get("format") in _FORMATS:
            yield _FORMATS[schema["format"]]
        else:
            least, most = schema.get("minLength", 0), schema.get("maxLength", math.inf)
            if least > _MAX_LENGTH:
                raise SchemaError(f"{name!r} wants more than {_MAX_LENGTH} characters")
            text = self._free_text(name)
            if least > len(text):
                text = (f"{text} " * (least // (len(text) + 1) + 1))[:least]
            yield text if len(text) <= most else text[: int(most)]

    def _free_text(self, name: str) -> str:
        if self._text_used:
            return f"mock {name}"
        self._text_used = True
        return self._text

    def _numbers(self, schema: dict[str, Any], *, whole: bool) -> Iterator[int | float]:
        candidates: list[float] = [float(number.replace(",", "")) for number in _NUMBER.findall(self._text)]
        low = max(schema.get("minimum", -math.inf), schema.get("exclusiveMinimum", -math.inf))
        high = min(schema.get("maximum", math.inf), schema.get("exclusiveMaximum", math.inf))
        candidates += [0, 1]
        step = schema.get("multipleOf", 1)
        for bound, direction in ((low, 1), (high, -1)):
            if math.isfinite(bound):
                nearest = math.floor(bound / step) * step
                candidates += [bound, *(nearest + direction * k * step for k in range(-1, 3))]
        if math.isfinite(low + high):
            candidates.append((low + high) / 2)
        for candidate in candidates:
            if candidate == int(candidate):
                yield int(candidate)
            elif not whole:
                yield candidate


def _merged(base: dict[str, Any], part: Schema) -> dict[str, Any]:
    """One schema that asks for what both ask for, where that can be said in one."""
    if isinstance(part, bool):
        return base if part else {**base, "enum": []}
    merged = {**base, **part}
    if "properties" in base and "properties" in part:
        merged["properties"] = {**base["properties"], **part["properties"]}
    if "required" in base and "required" in part:
        merged["required"] = [*base["required"], *part["required"]]
    for key, choose in (("minimum", max), ("minLength", max), ("minItems", max), ("maximum", min), ("maxLength", min)):
        if key in base and key in part:
            merged[key] = choose(base[key], part[key])
    if "type" in base and "type" in part:
        shared = [name for name in type_names(part) if name in type_names(base)]
        merged["type"] = shared or type_names(part)
    return merged
