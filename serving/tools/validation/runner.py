"""Runs the checks one after the other, each in its time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from serving.http.errors import ConnectFailed
from serving.tools.validation.basic_checks import authentication, bad_request, completion, health, models
from serving.tools.validation.deployment import Deployment
from serving.tools.validation.feature_checks import json_schema, logprobs, tool_call
from serving.tools.validation.metrics_checks import disconnect, metrics
from serving.tools.validation.outcome import Check, CheckFailed, CheckResult, Outcome, Skipped, Unsupported
from serving.tools.validation.stream_checks import stream

# In this order: what a later one needs comes before it.
CHECKS: tuple[Check, ...] = (
    Check(name="health", run=health),
    Check(name="models", run=models),
    Check(name="completion", run=completion, needs=("models",)),
    Check(name="stream", run=stream, needs=("models",)),
    Check(name="bad_request", run=bad_request, needs=("models",)),
    Check(name="authentication", run=authentication, needs=("models",)),
    Check(name="tool_call", run=tool_call, needs=("completion",)),
    Check(name="json_schema", run=json_schema, needs=("completion",)),
    Check(name="logprobs", run=logprobs, needs=("completion",)),
    Check(name="metrics", run=metrics, needs=("completion",)),
    Check(name="disconnect", run=disconnect, needs=("stream",)),
)


async def run_checks(
    deployment: Deployment, checks: Sequence[Check], *, timeout_s: float, on_result: Callable[[CheckResult], None]
) -> list[CheckResult]:
    """`timeout_s`: for each check, whatever the server does."""
    results: list[CheckResult] = []
    for check in checks:
        failed = {result.name for result in results if result.outcome in (Outcome.FAILED, Outcome.SKIPPED)}
        missing = [name for name in check.needs if name in failed]
        if missing:
            result = _result(check, Outcome.SKIPPED, f"needs {missing[0]}")
        else:
            result = await _run(check, deployment, timeout_s=timeout_s)
        results.append(result)
        on_result(result)
    return results


async def _run(check: Check, deployment: Deployment, *, timeout_s: float) -> CheckResult:
    started_s = deployment.clock()

    def result(outcome: Outcome, detail: str, hint: str = "") -> CheckResult:
        return _result(check, outcome, detail, hint, seconds=deployment.clock() - started_s)

    try:
        async with asyncio.timeout(timeout_s):
            return result(Outcome.PASSED, await check.run(deployment))
    except CheckFailed as failed:
        return result(Outcome.FAILED, str(failed), failed.hint)
    except Unsupported as unsupported:
        return result(Outcome.UNSUPPORTED, str(unsupported))
    except Skipped as skipped:
        return result(Outcome.SKIPPED, str(skipped))
    except TimeoutError:
        hint = "It takes connections and does not answer: is the engine stuck, or still loading its model?"
        return result(Outcome.FAILED, f"No answer within {timeout_s:g} s.", hint)
    except ConnectFailed as error:
        return result(Outcome.FAILED, f"{error}.", "Is it started, and are host and port right?")
    except (OSError, ValueError) as error:  # ValueError: an event larger than any server sends
        return result(Outcome.FAILED, f"The connection broke: {error}.", "See the log of the server, and of proxies.")


def _result(check: Check, outcome: Outcome, detail: str, hint: str = "", *, seconds: float = 0.0) -> CheckResult:
    return CheckResult(name=check.name, outcome=outcome, detail=detail, hint=hint, seconds=seconds)
