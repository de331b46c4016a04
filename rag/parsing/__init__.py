"""Documents to pieces: pure and synchronous, run in a process of its own (`python -m rag.parsing`)."""
