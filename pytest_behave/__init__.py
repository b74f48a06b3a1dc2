"""Behavioral test suites for models, as a pytest plugin.

Importing this package loads nothing heavy; every name below is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "model": "pytest_behave.decorators",
    "metadata": "pytest_behave.decorators",
    "metric": "pytest_behave.decorators",
    "evaluate_suite": "pytest_behave.evaluate",
    "Metric": "pytest_behave.measure.metric",
    "Mean": "pytest_behave.measure.means",
    "Proportion": "pytest_behave.measure.statistics",
    "BehaveWarning": "pytest_behave.names",
    "BehaveError": "pytest_behave.errors",
    "SuiteError": "pytest_behave.errors",
}
__all__ = sorted(_HOMES)  # noqa: PLE0605 - the names are the keys above
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'pytest_behave' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
