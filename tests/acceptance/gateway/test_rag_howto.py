"""Every command of docs/howto/ask-your-documents.md, word for word and in its order, on a gateway with its defaults."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.settings import setting_names
from tests.acceptance.gateway.library import pdf
from tests.acceptance.gateway.processes import ROOT, Engine, Gateway, GatewayFactory, eventually

PAGE = (ROOT / "docs/howto/ask-your-documents.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(bash|python)\n(.*?)^```\n", PAGE, re.DOTALL | re.MULTILINE)
COMPANY = "aldermoor-robotics"


@pytest.fixture(scope="module")
def fresh(gateways: GatewayFactory, minilm_dir: Path) -> Iterator[Gateway]:
    gateway = gateways.start(
        RAG_ENABLED="true",
        SEMANTIC_CACHE_ENABLED="true",
        API_KEYS="dev-key:howto",
        EMBEDDER_MODEL_DIR=str(minilm_dir),
        SEMANTIC_CACHE_TIMEOUT_S=5,
        EMBEDDER_TIMEOUT_S=10,
    )
    eventually(gateway.readiness, until=lambda answer: answer.json()["status"] == "ready")
    yield gateway
    log = gateway.log()
    gateways.stop(gateway)
    assert "Traceback" not in log


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What the reader has: the corpus, of which one company is enough here, and documents of their own."""
    corpus = tmp_path / "rag/finsight/data/corpus"
    corpus.mkdir(parents=True)
    for report in (ROOT / "rag/finsight/data/corpus").glob(f"{COMPANY}-*.md"):
        shutil.copy(report, corpus)
    assert len(list(corpus.iterdir())) > 4
    (tmp_path / "staff handbook.pdf").write_bytes(
        pdf("Staff handbook. Welcome to the company.", "The handbook gives 63 days of parental leave to everyone.")
    )
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/canteen.md").write_text("# Canteen\n\nLunch is from 11:30 to 14:00.\n", "utf-8")
    return tmp_path


def run(kind: str, commands: str, gateway: Gateway, folder: Path) -> str:
    ingest = f'PYTHONPATH="{ROOT}" .venv/bin/python -m scripts.ingest'
    commands = re.sub(r"^make ingest (.*)$", rf"env \1 {ingest}", commands, flags=re.MULTILINE)
    for shown, here in (("http://localhost:8000", gateway.url), (".venv/bin/python", sys.executable)):
        commands = commands.replace(shown, here)
    program = [sys.executable, "-c"] if kind == "python" else ["bash", "-euo", "pipefail", "-c"]
    inherited = {name: value for name, value in os.environ.items() if name not in setting_names()}
    own = {"GATEWAY_PORT": str(gateway.port), "DATA_DIR": str(folder / "data"), "API_KEYS": "dev-key:howto"}
    done = subprocess.run(
        [*program, commands],
        cwd=folder,
        env={**inherited, **own},
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, f"{commands}\n{done.stdout}{done.stderr}"
    return done.stdout


def figure() -> dict[str, str]:
    """Quarter of 2024 -> the revenue that the page asks for, out of the report itself."""
    found = {}
    for quarter in ("Q3", "Q4"):
        report = (ROOT / f"rag/finsight/data/corpus/{COMPANY}-2024-{quarter.lower()}.md").read_text("utf-8")
        said = re.search(rf"reported revenue of (\$[\d.,]+ million) in {quarter} 2024", report)
        assert said is not None
        found[quarter] = said[1]
    return found


def chunks_of(stream: str) -> list[dict[str, Any]]:
    assert stream.rstrip().endswith("data: [DONE]")
    return [json.loads(line[6:]) for line in stream.splitlines() if line.startswith("data: {")]


def test_every_command_does_what_the_page_says(fresh: Gateway, engine: Engine, folder: Path) -> None:
    assert engine.process.is_running()
    said = [run(kind, commands, fresh, folder) for kind, commands in BLOCKS]
    ingested, streamed, follow_up, own, whole, python, stored, passages, deleted = said
    revenue = figure()
    assert "0 failed in the collection finsight." in ingested
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks_of(streamed) if chunk["choices"]]
    text = "".join(delta.get("content") or "" for delta in deltas)
    assert revenue["Q3"] in text
    (cited, *_) = next(delta["annotations"] for delta in deltas if delta.get("annotations"))
    assert revenue["Q3"] in cited["document"]["text"]
    assert text[cited["url_citation"]["start_index"] : cited["url_citation"]["end_index"]].startswith("[")
    assert revenue["Q4"] in json.loads(follow_up)["choices"][0]["message"]["content"]
    assert own.splitlines()[-1] == "2 new, 0 known, 0 failed in the collection handbook."
    message = json.loads(whole)["choices"][0]["message"]
    assert "63" in message["content"]
    assert message["annotations"][0]["document"]["filename"] == "staff handbook.pdf"
    assert "63" in python.splitlines()[0]
    assert "63 days of parental leave" in python.splitlines()[1]
    assert stored.count('"object":"rag.document"') == 2
    assert "6:30" in json.loads(passages)["passages"][0]["text"]
    assert deleted.count('"deleted":true') == 2
