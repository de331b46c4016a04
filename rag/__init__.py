"""Answers over a private corpus."""
