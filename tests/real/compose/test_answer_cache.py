"""The answer cache of the whole platform: Redis 8 finds what is near, and all workers share the answers."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import httpx
import pytest

pytestmark = pytest.mark.real


def test_the_platform_has_chosen_vector_sets(client: httpx.Client, eventually: Callable[..., None]) -> None:
    def report() -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = client.get("/readyz").json()
        return found

    eventually(lambda: report()["cache"]["index"] == "redis-vector-sets", f"vector sets in {report()}")
    assert report()["cache"]["embedder"].startswith("all-MiniLM-L6-v2/int8")
    assert report()["dependencies"]["embedder"] == "ok"


def test_each_tier_answers_what_it_is_for(client: httpx.Client, eventually: Callable[..., None]) -> None:
    system = f"You answer questions of desk {uuid4()}."

    def ask(question: str) -> tuple[str, str]:
        messages = [{"role": "system", "content": system}, {"role": "user", "content": question}]
        answer = client.post("/v1/chat/completions", json={"messages": messages, "temperature": 0})
        assert answer.status_code == 200, answer.text
        return answer.headers["x-cache"], answer.json()["choices"][0]["message"]["content"]

    first = "What was Adobe's revenue in Q2 2023?"
    status, answer = ask(first)
    assert status == "miss"
    eventually(lambda: ask(first)[0] == "exact", "the answer is stored")
    assert ask("Adobe revenue, second quarter of 2023") == ("canonical", answer)
    # Its vector is stored after the answer; a question that comes too early is a miss, and then has an answer itself.
    words = iter(("exact", "precise", "specific", "relevant", "respective"))
    eventually(lambda: ask(f"What was Adobe's {next(words)} revenue in Q2 2023?")[0] == "semantic", "a semantic hit")
    assert ask("What was Adobe's revenue in Q3 2023?")[0] == "miss"
