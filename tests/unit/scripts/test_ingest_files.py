"""Names, folders and patterns as people write them after FILES=."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.ingest_files import documents, words_of
from serving.tools.command_line import InputError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (
        "a.md",
        "my report.pdf",
        "it's $HOME.txt",
        "notes/b.html",
        "notes/deep/c.csv",
        "notes/deep/image.png",
        "notes/.hidden.md",
        "notes/.git/d.md",
        "odd.xyz",
        "[draft].md",
        "pictures/p.png",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("text", "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shown(text: str) -> list[str]:
    return [found.shown for found in documents(words_of(text))]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a.md", ["a.md"]),
        ("a.md  odd.xyz\n'my report.pdf'", ["a.md", "odd.xyz", "my report.pdf"]),
        ('"my report.pdf" my\\ report.pdf', ["my report.pdf"]),
        ("my report.pdf", ["my report.pdf"]),
        ("it's $HOME.txt", ["it's $HOME.txt"]),
        ("notes", ["notes/b.html", "notes/deep/c.csv"]),
        ("./notes/ a.md notes/b.html", ["notes/b.html", "notes/deep/c.csv", "a.md"]),
        ("*.md", ["[draft].md", "a.md"]),
        ("[draft].md", ["[draft].md"]),
        ("'notes/**/*.csv'", ["notes/deep/c.csv"]),
        ("'my*'", ["my report.pdf"]),
        ("n*", ["notes/b.html", "notes/deep/c.csv"]),
    ],
)
def test_what_is_named_is_found_once(text: str, names: list[str]) -> None:
    assert shown(text) == names


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a.md nothing.md", "nothing.md"),
        ("*.docx", "*.docx"),
        ("pictures", "pictures"),
        ("'unclosed a.md", "quotation"),
    ],
)
def test_what_is_not_there_is_told(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said.replace("*", r"\*")):
        shown(text)


def test_a_folder_that_leads_back_to_itself_ends(folder: Path) -> None:
    (folder / "notes" / "again").symlink_to(folder / "notes")
    assert shown("notes") == ["notes/b.html", "notes/deep/c.csv"]
