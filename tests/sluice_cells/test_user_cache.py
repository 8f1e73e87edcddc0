"""The user's cache: whose it may be."""

from pathlib import Path

import pytest

from sluice_cells.user_cache import obstacle, user_cache


def test_our_folder_that_was_open_to_the_group_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SLUICE_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    user_cache().mkdir()
    user_cache().chmod(0o775)  # as programs make it under the umask 002
    assert obstacle(user_cache() / "numba") is None
    assert user_cache().stat().st_mode & 0o777 == 0o755


def test_a_folder_that_is_shared_on_purpose_is_left_alone_and_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_CACHE", str(tmp_path / "shared"))
    user_cache().mkdir()
    user_cache().chmod(0o775)
    assert "SLUICE_CACHE" in (obstacle(user_cache() / "numba") or "")
    assert user_cache().stat().st_mode & 0o777 == 0o775
