"""What an OpenAI-compatible answer has to look like. Raises CheckFailed; otherwise pure."""

from __future__ import annotations

from typing import Any

import msgspec

from serving.tools.openai_client import Answer, error_message
from serving.tools.validation.outcome import CheckFailed, Unsupported

_HINTS = {
    401: "Give the API key with --api-key-file.",
    403: "The key of --api-key-file may not use this model.",
    404: "Is the base URL that of the API, with /v1 or what stands for it? Is the model the one that is served?",
    429: "A rate limit: wait, or use a key that may do more.",
    502: "A proxy in front does not reach the engine: is it up?",
    503: "The engine is not ready yet, or overloaded: see its log.",
    504: "A proxy in front gave up waiting for the engine.",
}


def succeeded(answer: Answer) -> Any:
    """The JSON of an answer with status 200."""
    refuse_failure(answer.status, answer.body)
    try:
        return answer.json()
    except ValueError as error:
        raise CheckFailed(f"The answer is {error}.", hint="Is this an OpenAI-compatible API?") from error


def refuse_failure(status: int, body: bytes) -> None:
    if status != 200:
        hint = _HINTS.get(status, "See the server's log." if status >= 500 else "")
        raise CheckFailed(f"Status {status}: {error_message(body)}", hint=hint)


def feature(answer: Answer) -> Any:
    """Of a request for something that not every engine has: a 4xx says that this one does not."""
    if 400 <= answer.status < 500 and answer.status not in (401, 403, 408, 429):
        raise Unsupported(error_message(answer.body))
    return succeeded(answer)


def first_choice(document: Any) -> dict[str, Any]:
    """A whole answer's first choice, which has a finish reason."""
    match document:
        case {"choices": [{"finish_reason": str()} as choice, *_]}:
            return dict(choice)
    raise CheckFailed("The answer has no choice with a finish reason.", hint="Is this an OpenAI-compatible API?")


def usage_text(usage: object) -> str:
    """What was counted, if the counts can be right."""
    match usage:
        case {"prompt_tokens": int(prompt), "completion_tokens": int(completion)} if prompt > 0 and completion > 0:
            return f"{prompt} + {completion} tokens"
    raise CheckFailed(f"The usage is {usage!r}, not counts of tokens above 0.", hint="Clients are billed by it.")


def openai_error(status: int, body: bytes) -> str:
    """The message of an error body as OpenAI's clients read it."""
    try:
        document = msgspec.json.decode(body)
    except msgspec.DecodeError:
        document = None
    match document:
        case {"error": {"message": str(message)}} if message:
            return message
    raise CheckFailed(
        f"Status {status} with a body that is no OpenAI error: {error_message(body)}",
        hint='Clients expect {"error": {"message", "type", "param", "code"}}: is something else answering in front?',
    )
