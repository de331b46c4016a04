"""Who turns texts into vectors, for the answer cache and for `/v1/embeddings`."""

from __future__ import annotations

import logging
from collections.abc import Callable

from api.settings import EmbedderKind, Settings
from observability.metrics import Metrics
from serving.backends.openai_http import OpenAIBackend, Timeouts
from serving.catalogue.base import MINILM
from serving.embedders.base import Embedder
from serving.embedders.cached import CachedEmbedder
from serving.embedders.cooled import CooledEmbedder
from serving.embedders.on_demand import OnDemandEmbedder
from serving.http.pool import ConnectionPool

logger = logging.getLogger(__name__)


class Embedders:
    """The built-in model is loaded once, whoever uses it; its libraries are not imported before somebody does."""

    def __init__(self, settings: Settings, metrics: Metrics, pool: ConnectionPool) -> None:
        self._settings = settings
        self._metrics = metrics
        self._pool = pool
        is_chosen = settings.embedder.embedder is EmbedderKind.ONNX
        self.builtin: Embedder = self._on_demand(self._minilm, for_questions=is_chosen)
        chosen = self.builtin if is_chosen else self._on_demand(self._other, for_questions=True)
        self.for_questions = CachedEmbedder(CooledEmbedder(chosen))
        """With a memory for questions that come again."""

    async def aclose(self) -> None:
        await self.for_questions.aclose()
        await self.builtin.aclose()

    def _minilm(self) -> Embedder:
        from serving.embedders.minilm_onnx import MiniLMEmbedder  # noqa: PLC0415 - a tenth of a second and 40 MB

        chosen = self._settings.embedder
        folder = chosen.embedder_model_dir or self._settings.embedded.data_dir / "models" / MINILM
        return MiniLMEmbedder(folder, bulk_threads=chosen.embedder_bulk_threads)

    def _other(self) -> Embedder:
        chosen = self._settings.embedder
        if chosen.embedder is EmbedderKind.OPENAI:
            from serving.embedders.openai_http import OpenAIEmbedder  # noqa: PLC0415 - it imports numpy

            return OpenAIEmbedder(backend=self._server(), model=chosen.embedder_model)
        from serving.embedders.sentence_transformers import SentenceTransformersEmbedder  # noqa: PLC0415 - so does this

        return SentenceTransformersEmbedder(model=chosen.embedder_model)

    def _server(self) -> OpenAIBackend:
        chosen, upstream = self._settings.embedder, self._settings.upstream
        return OpenAIBackend(
            name="embedder",
            base_url=chosen.embedder_base_url or "",
            pool=self._pool,
            timeouts=Timeouts(
                connect_s=upstream.connect_timeout_s,
                first_byte_s=upstream.first_byte_timeout_s,
                between_chunks_s=upstream.between_chunks_timeout_s,
                request_s=upstream.request_timeout_s,
            ),
            model=chosen.embedder_model,
            api_key=chosen.embedder_api_key.get_secret_value().strip() or None,
        )

    def _on_demand(self, make: Callable[[], Embedder], *, for_questions: bool) -> OnDemandEmbedder:
        def report(loaded: bool, reason: str) -> None:  # noqa: FBT001 - the embedder's callback signature
            if for_questions:
                self._metrics.embedder_up.set(int(loaded))
            if loaded:
                logger.info("the embedder works", extra={"embedder": embedder.name})
            else:
                logger.warning("there is no embedder", extra={"embedder": embedder.name, "reason": reason})

        embedder = OnDemandEmbedder(make, on_change=report)
        return embedder
