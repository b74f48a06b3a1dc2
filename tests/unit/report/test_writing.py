"""A report is written whole or not at all, wherever its path leads."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from pytest_behave.report.writing import write_report


def test_a_new_file_is_written_and_an_old_one_replaced(tmp_path):
    path = tmp_path / "o.md"
    for text in ("one\n", "two é \ud800\n"):
        write_report(path, text)
    assert path.read_text(encoding="utf-8") == "two é \\ud800\n"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_the_mode_of_a_file_is_kept(tmp_path, mode):
    path = tmp_path / "o.md"
    path.touch()
    path.chmod(mode)
    write_report(path, "x")
    assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_a_link_to_what_is_written(tmp_path, there):
    target, link, second = tmp_path / "o.md", tmp_path / "link", tmp_path / "second"
    if there:
        target.write_text("before")
    link.symlink_to(target)
    second.symlink_to(link)
    write_report(second, "x")
    assert second.is_symlink()
    assert link.is_symlink()
    assert target.read_text() == "x"


def test_what_was_there_stays_where_writing_fails_and_no_part_is_left(tmp_path, monkeypatch):
    path = tmp_path / "o.md"
    path.write_text("before")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        write_report(path, "x")
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_devices_are_written_to():
    write_report(Path("/dev/null"), "x")
    assert not Path("/dev/null").is_file()
    with pytest.raises(OSError, match="No space left"):
        write_report(Path("/dev/full"), "x")
