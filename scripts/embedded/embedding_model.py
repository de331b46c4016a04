"""The built-in embedding model in a stack's data folder, from a copy that all stacks of the checkout share."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from scripts.embedded.service import ServiceError
from scripts.embedded.stack_settings import StackSettings
from scripts.embedding_model.folder import copy, is_whole
from serving.catalogue.base import MINILM


def shared_embedding_model(root: Path) -> Path:
    """The checkout's own folder of the model, built if it is missing or damaged. Raises ServiceError."""
    folder = root / ".cache" / "models" / MINILM
    if not is_whole(folder):
        # In a process of its own, which gives back the few hundred MB that it takes; it says itself what it does.
        command = [sys.executable, "-m", "scripts.embedding_model", str(folder)]
        if subprocess.run(command, cwd=root, check=False).returncode:  # noqa: S603  # our own module
            raise ServiceError("The embedding model could not be built.")
    return folder


def prepare_embedding_model(stack: StackSettings, *, say: Callable[[str], None]) -> None:
    """Puts the model where the gateway looks for it. Without it the platform starts all the same, and says so."""
    folder = stack.data_dir / "models" / MINILM
    if stack.settings.embedder.embedder_model_dir is not None or is_whole(folder):
        return
    try:
        copy(shared_embedding_model(stack.root), folder)
    except (ServiceError, OSError) as error:
        say(
            f"{error} Starting without: the cache then has no semantic tier, and /v1/embeddings has "
            f"no {MINILM}. Run `make down up` to try again."
        )
