"""Tenants, keys, limits, budgets and prices: in Postgres for those who change them, in memory for those who ask."""
