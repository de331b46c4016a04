"""`python -m serving.serve_config`, as a program."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from serving.serve_config import main

ROOT = Path(__file__).resolve().parents[3]


def test_it_prints_what_the_catalogue_asks_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MOCK_BASE_URL", raising=False)
    options = ["--engine", "mock", "--ingress-port", "9000", "--max-replicas", "3", "--no-market-hours"]
    main(["--models-file", str(ROOT / "models.yaml"), *options, "--set", "time_scale=10"])
    config = yaml.safe_load(capsys.readouterr().out)
    assert config["http_options"]["port"] == 9000
    (application,) = config["applications"]
    assert application["args"]["models"] == ["finsight-accurate", "finsight-fast"]
    assert application["args"]["set"] == {"time_scale": 10}
    (deployment,) = application["deployments"]
    assert deployment["autoscaling_config"]["max_replicas"] == 3
    assert deployment["autoscaling_config"]["policy"]["policy_kwargs"]["market_hours"] is False


def test_without_a_models_file_it_is_the_catalogue_of_the_ray_backend(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--engine", "vllm", "--preset", "cpu-tiny", "--served-model-name", "tiny", "--model", "/models/tiny"])
    (application,) = yaml.safe_load(capsys.readouterr().out)["applications"]
    assert (application["name"], application["route_prefix"]) == ("ray", "/")
    assert application["args"]["models"] == ["tiny"]
    assert application["args"]["model"] == "/models/tiny"


@pytest.mark.parametrize("most", [None, 2])
def test_a_node_can_be_kept_from_holding_all_replicas(most: int | None, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--engine", "mock", *([] if most is None else ["--max-replicas-per-node", str(most)])])
    (application,) = yaml.safe_load(capsys.readouterr().out)["applications"]
    assert application["deployments"][0].get("max_replicas_per_node") == most


def test_the_environment_fills_in_addresses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "models.yaml"
    file.write_text((ROOT / "models.yaml").read_text("utf-8"), "utf-8")
    monkeypatch.setenv("MOCK_BASE_URL", "http://nginx:8080/mock/v1")
    main(["--models-file", str(file), "--engine", "mock"])
    (application,) = yaml.safe_load(capsys.readouterr().out)["applications"]
    assert application["route_prefix"] == "/mock"


@pytest.mark.parametrize("key", ["api_key_env: HOSTED_KEY", '"api_key_env": "HOSTED_KEY"'])
def test_keys_of_other_upstreams_are_not_needed(
    key: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOSTED_KEY", raising=False)
    chat = "version: '1', kind: chat, context_tokens: 8192, price: {prefill: 1, decode: 1, cached: 1}"
    own = "{name: own, base_url: 'http://nginx/v1', engine: {kind: mock}}"
    hosted = f"{{name: hosted, base_url: 'https://models.example/v1', {key}}}"
    file = tmp_path / "models.yaml"
    file.write_text(f"models: [{{name: fast, {chat}, upstreams: [{own}, {hosted}]}}]\n")
    main(["--models-file", str(file)])
    (application,) = yaml.safe_load(capsys.readouterr().out)["applications"]
    assert application["name"] == "own"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--models-file", "/nowhere.yaml"], "'/nowhere.yaml' cannot be read"),
        ([], "no engine: give an upstream"),
        (["--engine", "vllm"], "preset is missing"),
        (["--engine", "mock", "--set", "time_scale"], "--set time_scale: must be FIELD=VALUE"),
        (["--engine", "mock", "--set", "time_scale=["], "the value is no YAML"),
        (["--engine", "mock", "--min-replicas", "9"], "min_replicas is 9"),
        (["--engine", "mock", "--max-replicas-per-node", "0"], "max_replicas_per_node is 0"),
        (["--engine", "mock", "--clock-start", "monday"], "clock_start is 'monday'"),
        (["--engine", "mock", "--ingress-port", "99999"], "ingress port is 99999: must be 1 to 65535"),
        (["--engine", "mock", "--longest-request-s", "-1"], "longest_request_s is -1.0: must be above 0"),
        (["--engine", "mock", "--longest-request-s", "nan"], "longest_request_s is nan: must be above 0"),
    ],
)
def test_it_ends_with_a_sentence(options: list[str], sentence: str) -> None:
    with pytest.raises(SystemExit) as raised:
        main(options)
    assert str(raised.value).startswith("serve_config: ")
    assert sentence in str(raised.value)
