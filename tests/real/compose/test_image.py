"""What the platform's own image holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.real.conftest import Compose

pytestmark = pytest.mark.real

# 31 MB of it read documents: PDFium, the splitter, the HTML parser. 24 MB migrate the database: SQLAlchemy, Alembic.
MAX_BYTES = 470_000_000


def test_image_is_small(compose: Compose) -> None:
    assert compose.image("gateway")["Size"] < MAX_BYTES


def test_image_runs_as_an_ordinary_user_and_checks_itself(compose: Compose) -> None:
    configuration = compose.image("gateway")["Config"]
    assert configuration["User"] not in {"", "0", "root"}
    assert "/healthz" in " ".join(configuration["Healthcheck"]["Test"])
    assert compose.run("gateway", "id", "-u").strip() != "0"


@pytest.mark.parametrize("tool", ["cc", "gcc", "g++", "make", "ld", "pip"])
def test_image_has_no_build_tool(compose: Compose, tool: str) -> None:
    if tool == "pip":  # the official Python image has one of its own; the platform's environment has none
        found = compose.run("gateway", "sh", "-c", "ls /opt/venv/bin/pip* 2>/dev/null || true")
    else:
        found = compose.run("gateway", "sh", "-c", f"command -v {tool} || true")
    assert not found.strip()


def test_sources_cannot_be_changed_by_the_gateway(compose: Compose) -> None:
    writable = compose.run("gateway", "find", "/app", "/opt/venv", "-writable", "-not", "-type", "l")
    # Without a lexicon and a glossary of the user's own, /dev/null is mounted where they would be.
    mounted = ["/app/lexicon.yaml", "/app/glossary.yaml"]
    assert set(writable.split()) <= set(mounted)
    for path in mounted:
        assert compose.run("gateway", "stat", "--format=%F", path).strip() == "character special file"


def test_every_source_is_compiled(compose: Compose) -> None:
    """A read-only file system cannot keep what Python compiles when it starts."""
    sources = compose.run("gateway", "find", "/app", "-name", "*.py").split()
    compiled = compose.run("gateway", "find", "/app", "-name", "*.pyc").split()
    assert len(sources) > 10
    assert len(compiled) == len(sources)
