"""Random weights of Mistral's architecture, adjusted so that what comes out is at least word salad."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import MistralConfig, MistralForCausalLM
from transformers.utils.logging import disable_progress_bar


def save(
    directory: Path, *, layers: int, hidden_size: int, max_length: int, seed: int, log_frequencies: Sequence[float]
) -> None:
    """Write config.json and the weights, float32. `hidden_size` is a multiple of 64."""
    disable_progress_bar()
    torch.manual_seed(seed)
    # Attention kernels do not take every head; those of the CPU take 32, 64 and more, GPUs' 64 and more.
    heads = hidden_size // 64 if hidden_size >= 256 else hidden_size // 32
    config = MistralConfig(
        vocab_size=len(log_frequencies),
        hidden_size=hidden_size,
        intermediate_size=hidden_size * 7 // 2,  # as in Mistral-7B
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=max(1, heads // 4) if heads > 4 else heads // 2,
        head_dim=hidden_size // heads,
        max_position_embeddings=max_length,
        sliding_window=None,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
    )
    model = MistralForCausalLM(config).eval()
    with torch.no_grad():
        _speak(model, torch.tensor(log_frequencies))
    model.save_pretrained(directory)


def _speak(model: MistralForCausalLM, log_frequencies: torch.Tensor) -> None:
    """Give the model a bias towards frequent tokens, as a language has, with a context's own preferences on top.

    The architecture has no bias, so the first dimension becomes one: every token's embedding holds the same value
    there. Without it all tokens are equally likely, an answer never ends, and neither does a string in guided JSON.
    """
    embedding, head = model.model.embed_tokens.weight, model.lm_head.weight
    embedding[:, 0] = embedding[:, 1:].norm(dim=1).mean()
    sample = torch.randint(3, len(log_frequencies), (4, 64))
    states = model.model(sample).last_hidden_state.flatten(0, 1)
    head.normal_()
    head[:, 1:] /= states[:, 1:].norm(dim=1).mean()  # each context shifts a token's logit by about 1
    head[:, 0] = log_frequencies / states[:, 0].mean()
