from __future__ import annotations

import pytest

from api.cache.slots.parser import SlotParser
from api.cache.slots.words.lexicon import Lexicon


@pytest.fixture(scope="session")
def lexicon() -> Lexicon:
    return Lexicon.load()


@pytest.fixture(scope="session")
def parser(lexicon: Lexicon) -> SlotParser:
    return SlotParser(lexicon)
