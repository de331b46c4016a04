"""docker-compose.scaling.yml against what it must agree with: Nginx's topology, Serve's options, the house rules."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from serving.serve_config import main as print_serve_config

ROOT = Path(__file__).resolve().parents[3]


class _Loader(yaml.SafeLoader):
    """Knows Compose's own tags, which say how a value takes the place of an extended one."""


def _sequence_or_mapping(loader: yaml.SafeLoader, node: yaml.Node) -> object:
    return loader.construct_mapping(node) if isinstance(node, yaml.MappingNode) else loader.construct_object(node)


_Loader.add_constructor("!override", _sequence_or_mapping)
_Loader.add_constructor("!reset", lambda _loader, _node: None)

COMPOSE: dict[str, Any] = yaml.load((ROOT / "docker-compose.scaling.yml").read_text(), Loader=_Loader)  # noqa: S506  # a safe loader
SERVING: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.serving.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OWN = [name for name, service in SERVICES.items() if "extends" not in service]
NODES = ["ray-head", "ray-worker-1", "ray-worker-2"]
GATEWAYS = ["gateway-1", "gateway-2"]


def address(service: str) -> str:
    return str(SERVICES[service]["networks"]["inside"]["ipv4_address"])


@pytest.mark.parametrize("name", OWN)
def test_service_is_confined(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == "unless-stopped"
    assert {"cpus", "mem_limit", "pids_limit", "healthcheck"} <= set(service)


def test_the_others_are_those_of_the_serving_file() -> None:
    extended = {name: service["extends"] for name, service in SERVICES.items() if "extends" in service}
    assert set(extended) == {*GATEWAYS, "redis", "postgres"}
    for name, extends in extended.items():
        assert extends["file"] == "docker-compose.serving.yml"
        assert extends["service"] == name.rstrip("-12")
        assert extends["service"] in SERVING["services"]


def test_only_nginx_is_published() -> None:
    assert [name for name, service in SERVICES.items() if service.get("ports")] == ["nginx"]
    assert SERVICES["nginx"]["ports"] == ["${GATEWAY_HOST:-127.0.0.1}:${GATEWAY_PORT:-8000}:8000"]
    for name in GATEWAYS:
        assert SERVICES[name]["ports"] is None  # reset: the serving file publishes them


def test_nodes_and_stores_have_no_way_out() -> None:
    assert COMPOSE["networks"]["inside"]["internal"] is True
    for name in NODES:
        assert set(SERVICES[name]["networks"]) == {"inside"}


def test_whatever_is_looked_up_has_a_fixed_address() -> None:
    hosts = COMPOSE["x-hosts"]
    assert hosts == {name: address(name) for name in [*GATEWAYS, *NODES]}
    for name in ("nginx", *NODES):
        assert SERVICES[name]["extra_hosts"] == hosts
    upstreams = (ROOT / "deploy/nginx/compose/upstreams.conf").read_text()
    assert set(re.findall(r"^\s*server ([\w-]+):8000", upstreams, re.MULTILINE)) == set(hosts) - {"ray-head"}


def test_fixed_addresses_are_not_given_to_others() -> None:
    (config,) = COMPOSE["networks"]["inside"]["ipam"]["config"]
    prefix = config["subnet"].removesuffix(".0/24")
    assert config["ip_range"] == f"{prefix}.128/25"
    for name in ["nginx", *GATEWAYS, *NODES]:
        network, _, last = address(name).rpartition(".")
        assert network == prefix
        assert 2 <= int(last) < 128


def test_gateways_know_that_they_are_two_and_share_nothing_but_the_stores() -> None:
    for name in GATEWAYS:
        assert SERVICES[name]["environment"]["GATEWAY_REPLICAS"] == str(len(GATEWAYS))
        assert SERVICES[name]["environment"]["RAY_BASE_URL"] == "http://nginx:8080/v1"
    (first,), (second,) = (SERVICES[name]["volumes"] for name in GATEWAYS)
    assert first != second


def test_serve_takes_the_options_that_the_head_is_given(capsys: pytest.CaptureFixture[str]) -> None:
    _shell, script, *options = SERVICES["ray-head"]["command"]
    assert (ROOT / script).is_file()
    print_serve_config([re.sub(r"\$\{\w+:-(\w+)\}", r"\1", option) for option in options])
    (application,) = yaml.safe_load(capsys.readouterr().out)["applications"]
    (deployment,) = application["deployments"]
    least, places = deployment["autoscaling_config"]["min_replicas"], deployment["max_replicas_per_node"]
    workers = len(NODES) - 1
    # No node but one can hold all replicas, and all nodes together can hold as many as there may be.
    assert least > places * (workers - 1)
    assert deployment["autoscaling_config"]["max_replicas"] <= places * workers


def test_the_head_is_given_what_its_script_reads() -> None:
    read = set(re.findall(r"\$\{(\w+):-", (ROOT / "deploy" / "ray" / "head.sh").read_text()))
    assert "UPSTREAM_MODEL" in read  # the gateways' name for the engine is the engine's
    only_by_hand = {"RAY_SERVE_CONFIG", "RAY_OBJECT_STORE_BYTES"}
    assert read - only_by_hand <= SERVICES["ray-head"]["environment"].keys()


def test_every_node_of_the_cluster_is_told_the_same() -> None:
    shared = COMPOSE["x-ray"]["environment"]
    for name in NODES:
        assert shared.items() <= SERVICES[name]["environment"].items()
    assert shared["RAY_AUTH_MODE"] == "token"


def test_stand_ins_have_the_names_of_the_images_in_use() -> None:
    recipes = yaml.safe_load((ROOT / "deploy/local-images/docker-compose.yml").read_text())["services"]
    script = (ROOT / "scripts/containers/base_images.sh").read_text()
    services = {**SERVING["services"], **{name: SERVICES[name] for name in OWN}}
    used = {name: services[name]["image"] for name in recipes}
    assert {name: recipe["image"] for name, recipe in recipes.items()} == used
    built = re.search(r"^readonly SERVICES=\((.*)\)$", script, re.MULTILINE)
    assert built is not None
    assert set(built[1].split()) == set(used.values())


def test_every_image_is_pinned() -> None:
    for name in OWN:
        assert SERVICES[name]["image"].rpartition(":")[2] not in {"", "latest"}
