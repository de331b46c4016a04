"""`rag` in the body of a chat completion: answer from a corpus."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

# The last part keeps a newline at the end out: for Python's `$` that is still the end.
COLLECTION_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,62}$(?!\n)"
CollectionName = Annotated[
    str,
    Meta(
        pattern=COLLECTION_PATTERN,
        description="1 to 63 of a-z, 0-9, - and _, beginning with a letter or a digit",
        examples=["finsight"],
    ),
]


class RagOptions(Struct, kw_only=True, forbid_unknown_fields=True):
    """What is left out is the model's in the catalogue, else the gateway's."""

    collection: CollectionName | None = None
    version: Literal["v1", "v2", "v3", "v4"] | None = None
    top_k: Annotated[int, Meta(ge=1, le=20)] | None = None
