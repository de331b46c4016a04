from __future__ import annotations

from collections.abc import Callable

import pytest

from serving.catalogue.base import CatalogueError
from serving.catalogue.load import parse_catalogue

FULL = """\
default_model: fast
models:
  - name: fast
    version: "2.1"
    kind: chat
    aliases: [quick, gpt-4o-mini]
    owned_by: us
    created: 1700000000
    context_tokens: 8192
    max_output_tokens: 4096
    default_output_tokens: 256
    price: {prefill: 0.1, decode: 1, cached: 0.01}
    fallbacks: [smart]
    upstreams:
      - name: near
        base_url: ${NEAR}/v1/
        model: mistral
        api_key_env: NEAR_KEY
        weight: 3
        timeouts: {connect_s: 1, request_s: 90.5}
      - name: far
        base_url: ${FAR:-https://far.example/v1}
  - name: smart
    version: "1"
    kind: chat
    context_tokens: 300
    price: {prefill: 1, decode: 2, cached: 0}
    upstreams: [{name: far, base_url: "${FAR:-https://far.example/v1}"}]
  - name: embedder
    version: "1"
    kind: embedding
    context_tokens: 512
    price: {prefill: 0.01, decode: 0, cached: 0}
    upstreams: [{name: near, base_url: "${NEAR}/v1/", model: minilm}]
  - name: "*"
    version: any
    kind: chat
    context_tokens: 1000
    price: {prefill: 0, decode: 0, cached: 0}
    fallbacks: [gpt-4o-mini]
    upstreams:
      - name: vendor
        base_url: https://vendor.example/v1
"""

Problems = Callable[[str], list[str]]


@pytest.fixture
def full() -> str:
    """A models file that uses every field."""
    return FULL


@pytest.fixture
def variables() -> dict[str, str]:
    return {"NEAR": "http://near:8091", "NEAR_KEY": "sk-near", "EMPTY": "", "BROKEN": "sk-\nbroken"}


@pytest.fixture
def problems(variables: dict[str, str]) -> Problems:
    """What is wrong with a models file, one sentence each."""

    def told(text: str) -> list[str]:
        with pytest.raises(CatalogueError) as caught:
            parse_catalogue(text.encode(), file="models.yaml", variables=variables)
        assert str(caught.value) == "\n".join(caught.value.problems)
        return list(caught.value.problems)

    return told
