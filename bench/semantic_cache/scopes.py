"""Requests that may not share an answer although they ask the same question: they differ in something else."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from bench.semantic_cache.client import chat
from bench.semantic_cache.engine import MODEL
from bench.semantic_cache.servers import OTHER_KEYS

SYSTEM = "You are FinSight. Answer from the filings."
_TOOL = {"type": "function", "function": {"name": "lookup", "parameters": {"type": "object", "properties": {}}}}


@dataclass(frozen=True, kw_only=True)
class Scope:
    """All of a request but its question. `name` is equal only for equal scopes."""

    key: str | None = None
    system: str = SYSTEM
    earlier: Sequence[Mapping[str, str]] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def home(cls) -> Scope:
        """The one whose answers the others must not get."""
        return cls()

    @property
    def name(self) -> str:
        tenant = OTHER_KEYS.get(self.key, "") if self.key else ""
        return json.dumps([tenant, self.system, self.earlier, self.fields, self.headers], sort_keys=True)

    def body(self, question: str) -> dict[str, Any]:
        body = chat(question, system=self.system, model=MODEL, **self.fields)
        system, asked = body["messages"]
        body["messages"] = [system, *self.earlier, asked]
        return body


class Scopes:
    """Draws scopes that differ from the home scope in one to three things."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._ways: tuple[Callable[[], dict[str, Any]], ...] = (
            self._tenant,
            self._system,
            self._earlier,
            self._field,
            self._field,
            self._corpus,
        )

    def draw(self) -> Scope:
        """Never the home scope."""
        parts: dict[str, Any] = {}
        for way in self._rng.sample(self._ways, k=self._rng.choice((1, 1, 2, 3))):
            for name, value in way().items():
                parts[name] = {**parts[name], **value} if isinstance(parts.get(name), dict) else value
        return Scope(**parts)

    def _tenant(self) -> dict[str, Any]:
        return {"key": self._rng.choice(list(OTHER_KEYS))}

    def _system(self) -> dict[str, Any]:
        """Another prompt, or nearly the same one."""
        number = self._rng.randrange(400)
        forms = (
            f"You are assistant {number}.",
            f"{SYSTEM} Desk {number}.",
            SYSTEM + " " * (number % 20 + 1),
            SYSTEM.upper(),
            SYSTEM.replace("filings", "filings\u200b"),
            f"{SYSTEM}\n",
            SYSTEM.removesuffix("."),
        )
        return {"system": self._rng.choice(forms)}

    def _earlier(self) -> dict[str, Any]:
        number = self._rng.randrange(400)
        turns = [
            {"role": "user", "content": f"Assume a tax rate of {number} %."},
            {"role": "assistant", "content": "Understood."},
        ]
        return {"earlier": tuple(turns[: self._rng.choice((1, 2))] * self._rng.choice((1, 2)))}

    def _field(self) -> dict[str, Any]:
        number = self._rng.randrange(1, 200)
        choices: tuple[dict[str, Any], ...] = (
            {"temperature": number / 1000},
            {"max_tokens": 100 + number},
            {"top_p": number / 400},
            {"seed": number},
            {"presence_penalty": number / 200},
            {"frequency_penalty": number / 200},
            {"stop": [f"END{number}"]},
            {"response_format": {"type": "json_object"}},
            {"logit_bias": {str(number): 1}},
            {"tools": [_TOOL], "tool_choice": "none"},
            {"tools": [_TOOL]},
            {"top_k": number},
            {"min_p": number / 1000},
            {"guided_regex": f".{{{number}}}"},
        )
        return {"fields": self._rng.choice(choices)}

    def _corpus(self) -> dict[str, Any]:
        return {"headers": {"X-Corpus-Version": f"v{self._rng.randrange(300)}"}}
