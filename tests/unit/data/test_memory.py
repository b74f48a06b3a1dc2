"""How much memory there is, and how much a dataset takes."""

from __future__ import annotations

import subprocess
import sys

import pandas as pd
import pytest

from pytest_behave.data import memory
from pytest_behave.data.memory import estimated_bytes, free_bytes, memory_of
from pytest_behave.errors import DataError


@pytest.mark.parametrize(
    ("text", "size"),
    [("100B", 100), ("2GB", 2 * 10**9), ("1.5 mb", 1_500_000), ("3k", 3_000), (" 1TiB ", 2**40), ("0.5Ki", 512)],
)
def test_sizes_are_read_as_people_write_them(text, size):
    assert memory_of(text) == size


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (("", "much", "10XB", "-5MB", "1e9", "2 G B", "GB", "5iB"), "is not a size: write 500MB or 2GB, for example"),
        (("50", "0", " 1.5 "), "could be bytes or anything: give a unit, such as 500MB"),
        (("0MB", "0.0001kB"), "is no memory at all: write 500MB or 2GB, for example"),
    ],
)
def test_anything_else_is_refused(texts, message):
    for text in texts:
        with pytest.raises(DataError, match=message):
            memory_of(text)


def test_larger_files_take_more_whatever_their_format(tmp_path):
    sizes = []
    for rows in (1_000, 10_000):
        frame = pd.DataFrame({"id": range(rows), "text": "word " * 10})
        frame.to_csv(tmp_path / "d.csv", index=False)
        frame.to_csv(tmp_path / "d.csv.gz", index=False)
        frame.to_parquet(tmp_path / "d.parquet")
        sizes.append([estimated_bytes(tmp_path / name) for name in ("d.csv", "d.csv.gz", "d.parquet")])
        assert sizes[-1][0] > frame.memory_usage(deep=True).sum()
        assert sizes[-1][2] > 600 * rows
    assert all(large > 5 * small for small, large in zip(*sizes, strict=True))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="read from /proc")
def test_what_is_free_is_the_least_of_all_limits(tmp_path, monkeypatch):
    alone = free_bytes()
    assert alone is not None
    assert alone > 0
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    (tmp_path / "memory.max").write_text("5000000\n")
    (tmp_path / "memory.current").write_text("2000000\n")
    assert free_bytes() == 3_000_000
    (tmp_path / "memory.current").write_text("9000000\n")
    assert free_bytes() == 0
    (tmp_path / "memory.max").write_text("max\n")
    assert free_bytes() > 3_000_000


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits on memory are kept on Linux only")
def test_a_limit_of_the_process_counts_what_it_has_taken_already():
    program = (
        "import resource\n"
        "from pytest_behave.data.memory import free_bytes\n"
        "limit = 2 * 2**30\n"
        "resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))\n"
        "before = free_bytes()\n"
        "block = bytearray(300 * 2**20)\n"
        "print(before, before - free_bytes())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    before, taken = map(int, done.stdout.split())
    assert before < 2 * 2**30
    assert taken == pytest.approx(300 * 2**20, rel=0.1)
