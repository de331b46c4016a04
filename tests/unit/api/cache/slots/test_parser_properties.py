from __future__ import annotations

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from api.cache.agreement import agreement
from api.cache.canonical import canonical_form
from api.cache.slots.parser import SlotParser
from api.cache.slots.words.lexicon import Lexicon

PARSER = SlotParser(Lexicon.load())

SLOTS = {
    "company": [
        "Apple",
        "AMD",
        "AMAT",
        "BRK.A",
        "BRK.B",
        "GOOG",
        "GOOGL",
        "Larkspur",
        "Larkspire",
        "Target",
        "JPMorgan",
    ],
    "metric": [
        "revenue",
        "net income",
        "gross margin",
        "operating margin",
        "diluted EPS",
        "basic EPS",
        "total debt",
        "ROE",
    ],
    "period": ["Q1 2024", "Q2 2024", "FY2023", "2021", "2022", "H1 2023", "March 2024", "the first half of 2024"],
    "direction": ["rise", "fall", "change", "improve", "deteriorate", "plunge"],
    "basis": ["GAAP", "non-GAAP", "adjusted", "quarterly", "organic", "expected"],
    "place": ["China", "Europe", "Japan", "India"],
    "amount": ["5%", "6%", "50 basis points", "$5 million", "$5 billion"],
}
TEMPLATES = [
    "Did {company}'s {basis} {metric} in {place} {direction} by {amount} in {period}?",
    "Why did the {basis} {metric} of {company} {direction} by more than {amount} in {place} in {period}?",
    "In {period}, did {basis} {metric} {direction} at {company} in {place}, not by {amount}?",
    "{company} {period} {basis} {metric} {place} {direction} {amount}",
]
COURTESY_BEFORE = [
    "",
    "Hi, ",
    "Please tell me: ",
    "Could you tell me ",
    "I'd like to know, ",
    "Hello there, do you know ",
]
COURTESY_AFTER = ["", " Thanks!", " please", " Thank you very much."]

fillings = st.fixed_dictionaries({name: st.sampled_from(values) for name, values in SLOTS.items()})


@given(st.sampled_from(TEMPLATES), fillings, st.sampled_from(sorted(SLOTS)), st.data())
def test_another_value_of_one_slot_is_another_question(
    template: str, filling: dict[str, str], slot: str, data: st.DataObject
) -> None:
    other_value = data.draw(st.sampled_from([value for value in SLOTS[slot] if value != filling[slot]]))
    # The fiscal year of some companies is the calendar year.
    assume({filling[slot], other_value} != {"FY2023", "2023"})
    one, other = (PARSER.parse(template.format(**values)) for values in (filling, {**filling, slot: other_value}))
    assert not agreement(one, other).agrees
    assert canonical_form(one) is None or canonical_form(one) != canonical_form(other)


@given(fillings, st.sampled_from(COURTESY_BEFORE), st.sampled_from(COURTESY_AFTER))
def test_courtesy_changes_nothing(filling: dict[str, str], before: str, after: str) -> None:
    question = "what was the {basis} {metric} of {company} in {place} in {period}".format(**filling)
    assert PARSER.parse(before + question + after) == PARSER.parse(question)


words = st.sampled_from(
    """
    what was is are the a of in apple apple's nvidia revenue margin grow fall not why who how much did than and or from
    to 2023 q3 5% top million which its my we company stock will be been more report paid by excluding $ BRK.B Q5 don't
    US us IT Gap between compare mean calculate 10-K \U0001f600 der
    """.split()  # noqa: SIM905 -- reads best as text
)


@given(st.one_of(st.text(max_size=300), st.lists(words, max_size=25).map(" ".join)))
@settings(max_examples=500)
def test_any_text_is_read_the_same_every_time(question: str) -> None:
    slots = PARSER.parse(question)
    assert slots == SlotParser(PARSER._lexicon).parse(question)
    assert (canonical_form(slots) is None) == bool(slots.problems)


@given(st.lists(words, max_size=12).map(" ".join), st.lists(words, max_size=12).map(" ".join))
@settings(max_examples=500)
def test_forms_are_equal_only_where_all_slots_are(one: str, other: str) -> None:
    first, second = PARSER.parse(one), PARSER.parse(other)
    if not first.problems:
        assert (canonical_form(first) == canonical_form(second)) == (first == second)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_an_unknown_word_counts_letter_for_letter(word: str) -> None:
    with_word = PARSER.parse(f"What was Apple's zz{word}qq revenue in 2023?")
    without = PARSER.parse("What was Apple's zzqq revenue in 2023?")
    assert with_word != without or not any(map(str.isalnum, word))


@given(
    st.lists(st.sampled_from(["up", "zorp", "Quux", "gamma's", "peels", "hits"]), min_size=2, max_size=6, unique=True)
)
def test_the_order_of_unknown_words_counts(found: list[str]) -> None:
    turned = [found[-1], *found[:-1]]
    assert not agreement(PARSER.parse(" ".join(found)), PARSER.parse(" ".join(turned))).agrees
