"""What a chat completion asks of the corpus: its own `rag`, then the model's, then the gateway's."""

from __future__ import annotations

from dataclasses import dataclass

from api.errors import InvalidRequest
from api.schemas.chat import ChatCompletionRequest
from api.schemas.parse import CompletionLike
from api.schemas.rag import RagOptions
from rag.types import RagRequest, RagVersion
from serving.catalogue.base import Model, RagProfile
from serving.types import Json

_PARAM = "rag"
# Of a question: it is made complete and read for words while other calls wait.
_MOST_CHARACTERS = 4_000
_NO_PROFILE = RagProfile(collection="")


@dataclass(frozen=True, slots=True, kw_only=True)
class RagDefaults:
    """Where neither the request nor its model says. `context_tokens`: what passages may take of a prompt."""

    version: RagVersion = RagVersion.V4
    top_k: int = 5
    context_tokens: int = 1500


def rag_request(body: Json, request: CompletionLike, model: Model, defaults: RagDefaults) -> RagRequest | None:
    """None for a call that is not to be answered from a corpus. Raises InvalidRequest.

    Takes `rag` out of the body: no engine knows it.
    """
    is_given = body.pop(_PARAM, None) is not None
    if not isinstance(request, ChatCompletionRequest):
        _refuse_elsewhere(model, is_given=is_given)
        return None
    if not is_given and model.rag is None:
        return None
    given, profile = request.rag or RagOptions(), model.rag or _NO_PROFILE
    collection = given.collection or profile.collection
    if not collection:
        raise InvalidRequest(
            "Missing required parameter: 'rag.collection'.", param="rag.collection", code="missing_required_parameter"
        )
    _check_question(request)
    return RagRequest(
        collection=collection,
        version=RagVersion(given.version or profile.version or defaults.version),
        top_k=given.top_k or profile.top_k or defaults.top_k,
    )


def _refuse_elsewhere(model: Model, *, is_given: bool) -> None:
    if is_given:
        raise InvalidRequest("rag is for chat completions only.", param=_PARAM, code="invalid_value")
    if model.rag is not None:
        raise InvalidRequest(
            f"The model {model.name!r} answers from documents, in chat completions only.",
            param="model",
            code="invalid_model",
        )


def _check_question(request: ChatCompletionRequest) -> None:
    """Passages are looked up for a question and put in front of it: there must be one, in words."""
    last = request.messages[-1]
    parts = last.content if isinstance(last.content, list) else []
    text = last.content if isinstance(last.content, str) else " ".join(part.text or "" for part in parts)
    if len(text) > _MOST_CHARACTERS:
        raise InvalidRequest(
            f"With rag a question may have at most {_MOST_CHARACTERS:,} characters.",
            param=f"messages[{len(request.messages) - 1}].content",
            code="invalid_value",
        )
    if last.role != "user" or not text.strip() or any(part.type != "text" for part in parts):
        raise InvalidRequest(
            "With rag the last message must be a user's question, in text alone.",
            param=f"messages[{len(request.messages) - 1}]",
            code="invalid_value",
        )
