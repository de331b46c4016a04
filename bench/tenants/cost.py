"""What turns, limits and the ledger cost: the gateway against the same gateway without them, on a core of its own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bench.cores import Cores, choose_cores
from bench.gateway import KEY, gateway_command, module_command
from bench.load import Plan, Target, closed_loop
from bench.overhead.questions import Questions
from bench.overhead.servers import upstream
from bench.overhead.upstream import MODEL
from bench.processes import Child, pinned
from bench.stores import Stores, running_stores
from bench.tenants.admin import KNOWN_EVERYWHERE_S, Admin
from bench.tenants.bare_parts import LEDGER, LIMITS
from bench.tenants.site import Site
from bench.tenants.stack import ADMIN_KEY
from scripts.embedded.ports import free_port

ALL, BUDGET, BARE = "everything on", "everything on, and a budget", "without all three"
_READY_TIMEOUT_S = 60.0
_CONNECTIONS = 32
_WARM_UP_REQUESTS = 1_000
_BUDGET_USD = "900000000"
_NO_TURNS = {"FAIR_QUEUE_ENABLED": "false"}


@dataclass(frozen=True, kw_only=True)
class Composition:
    """`left_out`: what `bare_gateway` leaves out; turns have a setting of their own."""

    left_out: tuple[str, ...] = ()
    settings: Mapping[str, str]


COMPOSITIONS = {
    ALL: Composition(settings={}),
    "without turns": Composition(settings=_NO_TURNS),
    "without limits": Composition(left_out=(LIMITS,), settings={}),
    "without ledger": Composition(left_out=(LEDGER,), settings={}),
    BARE: Composition(left_out=(LIMITS, LEDGER), settings=_NO_TURNS),
}


@dataclass(frozen=True, kw_only=True)
class Round:
    """`cpu_us`: processor time of the gateway for each request, which other work on the machine hardly changes."""

    requests_per_s: float
    cpu_us: float
    streams_per_s: float
    stream_cpu_us: float


@dataclass(frozen=True, kw_only=True)
class _Subject:
    target: Target
    child: Child


async def run(site: Site, *, rounds: int, seconds: float) -> dict[str, list[Round]]:
    """Raises ProcessError, ServiceError and LoadError."""
    # Not the site's, which gateways share: here each is alone on a core of its own.
    cores = choose_cores(os.sched_getaffinity(0))
    with ExitStack() as held:
        held.enter_context(pinned(cores.load))
        stores = held.enter_context(running_stores(site.directory))
        port = free_port()
        engine = held.enter_context(Child(upstream(port, site.directory), cores=cores.load))
        engine.await_ready(f"http://127.0.0.1:{port}/health", key=KEY, timeout_s=_READY_TIMEOUT_S)
        subjects = {
            name: held.enter_context(_subject(name, composition, site.directory, port, stores, cores))
            for name, composition in COMPOSITIONS.items()
        }
        subjects[BUDGET] = await _with_budget(subjects[ALL])
        return await _rounds(subjects, rounds, seconds, site.progress)


async def _rounds(
    subjects: Mapping[str, _Subject], rounds: int, seconds: float, progress: Callable[[str], None]
) -> dict[str, list[Round]]:
    """Each once a round; the order turns by one each round, so that none always follows the same one."""
    found: dict[str, list[Round]] = {name: [] for name in subjects}
    numbers = iter(range(0, 10**9, 10**6))
    for name, subject in subjects.items():
        plan = Plan(connections=_CONNECTIONS, requests=_WARM_UP_REQUESTS)
        questions = Questions(subject.target, first_number=next(numbers), stream_every=10)
        (await closed_loop(subject.target, plan, source=questions)).or_raise(name)
    names = list(subjects)
    for number in range(rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            whole = await _measured(subjects[name], seconds, first=next(numbers), stream_every=0)
            streamed = await _measured(subjects[name], seconds, first=next(numbers), stream_every=1)
            found[name].append(
                Round(requests_per_s=whole[0], cpu_us=whole[1], streams_per_s=streamed[0], stream_cpu_us=streamed[1])
            )
        shown = ", ".join(f"{name} {found[name][-1].requests_per_s:.0f}" for name in (ALL, BUDGET, BARE))
        progress(f"round {number + 1} of {rounds}, requests/s: {shown}")
    return found


async def _measured(subject: _Subject, seconds: float, *, first: int, stream_every: int) -> tuple[float, float]:
    """Answers a second, and microseconds of the gateway's core for each."""
    before_s = subject.child.cpu_s()
    questions = Questions(subject.target, first_number=first, stream_every=stream_every)
    plan = Plan(connections=_CONNECTIONS, duration_s=seconds)
    result = (await closed_loop(subject.target, plan, source=questions)).or_raise(subject.target.name)
    return result.answers_per_s, (subject.child.cpu_s() - before_s) / result.answers * 1e6


@contextmanager
def _subject(
    name: str, composition: Composition, directory: Path, engine_port: int, stores: Stores, cores: Cores
) -> Iterator[_Subject]:
    port = free_port()
    folder = directory / name.replace(" ", "-")
    folder.mkdir()
    command = gateway_command(
        port=port,
        directory=folder,
        upstream=f"http://127.0.0.1:{engine_port}/v1",
        model=MODEL,
        stores=stores,
        settings={"ADMIN_API_KEY": ADMIN_KEY, **composition.settings},
    )
    if composition.left_out:
        bare = module_command(name, "bench.tenants.bare_gateway", list(composition.left_out), folder)
        command = replace(command, arguments=bare.arguments)
    with Child(replace(command, name=folder.name), cores=cores.server) as child:
        child.await_ready(f"http://127.0.0.1:{port}/v1/models", key=KEY, timeout_s=_READY_TIMEOUT_S)
        yield _Subject(target=Target(name=name, port=port, model=MODEL, key=KEY), child=child)


async def _with_budget(subject: _Subject) -> _Subject:
    """The same gateway, asked by a tenant with a budget that nothing here comes near."""
    admin = Admin(subject.target.port)
    await admin.create_tenant("with-budget")
    await admin.set_budget("with-budget", _BUDGET_USD)
    _, key = await admin.create_key("with-budget")
    await asyncio.sleep(KNOWN_EVERYWHERE_S)
    return replace(subject, target=replace(subject.target, name=BUDGET, key=key))


def core_lost(rounds: Mapping[str, Sequence[Round]], name: str) -> list[float]:
    """Round by round, per cent of what one core of the gateway answers without all three, by its processor time."""
    bare = rounds[BARE]
    return [(1 - base.cpu_us / one.cpu_us) * 100 for one, base in zip(rounds[name], bare, strict=True)]


def lost(rounds: Mapping[str, Sequence[Round]], name: str) -> list[float]:
    """Round by round, per cent of the requests/s that the gateway has without all three."""
    bare = rounds[BARE]
    return [(1 - one.requests_per_s / base.requests_per_s) * 100 for one, base in zip(rounds[name], bare, strict=True)]
