from __future__ import annotations

import pytest

from bench.cores import choose_cores
from bench.processes import ProcessError


def test_server_and_load_never_share_a_core() -> None:
    cores = choose_cores({5, 2, 7})
    assert (cores.server, cores.load) == ({2}, {5})


def test_one_core_is_not_enough() -> None:
    with pytest.raises(ProcessError, match="needs two cores"):
        choose_cores({0})
