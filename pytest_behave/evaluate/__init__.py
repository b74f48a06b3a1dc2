"""The one place that joins the stages: a suite in, a run out; for pytest, the command line and notebooks alike."""

from __future__ import annotations

import sys
from pathlib import Path

from pytest_behave.declare.load import load_suite
from pytest_behave.evaluate.extensions import Extensions
from pytest_behave.evaluate.prepare import Prepared, known_metric_names, prepare
from pytest_behave.evaluate.run import pick_model, run_suite
from pytest_behave.records import Suite, SuiteRun

__all__ = ["Extensions", "Prepared", "evaluate_suite", "pick_model", "prepare", "prepare_file", "run_suite"]


def prepare_file(path: Path, extensions: Extensions | None = None) -> Prepared:
    """Load a suite file and everything it names, except the model's outputs; raises SuiteError."""
    extensions = extensions or Extensions()
    return prepare(load_suite(path, known_metric_names(extensions, path.parent)), extensions)


def evaluate_suite(suite: str | Path | Suite, *, model: str | None = None, against: str | None = None) -> SuiteRun:
    """Run a suite outside pytest, in a notebook for example, and return everything that was measured and judged.

    ``model`` picks one of several, ``against`` a git commit whose baseline is compared with. Raises SuiteError if the declaration or its data cannot be used as they are.
    """
    prepared = prepare(suite, Extensions()) if isinstance(suite, Suite) else prepare_file(Path(suite))
    return run_suite(prepared, model=model, ref=against, terminal=sys.stderr)
