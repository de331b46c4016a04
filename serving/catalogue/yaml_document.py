"""A YAML text as plain values that remember their lines.

PyYAML's own constructor drops positions, keeps the last of two equal keys and raises many kinds of error on odd
scalars; so the node tree is walked here instead.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

import yaml

# Where a value is: the keys and list positions that lead to it from the top.
Path = tuple[str | int, ...]

_MAX_DEPTH = 20
# Counted after aliases are followed, which a short text can make exponentially many of.
_MAX_VALUES = 100_000
_MAX_SHOWN = 60
_TOO_DEEP = f"values are nested more than {_MAX_DEPTH} levels deep"
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_TAG = "tag:yaml.org,2002:"


class YamlSyntaxError(ValueError):
    """The text is not one YAML document; `line` counts from 1."""

    def __init__(self, message: str, *, line: int) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with the value at `path`, or with the field that is missing there."""

    path: Path
    message: str
    line: int | None = None


@dataclass(slots=True)
class Document:
    """`value` is made of dict, list, str, int, float, bool and None; `findings` tells what could not be read."""

    value: object = None
    lines: dict[Path, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def line(self, path: Path) -> int:
        """The line of the value at `path`, or of what should hold it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read_yaml(text: str, *, ours: bool = False) -> Document:
    """Raises YamlSyntaxError.

    `ours`: it comes with the platform, so libyaml may read it, in an eighth of the time. Texts of others are not for
    it: it does not bound how deep values are nested, and its words for mistakes are other ones.
    """
    root = _compose_ours(text) if ours else _compose(text)
    if root is None:
        raise YamlSyntaxError("the file is empty", line=1)
    reader = _Reader()
    reader.document.value = reader.read(root, ())
    return reader.document


def _compose_ours(text: str) -> yaml.Node | None:
    if not yaml.__with_libyaml__:
        return _compose(text)
    try:
        node: yaml.Node | None = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError:
        return _compose(text)  # which says what is wrong in the words of this module
    return node


def _compose(text: str) -> yaml.Node | None:
    try:
        loader = yaml.SafeLoader(text)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise YamlSyntaxError(f"character U+{ord(text[error.position]):04X} is not allowed", line=line) from None
    try:
        return loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = ", ".join(part for part in (error.context, error.problem) if part)
        raise YamlSyntaxError(f"is not YAML: {message}", line=mark.line + 1 if mark else 1) from None
    except RecursionError:
        raise YamlSyntaxError(_TOO_DEEP, line=loader.line + 1) from None
    except (ValueError, OverflowError):
        # PyYAML lets these through for escapes such as "\U99999999" and for very long version directives.
        raise YamlSyntaxError(
            "is not YAML: a number in an escape or directive is out of range", line=loader.line + 1
        ) from None
    finally:
        loader.dispose()


def dotted(path: Path) -> str:
    """`models[1].base_url`; a key that is no plain word is quoted and, when long, cut."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            shown = part if _PLAIN_KEY.fullmatch(part) else json.dumps(part)
            text += f".{shortened(shown)}" if text else shortened(shown)
    return text


def shortened(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"


class _Reader:
    def __init__(self) -> None:
        self.document = Document()
        self._values = 0

    def read(self, node: yaml.Node, path: Path, line: int | None = None) -> object:
        """`line`: that of the value's key, where a person looks for it."""
        self._values += 1
        own_line = node.start_mark.line + 1
        if self._values > _MAX_VALUES:
            raise YamlSyntaxError(f"there are more than {_MAX_VALUES} values", line=own_line)
        if len(path) > _MAX_DEPTH:
            raise YamlSyntaxError(_TOO_DEEP, line=own_line)
        self.document.lines[path] = line or own_line
        if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
            return [self.read(item, (*path, index)) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        self._found(path, f"has a tag that is not supported here: {json.dumps(node.tag)}")
        return None

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, object]:
        mapping: dict[str, object] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode) or key.tag not in {f"{_TAG}str", f"{_TAG}merge"}:
                self._found(path, "has a field name that is not text", line=line)
            elif key.tag == f"{_TAG}merge":
                self._found(path, "has a merge key (<<): write the fields out", line=line)
            elif _SURROGATE.search(key.value):
                self._found(path, "has a field name with half a character (a lone surrogate)", line=line)
            elif key.value in mapping:
                first = self.document.lines[*path, key.value]
                self._found((*path, key.value), f"is given twice, first in line {first}", line=line)
            else:
                mapping[key.value] = self.read(value, (*path, key.value), line)
        return mapping

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> object:
        if _SURROGATE.search(node.value):
            self._found(path, "holds half a character (a lone surrogate)")
            return None
        try:
            return _plain_value(node.tag.removeprefix(_TAG), node.value)
        except ValueError as error:
            self._found(path, str(error))
            return None

    def _found(self, path: Path, message: str, line: int | None = None) -> None:
        self.document.findings.append(Finding(path, message, line))


def _plain_value(tag: str, text: str) -> object:
    match tag:
        case "null":
            return None
        case "bool":
            return text.lower() in {"yes", "true", "on"}
        case "int" | "float":
            return _number(text)
        case "str" | "timestamp" | "value":
            return text
    raise ValueError(f"has a tag that is not supported here: {json.dumps(shortened(tag))}")


def _number(text: str) -> int | float:
    """Numbers as a person reads them: YAML 1.1 takes 010 for eight and 1:30 for ninety, which nobody means here."""
    digits = text.replace("_", "")
    try:
        return int(digits)
    except ValueError:
        pass
    try:
        return float(digits.lower().replace(".inf", "inf").replace(".nan", "nan"))
    except ValueError:
        raise ValueError(
            "is not a number that can be read: write it in decimal digits, or in quotes if it is text"
        ) from None
