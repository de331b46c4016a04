"""Parts are lost while clients ask: no wrong answer, no hang, and whoever is not served is told why."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.real.scaling.load import PATIENCE_S, Load, Outcome

if TYPE_CHECKING:
    from tests.real.scaling.conftest import Cluster

pytestmark = pytest.mark.real

# Calls in a row that every client has to be served before, during and after a fault.
STEADY = 6
BACK_S = 120


def none_is_wrong_or_hangs(outcomes: list[Outcome]) -> None:
    assert [each for each in outcomes if each.wrong] == []
    assert [each for each in outcomes if each.took_s >= PATIENCE_S] == []


def all_are_served_or_told_why(outcomes: list[Outcome]) -> None:
    none_is_wrong_or_hangs(outcomes)
    assert [each for each in outcomes if not each.clear] == []


async def test_worker_killed_under_load(cluster: Cluster, load: Load) -> None:
    async with load:
        await load.serves(STEADY, timeout_s=BACK_S)
        killed_at = len(load.outcomes)
        await cluster.kill("ray-worker-2")
        # The other worker always has a replica too, and goes on alone: only calls that the dead one had are refused.
        await load.serves(STEADY, timeout_s=BACK_S)
        alone = load.outcomes[killed_at:]
        await cluster.start("ray-worker-2")
        await cluster.recovered()
        await load.serves(STEADY, timeout_s=BACK_S)
    all_are_served_or_told_why(load.outcomes)
    assert len([each for each in alone if not each.served]) < len(alone) / 2


async def test_worker_unreachable(cluster: Cluster, load: Load) -> None:
    """Cut off from the network: nobody refuses a connection or closes one, as when a machine loses its power."""
    async with load:
        await load.serves(STEADY, timeout_s=BACK_S)
        address = await cluster.disconnect("ray-worker-1")
        try:
            await load.serves(STEADY, timeout_s=BACK_S)
        finally:
            await cluster.connect("ray-worker-1", address)
        await cluster.recovered()
        await load.serves(STEADY, timeout_s=BACK_S)
    all_are_served_or_told_why(load.outcomes)


async def test_head_restarted(cluster: Cluster, load: Load) -> None:
    """Replicas and ingresses live on the workers and do not need the head to answer."""
    async with load:
        await load.serves(STEADY, timeout_s=BACK_S)
        await cluster.kill("ray-head")
        await asyncio.sleep(10)
        await cluster.start("ray-head")
        await cluster.recovered()
        await load.serves(STEADY, timeout_s=BACK_S)
    none_is_wrong_or_hangs(load.outcomes)
    assert [each for each in load.outcomes if not each.served] == []


async def test_gateway_killed(cluster: Cluster, load: Load) -> None:
    async with load:
        await load.serves(STEADY, timeout_s=BACK_S)
        await cluster.kill("gateway-1")
        await load.serves(STEADY, timeout_s=BACK_S)
        await cluster.start("gateway-1")
        await cluster.recovered()
        await load.serves(STEADY, timeout_s=BACK_S)
    none_is_wrong_or_hangs(load.outcomes)
    # A stream that has begun ends with its gateway, and nobody is left to say why: the missing [DONE] does.
    unclear = [each for each in load.outcomes if not each.clear]
    assert all(each.stream and each.status == 200 for each in unclear), unclear
    assert len(unclear) <= load.clients
