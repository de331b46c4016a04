"""From catalogue to what Ray Serve is to run. tests/real/ray/test_serve_config.py has Ray read it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from serving.catalogue.base import Catalogue, EngineSpec
from serving.catalogue.defaults import default_catalogue
from serving.catalogue.load import parse_catalogue
from serving.engine_settings import EngineSettings, engine_settings
from serving.serve_deployments import EngineDeployment, Ingress, ServeConfigError, engine_deployments, serve_config

MODEL = """\
  - name: {name}
    version: v1
    kind: {kind}
    context_tokens: 8192
    price: {{prefill: 0, decode: 0, cached: 0}}
    upstreams:
      - {{name: {upstream}, base_url: "{url}"{rest}}}
"""
MOCK = EngineSpec(kind="mock")


def catalogue(*models: dict[str, str]) -> Catalogue:
    defaults = {"kind": "chat", "upstream": "mock", "url": "http://host/v1", "rest": ""}
    text = "models:\n" + "".join(MODEL.format(**{**defaults, **model}) for model in models)
    return parse_catalogue(text.encode(), file="models.yaml", variables={})


def applications(catalogue: Catalogue, **options: Any) -> list[dict[str, Any]]:
    config = serve_config(engine_deployments(catalogue, **options), ingress=Ingress())
    assert json.loads(json.dumps(config)) == config  # Ray's head takes JSON
    found: list[dict[str, Any]] = config["applications"]
    return found


def test_models_of_one_upstream_are_one_deployment() -> None:
    models = catalogue({"name": "fast"}, {"name": "accurate"}, {"name": "embed", "kind": "embedding"})
    (application,) = applications(models, otherwise=MOCK)
    assert application["name"] == "mock"
    assert application["route_prefix"] == "/"
    assert application["args"] == {
        "name": "mock",
        "kind": "mock",
        "models": ["accurate", "fast"],
        "embedding_models": ["embed"],
        "check_timeout_s": 10.0,
    }


def test_a_model_that_is_built_in_needs_no_deployment() -> None:
    models = default_catalogue("ray", base_url="http://host/v1")
    assert any(upstream.builtin for model in models.models for upstream in model.upstreams)
    (application,) = applications(models, otherwise=MOCK)
    assert application["name"] == "ray"
    assert not application["args"].get("embedding_models")


def test_a_replica_reads_what_was_written() -> None:
    settings = EngineSettings(
        name="gpu", kind="vllm", models=("m",), preset="cpu-tiny", set={"max_num_seqs": 8}, check_timeout_s=3.0
    )
    config = serve_config([EngineDeployment(settings=settings)], ingress=Ingress())
    assert engine_settings(json.loads(json.dumps(config["applications"][0]["args"]))) == settings


def test_several_engines_are_each_at_the_path_of_their_address() -> None:
    fast = {"name": "fast", "upstream": "a", "url": "http://host/a/v1", "rest": ", engine: {kind: mock}"}
    slow = {"name": "slow", "upstream": "b", "url": "http://host/b/v1", "rest": ", engine: {kind: mock}"}
    vendor = {"name": "vendor", "upstream": "c", "url": "https://vendor.example/v1"}
    found = applications(catalogue(fast, slow, vendor), otherwise=MOCK)
    assert [(one["name"], one["route_prefix"]) for one in found] == [("a", "/a"), ("b", "/b")]


def test_two_engines_at_one_path_are_refused() -> None:
    fast = {"name": "fast", "upstream": "a", "rest": ", engine: {kind: mock}"}
    slow = {"name": "slow", "upstream": "b", "url": "http://other/v1", "rest": ", engine: {kind: mock}"}
    with pytest.raises(ServeConfigError, match="upstreams 'a' and 'b' both have the path '/'"):
        applications(catalogue(fast, slow))


def test_an_address_without_its_version_is_refused() -> None:
    with pytest.raises(ServeConfigError, match="upstream 'mock': base_url must end with /v1"):
        applications(catalogue({"name": "fast", "url": "http://host/api"}), otherwise=MOCK)


@pytest.mark.parametrize("path", ["/a/b/v1", "/a%20b/v1", "/a:b/v1"])
def test_a_path_that_nginx_lets_nobody_reach_is_refused(path: str) -> None:
    with pytest.raises(ServeConfigError, match=r"upstream 'mock': before /v1, base_url may have one name"):
        applications(catalogue({"name": "fast", "url": f"http://host{path}"}), otherwise=MOCK)


def test_without_engines_there_is_nothing_to_deploy() -> None:
    with pytest.raises(ServeConfigError, match="no engine: give an upstream"):
        applications(catalogue({"name": "fast"}))


def deployment(spec: EngineSpec, **options: Any) -> dict[str, Any]:
    (application,) = applications(catalogue({"name": "fast"}), otherwise=spec, **options)
    (found,) = application["deployments"]
    return dict(found)


def test_replicas_take_what_the_policy_needs_to_see() -> None:
    spec = EngineSpec(kind="mock", set={"max_num_seqs": 8}, autoscaling={"max_replicas": 6})
    found = deployment(spec)
    config = found["autoscaling_config"]
    assert found["max_ongoing_requests"] >= config["target_ongoing_requests"] * config["max_replicas"]
    assert found["max_queued_requests"] > 0
    assert found["backpressure_config"] == {"status_code": 503, "retry_after_s": 1}


def test_replicas_that_end_wait_for_the_longest_request() -> None:
    (engine,) = engine_deployments(catalogue({"name": "fast"}), otherwise=MOCK)
    config = serve_config([engine], ingress=Ingress(longest_request_s=900))
    assert config["applications"][0]["deployments"][0]["graceful_shutdown_timeout_s"] > 900
    assert config["http_options"]["request_timeout_s"] is None


def test_ray_waits_longer_for_a_health_check_than_the_engine_may_take() -> None:
    (engine,) = engine_deployments(catalogue({"name": "fast"}), otherwise=MOCK)
    assert deployment(MOCK)["health_check_timeout_s"] > engine.settings.check_timeout_s


@pytest.mark.parametrize(
    ("preset", "overrides", "resources"),
    [
        ("cpu-tiny", {}, {"num_cpus": 1}),
        ("mistral-7b-a10g", {}, {"num_cpus": 1, "num_gpus": 1}),
        ("mistral-7b-a100", {"tensor_parallel_size": 2}, {"num_cpus": 1, "num_gpus": 2}),
    ],
)
def test_vllm_gets_its_gpus_and_environment(preset: str, overrides: dict[str, Any], resources: dict[str, Any]) -> None:
    spec = EngineSpec(kind="vllm", preset=preset, set=overrides)
    (application,) = applications(catalogue({"name": "fast"}), otherwise=spec)
    assert application["deployments"][0]["ray_actor_options"] == resources
    assert application["runtime_env"]["env_vars"]["VLLM_NO_USAGE_STATS"] == "1"


def test_a_wrong_setting_names_its_upstream() -> None:
    with pytest.raises(ServeConfigError, match="the engine of upstream 'mock': time_scale is 0"):
        deployment(EngineSpec(kind="mock", set={"time_scale": 0}))
    with pytest.raises(ServeConfigError, match="the autoscaling of upstream 'mock': max_replicas is 0"):
        deployment(EngineSpec(kind="mock", autoscaling={"max_replicas": 0}))


def test_what_is_said_last_counts() -> None:
    spec = EngineSpec(kind="mock", autoscaling={"max_replicas": 6, "market_hours": False})
    config = deployment(spec, autoscaling={"max_replicas": 8})["autoscaling_config"]
    assert config["max_replicas"] == 8
    assert config["policy"]["policy_kwargs"]["market_hours"] is False


def test_one_replica_at_most_is_one_at_any_hour() -> None:
    config = deployment(MOCK, autoscaling={"max_replicas": 1})["autoscaling_config"]
    assert config["max_replicas"] == 1
    assert config["policy"]["policy_kwargs"]["market_hours_min_replicas"] == 1
