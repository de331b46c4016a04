"""Computes figures again from what is booked in the ledger, without the code that wrote them."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from rag.finsight.companies import COMPANIES, Company
from rag.finsight.ledger import Ledger
from rag.finsight.periods import Period

_ENTRY = re.compile(r"([a-z_]+)\.([a-z_0-9]+)\[(?:Q(\d) |FY)(\d{4})\]")
_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
BY_NAME = {company.name: company for company in COMPANIES}


def booked(ledger: Ledger, company: Company, statement: str, entry: str, period: Period) -> int:
    """One entry of the ledger; of a year, the sum of its quarters, or the last one where the entry stands still."""
    if period.quarter == 0:
        quarters = [booked(ledger, company, statement, entry, quarter) for quarter in period.quarters]
        return quarters[-1] if statement in {"balance", "shares"} else sum(quarters)
    found = ledger.of(company, period)
    match statement, entry:
        case "income", "revenue":
            return sum(found.income.segments)
        case "segments", place:
            return found.income.segments[int(place)]
        case "shares", "millions":
            return found.shares_millions
        case "dividend", "cents":
            return found.dividend_cents
        case _:
            part = getattr(found, statement)
            # Not what the ledger derives itself.
            assert entry in type(part).__dataclass_fields__, f"{statement}.{entry} is not booked"
            value = getattr(part, entry)
            assert isinstance(value, int)
            return value


def computed(ledger: Ledger, company: Company, derivation: str) -> list[Fraction]:
    """What the derivation comes to: one number, or the two ends of a range."""

    def value(match: re.Match[str]) -> str:
        statement, entry, quarter, year = match.groups()
        return str(booked(ledger, company, statement, entry, Period(int(year), int(quarter or 0))))

    return [_evaluated(ast.parse(_ENTRY.sub(value, part), mode="eval").body) for part in derivation.split(" to ")]


def _evaluated(node: ast.expr) -> Fraction:
    match node:
        case ast.BinOp(left=left, op=op, right=right):
            result = _OPERATORS[type(op)](_evaluated(left), _evaluated(right))
            assert isinstance(result, Fraction)
            return result
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_evaluated(operand)
        case ast.Constant(value=int(number)):
            return Fraction(number)
        case _:
            raise AssertionError(f"no arithmetic: {ast.dump(node)}")


def value_of(figure: str) -> list[Fraction]:
    """The numbers of a printed figure: tenths of a million, a share of one, or units of the currency."""
    return [_value(part.strip()) for part in figure.split(" to ")]


def _value(figure: str) -> Fraction:
    sign = -1 if figure.startswith("-") else 1
    number = Fraction(re.sub(r"[^\d.]", "", figure))
    if figure.endswith("million"):
        return sign * number * 10
    return sign * (number / 100 if figure.endswith("%") else number)


def step_of(figure: str) -> Fraction:
    """The last printed place, in the unit of `value_of`."""
    if figure.endswith("million"):
        return Fraction(1)
    return Fraction(1, 1000) if figure.endswith("%") else Fraction(1, 100)
