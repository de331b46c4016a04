"""`python -m serving.tools.tiny_model DIR`: a language model of Mistral's architecture with random weights.

It needs no download, starts in seconds and speaks word salad: enough to test everything of an engine but its wit.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

MAX_POSITIONS = 8192
# Grows when the same parameters give another model, so that what older code made is made again.
FORMAT = 1
# Written last; what a directory was made with.
LABEL = "tiny_model.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class TinyModel:
    """What decides every byte of the model. `hidden_size` is a multiple of 64. Raises ValueError."""

    layers: int = 2
    hidden_size: int = 128
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.layers <= 128:
            raise ValueError(f"layers must be a whole number from 1 to 128, not {self.layers}")
        if not (64 <= self.hidden_size <= 8192 and self.hidden_size % 64 == 0):
            raise ValueError(f"hidden_size must be a multiple of 64 from 64 to 8192, not {self.hidden_size}")
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed must be a whole number from 0 to 4294967295, not {self.seed}")

    def label(self) -> dict[str, int]:
        return {"format": FORMAT, **asdict(self)}


class DirectoryTaken(Exception):
    """The directory holds something that this tool did not make, or made differently."""


def make(directory: Path, model: TinyModel) -> bool:
    """Make the model in `directory`; False if it is there. A reader never sees half of it.

    Raises DirectoryTaken, and ImportError where torch and transformers are not installed.
    """
    if _is_there(directory, model):
        return False
    directory.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target, because only within a file system is a directory renamed in one step.
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix=f".{directory.name}-") as made:
        complete = Path(made) / directory.name
        complete.mkdir()
        _write(complete, model)
        for file in complete.iterdir():
            file.chmod(0o644)  # engines may run as somebody else
        (complete / LABEL).write_text(json.dumps(model.label()) + "\n", encoding="utf-8")
        if directory.exists():
            directory.rename(Path(made) / "older")
        try:
            complete.rename(directory)
        except OSError:
            # Another process has made it meanwhile.
            if not _is_there(directory, model):
                raise
    return True


def _is_there(directory: Path, model: TinyModel) -> bool:
    """False also when an older version of this tool made it, or nothing is in there."""
    if not directory.exists() or (directory.is_dir() and not any(directory.iterdir())):
        return False
    try:
        found = json.loads((directory / LABEL).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict):
        raise DirectoryTaken(f"{directory} holds something else: name another directory")
    if {**found, "format": FORMAT} != model.label():
        made_with = ", ".join(f"{name} {value}" for name, value in found.items() if name != "format")
        raise DirectoryTaken(f"{directory} holds a model with {made_with}: delete it or name another directory")
    return bool(found.get("format") == FORMAT)


def _write(directory: Path, model: TinyModel) -> None:
    # Imported here, because that takes seconds, and nothing of it is needed when the model is there.
    from serving.tools import tiny_tokenizer, tiny_weights  # noqa: PLC0415 - see above

    tokenizer = tiny_tokenizer.trained()
    tiny_tokenizer.save(tokenizer, directory, max_length=MAX_POSITIONS)
    tiny_weights.save(
        directory,
        layers=model.layers,
        hidden_size=model.hidden_size,
        max_length=MAX_POSITIONS,
        seed=model.seed,
        log_frequencies=tiny_tokenizer.log_frequencies(tokenizer),
    )


def parser() -> argparse.ArgumentParser:
    defaults = TinyModel()
    cli = argparse.ArgumentParser(
        prog="python -m serving.tools.tiny_model",
        description="Make a language model with random weights, for tests. Does nothing when the directory has it.",
    )
    cli.add_argument("directory", type=Path, help="where to make it")
    cli.add_argument("--layers", type=int, default=defaults.layers, help="default: %(default)s")
    cli.add_argument(
        "--hidden-size", type=int, default=defaults.hidden_size, help="a multiple of 64 (default: %(default)s)"
    )
    cli.add_argument("--seed", type=int, default=defaults.seed, help="of the weights (default: %(default)s)")
    return cli


def main(arguments: list[str] | None = None) -> None:
    options = parser().parse_args(arguments)
    os.environ["TRANSFORMERS_VERBOSITY"] = "error"
    os.environ["HF_HUB_OFFLINE"] = "1"
    try:
        model = TinyModel(layers=options.layers, hidden_size=options.hidden_size, seed=options.seed)
        made = make(options.directory, model)
    except (ValueError, DirectoryTaken) as error:
        sys.exit(f"tiny_model: {error}")
    except ImportError as error:
        sys.exit(f"tiny_model: {error.name} is not installed: run `scripts/venv.sh vllm` and use .venv-vllm/bin/python")
    except OSError as error:
        sys.exit(f"tiny_model: cannot write {options.directory}: {error.strerror or error}")
    print(f"{options.directory}: {'made' if made else 'is there already'}")


if __name__ == "__main__":
    main()
