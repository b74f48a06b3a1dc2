"""A dataset read in parts is the dataset that is read at once."""

from __future__ import annotations

from functools import reduce

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_behave.data import parts
from pytest_behave.data.columns import canonical_text, column_of
from pytest_behave.data.readers import read_dataset
from pytest_behave.errors import DataError
from pytest_behave.records import DatasetSpec

STEADY = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
CELLS = {
    "whole": st.integers(-9, 9).map(str),
    "real": st.floats(-9, 9).map(repr),
    "truth": st.sampled_from(["True", "False"]),
    "text": st.sampled_from(["a", "b c", "NA", "1e5x", "007"]),
    "nothing": st.just(""),
}
A_COLUMN = st.lists(st.sampled_from(list(CELLS)), min_size=1, max_size=2).flatmap(
    lambda kinds: st.lists(st.one_of(*(CELLS[kind] for kind in kinds)), min_size=12, max_size=12)
)


def read_in_parts(spec):
    """Return all rows, read twice: once to see what the columns hold."""
    found = parts.parts_of(spec)
    dtypes = reduce(
        parts.together, (parts.dtypes_of(frame) for part in found for frame in parts.blocks(part, spec, {}))
    )
    return [frame for part in found for frame in parts.blocks(part, spec, dtypes)]


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(parts, "ROWS", 5)


@pytest.mark.usefixtures("small_blocks")
@STEADY
@given(st.lists(A_COLUMN, min_size=1, max_size=3))
def test_every_cell_of_a_csv_file_means_the_same_in_parts(tmp_path, columns):
    path = tmp_path / "d.csv"
    names = [f"c{number}" for number in range(len(columns))]
    rows = [",".join([str(row), *cells]) for row, cells in enumerate(zip(*columns, strict=True))]
    path.write_text("\n".join([",".join(["row", *names]), *rows, ""]), encoding="utf-8")
    spec = DatasetSpec(str(path))
    whole, frames = read_dataset(spec, lambda _name: None), read_in_parts(spec)
    assert [len(frame) for frame in frames] == [5, 5, 2]
    start = 0
    for frame in frames:
        for name in names:
            found, expected = column_of(frame[name]), column_of(whole[name])
            here = slice(start, start + len(frame))
            assert found.missing.tolist() == expected.missing[here].tolist()
            present = ~found.missing
            assert canonical_text(found)[present].tolist() == canonical_text(expected)[here][present].tolist()
            assert found.kind in (expected.kind, "empty")
        start += len(frame)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet", "csv.gz", "tsv"])
def test_every_format_and_globs_of_them_can_be_read_in_parts(tmp_path, ending):
    frame = pd.DataFrame(
        {"id": range(17), "text": ["x\ny", 'say "no"', "", "z,"] * 4 + ["end"], "half": np.arange(17) / 2}
    )
    for number, part in enumerate((frame[:13], frame[13:])):
        path = tmp_path / f"{number}.{ending}"
        if ending == "parquet":
            part.to_parquet(path, row_group_size=3)
        elif ending == "jsonl":
            part.to_json(path, orient="records", lines=True)
        else:
            part.to_csv(path, index=False, sep="\t" if ending == "tsv" else ",")
    spec = DatasetSpec(str(tmp_path / f"*.{ending}"))
    found = read_in_parts(spec)
    assert max(map(len, found)) <= 5
    together = pd.concat(found, ignore_index=True)
    pd.testing.assert_frame_equal(together, read_dataset(spec, lambda _name: None), check_dtype=False)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_fewer_rows_are_read_at_once_where_they_are_wide(tmp_path, monkeypatch, ending):
    frame = pd.DataFrame({"text": [f"{row:0100}" for row in range(60)]})
    path = tmp_path / f"d.{ending}"
    frame.to_csv(path, index=False) if ending == "csv" else frame.to_parquet(path)
    monkeypatch.setattr(parts, "BYTES", 2_000)
    sizes = [len(block) for block in read_in_parts(DatasetSpec(str(path)))]
    assert sum(sizes) == 60
    assert 10 <= max(sizes) <= 25


def test_row_groups_are_read_together_as_far_as_they_are_small(tmp_path, monkeypatch):
    path = tmp_path / "d.parquet"
    pd.DataFrame({"x": range(20)}).to_parquet(path, row_group_size=3)
    monkeypatch.setattr(parts, "ROWS", 7)
    assert [part.row_groups for part in parts.parts_of(DatasetSpec(str(path)))] == [(0, 1), (2, 3), (4, 5), (6,)]
    monkeypatch.setattr(parts, "ROWS", 2)
    assert [len(part.row_groups) for part in parts.parts_of(DatasetSpec(str(path)))] == [1] * 7


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("a,b\n1,2\n1,2\n1,2\n1,2\n1,2\n1,2\n1,2,3\n", "Expected 2 fields in line 8, saw 3"),
        ("a,a\n1,2\n", "has more than one column 'a'"),
        ("", "is empty"),
    ],
)
def test_a_broken_file_is_named(tmp_path, content, sentence):
    path = tmp_path / "d.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=sentence):
        read_in_parts(DatasetSpec(str(path)))
