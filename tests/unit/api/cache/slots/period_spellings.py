"""Every way of saying a period that the parser is to know, made from its kind, its number and its year."""

from __future__ import annotations

ORDINALS = {1: ("first", "1st"), 2: ("second", "2nd"), 3: ("third", "3rd"), 4: ("fourth", "4th")}


def quarters_of_fiscal_years(n: int, year: int) -> list[str]:
    yy = f"{year % 100:02}"
    forms = [
        *(f"FY{year}Q{n}", f"FY{yy}Q{n}", f"FY{yy} Q{n}", f"FY {year} Q{n}", f"Q{n} FY{yy}", f"Q{n} FY{year}"),
        *(f"Q{n} FY {yy}", f"Q{n} FY'{yy}", f"{n}QFY{yy}", f"fiscal Q{n} {year}", f"Q{n} fiscal {year}"),
        *(f"Q{n} of fiscal year {year}", f"fiscal {year} Q{n}", f"fiscal year {year} Q{n}", f"{year} fiscal Q{n}"),
    ]
    for ordinal in ORDINALS[n]:
        forms += [
            *(f"{ordinal} quarter fiscal {year}", f"{ordinal} quarter of fiscal {year}"),
            *(f"fiscal {ordinal} quarter of {year}", f"{ordinal} fiscal quarter of {year}"),
            *(f"{ordinal}-quarter fiscal {year}", f"{ordinal} quarter of the fiscal year {year}"),
            *(f"fiscal {year} {ordinal} quarter", f"FY{yy} {ordinal} quarter", f"fiscal {year}'s {ordinal} quarter"),
            f"{ordinal} quarter of the {year} fiscal year",
        ]
    return forms


def quarters(n: int, year: int) -> list[str]:
    yy = f"{year % 100:02}"
    forms = [
        *(f"Q{n} {year}", f"{year} Q{n}", f"Q{n}'{yy}", f"Q{n} '{yy}", f"{n}Q{yy}", f"{n}Q {year}", f"{n}Q{year}"),
        *(f"Q{n} of {year}", f"Q{n}-{year}", f"{year}-Q{n}", f"Q{n}/{year}", f"{year}Q{n}", f"Q{n}, {year}"),
        *(f"quarter {n} of {year}", f"quarter {n} {year}", f"{year}'s Q{n}", f"Q{n} in {year}", f"Q{n}\u2019{yy}"),
    ]
    for ordinal in ORDINALS[n]:
        forms += [
            *(f"{ordinal} quarter of {year}", f"{ordinal} quarter {year}", f"{ordinal}-quarter {year}"),
            *(f"{year} {ordinal} quarter", f"{year} {ordinal}-quarter", f"{ordinal} quarter in {year}"),
            *(f"{year}'s {ordinal} quarter", f"{ordinal} quarter of the year {year}", f"{ordinal} qtr {year}"),
        ]
    return forms


def halves(n: int, year: int) -> list[str]:
    yy = f"{year % 100:02}"
    ordinals = [f"{word} half of {year}" for word in ORDINALS[n]] + [f"{year} {word} half" for word in ORDINALS[n]]
    return [f"H{n} {year}", f"{n}H{yy}", f"{n}H {year}", f"{n}H{year}", f"{year} H{n}", f"H{n}'{yy}", *ordinals]


def years(basis: str, year: int) -> list[str]:
    yy = f"{year % 100:02}"
    if basis == "FY":
        return [
            *(f"FY{year}", f"FY{yy}", f"FY {year}", f"FY {yy}", f"FY'{yy}", f"fiscal {year}", f"fiscal year {year}"),
            *(f"{year} fiscal year", f"financial year {year}", f"fiscal-year {year}", f"FY-{year}", f"Fiscal {year}'s"),
        ]
    if basis == "CY":
        return [f"CY{year}", f"CY{yy}", f"calendar {year}", f"calendar year {year}", f"{year} calendar year"]
    return [f"{year}", f"{year}'s", f"year {year}", f"({year})"]


def year_ends(basis: str, year: int) -> list[str]:
    said = {"": f"{year}", "FY": f"fiscal {year}", "CY": f"calendar {year}"}[basis]
    forms = [
        f"end of {said}",
        f"the end of {said}",
        f"end of the {said}",
        f"as of the end of {said}",
        f"close of {said}",
    ]
    if basis == "":
        forms += [f"year-end {year}", f"year end {year}", f"{year} year-end", f"end-{year}", f"year-end of {year}"]
        forms += [f"at the end of {year}", f"as at year-end {year}", f"end of the year {year}"]
    if basis == "FY":
        forms += [f"FYE {year}", f"FYE{year % 100:02}", f"FY{year} year end", f"fiscal year-end {year}"]
        forms += [f"end of fiscal year {year}", f"FY{year % 100:02} year-end"]
    return forms


def spellings() -> dict[str, list[str]]:
    """Canonical value to every way of saying it."""
    table: dict[str, list[str]] = {}
    for year in (1999, 2009, 2019, 2023, 2024):
        for n in (1, 2, 3, 4):
            table[f"Q{n}-{year}"] = quarters(n, year)
            table[f"Q{n}-FY{year}"] = quarters_of_fiscal_years(n, year)
        for n in (1, 2):
            table[f"H{n}-{year}"] = halves(n, year)
        for basis in ("", "FY", "CY"):
            table[f"{basis}{year}"] = years(basis, year)
            table[f"end-{basis}{year}"] = year_ends(basis, year)
        table[f"9M-{year}"] = [f"9M{year % 100:02}", f"9M {year}", f"first nine months of {year}"]
        table[f"{year}-03"] = [f"March {year}", f"Mar '{year % 100:02}", f"Mar {year}", f"03/{year}", f"{year}-03"]
        table[f"{year}-03-05"] = [
            *(f"5 March {year}", f"March 5, {year}", f"March 5th {year}", f"5th of March {year}", f"{year}-03-05"),
            *(f"{year}/03/05", f"5.3.{year}", f"Mar 5 {year}", f"5 Mar {year}", f"the 5th of March, {year}"),
        ]
        table[f"{year}..{year + 1}"] = [
            *(f"{year} to {year + 1}", f"from {year} to {year + 1}", f"between {year} and {year + 1}"),
            *(f"{year}-{year + 1}", f"{year} - {year + 1}", f"{year}\u2013{year + 1}", f"{year} through {year + 1}"),
        ]
        table[f"{year + 1}-vs-{year}"] = [
            *(
                f"{year + 1} vs {year}",
                f"{year + 1} versus {year}",
                f"{year + 1} vs. {year}",
                f"{year + 1} over {year}",
            ),
            *(f"{year + 1} compared to {year}", f"{year + 1} compared with {year}"),
            f"{year + 1} relative to {year}",
        ]
        table[f"since-{year}"] = [f"since {year}"]
        table[f"before-{year}"] = [f"before {year}", f"prior to {year}"]
    return table
