"""Documentation names only what exists: files, make targets, scripts, settings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from api.settings import setting_names

ROOT = Path(__file__).resolve().parents[3]
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("runbooks/**/*.md")])
MAKE_TARGETS = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
COMPOSE = (ROOT / "docker-compose.serving.yml").read_text("utf-8")


def code_of(page: Path) -> str:
    """Everything on the page that is set as code."""
    text = page.read_text("utf-8")
    return "\n".join([*re.findall(r"```.*?```", text, re.DOTALL), *re.findall(r"`([^`\n]+)`", text)])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?://|#)([^)#\s]+)", page.read_text("utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_make_target_exists(page: Path) -> None:
    lines = re.findall(
        r"(?:^|[\s`])make ([a-z][a-z-]*(?![\w.])(?: [a-z][a-z-]*(?![\w.]))*)", code_of(page), re.MULTILINE
    )
    named = {target for line in lines for target in line.split()}
    assert named - MAKE_TARGETS == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_named_as_code_exists(page: Path) -> None:
    rooms = "api|bench|chaos|deploy|docs|observability|rag|resilience|runbooks|scripts|serving|tests"
    named = re.findall(rf"(?<![\w/.-])((?:{rooms})/[\w./-]*\w)(?![\w*<{{])", code_of(page))
    made_by_commands = {path for path in named if path.startswith("bench/results")}
    assert sorted({path for path in named if not (ROOT / path).exists()} - made_by_commands) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_setting_assigned_in_an_example_exists(page: Path) -> None:
    named = set(re.findall(r"\b([A-Z][A-Z0-9_]{3,})=", code_of(page)))
    of_others = {
        "ARGS",
        "FOLLOW",
        "SERVICE",
        "UPGRADE",
        "PYTHON",
        "BASE_URL",
        "API_KEY",
        "FILES",
        "STAGE",
        "COLLECTION",
    }
    of_others |= {"FIELD", "RAY_AUTH_MODE"}  # of the command lines of ours and of Ray
    assert {name for name in named - setting_names() - of_others if name not in COMPOSE} == set()
