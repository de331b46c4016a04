"""docker-compose.serving.yml against what it must agree with: the settings, the images' recipes, the house rules."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.settings import EmbeddedSettings, EngineSettings, setting_names

ROOT = Path(__file__).resolve().parents[3]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.serving.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
# What the embedded stack alone is told: its ports, and how it starts engines (flags, in compose).
EMBEDDED_ONLY = {name.upper() for name in {**EmbeddedSettings.model_fields, **EngineSettings.model_fields}} - {
    "DATA_DIR"
}


def test_gateway_is_given_every_setting() -> None:
    given = {name for name in SERVICES["gateway"]["environment"] if not name.startswith("x-")}
    assert given == setting_names() - EMBEDDED_ONLY | {"DATA_DIR"}


def test_mock_llm_is_given_its_settings() -> None:
    command = " ".join(SERVICES["mock-llm"]["command"])
    assert "${MOCK_TIME_SCALE:-1}" in command
    assert "${MOCK_BATCHING:-continuous}" in command


@pytest.mark.parametrize("name", SERVICES)
def test_service_is_confined(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == "unless-stopped"
    assert {"cpus", "mem_limit", "pids_limit"} <= set(service)
    assert "healthcheck" in service or name == "otel-collector"  # whose image has nothing to run a check with


def test_only_the_gateway_is_published() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["gateway"]
    assert SERVICES["gateway"]["ports"] == ["${GATEWAY_HOST:-127.0.0.1}:${GATEWAY_PORT:-8000}:8000"]


def test_stores_and_simulator_have_no_way_out() -> None:
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    assert [name for name, service in SERVICES.items() if service["networks"] != ["inside"]] == ["gateway"]


def test_every_image_is_pinned() -> None:
    for name, service in SERVICES.items():
        tag = service["image"].rpartition(":")[2]
        assert tag, name
        assert tag != "latest", name


def test_python_stand_in_has_the_name_in_the_dockerfile() -> None:
    script = (ROOT / "scripts/containers/base_images.sh").read_text()
    dockerfile = (ROOT / "Dockerfile").read_text()
    (image,) = re.findall(r"^readonly PYTHON=(\S+)$", script, re.MULTILINE)
    assert re.findall(r"^ARG PYTHON_IMAGE=(\S+)$", dockerfile, re.MULTILINE) == [image]


def test_images_hold_every_room_that_they_import() -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = re.findall(r"^COPY (?!--from)(\S+) /app", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert {"api", "serving", "rag", "resilience", "observability", "models.yaml"} <= kept & set(copied)
    assert set(copied) <= kept
    assert not any(name.startswith((".env", "tests", ".git")) for name in kept)


def test_the_image_holds_the_embedding_model_where_the_gateway_looks_for_it() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    (built,) = re.findall(r"-m scripts\.embedding_model (\S+)", dockerfile)
    (told,) = re.findall(r"EMBEDDER_MODEL_DIR=(\S+)", dockerfile)
    assert built == told == SERVICES["gateway"]["environment"]["EMBEDDER_MODEL_DIR"]
    assert re.findall(r"^COPY --from=model-build (\S+) (\S+)$", dockerfile, re.MULTILINE) == [
        ("/opt/models", "/opt/models")
    ]


def test_what_builds_the_embedding_model_is_in_the_context_of_the_build() -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert {"requirements-embedding-model.txt", "scripts/embedding_model", "deploy/wheelhouse", "serving"} <= kept
