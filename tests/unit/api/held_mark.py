"""What a test holds for a call, to see that it is let go."""

from __future__ import annotations

from dataclasses import dataclass

from serving.types import Held


@dataclass
class Mark:
    """Something that is held, and knows how often it was released."""

    releases: int = 0

    def hold_with(self, held: Held) -> None:
        held.callback(self._release)

    def as_held(self) -> Held:
        held = Held()
        self.hold_with(held)
        return held

    def _release(self) -> None:
        self.releases += 1
