"""Why the cache could not do its part; the pipeline then goes on without it, and an operator is told.

CacheError
├── StoreError          answers: Redis is away, late, or holds what makes no sense
├── UnknownTenantError  an operator named a tenant that has neither a key nor an answer
└── VectorIndexError    vectors: Redis or Postgres is away, late, or has lost its index
"""

from __future__ import annotations


class CacheError(Exception):
    pass


class StoreError(CacheError):
    pass


class UnknownTenantError(CacheError):
    pass


class VectorIndexError(CacheError):
    pass
