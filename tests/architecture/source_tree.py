"""The Python sources of a checkout and what they import, read from the text alone: nothing is executed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

_DYNAMIC_IMPORTS = {"__import__", "import_module"}


@dataclass(frozen=True)
class Import:
    """`importer` imports the module `target`, ours or another's, in line `line`."""

    importer: Source
    target: str
    line: int


@dataclass(frozen=True)
class Source:
    path: Path  # relative to the checkout
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, filename=str(self.path))

    @property
    def is_package(self) -> bool:
        return self.path.name == "__init__.py"

    @property
    def module(self) -> str:
        path = self.path.parent if self.is_package else self.path.with_suffix("")
        return ".".join(path.parts)

    @property
    def room(self) -> str:
        """The top-level folder; empty for a file beside the folders."""
        return self.path.parts[0] if len(self.path.parts) > 1 else ""

    def at(self, line: int, message: str) -> str:
        return f"{self.path}:{line}: {message}"


class SourceTree:
    """Every .py file below `root`, but for folders whose name starts with a dot."""

    def __init__(self, root: Path) -> None:
        paths = sorted(path for path in _python_files(root))
        self.sources = [Source(path.relative_to(root), path.read_text(encoding="utf-8")) for path in paths]
        self.modules = {source.module for source in self.sources}
        self.imports = [found for source in self.sources for found in self._imports(source)]

    def packages(self) -> set[str]:
        return {source.module for source in self.sources if source.is_package}

    def _imports(self, source: Source) -> Iterator[Import]:
        """All of them: at the top, inside functions, under TYPE_CHECKING, and by a literal name at run time."""
        for node in ast.walk(source.tree):
            match node:
                case ast.Import(names=names):
                    for name in names:
                        yield Import(source, name.name, node.lineno)
                case ast.ImportFrom(names=names):
                    base = _absolute(source, node)
                    # `from package import module` imports the module, `from module import name` does not.
                    inner = [f"{base}.{name.name}" for name in names]
                    for target in dict.fromkeys(name if name in self.modules else base for name in inner):
                        yield Import(source, target, node.lineno)
                case ast.Call(
                    func=ast.Name(id=called) | ast.Attribute(attr=called), args=[ast.Constant(value=str(name)), *_]
                ):
                    if called in _DYNAMIC_IMPORTS:
                        yield Import(source, name, node.lineno)


def within(module: str, package: str) -> bool:
    """Whether `module` is `package` or lies in it."""
    return module == package or module.startswith(f"{package}.")


def _absolute(source: Source, node: ast.ImportFrom) -> str:
    """The module behind `from`, with the dots of a relative import resolved."""
    if not node.level:
        return node.module or ""
    package = source.module.split(".")
    package = package[: len(package) - node.level + source.is_package]
    return ".".join([*package, *([node.module] if node.module else [])])


def _python_files(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name.startswith(".") or path.is_symlink():
            continue
        if path.is_dir():
            yield from _python_files(path)
        elif path.suffix == ".py":
            yield path
