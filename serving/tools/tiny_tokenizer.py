"""A tokenizer for a model that nobody trained: byte-level BPE, ChatML, tools as Hermes models write them."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from pydoc_data.topics import topics

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

VOCABULARY = 4096
MEAN_ANSWER = 100  # tokens
JSON_WORDS = 4  # of each paragraph
BEGIN, END, PAD = "<|im_start|>", "<|im_end|>", "<|pad|>"

CHAT_TEMPLATE = """\
{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- if messages[0].role in ('system', 'developer') %}{{- messages[0].content + '\\n\\n' }}{% endif %}
    {{- 'You may call these functions:\\n<tools>' }}
    {%- for tool in tools %}{{- '\\n' + tool | tojson }}{% endfor %}
    {{- '\\n</tools>\\nCall one as <tool_call>{"name": ..., "arguments": ...}</tool_call><|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if not (tools and loop.first and message.role in ('system', 'developer')) %}
        {{- '<|im_start|>' + message.role + '\\n' }}
        {%- if message.role == 'tool' %}{{- '<tool_response>' }}{% endif %}
        {%- if message.content %}{{- message.content }}{% endif %}
        {%- if message.role == 'tool' %}{{- '</tool_response>' }}{% endif %}
        {%- for call in message.tool_calls or [] %}
            {{- '<tool_call>{"name": ' + call.function.name | tojson + ', "arguments": ' }}
            {{- call.function.arguments | tojson + '}</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{% endif %}
"""


def paragraphs() -> list[str]:
    """English text that is on every machine, what Python's `help()` says, and its words once more as JSON.

    Without the JSON, quotes and brackets are so rare that a string in guided JSON seldom ends.
    """
    prose = [paragraph for _, text in sorted(topics.items()) for paragraph in text.split("\n\n")]
    words = [paragraph.split()[:JSON_WORDS] for paragraph in prose]
    return [*prose, *(json.dumps({"topic": some[0], "words": some}, separators=(",", ":")) for some in words if some)]


def trained() -> Tokenizer:
    """The same for the same version of Python."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        paragraphs(),
        trainers.BpeTrainer(
            vocab_size=VOCABULARY,
            special_tokens=[BEGIN, END, PAD],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    return tokenizer


def log_frequencies(tokenizer: Tokenizer) -> list[float]:
    """Natural logarithm of each token's share of the text, by id. An answer ends after about MEAN_ANSWER tokens."""
    texts = tokenizer.encode_batch(paragraphs())
    counts: dict[int, float] = dict(Counter(token for text in texts for token in text.ids))
    ids = tokenizer.get_vocab()
    counts[ids[END]] = sum(counts.values()) / MEAN_ANSWER
    # Never seen is not impossible, but for the tokens that only a prompt has.
    for token in (BEGIN, PAD):
        counts[ids[token]] = 1e-9
    total = sum(counts.values())
    return [math.log(counts.get(token, 0.1) / total) for token in range(tokenizer.get_vocab_size())]


def save(tokenizer: Tokenizer, directory: Path, *, max_length: int) -> None:
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PAD,
        chat_template=CHAT_TEMPLATE,
        model_max_length=max_length,
        clean_up_tokenization_spaces=False,
    ).save_pretrained(directory)
