from __future__ import annotations

import msgspec
import pytest

from serving.mock_llm.core.scheduler import EngineConfig, Scheduler
from serving.mock_llm.core.timing import CostModel
from serving.mock_llm.engine import Engine
from serving.mock_llm.errors import EngineFailure
from serving.mock_llm.faults import Faults, StreamEnd, StreamFault, decode_faults
from serving.mock_llm.metrics import EngineMetrics
from serving.mock_llm.outputs import OutputLimits, plan_output


@pytest.fixture
def engine() -> Engine:
    scheduler = Scheduler(config=EngineConfig(), costs=CostModel())
    return Engine(scheduler=scheduler, metrics=EngineMetrics(scheduler=scheduler, model_name="m"))


@pytest.fixture
def faults(engine: Engine) -> Faults:
    return Faults(engine)


def outcomes(faults: Faults, count: int) -> str:
    """One letter for each request: x failed, . passed."""
    letters = []
    for _ in range(count):
        try:
            faults.strike_request()
        except EngineFailure:
            letters.append("x")
        else:
            letters.append(".")
    return "".join(letters)


def test_without_switches_nothing_fails(faults: Faults) -> None:
    assert outcomes(faults, 5) == "....."
    assert faults.strike_stream() is None
    assert not faults.strike_reply()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"out_of_memory":{}}', "xxxxxx"),
        (b'{"out_of_memory":{"every":3}}', "..x..x"),
        (b'{"out_of_memory":{"times":2}}', "xx...."),
        (b'{"error_rate":{"probability":0}}', "......"),
        (b'{"error_rate":{"probability":1}}', "xxxxxx"),
    ],
)
def test_switches_strike_the_requests_they_say(faults: Faults, body: bytes, expected: str) -> None:
    faults.replace(decode_faults(body))
    assert outcomes(faults, 6) == expected
    assert sum(faults.fired.values()) == expected.count("x")


def test_memory_runs_out_above_a_batch_size(engine: Engine, faults: Faults) -> None:
    faults.replace(decode_faults(b'{"out_of_memory":{"batch_above":2}}'))
    assert outcomes(faults, 3) == "..."
    plan = plan_output("x", OutputLimits(max_tokens=1))
    engine.submit([("a",), ("b",)], [plan, plan], every_token=False)
    assert outcomes(faults, 2) == "xx"


def test_an_error_rate_is_near_its_probability_and_repeats_with_its_seed(faults: Faults) -> None:
    runs = []
    for seed in (1, 1, 2):
        faults.replace(decode_faults(b'{"error_rate":{"probability":0.3,"seed":%d}}' % seed))
        runs.append(outcomes(faults, 1000))
    assert runs[0] == runs[1] != runs[2]
    assert 250 < runs[0].count("x") < 350


def test_a_status_may_be_chosen(faults: Faults) -> None:
    faults.replace(decode_faults(b'{"error_rate":{"probability":1,"status":503}}'))
    with pytest.raises(EngineFailure) as failed:
        faults.strike_request()
    assert failed.value.status == 503


def test_stream_switches_strike_as_often_as_they_say(faults: Faults) -> None:
    faults.replace(decode_faults(b'{"cut_stream":{"after_chunks":3,"times":1},"reset":{"times":1}}'))
    ends = [faults.strike_stream() for _ in range(3)]
    assert ends == [StreamFault(StreamEnd.CUT, 3), StreamFault(StreamEnd.RESET, 0), None]


def test_slow_acts_on_the_engine_and_a_new_set_undoes_it(engine: Engine, faults: Faults) -> None:
    faults.replace(decode_faults(b'{"slow":{"factor":4}}'))
    assert engine.slowdown == 4
    faults.replace(decode_faults(b"{}"))
    assert engine.slowdown == 1


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"explode":{}}', "unknown field `explode`"),
        (b'{"slow":{}}', "missing required field `factor` - at `$.slow`"),
        (b'{"slow":{"factor":0.5}}', "at `$.slow.factor`"),
        (b'{"error_rate":{"probability":2}}', "at `$.error_rate.probability`"),
        (b'{"error_rate":{"probability":1,"status":200}}', "at `$.error_rate.status`"),
        (b'{"cut_stream":{"after_chunks":-1}}', "at `$.cut_stream.after_chunks`"),
        (b'{"reset":{"chunks":1}}', "unknown field `chunks`"),
        (b'{"crash":{"exit_code":256}}', "at `$.crash.exit_code`"),
    ],
)
def test_a_wrong_switch_is_named(body: bytes, message: str) -> None:
    with pytest.raises(msgspec.ValidationError) as wrong:
        decode_faults(body)
    assert message in str(wrong.value)
