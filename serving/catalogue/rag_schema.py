"""The corpus of a model in a models file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from serving.catalogue.entry import Entry


class RagEntry(Entry):
    collection: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
    version: Literal["v1", "v2", "v3", "v4"] | None = None
    top_k: Annotated[int, Field(ge=1, le=20)] | None = None
