"""What a terminal shows of the answer cache: pure functions from the admin API's answers to text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from serving.tools.text_table import text_table

_EMPTY: tuple[Any, ...] = ([], None, False)
# Of no slot, but of the question as a whole: shown below the slots.
_OTHER = {"tags": "tags", "tokens": "tokens", "ttl_s": "kept for", "has_canonical_key": "canonical key"}


def stats_report(answer: Mapping[str, Any]) -> str:
    gateway = answer["gateway"]
    rows = [
        [
            each["tenant"],
            f"{each['entries']:,}",
            f"{each['bytes']:,}",
            f"{each['evicted']:,}",
            _duration(each["oldest_age_s"]),
            _duration(each["newest_age_s"]),
            f"{gateway['saved_usd'][each['tenant']]:,.2f}",
        ]
        for each in answer["tenants"]
    ]
    header = ["tenant", "answers", "bytes", "evicted", "oldest", "newest", "saved USD"]
    lookups = ", ".join(f"{count:,} {status}" for status, count in gateway["lookups"].items())
    rate = "" if gateway["hit_rate"] is None else f"; {gateway['hit_rate']:.1%} of the look-ups were hits"
    return "\n".join([text_table(header, rows, indent=""), "", f"This gateway since its start: {lookups}{rate}."])


def purge_report(answer: Mapping[str, Any]) -> str:
    removed, tenants, tags = answer["removed"], ", ".join(answer["tenants"]), " or ".join(answer["tags"])
    what = f"answer{'' if removed == 1 else 's'} of {tenants}" + (f" tagged {tags}" if tags else "")
    lines = [f"Removed {removed:,} {what}."]
    if not answer["index_cleared"]:
        lines.append("The vector index is away: what is left there points nowhere, and goes when it expires.")
    return "\n".join(lines)


def explain_report(answer: Mapping[str, Any]) -> str:
    a, b = answer["a"], answer["b"]
    differing = set(answer["differing_slots"])
    rows = [
        [
            f"{'*' if name in differing else ' '} {name.replace('_', ' ')}",
            *(_shown(side["slots"][name]) for side in (a, b)),
        ]
        for name in a["slots"]
        if name in differing or any(side["slots"][name] not in _EMPTY for side in (a, b))
    ]
    rows += [[f"  {title}", *(_fact(name, side[name]) for side in (a, b))] for name, title in _OTHER.items()]
    lines = [text_table(["  slot", "a", "b"], rows, indent=""), ""]
    if differing:
        lines.append("* differs")
    if answer["cosine"] is not None:
        lines.append(f"cosine {answer['cosine']:.4f}, needed {answer['min_cosine']:g}")
    lines.append(f"verdict: {answer['verdict']}")
    lines += [f"  - {reason}" for reason in answer["reasons"]]
    return "\n".join(lines)


def _shown(value: Any) -> str:
    match value:
        case None | []:
            return "-"
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(map(str, value))
        case _:
            return str(value)


def _fact(name: str, value: Any) -> str:
    return _duration(value) if name == "ttl_s" else _shown(value)


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"
