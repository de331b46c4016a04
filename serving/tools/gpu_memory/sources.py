"""Where a model's config comes from: a folder, a config.json, or those that ship with the tool."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serving.tools.command_line import InputError
from serving.tools.gpu_memory.checkpoint import Checkpoint, read_checkpoint
from serving.tools.gpu_memory.config_reader import shape_of
from serving.tools.gpu_memory.model_shape import ModelShape

SHIPPED = Path(__file__).resolve().parents[1] / "model_configs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    shape: ModelShape
    checkpoint: Checkpoint | None


def shipped_names() -> list[str]:
    return sorted(path.stem for path in SHIPPED.glob("*.json"))


def read_model(given: str) -> Model:
    """`given`: a folder, a config.json (its folder's weights count too), or the name of a shipped config.

    Raises InputError that says what is missing.
    """
    path = Path(given)
    if path.is_dir():
        config_file = path / "config.json"
        if not config_file.is_file():
            raise InputError(f"{given}: the folder has no config.json.")
        return Model(shape=shape_of(_read(config_file), name=path.resolve().name), checkpoint=read_checkpoint(path))
    if path.is_file():
        shape = shape_of(_read(path), name=path.resolve().parent.name)
        return Model(shape=shape, checkpoint=read_checkpoint(path.parent))
    # The owner in `mistralai/Mistral-7B-v0.1` is not needed to tell models apart.
    name = given.rpartition("/")[2].lower()
    shipped = SHIPPED / f"{name}.json"
    if name not in shipped_names():
        raise InputError(
            f"{given!r} is no folder, no config.json and no model that is known by name; "
            f"known are {', '.join(shipped_names())}."
        )
    return Model(shape=shape_of(_read(shipped), name=name), checkpoint=None)


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as JSON ({error}).") from error
    if not isinstance(document, dict):
        raise InputError(f"{path}: holds no JSON object.")
    return document
