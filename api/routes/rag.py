"""`/v1/rag`: documents, collections, and the passages that a question finds."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from api.connection import ClientConnection
from api.middleware.content_type import JSON, check_content_type
from api.routes.rag_access import CorpusAccess, Visit
from api.routes.rag_documents import add_document_routes
from api.routes.rag_uploads import UploadSlots
from api.schemas.corpus import (
    RagCollection,
    RagCollectionDeleted,
    RagCollectionList,
    RagPassage,
    RagPassages,
    RagQuery,
    decoded,
)
from api.schemas.rag import COLLECTION_PATTERN
from api.stages.rag_request import RagDefaults
from rag.errors import UnknownCollection
from rag.types import RagRequest

RAG_PREFIX = "/v1/rag"
_CollectionName = Annotated[str, Path(description="Its name")]


def rag_router(access: CorpusAccess, *, shared_uploads: int, defaults: RagDefaults) -> APIRouter:
    """`shared_uploads`: at a time in this worker; beyond them each tenant has one. `defaults`: of queries."""
    router = APIRouter(prefix=RAG_PREFIX, tags=["rag"])
    add_document_routes(router, access, slots=UploadSlots(shared=shared_uploads))
    _add_collection_routes(router, access)

    @router.post("/query", summary="Find passages", response_class=Response)
    async def query(request: Request) -> Response:
        async def answer(visit: Visit, client: ClientConnection) -> Response:
            check_content_type(request.scope, JSON)
            return await _passages(visit, decoded(await client.read_body(), RagQuery), defaults)

        return await access.answered(request, answer)

    return router


async def _passages(visit: Visit, query: RagQuery, defaults: RagDefaults) -> Response:
    await visit.spend(query.tokens())
    corpus = visit.corpus
    collection = await corpus.store.collection(visit.tenant, query.collection)
    request = RagRequest(
        collection=query.collection,
        version=query.version or defaults.version,
        top_k=query.top_k or defaults.top_k,
    )
    question = corpus.retriever.understand(request, query.question, query.earlier)
    found = await corpus.retriever.retrieve(visit.tenant, collection, request, question)
    return visit.answer(
        RagPassages(
            question=question.text,
            version=request.version,
            passages=list(map(RagPassage.of, found.passages)),
            degraded=found.degraded,
        )
    )


def _add_collection_routes(router: APIRouter, access: CorpusAccess) -> None:
    @router.get("/collections", summary="List the collections", response_class=Response)
    async def collections(request: Request) -> Response:
        async with access.visit(request) as visit:
            await visit.spend()
            found = await visit.corpus.store.collections(visit.tenant)
            return visit.answer(RagCollectionList(data=list(map(RagCollection.of, found))))

    @router.get("/collections/{name}", summary="One collection", response_class=Response)
    async def collection(request: Request, name: _CollectionName) -> Response:
        async with access.visit(request) as visit:
            await visit.spend()
            found = await visit.corpus.store.collection(visit.tenant, _checked_name(name))
            return visit.answer(RagCollection.of(found))

    @router.delete("/collections/{name}", summary="Delete a collection and its documents", response_class=Response)
    async def delete(request: Request, name: _CollectionName) -> Response:
        async with access.visit(request) as visit:
            await visit.spend()
            async with visit.forgetting(_checked_name(name)):
                await visit.corpus.store.delete_collection(visit.tenant, name)
            return visit.answer(RagCollectionDeleted(name=name))


def _checked_name(name: str) -> str:
    """Raises UnknownCollection for what no collection is called."""
    if not re.search(COLLECTION_PATTERN, name):
        raise UnknownCollection(name)
    return name
