from __future__ import annotations

import json
import socket
from dataclasses import asdict
from pathlib import Path

import pytest

from api.settings import Settings, setting_names
from scripts.embedded.ports import free_block, free_port
from scripts.embedded.stack_ports import RAY_PORTS, PortTakenError, choose_ports, read_ports
from scripts.embedded.stack_settings import StackSettings


@pytest.fixture(autouse=True)
def _no_settings_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in setting_names():
        monkeypatch.delenv(name, raising=False)


def stack_in(folder: Path) -> StackSettings:
    return StackSettings(
        env_file=folder / ".env", root=folder, data_dir=folder, settings=Settings.load(None), environment={}
    )


def test_ports_are_all_different_and_remembered(tmp_path: Path) -> None:
    assert read_ports(tmp_path) is None
    ports = choose_ports(stack_in(tmp_path))
    chosen = asdict(ports)
    ray = range(chosen.pop("ray"), ports.ray + RAY_PORTS)
    assert len(set(chosen.values())) == len(chosen)
    assert not set(chosen.values()) & set(ray)
    assert choose_ports(stack_in(tmp_path)) == ports
    assert read_ports(tmp_path) == ports


def test_a_remembered_port_that_is_taken_is_replaced(tmp_path: Path) -> None:
    before = choose_ports(stack_in(tmp_path))
    with socket.create_server(("127.0.0.1", before.nginx)), socket.create_server(("127.0.0.1", before.ray + 7)):
        now = choose_ports(stack_in(tmp_path))
    assert now.redis == before.redis
    assert now.nginx != before.nginx
    assert before.ray + 7 not in range(now.ray, now.ray + RAY_PORTS)


def test_ports_of_an_earlier_version_are_kept(tmp_path: Path) -> None:
    redis = free_port()
    (tmp_path / "ports.json").write_text(json.dumps({"redis": redis, "gone": 7}))
    assert read_ports(tmp_path) is None
    assert choose_ports(stack_in(tmp_path)).redis == redis


def test_ports_that_settings_ask_for_are_taken_or_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ray = free_block(RAY_PORTS)
    monkeypatch.setenv("RAY_PORT", str(ray))
    monkeypatch.setenv("NGINX_PORT", str(nginx := free_port(avoid=frozenset(range(ray, ray + RAY_PORTS)))))
    ports = choose_ports(stack_in(tmp_path))
    assert (ports.ray, ports.nginx) == (ray, nginx)
    with (
        socket.create_server(("127.0.0.1", ray + 3)),
        pytest.raises(PortTakenError, match=f"RAY_PORT {ray}.*{ray + 3}"),
    ):
        choose_ports(stack_in(tmp_path))
    with socket.create_server(("127.0.0.1", nginx)), pytest.raises(PortTakenError, match=f"NGINX_PORT {nginx}"):
        choose_ports(stack_in(tmp_path))
