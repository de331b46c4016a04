"""The words the slot parser knows: data files that come with it, and the user's own."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from api.cache.slots.text.tokens import tokenize
from api.cache.slots.types import Token
from api.cache.slots.words.lexicon_file import DEEDS, GRAMMAR, LexiconError, LexiconFile, NameEntry, read_lexicon_file
from api.cache.slots.words.word_forms import singular, verb_forms

_FOLDER = Path(__file__).parents[1] / "lexicon"
# What says something about entries and is none.
_LISTS = frozenset({"ticker_words", "calendar_years", "terms", "concepts", DEEDS})
_COMPOUND = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)+", re.ASCII)


class Written(Enum):
    """How a name must be written to count."""

    ANYHOW = "anyhow"
    CAPITALISED = "capitalised"
    """It is an everyday word too."""
    IN_CAPITALS = "in capitals"
    WITH_S = "with 's"
    """Without it, it is somebody's first or last name."""


class Word(NamedTuple):
    """A token, or a part of one joined by hyphens: `data-center` is read as `data center`."""

    text: str
    base: str
    """Singular."""
    raw: str
    token: int


class Phrase(NamedTuple):
    """`words` are texts for names of entities, base forms for everything else."""

    words: tuple[str, ...]
    slot: str
    value: str
    written: Written
    where: str
    texts: tuple[str, ...]
    lemma: str | None
    """The base form, of a verb."""
    is_ambiguous: bool
    """A ticker that is a word as well."""


class Match(NamedTuple):
    start: int
    end: int
    phrase: Phrase


class _Index:
    """Phrases by their words, found by the first of them."""

    def __init__(self) -> None:
        self._phrases: dict[tuple[str, ...], Phrase] = {}
        self._lengths: dict[str, tuple[int, ...]] = {}

    def add(self, phrase: Phrase) -> Phrase:
        """The phrase that has these words, which may be an earlier one."""
        first, length = phrase.words[0], len(phrase.words)
        self._lengths[first] = tuple(sorted({length, *self._lengths.get(first, ())}, reverse=True))
        return self._phrases.setdefault(phrase.words, phrase)

    def get(self, words: tuple[str, ...]) -> Phrase | None:
        return self._phrases.get(words)

    def starting(self, words: Sequence[str], start: int) -> Iterator[Phrase]:
        for length in self._lengths.get(words[start], ()):
            phrase = self._phrases.get(tuple(words[start : start + length]))
            if phrase is not None:
                yield phrase


class Lexicon:
    """Immutable once loaded."""

    def __init__(self, files: Sequence[LexiconFile]) -> None:
        """Raises LexiconError when two entries claim one name."""
        self._names = _Index()
        self._terms = _Index()
        self._lemmas: dict[tuple[str, ...], str] = {}
        self._brands: set[tuple[str, ...]] = set()
        self.entity_kinds, self.metric_kinds = _kinds(files)
        self.digest = hashlib.sha256(b"\0".join(file.content for file in files)).hexdigest()[:16]
        self._deeds = {
            (entry.group, entry.name): tuple(word.base for word in read_words(tokenize(entry.value)))
            for file in files
            for entry in file.names
            if entry.section == DEEDS
        }
        entries = [entry for file in files for entry in file.names]
        ticker_words = {entry.name.lower() for entry in entries if entry.section == "ticker_words"}
        self._tickers = ticker_words | {entry.name.lower() for entry in entries if entry.group == "tickers"}
        self.calendar_years = frozenset(entry.name for entry in entries if entry.section == "calendar_years")
        self.concepts = frozenset(_spelled(entry.name) for entry in entries if entry.section == "concepts")
        self.terms = frozenset(entry.name for entry in entries if entry.section == "terms")
        problems = [
            problem
            for file in files
            for entry in file.names
            if entry.section not in _LISTS
            for phrase in _phrases(entry, ticker_words)
            if (problem := self._add(phrase, entry)) is not None
        ]
        problems += _nowhere(entries)
        if problems:
            raise LexiconError(tuple(problems))

    @classmethod
    def load(cls, own: Path | None = None) -> Lexicon:
        """The built-in files and the user's. Raises LexiconError."""
        files = [read_lexicon_file(path, own=False) for path in sorted(_FOLDER.glob("*.yaml"))]
        if own is not None:
            files.append(read_lexicon_file(own, own=True))
        return cls(files)

    def lemma(self, texts: tuple[str, ...]) -> str:
        """The base form of a verb that is in the lexicon, given the texts of its words; else the texts."""
        return self._lemmas.get(texts) or " ".join(texts)

    def noun_for(self, asked: str, verb: tuple[str, ...]) -> tuple[str, ...] | None:
        """What was done, as a noun: of "sold" after "how many" the unit sales. `verb`: the texts of its words."""
        return self._deeds.get((asked, self.lemma(verb)))

    def metric(self, words: tuple[str, ...]) -> str | None:
        """The metric that has just this name, in base forms."""
        phrase = self._terms.get(words)
        return phrase.value if phrase is not None and phrase.slot == "metrics" else None

    def entity(self, words: tuple[str, ...]) -> str | None:
        """What has just this name, however it is written."""
        phrase = self._names.get(words)
        return phrase.value if phrase is not None and phrase.written is Written.ANYHOW else None

    def is_base(self, texts: tuple[str, ...]) -> bool:
        """Whether it is a verb in its base form."""
        return self._lemmas.get(texts) == " ".join(texts)

    def is_brand(self, texts: tuple[str, ...]) -> bool:
        """Whether the name stands for the company only where its figures are spoken of."""
        return texts in self._brands

    def is_ticker(self, text: str) -> bool:
        """Whether it is short for a company and, where no figure is spoken of, may be for something else."""
        return text in self._tickers

    def matches(self, words: Sequence[Word]) -> Iterator[Match]:
        """Every phrase that is there, wherever it may begin, however it is written."""
        texts = [word.text for word in words]
        bases = [word.base for word in words]
        for start in range(len(words)):
            for phrase in self._names.starting(texts, start):
                yield Match(start, start + len(phrase.words), phrase)
            for phrase in self._terms.starting(bases, start):
                yield Match(start, start + len(phrase.words), phrase)

    def _add(self, phrase: Phrase, entry: NameEntry) -> str | None:
        if entry.group == "brands" or phrase.is_ambiguous:
            self._brands.add(phrase.texts)
        if phrase.lemma is not None:
            self._lemmas.setdefault(phrase.texts, phrase.lemma)
        known = (self._names if phrase.slot == "entities" else self._terms).add(phrase)
        if (known.slot, known.value) == (phrase.slot, phrase.value):
            return None
        return f"{entry.where}: {entry.name!r} means {known.slot}.{known.value} already ({known.where})"


def _spelled(name: str) -> str:
    return " ".join(word.base for word in read_words(tokenize(name)))


def _nowhere(entries: Sequence[NameEntry]) -> Iterator[str]:
    """Keys that a list speaks of and no entity has."""
    named = {entry.value for entry in entries if entry.section == "entities"}
    for entry in entries:
        if entry.section == "calendar_years" and entry.name not in named:
            yield f"{entry.where}: {entry.name!r} is no key of entities"


def read_words(tokens: Sequence[Token]) -> list[Word]:
    words: list[Word] = []
    for index, (text, raw) in enumerate(tokens):
        if "-" in text and _COMPOUND.fullmatch(text):
            raws = raw.split("-")
            parts = text.split("-")
            words.extend(
                Word(part, singular(part), raws[at] if len(raws) == len(parts) else raw, index)
                for at, part in enumerate(parts)
            )
        else:
            words.append(Word(text, singular(text), raw, index))
    return words


def _kinds(files: Sequence[LexiconFile]) -> tuple[Mapping[str, str], Mapping[str, str]]:
    given: dict[tuple[str, str], str] = {}
    problems = []
    for file in files:
        for (section, value), kind in file.kinds.items():
            if given.setdefault((section, value), kind) != kind:
                problems.append(f"{section}.{value}.kind: is {given[section, value]} already, not {kind}")
    if problems:
        raise LexiconError(tuple(problems))
    entities = {value: kind for (section, value), kind in given.items() if section == "entities"}
    metrics = {value: kind for (section, value), kind in given.items() if section == "metrics"}
    return entities, metrics


def _phrases(entry: NameEntry, ticker_words: set[str]) -> Iterator[Phrase]:
    slot = f"{entry.group}" if entry.section == GRAMMAR else entry.section
    written = Written.ANYHOW
    if entry.group == "capitalised":
        written = Written.CAPITALISED
    elif entry.group == "tickers" and (len(entry.name) < 3 or entry.name.lower() in ticker_words):
        written = Written.IN_CAPITALS
    elif entry.section == "entities" and entry.name.endswith("'s") and " " not in entry.name:
        written = Written.WITH_S
    verb = entry.name.removeprefix("to ")
    is_verb = verb != entry.name and slot not in {"entities", "modal"} and entry.name != "to know"
    lemma = verb.partition(",")[0] if is_verb else None
    for name in verb_forms(verb) if is_verb else (entry.name,):
        words = read_words(tokenize(name))
        if not words:
            raise LexiconError((f"{entry.where}: {name!r} has no word in it",))
        spelled = tuple(word.text if slot == "entities" else word.base for word in words)
        texts = tuple(word.text for word in words)
        is_ambiguous = entry.group == "tickers" and entry.name.lower() in ticker_words
        yield Phrase(spelled, slot, entry.value, written, entry.where, texts, lemma, is_ambiguous)
