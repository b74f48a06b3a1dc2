"""What plugins and conftest files add to an evaluation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from pytest_behave.measure.metric import Metric
    from pytest_behave.records import DatasetSpec, ModelSpec


@dataclass(frozen=True)
class Extensions:
    """More metrics, a reader of datasets, a source of models, and modules with marked functions."""

    metrics: Mapping[str, Metric] = field(default_factory=dict)
    read: Callable[[str, DatasetSpec], pd.DataFrame | None] | None = None
    model: Callable[[ModelSpec], Callable[..., Any] | None] | None = None
    modules: tuple[ModuleType, ...] = ()
