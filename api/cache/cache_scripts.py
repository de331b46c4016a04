"""The Lua of the cache, each script behind the clock and the books that it needs."""

from __future__ import annotations

from functools import partial
from importlib.resources import files

from resilience.redis_link import Script

_FOLDER = files("api.cache").joinpath("lua")


def lua(name: str) -> str:
    return _FOLDER.joinpath(f"{name}.lua").read_text("utf-8")


REDIS_TIME = lua("redis_time")


def _script(clock_lua: str, name: str, *before: str) -> Script:
    return Script("\n".join([clock_lua, *map(lua, before), lua(name)]))


class EntryScripts:
    def __init__(self, clock_lua: str = REDIS_TIME) -> None:
        """`clock_lua` is Lua that sets `now_ms`, milliseconds since 1970."""

        script = partial(_script, clock_lua)
        self.look_up = script("look_up", "books")
        self.generation = script("generation", "books")
        self.fetch = script("fetch", "books")
        self.hit = script("hit", "books")
        self.discard = script("discard", "books")
        self.store = script("store", "books")
        self.purge = script("purge", "books")
        self.sweep = script("sweep", "books")
        self.stats = script("stats", "books")
        self.extend = script("extend")
        self.land = script("land")
        self.register = script("register")
        self.due = script("due")


class VectorScripts:
    """These need a Redis with vector sets."""

    def __init__(self, clock_lua: str = REDIS_TIME) -> None:
        script = partial(_script, clock_lua)
        self.add = script("add_vector", "vectors")
        self.remove = script("remove_vectors", "vectors")
        self.sweep = script("sweep_vectors", "vectors")
        self.register = script("register")
        self.due = script("due")
