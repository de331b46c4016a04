"""Health, models, an answer, a refusal, a key."""

from __future__ import annotations

from serving.tools.openai_client import error_message
from serving.tools.validation.deployment import Deployment
from serving.tools.validation.outcome import CheckFailed, Unsupported
from serving.tools.validation.wire import first_choice, openai_error, succeeded, usage_text

# Of engines, and of gateways: alive, and ready. A proxy may close the second to the outside.
_HEALTH_PATHS = ("/health", "/healthz", "/readyz")
_HIDDEN = (401, 403, 404, 405)
_WRONG_KEY = "not-the-key"
_FAR_TOO_MANY_TOKENS = 10_000_000


async def health(deployment: Deployment) -> str:
    answers = {path: await deployment.client.get(path, above_api=True) for path in _HEALTH_PATHS}
    known = {path: answer for path, answer in answers.items() if answer.status not in _HIDDEN}
    for path, answer in known.items():
        if answer.status != 200:
            raise CheckFailed(
                f"{path}: status {answer.status}: {error_message(answer.body)}",
                hint="It says itself that it cannot serve: see its log and what it depends on.",
            )
    if not known:
        raise Unsupported(f"no health page at {', '.join(_HEALTH_PATHS)}")
    return f"200 from {', '.join(known)}"


async def models(deployment: Deployment) -> str:
    document = succeeded(await deployment.client.get("/models"))
    entries = document.get("data") if isinstance(document, dict) else None
    names = [entry["id"] for entry in entries or () if isinstance(entry, dict) and isinstance(entry.get("id"), str)]
    if not names:
        raise CheckFailed("The list of models is empty.", hint="Is a model loaded? May this key see any?")
    if deployment.model is None:
        deployment.model = names[0]
    elif deployment.model not in names:
        raise CheckFailed(f"{deployment.model!r} is not listed.", hint=f"Listed are {', '.join(names)}.")
    return ", ".join(names)


async def completion(deployment: Deployment) -> str:
    document = succeeded(await deployment.complete())
    choice = first_choice(document)
    message = choice.get("message")
    if not isinstance(message, dict) or "content" not in message:
        raise CheckFailed("The choice has no message.", hint="Is this the chat completions API?")
    return f"{usage_text(document.get('usage'))}, {choice['finish_reason']}"


async def bad_request(deployment: Deployment) -> str:
    """Three mistakes of a client: each a 4xx with OpenAI's body, and never a 500 or an answer that takes forever."""
    mistakes = {
        "messages that are no list": {"model": deployment.model, "messages": "not a list"},
        "an unknown model": deployment.chat(max_tokens=1) | {"model": "no-such-model-here"},
        "more tokens than any context": deployment.chat(max_tokens=_FAR_TOO_MANY_TOKENS, stream=True),
    }
    seen = []
    for mistake, body in mistakes.items():
        # Streamed, so that a server that takes it is left at once instead of being waited for.
        async with deployment.client.stream("/chat/completions", body) as response:
            status = response.status
            content = b"" if status == 200 else await response.read()
        if status == 200 and mistake != "messages that are no list":
            seen.append(f"{mistake}: taken")
            continue
        if not 400 <= status < 500:
            raise CheckFailed(
                f"{mistake.capitalize()}: status {status}: {error_message(content)}",
                hint="A client's mistake has to be a 4xx: a 5xx is tried again and wakes someone up.",
            )
        openai_error(status, content)
        seen.append(f"{mistake}: {status}")
    return "; ".join(seen)


async def authentication(deployment: Deployment) -> str:
    stranger = deployment.client.with_key(_WRONG_KEY)
    answer = await stranger.post("/chat/completions", deployment.chat(max_tokens=1))
    if answer.status in (401, 403):
        return f"a wrong key is refused with {answer.status}: {openai_error(answer.status, answer.body)}"
    if answer.status != 200:
        raise CheckFailed(
            f"A wrong key gets status {answer.status}: {error_message(answer.body)}", hint="401 is what clients expect."
        )
    if deployment.has_key:
        raise CheckFailed("A wrong key is taken.", hint="Whoever reaches this address can use it: are keys checked?")
    raise Unsupported("any key is taken, and none is needed")
