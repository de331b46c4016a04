"""Every command of docs/howto/semantic-cache.md, word for word and in its order, on a gateway with its defaults."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.gateway.howto_pages import blocks_of, said_by
from tests.acceptance.gateway.processes import Engine, Gateway, GatewayFactory, eventually

BLOCKS = blocks_of("semantic-cache.md")
ADMIN_KEY = "how-to-admin-key-1"


@pytest.fixture(scope="module")
def fresh(gateways: GatewayFactory, minilm_dir: Path) -> Iterator[Gateway]:
    gateway = gateways.start(
        SEMANTIC_CACHE_ENABLED="true",
        ADMIN_API_KEY=ADMIN_KEY,
        API_KEYS="dev-key:finsight",
        EMBEDDER_MODEL_DIR=str(minilm_dir),
        SEMANTIC_CACHE_TIMEOUT_S=5,
        EMBEDDER_TIMEOUT_S=10,
    )
    eventually(gateway.readiness, until=lambda answer: answer.json()["status"] == "ready")
    yield gateway
    gateways.stop(gateway)


def test_every_command_does_what_the_page_says(fresh: Gateway, engine: Engine, tmp_path: Path) -> None:
    assert engine.process.is_running()
    assert len(BLOCKS) >= 5
    said = said_by(BLOCKS, fresh, tmp_path, ADMIN_API_KEY=ADMIN_KEY)
    # What was asked first, in two quarters, is removed by the first two purges.
    assert "Removed 2 answers of finsight tagged entity:Norvane Labs" in said
    assert "* periods" in said
    assert "verdict: different" in said
