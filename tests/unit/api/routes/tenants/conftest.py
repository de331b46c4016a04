"""The whole application over a directory and usage in memory, asked by somebody with the admin key."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest
from starlette.types import ASGIApp

from api.app import create_app
from api.bootstrap import Services, build
from api.routes.admin_parts import AdminParts
from api.settings import Settings, setting_names
from tests.unit.api.fakes import catalogue, model
from tests.unit.api.memory_directory import MemoryDirectory
from tests.unit.api.memory_usage import MemoryUsage

ADMIN_KEY = "an-admin-key-of-24-chars"


@pytest.fixture(scope="session")
def built() -> tuple[Settings, Services]:
    with pytest.MonkeyPatch.context() as environment:
        for name in setting_names():
            environment.delenv(name, raising=False)
        for name, value in {"SEMANTIC_CACHE_ENABLED": "false", "ADMIN_API_KEY": ADMIN_KEY}.items():
            environment.setenv(name, value)
        settings = Settings.load(None)
    return settings, build(settings)


@pytest.fixture(scope="session")
def served(built: tuple[Settings, Services]) -> tuple[ASGIApp, MemoryDirectory, MemoryUsage]:
    """Once, because making an application takes longer than most tests."""
    settings, services = built
    directory, usage = MemoryDirectory(), MemoryUsage()
    parts = AdminParts(
        directory=directory,
        usage=usage,
        waiting=usage,
        spending=usage,
        catalogue=catalogue(replace(model("fast"), aliases=("quick",))),
        configured_tenants={"configured"},
    )
    of_tenants = services.tenants
    tenants = replace(of_tenants, directory_services=replace(of_tenants.directory_services, directory=directory))
    admin = replace(services.admin_services, parts=parts)
    return create_app(settings, replace(services, tenants=tenants, admin_services=admin)), directory, usage


@pytest.fixture
def directory(served: tuple[ASGIApp, MemoryDirectory, MemoryUsage]) -> MemoryDirectory:
    """An empty one."""
    _, found, _ = served
    vars(found).update(vars(MemoryDirectory()))
    return found


@pytest.fixture
def usage(served: tuple[ASGIApp, MemoryDirectory, MemoryUsage]) -> MemoryUsage:
    """There is none."""
    *_, found = served
    vars(found).update(vars(MemoryUsage()))
    return found


@pytest.fixture
async def client(
    served: tuple[ASGIApp, MemoryDirectory, MemoryUsage],
    directory: MemoryDirectory,  # noqa: ARG001 - empty before each test
    usage: MemoryUsage,  # noqa: ARG001 - idem
) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {ADMIN_KEY}", "X-Admin-Actor": "Zoë"}
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    app, *_ = served
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://gateway/admin/v1", headers=encoded
    ) as found:
        yield found
