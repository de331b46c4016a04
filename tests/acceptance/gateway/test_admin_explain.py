"""What the admin API says about two questions is what happens when they are asked; and all of it from a terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from api.settings import setting_names
from tests.acceptance.gateway.cache_tenants import ADMIN_KEY, Tenant, ask_admin
from tests.acceptance.gateway.processes import ROOT, Gateway, eventually

NORVANE, QUILLORY = (
    "What was the net income of Norvane Labs in Q3 2024?",
    "What was the net income of Quillory in Q3 2024?",
)
NORVANE_Q4 = "What was the net income of Norvane Labs in Q4 2024?"


# One pair for each way in which questions look alike and have different answers.
DIFFERENT = [
    ("How many trucks did Dravik Motors deliver in Q2 2023?", "How many trucks did Dravik Motors deliver in Q3 2023?"),
    ("What did Pellworth spend on research in 2021?", "What did Pellworth spend on research in 2022?"),
    ("How much cash did Osterlund hold in fiscal 2023?", "How much cash did Osterlund hold in calendar 2023?"),
    ("What is the revenue of Norvane for 2023?", "What is the revenue of Norvane Health for 2023?"),
    ("Who may vote with BRK.A shares?", "Who may vote with BRK.B shares?"),
    ("What was Vantor's gross margin in 2023?", "What was Vantor's operating margin in 2023?"),
    ("Which unit of Vantor grew most in 2023?", "Which unit of Vantor shrank most in 2023?"),
    ("Does the outlook of Kestrel include acquisitions?", "Does the outlook of Kestrel exclude acquisitions?"),
    ("Is Halden paying a dividend in 2024?", "Is Halden not paying a dividend in 2024?"),
    ("Which suppliers had above 10% of Brightwell's costs?", "Which suppliers had above 20% of Brightwell's costs?"),
    ("Name the 3 largest customers of Halden.", "Name the 5 largest customers of Halden."),
    ("What was Marlow's 2023 revenue in euros?", "What was Marlow's 2023 revenue in yen?"),
    ("What was Fenwick's GAAP EPS for 2023?", "What was Fenwick's non-GAAP EPS for 2023?"),
    ("Did Arvex grow faster than Belmar in 2023?", "Did Belmar grow faster than Arvex in 2023?"),
    ("Did Arvex acquire Belmar?", "Did Belmar acquire Arvex?"),
    ("Why did Tolland's net income fall in 2023?", "When did Tolland's net income fall in 2023?"),
    ("What was Fenwick's average headcount in 2023?", "What was Fenwick's peak headcount in 2023?"),
    ("What revenue did Tolland report for 2024?", "What revenue did Tolland forecast for 2024?"),
]
SAME = [
    ("What was the gross margin of Pellworth in Q1 2024?", "Pellworth gross margin Q1 2024?"),
    ("What was Halden's free cash flow in fiscal 2023?", "Can you tell me the FCF of Halden for FY2023?"),
    ("What were Brightwell's research and development expenses in 2022?", "What was Brightwell's R&D expense in 2022?"),
]


@pytest.mark.parametrize(("a", "b"), DIFFERENT)
def test_what_it_calls_different_is_not_served(tenant: Tenant, a: str, b: str) -> None:
    explained = ask_admin(tenant.gateway, "POST", "explain", {"a": a, "b": b})
    assert explained["verdict"] == "different"
    assert explained["differing_slots"]
    assert explained["cosine"] is not None
    tenant.keep(a)
    assert b in tenant.ask(b).json()["choices"][0]["message"]["content"]


@pytest.mark.parametrize(("a", "b"), SAME)
def test_what_it_calls_the_same_is_served_by_that_tier(tenant: Tenant, a: str, b: str) -> None:
    explained = ask_admin(tenant.gateway, "POST", "explain", {"a": a, "b": b})
    assert explained["verdict"] in ("canonical", "semantic")
    tenant.keep(a)
    answer = tenant.ask(b)
    assert answer.headers["x-cache"] == explained["verdict"]
    assert a in answer.json()["choices"][0]["message"]["content"]


def test_what_it_calls_near_enough_is_served_by_the_semantic_tier(tenant: Tenant) -> None:
    a = "What was Pellworth's revenue in Q2 2023?"
    words = iter(("exact", "precise", "specific", "relevant", "respective"))

    def ask_differently() -> tuple[str, str]:
        b = f"What was Pellworth's {next(words)} revenue in Q2 2023?"
        assert ask_admin(tenant.gateway, "POST", "explain", {"a": a, "b": b})["verdict"] == "semantic"
        answer = tenant.ask(b)
        if answer.headers["x-cache"] == "miss":
            time.sleep(0.5)  # there are not many such words
        return answer.headers["x-cache"], answer.json()["choices"][0]["message"]["content"]

    tenant.keep(a)
    # Its vector is stored after the answer; a question that comes too early is a miss, and then has an answer itself.
    _, content = eventually(ask_differently, until=lambda found: found[0] == "semantic")
    assert "You asked: What was Pellworth's" in content


def admin_command(
    gateway: Gateway, *arguments: str, directory: Path, **settings: str
) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in setting_names()}
    own = {"GATEWAY_PORT": str(gateway.port), "ADMIN_API_KEY": ADMIN_KEY, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "api.admin", *arguments],
        cwd=directory,
        env={**environment, **own, **settings},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_command_line(tenant: Tenant, tmp_path: Path) -> None:
    def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return admin_command(tenant.gateway, *arguments, directory=tmp_path, **settings)

    tenant.keep(NORVANE, QUILLORY)
    table = run("cache", "stats", "--tenant", tenant.name).stdout.splitlines()
    assert table[2].split()[:2] == [tenant.name, "2"]
    told = json.loads(run("--json", "cache", "stats").stdout)["tenants"]
    assert {"tenant": tenant.name, "entries": 2}.items() <= {each["tenant"]: each for each in told}[tenant.name].items()

    shown = run("cache", "explain", NORVANE, NORVANE_Q4).stdout
    assert "* periods" in shown
    assert "verdict: different" in shown

    purged = run("cache", "purge", "--tenant", tenant.name, "--tag", "entity:Quillory")
    assert (purged.returncode, purged.stderr) == (0, "")
    assert purged.stdout.startswith(f"Removed 1 answer of {tenant.name} tagged ")
    assert tenant.status(QUILLORY) == "miss"

    refused = run("cache", "stats", ADMIN_API_KEY="a-key-of-somebody-else")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "401" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
