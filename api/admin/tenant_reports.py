"""What a terminal shows of tenants, keys, limits, budgets and prices: pure, from the admin API's answers to text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from api.admin.tables import dollars, shown, table, with_more

_TENANT = {
    "tenant": "name",
    "weight": "weight",
    "lane": "lane",
    "disabled at": "disabled_at",
    "created at": "created_at",
}
_KEY = {
    "id": "id",
    "tenant": "tenant",
    "name": "name",
    "starts with": "prefix",
    "lane": "lane",
    "created at": "created_at",
    "expires at": "expires_at",
    "revoked at": "revoked_at",
    "replaces": "replaces",
}
_LIMIT = {
    "tenant": "tenant",
    "key": "key_id",
    "model": "model",
    "requests/min": "requests_per_minute",
    "tokens/min": "tokens_per_minute",
}


def tenants_report(answer: Mapping[str, Any]) -> str:
    return table(_TENANT, answer["tenants"], nothing="There are no tenants yet: tenants create NAME")


def tenant_report(answer: Mapping[str, Any]) -> str:
    return table(_TENANT, [answer], nothing="")


def keys_report(answer: Mapping[str, Any]) -> str:
    text = table(_KEY, answer["keys"], nothing="There are no keys: keys create --tenant NAME")
    following = answer["next_after"]
    return with_more(text, "--after", None if following is None else shown(following))


def key_report(answer: Mapping[str, Any]) -> str:
    return table(_KEY, [answer], nothing="")


def issued_key_secret(answer: Mapping[str, Any]) -> str:
    """Alone, so that a script can take it."""
    return str(answer["secret"])


def issued_key_note(answer: Mapping[str, Any]) -> str:
    key = answer["key"]
    instead = f", in place of {shown(key['replaces'])}" if key["replaces"] else ""
    return f"Key {shown(key['id'])} of {shown(key['tenant'])}{instead}. It is shown this once: keep it now."


def limits_report(answer: Mapping[str, Any]) -> str:
    text = table(_LIMIT, answer["limits"], nothing="There are no limits of tenants' own.")
    return with_more(text, "--skip", answer["next_skip"])


def limit_report(answer: Mapping[str, Any]) -> str:
    return table(_LIMIT, [answer], nothing="")


def budgets_report(answer: Mapping[str, Any]) -> str:
    columns = {
        "tenant": "tenant",
        "budget USD": "amount",
        "spent": "spent",
        "set aside": "set_aside",
        "left": "left",
        "soft share": "soft_share",
    }
    rows = [
        {
            **each,
            "amount": dollars(each["amount_usd"]),
            "spent": dollars(each["spent_usd"]),
            "set_aside": dollars(each["set_aside_usd"]),
            "left": dollars(each["left_usd"]),
        }
        for each in answer["budgets"]
    ]
    return f"{table(columns, rows, nothing='No tenant has a budget.')}\n\nMonth {answer['month']}, in UTC."


def budget_report(answer: Mapping[str, Any]) -> str:
    return f"{shown(answer['tenant'])} may spend {dollars(answer['amount_usd'])} USD a month."


def prices_report(answer: Mapping[str, Any]) -> str:
    columns = {
        "model": "model",
        "USD/million prefill": "prefill",
        "decode": "decode",
        "cached": "cached",
        "from": "valid_from",
        "until": "valid_until",
    }
    rows = [
        {**each, **{name: dollars(each[f"{name}_usd"]) for name in ("prefill", "decode", "cached")}}
        for each in answer["prices"]
    ]
    return table(columns, rows, nothing="The prices of the models file hold.")


def price_report(answer: Mapping[str, Any]) -> str:
    return prices_report({"prices": [answer]})


def removed_report(_: None) -> str:
    return "Removed."
