from __future__ import annotations

from pathlib import Path

import pytest

from api.settings import Environment, ModelBackend, Settings, SettingsError, load_embedded_settings, setting_names


@pytest.fixture(autouse=True)
def _no_settings_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in setting_names():
        monkeypatch.delenv(name, raising=False)


def load(tmp_path: Path, env: str) -> Settings:
    file = tmp_path / ".env"
    file.write_text(env, encoding="utf-8")
    return Settings.load(file)


def test_defaults_need_no_file(tmp_path: Path) -> None:
    settings = Settings.load(tmp_path / "missing")
    assert settings.gateway.gateway_port == 8000
    assert settings.keys.tenants_by_key() == {"dev-key": "finsight"}
    assert settings.models.model_backend is ModelBackend.MOCK


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_PORT", "8010")
    settings = load(tmp_path, "GATEWAY_PORT=8020\nWORKERS=4\n")
    assert settings.gateway.gateway_port == 8010
    assert settings.gateway.workers == 4


def test_an_empty_value_is_the_default(tmp_path: Path) -> None:
    assert load(tmp_path, "WORKERS=\nMODELS_FILE=\n").gateway.workers == 2


def test_other_variables_are_kept_for_the_catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROM_SHELL", "1")
    settings = load(tmp_path, "ENGINE_KEY=hush\nFROM_SHELL=2\n")
    assert settings.variables["ENGINE_KEY"] == "hush"
    assert settings.variables["FROM_SHELL"] == "1"
    assert "hush" not in repr(settings)


@pytest.mark.parametrize(
    ("env", "named"),
    [
        ("WORKERS=0", "WORKERS: Input should be greater than 0"),
        ("GATEWAY_PORT=70000", "GATEWAY_PORT: Input should be less than or equal to 65535"),
        ("MODEL_BACKEND=gpt", "MODEL_BACKEND: Input should be"),
        ("MODEL_BACKEND=openai", "MODEL_BACKEND=openai needs UPSTREAM_BASE_URL"),
        ("UPSTREAM_BASE_URL=ftp://host", "UPSTREAM_BASE_URL"),
        ("REDIS_URL=localhost", "REDIS_URL: must begin with redis://"),
        ("DATABASE_URL=mysql://h/d", "DATABASE_URL: must be such as postgresql://"),
        ("API_KEYS=clé:t", "API_KEYS holds a key with a character that no client can send"),
        ("API_KEYS='two words:t'", "API_KEYS holds a key with a character that no client can send"),
        ('API_KEYS="a\tb:t"', "API_KEYS holds a key with a character that no client can send"),
        ("API_KEYS=a\x7fb:t", "API_KEYS holds a key with a character that no client can send"),
        ("LOG_LEVEL=LOUD", "LOG_LEVEL"),
        ("API_KEYS=no-tenant", "API_KEYS must be a comma-separated list of key:tenant"),
        ("API_KEYS=,", "API_KEYS must hold at least one key:tenant"),
        ("ENVIRONMENT=production", "API_KEYS holds dev-key, which ENVIRONMENT=production refuses"),
        ("MOCK_BATCHING=some", "MOCK_BATCHING"),
    ],
)
def test_a_wrong_value_is_named(tmp_path: Path, env: str, named: str) -> None:
    with pytest.raises(SettingsError) as error:
        load(tmp_path, env)
    assert named in str(error.value)


def test_all_that_is_wrong_is_said_at_once_and_once(tmp_path: Path) -> None:
    # ENVIRONMENT is read by two groups.
    with pytest.raises(SettingsError) as error:
        load(tmp_path, "ENVIRONMENT=moon\nWORKERS=0\nLOG_LEVEL=LOUD\nREDIS_PORT=-1\n")
    assert [problem.split(":")[0] for problem in str(error.value).split("; ")] == [
        "ENVIRONMENT",
        "WORKERS",
        "LOG_LEVEL",
        "REDIS_PORT",
    ]


def test_no_value_is_printed(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as error:
        load(
            tmp_path,
            "API_KEYS=sesame\nREDIS_URL=sesame\nUPSTREAM_BASE_URL=sesame\nWORKERS=sesame\nDATABASE_URL=sesame\n",
        )
    assert "sesame" not in str(error.value)


def test_secrets_are_not_in_the_repr(tmp_path: Path) -> None:
    settings = load(tmp_path, "API_KEYS=sesame:t\nDATABASE_URL=postgresql://u:sesame@h/d\nUPSTREAM_API_KEY=sesame\n")
    assert "sesame" not in repr(settings)


def test_production_takes_keys_of_ones_own(tmp_path: Path) -> None:
    settings = load(tmp_path, "ENVIRONMENT=production\nAPI_KEYS= k1:a , k:2:b ,\n")
    assert settings.gateway.environment is Environment.PRODUCTION
    assert settings.keys.tenants_by_key() == {"k1": "a", "k:2": "b"}


def test_the_embedded_group_loads_while_others_are_wrong(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("WORKERS=0\nDATA_DIR=elsewhere\n", encoding="utf-8")
    assert load_embedded_settings(file).data_dir == Path("elsewhere")
    file.write_text("MOCK_PORT=x\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="MOCK_PORT"):
        load_embedded_settings(file)
