"""A short string that matches a regular expression, for the common part of the language.

Literals, classes, `.`, `\\d`, `\\w`, `\\s` and their opposites, groups, alternatives, quantifiers and anchors. The
caller checks the result with `re`, so a pattern beyond this (look-around, back-references) is noticed there.
"""

from __future__ import annotations

import string

from serving.mock_llm.structured.check import SchemaError

_ESCAPED = {
    "d": "0",
    "w": "a",
    "s": " ",
    "D": "a",
    "W": "-",
    "S": "a",
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "b": "",
    "B": "",
}
_MAX_LENGTH = 10_000
_CLASSES = {"d": string.digits, "w": string.ascii_letters + string.digits + "_", "s": " \t\n"}
_PREFERRED = string.ascii_lowercase + string.ascii_uppercase + string.digits + string.punctuation + " "


def example_of(pattern: str) -> str:
    """Raises SchemaError when the pattern cannot be read to its end."""
    reader = _Reader(pattern)
    text = reader.alternatives()
    if reader.position != len(pattern):
        raise SchemaError(f"the pattern {pattern!r} is not supported")
    return text


class _Reader:
    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self.position = 0

    def alternatives(self) -> str:
        """The text of the first alternative; the others are read over."""
        chosen = self._sequence()
        while self._take("|"):
            self._sequence()
        return chosen

    def _sequence(self) -> str:
        parts: list[str] = []
        while self.position < len(self._pattern) and self._peek() not in "|)":
            atom, repetitions = self._atom(), self._repetitions()
            if len(atom) * repetitions > _MAX_LENGTH:
                raise SchemaError(f"the pattern {self._pattern!r} asks for more than {_MAX_LENGTH} characters")
            parts.append(atom * repetitions)
        return "".join(parts)

    def _atom(self) -> str:
        character = self._next()
        if character in "^$":
            return ""
        if character == "(":
            if self._take("?") and not self._take(":"):
                raise SchemaError(f"the pattern {self._pattern!r} is not supported")
            text = self.alternatives()
            if not self._take(")"):
                raise SchemaError(f"the pattern {self._pattern!r} lacks a closing bracket")
            return text
        if character == "[":
            return self._class()
        if character == "\\":
            escaped = self._next()
            return _ESCAPED.get(escaped, escaped)
        return "a" if character == "." else character

    def _class(self) -> str:
        negated = self._take("^")
        members: set[str] = set()
        while not self._take("]"):
            first = self._next()
            if first == "\\":
                escaped = self._next()
                members |= set(_CLASSES.get(escaped, escaped))
            elif self._peek() == "-" and self._pattern[self.position + 1 : self.position + 2] != "]":
                self._next()
                members |= {chr(code) for code in range(ord(first), ord(self._next()) + 1)}
            else:
                members.add(first)
        allowed = [one for one in _PREFERRED if (one in members) != negated]
        if not allowed and not members:
            raise SchemaError(f"the pattern {self._pattern!r} has an empty class")
        return allowed[0] if allowed else min(members)

    def _repetitions(self) -> int:
        count = 1
        if self._take("?") or self._take("*"):
            count = 0
        elif self._take("{"):
            bounds = ""
            while not self._take("}"):
                bounds += self._next()
            least = bounds.split(",")[0]
            if not least.isdigit():
                raise SchemaError(f"the pattern {self._pattern!r} is not supported")
            count = int(least)
        else:
            self._take("+")
        self._take("?")
        return count

    def _peek(self) -> str:
        return self._pattern[self.position : self.position + 1]

    def _next(self) -> str:
        if self.position >= len(self._pattern):
            raise SchemaError(f"the pattern {self._pattern!r} ends too early")
        self.position += 1
        return self._pattern[self.position - 1]

    def _take(self, character: str) -> bool:
        if self._peek() != character:
            return False
        self.position += 1
        return True
