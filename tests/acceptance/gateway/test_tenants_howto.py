"""Every command of docs/howto/tenants.md, word for word and in its order, on a gateway with its defaults."""

from __future__ import annotations

import csv
from pathlib import Path

from tests.acceptance.gateway.cache_tenants import ADMIN_KEY
from tests.acceptance.gateway.howto_pages import blocks_of, said_by
from tests.acceptance.gateway.processes import Gateway

BLOCKS = blocks_of("tenants.md")


def test_every_command_does_what_the_page_says(gateway: Gateway, tmp_path: Path) -> None:
    assert len(BLOCKS) == 7
    said = said_by(BLOCKS, gateway, tmp_path, ADMIN_API_KEY=ADMIN_KEY)
    assert "research may spend 500.00 USD a month." in said
    assert "key.revoke" in said
    assert len((tmp_path / "research.key").read_text().split()) == 1
    *_, total = csv.reader((tmp_path / "usage.csv").read_text().splitlines())
    assert total[:2] == ["*", "*"]
    assert (tmp_path / "research.key").read_text().strip() not in said
