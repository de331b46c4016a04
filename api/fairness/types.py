"""What a call tells of its turn at the engines while it has it."""

from __future__ import annotations

from typing import Protocol

from serving.errors import BackendError
from serving.types import Reply


class Turn(Protocol):
    def asked(self, upstream: str) -> None:
        """An engine gets the request now."""
        ...

    def answered(self, reply: Reply) -> None:
        """With a whole answer, or with the first event of a stream."""
        ...

    def began(self) -> None:
        """A stream has brought its first output."""
        ...

    def failed(self, error: BackendError | None) -> None:
        """The engine that was asked gave no answer. None: it was not waited for."""
        ...


class Untimed:
    """Of a call that nothing is measured of."""

    def asked(self, upstream: str) -> None:
        pass

    def answered(self, reply: Reply) -> None:
        pass

    def began(self) -> None:
        pass

    def failed(self, error: BackendError | None) -> None:
        pass


UNTIMED = Untimed()
