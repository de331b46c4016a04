from __future__ import annotations

import re
from io import StringIO

import pytest
from dotenv import dotenv_values

from api.settings import GROUPS, Settings, setting_names
from scripts.embedded.stack_settings import effective_values
from scripts.settings_reference import COMPOSE_ONLY, ROOT, SET_BY_EACH_STACK, generated_files, settings_by_group

EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def _no_settings_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in setting_names():
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("path", generated_files(), ids=lambda path: path.name)
def test_the_written_file_is_what_the_settings_say(path: object) -> None:
    files = {str(file): text for file, text in generated_files().items()}
    with open(str(path), encoding="utf-8") as file:  # noqa: PTH123  # the parameter is typed for pytest's ids
        assert file.read() == files[str(path)], "run `make reference`"


def test_the_example_lists_every_setting_once_and_nothing_else() -> None:
    names = re.findall(r"^#?([A-Z][A-Z0-9_]*)=", EXAMPLE, flags=re.MULTILINE)
    assert sorted(names) == sorted(setting_names() | set(COMPOSE_ONLY))


def test_copying_the_example_changes_nothing() -> None:
    assert effective_values(Settings.load(ROOT / ".env.example")) == effective_values(Settings.load(None))


def test_the_example_sets_nothing_that_stacks_set_themselves() -> None:
    assert setting_names() >= SET_BY_EACH_STACK
    assert not SET_BY_EACH_STACK & set(dotenv_values(ROOT / ".env.example"))


def test_every_value_in_the_example_is_the_default_also_the_commented_ones() -> None:
    uncommented = re.sub(r"^#(?=[A-Z][A-Z0-9_]*=)", "", EXAMPLE, flags=re.MULTILINE)
    values = {name: value or "" for name, value in dotenv_values(stream=StringIO(uncommented)).items()}
    for _, settings in settings_by_group():
        for setting in settings:
            assert values[setting.name] == setting.default, setting.name


def test_every_setting_has_a_meaning_of_one_line() -> None:
    for group in GROUPS.values():
        for name, field in group.model_fields.items():
            assert field.description, name
            assert "\n" not in field.description, name


def test_compose_reads_no_variable_that_is_not_described() -> None:
    compose = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("docker-compose.*.yml"))
    read = set(re.findall(r"\$\{([A-Z][A-Z0-9_]*)", compose))
    # Cores and memory of the other containers are described with the gateway's.
    described = {name for name in read if name.endswith(("_CPUS", "_MEMORY"))} | setting_names() | set(COMPOSE_ONLY)
    assert read <= described
    assert set(COMPOSE_ONLY) <= read
