-- Who may call, what they may use and spend, what it costs, what they used, and who changed any of it.
-- Money is in US dollars with nine decimals; prices are for a million tokens.

-- Every change takes this row first, so changes come one after the other and `version` tells workers which they have.
CREATE TABLE directory_state (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version  bigint NOT NULL
);
INSERT INTO directory_state (version) VALUES (0);

-- Rows of the directory are never deleted, or workers that read what has changed would not hear of it. Except for prices,
-- which are few: of those workers read all.
CREATE TABLE tenants (
    name        text PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 256),
    weight      double precision NOT NULL DEFAULT 1 CHECK (weight > 0 AND weight <= 1000),
    lane        text NOT NULL DEFAULT 'interactive' CHECK (lane IN ('interactive', 'batch')),
    disabled_at timestamptz,
    created_at  timestamptz NOT NULL DEFAULT now(),
    version     bigint NOT NULL
);
CREATE INDEX tenants_version ON tenants (version);

CREATE TABLE api_keys (
    id         text PRIMARY KEY,
    tenant     text NOT NULL REFERENCES tenants,
    name       text NOT NULL DEFAULT '',
    prefix     text NOT NULL,          -- what people may see of the key
    digest     bytea NOT NULL UNIQUE,  -- HMAC-SHA256 of the key, which is nowhere
    lane       text CHECK (lane IN ('interactive', 'batch')),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    replaces   text REFERENCES api_keys,
    version    bigint NOT NULL
);
CREATE INDEX api_keys_version ON api_keys (version);
CREATE INDEX api_keys_tenant ON api_keys (tenant);

-- Of a tenant, one of its keys, either of them for one model. Both limits NULL: there is none any more.
CREATE TABLE limits (
    id                  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant              text NOT NULL REFERENCES tenants,
    key_id              text REFERENCES api_keys,
    model               text,
    requests_per_minute bigint CHECK (requests_per_minute > 0),
    tokens_per_minute   bigint CHECK (tokens_per_minute > 0),
    version             bigint NOT NULL,
    UNIQUE NULLS NOT DISTINCT (tenant, key_id, model)
);
CREATE INDEX limits_version ON limits (version);

-- For a calendar month in UTC. No amount: there is none any more.
CREATE TABLE budgets (
    tenant     text PRIMARY KEY REFERENCES tenants,
    amount_usd numeric(18, 9) CHECK (amount_usd >= 0),
    soft_share numeric(5, 4) NOT NULL DEFAULT 0.8 CHECK (soft_share > 0 AND soft_share <= 1),
    version    bigint NOT NULL
);
CREATE INDEX budgets_version ON budgets (version);

-- Before a model's first price, and for models without any, the price in the models file holds. A period ends where the
-- next one begins.
CREATE TABLE prices (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    model       text NOT NULL,
    prefill_usd numeric(18, 6) NOT NULL CHECK (prefill_usd >= 0),
    decode_usd  numeric(18, 6) NOT NULL CHECK (decode_usd >= 0),
    cached_usd  numeric(18, 6) NOT NULL CHECK (cached_usd >= 0),
    valid_from  timestamptz NOT NULL,
    valid_until timestamptz CHECK (valid_until > valid_from),
    created_at  timestamptz NOT NULL DEFAULT now(),
    version     bigint NOT NULL,
    UNIQUE (model, valid_from)
);
CREATE INDEX prices_version ON prices (version);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

-- Before there were migrations each worker made this table where it was missing. Its rows come back below, in the new one.
DO $$
DECLARE
    unknown text;
BEGIN
    IF to_regclass('usage_ledger') IS NOT NULL THEN
        LOCK TABLE usage_ledger IN ACCESS EXCLUSIVE MODE;
        SELECT string_agg(attname, ', ' ORDER BY attnum) INTO unknown
            FROM pg_attribute
            WHERE attrelid = 'usage_ledger'::regclass AND attnum > 0 AND NOT attisdropped AND attname NOT IN (
                'id', 'occurred_at', 'request_id', 'tenant', 'key_id', 'endpoint', 'model', 'model_version', 'upstream',
                'streamed', 'outcome', 'prompt_tokens', 'cached_tokens', 'completion_tokens', 'estimated', 'cost_usd',
                'duration_s', 'time_to_first_token_s'
            );
        IF unknown IS NOT NULL THEN
            RAISE EXCEPTION 'the table usage_ledger has columns that would be lost: %', unknown
                USING ERRCODE = 'object_not_in_prerequisite_state';
        END IF;
        CREATE TEMPORARY TABLE usage_ledger_before ON COMMIT DROP AS SELECT * FROM usage_ledger;
        DROP TABLE usage_ledger;
    END IF;
END $$;

-- One row for each call that was admitted, written once.
CREATE TABLE usage_ledger (
    id                    uuid NOT NULL,
    occurred_at           timestamptz NOT NULL,  -- when the call arrived; the same each time that the row is written
    request_id            text NOT NULL,
    tenant                text NOT NULL,
    key_id                text NOT NULL,
    endpoint              text NOT NULL,
    model                 text NOT NULL,
    model_version         text NOT NULL,
    upstream              text NOT NULL,  -- empty: no engine had a part in it
    streamed              boolean NOT NULL,
    lane                  text NOT NULL,
    outcome               text NOT NULL,
    cache_tier            text NOT NULL,  -- exact, canonical, semantic, stale; empty: the engine answered, or nobody
    prompt_tokens         integer NOT NULL,  -- cached ones included
    cached_tokens         integer NOT NULL,
    completion_tokens     integer NOT NULL,
    estimated             boolean NOT NULL,
    saved_tokens          integer NOT NULL,  -- that no engine computed or wrote because of a stored answer
    saved_usd             numeric(18, 9) NOT NULL,
    prefill_price_usd     numeric(18, 6) NOT NULL,
    decode_price_usd      numeric(18, 6) NOT NULL,
    cached_price_usd      numeric(18, 6) NOT NULL,
    cost_usd              numeric(18, 9) NOT NULL,
    queue_s               double precision NOT NULL,  -- waited for a turn
    engine_s              double precision,  -- from the request to the engine to the end of its answer
    time_to_first_token_s double precision,
    duration_s            double precision NOT NULL,
    PRIMARY KEY (id, occurred_at)
) PARTITION BY RANGE (occurred_at);
CREATE INDEX usage_ledger_time ON usage_ledger (occurred_at);

-- Makes room for the rows of that month (UTC); does nothing where there is. Neither waits for those who read and write
-- rows nor holds them up: unlike one that is made as a partition, a table that becomes one locks the ledger for nobody.
-- In a transaction it comes before the rows, or two that wait for each other's sums of the day may never end.
CREATE FUNCTION add_usage_month(month date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    first   timestamp := date_trunc('month', month::timestamp);  -- as a date it would pass through the session's time zone
    name    text := 'usage_ledger_' || to_char(first, 'YYYY_MM');
    instant text := 'YYYY-MM-DD "00:00:00+00"';
BEGIN
    IF pg_partition_root(to_regclass(name)) = 'usage_ledger'::regclass THEN
        RETURN;
    END IF;
    -- One at a time. No advisory lock: only that of a table makes this session forget that there was no such table.
    LOCK TABLE usage_ledger IN SHARE UPDATE EXCLUSIVE MODE;
    IF to_regclass(name) IS NULL THEN
        EXECUTE format('CREATE TABLE %I (LIKE usage_ledger INCLUDING ALL)', name);
        -- Triggers for rows come with the ledger's; those for statements hold for the table that is named alone.
        EXECUTE format(
            'CREATE TRIGGER usage_ledger_no_truncate BEFORE TRUNCATE ON %I '
            'FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', name
        );
        EXECUTE format(
            'ALTER TABLE usage_ledger ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
            name, to_char(first, instant), to_char(first + interval '1 month', instant)
        );
    ELSIF pg_partition_root(to_regclass(name)) IS DISTINCT FROM 'usage_ledger'::regclass THEN
        RAISE EXCEPTION 'the table % is in the way: it was detached from the ledger, or never was a part of it', name
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
END $$;

CREATE TRIGGER usage_ledger_append_only BEFORE UPDATE OR DELETE ON usage_ledger
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- The ledger, summed up in the transaction that writes it. Days are UTC.
CREATE TABLE usage_daily (
    day               date NOT NULL,
    tenant            text NOT NULL,
    key_id            text NOT NULL,
    model             text NOT NULL,
    upstream          text NOT NULL,
    cache_tier        text NOT NULL,
    outcome           text NOT NULL,
    requests          bigint NOT NULL,
    prompt_tokens     bigint NOT NULL,
    cached_tokens     bigint NOT NULL,
    completion_tokens bigint NOT NULL,
    saved_tokens      bigint NOT NULL,
    saved_usd         numeric NOT NULL,
    cost_usd          numeric NOT NULL,
    PRIMARY KEY (day, tenant, key_id, model, upstream, cache_tier, outcome)
);

CREATE TABLE audit_log (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT now(),
    actor      text NOT NULL,  -- stands for the admin key
    actor_name text NOT NULL DEFAULT '',  -- what the caller says of itself
    action     text NOT NULL,  -- such as key.revoke
    subject    text NOT NULL,  -- such as the key's id
    tenant     text,
    outcome    text NOT NULL CHECK (outcome IN ('done', 'refused')),
    code       text NOT NULL DEFAULT '',  -- of the error
    before     jsonb,
    after      jsonb,
    request_id text NOT NULL DEFAULT ''
);
CREATE INDEX audit_log_at ON audit_log (at);
CREATE INDEX audit_log_tenant ON audit_log (tenant, at);
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_log_no_truncate BEFORE TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER usage_ledger_no_truncate BEFORE TRUNCATE ON usage_ledger
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The rows of before: nobody knows their prices any more, which are 0, and each was made by an engine at once.
DO $$
BEGIN
    IF to_regclass('pg_temp.usage_ledger_before') IS NOT NULL THEN
        PERFORM add_usage_month(month)
            FROM (SELECT DISTINCT (occurred_at AT TIME ZONE 'UTC')::date AS month FROM usage_ledger_before) AS months;
        INSERT INTO usage_ledger (
            id, occurred_at, request_id, tenant, key_id, endpoint, model, model_version, upstream, streamed, lane,
            outcome, cache_tier, prompt_tokens, cached_tokens, completion_tokens, estimated, saved_tokens, saved_usd,
            prefill_price_usd, decode_price_usd, cached_price_usd, cost_usd, queue_s, engine_s, time_to_first_token_s,
            duration_s
        )
        SELECT
            id, occurred_at, request_id, tenant, key_id, endpoint, model, model_version, upstream, streamed,
            'interactive', outcome, '', prompt_tokens, cached_tokens, completion_tokens, estimated, 0, 0, 0, 0, 0,
            cost_usd, 0, NULL, time_to_first_token_s, duration_s
        FROM usage_ledger_before;
        INSERT INTO usage_daily
        SELECT
            (occurred_at AT TIME ZONE 'UTC')::date, tenant, key_id, model, upstream, cache_tier, outcome, count(*),
            sum(prompt_tokens), sum(cached_tokens), sum(completion_tokens), sum(saved_tokens), sum(saved_usd),
            sum(cost_usd)
        FROM usage_ledger
        GROUP BY 1, 2, 3, 4, 5, 6, 7;
        DROP TABLE usage_ledger_before;
    END IF;
END $$;
