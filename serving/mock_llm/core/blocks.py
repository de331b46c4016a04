"""The key/value cache: fixed-size blocks, reference counts and a hash-chained prefix cache.

Follows vLLM V1 (`vllm/v1/core/block_pool.py`): a full block is known by the hash of its tokens and of the block before
it; a block nobody uses keeps its content and waits, least recently used first, to be found again or evicted.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(slots=True, eq=False)
class Block:
    block_id: int
    references: int = 0
    content_hash: int | None = None


class BlockPool:
    """All blocks of one engine. Sizes are in blocks; `block_size` is in tokens."""

    def __init__(self, *, num_blocks: int, block_size: int, prefix_caching: bool = True) -> None:
        self.num_blocks = num_blocks
        self.block_size = block_size
        self._prefix_caching = prefix_caching
        # Oldest first. Holds every block with no reference, with or without cached content.
        self._free: OrderedDict[int, Block] = OrderedDict((i, Block(i)) for i in range(num_blocks))
        self._cached: dict[int, Block] = {}

    @property
    def num_free(self) -> int:
        return len(self._free)

    @property
    def usage(self) -> float:
        """Share of the blocks that running sequences hold, 0 to 1. Cached but unused blocks count as free."""
        return 1.0 - len(self._free) / self.num_blocks

    def chain_hashes(self, tokens: Sequence[str], *, parent: int | None) -> list[int]:
        """Hashes of the full blocks in `tokens`; `parent` is the hash of the block before them."""
        hashes: list[int] = []
        for position in range(0, len(tokens) - self.block_size + 1, self.block_size):
            parent = hash((parent, tuple(tokens[position : position + self.block_size])))
            hashes.append(parent)
        return hashes

    def longest_prefix(self, hashes: Iterable[int]) -> list[Block]:
        """The cached blocks for the longest run of `hashes` from the first on. Takes no reference."""
        found: list[Block] = []
        if self._prefix_caching:
            for content_hash in hashes:
                block = self._cached.get(content_hash)
                if block is None:
                    break
                found.append(block)
        return found

    def num_unreferenced(self, blocks: Iterable[Block]) -> int:
        """How many of `blocks` count as free now, and would not any more once referenced."""
        return sum(1 for block in blocks if block.references == 0)

    def reference(self, blocks: Iterable[Block]) -> None:
        """Use cached blocks once more, which keeps them from being evicted."""
        for block in blocks:
            if block.references == 0:
                del self._free[block.block_id]
            block.references += 1

    def allocate(self, count: int) -> list[Block]:
        """Take `count` free blocks, evicting what the oldest of them cached. The caller has checked `num_free`."""
        taken: list[Block] = []
        for _ in range(count):
            _, block = self._free.popitem(last=False)
            self._evict(block)
            block.references = 1
            taken.append(block)
        return taken

    def remember(self, block: Block, content_hash: int) -> None:
        """Make a full block findable. A second block with the same content stays private, as in vLLM."""
        if self._prefix_caching and block.content_hash is None and content_hash not in self._cached:
            block.content_hash = content_hash
            self._cached[content_hash] = block

    def release(self, blocks: Sequence[Block]) -> None:
        """Give back one reference each. The tail goes first, so a prefix outlives what follows it."""
        for block in reversed(blocks):
            block.references -= 1
            if block.references == 0:
                self._free[block.block_id] = block

    def _evict(self, block: Block) -> None:
        if block.content_hash is not None:
            del self._cached[block.content_hash]
            block.content_hash = None
