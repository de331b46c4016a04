from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from serving.catalogue.schema import CatalogueEntry, ModelEntry, PriceEntry, TimeoutsEntry, UpstreamEntry

REFERENCE = Path(__file__).parents[4] / "docs/reference/models-file.md"

UPSTREAM = "models[0].upstreams[0]"
LAST_URL = "models[3].upstreams[0].base_url"
NO_NAME = "is no name: up to 128 letters, digits and . _ : / @ + -, a letter or digit first"
NO_NUMBER = "is not a number that can be read: write it in decimal digits, or in quotes if it is text"
NO_MAPPING = "must be a mapping of fields to values"
NO_OUTPUT = "an embedding model writes no output: leave the field out"
NO_ANSWER = "an embedding model answers nothing: leave the field out"
NO_COLLECTION = "must be up to 63 of a-z, 0-9, _ and -, a letter or digit first"
NO_ALIASES = "the wildcard matches every name and needs no aliases"
RESERVED = "'other' is what metrics call the models of the wildcard: use another name"
NO_URL = "must be an http(s) URL such as https://host/v1"
NO_CREDENTIALS = "must not hold a user or password: name the variable that holds the key in api_key_env"
NO_QUERY = "must not have a query or fragment: paths such as /chat/completions are put behind it"
NO_VARIABLE = "holds a $ that is no ${NAME} and no ${NAME:-default}"
BROKEN_KEY = "the value of the environment variable 'BROKEN' has characters that no key has"


@pytest.mark.parametrize(
    ("old", "new", "line", "field", "message"),
    [
        ('    version: "2.1"\n', "", 3, "models[0].version", "is missing"),
        ('"2.1"', "2.1", 4, "models[0].version", "must be text; put it in quotes"),
        ('"2.1"', "yes", 4, "models[0].version", "must be text; put it in quotes"),
        ('"2.1"', '""', 4, "models[0].version", "must not be empty"),
        ("kind: chat\n", "kind: chats\n", 5, "models[0].kind", "must be 'chat' or 'embedding'"),
        ("1700000000", "-1", 8, "models[0].created", "must be 0 or more"),
        ("1700000000", "9" * 30, 8, "models[0].created", "must be less than 9.22337e+18"),
        ("8192", "8k", 9, "models[0].context_tokens", "must be a whole number"),
        ("8192", "1:30", 9, "models[0].context_tokens", NO_NUMBER),
        ("4096", "9000", 10, "models[0].max_output_tokens", "is 9000, more than context_tokens (8192)"),
        ("256", "5000", 11, "models[0].default_output_tokens", "is 5000, more than max_output_tokens (4096)"),
        ("prefill: 0.1", "prefill: -0.1", 12, "models[0].price.prefill", "must be 0 or more"),
        ("prefill: 0.1", "prefill: .nan", 12, "models[0].price.prefill", "must be a finite number"),
        ("prefill: 0.1", "prefill: free", 12, "models[0].price.prefill", "must be a number"),
        ("{prefill: 0.1, decode: 1, cached: 0.01}", "cheap", 12, "models[0].price", NO_MAPPING),
        ("weight: 3", "weight: 0", 19, f"{UPSTREAM}.weight", "must be more than 0"),
        ("weight: 3", "weight: -2", 19, f"{UPSTREAM}.weight", "must be more than 0"),
        ("weight: 3", "weight: 1.5", 19, f"{UPSTREAM}.weight", "must be a whole number"),
        ("weight: 3", "weight: true", 19, f"{UPSTREAM}.weight", "must be a whole number"),
        ("weight: 3", "weight: 3\n        weight: 4", 20, f"{UPSTREAM}.weight", "is given twice, first in line 19"),
        ("connect_s: 1", "connect_s: 0", 20, f"{UPSTREAM}.timeouts.connect_s", "must be more than 0"),
        ("300\n", "300\n    aliases: sly\n", 27, "models[1].aliases", "must be a list"),
        ("name: embedder", "name: em bed", 29, "models[2].name", f"'em bed' {NO_NAME}"),
        ("512", "512\n    max_output_tokens: 5", 33, "models[2].max_output_tokens", NO_OUTPUT),
        ("      - name: vendor\n        base_url: https://vendor.example/v1", "      []", 41, "models[3].upstreams",
         "must hold at least one entry"),
        ("512", "512\n    rag: {collection: x}", 33, "models[2].rag", NO_ANSWER),
        ("300\n", "300\n    rag: {version: v4}\n", 27, "models[1].rag.collection", "is missing"),
        ("300\n", "300\n    rag: {collection: My Docs}\n", 27, "models[1].rag.collection", NO_COLLECTION),
        ("300\n", "300\n    rag: {collection: x, version: v5}\n", 27, "models[1].rag.version",
         "must be 'v1', 'v2', 'v3' or 'v4'"),
        ("300\n", "300\n    rag: {collection: x, top_k: 21}\n", 27, "models[1].rag.top_k", "must be 20 or less"),
        ("quick, ", "'*', ", 6, "models[0].aliases", f"'*' {NO_NAME}"),
        ("quick, ", "other, ", 6, "models[0].aliases", RESERVED),
        ('name: "*"', 'name: "*"\n    aliases: [x]', 36, "models[3].aliases", NO_ALIASES),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_with_its_line_and_field(
    full: str, problems: Callable[[str], list[str]], *, old: str, new: str, line: int, field: str, message: str
) -> None:
    assert old in full
    assert problems(full.replace(old, new, 1)) == [f"models.yaml:{line}: {field}: {message}"]


@pytest.mark.parametrize(
    ("old", "new", "place", "advice"),
    [
        ("owned_by", "owned_bye", "7: models[0].owned_bye", "did you mean owned_by?"),
        ("weight: 3", "wieght: 3", "19: models[0].upstreams[0].wieght", "did you mean weight?"),
        ("api_key_env", "api_key", "18: models[0].upstreams[0].api_key", "did you mean api_key_env?"),
        ("connect_s", "connect", "20: models[0].upstreams[0].timeouts.connect", "did you mean connect_s?"),
        ("decode: 1,", "decode: 1, zzz: 0,", "12: models[0].price.zzz", "known are prefill, decode, cached"),
        ("default_model", "default_modal", "1: default_modal", "did you mean default_model?"),
    ],
)
def test_an_unknown_field_gets_a_suggestion(
    full: str, problems: Callable[[str], list[str]], *, old: str, new: str, place: str, advice: str
) -> None:
    assert problems(full.replace(old, new, 1)) == [f"models.yaml:{place}: is not a known field; {advice}"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("FAR_KEY", "the environment variable 'FAR_KEY' is not set"),
        ("EMPTY", "the environment variable 'EMPTY' is not set"),
        ("BROKEN", BROKEN_KEY),
    ],
)
def test_a_key_must_be_in_its_variable(
    full: str, problems: Callable[[str], list[str]], name: str, message: str
) -> None:
    expected = f"models.yaml:18: models[0].upstreams[0].api_key_env: {message}"
    assert problems(full.replace("NEAR_KEY", name)) == [expected]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("${VENDOR}", "the environment variable VENDOR is not set"),
        ("${EMPTY}", "the environment variable EMPTY is not set"),
        ("https://$HOST/v1", NO_VARIABLE),
        ("https://${HOST/v1", NO_VARIABLE),
        ("https://me:pw@host/v1", NO_CREDENTIALS),
        ("https://host/v1?key=1", NO_QUERY),
        ("https://host/v1#top", NO_QUERY),
        *[
            (url, NO_URL)
            for url in (
                "ftp://host/v1",
                "host/v1",
                "http://",
                "http:///v1",
                "http://:80",
                "http://host:0/v1",
                "http://host:99999/v1",
                "http://[::1/v1",
                "http://ho st/v1",
                "http://höst/v1",
                "javascript:alert(1)",
                "${NEAR_KEY}",
                '"http://host/\\nv1"',
                '""',
            )
        ],
    ],
)
def test_what_is_no_usable_address_is_refused(
    full: str, problems: Callable[[str], list[str]], url: str, message: str
) -> None:
    told = problems(full.replace("https://vendor.example/v1", url))
    assert told == [f"models.yaml:43: {LAST_URL}: {message}"]


@pytest.mark.parametrize("url", ["http://[::1]:80/v1", "HTTPS://Host.example", "http://${NO:-h}:${P:-1}"])
def test_other_usable_addresses_pass(full: str, problems: Callable[[str], list[str]], url: str) -> None:
    text = full.replace("https://vendor.example/v1", url).replace("weight: 3", "weight: 0")
    assert problems(text) == ["models.yaml:19: models[0].upstreams[0].weight: must be more than 0"]


def test_a_variables_value_is_never_shown(full: str, problems: Callable[[str], list[str]]) -> None:
    text = full.replace("env: NEAR_KEY", "env: BROKEN").replace("https://vendor.example/v1", "x${NEAR_KEY}")
    assert len(problems(text)) == 2
    assert "sk-" not in "".join(problems(text))


@pytest.mark.parametrize("entry", [CatalogueEntry, ModelEntry, PriceEntry, TimeoutsEntry, UpstreamEntry])
def test_the_reference_describes_every_field(entry: type[CatalogueEntry]) -> None:
    described = REFERENCE.read_text(encoding="utf-8")
    assert [field for field in entry.model_fields if f"| `{field}` |" not in described] == []
