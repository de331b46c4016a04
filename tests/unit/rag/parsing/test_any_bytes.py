"""Whatever the bytes, they are pieces or a DocumentError, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from rag.errors import DocumentError
from rag.types import ReadDocument

_BEGINNINGS = [
    b"",
    b"%PDF-1.7\n",
    b"<html><body><table>",
    b"a,b\n",
    b"# x\n\n|a|b|\n|-|-|\n",
    b"\xff\xfe",
    b"---\ntitle: x\n",
]
_PARTS = [
    b"<td>",
    b"</table>",
    b"<b>",
    b"&#0;",
    b"[a](b",
    b"| a |",
    b'"',
    b"`",
    b"> ",
    b"\n\n",
    b"endobj",
    b"\xe4",
    b"word ",
]
_data = (
    st.binary(max_size=500)
    | st.text(max_size=500).map(str.encode)
    | st.lists(st.sampled_from(_PARTS) | st.binary(max_size=5), max_size=80).map(b"".join)
)


@given(
    beginning=st.sampled_from(_BEGINNINGS),
    data=_data,
    filename=st.sampled_from(["a.txt", "a.md", "a.html", "a.csv", "a.tsv", "a.pdf", "a"]) | st.text(max_size=20),
    media_type=st.none() | st.sampled_from(["text/plain", "text/html", "application/pdf"]) | st.text(max_size=10),
)
def test_pieces_or_a_reason(
    read_document: Callable[..., ReadDocument], beginning: bytes, data: bytes, filename: str, media_type: str | None
) -> None:
    try:
        document = read_document(beginning + data, filename, media_type)
    except DocumentError as error:
        reason = str(error)
        assert reason.endswith((".", "?"))
        return
    assert document.title
    assert document.pieces
    everything = "".join([document.title, *(f"{piece.text}{''.join(piece.headings)}" for piece in document.pieces)])
    assert not {"\0", "\x1b", "\ud800", "\u202e", "\ufeff"} & set(everything)
    assert all(piece.text.strip() for piece in document.pieces)
