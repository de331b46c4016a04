"""The house stands as docs/architecture.md draws it, and the checker sees it when it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.architecture.rules import RULES, Rule, violations
from tests.architecture.source_tree import SourceTree

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def repository() -> SourceTree:
    return SourceTree(REPOSITORY)


def test_the_checker_sees_the_repository(repository: SourceTree) -> None:
    assert {"api.settings", "serving.base", "resilience.limiter.base", "tests.test_architecture"} <= repository.modules
    assert len(repository.imports) > len(repository.sources)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_stands(repository: SourceTree, rule: Rule) -> None:
    assert list(rule(repository)) == []


def plant(root: Path, files: dict[str, str]) -> SourceTree:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return SourceTree(root)


LONG_FUNCTION = "def long():\n" + "    pass\n" * 40
LAZY = "def late():\n    "
TYPING = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    "
BASE = {"serving/base.py": "", "serving/backends/http.py": "", "api/cache/base.py": "", "api/cache/index_redis.py": ""}


@pytest.mark.parametrize(
    ("file", "text", "breach"),
    [
        # rooms
        ("magic/spell.py", "", "magic/spell.py:1: magic is no room"),
        ("setup.py", "", "setup.py:1: the top level is no room"),
        ("observability/a.py", "import resilience.b", "observability may not import resilience.b"),
        ("resilience/a.py", "from serving import base", "resilience may not import serving.base"),
        ("resilience/a.py", "from observability.metrics import x", "resilience may not import observability.metrics"),
        ("serving/a.py", "import api.call", "serving may not import api.call"),
        ("serving/a.py", f"{LAZY}import rag", "serving/a.py:2: serving may not import rag"),
        ("serving/a.py", f"{TYPING}from api.call import Call", "serving/a.py:3: serving may not import api.call"),
        ("serving/a.py", "import importlib\nimportlib.import_module('api.app')", "serving may not import api.app"),
        ("rag/a.py", "from serving.errors import BackendError", "rag may not import serving.errors"),
        ("rag/a.py", "import resilience.retry", "rag may not import resilience.retry"),
        ("chaos/a.py", "import serving.base", "chaos may not import serving.base"),
        ("bench/a.py", "from api.settings import Settings", "bench may not import api.settings"),
        ("bench/a.py", "import scripts.stack", "bench may not import scripts.stack"),
        ("api/a.py", "import bench.b", "api may not import bench.b"),
        ("api/a.py", "import tests.b", "api may not import tests.b"),
        # implementations
        ("api/a.py", "import serving.backends.http as backend", "only api.bootstrap may import serving.backends.http"),
        ("api/a.py", "from serving.backends import http", "only api.bootstrap may import serving.backends.http"),
        ("api/a.py", "from serving.backends import Backend", "only api.bootstrap may import serving.backends:"),
        ("api/stages/a.py", "from api.cache import index_redis", "only api.bootstrap may import api.cache.index_redis"),
        ("api/stages/a.py", "from ..cache.index_redis import x", "only api.bootstrap may import api.cache.index_redis"),
        ("scripts/a.py", "import serving.mock_llm.engine", "only api.bootstrap may import serving.mock_llm.engine"),
        ("api/a.py", "from api.bootstrap import build", "only api.__main__ and api.app may import api.bootstrap"),
        # foreign packages
        ("serving/a.py", "import ray", "ray may be imported only in serving.ray_serve_app, serving.autoscaling_policy"),
        ("api/a.py", f"{LAZY}from ray import serve", "api/a.py:2: ray may be imported only"),
        ("serving/vllm_config.py", "import vllm.config", "vllm may be imported only in serving.engines.vllm_in"),
        ("api/a.py", "import httpx", "httpx may be imported only in tests, bench, chaos, scripts"),
        ("serving/a.py", "import pydantic_settings", "pydantic_settings may be imported only in api.settings"),
        ("api/a.py", "import sqlalchemy", "sqlalchemy may be imported only in api.database.migration"),
        ("api/a.py", "import api.database.migration", "api/a.py:1: api.database.migration is for a process of its"),
        # environment
        ("api/a.py", "import os\nx = os.environ['A']", "api/a.py:2: reads the environment"),
        ("api/a.py", "import os\nos.environ['A'] += '1'\nx = os.environ", "api/a.py:3: reads the environment"),
        ("serving/a.py", "import os as o\no.getenv('A')", "serving/a.py:2: reads the environment"),
        ("serving/a.py", "from os import environ", "serving/a.py:1: reads the environment"),
        # size and names
        ("api/a.py", "x = 1\n" * 301, "api/a.py:301: has more than 300 lines"),
        ("tests/unit/a.py", "x = 1\n" * 301, "tests/unit/a.py:301: has more than 300 lines"),
        ("api/a.py", LONG_FUNCTION, "api/a.py:1: long has 41 lines, more than 40"),
        ("api/a.py", "class A:\n    async " + LONG_FUNCTION.replace("\n", "\n    "), "api/a.py:2: long has 41 lines"),
        ("api/utils.py", "", "utils says nothing"),
        ("serving/helpers/a.py", "", "helpers says nothing"),
        ("api/a.py", "import api.a", "modules import each other: api.a <- api.a"),
    ],
)  # fmt: skip
def test_one_planted_breach_is_the_one_found(tmp_path: Path, file: str, text: str, breach: str) -> None:
    found = violations(plant(tmp_path, {**BASE, file: text}))
    assert len(found) == 1
    assert breach in found[0]


@pytest.mark.parametrize(
    "files",
    [
        {"api/a.py": "import api.b", "api/b.py": "def late():\n    from api import a"},
        {"api/a.py": "import api.b", "api/b.py": f"{TYPING}from api.a import A"},
        {"api/p/__init__.py": "from api.a import x", "api/p/c.py": "", "api/a.py": "from api.p.c import y"},
    ],
    ids=["late", "type checking", "through a package"],
)
def test_a_planted_cycle_is_found(tmp_path: Path, files: dict[str, str]) -> None:
    (found,) = violations(plant(tmp_path, files))
    assert found.startswith("modules import each other: ")


def test_what_is_allowed_passes(tmp_path: Path) -> None:
    files = {
        "api/__init__.py": "",
        "api/settings.py": "import os, pydantic_settings\nx = os.environ",
        "api/bootstrap.py": "from serving.backends.http import B\nimport api.cache.index_redis, api.settings",
        "api/app.py": "from api import bootstrap",
        "api/metrics.py": "import os\nos.environ['DIR'] = 'x'\ndel os.environ['DIR']\nfrom os import path",
        "api/stages/a.py": "from api.cache.base import Cache\nfrom serving.base import Backend",
        "api/cache/index_pgvector.py": "from .index_redis import x\nfrom . import base",
        "serving/ray_serve_app.py": "import ray, resilience.retry, observability, serving.engines.mock",
        "serving/engines/base.py": "",
        "serving/engines/mock.py": "import serving.mock_llm.engine",
        "serving/engines/vllm_in_process.py": "import vllm",
        "serving/backends/__init__.py": "",
        "serving/backends/retrying.py": "from serving.backends.http import B\nimport serving.base",
        "rag/a.py": "from serving import base\nimport serving.types, rag.b",
        "rag/b.py": "",
        "bench/a.py": "import os, httpx, bench.b\nos.getenv('A')",
        "bench/b.py": "import scripts.embedded.ports",
        "scripts/a.py": "import api.settings",
        "tests/unit/test_a.py": f"import pytest, serving.backends.http, api.bootstrap\n{LONG_FUNCTION}",
        ".venv/lib/utils.py": "import ray",
    }
    assert violations(plant(tmp_path, {**BASE, **files})) == []
