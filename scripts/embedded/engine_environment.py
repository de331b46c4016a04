"""What an engine needs before it can start, made once: its virtual environment, Nginx, and a model to serve."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from api.settings import Settings
from scripts.embedded.engine_choice import choose_vllm, gpu_names, starts_ray, starts_vllm, uses_vllm
from scripts.embedded.nginx_server import nginx_binary
from scripts.embedded.service import ServiceError
from scripts.embedded.stack_settings import StackSettings


def engine_python(settings: Settings, *, root: Path) -> Path:
    """The Python of the environment that the engine runs in, for MODEL_BACKEND=ray and vllm."""
    return root / (".venv-vllm" if uses_vllm(settings) else ".venv-ray") / "bin" / "python"


def prepare_engine(stack: StackSettings, *, say: Callable[[str], None]) -> None:
    """Makes what is missing, in the foreground: it may take minutes and a package index. Raises ServiceError."""
    settings = stack.settings
    if not (starts_ray(settings) or starts_vllm(settings)):
        return
    kind = "vllm" if uses_vllm(settings) else "ray"
    # It says itself what it installs and why it cannot.
    if subprocess.run([stack.root / "scripts" / "venv.sh", kind], check=False).returncode:  # noqa: S603  # our own
        raise ServiceError(f"The environment of MODEL_BACKEND={settings.models.model_backend} could not be made.")
    if starts_ray(settings):
        nginx_binary()
    if uses_vllm(settings):
        _make_tiny_model(stack, say=say)


def _make_tiny_model(stack: StackSettings, *, say: Callable[[str], None]) -> None:
    choice = choose_vllm(stack.settings, data_dir=stack.data_dir, gpus=gpu_names())
    if not choice.is_made_here or Path(choice.model, "config.json").is_file():
        return
    say(f"There is no GPU: making a tiny model with random weights in {choice.model} …")
    Path(choice.model).parent.mkdir(parents=True, exist_ok=True)
    made = subprocess.run(  # noqa: S603  # our own module
        [engine_python(stack.settings, root=stack.root), "-m", "serving.tools.tiny_model", choice.model],
        cwd=stack.root,
        env=dict(stack.environment),
        check=False,
        capture_output=True,
        text=True,
    )
    if made.returncode:
        said = made.stderr.strip().splitlines()
        raise ServiceError(f"The tiny model could not be made: {said[-1] if said else made.returncode}")
