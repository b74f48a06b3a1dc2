"""What a prepared suite was made from: its files, the code that it names, and what cannot be told of it from either."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from pytest_behave.compare.store import baseline_paths
from pytest_behave.data.readers import files_of, is_reference
from pytest_behave.errors import DataError
from pytest_behave.evaluate.run import pick_model
from pytest_behave.predict.code import Reach
from pytest_behave.predict.identity import GIVE
from pytest_behave.predict.keys import files_named
from pytest_behave.predict.sources import cases_frame
from pytest_behave.prepare.preparation import Prepared
from pytest_behave.records import DatasetSpec, ModelSpec

MOST_FILES = 10_000  # that the rows of a dataset name


@dataclass
class Inputs:
    """Labelled files and globs (absolute), modules by dotted name, the first date after which a known failure fails.

    ``unknown`` says what the verdicts depend on beyond that; empty if nothing else.
    """

    files: list[tuple[str, Path]] = field(default_factory=list)
    patterns: list[tuple[str, str]] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    until: str | None = None
    unknown: str = ""


def inputs_of(prepared: Prepared, model: str | None) -> Inputs:
    """Return what the verdicts of a suite depend on; ``model`` names the candidate."""
    suite = prepared.suite
    found = Inputs(files=[("", path) for path in suite.files], patterns=[("", pattern) for pattern in suite.patterns])
    found.names = {reference.partition(":")[0] for reference in _references(prepared)}
    if suite.dataset is not None:
        _add_dataset(found, suite.dataset)
    _add_model(found, pick_model(prepared, model), suite.path.parent)
    if prepared.baseline is not None:
        _add_model(found, prepared.baseline, suite.path.parent)
    else:
        found.files += [("baseline", path) for path in baseline_paths(suite.path, suite.name)]
    _add_named_files(found, prepared)
    found.until = min(_dates(prepared), default=None)
    return found


def _references(prepared: Prepared) -> Iterator[str]:
    suite = prepared.suite
    named = [suite.python, *(item.python for item in suite.metadata), *(item.python for item in suite.metrics)]
    yield from (reference for reference in named if reference)
    yield from (argument for case in suite.cases for name, argument in case.checks if name == "python")


def _dates(prepared: Prepared) -> list[str]:
    suite = prepared.suite
    failures = (item.bounds.known_failure for item in (*suite.expectations, *suite.tag_expectations))
    return [failure.until for failure in failures if failure is not None and failure.until is not None]


def _add_dataset(found: Inputs, spec: DatasetSpec) -> None:
    if is_reference(spec.source):
        found.unknown = found.unknown or f"only calling {spec.source} tells its data"
        return
    try:
        files = files_of(spec.source)
    except DataError:
        found.unknown = found.unknown or f"a plugin reads its data from {spec.source}"
        return
    found.files += [("data", path) for path in files]
    if files != [Path(spec.source)]:
        found.patterns.append(("data", spec.source))


def _add_model(found: Inputs, spec: ModelSpec, folder: Path) -> None:
    if spec.kind == "predictions":
        found.files.append(("model", Path(spec.location)))
    if spec.kind in ("predictions", "column") or spec.fingerprint is not None:
        return
    if spec.kind == "estimator":
        found.files.append(("model", Path(spec.location)))
        found.names.add("sklearn")
        return
    module = spec.location.partition(":")[0]
    if spec.kind == "python" and spec.function is not None:
        return  # a marked one: of the suite's own module or a conftest file
    if spec.kind == "python" and Reach(folder).add_reference(module):
        found.names.add(module)
        return
    found.unknown = found.unknown or f"what model {spec.name!r} depends on cannot be told: {GIVE}"


def _add_named_files(found: Inputs, prepared: Prepared) -> None:
    suite = prepared.suite
    roots = [suite.path.parent, *([Path(suite.dataset.source).parent] if suite.dataset else []), Path.cwd()]
    frames = [] if prepared.table is None else [prepared.table.frame]
    frames += [cases_frame([case.input for case in suite.cases])] if suite.cases else []
    paths: set[Path] = set().union(*(files_named(frame, list(dict.fromkeys(roots))) for frame in _of_texts(frames)))
    if paths and prepared.parts is not None:
        found.unknown = found.unknown or "its data name files and are read in parts"
    elif len(paths) > MOST_FILES:
        found.unknown = found.unknown or f"its data name more than {MOST_FILES:,} files"
    else:
        found.files += [("file", path) for path in sorted(paths)]


def _of_texts(frames: list[pd.DataFrame]) -> list[pd.DataFrame]:
    return [frame.select_dtypes(exclude=["number", "bool", "datetime"]) for frame in frames]
