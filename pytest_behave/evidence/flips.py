"""Which instances got worse and better, worst first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pytest_behave.records import Outcome
from pytest_behave.records.pairs import PairedValues, Pairs


@dataclass(frozen=True)
class RowLosses:
    """How much worse each row got (negative: better), and what puts rows with the same loss in order: (rows,) each."""

    loss: np.ndarray
    moved: np.ndarray

    def broken(self, rows: np.ndarray) -> np.ndarray:
        """Return those of the rows that got worse, worst first."""
        return self._ordered(rows[self.loss[rows] > 0])

    def fixed(self, rows: np.ndarray) -> np.ndarray:
        """Return those of the rows that got better, most first."""
        return self._ordered(rows[self.loss[rows] < 0])

    def _ordered(self, rows: np.ndarray) -> np.ndarray:
        return rows[np.lexsort((-self.moved[rows], -np.abs(self.loss[rows])))]


def row_losses(pairs: Pairs, worse: int, baseline: Outcome, candidate: Outcome) -> RowLosses | None:
    """Return the loss of each row, None for a metric of which single instances have no part.

    Metrics of counts and ranks of a classifier are told by whether its answers are right.
    """
    if isinstance(pairs, PairedValues):
        loss = worse * np.nan_to_num(pairs.candidate - pairs.baseline)
        return RowLosses(loss, _moved(baseline, candidate))
    coded = candidate.task in ("binary", "multiclass")
    if coded and baseline.predicted is not None and candidate.predicted is not None:
        target = np.asarray(candidate.target)
        loss = (target == baseline.predicted).astype(np.float64) - (target == candidate.predicted)
        return RowLosses(loss, _moved(baseline, candidate))
    return None


def _moved(baseline: Outcome, candidate: Outcome) -> np.ndarray:
    """Return how far each row's score moved; 0 without scores."""
    if baseline.score is None or candidate.score is None:
        return np.zeros(candidate.size)
    return np.nan_to_num(np.abs(candidate.score - baseline.score))
