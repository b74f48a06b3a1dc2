"""Every format gives the rows that stand in the file: only empty cells are missing, and nothing is lost in silence."""

from __future__ import annotations

import bz2
import codecs
import contextlib
import gzip
import json
import lzma
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_behave.data.readers import files_of, is_reference, read_dataset
from pytest_behave.errors import DataError
from pytest_behave.records import DatasetSpec

STEADY = settings(max_examples=60)
WORDS = ["NA", "None", "nan", "NaN", "No", "null", "NULL", "N/A", "#N/A", "n/a", "-", "inf?", "x"]


class Folder:
    """A folder of data files."""

    def __init__(self, path):
        self.path = path

    def write(self, name, content):
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def read(self, name, content=None, **options):
        if content is not None:
            self.write(name, content)
        return read_dataset(DatasetSpec(str(self.path / name), **options), nothing_to_load)

    def refusal(self, name, content=None, **options):
        with pytest.raises(DataError) as caught:
            self.read(name, content, **options)
        return str(caught.value).replace(f"{self.path}/", "")


def nothing_to_load(reference):
    raise AssertionError(f"{reference} was loaded, but the dataset is a file")


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


def cells(frame):
    """Return the columns as lists, None where a cell is missing."""
    return {
        name: [None if missing else value for value, missing in zip(column.tolist(), column.isna(), strict=True)]
        for name, column in frame.items()
    }


# --- what the cells are -------------------------------------------------------------------------------------------


def as_csv(words):
    return "n,word\n" + "".join(f"{number},{word}\n" for number, word in enumerate(words))


def as_tsv(words):
    return as_csv(words).replace(",", "\t")


def as_json_lines(words):
    return "".join(json.dumps({"n": number, "word": word}) + "\n" for number, word in enumerate(words))


FORMATS = {"a.csv": as_csv, "a.txt": as_csv, "a.tsv": as_tsv, "a.jsonl": as_json_lines, "a.ndjson": as_json_lines}


@pytest.mark.parametrize("name", FORMATS)
def test_words_that_look_like_nothing_are_values(folder, name):
    assert cells(folder.read(name, FORMATS[name](WORDS)))["word"] == WORDS


@pytest.mark.parametrize("name", FORMATS)
def test_words_that_are_declared_as_missing_are_missing(folder, name):
    found = cells(folder.read(name, FORMATS[name](WORDS), na_values=("-", "N/A")))["word"]
    assert found == [None if word in ("-", "N/A") else word for word in WORDS]


def test_parquet_keeps_words_apart_from_nulls(folder):
    frame = pd.DataFrame({"word": [*WORDS, None, ""], "n": range(len(WORDS) + 2)})
    frame.to_parquet(folder.path / "a.parquet")
    assert cells(folder.read("a.parquet"))["word"] == [*WORDS, None, ""]
    assert cells(folder.read("a.parquet", na_values=("-", "")))["word"] == [
        None if word in ("-", "") else word for word in [*WORDS, None, ""]
    ]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (["1", "2"], [1, 2]),
        (["1", "", "2"], [1.0, None, 2.0]),
        (["1", "2", "nan"], ["1", "2", "nan"]),
        (["1", "2", "NA"], ["1", "2", "NA"]),
        (["1.5", "-2"], [1.5, -2.0]),
        (["0.1", "0.30000000000000004", "1e-300"], [0.1, 0.30000000000000004, 1e-300]),
        (["True", "False"], [True, False]),
        (["True", ""], [True, None]),
        (["yes", "no"], ["yes", "no"]),
        (["2027-03-01"], ["2027-03-01"]),
        (["9007199254740993"], [9007199254740993]),
        (["18446744073709551615", "1"], [18446744073709551615, 1]),
        (["inf", "-inf"], [float("inf"), float("-inf")]),
        (['"a, ""b""\nc"'], ['a, "b"\nc']),
        (['""', "x"], [None, "x"]),
        ([" a "], [" a "]),
    ],
)
def test_a_column_of_a_csv_file_is_what_all_its_cells_can_be(folder, written, read):
    found = cells(folder.read("a.csv", "a,b\n" + "".join(f"{cell},x\n" for cell in written)))["a"]
    assert found == read
    assert list(map(type, found)) == list(map(type, read))


@pytest.mark.parametrize(
    ("line", "read"),
    [
        ('{"a": 1}', 1),
        ('{"a": "1"}', "1"),
        ('{"a": 0.1}', 0.1),
        ('{"a": true}', True),
        ('{"a": null}', None),
        ("{}", None),
        ('{"a": ""}', ""),
        ('{"a": "2027-03-01"}', "2027-03-01"),
        ('{"a": 9007199254740993}', 9007199254740993),
        ('{"a": [1, 2]}', [1, 2]),
        ('{"a": {"x": 1}}', {"x": 1}),
        ('{"a": "x\\u2028\\ny"}', "x\u2028\ny"),
        ('{"a": "x\u2028y\u0085z"}', "x\u2028y\u0085z"),
    ],
)
def test_a_value_of_a_json_line_is_what_it_says(folder, line, read):
    (found,) = cells(folder.read("a.jsonl", f'{line[:-1]}{", " * (len(line) > 2)}"b": 1}}\n')).get("a", [None])
    assert found == read
    assert type(found) is type(read)


@pytest.mark.parametrize(
    "name", ["date", "modified", "created_at", "timestamp", "2027-03-01", "007", "1.50", "1e3", "True", " a ", "é", ""]
)
def test_a_column_of_json_lines_keeps_its_name_and_its_texts(folder, name):
    frame = folder.read("a.jsonl", json.dumps({name: "2027-03-01"}) + "\n" + json.dumps({name: "1600000000"}) + "\n")
    assert cells(frame) == {name: ["2027-03-01", "1600000000"]}


@STEADY
@given(numbers=st.lists(st.floats(allow_nan=False), min_size=1, max_size=20))
def test_any_number_of_a_csv_file_is_read_to_the_last_bit(shared_folder, numbers):
    content = "a,b\n" + "".join(f"{value!r},x\n" for value in numbers)
    assert shared_folder.read("a.csv", content)["a"].tolist() == numbers


CELLS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8).filter(str.strip)


@STEADY
@given(words=st.lists(CELLS.filter(lambda word: word.strip()[0] not in "0123456789.+-iItTfF"), min_size=1, max_size=5))
def test_any_texts_are_read_as_they_were_written(shared_folder, words):
    frame = pd.DataFrame({"word": words, "n": range(len(words))})
    frame.to_csv(shared_folder.path / "a.csv", index=False)
    frame.to_csv(shared_folder.path / "a.tsv", index=False, sep="\t")
    frame.to_parquet(shared_folder.path / "a.parquet")
    (shared_folder.path / "a.jsonl").write_text(as_json_lines(words), encoding="utf-8")
    for name in ("a.csv", "a.tsv", "a.parquet", "a.jsonl"):
        assert shared_folder.read(name)["word"].tolist() == words


@pytest.fixture(scope="module")
def shared_folder(tmp_path_factory):
    return Folder(tmp_path_factory.mktemp("data"))


# --- encodings, delimiters, line ends, compression ----------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "cp1252", "utf-16", "utf-8-sig"])
@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl"])
def test_a_file_is_read_in_its_encoding(folder, name, encoding):
    content = FORMATS[name](["é", "ü"]).replace("\\u00e9", "é").replace("\\u00fc", "ü").encode(encoding)
    assert cells(folder.read(name, content, encoding=encoding)) == {"n": [0, 1], "word": ["é", "ü"]}


@pytest.mark.parametrize("name", FORMATS)
def test_a_byte_order_mark_is_no_part_of_the_first_name(folder, name):
    content = codecs.BOM_UTF8 + FORMATS[name](["x"]).encode()
    assert cells(folder.read(name, content)) == {"n": [0], "word": ["x"]}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("newline", ["\r\n", "\n\n", "\r"])
def test_line_ends_and_blank_lines_change_nothing(folder, name, newline):
    if newline == "\r" and "n" in name[-3:]:
        newline = "\r\n\n"  # a lone carriage return is white space in JSON
    assert cells(folder.read(name, FORMATS[name](["x", "y"]).replace("\n", newline)))["word"] == ["x", "y"]


@pytest.mark.parametrize("delimiter", [";", "|", "\t", r"\t", " ", "||", "::", ".*", "§", r"\s+"])
def test_any_delimiter_is_taken_as_it_is(folder, delimiter):
    written = {r"\t": "\t", r"\s+": "  "}.get(delimiter, delimiter)
    content = as_csv(["x", "y"]).replace(",", written)
    assert cells(folder.read("a.csv", content, delimiter=delimiter)) == {"n": [0, 1], "word": ["x", "y"]}
    assert cells(folder.read("a.tsv", content, delimiter=delimiter)) == {"n": [0, 1], "word": ["x", "y"]}


COMPRESSED = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}


@pytest.mark.parametrize("ending", COMPRESSED)
@pytest.mark.parametrize("name", FORMATS)
def test_text_may_be_compressed(folder, name, ending):
    content = COMPRESSED[ending](FORMATS[name](["x", "y"]).encode())
    assert cells(folder.read(name + ending, content))["word"] == ["x", "y"]


def test_the_case_of_an_ending_does_not_matter(folder):
    assert cells(folder.read("A.CSV", as_csv(["x"])))["word"] == ["x"]


# --- parts and functions ------------------------------------------------------------------------------------------


def test_the_files_of_a_glob_are_parts_of_one_table_in_the_order_of_their_names(folder):
    folder.write("part-2.csv", as_csv(["c"]))
    folder.write("part-1.csv", as_csv(["a", "b"]))
    folder.write("part-1.txt", as_csv(["no part"]))
    frame = folder.read("part-*.csv")
    assert cells(frame) == {"n": [0, 1, 0], "word": ["a", "b", "c"]}
    assert frame.index.tolist() == [0, 1, 2]


def test_parts_may_lie_in_folders_and_differ_in_format(folder):
    folder.write("parts/x/b.jsonl", as_json_lines(["b"]))
    folder.write("parts/a.csv", as_csv(["a"]))
    assert cells(folder.read("parts/**/*.*"))["word"] == ["a", "b"]


def test_parts_in_which_a_column_has_different_kinds_keep_the_kind_of_each_cell(folder):
    folder.write("1.csv", "code,x\n1,1\n2,1\n")
    folder.write("2.csv", "code,x\nA,1\n")
    assert cells(folder.read("*.csv"))["code"] == [1, 2, "A"]


def test_a_name_with_the_signs_of_a_glob_is_a_name_first(folder):
    assert cells(folder.read("a[1].csv", as_csv(["x"])))["word"] == ["x"]


def test_a_function_gives_a_data_frame():
    spec = DatasetSpec("my.data:rows")
    frame = read_dataset(spec, {"my.data:rows": lambda: pd.DataFrame({"a": [1, 2], 3: [4, 5]}, index=[7, 7])}.get)
    assert cells(frame) == {"a": [1, 2], "3": [4, 5]}
    assert frame.index.tolist() == [0, 1]


@pytest.mark.parametrize("make", [lambda frame: frame.set_index("id"), lambda frame: frame.set_index(["id", "k"])])
def test_a_named_index_becomes_columns(folder, make):
    frame = pd.DataFrame({"id": ["x", "y"], "k": [1, 2], "v": [3, 4]})
    make(frame).to_parquet(folder.path / "a.parquet")
    found = folder.read("a.parquet")
    assert cells(found[["id", "k", "v"]]) == cells(frame)
    assert found.index.tolist() == [0, 1]


def raises():
    raise KeyError("nothing there")


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda: [1, 2], "my.data:rows gives list, not a pandas DataFrame"),
        (lambda: pd.DataFrame({"a": []}), "my.data:rows holds no rows"),
        (lambda: pd.DataFrame([[1, 2]], columns=["a", "a"]), "my.data:rows has more than one column 'a'"),
        (lambda: pd.DataFrame([[1, 2]], columns=[1, "1"]), "my.data:rows has more than one column '1'"),
        (raises, "my.data:rows failed: KeyError: 'nothing there'"),
    ],
)
def test_a_function_that_gives_no_table_is_refused(function, message):
    with pytest.raises(DataError, match=re.escape(message)):
        read_dataset(DatasetSpec("my.data:rows"), lambda _reference: function)


def test_a_plugin_may_read_any_source_and_leave_others_alone(folder):
    path = folder.write("a.csv", as_csv(["x"]))

    def plugin(source, spec):
        return pd.DataFrame({"word": [spec.encoding]}) if source.startswith("table:") else None

    spec = DatasetSpec("table: loans", encoding="none")
    assert cells(read_dataset(spec, nothing_to_load, plugin)) == {"word": ["none"]}
    assert cells(read_dataset(DatasetSpec(str(path)), nothing_to_load, plugin))["word"] == ["x"]


@pytest.mark.parametrize("source", ["module:function", "a.b.c:f", "_a:_b", "é:ü"])
def test_a_reference_names_a_module_and_a_function(source):
    assert is_reference(source)


@pytest.mark.parametrize(
    "source", ["a.csv", "/a/b:c.csv", "a:b/c", ":f", "a:", "a b:c", "1a:b", "a:b:c", "C:\\rows.csv", ""]
)
def test_a_path_is_no_reference(source):
    assert not is_reference(source)


# --- what cannot be read ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "options", "message"),
    [
        ("a.csv", "", {}, "a.csv is empty"),
        ("a.csv", "\n\n", {}, "a.csv is empty"),
        ("a.csv", "a,b\n", {}, "a.csv holds no rows"),
        ("a.jsonl", "", {}, "a.jsonl holds no rows"),
        ("a.jsonl", "\n", {}, "a.jsonl holds no rows"),
        ("a.jsonl", "{}\n", {}, "a.jsonl holds no rows"),
        ("a.csv", "a,b\n1,2,3\n", {}, "a.csv has rows with more cells than its header has names"),
        ("a.csv", "a,b\n0,1,2\n1,3,4\n", {}, "a.csv has rows with more cells than its header has names"),
        ("a.csv", "a,b\n1,2\n3,4,5\n", {}, "a.csv cannot be read as csv: "),
        ("a.csv", "a::b\n1::2::3\n", {"delimiter": "::"}, "a.csv has rows with more cells than its header has names"),
        ("a.csv", "a,b,a\n1,2,3\n", {}, "a.csv has more than one column 'a'"),
        ("a.csv", 'a\n"x\n', {}, "a.csv cannot be read as csv: "),
        ("a.csv", b"a\n\xe9\n", {}, "a.csv cannot be read as csv: "),
        ("a.csv", "a\nx\n", {"encoding": "utf-99"}, "a.csv cannot be read as csv: "),
        ("a.csv", "a\nx\n", {"encoding": "rot13"}, "a.csv cannot be read as csv: "),
        ("a.csv", "a\nx\n", {"delimiter": "\n"}, "a.csv cannot be read as csv: "),
        ("a.csv.gz", b"a\nx\n", {}, "a.csv.gz cannot be read as csv: "),
        ("a.jsonl", '{"a": 1}\n{"a": \n', {}, "a.jsonl cannot be read as jsonl: "),
        ("a.jsonl", '{"a": 1},\n{"a": 2}\n', {}, "a.jsonl cannot be read as jsonl: "),
        ("a.jsonl", '{\n"a": 1\n}\n', {}, "a.jsonl cannot be read as jsonl: "),
        ("a.jsonl", '[{"a": 1}]\n', {}, "a.jsonl cannot be read as jsonl: every line must be a JSON object"),
        ("a.jsonl", "[1, 2]\n", {}, "a.jsonl cannot be read as jsonl: every line must be a JSON object"),
        ("a.jsonl", "5\n", {}, "a.jsonl cannot be read as jsonl: every line must be a JSON object"),
        ("a.jsonl", "null\n", {}, "a.jsonl cannot be read as jsonl: every line must be a JSON object"),
        ("a.jsonl", '{"a": 1}\n5\n', {}, "a.jsonl cannot be read as jsonl: "),
        ("a.jsonl", b'{"a": "\xe9"}\n', {}, "a.jsonl cannot be read as jsonl: "),
        ("a.parquet", b"", {}, "a.parquet cannot be read as parquet: "),
        ("a.parquet", b"PAR1 nothing PAR1", {}, "a.parquet cannot be read as parquet: "),
        ("a.parquet", as_csv(["x"]).encode(), {}, "a.parquet cannot be read as parquet: "),
        ("a.xlsx", b"x", {}, "a.xlsx has an ending that is not known: use .csv, .tsv, .jsonl or .parquet"),
        ("a", b"x", {}, "a has an ending that is not known: use .csv, .tsv, .jsonl or .parquet"),
        ("a.gz", b"x", {}, "a.gz has an ending that is not known: use .csv, .tsv, .jsonl or .parquet"),
    ],
)
def test_a_bad_file_is_refused_with_its_name_and_the_reason(folder, name, content, options, message):
    refusal = folder.refusal(name, content, **options)
    assert refusal.startswith(message)
    assert "\n" not in refusal


def test_a_wrong_encoding_is_refused_with_what_to_do(folder):
    assert folder.refusal("a.csv", b"a\n\xe9\n").endswith("; set `encoding:` (for example latin-1)")


def test_a_comma_at_the_end_of_every_line_shifts_nothing(folder):
    assert cells(folder.read("a.csv", "a,b\n1,2,\n3,4,\n")) == {"a": [1, 3], "b": [2, 4]}


def test_columns_without_a_name_are_no_duplicates(folder):
    assert cells(folder.read("a.csv", ",a,\n0,1,2\n"))["a"] == [1]


@pytest.mark.parametrize("ending", COMPRESSED)
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
@pytest.mark.parametrize("damage", ["cut", "changed"])
def test_a_damaged_archive_is_refused_and_never_read_in_part(folder, name, ending, damage):
    random = np.random.default_rng(1)
    content = COMPRESSED[ending](FORMATS[name](random.integers(0, 2**60, 3_000).astype(str)).encode())
    middle = len(content) // 2
    damaged = content[:middle] if damage == "cut" else content[:middle] + b"\x55\xaa\x55" + content[middle + 3 :]
    assert " cannot be read as " in folder.refusal(name + ending, damaged)


@settings(STEADY, max_examples=60)
@given(cut=st.integers(0, 400), junk=st.binary(max_size=8))
def test_a_damaged_parquet_file_is_read_or_refused(shared_folder, cut, junk):
    whole = shared_folder.path / "whole.parquet"
    if not whole.exists():
        pd.DataFrame({"a": ["x", None], "b": [1, 2]}).to_parquet(whole)
    content = whole.read_bytes()
    with contextlib.suppress(DataError):
        assert len(shared_folder.read("damaged.parquet", content[:cut] + junk + content[cut + len(junk) :]))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("row.csv", "there is no file row.csv - did you mean 'rows.csv'?"),
        ("no/rows.csv", "there is no file no/rows.csv: the folder no does not exist"),
        ("*.parquet", "there is no file *.parquet (known: rows.csv)"),
        ("\0.csv", "there is no file \0.csv - did you mean 'rows.csv'?"),
        ("x" * 5_000 + ".csv", f"there is no file {'x' * 5_000}.csv (known: rows.csv)"),
    ],
)
def test_a_file_that_is_not_there_is_named_with_the_nearest(folder, name, message):
    folder.write("rows.csv", "a\n1\n")
    assert folder.refusal(name).replace(str(folder.path / "no"), "no") == message


def test_a_folder_is_no_table(folder):
    folder.write("rows.csv/x", "")
    assert folder.refusal("rows.csv").startswith("rows.csv cannot be read as csv: ")
    folder.write("rows/x", "")
    assert folder.refusal("rows") == "rows is a folder: name its files by a glob, such as rows/*.parquet"


def test_files_are_found_in_the_order_of_their_names(folder):
    for name in ("b.csv", "a.csv", "c.csv"):
        folder.write(name, "")
    assert [path.name for path in files_of(str(folder.path / "*.csv"))] == ["a.csv", "b.csv", "c.csv"]
