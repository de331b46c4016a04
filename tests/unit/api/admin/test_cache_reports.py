from __future__ import annotations

from typing import Any

from api.admin.cache_reports import explain_report, purge_report, stats_report

READING = {"tags": ["period:Q3-2024"], "tokens": 12, "ttl_s": 86_400.0, "has_canonical_key": True}


def explanation(**changes: Any) -> dict[str, Any]:
    slots = {"question_type": "what", "periods": ["Q3-2024"], "metrics": ["revenue"], "top_n": None, "volatile": False}
    other = {**slots, "periods": ["Q4-2024"], "volatile": True}
    return {
        "verdict": "different",
        "reasons": ["The guard sees a difference: periods.", "The answer to b may change within minutes."],
        "a": {**READING, "slots": slots},
        "b": {**READING, "slots": other, "tags": [], "tokens": None, "ttl_s": 300.0, "has_canonical_key": False},
        "differing_slots": ["periods"],
        "same_canonical_key": False,
        "agreement": False,
        "cosine": 0.98024,
        "min_cosine": 0.92,
        **changes,
    }


def test_an_explanation_shows_both_sides_and_marks_what_differs() -> None:
    assert explain_report(explanation()).splitlines() == [
        "  slot           a               b",
        "---------------  --------------  -------",
        "  question type  what            what",
        "* periods        Q3-2024         Q4-2024",
        "  metrics        revenue         revenue",
        "  volatile       no              yes",
        "  tags           period:Q3-2024  -",
        "  tokens         12              -",
        "  kept for       1 d             5 min",
        "  canonical key  yes             no",
        "",
        "* differs",
        "cosine 0.9802, needed 0.92",
        "verdict: different",
        "  - The guard sees a difference: periods.",
        "  - The answer to b may change within minutes.",
    ]


def test_an_explanation_without_an_embedder_has_no_cosine() -> None:
    report = explain_report(explanation(cosine=None, differing_slots=[]))
    assert "cosine" not in report
    assert "*" not in report


def test_statistics_are_a_table() -> None:
    tenants = [
        {"tenant": "finsight", "entries": 1234, "bytes": 5_678_901, "evicted": 0, "oldest_age_s": 7200.0}
        | {"newest_age_s": 2.25},
        {"tenant": "other", "entries": 0, "bytes": 0, "evicted": 0, "oldest_age_s": None, "newest_age_s": None},
    ]
    lookups = {"exact": 1200, "canonical": 30, "semantic": 2, "miss": 800, "bypass": 5}
    gateway = {"lookups": lookups, "hit_rate": 0.60629, "saved_usd": {"finsight": 12.345, "other": 0.0}}
    counted = "1,200 exact, 30 canonical, 2 semantic, 800 miss, 5 bypass"
    assert stats_report({"tenants": tenants, "gateway": gateway}).splitlines() == [
        "tenant    answers      bytes  evicted  oldest  newest  saved USD",
        "--------  -------  ---------  -------  ------  ------  ---------",
        "finsight    1,234  5,678,901        0  2 h     2.25 s      12.35",
        "other           0          0        0  -       -            0.00",
        "",
        f"This gateway since its start: {counted}; 60.6% of the look-ups were hits.",
    ]
    gateway["hit_rate"] = None
    assert stats_report({"tenants": tenants, "gateway": gateway}).endswith(" 5 bypass.")


def test_a_purge_says_what_went_and_what_stayed() -> None:
    done = {"removed": 1, "tenants": ["finsight"], "tags": ["entity:Apple", "entity:apple"], "index_cleared": True}
    assert purge_report(done) == "Removed 1 answer of finsight tagged entity:Apple or entity:apple."
    done = {"removed": 2000, "tenants": ["finsight", "other"], "tags": [], "index_cleared": False}
    removed, index = purge_report(done).splitlines()
    assert removed == "Removed 2,000 answers of finsight, other."
    assert "vector index is away" in index
