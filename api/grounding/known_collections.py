"""Collections as they were when they were last looked up, for while the store is away."""

from __future__ import annotations

from collections import OrderedDict

from rag.types import Collection

_MOST = 4_096


class KnownCollections:
    """Of one worker; least recently used out first."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], Collection] = OrderedDict()

    def learn(self, tenant: str, collection: Collection) -> None:
        key = tenant, collection.name
        self._known[key] = collection
        self._known.move_to_end(key)
        if len(self._known) > _MOST:
            self._known.popitem(last=False)

    def forget(self, tenant: str, name: str) -> None:
        self._known.pop((tenant, name), None)

    def recall(self, tenant: str, name: str) -> Collection | None:
        return self._known.get((tenant, name))
