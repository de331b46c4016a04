from __future__ import annotations

from typing import Any

import pytest

from serving.engine_settings import EngineSettingsError, engine_settings

MOCK: dict[str, Any] = {"name": "fast", "kind": "mock", "models": ["m"]}
VLLM: dict[str, Any] = {"name": "big", "kind": "vllm", "models": ["m", "n"], "preset": "cpu-tiny"}


def test_settings_reach_mockllm() -> None:
    settings = engine_settings({**MOCK, "set": {"time_scale": 10, "max_num_seqs": 32}})
    assert settings.mock_config().time_scale == 10
    assert settings.max_num_seqs == 32


def test_settings_reach_vllm() -> None:
    settings = engine_settings({**VLLM, "model": "/models/x", "set": {"max_num_seqs": 32}})
    arguments = settings.vllm_config().arguments()
    assert arguments[arguments.index("--max-num-seqs") + 1] == "32"
    assert "/models/x" in arguments
    served = arguments.index("--served-model-name")
    assert arguments[served + 1 : served + 3] == ["m", "n"]
    assert settings.max_num_seqs == 32


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "tgi"}, "kind is 'tgi': it must be mock or vllm"),
        ({"models": []}, "models is empty: an engine must answer to at least one name"),
        ({"preset": "cpu-tiny"}, "preset is 'cpu-tiny': only engines of kind vllm have one"),
        ({"model": "/models/x"}, "model is '/models/x': only engines of kind vllm have one"),
        ({"check_timeout_s": 0}, "check_timeout_s is 0: it must be a number from 0.1 to 600"),
        ({"max_num_seqs": 8}, "max_num_seqs is no setting of an engine: it has name, kind, models"),
        ({"set": {"timescale": 2}}, "timescale is no setting of MockLLM: it has time_scale"),
        ({"set": {"time_scale": 0}}, "time_scale is 0: it must be a number from 0.001 to 10,000"),
        ({"set": {"time_scale": True}}, "time_scale is True: it must be a number"),
        ({"set": {"max_num_seqs": 1.5}}, "max_num_seqs is 1.5: it must be a whole number from 1 to 65,536"),
        ({"set": {"admin_port": 80}}, "admin_port is 80: it must be a whole number from 1,024 to 65,535"),
    ],
)
def test_a_wrong_setting_of_mockllm_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(EngineSettingsError) as raised:
        engine_settings({**MOCK, **change})
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"preset": None}, "preset is missing"),
        ({"preset": "mistral"}, "There is no preset 'mistral'"),
        ({"models": [], "embedding_models": ["e"]}, "vLLM serves chat models here"),
        ({"set": {"max_num_seqs": 0}}, "max_num_seqs"),
        ({"set": {"max_seqs": 1}}, "There is no field 'max_seqs'"),
    ],
)
def test_a_wrong_setting_of_vllm_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(EngineSettingsError) as raised:
        engine_settings({**VLLM, **change})
    assert message in str(raised.value)


@pytest.mark.parametrize("name", ["name", "kind", "models"])
def test_what_an_engine_must_have_is_named(name: str) -> None:
    with pytest.raises(EngineSettingsError, match=f"{name} is missing"):
        engine_settings({key: value for key, value in MOCK.items() if key != name})
