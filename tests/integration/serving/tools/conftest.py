from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.serving.mock_llm.conftest import MockProcess, mock_llm
from tests.integration.serving.tools.command import Finished, run_tool

Tool = Callable[..., Finished]


@pytest.fixture
def tool(tmp_path: Path) -> Tool:
    """`tool(name, *arguments)`: the finished command."""
    return lambda name, *arguments, **options: run_tool(name, *arguments, folder=tmp_path, **options)


@pytest.fixture(scope="module")
def engine() -> Iterator[MockProcess]:
    """A real MockLLM, ten times as fast as the machine that it models."""
    with mock_llm("--time-scale", "10", "--model", "first", "--model", "second") as process:
        yield process


@pytest.fixture
def faulty(engine: MockProcess) -> Iterator[MockProcess]:
    """The same, with its fault switches off again afterwards."""
    yield engine
    engine.client.delete(f"{engine.admin_url}/faults").raise_for_status()
