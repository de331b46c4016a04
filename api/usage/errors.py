"""What can go wrong with a report of usage.

UsageError
├── UsageAway           Postgres is away or late
└── ReportTooLarge      more groups than a report may have
"""

from __future__ import annotations


class UsageError(Exception):
    """There is no report."""


class UsageAway(UsageError):
    pass


class ReportTooLarge(UsageError):
    pass
