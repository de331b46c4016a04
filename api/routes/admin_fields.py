"""What the bodies and queries of the admin API are made of, checked as far as that goes without asking anybody."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, StringConstraints
from pydantic_core import PydanticCustomError

from api.currencies import ISO_4217
from api.tenants.types import USD, Lane

MAX_NAME_CHARS = 256
MAX_KEY_NAME_CHARS = 100
MAX_PER_MINUTE = 1_000_000_000
MAX_BUDGET_USD = 999_999_999
MAX_PRICE_USD = 1_000_000
MAX_GRACE_S = 30 * 86_400
_USD_DECIMALS, _PRICE_DECIMALS = 9, 6
_DECIMAL = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,40})?")


class Body(BaseModel):
    """Nothing that is not known here, and no guessing at types."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Parameters(BaseModel):
    """Of a query: its values are text, so they are read as what they stand for."""

    model_config = ConfigDict(extra="forbid")


def printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must hold printable characters only")
    if text != text.strip():
        raise ValueError("must not begin or end with a space")
    if not unicodedata.is_normalized("NFC", text):
        raise ValueError("must be in Unicode's form NFC, or two names could look like one")
    return text


def _new_tenant_name(name: str) -> str:
    """As names stand in paths, tables and spreadsheets."""
    if not name[:1].isalnum():
        raise ValueError("must begin with a letter or a digit")
    if "/" in name:
        raise ValueError("must not hold a slash")
    return name


def _checked_currency(currency: str) -> str:
    if currency == USD:
        return currency
    if currency in ISO_4217:
        text = f"amounts are in {USD}, and {currency} is not converted"
        raise PydanticCustomError("unsupported_currency", "{text}", {"text": text})
    raise PydanticCustomError("unknown_currency", "it is no currency code of ISO 4217, such as {usd}", {"usd": USD})


def _with_zone(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("must say its time zone, as 2026-11-30T00:00:00Z does")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("must be of the years 1 to 9999 in UTC") from None


def _moment(value: Any) -> Any:
    """Text alone: a number could be seconds or milliseconds, and a date has no time zone."""
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or "T" not in value.upper():
        raise ValueError("must be a moment such as 2026-11-30T00:00:00Z")
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("must be a moment such as 2026-11-30T00:00:00Z") from None


def _day(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise ValueError("must be a day such as 2026-11-30")


def _amount(*, most: int, decimals: int) -> Callable[[Any], Decimal]:
    """Exact: of a number of JSON what it says, of text the same."""

    def checked(value: Any) -> Decimal:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError('must be an amount such as "12.50"')  # noqa: TRY004 - pydantic wants a ValueError
        if isinstance(value, str) and not _DECIMAL.fullmatch(value):
            raise ValueError('must be an amount such as "12.50"')
        amount = Decimal(value if isinstance(value, str) else repr(value))
        if not amount.is_finite():
            raise ValueError('must be an amount such as "12.50"')
        if amount < 0:
            raise ValueError("must not be negative")
        if amount > most:
            raise ValueError(f"must be {most:,} at the most")
        if amount != round(amount, decimals):
            raise ValueError(f"must have {decimals} decimals at the most")
        return round(amount, decimals)

    return checked


def _lane(value: Any) -> Any:
    """Strict pydantic takes a member of the enumeration, which JSON cannot send."""
    if isinstance(value, str) and value in (lane.value for lane in Lane):
        return Lane(value)
    raise ValueError(f"must be {' or '.join(repr(lane.value) for lane in Lane)}")


def _in_full(amount: Decimal) -> str:
    return f"{amount:f}"


_Name = Annotated[str, StringConstraints(min_length=1, max_length=MAX_NAME_CHARS), AfterValidator(printable)]
TenantName = Annotated[_Name, Field(description="Of a tenant", examples=["research"])]
NewTenantName = Annotated[_Name, AfterValidator(_new_tenant_name), Field(examples=["research"])]
KeyId = Annotated[_Name, Field(description="Of an API key, as `GET /keys` shows it")]
ModelName = Annotated[_Name, Field(description="Of a model, as the models file has it")]
KeyName = Annotated[
    str,
    StringConstraints(max_length=MAX_KEY_NAME_CHARS),
    AfterValidator(printable),
    Field(description="For people: what the key is for"),
]
LaneName = Annotated[Lane, BeforeValidator(_lane, json_schema_input_type=Lane)]
Weight = Annotated[
    float, Field(ge=0.001, le=1000, allow_inf_nan=False, description="Its part of busy engines, beside other tenants'")
]
PerMinute = Annotated[int, Field(ge=1, le=MAX_PER_MINUTE)]
Currency = Annotated[
    str, StringConstraints(max_length=10), AfterValidator(_checked_currency), Field(description=f"`{USD}`, or left out")
]
Moment = Annotated[
    datetime,
    AfterValidator(_with_zone),
    BeforeValidator(_moment, json_schema_input_type=Annotated[str, Field(json_schema_extra={"format": "date-time"})]),
]
Day = Annotated[
    date, BeforeValidator(_day, json_schema_input_type=Annotated[str, Field(json_schema_extra={"format": "date"})])
]
_AmountInput = Annotated[str, StringConstraints(pattern=f"^{_DECIMAL.pattern}$")] | float
BudgetUsd = Annotated[
    Decimal,
    BeforeValidator(_amount(most=MAX_BUDGET_USD, decimals=_USD_DECIMALS), json_schema_input_type=_AmountInput),
    Field(description="US dollars with nine decimals at the most; as text, or as a number", examples=["500.00"]),
]
PriceUsd = Annotated[
    Decimal,
    BeforeValidator(_amount(most=MAX_PRICE_USD, decimals=_PRICE_DECIMALS), json_schema_input_type=_AmountInput),
    Field(description="US dollars for a million tokens, with six decimals at the most", examples=["0.15"]),
]
SoftShare = Annotated[
    float, Field(ge=0.0001, le=1, allow_inf_nan=False, description="From this part of the budget on a metric says so")
]
GraceSeconds = Annotated[
    float, Field(ge=0, le=MAX_GRACE_S, allow_inf_nan=False, description="Seconds that the old key goes on for")
]
Usd = Annotated[Decimal, PlainSerializer(_in_full, return_type=str)]
"""In answers: text without an exponent, so that nobody reads money as a binary fraction."""
