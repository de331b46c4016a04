"""What the benchmark asks of the admin API: tenants, keys, budgets and reports."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

from bench.load import LoadError
from bench.tenants.stack import ADMIN_KEY

KNOWN_EVERYWHERE_S = 1.5
"""After a change: every worker has it within a second."""
_TIMEOUT_S = 60.0


class Admin:
    """Of one gateway."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/admin/v1"

    async def create_tenant(self, name: str, *, weight: float = 1.0) -> None:
        """Raises LoadError, as every method does."""
        await self.call("POST", "/tenants", {"name": name, "weight": weight})

    async def create_key(self, tenant: str) -> tuple[str, str]:
        """Its id and the secret."""
        found = await self.call("POST", "/keys", {"tenant": tenant})
        return str(found["key"]["id"]), str(found["secret"])

    async def revoke_key(self, key_id: str) -> None:
        await self.call("POST", f"/keys/{key_id}/revoke", {})

    async def set_budget(self, tenant: str, amount_usd: str) -> None:
        await self.call("PUT", "/budgets", {"tenant": tenant, "amount_usd": amount_usd})

    async def usage(self, parameters: Mapping[str, str]) -> dict[str, Any]:
        return await self.call("GET", f"/usage?{urllib.parse.urlencode(parameters)}", None)

    async def call(self, method: str, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        return await asyncio.to_thread(self._call, method, path, body)

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {ADMIN_KEY}", "Content-Type": "application/json"}
        request = urllib.request.Request(  # noqa: S310  # http on loopback
            self._url + path, data=data, headers=headers, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310  # idem
                found: dict[str, Any] = json.loads(answer.read() or b"{}")
                return found
        except urllib.error.HTTPError as error:
            raise LoadError(f"{method} {path}: {error.code} {error.read()[:500].decode(errors='replace')}") from None
        except OSError as error:
            raise LoadError(f"{method} {path}: {error}") from None
