"""What is no file to read is told as what it is; everything else is left to who reads it."""

from __future__ import annotations

import os

import pytest

from pytest_behave.errors import DataError
from pytest_behave.files import check_readable, is_pointer

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"


def test_a_pointer_says_what_to_run(tmp_path):
    path = tmp_path / "d.csv"
    path.write_text(POINTER)
    with pytest.raises(DataError, match="is a git LFS pointer: run `git lfs pull`"):
        check_readable(path, DataError)
    assert is_pointer(b"version https://hawser.github.com/spec/v1\n")


def test_a_pipe_and_a_device_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", type(tmp_path)("/dev/zero")):
        with pytest.raises(DataError, match=r"is a pipe or a device, not a file$"):
            check_readable(path, DataError)


@pytest.mark.parametrize("name", ["", "data.csv", "empty.csv", "nosuch.csv", "x" * 5_000])
def test_whatever_else_is_wrong_is_told_by_who_reads_it(tmp_path, name):
    (tmp_path / "data.csv").write_text("version,https\n")
    (tmp_path / "empty.csv").write_text("")
    check_readable(tmp_path / name, DataError)
