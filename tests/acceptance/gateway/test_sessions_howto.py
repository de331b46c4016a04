"""Every command of docs/howto/sessions.md, word for word and in its order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.gateway.howto_pages import blocks_of, said_by
from tests.acceptance.gateway.processes import Engine, Gateway, GatewayFactory

BLOCKS = blocks_of("sessions.md")


@pytest.fixture(scope="module")
def fresh(gateways: GatewayFactory) -> Iterator[Gateway]:
    gateway = gateways.start(API_KEYS="dev-key:finsight")
    yield gateway
    gateways.stop(gateway)


def test_every_command_does_what_the_page_says(fresh: Gateway, engine: Engine, tmp_path: Path) -> None:
    assert engine.process.is_running()
    assert len(BLOCKS) >= 5
    said = said_by(BLOCKS, fresh, tmp_path)
    assert '"expires_in": 3600' in said
