"""`/v1/rag/documents`: a tenant's documents, in and out."""

from __future__ import annotations

import logging
import re
import time
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.connection import ClientConnection
from api.errors import ApiError, NotFound, as_api_error
from api.routes.rag_access import LINES, CorpusAccess, Visit
from api.routes.rag_uploads import UploadSlots, read_upload
from api.schemas.corpus import RagDocument, RagDocumentDeleted, RagDocumentList, RagProgress, encode
from rag.errors import UnknownDocument

logger = logging.getLogger("gateway.rag")
# Enough for a bar that moves, and few enough that no client is too slow to read them.
_BETWEEN_LINES_S = 0.1
_DOCUMENT_ID = re.compile(r"doc_[0-9a-f]{24}")

_Collection = Annotated[str, Query(description="Its name", pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
_DocumentId = Annotated[str, Path(description="As the upload has answered it")]


def add_document_routes(router: APIRouter, access: CorpusAccess, *, slots: UploadSlots) -> None:
    @router.post("/documents", summary="Store a document", operation_id="store_document", response_class=Response)
    async def upload(request: Request) -> Response:
        return _Uploading(request, access, slots)

    @router.get("/documents", summary="List a collection's documents, the newest first", response_class=Response)
    async def documents(
        request: Request,
        collection: _Collection,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        after: Annotated[str | None, Query(description="The id of the last document of the page before")] = None,
    ) -> Response:
        async with access.visit(request) as visit:
            await visit.spend()
            if after is not None and not _DOCUMENT_ID.fullmatch(after):
                raise _unknown_after(after)
            try:
                found, more = await visit.corpus.store.documents(visit.tenant, collection, limit=limit, after=after)
            except UnknownDocument as error:
                raise _unknown_after(after or "") from error
            return visit.answer(RagDocumentList.of(found, has_more=more))

    @router.get("/documents/{document_id}", summary="One document", response_class=Response)
    async def document(request: Request, document_id: _DocumentId) -> Response:
        async with access.visit(request) as visit:
            await visit.spend()
            found = await visit.corpus.store.document(visit.tenant, _checked_id(document_id))
            return visit.answer(RagDocument.of(found))

    @router.delete("/documents/{document_id}", summary="Delete a document and all that was found in it")
    async def delete(request: Request, document_id: _DocumentId) -> Response:
        async with access.visit(request) as visit:
            await visit.spend()
            found = await visit.corpus.store.document(visit.tenant, _checked_id(document_id))
            async with visit.forgetting(found.collection):
                deleted = await visit.corpus.store.delete_document(visit.tenant, found.id)
            logger.info("document deleted", extra={"tenant": visit.tenant, "document_id": deleted.id})
            return visit.answer(RagDocumentDeleted(id=deleted.id))


def _checked_id(document_id: str) -> str:
    """Raises UnknownDocument for what no document is called."""
    if not _DOCUMENT_ID.fullmatch(document_id):
        raise UnknownDocument(document_id)
    return document_id


def _unknown_after(after: str) -> NotFound:
    return NotFound(f"The collection has no document {after!r}.", param="after", code="document_not_found")


class _Uploading(Response):
    """Takes the document, and answers with it; before that with progress, line by line, if the client wants that."""

    def __init__(self, request: Request, access: CorpusAccess, slots: UploadSlots) -> None:
        super().__init__()
        self._request = request
        self._access = access
        self._slots = slots

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        lines = _ProgressLines(send) if _wants_lines(self._request) else None
        try:
            response = await self._access.answered(self._request, partial(self._store, lines))
        except Exception as error:
            if lines is None or not lines.begun:
                raise
            if not isinstance(error, ApiError):
                logger.exception("unhandled error")
            await lines.end(as_api_error(error).encoded() + b"\n")
        else:
            if lines is not None and lines.begun:
                await lines.end(bytes(response.body))
            else:
                await response(scope, receive, send)

    async def _store(self, lines: _ProgressLines | None, visit: Visit, client: ClientConnection) -> Response:
        self._slots.enter(visit.tenant, visit.held)
        await visit.spend()
        upload = await read_upload(self._request.scope, client)
        began_s = time.monotonic()
        document, is_new = await visit.corpus.ingestion.ingest(
            visit.tenant,
            upload.collection,
            upload.data,
            filename=upload.filename,
            media_type=upload.media_type,
            progress=None if lines is None else partial(lines.progress, visit),
        )
        if is_new:
            self._access.count_stored(visit.tenant, document.chunks)
            size = {"bytes": document.bytes, "chunks": document.chunks, "seconds": round(time.monotonic() - began_s, 3)}
            logger.info("document stored", extra={"tenant": visit.tenant, "document_id": document.id, **size})
        return visit.answer(RagDocument.of(document), status=201 if is_new else 200, as_line=lines is not None)


class _ProgressLines:
    """An answer in lines. Until the first one an error can still be an answer of its own."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._next_s = 0.0
        self.begun = False

    async def progress(self, visit: Visit, done: int, total: int) -> None:
        if not self.begun:
            self.begun = True
            headers = [(b"content-type", LINES.encode()), *visit.headers]
            # Nothing more can be said yet: the last line tells what became of it.
            await self._send({"type": "http.response.start", "status": 202, "headers": headers})
        if (now_s := time.monotonic()) >= self._next_s or done == total:
            self._next_s = now_s + _BETWEEN_LINES_S
            line = encode(RagProgress(chunks_done=done, chunks_total=total)) + b"\n"
            await self._send({"type": "http.response.body", "body": line, "more_body": True})

    async def end(self, line: bytes) -> None:
        await self._send({"type": "http.response.body", "body": line, "more_body": False})


def _wants_lines(request: Request) -> bool:
    accepted = ",".join(request.headers.getlist("accept")).split(",")
    return any(kind.partition(";")[0].strip().lower() == LINES for kind in accepted)
