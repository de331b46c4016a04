"""The gateway with parts left out, to measure what they cost: `python -m bench.tenants.bare_gateway limits ledger`.

No user can have it so: there is no setting for it, and calls are neither limited nor billed. `limits`: no window counts
a call. `ledger`: no call has a line. Everything else is `python -m api` with one worker.
"""

from __future__ import annotations

import sys
from typing import Any

import uvicorn

from api import __main__ as gateway
from bench.tenants.bare_parts import LEDGER, LIMITS


def main(parts: list[str]) -> int:
    if not parts or not set(parts) <= {LIMITS, LEDGER}:
        print(f"bare_gateway: name {LIMITS}, {LEDGER}, or both", file=sys.stderr)
        return 1
    load = uvicorn.Config.load

    # By name, here and below: a type checker holds methods for fixed.
    def load_without(config: uvicorn.Config) -> None:
        # Not sooner: the gateway has yet to say where its metrics are when they are first imported.
        _leave_out(parts)
        load(config)

    setattr(uvicorn.Config, "load", load_without)  # noqa: B010 - see above
    return gateway.main()


def _leave_out(parts: list[str]) -> None:
    from api.stages.account import Accounting  # noqa: PLC0415 - see above
    from api.stages.admit import Admission  # noqa: PLC0415 - see above

    if LIMITS in parts:
        setattr(Admission, "admit", _nothing_to_wait_for)  # noqa: B010 - see above
    if LEDGER in parts:
        setattr(Accounting, "admitted", _nothing)  # noqa: B010 - see above
        setattr(Accounting, "record", _nothing)  # noqa: B010 - see above
        setattr(Accounting, "keep", _nothing_to_wait_for)  # noqa: B010 - see above


def _nothing(*_: Any) -> None:
    pass


async def _nothing_to_wait_for(*_: Any) -> None:
    pass


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
