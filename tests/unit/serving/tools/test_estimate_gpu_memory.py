"""The command: what it prints, its JSON, its exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from serving.tools.command_line import run
from serving.tools.estimate_gpu_memory import PROG, main

MISTRAL = "mistral-7b-instruct-v0.3"
CONFIG: dict[str, Any] = {
    "model_type": "mistral", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "vocab_size": 512,
    "num_attention_heads": 4, "num_key_value_heads": 2, "torch_dtype": "bfloat16", "max_position_embeddings": 8192,
}  # fmt: skip


def estimate(*arguments: str) -> int:
    try:
        return run(main, prog=PROG, arguments=arguments)
    except SystemExit as stop:  # argparse's own way out
        return stop.code if isinstance(stop.code, int) else 1


def document(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> Any:
    assert estimate(*arguments, "--json", "-") == code
    return json.loads(capsys.readouterr().out)


def test_mistral_on_an_a10g_without_any_download(capsys: pytest.CaptureFixture[str]) -> None:
    assert estimate(f"mistralai/{MISTRAL.title()}") == 0
    report = capsys.readouterr().out
    assert "128 KiB per token, blocks of 16 tokens in 2 MiB" in report
    assert "512 blocks, 1.00 GiB" in report
    assert "Smallest that holds the model and 1 x 8192 tokens: A10G, with room for 3 such sequences." in report


def test_the_document_holds_what_the_report_says(capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, MISTRAL, "--gpu", "a10g", "--gpu", "H100-80GB")
    assert found["kv_bytes_per_token"] == 128 * 1024
    assert found["kv_bytes_per_block"] == 2 * 2**20
    assert [gpu["gpu"] for gpu in found["gpus"]] == ["A10G", "H100-80GB"]
    for gpu in found["gpus"]:
        used = found["weight_bytes"] + found["estimated_overhead_bytes"]["total"] + gpu["kv_cache_bytes"]
        assert used == int(gpu["memory_bytes"] * 0.85)
        assert gpu["kv_blocks"] == gpu["kv_cache_bytes"] // found["kv_bytes_per_block"]
        assert gpu["sequences"] == gpu["kv_blocks"] // found["kv_blocks_per_sequence"]
    assert found["recommended"]["gpu"] == "A10G"


def test_activations_are_near_what_vllm_reported(capsys: pytest.CaptureFixture[str]) -> None:
    """1.26 GiB for Llama 3 8B with 8,192 tokens in a step, on an H100: vllm-project/vllm, pull request 10511."""
    found = document(capsys, "llama-3.1-8b-instruct", "--max-num-batched-tokens", "8192", "--gpu", "h100-80gb")
    assert found["estimated_overhead_bytes"]["activations"] / 2**30 == pytest.approx(1.26, rel=0.1)
    assert found["weight_bytes"] / 2**30 == pytest.approx(14.96, rel=0.001)


def test_halves_of_what_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    plain = document(capsys, MISTRAL)
    fp8 = document(capsys, MISTRAL, "--quantization", "fp8", "--kv-cache-dtype", "fp8")
    assert fp8["kv_bytes_per_token"] == plain["kv_bytes_per_token"] / 2
    assert fp8["weight_bytes"] / plain["weight_bytes"] == pytest.approx(0.52, abs=0.01)
    assert fp8["gpus"][1]["sequences"] > 2 * plain["gpus"][1]["sequences"]


def test_a_model_too_large_for_one_gpu_gets_several(capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "llama-3.1-70b-instruct", "--gpu", "A100-80GB", "--sequences", "16")
    assert found["gpus"][0]["fits"] is False
    assert (found["recommended"]["gpu"], found["recommended"]["tensor_parallel_size"]) == ("A100-80GB", 4)


def test_float32_is_served_in_16_bits_unless_it_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({**CONFIG, "torch_dtype": "float32"}))
    (tmp_path / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {"total_size": 1_000_000}, "weight_map": {"a": "model-1.safetensors"}})
    )
    assert document(capsys, str(tmp_path))["weight_bytes"] == 500_000
    assert document(capsys, str(tmp_path), "--dtype", "float32")["weight_bytes"] == 1_000_000


def test_a_t4_has_no_bfloat16(capsys: pytest.CaptureFixture[str]) -> None:
    awq = "mistral-7b-instruct-v0.2-awq"
    (gpu,) = document(capsys, awq, "--gpu", "T4", "--dtype", "bfloat16", code=1)["gpus"]
    assert gpu["problem"] == "has no bfloat16: take --dtype float16"
    assert document(capsys, awq, "--gpu", "T4")["recommended"]["gpu"] == "T4"
    # Nobody insists on bfloat16 here, so it is not in the way.
    (gpu,) = document(capsys, MISTRAL, "--quantization", "fp8", "--gpu", "T4")["gpus"]
    assert gpu["fits"]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--gpu-memory-gib", "12"], "the weights leave no room"),
        (["--gpu-memory-gib", "18"], "not one sequence of 8192 tokens"),
        (["--gpu", "A10G", "--sequences", "20", "--tensor-parallel-size", "1"], "not 20 sequences"),
    ],
)
def test_why_it_does_not_fit(arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str]) -> None:
    (gpu,) = document(capsys, MISTRAL, *arguments, "--tensor-parallel-size", "1", code=1)["gpus"]
    assert gpu["problem"] == problem


def test_a_folder_without_weights_is_worked_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    found = document(capsys, str(tmp_path))
    assert found["kv_bytes_per_token"] == 2 * 2 * 2 * 16 * 2
    assert found["weight_source"] == "the shapes that config.json implies"
    assert document(capsys, str(tmp_path / "config.json"))["weight_bytes"] == found["weight_bytes"]


@pytest.mark.parametrize("section", [{"text_config": CONFIG, "torch_dtype": "float16"}])
def test_the_language_part_of_a_model_that_sees(
    tmp_path: Path, section: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "mistral3", **section}))
    assert estimate(str(tmp_path)) == 0
    assert "Note: Encoders of images or sound" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_hidden_layers": None}, "'num_hidden_layers' is missing"),
        ({"num_hidden_layers": "32"}, "'num_hidden_layers' has to be a whole number from 1 on, not '32'"),
        ({"vocab_size": 0}, "'vocab_size' has to be a whole number from 1 on, not 0"),
        ({"num_key_value_heads": 3}, "'num_attention_heads' (4) is no multiple of 'num_key_value_heads' (3)"),
        ({"torch_dtype": "int8"}, "'dtype' is 'int8'; known are float32, float16, bfloat16"),
        ({"quantization_config": {"quant_method": "awq", "bits": 5}}, "5 bits; 2, 3, 4 and 8 are possible"),
        ({"quantization_config": {"quant_method": "awq", "group_size": 0}}, "group size 0"),
        ({"quantization_config": {"quant_method": "mxfp4"}}, "none that can be estimated without the safetensors"),
        ({"model_type": "rwkv"}, "put its safetensors files or their index beside it"),
    ],
)
def test_a_config_that_cannot_be_used_is_one_sentence(
    tmp_path: Path, change: dict[str, Any], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({**CONFIG, **change}))
    assert estimate(str(tmp_path)) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert (said.out, said.err.count("\n")) == ("", 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name a model"),
        (["no-such-model"], "known are deepseek-v3"),
        ([MISTRAL, "--gpu", "V900"], "--gpu V900 is not known; known are T4"),
        ([MISTRAL, "--tensor-parallel-size", "3"], "3 does not divide the model's 32 attention heads"),
        ([MISTRAL, "--block-size", "0"], "argument --block-size: 0 is not a whole number from 1 on"),
        ([MISTRAL, "--gpu-memory-utilization", "1.2"], "1.2 is not a number above 0 and up to 1"),
        ([MISTRAL, "--gpu-memory-gib", "nan"], "nan is not a number above 0"),
        ([MISTRAL, "--json", "/no/such/folder/x.json"], "cannot write --json"),
        (["/"], "the folder has no config.json"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert estimate(*arguments) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_what_is_known_by_name_can_be_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert estimate("--list") == 0
    said = capsys.readouterr().out
    assert MISTRAL in said
    assert "A10G" in said
