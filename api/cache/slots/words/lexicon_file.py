"""A lexicon file: YAML -> checked sections, or every reason why not. Format: docs/reference/cache-lexicon.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from serving.catalogue.yaml_document import Document, YamlSyntaxError, dotted, read_yaml

ENTITY_KINDS = ("company", "index", "geography", "segment")
METRIC_KINDS = (
    "flow",
    "expense",
    "payment",
    "balance",
    "count",
    "ratio",
    "market",
    "attribute",
    "person",
    "date",
    "place",
)
# One value, many names.
NAMED_SECTIONS = ("basis", "directions", "negations", "documents", "synonyms")
WORD_SECTIONS = ("soft", "stop", "ticker_words", "calendar_years", "terms", "concepts")
# How English puts questions: what the parser's rules are written for, so not for a user's own file.
GRAMMAR = "grammar"
# What verbs are as nouns (deeds.py): names of no things, so they stand for nothing by themselves.
DEEDS = "deeds"

_MAX_BYTES = 1_048_576
_MAX_NAME = 100
_FIELDS = {"entities": {"kind", "names", "brands", "capitalised", "tickers"}, "metrics": {"kind", "names"}}
_KINDS = {"entities": ENTITY_KINDS, "metrics": METRIC_KINDS}

Path_ = tuple[str | int, ...]


class LexiconError(Exception):
    """A lexicon file is wrong. `problems`: one sentence each, with file, line and field."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class NameEntry:
    """`name` means `value`. `group`: names, capitalised or tickers, or the category of grammar."""

    section: str
    value: str
    group: str
    name: str
    where: str
    """File and line, for messages."""


@dataclass(frozen=True, slots=True)
class LexiconFile:
    names: tuple[NameEntry, ...]
    kinds: Mapping[tuple[str, str], str]
    """(section, value) -> kind, where the file gives one."""
    content: bytes


def read_lexicon_file(path: Path, *, own: bool) -> LexiconFile:
    """Read and check `path`; `own`: the user's. Raises LexiconError."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise LexiconError((f"{str(path)!r} cannot be read: {reason}",)) from None
    if len(content) > _MAX_BYTES:
        raise LexiconError((f"{path}: is larger than {_MAX_BYTES} bytes",))
    try:
        document = read_yaml(content.decode("utf-8-sig"), ours=not own)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise LexiconError((f"{path}:{line}: is not UTF-8 text",)) from None
    except YamlSyntaxError as error:
        raise LexiconError((f"{path}:{error.line}: {error}",)) from None
    reader = _Reader(document, str(path), own=own)
    names = tuple(reader.read())
    if reader.problems:
        raise LexiconError(tuple(dict.fromkeys(reader.problems)))
    return LexiconFile(names, reader.kinds, content)


class _Reader:
    def __init__(self, document: Document, file: str, *, own: bool) -> None:
        self._document = document
        self._file = file
        self._own = own
        self.kinds: dict[tuple[str, str], str] = {}
        self.problems = [self._sentence(finding.path, finding.message) for finding in document.findings]

    def read(self) -> Iterator[NameEntry]:
        sections = self._mapping((), self._document.value)
        allowed = ("entities", "metrics", *NAMED_SECTIONS, *WORD_SECTIONS, *(() if self._own else (GRAMMAR, DEEDS)))
        for section, value in sections.items():
            path: Path_ = (section,)
            if section in _FIELDS:
                yield from self._entries(path, value)
            elif section in NAMED_SECTIONS and section in allowed:
                for key, names in self._mapping(path, value).items():
                    yield from self._names((section, key), names, (section, key, "names"))
            elif section in WORD_SECTIONS:
                yield from self._names(path, value, (section, section, "names"))
            elif section in (GRAMMAR, DEEDS) and section in allowed:
                for category, values in self._mapping(path, value).items():
                    for key, names in self._mapping((*path, category), values).items():
                        yield from self._names((*path, category, key), names, (section, key, category))
            else:
                self._wrong(path, f"is no section of a lexicon: use {', '.join(allowed)}")

    def _entries(self, path: Path_, value: object) -> Iterator[NameEntry]:
        section = str(path[0])
        for key, entry in self._mapping(path, value).items():
            here = (*path, key)
            for field, content in self._mapping(here, entry).items():
                if field not in _FIELDS[section]:
                    self._wrong((*here, field), f"is no field of {section}: use {', '.join(sorted(_FIELDS[section]))}")
                elif field != "kind":
                    yield from self._names((*here, field), content, (section, key, field))
                elif content in _KINDS[section]:
                    self.kinds[section, key] = str(content)
                else:
                    self._wrong((*here, field), f"must be one of {', '.join(_KINDS[section])}")

    def _names(self, path: Path_, value: object, target: tuple[str, str, str]) -> Iterator[NameEntry]:
        section, key, group = target
        if not isinstance(value, list):
            self._wrong(path, "must be a list of names, such as [net income, net profit]")
            return
        for index, name in enumerate(value):
            here = (*path, index)
            if not isinstance(name, str) or not name.strip() or len(name) > _MAX_NAME:
                self._wrong(
                    here, f"must be a text of 1 to {_MAX_NAME} characters; put quotes around numbers, yes, no, on"
                )
            else:
                yield NameEntry(section, key, group, name, f"{self._file}:{self._document.line(here)}")

    def _mapping(self, path: Path_, value: object) -> Mapping[str, object]:
        if isinstance(value, dict):
            return value
        self._wrong(path, "must be a mapping of names to values")
        return {}

    def _wrong(self, path: Path_, message: str) -> None:
        self.problems.append(self._sentence(path, message))

    def _sentence(self, path: Path_, message: str) -> str:
        field = dotted(path)
        return f"{self._file}:{self._document.line(path)}: {f'{field}: ' if field else ''}{message}"
