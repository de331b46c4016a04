"""One order of words for one event: "was Slack acquired by Salesforce" is "did Salesforce acquire Slack".

Works on the parts of a question in which the order carries meaning. Only forms that say who did it, and to whom, are
turned round; any other stays as it is, so that at worst two equal questions are taken for different ones.
"""

from __future__ import annotations

from collections.abc import Sequence

from api.cache.slots.question.parts import Part

PASSIVE = ":passive"
NOUN = ":noun"

_BY = Part("residual", "by")
_OF = Part("residual", "of")
_ON = Part("residual", "on")
_AT = Part("residual", "at")
_IN = Part("residual", "in")
_NOT = Part("negations", "not")
_TO_WHAT = (_IN, _ON, Part("residual", "for"))
_COMPANY = Part("residual", "company")
_HAVE = Part("residual", "have")
_CAGR = Part("metrics", "cagr")
_AFFECT = Part("residual", "affect")
# People sue and own too.
_DONE_BY_COMPANIES = frozenset({"supply", "make", "manufacture", "produce", "audit", "operate", "insure", "underwrite"})
# "Which stores did it open": what the question word asks about stays in front.
_FRONTED = frozenset({"which", "count"})
_PREPOSITIONS = frozenset({"in", "on", "for", "at", "from", "with", "to", "by", "and", "or", "than", "if", "because"})
_DONE_BY_THE_OWNER = frozenset({"open", "launch", "release", "introduce", "unveil", "discontinue"})
# Not an investigation, which others open.
_WHAT_AN_OWNER_OPENS = frozenset(
    {
        "factory",
        "gigafactory",
        "plant",
        "store",
        "office",
        "campus",
        "app",
        "service",
        "product",
        "phone",
        "chip",
        "car",
    }
    | {"model", "platform", "tier", "ad", "website", "game", "console", "brand", "program"}
)
_NO_ARGUMENT = frozenset({"periods", "numbers", "directions", "negations", "top_n", "basis"})


def in_active_voice(parts: Sequence[Part], question_type: str, *, of_figures: bool) -> tuple[str, list[Part]]:
    """The question type and the parts, which are the same ones in another order, or one less "by" or "on".

    `of_figures`: every metric is a figure, which does nothing itself, unlike customers or a board.
    """
    affecting = _how_it_affects(parts, question_type)
    if affecting is not None:
        return "how", _with_period_last(affecting)
    parts = _with_refusal_after_owner(list(parts))
    if of_figures:
        parts = _with_owner_first(_with_rate_last(parts))
    if of_figures or question_type == "why":
        parts = _with_change_after_figure(parts)
    # The deal of 2022 that hurt revenue is not the deal that hurt the revenue of 2022.
    has_event = any(part.value.endswith(NOUN) for part in parts)
    active = _with_period_last(_active(list(parts), question_type), anywhere=of_figures and not has_event)
    if question_type == "which" and active[:1] == [_COMPANY] and active[1:2] and active[1].value in _DONE_BY_COMPANIES:
        return "who", active[1:]
    return question_type, active


def _with_period_last(parts: list[Part], *, anywhere: bool = False) -> list[Part]:
    """ "In 2021, did …": the only period of a question means the same at its beginning and at its end."""
    at = [index for index, part in enumerate(parts) if part.slot == "periods"]
    if len(at) == 1 and (anywhere or at[0] == 0):
        return [*parts[: at[0]], *parts[at[0] + 1 :], parts[at[0]]]
    return parts


def _with_owner_first(parts: list[Part]) -> list[Part]:
    """ "The cocoa costs of Hershey" are Hershey's cocoa costs."""
    names = [index for index, part in enumerate(parts) if part.slot == "entities"]
    figures = [index for index, part in enumerate(parts) if part.slot == "metrics"]
    if len(names) == 1 and len(figures) > 1 and _only_ties_figures(parts, names[0]):
        return [parts[names[0]], *(part for index, part in enumerate(parts) if index != names[0] and part != _AT)]
    if len(names) != 1 or len(figures) != 1 or names[0] != figures[0] + 1:
        return parts
    start = figures[0]
    while start and parts[start - 1].slot == "residual" and parts[start - 1].value not in _PREPOSITIONS:
        start -= 1
    name = parts[names[0]]
    return [*parts[:start], name, *parts[start : names[0]], *parts[names[0] + 1 :]]


def _only_ties_figures(parts: list[Part], at: int) -> bool:
    """ "Revenue per employee at Ford", "debt to equity at Ford": there is one company, and nobody does anything."""
    if parts[at].value.startswith(("geography:", "segment:")):
        return False
    words = {part.value for part in parts if part.slot == "residual"}
    before = parts[at - 1 : at]
    is_apart = not before or before == [_AT] or before[0].slot != "residual"
    return is_apart and words <= {"per", "to", "at", "plus", "minus"} and parts.count(_AT) <= 1


def _with_rate_last(parts: list[Part]) -> list[Part]:
    """ "The CAGR of Lululemon's revenue" is its revenue CAGR."""
    figures = [part for part in parts if part.slot == "metrics"]
    if len(figures) != 2 or figures[0] != _CAGR:
        return parts
    others = [part for part in parts if part != _CAGR]
    at = others.index(figures[1])
    return [*others[: at + 1], _CAGR, *others[at + 1 :]]


def _with_refusal_after_owner(parts: list[Part]) -> list[Part]:
    """ "Why didn't Apple raise" is "why did Apple not raise"."""
    names = [index for index, part in enumerate(parts) if part.slot == "entities"]
    if len(names) == 1 and names[0] == 1 and parts[0] == _NOT:
        return [parts[1], parts[0], *parts[2:]]
    return parts


def _with_change_after_figure(parts: list[Part]) -> list[Part]:
    """ "What drove the rise in Apple's services revenue": why did Apple's services revenue rise."""
    changes = [index for index, part in enumerate(parts) if part.slot == "directions"]
    figures = [index for index, part in enumerate(parts) if part.slot == "metrics"]
    if len(changes) != 1 or len(figures) != 1:
        return parts
    change, figure = changes[0], figures[0]
    if parts[change + 1 : change + 2] != [_IN] or figure < change:
        return parts
    return [*parts[:change], *parts[change + 2 : figure + 1], parts[change], *parts[figure + 1 :]]


def _active(parts: list[Part], question_type: str) -> list[Part]:
    verbs = [index for index, part in enumerate(parts) if part.value.endswith((PASSIVE, NOUN))]
    if len(verbs) != 1:
        return parts
    at = verbs[0]
    if parts[at].value.endswith(NOUN):
        return _from_noun(parts, at)
    if _is_own_doing(parts, at, question_type):
        verb = Part(parts[at].slot, parts[at].value.removesuffix(PASSIVE))
        return [parts[0], verb, *parts[1:at], *parts[at + 1 :]]
    if at == 0 and parts[1:2] and parts[1] in _TO_WHAT and parts.count(_BY) == 1:
        return _with_agent_first(parts)
    before, after = parts[:at], parts[at + 2 :]
    if parts.count(_BY) != 1 or parts[at + 1 : at + 2] != [_BY] or any(map(_is_no_argument, before)):
        return parts
    verb = Part(parts[at].slot, parts[at].value.removesuffix(PASSIVE))
    length = next((place for place, part in enumerate(after) if _is_no_argument(part)), len(after))
    agent = after[:length]
    if not agent:
        return _with_asked_agent(before, verb, after, question_type)
    if question_type in _FRONTED:
        return [*before, *agent, verb, *after[length:]]
    return [*agent, verb, *before, *after[length:]]


def _with_agent_first(parts: list[Part]) -> list[Part]:
    """ "How much was invested in Paramount by Berkshire"."""
    by = parts.index(_BY)
    agent = parts[by + 1 : by + 2]
    if not agent or agent[0].slot != "entities" or agent[0].value.startswith(("geography:", "segment:")):
        return parts
    verb = Part(parts[0].slot, parts[0].value.removesuffix(PASSIVE))
    return [*agent, verb, *parts[1:by], *parts[by + 2 :]]


def _is_own_doing(parts: list[Part], at: int, question_type: str) -> bool:
    """ "When was Tesla's factory opened": what a company has, only the company opens; anybody may sue its supplier."""
    verb = parts[at].value.removesuffix(PASSIVE)
    things = parts[1:at]
    return (
        question_type in ("when", "where")
        and verb in _DONE_BY_THE_OWNER
        and _BY not in parts
        and parts[0].slot == "entities"
        and not parts[0].value.startswith(("geography:", "segment:", "name:"))
        and bool(things)
        and all(part.slot == "entities" or part.value in _WHAT_AN_OWNER_OPENS for part in things)
    )


def _with_asked_agent(before: list[Part], verb: Part, after: list[Part], question_type: str) -> list[Part]:
    """ "Who was Slack bought by", "which company was Slack bought by"."""
    if question_type == "who":
        return [verb, *before, *after]
    if question_type == "which" and len(before) == 2:
        return [before[0], verb, before[1], *after]
    return [*before, Part(verb.slot, verb.value + PASSIVE), _BY, *after]


def _from_noun(parts: list[Part], at: int) -> list[Part]:
    """ "Microsoft's acquisition of GitHub", "the acquisition of GitHub by Microsoft"."""
    verb = Part(parts[at].slot, parts[at].value.removesuffix(NOUN))
    if parts[at + 1 : at + 2] == [_OF]:
        parts = [*parts[: at + 1], *parts[at + 2 :]]
    around = [part.slot for part in parts[max(0, at - 1) : at + 2]]
    if around == ["entities", verb.slot, "entities"]:
        return [*parts[:at], verb, *parts[at + 1 :]]
    follows = parts[at + 1 : at + 4]
    if len(follows) == 3 and follows[0].slot == follows[2].slot == "entities" and follows[1] == _BY:
        return [*parts[:at], follows[2], verb, follows[0], *parts[at + 4 :]]
    return parts


def _how_it_affects(parts: Sequence[Part], question_type: str) -> list[Part] | None:
    """ "What is the effect of rates on banks", "what effect do rates have on banks": how do rates affect banks."""
    if question_type not in ("what", "which") or parts[:1] != [_AFFECT] or parts.count(_ON) != 1:
        return None
    on = parts.index(_ON)
    cause, affected = list(parts[1:on]), list(parts[on + 1 :])
    if cause[:1] == [_OF]:
        cause.pop(0)
    if cause[-1:] == [_HAVE]:
        cause.pop()
    if not cause or not affected or _HAVE in cause:
        return None
    return [*cause, _AFFECT, *affected]


def _is_no_argument(part: Part) -> bool:
    return part.slot in _NO_ARGUMENT or part == _HAVE or (part.slot == "residual" and part.value in _PREPOSITIONS)
