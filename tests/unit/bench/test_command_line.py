"""How the benches read their command line."""

from __future__ import annotations

import argparse

import pytest

from bench.command_line import add_parts


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [([], []), (["--seconds", "1"], []), (["one"], ["one"]), (["two", "one", "--seconds", "1"], ["two", "one"])],
)
def test_parts_are_those_that_are_named(arguments: list[str], parts: list[str]) -> None:
    parser = argparse.ArgumentParser()
    add_parts(parser, ("one", "two"))
    parser.add_argument("--seconds")
    assert parser.parse_args(arguments).parts == parts


def test_a_part_that_there_is_not_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_parts(parser, ("one", "two"))
    with pytest.raises(SystemExit):
        parser.parse_args(["three"])
    assert "there is no part 'three', only one, two" in capsys.readouterr().err
