from __future__ import annotations

import socket

import pytest

from scripts.embedded import ports
from scripts.embedded.ports import NoFreePortError, free_port, is_free


def test_a_free_port_can_be_listened_on_and_then_is_not_free() -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        assert not is_free(port)
    assert is_free(port)


def test_ports_stay_below_those_of_outgoing_connections() -> None:
    assert all(20_000 <= free_port() <= 32_000 for _ in range(50))


def test_ports_to_avoid_are_avoided(monkeypatch: pytest.MonkeyPatch) -> None:
    first = free_port()
    monkeypatch.setattr(ports, "_FIRST", first)
    monkeypatch.setattr(ports, "_LAST", first)
    assert free_port() == first
    with pytest.raises(NoFreePortError, match=str(first)):
        free_port(avoid=frozenset({first}))
