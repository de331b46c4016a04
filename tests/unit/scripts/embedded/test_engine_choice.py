"""Which vLLM is started where, and by which names it is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.settings import Settings, VllmPreset, setting_names
from scripts.embedded.engine_choice import (
    TINY_MODEL,
    choose_vllm,
    longest_request_s,
    replica_bounds,
    served_names,
    uses_vllm,
)
from serving.catalogue.defaults import MISTRAL
from serving.vllm_config import PRESETS

DATA_DIR = Path("/data")


@pytest.fixture(autouse=True)
def _no_settings_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in setting_names():
        monkeypatch.delenv(name, raising=False)


def load(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Settings:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return Settings.load(None)


def test_the_presets_of_the_setting_are_those_there_are() -> None:
    assert {preset.value for preset in VllmPreset} == PRESETS.keys()


@pytest.mark.parametrize(
    ("gpus", "preset"),
    [
        ([], "cpu-tiny"),
        (["NVIDIA A10G"], "mistral-7b-a10g"),
        (["NVIDIA A100-SXM4-80GB", "NVIDIA A100-SXM4-80GB"], "mistral-7b-a100"),
        (["NVIDIA H100 80GB HBM3"], "mistral-7b-h100"),
        (["NVIDIA H200"], "mistral-7b-h100"),
        (["NVIDIA L4"], "mistral-7b-a10g"),
    ],
)
def test_the_gpu_decides_about_the_preset(gpus: list[str], preset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    choice = choose_vllm(load(monkeypatch), data_dir=DATA_DIR, gpus=gpus)
    assert choice.preset == preset
    assert choice.is_made_here == (not gpus)
    expected = (str(DATA_DIR / "models" / TINY_MODEL), TINY_MODEL) if not gpus else (MISTRAL, MISTRAL)
    assert (choice.model, choice.name) == expected


def test_a_model_of_ones_own_is_not_made_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch, VLLM_MODEL=str(tmp_path), VLLM_PRESET="cpu-tiny")
    choice = choose_vllm(settings, data_dir=DATA_DIR, gpus=["NVIDIA A10G"])
    assert (choice.preset, choice.model) == ("cpu-tiny", str(tmp_path))
    assert choice.name == tmp_path.name
    assert not choice.is_made_here


def test_the_name_is_the_users_to_choose(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch, UPSTREAM_MODEL="mine")
    assert choose_vllm(settings, data_dir=DATA_DIR, gpus=[]).name == "mine"


@pytest.mark.parametrize(
    ("variables", "uses"),
    [
        ({"MODEL_BACKEND": "mock"}, False),
        ({"MODEL_BACKEND": "vllm"}, True),
        ({"MODEL_BACKEND": "ray"}, False),
        ({"MODEL_BACKEND": "ray", "RAY_ENGINE": "vllm"}, True),
        ({"MODEL_BACKEND": "mock", "RAY_ENGINE": "vllm"}, False),
        ({"MODEL_BACKEND": "vllm", "VLLM_BASE_URL": "http://127.0.0.1:8091/v1"}, True),
        ({"MODEL_BACKEND": "vllm", "VLLM_BASE_URL": "http://gpu:8000/v1"}, False),
        ({"MODEL_BACKEND": "ray", "RAY_ENGINE": "vllm", "RAY_BASE_URL": "http://gpu:8000/v1"}, False),
    ],
)
def test_when_vllm_is_needed(variables: dict[str, str], *, uses: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    assert uses_vllm(load(monkeypatch, **variables)) == uses


URL = "http://127.0.0.1:9/v1"
_CHAT = 'version: "1", kind: chat, context_tokens: 8192, price: {prefill: 1, decode: 1, cached: 1}'
MODELS = f"""\
default_model: fast
models:
  - {{name: fast, {_CHAT}, upstreams: [{{name: a, base_url: "${{VLLM_BASE_URL}}", model: weights}}]}}
  - {{name: plain, {_CHAT}, upstreams: [{{name: a, base_url: "${{VLLM_BASE_URL}}"}}]}}
  - {{name: elsewhere, {_CHAT}, upstreams: [{{name: c, base_url: "http://elsewhere/v1", model: other}}]}}
"""


def test_without_a_models_file_the_engine_has_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch, MODEL_BACKEND="vllm")
    assert served_names(settings, vllm_base_url=URL, name="tiny") == ("tiny",)


def test_the_engine_answers_to_every_name_in_the_models_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = tmp_path / "models.yaml"
    models.write_text(MODELS)
    settings = load(monkeypatch, MODEL_BACKEND="vllm", MODELS_FILE=str(models))
    assert served_names(settings, vllm_base_url=URL, name="tiny") == ("plain", "weights")


def test_a_models_file_that_is_wrong_is_the_gateways_to_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = tmp_path / "models.yaml"
    models.write_text("models: 7\n")
    settings = load(monkeypatch, MODEL_BACKEND="vllm", MODELS_FILE=str(models))
    assert served_names(settings, vllm_base_url=URL, name="tiny") == ("tiny",)


@pytest.mark.parametrize(
    ("timeouts", "longest_s"),
    [("", 100.0), (", timeouts: {request_s: 50}", 100.0), (", timeouts: {request_s: 1800}", 1800.0)],
)
def test_the_longest_request_may_be_that_of_an_upstream(
    timeouts: str, longest_s: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream = f'{{name: a, base_url: "http://127.0.0.1:${{NGINX_PORT}}/v1"{timeouts}}}'
    models = tmp_path / "models.yaml"
    models.write_text(f"models: [{{name: fast, {_CHAT}, upstreams: [{upstream}]}}]\n")
    settings = load(monkeypatch, MODEL_BACKEND="ray", MODELS_FILE=str(models), REQUEST_TIMEOUT_S="100")
    assert longest_request_s(settings, addresses={"NGINX_PORT": "8080"}) == longest_s
    assert longest_request_s(settings, addresses={}) == 100.0  # the file names a variable that is not there


@pytest.mark.parametrize(
    ("gpus", "variables", "bounds"),
    [
        ([], {}, (2, 4)),
        (["NVIDIA A10G"], {}, (1, 1)),
        (["NVIDIA A10G"] * 3, {}, (2, 3)),
        (["NVIDIA A10G"] * 8, {}, (2, 4)),
        (["NVIDIA A10G"], {"VLLM_PRESET": "cpu-tiny"}, (2, 4)),
    ],
)
def test_vllm_gets_no_more_replicas_than_there_are_gpus(
    gpus: list[str], variables: dict[str, str], bounds: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load(monkeypatch, MODEL_BACKEND="ray", RAY_ENGINE="vllm", RAY_MIN_REPLICAS="2", **variables)
    vllm = choose_vllm(settings, data_dir=DATA_DIR, gpus=gpus)
    assert replica_bounds(settings, vllm=vllm, gpus=gpus) == bounds
    assert replica_bounds(settings, vllm=None, gpus=gpus) == (2, 4)
