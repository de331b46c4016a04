from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from scripts.embedded.serve_config_file import ServeConfigFile
from scripts.embedded.service import ServiceError

if TYPE_CHECKING:
    from pathlib import Path


def config_file(folder: Path, program: str) -> ServeConfigFile:
    return ServeConfigFile(path=folder / "serve.yaml", command=[sys.executable, "-c", program], environment=os.environ)


def test_it_is_written_once(tmp_path: Path) -> None:
    config = config_file(tmp_path, f"open({str(tmp_path / 'runs')!r}, 'a').write('.'); print('applications: [1]')")
    for _ in range(2):
        config.write_once()
        assert config.read() == {"applications": [1]}
    assert (tmp_path / "runs").read_text() == "."


def test_what_the_command_says_is_the_error(tmp_path: Path) -> None:
    config = config_file(tmp_path, "raise SystemExit('serve_config: models.yaml:2: kind is missing')")
    with pytest.raises(ServiceError, match=r"nothing to serve: serve_config: models\.yaml:2: kind is missing"):
        config.write_once()
