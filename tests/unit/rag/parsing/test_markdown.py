from __future__ import annotations

from collections.abc import Callable

import pytest

from rag.types import ReadDocument

Read = Callable[..., ReadDocument]
MANUAL = """# Pump A1

Made in *Ulm*. See [the shop](https://shop.example/a1).

## Safety

Switch it off
before cleaning.

1. Pull the plug.
2. Wait.
   - at least `5 s`

### Data

| Model | Flow (l/min) | |
|-------|-------------:|---|
| A1    | 12           | new |
| A2    | 15 \\| 16    |   |

## Service

```sh
pump --reset
  --now
```
"""


def test_headings_stand_over_their_text(read_document: Read) -> None:
    document = read_document(MANUAL, "manual.md")
    assert (document.title, document.media_type) == ("Pump A1", "text/markdown")
    assert [(piece.headings, piece.text) for piece in document.pieces] == [
        ((), "Made in Ulm. See the shop."),
        (("Safety",), "Switch it off before cleaning.\n\n1. Pull the plug.\n\n2. Wait.\n\n  - at least 5 s"),
        (("Safety", "Data"), "Model: A1; Flow (l/min): 12; new\nModel: A2; Flow (l/min): 15 | 16"),
        (("Service",), "pump --reset\n  --now"),
    ]


def test_rows_of_a_long_table_keep_their_columns(read_document: Read) -> None:
    rows = "".join(f"| Q{number % 4 + 1} {2000 + number} | {number}.5 million |\n" for number in range(100))
    document = read_document(f"# Report\n\n| Period | Revenue |\n|---|---|\n{rows}", "report.md")
    lines = [line for piece in document.pieces for line in piece.text.split("\n")]
    assert len(document.pieces) > 5
    assert lines == [f"Period: Q{number % 4 + 1} {2000 + number}; Revenue: {number}.5 million" for number in range(100)]


def test_several_chapters_are_no_title(read_document: Read) -> None:
    document = read_document("# One\n\na\n\n# Two\n\nb\n", "two-chapters.md")
    assert document.title == "two-chapters"
    assert [piece.headings for piece in document.pieces] == [("One",), ("Two",)]


def test_front_matter_names_the_title_and_is_not_text(read_document: Read) -> None:
    document = read_document('---\ntitle: "Leave policy"\nowner: HR\n---\nThirty days.\n', "policy.md")
    assert document.title == "Leave policy"
    assert [piece.text for piece in document.pieces] == ["Thirty days."]


def test_html_within_it_is_read_as_a_page_is(read_document: Read) -> None:
    text = "## Notes\n\n<div><script>steal()</script><p>Shown.</p><p hidden>Not shown.</p></div>\n\nMore.\n"
    document = read_document(text, "notes.md")
    assert [(piece.headings, piece.text) for piece in document.pieces] == [(("Notes",), "Shown.\n\nMore.")]


@pytest.mark.parametrize("text", ["> " * 3000 + "word", "[" * 5_000 + "word", "- " * 3000 + "word", "*a " * 10_000])
def test_what_is_nested_without_end_is_read_or_refused(read_document: Read, text: str) -> None:
    assert read_document(f"word\n\n{text}", "nested.md").pieces
