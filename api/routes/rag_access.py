"""Who may use the corpus API, how much of it, and what a client is told when it fails."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from api.cache.base import CorpusAnswers
from api.call import Caller
from api.connection import ClientConnection, ClientGone
from api.corpus_errors import from_rag
from api.errors import ApiError, EmbedderAway, Headers, Overloaded, RagDisabled, as_api_error
from api.middleware.headers import single_header
from api.schemas.corpus import encode
from api.stages.admit import Admission, wire_headers
from api.stages.authenticate import bearer_token
from api.tenants.base import Keys
from observability.metrics import Metrics
from rag.base import CorpusStore, Ingestion, Retriever
from rag.errors import DocumentInProgress, RagError, UnknownCollection, UnknownDocument
from resilience.deadline import Deadline
from resilience.limiter.base import LimitDecision
from serving.embedders.base import EmbedderError
from serving.types import Held

LINES = "application/x-ndjson"
# The client that is told so has left; the number is Nginx's, and for the log.
_CLIENT_GONE = 499


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """The documents of all tenants, and what is done with them."""

    store: CorpusStore
    ingestion: Ingestion
    retriever: Retriever
    answers: CorpusAnswers
    """To be told when documents are gone."""


class Visit:
    """A request of the corpus API whose caller is known."""

    def __init__(self, *, caller: Caller, corpus: Corpus, admission: Admission, held: Held) -> None:
        self.tenant = caller.tenant
        self.corpus = corpus
        self.held = held
        self._caller = caller
        self._admission = admission
        self._limits: LimitDecision | None = None

    async def spend(self, tokens: int = 0) -> None:
        """One request of the key's window, and these tokens. Raises RateLimited."""
        self._limits = await self._admission.spend(self._caller, tokens)

    @property
    def headers(self) -> Headers:
        return [] if self._limits is None else wire_headers(self._limits)

    @asynccontextmanager
    async def forgetting(self, collection: str) -> AsyncIterator[None]:
        """Around what deletes from the collection: no answer from it is kept, unless nothing can have been deleted.

        A store that is late may have deleted all the same, and whoever asks it again hears that there is nothing.
        """
        is_unchanged = False
        try:
            yield
        except (UnknownCollection, UnknownDocument, DocumentInProgress):
            is_unchanged = True
            raise
        finally:
            if not is_unchanged:
                # To its end, also when the time for the request is over.
                await asyncio.shield(asyncio.ensure_future(self.corpus.answers.forget(self.tenant, collection)))

    def answer(self, body: object, *, status: int = 200, as_line: bool = False) -> Response:
        """`as_line`: as the last of the lines of which an answer with progress consists."""
        encoded, kind = encode(body), "application/json"
        if as_line:
            encoded, kind = encoded + b"\n", LINES
        response = Response(encoded, status, media_type=kind)
        response.raw_headers += self.headers
        return response


class CorpusAccess:
    def __init__(
        self, *, corpus: Corpus | None, keys: Keys, admission: Admission, metrics: Metrics, timeout_s: float
    ) -> None:
        """`corpus`: None where it is off. `timeout_s`: for a whole request, from its headers to its answer."""
        self._corpus = corpus
        self._metrics = metrics
        self._keys = keys
        self._admission = admission
        self._timeout_s = timeout_s

    async def answered(
        self, request: Request, work: Callable[[Visit, ClientConnection], Awaitable[Response]]
    ) -> Response:
        """What `work` answers, which ends when the client leaves. Raises ApiError."""
        with ClientConnection(request.receive) as client:
            try:
                async with self.visit(request, client) as visit:
                    return await work(visit, client)
            except ClientGone:
                pass
            except asyncio.CancelledError:
                if not client.gone:
                    raise Overloaded("the gateway is shutting down, try again") from None
                if (task := asyncio.current_task()) is not None:
                    task.uncancel()
        return Response(status_code=_CLIENT_GONE)

    @asynccontextmanager
    async def visit(self, request: Request, client: ClientConnection | None = None) -> AsyncIterator[Visit]:
        """Around all that is done for a request. Whatever is raised in it leaves it as an ApiError.

        `client`: whose leaving cancels what is done; None: nobody looks.
        Raises Unauthenticated, RagDisabled and Overloaded before a body is read.
        """
        held, began_s = Held(), time.monotonic()
        visit: Visit | None = None
        outcome = "internal_error"
        try:
            with Deadline(asyncio.get_running_loop().time() + self._timeout_s):
                caller = await self._keys.authenticate(bearer_token(single_header(request.scope, b"authorization")))
                if self._corpus is None:
                    raise RagDisabled("This gateway takes no documents: set RAG_ENABLED=true and restart it.")
                self._admission.enter(caller.tenant, held)
                visit = Visit(caller=caller, corpus=self._corpus, admission=self._admission, held=held)
                yield visit
            outcome = "ok"
        except (RagError, EmbedderError, ApiError, TimeoutError) as error:
            told = _told(error)
            outcome = told.outcome
            if visit is not None and told.status != 429:
                told.headers = [*told.headers, *visit.headers]
            raise told from (None if told is error else error)
        except (ClientGone, asyncio.CancelledError):
            outcome = "cancelled" if client is not None and client.gone else "shutdown"
            raise
        finally:
            self._count(request, "none" if visit is None else visit.tenant, outcome, time.monotonic() - began_s)
            held.release()

    def count_stored(self, tenant: str, chunks: int) -> None:
        self._metrics.rag_stored_chunks.labels(tenant).inc(chunks)

    def _count(self, request: Request, tenant: str, outcome: str, took_s: float) -> None:
        route = "/".join(request.url.path.split("/")[2:4])  # rag/documents, however much follows
        self._metrics.requests.labels(route, "none", tenant, outcome).inc()
        self._metrics.duration.labels(route, "none").observe(took_s)


def _told(error: Exception) -> ApiError:
    match error:
        case RagError():
            return from_rag(error)
        case EmbedderError():
            text = "The embedding model cannot be reached now, try again shortly."
            return EmbedderAway(text, retry_after_s=2.0)
        case _:
            return as_api_error(error)
