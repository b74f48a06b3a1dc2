"""Where outputs come from: a callable, a fitted estimator, a file of predictions, a column, a server, a command.

Each source is one small class with ``fingerprint`` and ``batches(frame, ids, repeat)``; ``open_source`` picks it.
"""

from __future__ import annotations

import hashlib
import inspect
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

from pytest_behave.codes import factorize
from pytest_behave.errors import MissingExtraError, ModelError, did_you_mean
from pytest_behave.files import check_readable
from pytest_behave.guard import guarded
from pytest_behave.predict.lookup import Lookup, write_lookup
from pytest_behave.predict.normalize import Batch, predictions_of, score_of
from pytest_behave.records import ModelSpec, Predictions, ServiceSpec

if TYPE_CHECKING:
    import pyarrow as pa


class Source(Protocol):
    """One way to get outputs for the rows of a data frame."""

    fingerprint: str

    def batches(self, frame: pd.DataFrame, ids: Sequence[str], repeat: int = 0) -> Iterator[Batch]:
        """Yield the outputs of some rows as soon as they are known, in whatever order; ``repeat`` numbers the answers."""


class Tools(Protocol):
    """What a source needs from outside: loading references and files, and how ids and columns are compared."""

    def load(self, reference: str) -> Any:
        """Return the object that ``module:name`` or a marked name stands for."""

    def read_table(self, path: Path) -> pd.DataFrame:
        """Return a csv, jsonl or parquet file."""

    def blocks(self, path: Path) -> Iterator[pd.DataFrame] | None:
        """Return such a file some rows at a time, None where files are to be read whole."""

    def id_texts(self, frame: pd.DataFrame) -> np.ndarray:
        """Return the ids of a table's rows as texts."""

    def file_fingerprint(self, path: Path) -> str:
        """Return the fingerprint of a file's bytes."""

    def withheld(self) -> frozenset[str]:
        """Return the columns that are no inputs of a model: ids, the target, and outputs of other models."""


def open_source(spec: ModelSpec, tools: Tools, plugin: Callable[[ModelSpec], Any] | None = None) -> Source:
    """Return the source that a model declaration asks for; raises ModelError if it cannot be opened."""
    if spec.kind == "predictions":
        return PredictionsFile(spec, tools)
    if spec.kind == "column":
        return DatasetColumn(spec)
    if spec.kind == "estimator":
        return estimator_source(spec, tools)
    if spec.service is not None:
        return service_source(spec, spec.service, tools)
    if spec.kind == "plugin":
        with guarded(ModelError, f"the plugin asked for the model source {spec.location!r} raised"):
            function = plugin(spec) if plugin else None
        if function is None:
            raise ModelError(f"no installed plugin provides the model source {spec.location!r}")
        return CallableModel(spec, function)
    return CallableModel(spec, spec.function or tools.load(spec.location))


def answers(source: Source, frame: pd.DataFrame, ids: Sequence[str], wanted: np.ndarray) -> Iterator[Batch]:
    """Yield the ``wanted`` answers: number r * n + i is the r-th to row i of n."""
    for repeat, of_repeat in enumerate(np.split(wanted, np.searchsorted(wanted, _ends(wanted, len(frame))))):
        rows = of_repeat - repeat * len(frame)
        if len(rows):
            whole = len(rows) == len(frame)
            some = frame if whole else frame.iloc[rows].reset_index(drop=True)
            for batch in source.batches(some, ids if whole else [ids[row] for row in rows.tolist()], repeat):
                yield batch._replace(rows=of_repeat[batch.rows])


def _ends(wanted: np.ndarray, size: int) -> np.ndarray:
    """Return the first number beyond each repeat but the last."""
    return np.arange(1, int(wanted[-1]) // size + 1) * size if len(wanted) else np.zeros(0, dtype=np.int64)


class CallableModel:
    """A Python callable from DataFrame to outputs, called in batches; one that takes a ``seed`` gets the repeat."""

    def __init__(self, spec: ModelSpec, function: Callable[..., Any]) -> None:
        if not callable(function):
            raise ModelError(f"the model {spec.location!r} is {type(function).__name__}, not a callable")
        self.spec = spec
        self.function = function
        self.features = spec.features or _fitted_features(function)
        self.inputs = self.features  # columns that the outputs depend on; all, where none are named
        self.fingerprint = _callable_fingerprint(spec, function)
        self._takes_seed = _takes_seed(function)

    def batches(self, frame: pd.DataFrame, ids: Sequence[str], repeat: int = 0) -> Iterator[Batch]:
        """Call the model once per batch; a failure names the batch and its first instance."""
        size = self.spec.batch_size
        starts = range(0, len(frame), size)
        for number, start in enumerate(starts, start=1):
            batch = frame.iloc[start : start + size].reset_index(drop=True)
            batch_ids = ids[start : start + size]
            of_repeat = f"repeat {repeat + 1} of {self.spec.repeats}, " if self.spec.repeats > 1 else ""
            where = f"model {self.spec.name!r}, {of_repeat}batch {number} of {len(starts)},"
            rows = np.arange(start, start + len(batch))
            with guarded(ModelError, f"{where} starting with instance {batch_ids[0]!r}, raised"):
                found = predictions_of(self._call(batch, repeat), batch_ids, where)
            yield Batch(rows, found)

    def _call(self, batch: pd.DataFrame, repeat: int) -> Any:
        if self.features:
            absent = [name for name in self.features if name not in batch.columns]
            if absent:
                raise ModelError(
                    f"model {self.spec.name!r} needs columns that the dataset lacks: {', '.join(absent[:5])}"
                )
            batch = batch[list(self.features)]
        return self.function(batch, seed=repeat) if self._takes_seed else self.function(batch)


class PredictionsFile:
    """Outputs computed elsewhere, joined by id."""

    def __init__(self, spec: ModelSpec, tools: Tools) -> None:
        self.spec = spec
        self.tools = tools
        check_readable(Path(spec.location), ModelError)
        self.fingerprint = tools.file_fingerprint(Path(spec.location))
        self._joining = threading.Lock()
        self._lookup: _Mapped | None = None

    def batches(self, frame: pd.DataFrame, ids: Sequence[str], repeat: int = 0) -> Iterator[Batch]:  # noqa: ARG002
        """Yield the file's rows for ``ids``; raises ModelError naming ids that are missing or doubled."""
        with self._joining:  # threads of an engine ask for parts of one file
            known = self._lookup or self._known()
        rows = known.rows_of(ids)
        absent = np.flatnonzero(rows < 0)
        if len(absent):
            examples = ", ".join(ids[int(row)] for row in absent[:3])
            raise ModelError(f"{self.spec.location} lacks {len(absent):,} of {len(ids):,} ids (for example {examples})")
        yield Batch(np.arange(len(ids)), _of_columns(self.spec, known.take(rows), ids))

    def _known(self) -> _Mapped | _Table:
        """Return the file's rows by id; of a dataset in parts, it is asked many times."""
        path, blocks = Path(self.spec.location), self.tools.blocks(Path(self.spec.location))
        if blocks is None:
            table = self.tools.read_table(path)
            self._check_columns(table)
            return _Table(str(path), table, self.tools.id_texts(table))
        columns = list(dict.fromkeys(name for name in (self.spec.prediction, self.spec.score) if name is not None))
        with tempfile.TemporaryDirectory(prefix="pytest-behave-") as folder:
            rows = _by_id(map(self._check_columns, blocks), self.tools.id_texts, columns)
            write_lookup(Path(folder), str(path), rows)
            self._lookup = _Mapped(Lookup(Path(folder)))
        return self._lookup

    def _check_columns(self, table: pd.DataFrame) -> pd.DataFrame:
        for name in (self.spec.prediction, self.spec.score):
            if name is not None and name not in table.columns:
                raise ModelError(
                    f"{self.spec.location} has no column {name!r}{did_you_mean(name, map(str, table.columns))}"
                )
        return table


def _by_id(
    blocks: Iterable[pd.DataFrame], id_texts: Callable[[pd.DataFrame], np.ndarray], columns: list[str]
) -> Iterator[tuple[np.ndarray, pa.Table]]:
    import pyarrow as pa

    schema: Any = None
    for frame in blocks:
        table = pa.Table.from_pandas(frame[columns], schema=schema, preserve_index=False)
        schema = table.schema
        yield id_texts(frame).astype(object), table


class _Mapped:
    """The rows of a file that is larger than memory, by id."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self.rows_of = lookup.rows_of

    def take(self, rows: np.ndarray) -> pd.DataFrame:
        """Return some rows, in that order."""
        frame: pd.DataFrame = self._lookup.take(rows).to_pandas()
        return frame


class _Table:
    """The rows of a file in memory, by id."""

    def __init__(self, name: str, table: pd.DataFrame, ids: np.ndarray) -> None:
        self._table = table
        self._ids = pd.Index(ids)
        if self._ids.has_duplicates:
            examples = ", ".join(factorize(self._ids[self._ids.duplicated()])[1][:3])
            raise ModelError(f"{name} has more than one row for some ids (for example {examples})")

    def rows_of(self, ids: Sequence[str]) -> np.ndarray:
        """Return the row of each id, -1 where the file has none."""
        return self._ids.get_indexer(pd.Index(list(ids)))

    def take(self, rows: np.ndarray) -> pd.DataFrame:
        """Return some rows, in that order."""
        return self._table.iloc[rows].reset_index(drop=True)


class DatasetColumn:
    """Outputs that stand in the dataset itself: in the rows that it is asked for."""

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec
        kind = "score" if spec.score else "prediction"
        self.fingerprint = _text_fingerprint(f"column {spec.location} as {kind} at {spec.threshold}")

    def batches(self, frame: pd.DataFrame, ids: Sequence[str], repeat: int = 0) -> Iterator[Batch]:  # noqa: ARG002
        """Yield the column of the rows; for golden cases, of their own input."""
        name = self.spec.location
        if name not in frame.columns:
            raise ModelError(f"the golden cases have no {name!r} in their input, and model {self.spec.name!r} reads it")
        yield Batch(np.arange(len(ids)), _of_columns(self.spec, pd.DataFrame({name: frame[name].to_numpy()}), ids))


def _of_columns(spec: ModelSpec, table: pd.DataFrame, ids: Sequence[str]) -> Predictions:
    score = None
    if spec.score is not None:
        score = score_of(table[spec.score], ids, f"model {spec.name!r}")
    return Predictions(prediction=None if spec.prediction is None else table[spec.prediction], score=score)


def estimator_source(spec: ModelSpec, tools: Tools) -> Source:
    """Return a source for a fitted scikit-learn estimator; pickles only if the suite allows them by name."""
    path = Path(spec.location)
    estimator = _load_estimator(spec, path)
    features = spec.features or tuple(str(name) for name in getattr(estimator, "feature_names_in_", ()))

    def predict(frame: pd.DataFrame) -> pd.DataFrame:
        absent = [name for name in features if name not in frame.columns]
        if absent:
            raise ModelError(f"the estimator {path.name} needs columns that the dataset lacks: {', '.join(absent[:5])}")
        inputs = frame[list(features)] if features else frame
        inputs = inputs if hasattr(estimator, "feature_names_in_") else inputs.to_numpy()
        outputs: dict[str, Any] = {"prediction": estimator.predict(inputs)}
        if hasattr(estimator, "predict_proba"):
            proba = estimator.predict_proba(inputs)
            outputs |= {f"proba:{label}": proba[:, index] for index, label in enumerate(estimator.classes_)}
        return pd.DataFrame(outputs)

    source = CallableModel(spec, predict)
    source.features, source.inputs = (), features
    source.fingerprint = tools.file_fingerprint(path)
    return source


def service_source(spec: ModelSpec, service: ServiceSpec, tools: Tools) -> Source:
    """Return a source for a model behind an address or a command."""
    if spec.kind == "command":
        from pytest_behave.predict.command import Command

        return Command(spec, service, tools.withheld(), tools.file_fingerprint)
    from pytest_behave.predict.service import Service

    return Service(spec, service, tools.withheld())


def _load_estimator(spec: ModelSpec, path: Path) -> Any:
    check_readable(path, ModelError)
    if path.suffix == ".skops":
        try:
            import skops.io
        except ImportError:
            raise MissingExtraError("loading a .skops estimator", "skops", "sklearn") from None
        with guarded(ModelError, f"{path} cannot be loaded:"):
            untrusted = skops.io.get_untrusted_types(file=path)
            if untrusted:
                raise ModelError(f"{path} holds types that are not trusted: {', '.join(untrusted[:3])}")
            return skops.io.load(path)
    if not spec.allow_pickle:
        raise ModelError(
            f"{path} is a pickle, which can run any code when it is loaded: add `allow_pickle: true` if you trust it, "
            "or save the estimator as .skops"
        )
    import joblib

    with guarded(ModelError, f"{path} cannot be loaded:"):
        return joblib.load(path)


def _fitted_features(function: Callable[..., Any]) -> tuple[str, ...]:
    """Return the columns that the estimator behind a bound method was fitted on."""
    names = getattr(getattr(function, "__self__", None), "feature_names_in_", ())
    return tuple(str(name) for name in names)


def _takes_seed(function: Callable[..., Any]) -> bool:
    try:
        found = inspect.signature(function).parameters.get("seed")
    except (TypeError, ValueError):  # of some callables written in C nothing is known
        return False
    return found is not None and found.kind in (found.KEYWORD_ONLY, found.POSITIONAL_OR_KEYWORD)


def _callable_fingerprint(spec: ModelSpec, function: Callable[..., Any]) -> str:
    try:
        source = Path(inspect.getsourcefile(function) or "").read_text(encoding="utf-8")
    except (TypeError, OSError):
        source = repr(type(function))
    said = "" if spec.fingerprint is None else f"\n{spec.fingerprint}"
    return _text_fingerprint(f"{spec.location}\n{spec.threshold}\n{dict(spec.options)}\n{source}{said}")


def _text_fingerprint(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def cases_frame(inputs: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return the inputs of golden cases as one data frame, a column per name."""
    return pd.DataFrame(list(inputs))
