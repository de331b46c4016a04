"""The server under test, as the checks reach it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from serving.tools.openai_client import Answer, OpenAIClient

QUESTION = "Count from one to fifty in words, separated by commas."


@dataclass(slots=True, kw_only=True)
class Deployment:
    """`model`: None until the check of the models has found one. `patience_s`: for what happens a moment later."""

    client: OpenAIClient
    metrics: MetricsReader | None
    model: str | None
    clock: Callable[[], float]
    patience_s: float = 10.0
    has_key: bool = False

    def chat(self, *, max_tokens: int, **fields: object) -> dict[str, Any]:
        """The body of a chat completion."""
        messages = [{"role": "user", "content": QUESTION}]
        return {"model": self.model, "messages": messages, "max_tokens": max_tokens, "temperature": 0, **fields}

    async def complete(self, *, max_tokens: int = 16, **fields: object) -> Answer:
        return await self.client.post("/chat/completions", self.chat(max_tokens=max_tokens, **fields))


@dataclass(frozen=True, slots=True)
class Metrics:
    """Samples of one reading: name, labels, value."""

    samples: tuple[tuple[str, Mapping[str, str], float], ...]

    def total(self, name: str, **labels: str) -> float | None:
        """Over all series of the name that have the labels; None without any."""
        found = [value for sample, has, value in self.samples if sample == name and labels.items() <= has.items()]
        return sum(found) if found else None


def parse_metrics(text: str) -> Metrics:
    """Prometheus' text format. Raises ValueError."""
    families = text_string_to_metric_families(text)
    return Metrics(tuple((item.name, item.labels, item.value) for family in families for item in family.samples))


@dataclass(frozen=True, slots=True)
class MetricsReader:
    """`client`'s API path is the path of the metrics."""

    client: OpenAIClient

    async def read(self) -> Metrics:
        """Raises OSError, and ValueError for an answer that is no metrics."""
        answer = await self.client.get("")
        if answer.status != 200:
            raise ValueError(f"status {answer.status}")
        return parse_metrics(answer.body.decode("utf-8"))
