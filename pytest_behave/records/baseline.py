"""What is stored of an accepted run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_behave.records.data import Predictions

if TYPE_CHECKING:
    import numpy as np

Key = tuple[str, str]  # slice, metric


@dataclass(frozen=True, slots=True)
class BaselineEntry:
    """One accepted value. ``hits`` of ``n`` where the metric is a proportion, the interval where it is not.

    ``best`` is the best value ever accepted, kept only for bounds that ask for it. ``paired`` is False where the value
    was accepted without the predictions that it was measured on.
    """

    value: float | None
    n: int
    size: int
    hits: int | None = None
    low: float | None = None
    high: float | None = None
    best: float | None = None
    reason: str = ""
    paired: bool = True


@dataclass(frozen=True, slots=True)
class StoredBaseline:
    """``baselines/<suite>.json``: accepted values, and the fingerprints of the dataset and model behind them."""

    suite: str
    dataset: str | None
    model: str
    entries: Mapping[Key, BaselineEntry] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredPredictions:
    """``baselines/<suite>.parquet``: what the accepted model said of every instance, by id.

    ``content`` and ``target`` are 32-bit hashes of an instance's input and of its right answer; ``columns`` are the
    columns that ``content`` covers. Of a model that answered ``repeats`` times, the first answers to all instances come
    before the second ones.
    """

    ids: np.ndarray
    content: np.ndarray
    target: np.ndarray
    columns: tuple[str, ...]
    model: str
    predictions: Predictions
    repeats: int = 1
