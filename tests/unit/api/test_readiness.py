"""What is ready without what, and that many who ask cause one check."""

from __future__ import annotations

import asyncio

import pytest

from api.readiness import Dependency, Readiness


class Checked:
    """A dependency that is there, away, or says nothing."""

    def __init__(self, state: str = "there") -> None:
        self.state = state
        self.checks = 0

    async def check(self) -> None:
        self.checks += 1
        await asyncio.sleep(0)
        if self.state == "away":
            raise ConnectionRefusedError("10.0.0.7:5432 password=hunter2")
        if self.state == "silent":
            await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("redis", "near", "far", "status"),
    [
        ("there", "there", "there", "ready"),
        ("away", "there", "there", "degraded"),
        ("there", "away", "there", "degraded"),
        ("there", "there", "away", "degraded"),
        ("there", "away", "away", "unavailable"),
        ("away", "away", "away", "unavailable"),
    ],
)
async def test_without_what_requests_can_be_served(redis: str, near: str, far: str, status: str) -> None:
    states = {"redis": redis, "near": near, "far": far}
    readiness = Readiness(
        {name: Dependency(Checked(state).check) for name, state in states.items()},
        needs_one_of=frozenset({"near", "far"}),
    )
    report = await readiness.report()
    assert (report.status, report.ready) == (status, status != "unavailable")
    assert {name: said == "ok" for name, said in report.dependencies.items()} == {
        name: state == "there" for name, state in states.items()
    }


async def test_without_an_essential_dependency_nothing_is_served() -> None:
    report = await Readiness({"keys": Dependency(Checked("away").check, essential=True)}).report()
    assert (report.ready, report.status) == (False, "unavailable")


async def test_a_report_tells_no_addresses_or_passwords() -> None:
    report = await Readiness({"postgres": Dependency(Checked("away").check)}).report()
    assert report.dependencies == {"postgres": "away (ConnectionRefusedError)"}


async def test_what_the_cache_is_made_of_is_said_as_it_is_now() -> None:
    made_of = {"index": "undecided"}
    readiness = Readiness({}, cache=lambda: dict(made_of))
    assert (await readiness.report()).cache == {"index": "undecided"}
    assert (await Readiness({}).report()).cache is None


async def test_nothing_to_depend_on_is_ready() -> None:
    assert (await Readiness({}).report()).status == "ready"


async def test_what_does_not_answer_in_time_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.readiness._TIMEOUT_S", 0.05)
    report = await Readiness({"a": Dependency(Checked("silent").check), "b": Dependency(Checked().check)}).report()
    assert report.dependencies == {"a": "no answer", "b": "ok"}


async def test_all_who_ask_at_once_share_one_check() -> None:
    dependency = Checked()
    readiness = Readiness({"a": Dependency(dependency.check)})
    reports = await asyncio.gather(*(readiness.report() for _ in range(50)))
    assert dependency.checks == 1
    assert all(report is reports[0] for report in reports)
    await readiness.report()
    assert dependency.checks == 1


async def test_an_old_report_is_not_reused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.readiness._REUSED_FOR_S", 0.0)
    dependency = Checked()
    readiness = Readiness({"a": Dependency(dependency.check)})
    assert (await readiness.report()).ready
    dependency.state = "away"
    assert (await readiness.report()).status == "degraded"


async def test_one_who_goes_away_does_not_cancel_the_check_of_the_others() -> None:
    dependency = Checked()
    readiness = Readiness({"a": Dependency(dependency.check)})
    impatient = asyncio.create_task(readiness.report())
    patient = asyncio.create_task(readiness.report())
    await asyncio.sleep(0)
    impatient.cancel()
    assert (await patient).ready
    assert dependency.checks == 1
