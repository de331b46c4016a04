"""`make ingest FILES="…" COLLECTION=…`: documents into a collection of the running platform."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from api.settings import SettingsError
from scripts.embedded.stack_settings import StackSettings, load_stack_settings
from scripts.embedded.state import StackState
from scripts.ingest_client import CorpusClient, Failed, Progress, Stopped
from scripts.ingest_files import Found, documents, words_of
from serving.tools.command_line import EXIT_BAD_INPUT, EXIT_FAILED, EXIT_OK, InputError, Parser, run, say

ROOT = Path(__file__).resolve().parents[1]
_PROG = "ingest"
_USAGE = """\
Say what is to be ingested, and into which collection:

  make ingest FILES="handbook.pdf docs/" COLLECTION=handbook

FILES: files, folders and patterns with spaces between them; quote a name with spaces: FILES="'my report.pdf' *.md"
COLLECTION: a-z, 0-9, - and _; it is made if there is none
ARGS="--url http://localhost:8000 --key KEY": another gateway than the one of `make up`, or another key"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 when every document is in the collection, 1 when one is not, 2 when nothing was tried."""
    parser = _parser()
    options = parser.parse_args(arguments)
    words = options.files or words_of(os.environ.get("FILES", ""))
    collection = options.collection or os.environ.get("COLLECTION", "")
    if not words or not collection:
        say(_USAGE, stream=sys.stderr)
        return EXIT_BAD_INPUT
    found = documents(words)
    stack = _stack(options.env_file)
    url = options.url or _base_url(stack)
    key = options.key or next(iter(stack.settings.keys.tenants_by_key()))
    with CorpusClient(url=url, key=key, collection=collection) as client:
        return _ingest(client, found, collection)


def _parser() -> Parser:
    parser = Parser(prog=f"scripts.{_PROG}", description="Documents into a collection of the running platform.")
    parser.add_argument("files", nargs="*", help="files, folders and patterns; default: FILES")
    parser.add_argument("--collection", default="", help="default: COLLECTION")
    parser.add_argument("--url", default="", help="of the gateway; default: the one that `make up` has started")
    parser.add_argument("--key", default="", help="an API key; default: the first of API_KEYS")
    parser.add_argument("--env-file", type=Path, default=ROOT / ".env", help="default: %(default)s")
    return parser


def _stack(env_file: Path) -> StackSettings:
    try:
        return load_stack_settings(root=ROOT, env_file=env_file)
    except SettingsError as error:
        raise InputError(f"Settings: {error}") from error


def _base_url(stack: StackSettings) -> str:
    """Of the stack that runs, which may have had to take another port; else as the settings say."""
    state = StackState.read(stack.data_dir)
    return state.base_url if state is not None else f"http://{stack.host}:{stack.settings.gateway.gateway_port}"


def _ingest(client: CorpusClient, found: Sequence[Found], collection: str) -> int:
    counts: Counter[str] = Counter()
    for place, each in enumerate(found, start=1):
        # Without a terminal there are no bars, and a line for each document all the same.
        with tqdm(desc=f"{place}/{len(found)} {each.shown}", unit=" chunks", leave=False, disable=None) as bar:
            try:
                document, is_new = client.store(each.path, _on(bar))
            except Failed as error:
                counts["failed"] += 1
                line = f"failed  {each.shown}: {error}"
            except Stopped as error:
                bar.close()
                say(f"{_PROG}: {error}", stream=sys.stderr)
                return EXIT_FAILED
            else:
                state = "new" if is_new else "known"
                counts[state] += 1
                line = f"{state:7} {each.shown}  {document['chunks']} chunk{'s' * (document['chunks'] != 1)}"
        say(line)
    say(f"{counts['new']} new, {counts['known']} known, {counts['failed']} failed in the collection {collection}.")
    return EXIT_FAILED if counts["failed"] else EXIT_OK


def _on(bar: tqdm[Any]) -> Progress:
    def progress(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)

    return progress


if __name__ == "__main__":
    sys.exit(run(main, prog=_PROG))
