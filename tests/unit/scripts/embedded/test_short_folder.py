from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scripts.embedded.service import ServiceError
from scripts.embedded.short_folder import forget_short_name, short_name

if TYPE_CHECKING:
    from pathlib import Path


def test_a_long_folder_has_a_short_name_until_it_is_forgotten(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30) / "ray"
    link = short_name(folder)
    assert len(str(link)) <= 20
    (link / "note").write_text("here")
    assert (folder / "note").read_text() == "here"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert short_name(folder) == link
    forget_short_name(folder)
    assert not link.is_symlink()
    forget_short_name(folder)


def test_what_is_in_the_way_is_neither_used_nor_removed(tmp_path: Path) -> None:
    folder, other = tmp_path / "ray", tmp_path / "other"
    link = short_name(folder)
    link.unlink()
    link.symlink_to(other)
    try:
        with pytest.raises(ServiceError, match=f"{link} is in the way"):
            short_name(folder)
        forget_short_name(folder)
        assert link.is_symlink()
    finally:
        link.unlink()
