from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from api.settings import SettingsError, setting_names
from scripts.embedded.report import changed_settings, welcome
from scripts.embedded.stack_settings import MARKER, StackSettings, effective_values, load_stack_settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _no_settings_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in setting_names():
        monkeypatch.delenv(name, raising=False)


def load(root: Path, env: str = "") -> StackSettings:
    (root / ".env").write_text(env)
    return load_stack_settings(root=root, env_file=root / ".env")


def test_every_process_gets_the_effective_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKERS", "3")
    stack = load(tmp_path, "WORKERS=5\nRATE_LIMIT_RPM=7\nMY_ENGINE_KEY=hush\n")
    assert stack.environment["WORKERS"] == "3"
    assert stack.environment["RATE_LIMIT_RPM"] == "7"
    assert stack.environment["MY_ENGINE_KEY"] == "hush"
    assert stack.environment["GATEWAY_PORT"] == "8000"
    assert "REDIS_URL" not in stack.environment


def test_a_relative_data_folder_lies_in_the_checkout(tmp_path: Path) -> None:
    stack = load(tmp_path, "DATA_DIR=here")
    assert stack.data_dir == tmp_path / "here"
    assert stack.environment["DATA_DIR"] == stack.environment[MARKER] == str(tmp_path / "here")


@pytest.mark.parametrize(("host", "reached"), [("0.0.0.0", "127.0.0.1"), ("127.0.0.1", "127.0.0.1")])
def test_all_interfaces_are_reached_over_loopback(tmp_path: Path, host: str, reached: str) -> None:
    assert load(tmp_path, f"GATEWAY_HOST={host}").host == reached


def test_digests_tell_changed_settings_and_hold_no_value(tmp_path: Path) -> None:
    before = load(tmp_path, "API_KEYS=sesame:a\nUPSTREAM_MODEL=x").digests()
    same = load(tmp_path, "API_KEYS=sesame:a\nUPSTREAM_MODEL=x").digests()
    now = load(tmp_path, "API_KEYS=sesame2:a\nWORKERS=9").digests()
    assert changed_settings(before=before, now=same) == []
    assert changed_settings(before=before, now=now) == ["API_KEYS", "UPSTREAM_MODEL", "WORKERS"]
    assert "sesame" not in str(before)


def test_effective_values_read_back_to_the_same_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load(
        tmp_path,
        "MODEL_BACKEND=openai\nUPSTREAM_BASE_URL=http://h/v1\nMOCK_TIME_SCALE=2.5\nRAY_MARKET_HOURS=false\nVLLM_PRESET=cpu-tiny",
    ).settings
    for name, value in effective_values(first).items():
        monkeypatch.setenv(name, value)
    second = load(tmp_path).settings
    for group in ("gateway", "models", "embedded", "engine"):
        assert getattr(second, group) == getattr(first, group)


def test_a_wrong_setting_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="WORKERS"):
        load(tmp_path, "WORKERS=none")


def test_only_a_development_key_is_shown(tmp_path: Path) -> None:
    shown = welcome(load(tmp_path), base_url="http://h:1/v1", took_s=1)
    assert "Bearer dev-key" in shown
    hidden = welcome(load(tmp_path, "ENVIRONMENT=production\nAPI_KEYS=sesame:a"), base_url="http://h:1/v1", took_s=1)
    assert "sesame" not in hidden
    assert "Bearer $API_KEY" in hidden
