"""What `python -m serving.vllm_server` says before it touches vLLM, which is not installed here."""

from __future__ import annotations

import shlex
import socket
from pathlib import Path

import pytest

from serving.vllm_config import preset
from serving.vllm_server import main


@pytest.fixture
def model(tmp_path: Path) -> str:
    (tmp_path / "config.json").write_text("{}")
    return str(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--model", "/nowhere"],
            "there is no directory /nowhere; `python -m serving.tools.tiny_model /nowhere` makes",
        ),
        (["--model", "./a"], "there is no directory ./a"),
        (["--model", "a/b/c"], "there is no directory a/b/c"),
        (["--set", "max_num_seqs=0"], "max_num_seqs must be a whole number from 1 to 8192 sequences, not 0"),
        (["--set", "dtype=int8"], "dtype must be one of auto, bfloat16, float16, float32, not 'int8'"),
        (["--set", "max_seqs=1"], "There is no field 'max_seqs': did you mean max_num_seqs?"),
        (["--set", "max_num_seqs"], "--set max_num_seqs: write FIELD=VALUE"),
    ],
)
def test_a_wrong_setting_is_one_sentence(arguments: list[str], message: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--preset", "cpu-tiny", *arguments])
    assert str(ended.value).startswith(f"vllm_server: {message}")
    assert "\n" not in str(ended.value)


def test_a_directory_without_a_model_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--preset", "cpu-tiny", "--model", str(tmp_path)])
    assert str(ended.value) == (
        f"vllm_server: {tmp_path} holds no model: there is neither a config.json nor a params.json in it"
    )


def test_a_taken_port_is_found_before_anything_is_loaded(model: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SystemExit) as ended:
            main(["--preset", "cpu-tiny", "--model", model, "--port", str(port)])
    assert str(ended.value).startswith(f"vllm_server: cannot listen on 127.0.0.1:{port}: ")


def test_a_port_that_is_none_is_one_sentence(model: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--preset", "cpu-tiny", "--model", model, "--port", "65536"])
    assert str(ended.value).startswith("vllm_server: cannot listen on 127.0.0.1:65536: ")


def test_without_vllm_it_says_what_to_install(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*preset("cpu-tiny").environment(), "PYTHONWARNINGS"):
        monkeypatch.setenv(name, "")
    with pytest.raises(SystemExit) as ended:
        main(["--preset", "cpu-tiny", "--model", model, "--port", "0"])
    assert str(ended.value) == (
        "vllm_server: vllm is not installed: run `scripts/venv.sh vllm` and use .venv-vllm/bin/python"
    )


def test_it_prints_the_command_that_it_would_run(capsys: pytest.CaptureFixture[str]) -> None:
    fields = ["--set", "max_num_seqs=8", "--set", "dtype=auto"]
    main(["--preset", "mistral-7b-a10g", "--served-model-name", "a", "b", *fields, "--print", "--port", "9000"])
    command = shlex.split(capsys.readouterr().out)
    chosen = preset("mistral-7b-a10g", served_model_names=["a", "b"], max_num_seqs=8, dtype="auto")
    assert command == ["vllm", "serve", *chosen.arguments(), "--host", "127.0.0.1", "--port", "9000"]
