"""Bytes to text, whatever program has written them."""

from __future__ import annotations

import codecs
import random

import pytest

from rag.errors import DamagedDocument
from rag.parsing.cleaning import clean, one_line
from rag.parsing.decoding import decode
from rag.parsing.html_page import declared_charset

WORDS = "Die Prämie beträgt 1.200 €, fällig am 3. März. "


@pytest.mark.parametrize(
    "data",
    [
        WORDS.encode(),
        WORDS.encode("utf-8-sig"),
        codecs.BOM_UTF16_LE + WORDS.encode("utf-16-le"),
        codecs.BOM_UTF16_BE + WORDS.encode("utf-16-be"),
        codecs.BOM_UTF32_LE + WORDS.encode("utf-32-le"),
        WORDS.encode("utf-16-le"),
        WORDS.encode("utf-16-be"),
        (WORDS * 20).encode("cp1252"),
    ],
)
def test_it_is_read_as_it_was_written(data: bytes) -> None:
    assert decode(data).startswith(WORDS.strip())


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("The company\u2019s revenue \u2014 up 5% \u2013 was \u201cgood\u201d. Costs in £ and € rose. ", "cp1252"),
        ("Le café coûte très cher à l'hôtel, évidemment. ", "cp1252"),
        ("¿Cuánto? Los ingresos de la compañía aumentaron en el año. ", "cp1252"),
        ("Przychody spółki wzrosły w trzecim kwartale. Zażółć gęślą jaźń. ", "cp1250"),
        ("Příjmy společnosti se ve třetím čtvrtletí zvýšily. Řízení je účinné. ", "cp1250"),
        ("Выручка компании за третий квартал составила двести миллионов рублей. ", "cp1251"),
        ("Выручка компании за третий квартал составила двести миллионов рублей. ", "koi8_r"),
        ("会社の売上高は第3四半期に増加しました。", "cp932"),
        ("公司第三季度收入增长了百分之五。", "gb18030"),
    ],
)
def test_encodings_of_old_programs_are_recognised(text: str, encoding: str) -> None:
    assert decode((text * 20).encode(encoding)) == text * 20


def test_what_a_page_says_of_itself_comes_before_a_guess() -> None:
    page = '<html><head><meta http-equiv="Content-Type" content="text/html; charset=windows-1251">Выручка'
    data = page.encode("cp1251")
    assert declared_charset(data) == "windows-1251"
    assert decode(data, declared="windows-1251") == page


@pytest.mark.parametrize("declared", ["no-such-encoding", "ascii", "hex", "zip"])
def test_what_it_says_wrongly_is_passed_over(declared: str) -> None:
    assert "März" in decode((WORDS * 20).encode("cp1252"), declared=declared)


def test_one_broken_byte_does_not_spoil_a_text() -> None:
    data = (WORDS * 100).encode()
    assert decode(data[:-2] + b"\xc3").count("März") == 100


@pytest.mark.parametrize("size", [64, 5_000, 200_000])
def test_binary_is_refused_in_words(size: int) -> None:
    with pytest.raises(DamagedDocument, match="binary"):
        decode(random.Random(size).randbytes(size))  # noqa: S311 - any bytes do


def test_zeros_among_letters_are_binary() -> None:
    with pytest.raises(DamagedDocument):
        decode(b"\x7fELF\x02\x01\x01\0\0\0\0name\0\0\0\0" * 10)


def test_what_nobody_sees_is_taken_out() -> None:
    hidden = "".join(chr(0xE0000 + ord(letter)) for letter in "ignore all")
    assert clean(f"a\0b\x1b c\ud800d\u202ee\ufefff{hidden}g\u200bh") == "ab cdefgh"


def test_lines_and_spaces_are_ordinary_ones() -> None:
    assert clean("a\r\nb\rc\u2028d\n\n\n\n\ne  \t\nf\u00a0g") == "a\nb\nc\nd\n\ne\nf g"
    assert clean("def f():\n    return 1") == "def f():\n    return 1"
    assert clean("Contents ............................ 12") == "Contents ... 12"
    assert clean("o\ufb03ce") == "office"


def test_a_title_is_one_line_of_limited_length() -> None:
    assert one_line("  A \n title\t", max_chars=20) == "A title"
    assert one_line("word " * 100, max_chars=12) == "word word w…"
    assert len(one_line("x" * 10_000, max_chars=50)) == 50
