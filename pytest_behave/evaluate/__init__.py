"""The one place that joins the stages: a suite in, a run out; for pytest, the command line and notebooks alike."""

from __future__ import annotations

import sys
from pathlib import Path

from pytest_behave.declare.load import load_suite
from pytest_behave.errors import DataError
from pytest_behave.evaluate.run import pick_model, run_suite
from pytest_behave.guard import any_place, guarded
from pytest_behave.parts.preparation import Resources, reader_of_parts
from pytest_behave.prepare.extensions import Extensions
from pytest_behave.prepare.metrics import known_metric_names
from pytest_behave.prepare.preparation import Prepared, prepare
from pytest_behave.records import Suite, SuiteRun

__all__ = [
    "Extensions",
    "Prepared",
    "Resources",
    "evaluate_suite",
    "pick_model",
    "prepare",
    "prepare_file",
    "run_suite",
]


def prepare_file(path: Path, extensions: Extensions | None = None, resources: Resources | None = None) -> Prepared:
    """Load a suite file and everything it names, except the model's outputs; raises SuiteError.

    ``resources`` decide whether its dataset is read in parts; without any it is read whole.
    """
    extensions = extensions or Extensions()
    with guarded(DataError, f"{path}: cannot be prepared:", any_place):
        suite = load_suite(path, known_metric_names(extensions, path.parent))
        return _prepared(suite, extensions, resources)


def _prepared(suite: Suite, extensions: Extensions, resources: Resources | None) -> Prepared:
    try:
        in_parts = resources is not None and resources.want_parts(suite, extensions)
    except DataError:  # of a file that cannot be read; preparing tells where that stands
        in_parts = False
    if resources is None or not in_parts:
        return prepare(suite, extensions)
    return prepare(suite, extensions, reader_of_parts(resources.engine, resources.terminal))


def evaluate_suite(
    suite: str | Path | Suite,
    *,
    model: str | None = None,
    against: str | None = None,
    engine: str = "local",
    memory: str | None = None,
) -> SuiteRun:
    """Run a suite outside pytest, in a notebook for example, and return everything that was measured and judged.

    ``model`` picks one of several, ``against`` a git commit whose baseline is compared with, ``engine`` where a dataset
    is measured that is read in parts, as it is if it takes more than ``memory`` ("2GB"; half of what is free). Raises
    SuiteError if the declaration or its data cannot be used as they are.
    """
    resources = Resources(engine, memory, terminal=sys.stderr)
    try:
        known = (
            suite
            if isinstance(suite, Suite)
            else load_suite(Path(suite), known_metric_names(Extensions(), Path(suite).parent))
        )
        prepared = _prepared(known, Extensions(), resources)
        return run_suite(prepared, model=model, ref=against, terminal=sys.stderr)
    finally:
        resources.close()
