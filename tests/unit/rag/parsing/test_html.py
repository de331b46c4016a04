from __future__ import annotations

from collections.abc import Callable

import pytest

from rag.errors import DocumentTooLarge, EmptyDocument
from rag.types import ReadDocument

Read = Callable[..., ReadDocument]


def texts(document: ReadDocument) -> list[tuple[tuple[str, ...], str]]:
    return [(piece.headings, piece.text) for piece in document.pieces]


def page(body: str, head: str = "<title>Shop</title>") -> str:
    return f"<!doctype html><html><head>{head}</head><body>{body}</body></html>"


def test_what_a_reader_sees_is_kept_under_its_headings(read_document: Read) -> None:
    document = read_document(
        page(
            "<nav>Menu</nav><h1>Pump <b>A1</b></h1><p>Made in<br>Ulm &amp; <i>Wien</i>.</p>"
            "<h2>Safety</h2><ul><li>Pull the plug.</li><li>Wait.</li></ul><h3>Reset</h3><pre>pump\n  --now</pre>"
            "<h2>Price</h2><div>Ask <span>us</span>.</div><footer>Imprint</footer>"
        ),
        "pump.html",
    )
    assert (document.title, document.media_type) == ("Pump A1", "text/html")
    assert texts(document) == [
        ((), "Made in\nUlm & Wien."),
        (("Safety",), "- Pull the plug.\n\n- Wait."),
        (("Safety", "Reset"), "pump\n  --now"),
        (("Price",), "Ask us."),
    ]


@pytest.mark.parametrize(
    "hidden",
    [
        "<script>secret</script>",
        "<style>.secret{}</style>",
        "<template>secret</template>",
        "<noscript>secret</noscript>",
        "<!-- secret -->",
        "<p hidden>secret</p>",
        "<p style='color: red; DISPLAY : none'>secret</p>",
        "<span style='font-size:0'>secret</span>",
        "<p aria-hidden=TRUE>secret</p>",
        "<div role=navigation><p>secret</p></div>",
        "<select><option>secret</option></select>",
        "<h2>Heading<span hidden>secret</span></h2>",
        "<table><tr><th>A</th><th>B</th></tr><tr><td>1<script>secret</script></td><td hidden>secret</td></tr></table>",
        "<svg><title>secret</title></svg>",
        "<nav><nav hidden>secret</nav></nav>",
    ],
)
def test_what_a_reader_does_not_see_is_left_out(read_document: Read, hidden: str) -> None:
    document = read_document(page(f"<p>Before.</p>{hidden}<p>After.</p>"), "page.html")
    everything = repr(document)
    assert "Before." in everything
    assert "After." in everything
    assert "secret" not in everything.lower()


def test_the_main_part_is_the_page(read_document: Read) -> None:
    document = read_document(page("<div>Cookies!</div><main><p>The text of the page.</p></main>"), "page.html")
    assert texts(document) == [((), "The text of the page.")]
    assert document.title == "Shop"


def test_a_form_around_everything_is_no_form(read_document: Read) -> None:
    document = read_document(page("<form><p>Text.</p><input value=x><button>Send</button></form>"), "page.html")
    assert texts(document) == [((), "Text.")]


def test_tables_are_read_row_by_row(read_document: Read) -> None:
    table = (
        "<table><caption>Results</caption><thead><tr><th></th><th>Q3 2024</th><th colspan=2>Q4 2024</th></tr></thead>"
        "<tbody><tr><th>Revenue</th><td>5</td><td>6</td><td>up</td></tr>"
        "<tr><td rowspan=2>Cost</td><td>2</td><td>3</td><td></td></tr><tr><td>1</td><td>9</td><td>x</td></tr></table>"
    )
    document = read_document(page(f"<h1>Report</h1>{table}"), "report.html")
    rows = (
        "Revenue; Q3 2024: 5; Q4 2024: 6; Q4 2024: up\nCost; Q3 2024: 2; Q4 2024: 3\n"
        "Cost; Q3 2024: 1; Q4 2024: 9; Q4 2024: x"
    )
    assert texts(document) == [(("Results",), rows)]


def test_a_first_row_of_plain_cells_names_the_columns_if_it_holds_no_figures(read_document: Read) -> None:
    named = "<table><tr><td>Year</td><td>2023</td></tr><tr><td>Revenue</td><td>412.6</td></tr></table>"
    bare = "<table><tr><td>Revenue</td><td>412.6</td></tr><tr><td>Cost</td><td>99</td></tr></table>"
    assert texts(read_document(page(named), "a.html")) == [((), "Year: Revenue; 2023: 412.6")]
    assert texts(read_document(page(bare), "a.html")) == [((), "Revenue; 412.6\nCost; 99")]


def test_a_table_that_only_lays_out_the_page_is_none(read_document: Read) -> None:
    document = read_document(page("<table><tr><td><h2>Left</h2><p>a</p></td><td><p>b</p></td></tr></table>"), "a.html")
    assert texts(document) == [(("Left",), "a\n\nb")]


def test_spans_without_end_are_bounded(read_document: Read) -> None:
    cell = "<td colspan=999999999 rowspan=999999999>wide</td>"
    document = read_document(page(f"<table><tr>{cell}</tr>{'<tr><td>x</td></tr>' * 3}</table>"), "a.html")
    assert len(repr(document)) < 50_000


def test_a_page_may_be_deep_and_not_bottomless(read_document: Read) -> None:
    assert texts(read_document(page("<div>" * 1000 + "text"), "a.html")) == [((), "text")]
    with pytest.raises(DocumentTooLarge, match="deep"):
        read_document("<div>" * 100_000 + "text", "a.html")


def test_many_unclosed_paragraphs_are_not_deep(read_document: Read) -> None:
    assert read_document(page("<p>A line.<br>" * 20_000), "a.html").pieces


def test_a_page_of_scripts_only_is_empty(read_document: Read) -> None:
    with pytest.raises(EmptyDocument):
        read_document(page("<script>render()</script>"), "app.html")


def test_characters_written_as_numbers_are_cleaned_too(read_document: Read) -> None:
    (piece,) = read_document(page("<p>a&#x202E;b&#0;c&#xE0041;d&#xD800;e</p>"), "a.html").pieces
    assert "ab" in piece.text
    assert not {"\u202e", "\0", "\U000e0041", "\ud800"} & set(piece.text)
