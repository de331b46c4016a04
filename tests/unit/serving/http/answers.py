"""Answers as servers write them, and what they mean."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    body: bytes
    raw: bytes
    keeps: bool
    """Whether the connection can be used again."""
    by_close: bool = False
    """Whether the end of the connection is the end of the body."""
    head_size: int = 0
    """Of `raw`, with the interim responses before it."""


def chunked(parts: list[bytes], trailers: bytes = b"", extension: bytes = b"") -> bytes:
    chunks = b"".join(b"%x%s\r\n%s\r\n" % (len(part), extension, part) for part in parts)
    return chunks + b"0" + extension + b"\r\n" + trailers + b"\r\n"


_INTERIM = [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"]
_BODIES = st.binary(max_size=300)


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    interim = b"".join(draw(st.lists(st.sampled_from(_INTERIM), max_size=2)))
    version, asks_to_close = draw(st.sampled_from([b"1.1", b"1.0"])), draw(st.booleans())
    framing = draw(st.sampled_from(["length", "chunked", "close", "none"]))
    status = draw(st.sampled_from([204, 304] if framing == "none" else [200, 201, 400, 413, 500]))
    lines = [b"HTTP/%s %d Said So" % (version, status), b"X-Engine: mock"]
    keeps = version == b"1.1" or draw(st.booleans())
    if asks_to_close:
        lines.append(b"Connection: close")
    elif version == b"1.0" and keeps:
        lines.append(b"Connection: keep-alive")
    parts, coded = draw(st.lists(_BODIES.filter(bool), max_size=4)), b""
    match framing:
        case "length":
            coded = b"".join(parts)
            lines.append(b"Content-Length: %d" % len(coded))
        case "chunked":
            trailers, extension = draw(st.sampled_from([b"", b"x-sum: 1\r\n"])), draw(st.sampled_from([b"", b";a=b"]))
            coded = chunked(parts, trailers, extension)
            lines.append(draw(st.sampled_from([b"Transfer-Encoding: chunked", b"transfer-encoding:  Chunked "])))
        case "close":
            coded = b"".join(parts)
        case _:
            parts = []
    head = interim + b"\r\n".join(lines) + b"\r\n\r\n"
    return Answer(
        status=status,
        body=b"".join(parts),
        raw=head + coded,
        keeps=keeps and not asks_to_close and framing != "close",
        by_close=framing == "close",
        head_size=len(head),
    )


@st.composite
def pieces(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """`data` as it may arrive."""
    cuts = sorted(draw(st.sets(st.integers(1, max(1, len(data) - 1)), max_size=12)))
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True) if start < end]
