"""Tenants through two gateways with two workers each: fair share, cost, keys, kills, a month's bill, a budget race."""
