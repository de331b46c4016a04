"""Command-line tools around engines."""
