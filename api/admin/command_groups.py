"""How commands are arranged: groups, and in each its commands, which say what to ask and how to show the answer."""

from __future__ import annotations

import argparse
from typing import Any, TypeAlias

# argparse makes the class generic for type checkers alone.
Groups: TypeAlias = "argparse._SubParsersAction[Any]"  # noqa: SLF001 - it has no public name


def commands_of(groups: Groups, name: str, *, help_: str) -> Groups:
    group = groups.add_parser(name, help=help_)
    commands: Groups = group.add_subparsers(dest="command", required=True, metavar="COMMAND")
    return commands
