"""`limits …`, `budgets …` and `prices …`."""

from __future__ import annotations

import argparse
from typing import Any

from api.admin.command_groups import Groups, commands_of
from api.admin.gateway import AdminClient
from api.admin.tenant_reports import (
    budget_report,
    budgets_report,
    limit_report,
    limits_report,
    price_report,
    prices_report,
    removed_report,
)
from serving.tools.command_line import fraction, positive_int


def add_to(groups: Groups) -> None:
    _add_limits(commands_of(groups, "limits", help_="requests and tokens a minute"))
    _add_budgets(commands_of(groups, "budgets", help_="money a month"))
    _add_prices(commands_of(groups, "prices", help_="what a million tokens cost"))


def _add_limits(commands: Groups) -> None:
    listed = commands.add_parser("list", help="limits of tenants, keys and models")
    listed.add_argument("--tenant", help="only this one's")
    listed.add_argument("--skip", type=positive_int, metavar="N", help="leave so many of the first out")
    listed.set_defaults(ask=_list_limits, show=limits_report)

    put = commands.add_parser("set", help="set a limit, in place of the one there is")
    put.set_defaults(ask=_set_limit, show=limit_report)
    remove = commands.add_parser("remove", help="remove a limit")
    remove.set_defaults(ask=_remove_limit, show=removed_report)
    for command in (put, remove):
        command.add_argument("--tenant", required=True)
        command.add_argument("--key", metavar="ID", help="of this key alone (all of the tenant's together)")
        command.add_argument("--model", help="to this model alone (all together)")
    put.add_argument("--requests-per-minute", type=positive_int, metavar="N", help="(not limited)")
    put.add_argument("--tokens-per-minute", type=positive_int, metavar="N", help="(not limited)")


def _add_budgets(commands: Groups) -> None:
    listed = commands.add_parser("list", help="budgets, and what is left of them this month")
    listed.add_argument("--tenant", help="only this one's")
    listed.set_defaults(ask=_list_budgets, show=budgets_report)

    put = commands.add_parser("set", help="set a tenant's budget for each month")
    put.add_argument("--tenant", required=True)
    put.add_argument("--amount-usd", required=True, metavar="USD", help="such as 500 or 12.50")
    put.add_argument("--soft-share", type=fraction, metavar="S", help="from this part on a metric says so (0.8)")
    put.set_defaults(ask=_set_budget, show=budget_report)

    remove = commands.add_parser("remove", help="let a tenant spend without a budget")
    remove.add_argument("--tenant", required=True)
    remove.set_defaults(ask=_remove_budget, show=removed_report)


def _add_prices(commands: Groups) -> None:
    listed = commands.add_parser("list", help="prices, and when they hold")
    listed.add_argument("--model", help="only this one's")
    listed.set_defaults(ask=_list_prices, show=prices_report)

    put = commands.add_parser("set", help="a price from a moment on; the one before it ends there")
    put.add_argument("--model", required=True)
    for name, what in (
        ("prefill", "prompt tokens"),
        ("decode", "tokens of answers"),
        ("cached", "cached prompt tokens"),
    ):
        put.add_argument(f"--{name}-usd", required=True, metavar="USD", help=f"for a million {what}")
    put.add_argument("--valid-from", required=True, metavar="MOMENT", help="such as 2026-12-01T00:00:00Z")
    put.add_argument("--valid-until", metavar="MOMENT", help="(until a later price begins)")
    put.set_defaults(ask=_set_price, show=price_report)

    remove = commands.add_parser("remove", help="remove a price that has not begun; the one before it goes on")
    remove.add_argument("--model", required=True)
    remove.add_argument("--valid-from", required=True, metavar="MOMENT", help="when it would begin")
    remove.set_defaults(ask=_remove_price, show=removed_report)


async def _list_limits(client: AdminClient, options: argparse.Namespace) -> Any:
    return await client.get(
        "/limits", {"tenant": options.tenant, "skip": None if options.skip is None else str(options.skip)}
    )


async def _set_limit(client: AdminClient, options: argparse.Namespace) -> Any:
    numbers = {
        "requests_per_minute": options.requests_per_minute,
        "tokens_per_minute": options.tokens_per_minute,
    }
    return await client.send("PUT", "/limits", {**_place(options), **numbers})


async def _remove_limit(client: AdminClient, options: argparse.Namespace) -> Any:
    return await client.delete("/limits", _place(options))


def _place(options: argparse.Namespace) -> dict[str, str | None]:
    return {"tenant": options.tenant, "key_id": options.key, "model": options.model}


async def _list_budgets(client: AdminClient, options: argparse.Namespace) -> Any:
    return await client.get("/budgets", {"tenant": options.tenant})


async def _set_budget(client: AdminClient, options: argparse.Namespace) -> Any:
    body = {"tenant": options.tenant, "amount_usd": options.amount_usd, "soft_share": options.soft_share}
    return await client.send("PUT", "/budgets", body)


async def _remove_budget(client: AdminClient, options: argparse.Namespace) -> Any:
    return await client.delete("/budgets", {"tenant": options.tenant})


async def _list_prices(client: AdminClient, options: argparse.Namespace) -> Any:
    return await client.get("/prices", {"model": options.model})


async def _set_price(client: AdminClient, options: argparse.Namespace) -> Any:
    names = ("model", "prefill_usd", "decode_usd", "cached_usd", "valid_from", "valid_until")
    return await client.post("/prices", {name: getattr(options, name) for name in names})


async def _remove_price(client: AdminClient, options: argparse.Namespace) -> Any:
    return await client.delete("/prices", {"model": options.model, "valid_from": options.valid_from})
