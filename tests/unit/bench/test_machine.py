from __future__ import annotations

import os

from bench.machine import cpu_model, describe_machine

CPUINFO = """processor\t: 0
cpu family\t: 6
model\t\t: 106
model name\t: Some CPU @ 2.90GHz

processor\t: 1
model name\t: another
"""


def test_the_first_core_names_the_machine() -> None:
    assert cpu_model(CPUINFO) == "Some CPU @ 2.90GHz (family 6, model 106)"


def test_a_machine_that_names_no_model_is_named_by_its_architecture() -> None:
    assert cpu_model("processor\t: 0\n") == os.uname().machine


def test_this_machine_is_described() -> None:
    machine = describe_machine(server_cores={3, 2}, load_cores={1})
    assert machine.cpu
    assert machine.cores == os.cpu_count()
    assert machine.memory_gib > 0
    assert machine.server_cores == (2, 3)
    assert set(machine.packages) == {"uvicorn", "uvloop", "httptools", "aiohttp"}
