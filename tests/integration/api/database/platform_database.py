"""`python -m api.database` on a database, and what that looks like from outside."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from api.database.__main__ import PROG, main
from api.settings import setting_names
from scripts.embedded.postgres_server import postgres_binaries
from serving.tools.command_line import run

_ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in setting_names()}


@dataclass(frozen=True)
class PlatformDatabase:
    url: str
    capsys: pytest.CaptureFixture[str]

    @property
    def environment(self) -> dict[str, str]:
        """For a process of its own."""
        return {**_ENVIRONMENT, "DATABASE_URL": self.url}

    def ask(self, *arguments: str, status: int = 0) -> str:
        """What the command says, on standard error where it fails as expected."""
        self.capsys.readouterr()
        done = run(main, prog=PROG, arguments=arguments)
        said = self.capsys.readouterr()
        assert done == status, said
        return said.err if status else said.out

    def query(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            found = connection.execute(statement, values or None)
            return found.fetchall() if found.description else []

    def schema(self) -> str:
        """As pg_dump writes it, without the lines that differ each time, and without extensions."""
        done = subprocess.run(
            [postgres_binaries() / "pg_dump", "--schema-only", "--no-owner", "--schema=public", self.url],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return re.sub(r"^\\(un)?restrict .*$", "", done.stdout, flags=re.MULTILINE)
