"""Questions to fill a cache with and to measure it by: as many as wanted, no two with the same answer. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product


def listed(text: str, separator: str | None = None) -> tuple[str, ...]:
    """The words of a text, or what stands between separators."""
    return tuple(text.split(separator))


_STARTS = listed("Al Bel Cor Dun Er Fal Gren Hol Ist Jor Kel Lor Mar Nor Or Per Quil Ros Sel Tor Ul Vin Wes Yar Zen")
_MIDDLES = listed("a de fi go ka li mo na pe ri so tu va")
_ENDS = listed("ba dor gate len mont nix port quay ris ston tech vale wick zon")
_TRADES = listed(
    "Foods Logistics Pharma Energy Software Materials Insurance Airlines Robotics Media Chemicals Railways Steel "
    "Biotech Hotels Semiconductors Textiles Mining"
)
_TOPICS = listed(
    "its pension liabilities; the outlook for raw material costs; hiring plans; cyber risks; lease obligations; "
    "supply chain delays; its largest customer; the new share buyback; currency hedging; patent litigation; "
    "carbon emissions; store closures; deferred taxes; the integration of acquisitions; pricing power; "
    "warehouse automation; research spending; union negotiations; water use; the dividend policy",
    "; ",
)
_FRAMES = (
    "What did {company} say about {topic} in its annual report?",
    "How does the management of {company} describe {topic}?",
    "Which risks does {company} see in {topic}?",
    "Does {company} mention {topic} in the notes to its accounts?",
)
# Each company has few questions, so that what is near to a question is not only its like with another topic.
_PER_COMPANY = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A question that is stored, and the same put differently, in the order of what a cache has to understand."""

    stored: str
    rephrased: tuple[str, ...]
    absent: str
    """One like it that nobody has asked."""


def companies() -> Iterator[str]:
    """Over 80,000 made-up names."""
    for end, middle, start, trade in product(_ENDS, _MIDDLES, _STARTS, _TRADES):
        yield f"{start}{middle}{end} {trade}"


def fillers() -> Iterator[str]:
    """Over 600,000 questions."""
    for number, company in enumerate(companies()):
        for n in range(_PER_COMPANY):
            topic = _TOPICS[(number + n * 7) % len(_TOPICS)]
            yield _FRAMES[n % len(_FRAMES)].format(company=company, topic=topic)


def probes() -> Iterator[Probe]:
    """Questions that no filler asks, none of them twice, be it rephrased or not."""
    measures = ("revenue", "operating income", "net income", "free cash flow", "gross margin", "total debt")
    for number, (company, (quarter, year)) in enumerate(
        zip(companies(), _periods(), strict=False)  # there are periods without end
    ):
        measure = measures[number % len(measures)]
        period = f"Q{quarter} {year}"
        yield Probe(
            stored=f"What was {company}'s {measure} in {period}?",
            rephrased=(
                f"Please tell me the {measure} of {company} in {period}.",
                f"In {quarter}Q{year % 100}, how high was the {measure} of {company}?",
                # Nothing differs but words that say little: no key is the same, and the guard agrees.
                f"What was {company}'s exact {measure} in {period}?",
                f"What was the precise {measure} of {company} in {period}?",
            ),
            absent=f"What was {company}'s {measure} in Q{quarter % 4 + 1} {year}?",
        )


def _periods() -> Iterator[tuple[int, int]]:
    while True:
        yield from product((1, 2, 3, 4), range(2019, 2026))
