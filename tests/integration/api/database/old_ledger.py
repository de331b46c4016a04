"""The ledger that workers made by themselves before there were migrations, and rows such as they wrote."""

OLD_LEDGER = """
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
"""
# Two tenants, two models, three months; the last row of July is of August anywhere east of Greenwich.
OLD_ROWS = """
    INSERT INTO usage_ledger
    SELECT gen_random_uuid(),
        CASE WHEN number = 1000 THEN timestamptz '2026-07-31 23:59:59.999999+00'
             ELSE timestamptz '2026-06-30 23:00:00+00' + number * interval '1 hour' END,
        'req-' || number, CASE WHEN number % 3 = 0 THEN 'acme' ELSE 'globex' END, 'key-' || number % 5,
        'chat/completions', CASE WHEN number % 2 = 0 THEN 'small' ELSE 'large' END, '1', 'near', number % 2 = 0,
        CASE WHEN number % 7 = 0 THEN 'cancelled' ELSE 'ok' END,
        number, number / 2, number % 40, number % 9 = 0, number * 0.000000001, number / 100.0,
        CASE WHEN number % 2 = 0 THEN number / 1000.0 END
    FROM generate_series(1, 1000) AS number
"""
