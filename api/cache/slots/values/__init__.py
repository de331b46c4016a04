"""Periods, numbers, units and currencies, in one spelling each."""
