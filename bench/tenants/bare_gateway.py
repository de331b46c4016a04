"""The gateway with parts left out, to measure what they cost: `python -m bench.tenants.bare_gateway limits ledger`.

No user can have it so: there is no setting for it. `limits`: no window counts a call, and no answer tells of any.
`ledger`: no call has a line, nor a slot in the file of calls under way; what it used and cost is counted in the metrics
all the same, as a gateway without a ledger would. Everything else is `python -m api` with one worker.
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
        setattr(Accounting, "admitted", _to_be_billed)  # noqa: B010 - see above
        setattr(Accounting, "record", _bill)  # noqa: B010 - see above
        setattr(Accounting, "keep", _bill_without_waiting)  # noqa: B010 - see above


def _to_be_billed(accounting: Any, call: Any, held: Any) -> None:
    held.callback(accounting.record, call)


def _bill(accounting: Any, call: Any) -> None:
    """What `Accounting` does with a call that ends, without a line for it."""
    if not call.in_ledger:
        call.in_ledger = True
        accounting._count_tokens(call.caller.tenant, call.make_bill(accounting._prices.price_of))  # noqa: SLF001 - its method


async def _bill_without_waiting(accounting: Any, call: Any) -> None:
    _bill(accounting, call)


async def _nothing_to_wait_for(*_: Any) -> None:
    pass


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
