DROP TABLE audit_log, usage_daily, usage_ledger, prices, budgets, limits, api_keys, tenants, directory_state;
DROP FUNCTION add_usage_month(date);
DROP FUNCTION refuse_change();
