from __future__ import annotations

import pytest

from bench.cores import Cores, choose_cores, share_cores
from bench.processes import ProcessError


def test_server_and_load_never_share_a_core() -> None:
    cores = choose_cores({5, 2, 7})
    assert (cores.server, cores.load) == ({2}, {5})


def test_one_core_is_not_enough() -> None:
    with pytest.raises(ProcessError, match="needs two cores"):
        choose_cores({0})


def test_servers_share_their_cores_and_load_has_the_others_if_there_are_any() -> None:
    assert share_cores({4, 1, 2, 3}) == Cores(server={1, 2}, load={3, 4})
    assert share_cores({0, 1}) == Cores(server={0, 1}, load={0, 1})
    with pytest.raises(ProcessError, match="needs 2 cores"):
        share_cores({0})
