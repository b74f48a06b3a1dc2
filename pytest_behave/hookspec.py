"""Hooks by which other plugins, and conftest files, extend pytest-behave."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import pandas as pd

    from pytest_behave.engines import Engine
    from pytest_behave.measure.metric import Metric
    from pytest_behave.records import DatasetSpec, ModelSpec, Run


@pytest.hookspec
def pytest_behave_metrics(config: pytest.Config) -> Sequence[Metric]:  # type: ignore[empty-body]
    """Return more metrics, which suites then name like built-in ones."""


@pytest.hookspec(firstresult=True)
def pytest_behave_read_dataset(source: str, spec: DatasetSpec) -> pd.DataFrame | None:
    """Read a dataset (an absolute path, a glob or ``module:function``), or return None to leave it to others."""


@pytest.hookspec(firstresult=True)
def pytest_behave_model_source(spec: ModelSpec) -> Callable[[pd.DataFrame], Any] | None:
    """Return a model for ``model: {plugin: NAME, options: {...}}``, or None if the name is not yours.

    ``spec.location`` is the name, ``spec.options`` the options; the model maps a DataFrame to outputs.
    """


@pytest.hookspec(firstresult=True)
def pytest_behave_engine(name: str) -> Engine | None:
    """Return the engine for ``--behave-engine=NAME``, or None if the name is not yours (``pytest_behave.engines``)."""


@pytest.hookspec
def pytest_behave_report_formats() -> Mapping[str, Callable[[Run], str]]:  # type: ignore[empty-body]
    """Return report formats by name for ``--behave-report=NAME:PATH``: pure functions from a Run to text."""
