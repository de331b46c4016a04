"""What only `make up` reads: where its services run, and which engine it starts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from api.settings.groups import Group, OptionalPort


class EmbeddedSettings(Group):
    """The stack that `make up` starts; a port of 0 means any free one, remembered in DATA_DIR"""

    data_dir: Path = Path(".data")
    """Data, logs and passwords of the embedded services; relative to the checkout."""
    mock_port: OptionalPort = 0
    """Port of MockLLM."""
    mock_admin_port: OptionalPort = 0
    """Port of MockLLM's fault switches."""
    mock_time_scale: Annotated[float, Field(gt=0)] = 1.0
    """How many times faster than a real GPU MockLLM answers."""
    mock_batching: str = Field("continuous", pattern=r"^(continuous|static)$")
    """How MockLLM batches: continuous or static."""
    redis_port: OptionalPort = 0
    """Port of the embedded Redis."""
    postgres_port: OptionalPort = 0
    """Port of the embedded Postgres."""
