"""What the README shows in Python runs as it stands; its shell lines are run by scripts/check_quickstart.sh in CI."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.acceptance.conftest import Stack

README = Path(__file__).resolve().parents[2] / "README.md"


def test_the_python_example_answers_from_its_passages(stack: Stack) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    assert "http://localhost:8000/v1" in example
    program = example.replace("http://localhost:8000/v1", stack.base_url)
    result = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    assert "$12.4 million" in result.stdout
