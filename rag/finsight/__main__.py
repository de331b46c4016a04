"""`python -m rag.finsight`: writes the FinSight files, or with `--check` says what differs from those there."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rag.finsight.files import DATA, differences, generate, write


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m rag.finsight", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 on any difference")
    parser.add_argument("--folder", type=Path, default=DATA, help="where the files are (default: %(default)s)")
    chosen = parser.parse_args(arguments)
    files = generate()
    if not chosen.check:
        write(files, chosen.folder)
        sys.stdout.write(f"{len(files)} files in {chosen.folder}\n")
        return 0
    found = differences(files, chosen.folder)
    for difference in found:
        sys.stderr.write(f"{difference}\n")
    if not found:
        sys.stdout.write(f"{len(files)} files in {chosen.folder} are as generated\n")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
