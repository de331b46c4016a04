"""Which rules read a question: a digest of their sources, so that no change of them can be forgotten.

Answers are found by what the rules made of their questions. Those of other rules, be they older or those of a gateway
that is not upgraded yet, may have been found equal where these tell apart.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from importlib.resources import files
from importlib.resources.abc import Traversable


def rules_version() -> str:
    """Of this package and of the canonical form. Reads their sources; raises RuntimeError where they are not there."""
    package = files("api.cache.slots")
    folders = [package, *(folder for folder in package.iterdir() if folder.joinpath("__init__.py").is_file())]
    sources = [file for folder in folders for file in folder.iterdir()]
    return digest_of([*sources, files("api.cache").joinpath("canonical.py")])


def digest_of(candidates: Iterable[Traversable]) -> str:
    """Of the Python files among them, by name and content, in any order."""
    sources = sorted((file.name, file.read_bytes()) for file in candidates if file.name.endswith(".py"))
    if not sources:
        raise RuntimeError("the sources of the rules are not installed: nobody can tell which rules these are")
    digest = hashlib.sha256()
    for name, content in sources:
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]
