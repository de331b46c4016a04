"""What is known about a question as a whole when its parts are judged one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from api.cache.slots.question.movers import asks_what_moved
from api.cache.slots.question.question_frame import COMPARATIVES, PLAIN, question_type
from api.cache.slots.words.items import NAME, Item, is_possessive
from api.cache.slots.words.lexicon import Lexicon, Word

SUPERLATIVES = frozenset({"max", "most", "least", "min", "best", "worst", "strongest", "weakest", "fastest", "slowest"})
_THINGS = frozenset({"attribute", "person", "place", "date"})
_SIZES = frozenset({"larger", "bigger", "smaller", "largest", "biggest", "smallest", "greatest"})
MOVES = frozenset({"up", "down"})
_RANKING = SUPERLATIVES | {"up", "down", "most", "least"}
_NAMED_KINDS = ("company", "index")
_MAY_BE_VERBS = frozenset({"unknown", "synonyms", "directions", "carrier", "imperative", "metrics"})
_OUTLOOKS = frozenset({"guidance", "forecast", "projected"})
_MAIN = ("synonyms", "main")
_BE = frozenset({"is", "was", "be"})
_ASKS_WHICH = frozenset({("question", "what"), ("question", "which")})
# Past participles that do not end in -ed. Those equal to their base form (cut, set) count too: after a form of "be" it
# is safer to take "was the stock split" for a passive that it may not be.
_PARTICIPLES = frozenset(
    """bought sold built held led left lent paid met lost beaten taken made given written repaid spun cut split set hit
    put laid brought caught taught won known shown seen spent begun become chosen driven drawn broken frozen stolen
    hurt owed grew rose fell went ran drove wrote became chose lost""".split()  # noqa: SIM905 -- a list of words reads best as text
)


@dataclass(frozen=True)
class Frame:
    words: Sequence[Word]
    items: Sequence[Item]
    """Without boilerplate."""
    lexicon: Lexicon
    is_indirect: bool = False
    """It was a subordinate question: "do you know what Apple earned"."""

    @cached_property
    def metrics(self) -> list[Item]:
        return [item for item in self.items if item.slot == "metrics"]

    @cached_property
    def metric_kinds(self) -> frozenset[str]:
        return frozenset(self.lexicon.metric_kinds.get(item.value, "flow") for item in self.metrics)

    @cached_property
    def companies(self) -> frozenset[str]:
        """Companies, indices and unknown names: not places, and not parts of companies."""
        return frozenset(item.value for item in self.items if self.kind(item) in _NAMED_KINDS)

    @cached_property
    def names(self) -> frozenset[str]:
        """All that is named: companies, parts of them and places."""
        return frozenset(item.value for item in self.items if item.slot == "entities")

    @cached_property
    def names_one_thing_twice(self) -> bool:
        """ "The difference between sales and turnover": here the names are not as good as each other."""
        texts: dict[tuple[str, str], str] = {}
        named = [item for item in self.items if item.slot in ("metrics", "entities")]
        return any(texts.setdefault((item.slot, item.value), self.text(item)) != self.text(item) for item in named)

    @cached_property
    def is_domain(self) -> bool:
        """Whether a company, a part of one, an index or a figure is spoken of."""
        return (
            bool(self.metrics)
            or self._is_event
            or any(
                self.kind(item) not in (None, "geography") and not item.value.startswith(NAME) for item in self.items
            )
        )

    @cached_property
    def has_known_company(self) -> bool:
        return any(
            self.kind(item) not in (None, "geography") and not item.value.startswith(NAME) for item in self.items
        )

    @property
    def _is_event(self) -> bool:
        """ "Who acquired Slack": plain names that the lexicon does not know, and a verb that it knows."""
        names = [
            self.words[place]
            for item in self.items
            if self.kind(item) == "company"
            for place in range(item.start, item.end)
        ]
        verbs = any(item.slot in ("synonyms", "carrier", "idiom") for item in self.items)
        return verbs and bool(names) and all(word.text.isalpha() and word.raw[1:].islower() for word in names)

    @cached_property
    def asked(self) -> tuple[str, Sequence[Item]]:
        kind, others = question_type(self.items, metric_kinds=self.metric_kinds)
        return ("which" if kind == "what" and asks_what_moved(self.items, self.words) else kind), others

    @property
    def question_type(self) -> str:
        return self.asked[0]

    @cached_property
    def is_plain(self) -> bool:
        """The figure of a company is asked for, in a way that every word order and every verb leaves the same."""
        if self.is_ranking or self.is_choice:
            return True
        if not self.metrics or not (self.question_type in PLAIN or self._asks_for_person):
            return False
        named = any(item.slot == "entities" for item in self.items)
        return named or not any(item.slot in ("unknown", "synonyms") for item in self.items)

    @cached_property
    def is_ranking(self) -> bool:
        """ "Which segment of Disney had the highest revenue": one thing, one company, one measure."""
        if self.question_type != "which" or len(self.companies) > 1 or len(self.metrics) > 1:
            return False
        things = [item for item in self.items if item.slot in ("unknown", "synonyms", "connective", "negations")]
        directions = {item.value for item in self.items if item.slot == "directions"}
        measured = bool(self.metrics) or bool(directions & {"up", "down"})
        return len(things) == 1 and measured and bool(directions & SUPERLATIVES) and directions <= _RANKING

    @cached_property
    def says_now(self) -> bool:
        return any((item.slot, item.value) == ("basis", "current") for item in self.items)

    @cached_property
    def asks_for_results_day(self) -> bool:
        """ "When does Salesforce report earnings" asks for the date of its results."""
        says = any(item.slot == "carrier" and item.value in ("say", "announce", "release") for item in self.items)
        return self.question_type == "when" and says and [item.value for item in self.metrics] == ["earnings"]

    def is_of_size(self, item: Item) -> bool:
        """Larger stores are not more stores."""
        if self.raw_text(item) not in _SIZES or self.question_type not in ("which", "yes-no"):
            return False
        if "count" in self.metric_kinds:
            return True
        has = any((other.slot, other.value) in (("auxiliary", "have"), ("auxiliary", "had")) for other in self.items)
        return (has or item.value in COMPARATIVES) and not self.metric_kinds - _THINGS

    @cached_property
    def is_choice(self) -> bool:
        """ "Which had more debt in 2023, Ford or GM?", in whichever order: two names, one measure, nothing else."""
        if self.question_type != "which" or len(self.companies) != 2 or len({item.value for item in self.metrics}) != 1:
            return False
        if len(self.metrics) > 1 and any(item.slot == "basis" for item in self.items):
            # Of both, or of one of them
            return False
        if len({item.value for item in self.items if item.slot == "periods"}) > 1:
            return False
        directions = {item.value for item in self.items if item.slot == "directions"}
        others = [
            item
            for item in self.items
            if item.slot in ("unknown", "negations", "synonyms", "connective")
            and item.value not in ("company", "and", "or", "between", "vs")
        ]
        return not others and len(directions - MOVES) == 1 and directions <= COMPARATIVES | SUPERLATIVES | MOVES

    @cached_property
    def has_loose_words(self) -> bool:
        """Whether a word is there that does not just describe a metric beside it: it may be a verb, or who did it."""
        return any(
            item.slot in ("unknown", "synonyms", "idiom") and not self.is_modifier(index)
            for index, item in enumerate(self.items)
        )

    @cached_property
    def modifier_count(self) -> int:
        """How many words only describe a metric beside them."""
        return sum(
            item.slot in ("unknown", "synonyms") and self.is_modifier(index) for index, item in enumerate(self.items)
        )

    @cached_property
    def has_plain_verb(self) -> bool:
        """Whether what the company does can only be to have or report the figure: no other word may be a verb."""
        if any(item.slot == "negations" for item in self.items):
            return False
        return self.is_plain and (self.is_ranking or self.is_choice or not self.has_loose_words)

    def is_on_balance_sheet(self, item: Item) -> bool:
        """ "The goodwill on its balance sheet": where else."""
        if (item.slot, item.value) != ("documents", "balance-sheet") or self.metric_kinds != {"balance"}:
            return False
        return self.question_type == "what" and not any(other.slot == "negations" for other in self.items)

    def is_modifier(self, index: int) -> bool:
        """ "Widget" in "widget revenue" and in "revenue from widgets"."""
        for item in self.items[index + 1 :]:
            if item.slot == "metrics":
                return True
            if item.slot not in ("unknown", "synonyms", "basis", "soft"):
                break
        before = self.items[max(0, index - 2) : index]
        return [(item.slot, item.value) for item in before[1:]] == [("preposition", "from")] and (
            before[0].slot == "metrics" and self.lexicon.metric_kinds.get(before[0].value) == "flow"
        )

    @cached_property
    def is_issuing(self) -> bool:
        """Guidance given in Q4 is not guidance for Q4."""
        return any(
            item.slot == "basis"
            and (item.value in _OUTLOOKS or (item.value == "expected" and self.raw_text(item) != "expected"))
            for item in self.items
        )

    @property
    def _asks_for_person(self) -> bool:
        return self.question_type == "who" and "person" in self.metric_kinds

    def kind(self, item: Item) -> str | None:
        """Of an entity; None for all else."""
        if item.slot != "entities":
            return None
        return "company" if item.value.startswith(NAME) else self.lexicon.entity_kinds.get(item.value, "company")

    def text(self, item: Item) -> str:
        return " ".join(word.base for word in self.words[item.start : item.end])

    def asks_for_one(self, item: Item) -> bool:
        """ "The largest customer", unlike "the largest customers"."""
        word = self.words[item.end - 1]
        ranked = any(
            (other.slot == "directions" and other.value in SUPERLATIVES) or (other.slot, other.value) == _MAIN
            for other in self.items
        )
        is_thing = self.lexicon.metric_kinds.get(item.value) == "attribute" or item.value in ("costs", "expenses")
        return ranked and is_thing and word.text == word.base

    def asks_for_names(self, index: int) -> bool:
        """ "What stores does it have", unlike "what store count does it have" and "how many stores"."""
        item, before = self.items[index], self.items[index - 1] if index else None
        word = self.words[item.end - 1]
        is_count = self.lexicon.metric_kinds.get(item.value) == "count" and word.text != word.base
        if before is not None and before.slot == "entities" and index > 1:
            before = self.items[index - 2]
        return is_count and before is not None and (before.slot, before.value) in _ASKS_WHICH

    def is_brand(self, item: Item) -> bool:
        return self.lexicon.is_brand(tuple(word.text for word in self.words[item.start : item.end]))

    def raw_text(self, item: Item) -> str:
        return " ".join(word.text for word in self.words[item.start : item.end])

    def lemma(self, item: Item) -> str:
        return self.lexicon.lemma(tuple(word.text for word in self.words[item.start : item.end]))

    def following(self, index: int) -> Item | None:
        """What the word at `index` leads up to: of "in Apple's 2023 revenue" the revenue, of "in Apple" Apple."""
        head = None
        for item in self.items[index + 1 :]:
            if item.slot in ("metrics", "documents"):
                return item
            if item.slot in ("article", "soft") or (item.slot, item.value) == ("pronoun", "its"):
                continue
            head = head or item
            if item.slot not in ("entities", "periods", "basis"):
                return head
        return head

    def is_possessive(self, item: Item) -> bool:
        return is_possessive(self.words[item.end - 1])

    def is_state(self, index: int) -> bool:
        """ "Is Costco open", unlike "does Costco open"."""
        item = self.items[index]
        texts = tuple(word.text for word in self.words[item.start : item.end])
        before = [other.value for other in self.items[:index] if other.slot in ("auxiliary", "modal")]
        is_after_be = index > 0 and self.items[index - 1].slot == "auxiliary"
        may_be = self.question_type == "yes-no" or (is_after_be and self.items[0].value in ("how-many", "which"))
        return may_be and before[-1:] in (["is"], ["was"]) and self.lexicon.is_base(texts)

    def is_participle(self, item: Item) -> bool:
        text = self.words[item.start].text
        return item.slot in _MAY_BE_VERBS and (text.endswith("ed") or text in _PARTICIPLES)

    def is_passive(self, index: int) -> bool:
        """Whether the verb at `index` is one whose subject suffers it: "was Slack bought"."""
        if not self.is_participle(self.items[index]):
            return False
        after = self.items[index + 1] if index + 1 < len(self.items) else None
        if after is not None and (after.slot, after.value) == ("preposition", "by"):
            # "Stores opened by Walmart"
            return True
        for item in reversed(self.items[:index]):
            if item.slot in ("auxiliary", "modal"):
                return item.slot == "auxiliary" and item.value in _BE
        return False
