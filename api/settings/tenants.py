"""The settings of tenants: their keys, their budgets, the ledger of what they used, and their turns at the engines."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, SecretStr, model_validator

from api.settings.groups import Environment, Group, Positive, Seconds

Share = Annotated[float, Field(ge=0, le=1)]


class TenantSettings(Group):
    """Tenants and budgets"""

    environment: Environment = Environment.DEVELOPMENT
    """`production` refuses the development key."""
    admin_api_key: SecretStr = SecretStr("")
    """Bearer token of the admin API under /admin/v1, 16 characters or more; empty: it is off."""
    key_hash_secret: SecretStr = SecretStr("")
    """Secret under which API keys are stored, 16 characters or more, the same for all gateways; empty: a fixed one."""
    database_migrate: bool = True
    """Bring the database to this version's schema when the gateway starts."""
    budget_timeout_s: Seconds = 0.08
    """Seconds Redis may take to set the cost of a request aside before the worker spends its lease."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        secret = self.key_hash_secret.get_secret_value()
        if secret and len(secret) < 16:
            raise ValueError("KEY_HASH_SECRET must have 16 characters or more")
        issues_keys = bool(self.admin_api_key.get_secret_value())
        if self.environment is Environment.PRODUCTION and issues_keys and not secret:
            raise ValueError("KEY_HASH_SECRET must be set where ENVIRONMENT=production and ADMIN_API_KEY are")
        return self


class LedgerSettings(Group):
    """Usage ledger"""

    ledger_stream_max_rows: Positive = 200_000
    """Rows that may wait in Redis for Postgres; more wait on the gateway's disk."""
    ledger_timeout_s: Seconds = 0.25
    """Seconds Redis may take to keep a row before it is kept on disk; an answer's last frame waits for it."""
    cost_in_answers: bool = False
    """Tell clients what a request cost: the header X-Request-Cost, and `cost_usd` in the usage of a stream."""


class FairnessSettings(Group):
    """Fair share of the engines"""

    fair_queue_enabled: bool = True
    """Let tenants take turns at busy engines, by their weights; off: first come, first served."""
    fair_queue_max_waiting: Positive = 256
    """Requests of one tenant that may wait in a worker; more get 503."""
    fair_queue_timeout_s: Seconds = 30.0
    """Seconds a request may wait for its turn; one that would wait longer gets 503 at once."""
    fair_queue_batch_share: Annotated[float, Field(ge=0.01, le=0.5)] = 0.1
    """Part of busy engines that is kept for batch requests, so that they go on too."""
    fair_queue_max_concurrency: Positive = 512
    """Requests a worker has at the same engines at a time, at the most; it finds out how many do them good."""
