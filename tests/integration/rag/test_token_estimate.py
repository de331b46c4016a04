"""The estimate of tokens against the tokeniser of the built-in model."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag.embedded_text import embedded_text
from rag.parsing.blocks import Block
from rag.parsing.splitting import split
from rag.parsing.tokens import estimated_tokens
from serving.embedders.model_files import read_model_files
from serving.embedders.wordpiece import WordPiece

ROOT = Path(__file__).resolve().parents[3]
_SPECIAL_TOKENS = 2


@pytest.fixture(scope="module")
def words(minilm_dir: Path) -> WordPiece:
    return WordPiece(read_model_files(minilm_dir).tokenizer, max_tokens=1_000_000)


def tokens(words: WordPiece, texts: list[str]) -> list[int]:
    return [count - _SPECIAL_TOKENS for count in words.counts(texts)]


@pytest.mark.parametrize("pattern", ["docs/**/*.md", "rag/finsight/data/corpus/*.md", "rag/parsing/*.py"])
def test_pieces_of_english_fill_the_model_and_fit_it(words: WordPiece, pattern: str) -> None:
    texts = [path.read_text() for path in sorted(ROOT.glob(pattern))]
    pieces = list(split([Block(text=text, headings=("A heading",)) for text in texts], title="A title", tokens=200))
    embedded = [embedded_text("A title", piece.headings, piece.text) for piece in pieces]
    real = tokens(words, embedded)
    assert len(pieces) > 20
    assert max(real) <= 254
    assert 130 < sum(real) / len(real) < 215
    assert 0.95 < sum(map(estimated_tokens, embedded)) / sum(real) < 1.3


@pytest.mark.parametrize(
    "text",
    [
        "Aldermoor reported revenue of $1,234.56 million in Q3 2024, up 4.1% from Q2 2024.",
        "The depreciation of intangible assets amounted to EUR 12.4 million (previous year: 11,987 thousand).",
        "公司第三季度收入增长了百分之五。会社の売上高は増加しました。",
        "Выручка компании за третий квартал составила двести миллионов рублей.",
        "ارتفعت إيرادات الشركة في الربع الثالث من العام الماضي بشكل كبير.",
        "Le chiffre d'affaires de la société a augmenté de façon considérable.",
        "f3a9c2d4e5b6978812ab34cd56ef7890 https://host.example/path?query=1",
    ],
)
def test_two_hundred_estimated_are_never_more_than_the_model_reads(words: WordPiece, text: str) -> None:
    (real,) = tokens(words, [text])
    assert real / estimated_tokens(text) < 254 / 200
