"""The whole application over a directory and usage in memory, asked by somebody with the admin key."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest

from api.app import create_app
from api.bootstrap import Services, build
from api.routes.admin_parts import AdminParts
from api.settings import Settings, setting_names
from tests.unit.api.fakes import catalogue, model
from tests.unit.api.memory_directory import MemoryDirectory
from tests.unit.api.memory_usage import MemoryUsage

ADMIN_KEY = "an-admin-key-of-24-chars"


@pytest.fixture
def directory() -> MemoryDirectory:
    return MemoryDirectory()


@pytest.fixture
def usage() -> MemoryUsage:
    return MemoryUsage()


@pytest.fixture(scope="session")
def built() -> tuple[Settings, Services]:
    """Once, because it takes half a second."""
    with pytest.MonkeyPatch.context() as environment:
        for name in setting_names():
            environment.delenv(name, raising=False)
        for name, value in {"SEMANTIC_CACHE_ENABLED": "false", "ADMIN_API_KEY": ADMIN_KEY}.items():
            environment.setenv(name, value)
        settings = Settings.load(None)
    return settings, build(settings)


@pytest.fixture
async def client(
    directory: MemoryDirectory, usage: MemoryUsage, built: tuple[Settings, Services]
) -> AsyncIterator[httpx.AsyncClient]:
    settings, services = built
    parts = AdminParts(
        directory=directory,
        usage=usage,
        waiting=usage,
        spending=usage,
        catalogue=catalogue(replace(model("fast"), aliases=("quick",))),
        configured_tenants={"configured"},
    )
    app = create_app(settings, replace(services, tenants=replace(services.tenants, admin=parts)))
    headers = {"Authorization": f"Bearer {ADMIN_KEY}", "X-Admin-Actor": "Zoë"}
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://gateway/admin/v1", headers=encoded
    ) as found:
        yield found
