"""The folder of a built-in model: what set-up writes into it, and how it is known to be whole.

`manifest.json` names every other file with its SHA-256. It is written last, so a folder with one is complete.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from serving.embedders.base import EmbedderUnavailable

GRAPH_FILE = "model.onnx"
TOKENIZER_FILE = "tokenizer.json"
MANIFEST_FILE = "manifest.json"
# Of the way the files are made. A change of it makes set-up build them anew, and gives their vectors another name.
RECIPE = 1
_REPAIR = "run `make up` to build it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    model: str
    precision: str
    dimensions: int
    max_tokens: int
    """Special tokens included; the rest of a text is cut off."""
    recipe: int
    weights_sha256: str
    files: dict[str, str]
    """Name to SHA-256, in hex."""
    made_with: dict[str, str] = field(default_factory=dict)
    """Package to version."""

    @property
    def name(self) -> str:
        """Of the vectors: those of different names cannot be compared."""
        return f"{self.model}/{self.precision}.{self.recipe}"

    def encoded(self) -> bytes:
        return json.dumps(asdict(self), indent=2).encode() + b"\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFiles:
    """Contents that are what the manifest says."""

    manifest: Manifest
    graph: bytes
    tokenizer: bytes


def read_model_files(folder: Path) -> ModelFiles:
    """Raises EmbedderUnavailable for files that are missing, damaged or made in another way than today's."""
    manifest = _manifest(folder)
    contents = {name: _read(folder / name) for name in (GRAPH_FILE, TOKENIZER_FILE)}
    for name, content in contents.items():
        if hashlib.sha256(content).hexdigest() != manifest.files.get(name):
            raise EmbedderUnavailable(f"the embedding model is damaged, {folder / name} is not as made: {_REPAIR}")
    return ModelFiles(manifest=manifest, graph=contents[GRAPH_FILE], tokenizer=contents[TOKENIZER_FILE])


def _manifest(folder: Path) -> Manifest:
    path = folder / MANIFEST_FILE
    try:
        fields: Any = json.loads(_read(path))
        manifest = Manifest(**fields)
        recipe, files = int(manifest.recipe), dict(manifest.files)
    except (ValueError, TypeError) as error:
        raise EmbedderUnavailable(f"the embedding model is damaged, {path} cannot be read: {_REPAIR}") from error
    if recipe != RECIPE or not files:
        raise EmbedderUnavailable(f"the embedding model in {folder} is of another version of the platform: {_REPAIR}")
    return manifest


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise EmbedderUnavailable(
            f"there is no embedding model, {path} cannot be read ({reason}): {_REPAIR}"
        ) from error
