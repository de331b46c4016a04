"""`tenants …` and `keys …`."""

from __future__ import annotations

import argparse
from typing import Any
from urllib.parse import quote

from api.admin.command_groups import Groups, commands_of
from api.admin.gateway import AdminClient
from api.admin.tenant_reports import (
    issued_key_note,
    issued_key_secret,
    key_report,
    keys_report,
    tenant_report,
    tenants_report,
)
from serving.tools.command_line import non_negative_number, positive_number

_LANES = ("interactive", "batch")


def add_to(groups: Groups) -> None:
    _add_tenants(commands_of(groups, "tenants", help_="who shares the platform"))
    _add_keys(commands_of(groups, "keys", help_="API keys of tenants"))


def _add_tenants(commands: Groups) -> None:
    commands.add_parser("list", help="all tenants").set_defaults(ask=_list_tenants, show=tenants_report)

    show = commands.add_parser("show", help="one tenant")
    show.add_argument("name")
    show.set_defaults(ask=_show_tenant, show=tenant_report)

    create = commands.add_parser("create", help="a new tenant")
    create.add_argument("name")
    create.set_defaults(ask=_create_tenant, show=tenant_report)

    change = commands.add_parser("change", help="its weight or lane; disable or enable it")
    change.add_argument("name")
    state = change.add_mutually_exclusive_group()
    state.add_argument("--disable", dest="disabled", action="store_true", default=None, help="refuse all of its keys")
    state.add_argument("--enable", dest="disabled", action="store_false", help="let its keys work again")
    change.set_defaults(ask=_change_tenant, show=tenant_report)
    for command in (create, change):
        command.add_argument("--weight", type=positive_number, metavar="W", help="its part of busy engines (1)")
        command.add_argument("--lane", choices=_LANES, help="batch is served when there is room")


def _add_keys(commands: Groups) -> None:
    listed = commands.add_parser("list", help="keys, without their secrets")
    listed.add_argument("--tenant", help="only this one's")
    listed.add_argument("--after", metavar="ID", help="go on after this key")
    listed.set_defaults(ask=_list_keys, show=keys_report)

    create = commands.add_parser("create", help="a new key: it alone is printed to standard output, this once")
    create.add_argument("--tenant", required=True)
    create.add_argument("--name", metavar="TEXT", help="what it is for")
    create.add_argument("--lane", choices=_LANES, help="of its calls (its tenant's)")
    create.add_argument("--expires-at", metavar="MOMENT", help="such as 2026-11-30T00:00:00Z (never)")
    create.set_defaults(ask=_create_key, show=issued_key_secret, note=issued_key_note)

    rotate = commands.add_parser("rotate", help="a new key in place of an old one, which goes on for a while")
    rotate.add_argument("id")
    rotate.add_argument("--grace-s", type=non_negative_number, metavar="S", help="seconds that it goes on (a day)")
    rotate.set_defaults(ask=_rotate_key, show=issued_key_secret, note=issued_key_note)

    revoke = commands.add_parser("revoke", help="end a key, everywhere within a second")
    revoke.add_argument("id")
    revoke.set_defaults(ask=_revoke_key, show=key_report)


async def _list_tenants(client: AdminClient, _: argparse.Namespace) -> Any:
    return await client.get("/tenants", {})


async def _show_tenant(client: AdminClient, options: argparse.Namespace) -> Any:
    return await client.get(f"/tenants/{quote(options.name, safe='')}", {})


async def _create_tenant(client: AdminClient, options: argparse.Namespace) -> Any:
    body = {"name": options.name, "weight": options.weight, "lane": options.lane}
    return await client.post("/tenants", body)


async def _change_tenant(client: AdminClient, options: argparse.Namespace) -> Any:
    body = {"weight": options.weight, "lane": options.lane, "disabled": options.disabled}
    return await client.send("PATCH", f"/tenants/{quote(options.name, safe='')}", body)


async def _list_keys(client: AdminClient, options: argparse.Namespace) -> Any:
    return await client.get("/keys", {"tenant": options.tenant, "after": options.after})


async def _create_key(client: AdminClient, options: argparse.Namespace) -> Any:
    body = {
        "tenant": options.tenant,
        "name": options.name,
        "lane": options.lane,
        "expires_at": options.expires_at,
    }
    return await client.post("/keys", body)


async def _rotate_key(client: AdminClient, options: argparse.Namespace) -> Any:
    return await client.post(f"/keys/{quote(options.id, safe='')}/rotate", {"grace_s": options.grace_s})


async def _revoke_key(client: AdminClient, options: argparse.Namespace) -> Any:
    return await client.post(f"/keys/{quote(options.id, safe='')}/revoke", {})
