-- One row per answered request. Rows are written once and never changed.
CREATE TABLE IF NOT EXISTS usage_ledger (
    id                    uuid PRIMARY KEY,
    occurred_at           timestamptz NOT NULL,
    request_id            text NOT NULL,
    tenant                text NOT NULL,
    key_id                text NOT NULL,
    endpoint              text NOT NULL,
    model                 text NOT NULL,
    model_version         text NOT NULL,
    upstream              text NOT NULL,
    streamed              boolean NOT NULL,
    outcome               text NOT NULL,
    prompt_tokens         integer NOT NULL,
    cached_tokens         integer NOT NULL,
    completion_tokens     integer NOT NULL,
    estimated             boolean NOT NULL,
    cost_usd              numeric(18, 9) NOT NULL,
    duration_s            double precision NOT NULL,
    time_to_first_token_s double precision
);
CREATE INDEX IF NOT EXISTS usage_ledger_tenant_time ON usage_ledger (tenant, occurred_at);
