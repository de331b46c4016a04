"""Whether the ledger has what the engines say that they did: pure, from counters and sums to a verdict."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from api.admin.tables import table
from serving.tools.command_line import InputError

PROMPT, GENERATED = "vllm:prompt_tokens_total", "vllm:generation_tokens_total"
_BUSY = ("vllm:num_requests_running", "vllm:num_requests_waiting")
_STARTED = "process_start_time_seconds"
# The kernel tells when a process was started to the second.
_SAME_START_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineCounters:
    """Of one engine, since it was started."""

    url: str
    prompt_tokens: int
    completion_tokens: int
    busy: int
    """Requests that it computes, or that wait for it."""
    started_s: float | None
    """Since 1970; None: it does not say."""

    def since(self, earlier: EngineCounters) -> EngineCounters:
        """What was added since. Raises InputError where the engine has begun anew meanwhile."""
        moved_s = abs((self.started_s or 0.0) - (earlier.started_s or 0.0))
        if moved_s > _SAME_START_S or self.prompt_tokens < earlier.prompt_tokens:
            raise InputError(f"{self.url} was started again since the baseline was saved: save another one.")
        return EngineCounters(
            url=self.url,
            prompt_tokens=self.prompt_tokens - earlier.prompt_tokens,
            completion_tokens=self.completion_tokens - earlier.completion_tokens,
            busy=self.busy,
            started_s=self.started_s,
        )


def counters_in(url: str, exposition: str) -> EngineCounters:
    """Raises ValueError for what is no exposition of a vLLM engine's metrics."""
    sums: dict[str, float] = {}
    for family in text_string_to_metric_families(exposition):
        for sample in family.samples:
            sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
    if PROMPT not in sums or GENERATED not in sums:
        raise ValueError(f"it does not serve {PROMPT} and {GENERATED}")
    return EngineCounters(
        url=url,
        prompt_tokens=round(sums[PROMPT]),
        completion_tokens=round(sums[GENERATED]),
        busy=round(sum(sums.get(name, 0.0) for name in _BUSY)),
        started_s=sums.get(_STARTED),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What engines had counted at a moment."""

    at: datetime
    engines: tuple[EngineCounters, ...]

    def encoded(self) -> str:
        engines = [asdict(each) for each in self.engines]
        return json.dumps({"at": self.at.isoformat(), "engines": engines}, indent=1) + "\n"

    @classmethod
    def decoded(cls, text: str) -> Baseline:
        """Raises ValueError."""
        try:
            found = json.loads(text)
            at = datetime.fromisoformat(found["at"])
            return cls(at=at, engines=tuple(EngineCounters(**each) for each in found["engines"]))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("it is no baseline that reconcile --save has written") from error

    def subtracted(self, engines: Sequence[EngineCounters]) -> list[EngineCounters]:
        """What each has done since. Raises InputError."""
        earlier = {each.url: each for each in self.engines}
        if missing := [each.url for each in engines if each.url not in earlier]:
            raise InputError(f"the baseline has no {missing[0]}: it has {', '.join(earlier)}.")
        return [each.since(earlier[each.url]) for each in engines]


def compared(engines: Sequence[EngineCounters], page: Mapping[str, Any], *, settled: bool) -> dict[str, Any]:
    """`page`: what `/usage/engines` answers."""
    counted = {
        "prompt_tokens": sum(each.prompt_tokens for each in engines),
        "completion_tokens": sum(each.completion_tokens for each in engines),
    }
    exact, estimated = (
        _sums([each for each in page["work"] if each["estimated"] is wanted]) for wanted in (False, True)
    )
    difference = {name: counted[name] - exact[name] - estimated[name] for name in counted}
    return {
        "since": page["since"],
        "waiting_rows": page["waiting_rows"],
        "settled": settled,
        "engines": [asdict(each) for each in engines],
        "upstreams": sorted({each["upstream"] for each in page["work"]}),
        "engine": counted,
        "ledger": {"exact": exact, "estimated": estimated},
        "difference": difference,
        "equal": not any(difference.values()),
    }


def _sums(work: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    return {name: sum(each[name] for each in work) for name in ("requests", "prompt_tokens", "completion_tokens")}


def reconciliation_report(answer: Mapping[str, Any]) -> str:
    columns = {"": "what", "requests": "requests", "prompt tokens": "prompt_tokens", "completion": "completion_tokens"}
    ledger = answer["ledger"]
    rows = [
        {"what": "engines", **answer["engine"]},
        {"what": "ledger, as engines reported it", **ledger["exact"]},
        {"what": "ledger, estimated", **ledger["estimated"]},
        {"what": "difference", **answer["difference"]},
    ]
    where = ", ".join(answer["upstreams"]) or "no upstream has any rows"
    return "\n".join([table(columns, rows, nothing=""), "", f"Since {answer['since']}: {where}.", _verdict(answer)])


def _verdict(answer: Mapping[str, Any]) -> str:
    """With what the difference comes from, as far as the figures tell."""
    if answer["equal"]:
        return "The ledger has what the engines did."
    engine, exact, estimated = answer["engine"], answer["ledger"]["exact"], answer["ledger"]["estimated"]
    prompt, completion = (engine[name] - exact[name] for name in ("prompt_tokens", "completion_tokens"))
    if prompt < 0 or completion < 0:
        why = (
            "The ledger has more than they counted: an engine is missing (--engine), was started again meanwhile, or "
            "the rows are of upstreams elsewhere (--upstream)."
        )
    elif estimated["requests"]:
        why = (
            f"Engines did {prompt:,} prompt and {completion:,} completion tokens that they reported to nobody; for "
            f"{estimated['requests']:,} calls that were cut off {estimated['prompt_tokens']:,} and "
            f"{estimated['completion_tokens']:,} are billed by an estimate. The rest is theirs, or of failed attempts."
        )
    else:
        why = (
            "No call was billed by an estimate: it is of failed attempts, of several answers to one prompt, or of "
            "somebody else who asks these engines."
        )
    return f"The ledger and the engines differ. {why}"


def reconciliation_note(answer: Mapping[str, Any]) -> str:
    notes = []
    if not answer["settled"]:
        notes.append("Engines were busy, or rows were on their way, until the end: this is no last word (--wait-s).")
    starts = [each["started_s"] for each in answer["engines"] if each["started_s"] is not None]
    if starts and max(starts) - min(starts) > _SAME_START_S:
        notes.append("The engines were not started together: the ledger is summed up from the first start on.")
    return "\n".join(notes)
