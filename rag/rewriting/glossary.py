"""Standard terms and their other names, out of YAML: rag/glossary.yaml and a user's own file."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from rag.language.words import Token, tokens_of
from serving.catalogue.yaml_document import Document, YamlSyntaxError, read_yaml

BUILT_IN = Path(__file__).resolve().parents[1] / "glossary.yaml"
_MAX_BYTES = 1_048_576
_MAX_NAME = 100
_LOOSE = "loose"
_BETWEEN_WORDS = re.compile(r"(?:[\s/-]|[,\u2019']\s?)+")


class GlossaryError(Exception):
    """A glossary file is wrong. `problems`: one sentence each, with file and line."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class TermKind(StrEnum):
    FIGURE = "figures"
    TERM = "terms"
    KEEP = "keep"


class TermSpan(NamedTuple):
    """Where a text has a name of the glossary."""

    start: int
    end: int
    standard: str
    kind: TermKind
    loose: bool
    """An everyday word too: it is the standard term only where the question names a period."""


@dataclass(frozen=True, slots=True)
class _Entry:
    words: tuple[str, ...]
    standard: str
    kind: TermKind
    as_written: bool
    """Found only in these very capital letters."""
    loose: bool


class Glossary:
    """Names by their first word, the longest first."""

    def __init__(self, entries: Mapping[tuple[str, ...], _Entry], version: str) -> None:
        self.version = version
        """Changes with the content of the files."""
        self._by_word: dict[str, list[_Entry]] = {}
        for entry in sorted(entries.values(), key=lambda entry: -len(entry.words)):
            self._by_word.setdefault(entry.words[0].lower(), []).append(entry)

    def spans(self, text: str, tokens: Sequence[Token]) -> list[TermSpan]:
        """In the order of the text, without overlaps; names to be kept as they are among them."""
        found: list[TermSpan] = []
        index = 0
        while index < len(tokens):
            entry = self._at(text, tokens, index)
            if entry is None:
                index += 1
                continue
            last = tokens[index + len(entry.words) - 1]
            found.append(TermSpan(tokens[index].start, last.end, entry.standard, entry.kind, entry.loose))
            index += len(entry.words)
        return found

    def _at(self, text: str, tokens: Sequence[Token], index: int) -> _Entry | None:
        for entry in self._by_word.get(tokens[index].lower, ()):
            part = tokens[index : index + len(entry.words)]
            if len(part) == len(entry.words) and _same(entry, part) and _adjacent(text, part):
                return entry
        return None


def load_glossary(own: Path | None = None) -> Glossary:
    """The built-in file, and `own` over it: a name that both have means what `own` says. Raises GlossaryError."""
    entries: dict[tuple[str, ...], _Entry] = {}
    digest = hashlib.blake2b(digest_size=6)
    for path in filter(None, (BUILT_IN, own)):
        content = _content(path)
        digest.update(content)
        for entry in _entries(path, content):
            entries[entry.words] = entry
    return Glossary(entries, digest.hexdigest())


def _same(entry: _Entry, part: Sequence[Token]) -> bool:
    if entry.as_written:
        return all(word == token.text for word, token in zip(entry.words, part, strict=True))
    return all(word == token.lower for word, token in zip(entry.words, part, strict=True))


def _adjacent(text: str, part: Sequence[Token]) -> bool:
    return all(_BETWEEN_WORDS.fullmatch(text, one.end, other.start) for one, other in pairwise(part))


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise GlossaryError((f"{str(path)!r} cannot be read: {error}",)) from None
    if len(content) > _MAX_BYTES:
        raise GlossaryError((f"{path}: is larger than {_MAX_BYTES} bytes",))
    return content


def _entries(path: Path, content: bytes) -> list[_Entry]:
    try:
        document = read_yaml(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise GlossaryError((f"{path}: is not UTF-8 text",)) from None
    except YamlSyntaxError as error:
        raise GlossaryError((f"{path}:{error.line}: {error}",)) from None
    reader = _Reader(path, document)
    entries = reader.entries()
    if reader.problems:
        raise GlossaryError(tuple(reader.problems))
    return entries


class _Reader:
    def __init__(self, path: Path, document: Document) -> None:
        self._path = path
        self._document = document
        self._loose: set[str] = set()
        self.problems: list[str] = []
        for finding in document.findings:
            self._wrong(finding.path, finding.message, finding.line)

    def entries(self) -> list[_Entry]:
        sections = self._mapping((), self._document.value)
        self._loose = {name.lower() for name in self._list((_LOOSE,), sections.get(_LOOSE, []))}
        found: list[_Entry] = []
        for section, value in sections.items():
            if section == TermKind.KEEP:
                for name in self._list((section,), value):
                    found += self._forms(name, TermKind.KEEP, name)
            elif section in (TermKind.FIGURE, TermKind.TERM):
                for standard, names in self._mapping((section,), value).items():
                    for name in (standard, *self._list((section, standard), names)):
                        found += self._forms(standard, TermKind(section), name)
            elif section != _LOOSE:
                self._wrong((section,), f"{section!r} is no section: use {', '.join((*TermKind, _LOOSE))}")
        return found

    def _forms(self, standard: str, kind: TermKind, name: str) -> list[_Entry]:
        """A name in singular and plural."""
        words = tuple(token.text for token in tokens_of(name))
        if not words:
            self._wrong((kind.value,), f"{name!r} has no word in it")
            return []
        as_written = name.isupper() and name != standard
        if as_written:
            return [_Entry(words, standard, kind, as_written=True, loose=False)]
        loose = name.lower() in self._loose
        lower = tuple(word.lower() for word in words)
        plural = (*lower[:-1], f"{lower[-1]}s")
        return [_Entry(form, standard, kind, as_written=False, loose=loose) for form in (lower, plural)]

    def _mapping(self, where: tuple[str, ...], value: object) -> dict[str, object]:
        if isinstance(value, dict):
            return value
        self._wrong(where, f"{where[-1]} must be `standard term: [other names]`" if where else "must have sections")
        return {}

    def _list(self, where: tuple[str, ...], value: object) -> list[str]:
        names = value if isinstance(value, list) else []
        if not isinstance(value, list) or not all(isinstance(name, str) and len(name) <= _MAX_NAME for name in names):
            self._wrong(where, f"{where[-1]} must be a list of names of at most {_MAX_NAME} characters")
            return []
        return names

    def _wrong(self, where: tuple[str | int, ...], what: str, line: int | None = None) -> None:
        self.problems.append(f"{self._path}:{line or self._document.line(where)}: {what}")
