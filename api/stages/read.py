"""From the body's bytes to a checked request for a model that exists."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from api.call import Call
from api.errors import InvalidRequest, TenantMismatch, UnknownModel
from api.schemas.parse import CompletionLike, check_request, parse_json
from api.schemas.session_ids import FIELD, HEADER, named_session, session_header
from api.stages.lane import TIER_FIELD, chosen_lane
from api.stages.rag_request import RagDefaults, rag_request
from serving.catalogue.base import Catalogue, Model, ModelKind, ModelSelectionError, UnknownModelError
from serving.types import Endpoint, Json

_KINDS = {
    Endpoint.CHAT: ModelKind.CHAT,
    Endpoint.COMPLETIONS: ModelKind.CHAT,
    Endpoint.EMBEDDINGS: ModelKind.EMBEDDING,
}
# What is larger takes milliseconds to check: in a thread, other calls move on meanwhile, save while C decodes it.
_INLINE_BYTES = 256 * 1024


class Reader:
    def __init__(
        self,
        catalogue: Catalogue,
        *,
        rag: RagDefaults | None = None,
        on_other_tenant: Callable[[Call, str, TenantMismatch], None] | None = None,
    ) -> None:
        """`on_other_tenant(call, named, error)`: before a call is refused that names another tenant than its key's."""
        self._catalogue = catalogue
        self._on_other_tenant = on_other_tenant
        self._rag = rag or RagDefaults()

    async def read(self, call: Call) -> None:
        """Sets the call's body, request, lane, session, model, what it asks of the corpus, and token estimates.

        Raises InvalidRequest and what reading raises.
        """
        raw = await call.read_body()
        call.body_bytes = len(raw)
        if len(raw) <= _INLINE_BYTES:
            call.body, call.request, call.prompt_tokens = _checked(call.endpoint, raw)
        else:
            call.body, call.request, call.prompt_tokens = await asyncio.to_thread(_checked, call.endpoint, raw)
        self._check_tenant(call)
        call.lane = chosen_lane(call.caller.lane, call.headers, call.body.get(TIER_FIELD))
        call.session_id = _session_id(call)
        call.model = self._resolve(call.request.model, _KINDS[call.endpoint])
        call.body.setdefault("model", call.model.name)
        if call.body["model"] is None:
            call.body["model"] = call.model.name
        call.public_model = call.body["model"] if call.model.is_wildcard else call.model.name
        output_tokens = _output_tokens(call)
        call.reserved_tokens = call.prompt_tokens + output_tokens
        call.prompt_room = call.model.context_tokens - output_tokens // (call.request.generations or 1)
        call.rag = rag_request(call.body, call.request, call.model, self._rag)
        if call.rag is not None:
            call.reserved_tokens += self._rag.context_tokens
            call.prompt_room -= self._rag.context_tokens

    def _check_tenant(self, call: Call) -> None:
        """Takes its name out of the body, which goes to engines. Raises TenantMismatch."""
        named = call.body.pop("tenant", None)
        if named is None or named == call.caller.tenant:
            return
        error = TenantMismatch("The API key is not one of the tenant that the request names.", param="tenant")
        if self._on_other_tenant is not None:
            self._on_other_tenant(call, str(named), error)
        raise error

    def _resolve(self, name: str | None, kind: ModelKind) -> Model:
        try:
            return self._catalogue.resolve(name, kind)
        except UnknownModelError as error:
            raise UnknownModel(str(error), param="model") from error
        except ModelSelectionError as error:
            raise InvalidRequest(str(error), param="model", code="invalid_model") from error


def _checked(endpoint: Endpoint, raw: bytes) -> tuple[Json, CompletionLike, int]:
    """Body, request and the prompt's estimated tokens."""
    body = parse_json(raw)
    request = check_request(endpoint, body)
    return body, request, request.prompt_tokens()


def _session_id(call: Call) -> str | None:
    """Takes it out of the body, which goes to engines. Raises InvalidRequest."""
    in_body = call.body.pop(FIELD, None)
    if call.endpoint is Endpoint.CHAT:
        return named_session(call.headers, in_body)
    if in_body is not None or session_header(call.headers) is not None:
        param = HEADER if in_body is None else FIELD
        raise InvalidRequest(f"{param} is for chat completions alone.", param=param, code="invalid_value")
    return None


def _output_tokens(call: Call) -> int:
    limit, model = call.request.output_limit, call.model
    if limit is None:
        return call.request.generations * model.default_output_tokens
    param, tokens = limit
    if tokens > model.max_output_tokens:
        raise InvalidRequest(
            f"{param} is too large: {tokens}. This model writes at most {model.max_output_tokens} tokens.",
            param=param,
            code="invalid_value",
        )
    return call.request.generations * tokens
