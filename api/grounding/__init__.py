"""Calls that are to be answered from a private corpus: `rag` in the body, or a model that has it in the catalogue."""
