"""A tenant's documents, and answers from them, through a gateway."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import httpx

from tests.acceptance.gateway.processes import ROOT, Gateway
from tests.acceptance.gateway.raw_http import CHAT

CORPUS = ROOT / "rag/finsight/data/corpus"
DOCUMENTS = "/v1/rag/documents"
REPORTS = [f"aldermoor-robotics-2024-q{quarter}.md" for quarter in (2, 3, 4)]
QUESTION = "What was the revenue of Aldermoor Robotics in Q3 2024?"
SAME_QUESTION = "aldermoor robotics revenue q3 2024"
FIGURE = "$430.4 million"
OTHER_QUESTION, OTHER_FIGURE = "What was the revenue of Aldermoor Robotics in Q2 2024?", "$413.5 million"
VERSIONS = ("v1", "v2", "v3", "v4")


@dataclass(frozen=True)
class GroundedAnswer:
    text: str
    citations: list[dict[str, Any]]
    headers: httpx.Headers
    model: str
    finish_reason: str | None

    @classmethod
    def of(cls, response: httpx.Response) -> GroundedAnswer:
        """Whole or streamed; a stream must have ended as it should, and has its citations before its finish reason."""
        assert response.status_code == 200, response.text
        if response.headers["content-type"].startswith("text/event-stream"):
            *frames, done = [line.removeprefix("data: ") for line in response.text.split("\n\n") if line]
            assert done == "[DONE]", response.text
            parts = [json.loads(frame) for frame in frames]
        else:
            parts = [response.json()]
        return cls.put_together(parts, response.headers)

    @classmethod
    def put_together(cls, parts: list[dict[str, Any]], headers: Any) -> GroundedAnswer:
        said: list[dict[str, Any]] = []
        finish_reason = None
        for choice in (choice for part in parts for choice in part["choices"]):
            message = choice.get("message") or choice["delta"]
            assert finish_reason is None or not message, "nothing comes after the end"
            finish_reason = finish_reason or choice["finish_reason"]
            said.append(message)
        return cls(
            text="".join(message.get("content") or "" for message in said),
            citations=[cited for message in said for cited in message.get("annotations") or ()],
            headers=httpx.Headers(headers),
            model=parts[0]["model"],
            finish_reason=finish_reason,
        )

    def check_citations(self) -> None:
        """Each stands where its mark is, in the text as the client has it."""
        for cited in self.citations:
            place = cited["url_citation"]
            mark = self.text[place["start_index"] : place["end_index"]]
            assert mark.startswith("["), mark
            assert mark.endswith("]"), mark
            assert place["url"] == f"{DOCUMENTS}/{cited['document']['id']}"

    @property
    def cited_texts(self) -> str:
        return "\n".join(cited["document"]["text"] for cited in self.citations)


@dataclass(frozen=True)
class Reader:
    """One key that brings documents and asks."""

    gateway: Gateway
    key: str
    collection: str = "reports"

    def bring(self, filename: str, text: str | None = None) -> str:
        """The document's id. `text`: None of one of the reports."""
        text = (CORPUS / filename).read_text("utf-8") if text is None else text
        answer = self.request("POST", DOCUMENTS, {"collection": self.collection, "filename": filename, "text": text})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def bring_reports(self) -> list[str]:
        return [self.bring(filename) for filename in REPORTS]

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        with self.gateway.client(self.key) as client:
            return client.request(
                method, path, json=body, headers={name.replace("_", "-"): value for name, value in headers.items()}
            )

    def post(
        self, question: str = QUESTION, *, rag: dict[str, Any] | None = None, headers: Any = None, **fields: Any
    ) -> httpx.Response:
        body = {
            "messages": [{"role": "user", "content": question}],
            "rag": {"collection": self.collection, **(rag or {})},
        }
        return self.request("POST", CHAT, {**body, **fields}, **(headers or {}))

    def ask(self, question: str = QUESTION, **options: Any) -> GroundedAnswer:
        answer = GroundedAnswer.of(self.post(question, **options))
        answer.check_citations()
        return answer
