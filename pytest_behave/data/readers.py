"""Reading a dataset: csv, tsv, jsonl, parquet, globs of parts, or a function that returns a data frame.

Only empty cells and real nulls are missing; texts such as "NA" or "None" are values unless ``na_values`` says so.
"""

from __future__ import annotations

import glob
import os
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from pytest_behave.errors import BehaveError, DataError
from pytest_behave.files import check_readable
from pytest_behave.guard import guarded
from pytest_behave.records import DatasetSpec

PANDAS = tuple(int(part) for part in pd.__version__.split(".")[:2])
ReadPlugin = Callable[[str, DatasetSpec], "pd.DataFrame | None"]


def read_dataset(spec: DatasetSpec, load: Callable[[str], Any], plugin: ReadPlugin | None = None) -> pd.DataFrame:
    """Return all rows of the declared dataset; ``load`` finds a ``module:function``, ``plugin`` may read any source."""
    if plugin is not None:
        with guarded(DataError, f"the plugin asked for {spec.source} raised"):
            frame = plugin(spec.source, spec)
            if frame is not None:
                return checked_frame(frame, spec.source)
    if is_reference(spec.source):
        function = load(spec.source)
        with guarded(DataError, f"{spec.source} failed:"):
            return checked_frame(function(), spec.source)
    parts = [read_table(path, spec) for path in files_of(spec.source)]
    return checked_frame(parts[0] if len(parts) == 1 else pd.concat(parts, ignore_index=True), spec.source)


def is_reference(source: str) -> bool:
    """Tell ``module:function`` from a path."""
    module, colon, function = source.rpartition(":")
    return bool(colon) and function.isidentifier() and all(part.isidentifier() for part in module.split("."))


def files_of(source: str) -> list[Path]:
    """Return the files of a path or glob, sorted by name; raises DataError if there is none."""
    path = Path(source)
    if os.path.exists(source):  # noqa: PTH110 - unlike Path.exists, it takes a name that is too long
        return [path]
    found = sorted(Path(name) for name in glob.glob(source, recursive=True))  # noqa: PTH207 - absolute patterns
    if not found:
        near = _near_file(path)
        raise DataError(f"there is no file {source}{near}")
    return found


def _near_file(path: Path) -> str:
    from pytest_behave.errors import did_you_mean

    if not path.parent.is_dir():
        return f": the folder {path.parent} does not exist"
    return did_you_mean(path.name, (entry.name for entry in path.parent.iterdir() if entry.is_file()))


def read_table(path: Path, spec: DatasetSpec) -> pd.DataFrame:
    """Return one csv, tsv, jsonl or parquet file (text also compressed: .gz, .bz2, .xz, .zst) as a data frame."""
    kind = format_of(path)
    with reading(path):
        if kind == "parquet":
            return without_texts(pd.read_parquet(path), spec.na_values)
        if kind == "jsonl":
            return without_texts(_whole_lines(pd.read_json(path, **_json_options(spec)), path), spec.na_values)
        with _no_shifted_cells(path):
            frame: pd.DataFrame = pd.read_csv(path, **_csv_options(path, spec))
        return frame


def text_blocks(path: Path, spec: DatasetSpec, rows: int, dtypes: Mapping[str, str]) -> Iterator[pd.DataFrame]:
    """Yield a file of text some rows at a time, columns of csv files by ``dtypes`` where these say one."""
    with reading(path):
        if format_of(path) == "jsonl":
            with pd.read_json(path, chunksize=rows, **_json_options(spec)) as lines:
                for frame in lines:
                    yield without_texts(_whole_lines(frame, path), spec.na_values)
            return
        with pd.read_csv(path, chunksize=rows, dtype=dict(dtypes), **_csv_options(path, spec)) as cells:
            while True:
                with _no_shifted_cells(path):
                    frame = next(cells, None)
                if frame is None:
                    return
                yield frame


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what a broken file raises into a DataError that names it."""
    check_readable(path, DataError)
    try:
        yield
    except pd.errors.EmptyDataError:
        raise DataError(f"{path} is empty") from None
    except BehaveError:
        raise
    except Exception as error:  # up to pandas, pyarrow and the decompressors
        detail = (str(error).strip() or type(error).__name__).split("\n")[0]
        hint = "; set `encoding:` (for example latin-1)" if isinstance(error, UnicodeError) else ""
        raise DataError(f"{path} cannot be read as {format_of(path)}: {detail}{hint}") from error


def _csv_options(path: Path, spec: DatasetSpec) -> dict[str, Any]:
    delimiter = spec.delimiter or ("\t" if format_of(path) == "tsv" else ",")
    plain = delimiter.isascii() and (len(delimiter) == 1 or delimiter in (r"\s+", r"\t"))
    options: dict[str, Any] = {
        "sep": delimiter.replace(r"\t", "\t") if plain else re.escape(delimiter),
        "engine": "c" if plain else "python",
        "encoding": spec.encoding,
        "keep_default_na": False,
    }
    # pandas would call a second "a" "a.1"
    header = pd.read_csv(path, header=None, nrows=1, dtype=str, **options).iloc[0]
    names = header[header != ""]
    if names.duplicated().any():
        raise DataError(f"{path} has more than one column {names[names.duplicated()].iloc[0]!r}")
    options |= {"low_memory": False} if plain else {}
    # before pandas 3.1, a third of all floats came out one bit off
    options |= {"float_precision": "round_trip"} if plain and PANDAS < (3, 1) else {}
    # without index_col=False, pandas would shift the cells of rows that are too long
    return options | {"na_values": ["", *spec.na_values], "index_col": False}


@contextmanager
def _no_shifted_cells(path: Path) -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            yield
        except pd.errors.ParserWarning:
            raise DataError(f"{path} has rows with more cells than its header has names") from None


def _json_options(spec: DatasetSpec) -> dict[str, Any]:
    # before pandas 3, `dtype=False` alone still turned columns called "date" or "modified" into dates
    texts_stay: dict[str, Any] = {} if PANDAS >= (3, 0) else {"convert_dates": False}
    return {
        "lines": True,
        "encoding": "utf-8-sig" if spec.encoding.lower() in ("utf-8", "utf8") else spec.encoding,
        "dtype": False,
        "convert_axes": False,  # else a column "007" becomes 7
        "precise_float": True,
        **texts_stay,
    }


def _whole_lines(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    if not all(isinstance(name, str) for name in frame.columns):
        raise DataError(f"{path} cannot be read as jsonl: every line must be a JSON object")
    return frame


def without_texts(frame: pd.DataFrame, na_values: tuple[str, ...]) -> pd.DataFrame:
    """Return a frame in which some texts are missing values."""
    return frame.mask(frame.isin(list(na_values))) if na_values else frame


def format_of(path: Path) -> str:
    """Return csv, tsv, jsonl or parquet, by the ending of a file's name; raises DataError for any other."""
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() not in (".gz", ".bz2", ".xz", ".zst")]
    ending = suffixes[-1] if suffixes else ""
    formats = {
        ".csv": "csv",
        ".txt": "csv",
        ".tsv": "tsv",
        ".jsonl": "jsonl",
        ".ndjson": "jsonl",
        ".parquet": "parquet",
        ".pq": "parquet",
    }
    if ending not in formats:
        if path.is_dir():
            raise DataError(f"{path} is a folder: name its files by a glob, such as {path / '*.parquet'}")
        raise DataError(f"{path} has an ending that is not known: use .csv, .tsv, .jsonl or .parquet")
    return formats[ending]


def checked_frame(frame: Any, source: str) -> pd.DataFrame:
    """Return a data frame with its rows numbered and its columns named by texts; raises DataError for anything else."""
    if not isinstance(frame, pd.DataFrame):
        raise DataError(f"{source} gives {type(frame).__name__}, not a pandas DataFrame")
    own_index = [name for name in frame.index.names if name is not None and name not in frame.columns]
    if own_index:  # such as that of `frame.set_index("id").to_parquet(...)`
        frame = frame.reset_index(level=own_index)
    if frame.empty:
        raise DataError(f"{source} holds no rows")
    names = pd.Index([str(name) for name in frame.columns])
    if names.has_duplicates:
        raise DataError(f"{source} has more than one column {names[names.duplicated()][0]!r}")
    return frame.set_axis(names, axis=1).reset_index(drop=True)
